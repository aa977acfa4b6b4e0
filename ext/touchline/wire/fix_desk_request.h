/* A request at hand, for those who answer it: one function a MsgType. Nobody else includes it. */
#ifndef TOUCHLINE_FIX_DESK_REQUEST_H
#define TOUCHLINE_FIX_DESK_REQUEST_H

#include <stdio.h>

#include "touchline/wire/fix_desk_state.h"

typedef struct request { /* the message at hand and who sent it */
    tl_fix_desk *desk;
    const tl_fix_party *party;
    const tl_fix_message *message;
    int64_t utc_ns;
    bool patience, available;
    uint64_t hash[2]; /* of its ClOrdID */
    const tl_fix_request *known; /* of that ClOrdID, answered; NULL */
} request;

#define TL_FIX_COMMANDS_MAX 128u /* of one request */

/* fix_desk_request.c */
tl_fix_taken tl_fix_ask_order(request *of);
tl_fix_taken tl_fix_ask_change(request *of);
tl_fix_taken tl_fix_ask_status(request *of);
typedef enum underway { GO_ON, ANSWERED, WAIT } underway;
/* Is the ClOrdID's first request with the engine? Else `known` is what it was used for, NULL. */
underway tl_fix_look_up(request *of);
/* -1, or why the ClOrdID can not be one. */
int tl_fix_check_name(const request *of, const tl_fix_field *name);
/* Send commands for the engine under the request's ClOrdID, all or none. */
tl_fix_taken tl_fix_submit(const request *of, tl_command *some, uint32_t count, uint32_t row);
/* fix_desk_mass.c, fix_desk_status.c, fix_desk_capture_request.c */
tl_fix_taken tl_fix_ask_mass_cancel(request *of);
tl_fix_taken tl_fix_ask_mass_status(request *of);
tl_fix_taken tl_fix_ask_capture(request *of);

/* What an answer came to. */
static inline tl_fix_taken done(tl_fix_desk *desk, int rc)
{
    if (rc == 0)
        return TL_FIX_TAKEN;
    desk->error = rc;
    return TL_FIX_FAILED;
}

/* A field that this venue requires is not there. */
static inline tl_fix_taken missing(const request *of, uint32_t tag)
{
    char text[64];
    snprintf(text, sizeof text, "Conditionally Required Field Missing (%u)", tag);
    return done(of->desk, tl_fix_answer_business(of->desk, of->party, of->message,
                                                 TL_FIX_BUSINESS_MISSING, text));
}

static inline tl_fix_taken unavailable(const request *of)
{
    return done(of->desk,
                tl_fix_answer_business(of->desk, of->party, of->message,
                                       TL_FIX_BUSINESS_UNAVAILABLE, "Application not available"));
}

/* %.*s of a field, at most 64 bytes of it */
#define SHOWN(message, field)                                                                      \
    tl_fix_shown(message, field, 64), (field) == NULL ? "" : tl_fix_value(message, field)

#endif

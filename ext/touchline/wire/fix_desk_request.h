/* A request at hand, for those who answer it: one function a MsgType. Nobody else includes it. */
#ifndef TOUCHLINE_FIX_DESK_REQUEST_H
#define TOUCHLINE_FIX_DESK_REQUEST_H

#include <stdarg.h>
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

/* fix_desk_request.c */
tl_fix_taken tl_fix_ask_order(request *of);
tl_fix_taken tl_fix_ask_change(request *of);
tl_fix_taken tl_fix_ask_status(request *of);

/* What an answer came to. */
static inline tl_fix_taken done(tl_fix_desk *desk, int rc)
{
    if (rc == 0)
        return TL_FIX_TAKEN;
    desk->error = rc;
    return TL_FIX_FAILED;
}

/* Say why not, in desk->text; the reason. */
__attribute__((format(printf, 3, 4), unused)) static int refuse(tl_fix_desk *desk, int reason,
                                                                const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(desk->text, sizeof desk->text, format, arguments);
    va_end(arguments);
    for (char *at = desk->text; *at != 0; at++) /* what a message says is not ours to repeat raw */
        if ((unsigned char)*at < 0x20)
            *at = '?';
    return reason;
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
    (int)(tl_fix_size_of(field) < 64 ? tl_fix_size_of(field) : 64),                                \
        (field) == NULL ? "" : tl_fix_value(message, field)

#endif

/* Which function answers a MsgType, and what a session must be allowed for it. */
#include "touchline/wire/fix_desk_request.h"

typedef struct row {
    uint8_t permission; /* TL_FIX_MAY_... */
    tl_fix_taken (*ask)(request *of); /* NULL: not served by the desk */
} row;

static const row rows[TL_FIX_MSG_TYPES_COUNT] = {
    [TL_FIX_NEW_ORDER_SINGLE] = {TL_FIX_MAY_ORDER, tl_fix_ask_order},
    [TL_FIX_ORDER_CANCEL_REQUEST] = {TL_FIX_MAY_ORDER, tl_fix_ask_change},
    [TL_FIX_ORDER_CANCEL_REPLACE_REQUEST] = {TL_FIX_MAY_ORDER, tl_fix_ask_change},
    [TL_FIX_ORDER_STATUS_REQUEST] = {TL_FIX_MAY_ORDER, tl_fix_ask_status},
    [TL_FIX_ORDER_MASS_CANCEL_REQUEST] = {TL_FIX_MAY_ORDER, tl_fix_ask_mass_cancel},
    [TL_FIX_ORDER_MASS_STATUS_REQUEST] = {TL_FIX_MAY_ORDER, tl_fix_ask_mass_status},
    [TL_FIX_TRADE_CAPTURE_REPORT_REQUEST] = {TL_FIX_MAY_CAPTURE, tl_fix_ask_capture},
};

tl_fix_taken tl_fix_desk_request(tl_fix_desk *desk, const tl_fix_party *party,
                                 const tl_fix_message *message, int64_t utc_ns, bool patience,
                                 bool available)
{
    request of = {.desk = desk,
                  .party = party,
                  .message = message,
                  .utc_ns = utc_ns,
                  .patience = patience,
                  .available = available};
    const row *row = &rows[message->type];
    const tl_fix_field *type = tl_fix_find(message, 35);
    char text[160];
    desk->error = 0;
    const uint32_t unfit = tl_fix_route_of(&desk->asked, message);
    if (unfit != 0) {
        snprintf(text, sizeof text, "%s(%u) is too long to be answered: allowed are %u bytes, "
                 "printable, and %u of such fields together", tl_fix_route_name(unfit), unfit,
                 TL_FIX_ROUTE_VALUE_MAX, TL_FIX_ROUTE_BYTES);
        return done(desk, tl_fix_answer_business(desk, party, message, TL_FIX_BUSINESS_OTHER,
                                                 text));
    }
    if (row->ask == NULL) {
        snprintf(text, sizeof text, "MsgType %.*s is not supported", SHOWN(message, type));
        return done(desk, tl_fix_answer_business(desk, party, message, TL_FIX_BUSINESS_MSG_TYPE,
                                                 text));
    }
    if ((party->permissions & row->permission) == 0) {
        snprintf(text, sizeof text, "this session may not send MsgType %.*s",
                 SHOWN(message, type));
        return done(desk, tl_fix_answer_business(desk, party, message,
                                                 TL_FIX_BUSINESS_NOT_AUTHORIZED, text));
    }
    return row->ask(&of);
}

/* What goes ahead of an order (rule 8.9 of docs/rules.md) in OUCH: MinQty, ExpireTime, in seconds
 * since midnight, and HandleInst A, ours, for all-or-none; and its times in force, three of which
 * are OUCH's cross types. */
#include "touchline/wire/ouch_desk_state.h"

#define SECOND_NS INT64_C(1000000000)
#define DAY_S 86400u

uint16_t tl_ouch_read_ahead(const tl_ouch_desk *desk, const tl_ouch_request *asked,
                            const tl_stock *stock, int64_t utc_ns, tl_ouch_ahead *ahead)
{
    const uint8_t *min_qty = tl_ouch_option(asked, TL_OUCH_MIN_QTY);
    const uint8_t *expire = tl_ouch_option(asked, TL_OUCH_EXPIRE_TIME);
    const uint8_t *handle = tl_ouch_option(asked, TL_OUCH_HANDLE_INST);
    const uint32_t shares = min_qty == NULL ? 0 : tl_get_u32(min_qty);
    *ahead = (tl_ouch_ahead){.min_qty = shares / stock->share_scale,
                             .expire_s = expire == NULL ? 0 : tl_get_u32(expire),
                             .all_or_none = handle != NULL && *handle == 'A'};
    if (shares % stock->share_scale != 0)
        return TL_OUCH_REJECT_INVALID_MIN_QUANTITY;
    if (ahead->expire_s >= DAY_S)
        return TL_OUCH_REJECT_OTHER;
    const int64_t midnight_ns =
        utc_ns - (int64_t)tl_since_midnight(utc_ns, desk->config.midnight_ns);
    if (ahead->expire_s != 0)
        ahead->expire_ns = midnight_ns + ahead->expire_s * SECOND_NS;
    return 0;
}

bool tl_ouch_goes_ahead(const tl_ouch_ahead *ahead, tl_command *terms)
{
    terms->type = TL_MSG_TYPE_TERMS;
    terms->min_qty = ahead->min_qty;
    terms->expire_ns = ahead->expire_ns;
    terms->flags = ahead->all_or_none ? TL_TERMS_FLAG_ALL_OR_NONE : 0;
    return ahead->min_qty != 0 || ahead->expire_ns != 0 || ahead->all_or_none;
}

tl_ouch_ahead tl_ouch_ahead_of(const tl_ouch_desk *desk, const tl_command *terms)
{
    const int64_t expire_ns = terms->expire_ns;
    const uint64_t ns =
        expire_ns == 0 ? 0 : tl_since_midnight(expire_ns, desk->config.midnight_ns);
    return (tl_ouch_ahead){.expire_ns = expire_ns,
                           .min_qty = terms->min_qty,
                           .expire_s = (uint32_t)(ns / (uint64_t)SECOND_NS),
                           .all_or_none = (terms->flags & TL_TERMS_FLAG_ALL_OR_NONE) != 0};
}

bool tl_ouch_ahead_same(const tl_ouch_request *asked, const tl_ouch_ahead *said,
                        const tl_ouch_ahead *now)
{
    const uint8_t *handle = tl_ouch_option(asked, TL_OUCH_HANDLE_INST);
    if (tl_ouch_option(asked, TL_OUCH_MIN_QTY) != NULL && said->min_qty != now->min_qty)
        return false;
    if (tl_ouch_option(asked, TL_OUCH_EXPIRE_TIME) != NULL && said->expire_s != now->expire_s)
        return false;
    return handle == NULL || said->all_or_none == now->all_or_none;
}

/* TimeInForce and CrossType as OUCH has them: an order for a cross is a day's. */
uint8_t tl_ouch_time_meant(const tl_ouch_request *asked)
{
    switch (asked->cross_type) {
    case 'O':
        return TL_TIME_IN_FORCE_AT_OPEN;
    case 'C':
        return TL_TIME_IN_FORCE_AT_CLOSE;
    case 'H':
        return TL_TIME_IN_FORCE_AUCTION;
    default:
        return (uint8_t)asked->time_in_force;
    }
}

char tl_ouch_cross_said(uint8_t time_in_force)
{
    switch (time_in_force) {
    case TL_TIME_IN_FORCE_AT_OPEN:
        return 'O';
    case TL_TIME_IN_FORCE_AT_CLOSE:
        return 'C';
    case TL_TIME_IN_FORCE_AUCTION:
        return 'H';
    default:
        return 'N';
    }
}

char tl_ouch_time_said(uint8_t time_in_force)
{
    return tl_ouch_cross_said(time_in_force) == 'N' ? (char)time_in_force
                                                    : (char)TL_TIME_IN_FORCE_DAY;
}

uint8_t *tl_ouch_put_ahead(uint8_t *at, const tl_ouch_ahead *ahead, const tl_stock *stock)
{
    if (ahead->min_qty != 0) {
        at = tl_ouch_put_option(at, TL_OUCH_MIN_QTY, 4);
        tl_put_u32(at, (uint32_t)(ahead->min_qty * stock->share_scale));
        at += 4;
    }
    if (ahead->expire_ns != 0) {
        at = tl_ouch_put_option(at, TL_OUCH_EXPIRE_TIME, 4);
        tl_put_u32(at, ahead->expire_s);
        at += 4;
    }
    if (ahead->all_or_none) {
        at = tl_ouch_put_option(at, TL_OUCH_HANDLE_INST, 1);
        *at++ = 'A';
    }
    return at;
}

/* What goes ahead of an order (rule 8.9 of docs/rules.md): how long it stands, how much of it has
 * to trade at once; and the times in force, which FIX and the engine call the same but for one.
 *
 * ExpireTime(126) is a moment; ExpireDate(432) a day, whose end is meant, in UTC. An order has one
 * of them, and its reports say the moment. Good for this auction is B in FIX, where A is another.
 */
#include "touchline/wire/fix_desk_state.h"
#include "touchline/wire/fix_text_room.h"

#define SECOND_NS INT64_C(1000000000)
#define DAY_NS (INT64_C(86400) * SECOND_NS)
#define FIX_AUCTION 'B'

/* The moment, UTC nanoseconds; 0: nothing is said of it. -1, or why it can not be. */
static int read_expiry(tl_fix_desk *desk, const tl_fix_message *message, int64_t *expire_ns)
{
    const tl_fix_field *time = tl_fix_find(message, 126), *date = tl_fix_find(message, 432);
    *expire_ns = 0;
    if (time == NULL && date == NULL)
        return -1;
    if (time != NULL && date != NULL)
        return tl_fix_refuse(desk, TL_FIX_ORD_UNSUPPORTED,
                             "ExpireTime(126) or ExpireDate(432), not both: rule 8.10");
    const tl_fix_field *field = time != NULL ? time : date;
    const char *text = tl_fix_value(message, field);
    int64_t days;
    const bool good =
        time != NULL ? tl_fix_read_time(text, field->size, expire_ns)
                     : tl_fix_read_date(text, field->size, &days) && days < INT64_MAX / DAY_NS;
    if (good && time == NULL)
        *expire_ns = days < 0 ? 0 : (days + 1) * DAY_NS;
    if (good && *expire_ns > 0)
        return -1;
    return tl_fix_refuse(desk, good ? TL_FIX_ORD_TOO_LATE : TL_FIX_ORD_UNSUPPORTED,
                         "%s(%u) %.*s is %s: rule 8.10", time != NULL ? "ExpireTime" : "ExpireDate",
                         field->tag, tl_fix_shown(message, field, 40), text,
                         good ? "past" : "later than a time can say");
}

int tl_fix_read_ahead(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, tl_command *terms)
{
    int64_t min_qty;
    const int reason = read_expiry(desk, message, &terms->expire_ns);
    if (reason >= 0)
        return reason;
    const int unfit = tl_fix_read_term(desk, message, tl_fix_find(message, 110), &instrument->lot,
                                       "MinQty", "lot size", TL_FIX_ORD_QTY, &min_qty);
    terms->min_qty = (uint32_t)min_qty;
    return unfit;
}

int tl_fix_ahead_same(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, const tl_fix_order *order)
{
    tl_command terms = {0};
    const int reason = tl_fix_read_ahead(desk, message, instrument, &terms);
    if (reason >= 0)
        return reason;
    if (terms.expire_ns != 0 && terms.expire_ns != order->expire_ns)
        return tl_fix_find(message, 126) != NULL ? tl_fix_unchangeable(desk, "ExpireTime", 126)
                                                 : tl_fix_unchangeable(desk, "ExpireDate", 432);
    if (tl_fix_find(message, 110) != NULL && terms.min_qty != order->min_qty)
        return tl_fix_unchangeable(desk, "MinQty", 110);
    return -1;
}

/* Times in force */

uint8_t tl_fix_time_meant(uint8_t said)
{
    return said == FIX_AUCTION ? (uint8_t)TL_TIME_IN_FORCE_AUCTION : said;
}

char tl_fix_time_said(uint8_t time_in_force)
{
    return time_in_force == TL_TIME_IN_FORCE_AUCTION ? FIX_AUCTION : (char)time_in_force;
}

char *tl_fix_put_time_in_force(char *at, const tl_fix_report *report)
{
    const uint8_t time = report->order->time_in_force;
    const tl_fix_version version = report->dialect->version;
    const bool unknown = (time == TL_TIME_IN_FORCE_AUCTION && version != TL_FIX_50SP2) ||
                         (time == TL_TIME_IN_FORCE_AT_CLOSE && version == TL_FIX_42);
    return unknown ? at : tl_fix_put_char(at, 59, tl_fix_time_said(time));
}

/* Fields of a report */

char *tl_fix_put_instructions(char *at, const tl_fix_order *order)
{
    const bool post_only = (order->flags & TL_FLAG_POST_ONLY) != 0;
    if (order->all_or_none)
        return tl_fix_put_text(at, 18, post_only ? "6 G" : "G", post_only ? 3 : 1);
    return post_only ? tl_fix_put_char(at, 18, '6') : at;
}

char *tl_fix_put_min_qty(char *at, const tl_fix_order *order, const tl_fix_unit *lot)
{
    return order->min_qty != 0 ? tl_fix_room_put_units(at, 110, order->min_qty, lot) : at;
}

/* With the session's decimals, or as many as the moment has where these are more. */
char *tl_fix_put_expire_time(char *at, const tl_fix_report *report)
{
    const int64_t expire_ns = report->order->expire_ns;
    const int has = expire_ns % SECOND_NS == 0 ? 0 : expire_ns % 1000000 == 0 ? 3
                    : expire_ns % 1000 == 0    ? 6 : 9;
    if (expire_ns == 0)
        return at;
    return tl_fix_put_time(at, 126, expire_ns,
                           has > report->time_decimals ? has : report->time_decimals);
}

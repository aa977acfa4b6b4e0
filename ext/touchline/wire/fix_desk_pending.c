/* Pending states, for sessions that ask for them: a request is with the engine.
 *
 * Pending New (A), Pending Cancel (6) and Pending Replace (E) are told as a request is handed over,
 * before anything can become of it, and of that request alone: its ExecID is `P` and a number that
 * is never given out again. No event stands behind it, so that nothing of it is in the journal: a
 * gateway that dies before it is told does not tell it later, and one that dies afterwards does not
 * tell it twice. Until the answer comes other reports on the order say that it is pending: of all
 * requests on the orders of a session the gateway alone is the sender, so whatever was not reported
 * when it died happened while they were under way. */

#include "touchline/wire/fix_desk_state.h"

static char kind_of(const tl_fix_pending *pending)
{
    switch (pending->msg_type) {
    case TL_MSG_TYPE_NEW_ORDER:
        return 'A';
    case TL_MSG_TYPE_CANCEL:
        return '6';
    case TL_MSG_TYPE_REPLACE:
        return 'E';
    default:
        return 0;
    }
}

int tl_fix_tell_pending(tl_fix_desk *desk, const tl_fix_party *party,
                        const tl_fix_pending *pending, int64_t utc_ns)
{
    const char kind = kind_of(pending);
    if (!party->pending_reports || kind == 0)
        return 0;
    const tl_fix_cl_ord_id *orig = kind == 'A' ? NULL : &pending->orig;
    if (orig != NULL && orig->size == 0)
        orig = tl_fix_order_name(desk->orders, pending->order);
    const tl_fix_report report = {.dialect = party->dialect,
                                  .order = tl_fix_order_at(desk->orders, pending->order),
                                  .cl_ord_id = &pending->name,
                                  .orig = orig,
                                  .exec_letter = 'P',
                                  .exec_id = desk->hooks.refusal(desk->hooks.context),
                                  .transact_ns = utc_ns,
                                  .time_decimals = party->time_decimals,
                                  .ord_rej_reason = -1,
                                  .pending = true,
                                  .exec_type = kind};
    char *begin = tl_fix_desk_begin(desk, &desk->asked);
    return tl_fix_desk_send(desk, party->number, "8", tl_fix_write_report(desk, &report, begin), 0);
}

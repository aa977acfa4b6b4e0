/* Drop copy: sessions that are sent a copy of every report on their accounts, whoever entered the
 * order. A copy has the key of the report, so each of these sessions goes on from a mark of its
 * own, as those who trade do; after a restart the journal gives what it was not told of yet.
 */
#include <string.h>

#include "touchline/wire/fix_desk_state.h"

bool tl_fix_has_account(const tl_fix_seated *seated, uint32_t account)
{
    uint32_t low = 0, high = seated->accounts_count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (seated->accounts[middle] < account)
            low = middle + 1;
        else
            high = middle;
    }
    return low < seated->accounts_count && seated->accounts[low] == account;
}

bool tl_fix_copied(const tl_fix_desk *desk, uint32_t account)
{
    for (uint32_t i = 0; i < desk->copies; i++)
        if (tl_fix_has_account(&desk->sessions[desk->copying[i]], account))
            return true;
    return false;
}

int tl_fix_send_copies(tl_fix_desk *desk, const tl_fix_report *report, uint64_t key)
{
    const tl_fix_order *order = report->order;
    tl_fix_report copy = *report;
    copy.copy = true;
    for (uint32_t i = 0; i < desk->copies; i++) {
        const uint32_t session = desk->copying[i];
        const tl_fix_seated *seated = &desk->sessions[session];
        if (session == order->session || key <= seated->mark ||
            !tl_fix_has_account(seated, order->account))
            continue;
        copy.dialect = seated->dialect;
        copy.time_decimals = seated->time_decimals;
        copy.pending = false; /* of what it was never told */
        const int rc = tl_fix_desk_send(desk, session, "8",
                                        tl_fix_write_report(desk, &copy, desk->body), key);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* An order of a program is called by its lane and number, as no FIX client called it. */
uint32_t tl_fix_foreign_order(tl_fix_desk *desk, const tl_event *event)
{
    tl_fix_cl_ord_id name = {0};
    char *end = tl_fix_write_uint(name.text, event->cl_ord_id >> 32);
    *end++ = '-';
    end = tl_fix_write_uint(end, (uint32_t)event->cl_ord_id);
    name.size = (uint8_t)(end - name.text);
    const uint32_t row = tl_fix_order_add(desk->orders);
    if (row == TL_FIX_NO_ROW || tl_fix_order_call(desk->orders, row, &name) != 0)
        return TL_FIX_NO_ROW;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->price = event->price;
    order->order_qty = event->qty;
    order->account = event->account;
    order->session = TL_FIX_NO_SESSION;
    order->instrument = event->instrument;
    order->side = event->side;
    order->ord_type = event->ord_type;
    order->time_in_force = event->time_in_force;
    order->flags = event->flags & (TL_FLAG_POST_ONLY | TL_FLAG_SLIDE | TL_FLAG_HIDDEN);
    return row;
}

char *tl_fix_put_entering(const tl_fix_desk *desk, const tl_fix_report *report, char *at)
{
    const tl_fix_name *name = tl_fix_session_at(&desk->names, report->order->session);
    if (name == NULL)
        return at; /* a program's order */
    if (report->dialect->version == TL_FIX_42)
        return tl_fix_put_text(at, 109, name->text, name->size); /* ClientID */
    at = tl_fix_put_char(at, 453, '1');
    at = tl_fix_put_text(at, 448, name->text, name->size);
    at = tl_fix_put_char(at, 447, 'D');
    return tl_fix_put_char(at, 452, '7'); /* the firm that entered the order */
}

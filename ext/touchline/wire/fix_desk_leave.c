/* The orders of a session whose peer has left, taken off one by one.
 *
 * Each is an ordinary CANCEL that nobody asked for by a ClOrdID: the journal tells of it as of one
 * that the venue made, and so do the reports. Orders are walked over by their slots, in slices, so
 * that many of them hold up nobody. */
#include "touchline/wire/fix_desk_state.h"

#include <errno.h>

#define SLOTS_A_SLICE 4096u
#define CANCELS_A_SLICE 256u

void tl_fix_desk_leave(const tl_fix_desk *desk, uint32_t session, tl_fix_leaving *leaving)
{
    *leaving = (tl_fix_leaving){.session = session, .rows = tl_fix_orders_count(desk->orders)};
}

/* 1: it is sent; 0: it is nothing to be taken off; or -errno. */
static int cancel(tl_fix_desk *desk, const tl_fix_leaving *leaving, uint32_t row)
{
    if (row == TL_FIX_NO_ROW || row >= leaving->rows)
        return 0;
    const tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    if (order->session != leaving->session || order->order_id == 0 || order->leaves_qty == 0)
        return 0;
    const tl_command cmd = {.type = TL_MSG_TYPE_CANCEL,
                            .order_id = order->order_id,
                            .account = order->account,
                            .cl_ord_id = desk->hooks.number(desk->hooks.context)};
    if (cmd.cl_ord_id == 0)
        return -ENOSPC;
    const int rc = desk->hooks.submit(desk->hooks.context, &cmd, 1);
    return rc == 0 ? 1 : rc;
}

int tl_fix_desk_left_orders(tl_fix_desk *desk, tl_fix_leaving *leaving)
{
    uint32_t sent = 0;
    if (tl_fix_desk_pending(desk, leaving->session) > 0 && leaving->slot == 0)
        return -EAGAIN; /* what is under way may become an order, or another one */
    for (uint32_t looked = 0; looked < SLOTS_A_SLICE; looked++) {
        if (leaving->slot >= tl_fix_order_slots(desk->orders))
            return 0;
        const int rc =
            cancel(desk, leaving, tl_fix_order_in_slot(desk->orders, leaving->slot));
        if (rc < 0)
            return rc;
        leaving->slot++;
        leaving->sent += (uint32_t)rc;
        if ((sent += (uint32_t)rc) == CANCELS_A_SLICE)
            break;
    }
    return 1;
}

/* What becomes of two orders that must not trade with each other. Section 10 of docs/rules.md.
 *
 *   CANCEL_RESTING ─► the maker ends, the order that comes goes on
 *   CANCEL_AGGRESSOR ─► the order that comes ends
 *   CANCEL_BOTH ─► both, the maker first
 *   DECREMENT_BOTH ─► both have as much less as would have traded; who has nothing left ends
 *   CANCEL_SMALLER ─► the one that has less left; both where that is the same
 */
#include "touchline/core/selftrade.h"

/* ── when they meet ────────────────────────────────────────────────────────────────────────── */

static bool maker_ends(const tl_self_trader *own, uint32_t leaves_qty, uint32_t maker_leaves)
{
    return own->mode == TL_SELF_TRADE_CANCEL_RESTING || own->mode == TL_SELF_TRADE_CANCEL_BOTH ||
           (own->mode == TL_SELF_TRADE_CANCEL_SMALLER && maker_leaves <= leaves_qty);
}

static bool taker_ends(const tl_self_trader *own, uint32_t leaves_qty, uint32_t maker_leaves)
{
    return own->mode == TL_SELF_TRADE_CANCEL_AGGRESSOR || own->mode == TL_SELF_TRADE_CANCEL_BOTH ||
           (own->mode == TL_SELF_TRADE_CANCEL_SMALLER && leaves_qty <= maker_leaves);
}

bool tl_self_trade_prevented(tl_meeting *m, uint32_t slot, uint32_t maker,
                             const tl_self_trader *own, uint8_t ord_type)
{
    if (own->mode == TL_SELF_TRADE_DECREMENT_BOTH) {
        tl_decrement(m, slot, maker, ord_type);
        return true;
    }
    uint32_t leaves_qty = m->s->shelf->orders[slot].leaves_qty;
    uint32_t maker_leaves = tl_order_leaves(m->s->shelf, maker);
    if (maker_ends(own, leaves_qty, maker_leaves)) {
        tl_step_aside(m->s, maker);
        tl_special_take_off(m, maker, TL_EXEC_TYPE_CANCELED, TL_REASON_SELF_TRADE);
    }
    if (!taker_ends(own, leaves_qty, maker_leaves))
        return true;
    tl_special_cancel(m, slot, TL_REASON_SELF_TRADE, ord_type);
    return false;
}

uint32_t tl_first_to_meet(const tl_step *s, const tl_self_trader *own, uint32_t maker)
{
    if (own->mode == TL_SELF_TRADE_ALLOWED)
        return maker;
    for (uint32_t slot = maker; slot != TL_NONE; slot = s->shelf->orders[slot].next)
        if (tl_is_self_trade(s, own, slot))
            return slot;
    return maker;
}

bool tl_self_trade_blocks(const tl_self_trader *own, uint32_t leaves_qty, uint32_t maker_leaves)
{
    return own->mode == TL_SELF_TRADE_DECREMENT_BOTH ||
           taker_ends(own, leaves_qty, maker_leaves);
}

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

/* ── fill or kill ──────────────────────────────────────────────────────────────────────────── */

/* What an order would meet on its way, before anything is done. */
typedef struct way {
    const tl_step *s;
    const tl_self_trader *own;
    uint64_t wanted;
    uint64_t found;
    bool blocked; /* by an order of its own that it does not get past */
} way;

static bool over(const way *w)
{
    return w->blocked || w->found >= w->wanted;
}

/* Whom it must not trade with: canceled on the way, or the end of it. Who is decremented is not
 * filled. */
static void pass_own(way *w, uint32_t maker)
{
    uint32_t leaves_qty = (uint32_t)(w->wanted - w->found);
    uint32_t maker_leaves = tl_order_leaves(w->s->shelf, maker);
    w->blocked = w->own->mode == TL_SELF_TRADE_DECREMENT_BOTH ||
                 taker_ends(w->own, leaves_qty, maker_leaves);
}

/* The orders of a level in their turn, and then what icebergs show behind them; its owner's first
 * where it is shared out. */
static void pass_level(way *w, uint32_t level, bool shared)
{
    const tl_shelf *shelf = w->s->shelf;
    uint64_t shown_later = 0;
    for (uint32_t slot = tl_level_head(shelf, level); shared && slot != TL_NONE && !over(w);
         slot = shelf->orders[slot].next)
        if (tl_is_self_trade(w->s, w->own, slot))
            pass_own(w, slot);
    for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE && !over(w);
         slot = shelf->orders[slot].next) {
        if (tl_is_self_trade(w->s, w->own, slot)) {
            if (!shared)
                pass_own(w, slot);
            continue;
        }
        w->found += shelf->orders[slot].leaves_qty;
        shown_later += tl_order_leaves(shelf, slot) - shelf->orders[slot].leaves_qty;
    }
    if (!w->blocked)
        w->found += shown_later;
}

bool tl_fillable(const tl_step *s, uint32_t slot, uint32_t limit, const tl_self_trader *own)
{
    const tl_order *taker = &s->shelf->orders[slot];
    unsigned makers = !tl_side_index(taker->side);
    const tl_book *books[2] = {&s->shelf->books[taker->instrument],
                               tl_unseen_book(s->shelf, taker->instrument, TL_UNSEEN_HIDDEN)};
    uint32_t levels[2] = {books[0]->best[makers].level, books[1]->best[makers].level};
    const tl_instrument *listed = &s->engine->risk.instruments[taker->instrument];
    way w = {.s = s, .own = own, .wanted = taker->leaves_qty};
    while (!over(&w)) {
        uint32_t keys[2];
        for (unsigned i = 0; i < 2; i++)
            keys[i] = levels[i] == TL_NONE
                          ? TL_KEY_NONE
                          : tl_key(makers, tl_level_price(s->shelf, books[i], levels[i]));
        unsigned next = keys[1] < keys[0]; /* what is shown before what is hidden: rule 8.5 */
        if (keys[next] > limit || levels[next] == TL_NONE)
            return false;
        pass_level(&w, levels[next], next == 0 && listed->allocated != 0);
        levels[next] = tl_book_worse_level(s->shelf, tl_side_of(makers), levels[next]);
    }
    return w.found >= w.wanted;
}

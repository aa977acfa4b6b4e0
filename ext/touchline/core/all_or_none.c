/* All or none: rules 8.11 and 8.12 of docs/rules.md.
 *
 *   what is there at once?   shown, hidden and all-or-none orders of the other side, as the taker
 *                            would meet them: the best price first, in that order at one price
 *   who waits for all of it  stands in a book of its own, a side each, and asks again after every
 *                            order that has met the book; the first that can trade does, whole
 */
#include "touchline/core/allocation.h"
#include "touchline/core/linked.h"
#include "touchline/core/selftrade.h"

/* What an order would meet on its way over three books, before anything is done: the next level of
 * each, the best first. */
typedef struct walk {
    const tl_step *s;
    const tl_self_trader *own;
    const tl_book *book[3]; /* shown, hidden, all or none */
    uint32_t level[3];
    unsigned makers;
    uint32_t left; /* lots it would have left */
    bool shared;   /* what is shown is shared out: section 11 */
    bool blocked;  /* by an order of its owner's that it does not get past: rule 10.6 */
    bool marked;   /* who is another's partner has in `allotted` what it would trade */
    uint32_t levels; /* passed */
} walk;
#define WHOLE 2u

static walk walk_begin(const tl_step *s, uint32_t slot, const tl_self_trader *own)
{
    const tl_order *taker = &s->shelf->orders[slot];
    unsigned makers = !tl_side_index(taker->side);
    walk w = {.s = s, .own = own, .makers = makers, .left = taker->leaves_qty};
    w.book[0] = &s->shelf->books[taker->instrument];
    w.book[1] = tl_unseen_book(s->shelf, taker->instrument, TL_UNSEEN_HIDDEN);
    w.book[WHOLE] =
        tl_unseen_book(s->shelf, taker->instrument, TL_UNSEEN_ALL_OR_NONE_BUY + makers);
    w.shared = tl_is_allocated(s, taker->instrument);
    for (unsigned i = 0; i < 3; i++)
        w.level[i] = w.book[i]->best[makers].level;
    return w;
}

static uint32_t key_of(const walk *w, unsigned i)
{
    if (w->level[i] == TL_NONE)
        return TL_KEY_NONE;
    return tl_key(w->makers, tl_level_price(w->s->shelf, w->book[i], w->level[i]));
}

static uint32_t take(walk *w, uint64_t lots)
{
    uint32_t taken = lots < w->left ? (uint32_t)lots : w->left;
    w->left -= taken;
    return taken;
}

/* What an order has to trade with after what its partner would have traded: rule 12.3. */
static uint32_t lots_of(const walk *w, uint32_t slot)
{
    const tl_shelf *shelf = w->s->shelf;
    uint32_t lots = shelf->orders[slot].leaves_qty, partner = tl_link_partner(shelf, slot);
    if (partner == TL_NONE || shelf->allotted[partner] == 0)
        return lots;
    uint8_t contingency = tl_link_contingency(shelf->special[slot].linked);
    return lots - tl_link_lots(contingency, lots, shelf->allotted[partner],
                               shelf->orders[partner].leaves_qty);
}

static void mark(walk *w, uint32_t slot, uint32_t lots)
{
    if (tl_link_partner(w->s->shelf, slot) == TL_NONE)
        return;
    w->s->shelf->allotted[slot] = lots;
    w->marked = true;
}

/* Its owner's orders of a level that is shared out come before all others: rule 11.5. */
static void pass_own(walk *w, unsigned i)
{
    const tl_shelf *shelf = w->s->shelf;
    for (uint32_t slot = tl_level_head(shelf, w->level[i]); slot != TL_NONE && !w->blocked;
         slot = shelf->orders[slot].next)
        if (tl_is_self_trade(w->s, w->own, slot))
            w->blocked = tl_self_trade_blocks(w->own, w->left, tl_order_leaves(shelf, slot));
}

/* The orders of a level in their turn, and then what icebergs show behind them. */
static void pass_level(walk *w, unsigned i)
{
    const tl_shelf *shelf = w->s->shelf;
    bool shared = i == 0 && w->shared;
    uint64_t shown_later = 0;
    if (shared)
        pass_own(w, i);
    for (uint32_t slot = tl_level_head(shelf, w->level[i]);
         slot != TL_NONE && w->left > 0 && !w->blocked; slot = shelf->orders[slot].next) {
        uint32_t all = tl_order_leaves(shelf, slot), lots = shelf->orders[slot].leaves_qty;
        if (i == WHOLE && lots > w->left)
            continue;
        if (tl_is_self_trade(w->s, w->own, slot)) {
            w->blocked = !shared && tl_self_trade_blocks(w->own, w->left, all);
            continue;
        }
        mark(w, slot, take(w, lots_of(w, slot)));
        shown_later += all - lots;
    }
    if (!w->blocked)
        take(w, shown_later);
}

/* The book that has the next level; one whose key is TL_KEY_NONE: none. */
static unsigned next_book(const walk *w)
{
    unsigned next = key_of(w, 1) < key_of(w, 0);
    return key_of(w, WHOLE) < key_of(w, next) ? WHOLE : next;
}

static void go_on(walk *w, unsigned i)
{
    w->level[i] = tl_book_worse_level(w->s->shelf, tl_side_of(w->makers), w->level[i]);
}

/* The way again, so many levels, to leave no marks. */
static void clear_marks(walk w, uint32_t levels)
{
    const tl_shelf *shelf = w.s->shelf;
    for (; levels > 0; levels--) {
        unsigned next = next_book(&w);
        for (uint32_t slot = tl_level_head(shelf, w.level[next]); slot != TL_NONE;
             slot = shelf->orders[slot].next)
            shelf->allotted[slot] = 0;
        go_on(&w, next);
    }
}

uint32_t tl_available(const tl_step *s, uint32_t slot, uint32_t limit, const tl_self_trader *own)
{
    walk w = walk_begin(s, slot, own);
    while (w.left > 0 && !w.blocked) {
        unsigned next = next_book(&w);
        uint32_t key = key_of(&w, next);
        if (key == TL_KEY_NONE || key > limit)
            break;
        pass_level(&w, next);
        go_on(&w, next);
        w.levels++;
    }
    if (w.marked)
        clear_marks(walk_begin(s, slot, own), w.levels);
    return s->shelf->orders[slot].leaves_qty - w.left;
}

uint32_t tl_all_or_none_maker(const tl_shelf *shelf, uint16_t instrument, unsigned side_index,
                              uint32_t limit, uint32_t lots)
{
    const tl_book *book = tl_unseen_book(shelf, instrument, TL_UNSEEN_ALL_OR_NONE_BUY + side_index);
    uint32_t level = book->best[side_index].level;
    while (level != TL_NONE && tl_key(side_index, tl_level_price(shelf, book, level)) <= limit) {
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE;
             slot = shelf->orders[slot].next)
            if (shelf->orders[slot].leaves_qty <= lots)
                return slot;
        level = tl_book_worse_level(shelf, tl_side_of(side_index), level);
    }
    return TL_NONE;
}

/* The first of a side that finds all it wants; TL_NONE: none does. */
static uint32_t first_able(const tl_step *s, uint16_t instrument, unsigned side_index)
{
    const tl_shelf *shelf = s->shelf;
    const tl_book *book = tl_unseen_book(shelf, instrument, TL_UNSEEN_ALL_OR_NONE_BUY + side_index);
    uint32_t level = book->best[side_index].level;
    for (; level != TL_NONE; level = tl_book_worse_level(shelf, tl_side_of(side_index), level)) {
        uint32_t limit = tl_key(!side_index, tl_level_price(shelf, book, level));
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE;
             slot = shelf->orders[slot].next) {
            const tl_self_trader own = tl_self_trader_of(s, slot);
            if (tl_available(s, slot, limit, &own) == shelf->orders[slot].leaves_qty)
                return slot;
        }
    }
    return TL_NONE;
}

bool tl_all_or_none_trade(tl_meeting *m, uint16_t instrument)
{
    const tl_shelf *shelf = m->s->shelf;
    uint32_t slot = first_able(m->s, instrument, 0);
    if (slot == TL_NONE)
        slot = first_able(m->s, instrument, 1);
    if (slot == TL_NONE)
        return false;
    const tl_order *order = &shelf->orders[slot];
    tl_step_aside(m->s, slot);
    tl_meet(m, slot, &(tl_terms){order->price, TL_ORD_TYPE_LIMIT, tl_order_time_in_force(order)});
    return true;
}

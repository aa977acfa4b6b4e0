/* All or none: rules 8.11 and 8.12 of docs/rules.md.
 *
 *   what is there at once?   shown, hidden and all-or-none orders of the other side, as the taker
 *                            would meet them: the best price first, in that order at one price
 *   who waits for all of it  stands in a book of its own, a side each, and asks again after every
 *                            order that has met the book; the first that can trade does, whole
 */
#include "touchline/core/special.h"

/* What a walk over three books has come to: the next level of each, the best first. */
typedef struct walk {
    const tl_shelf *shelf;
    const tl_book *book[3]; /* shown, hidden, all or none */
    uint32_t level[3];
    unsigned makers;
} walk;

static walk walk_begin(const tl_shelf *shelf, uint16_t instrument, unsigned makers)
{
    walk w = {.shelf = shelf, .makers = makers};
    w.book[0] = &shelf->books[instrument];
    w.book[1] = tl_unseen_book(shelf, instrument, TL_UNSEEN_HIDDEN);
    w.book[2] = tl_unseen_book(shelf, instrument, TL_UNSEEN_ALL_OR_NONE_BUY + makers);
    for (unsigned i = 0; i < 3; i++)
        w.level[i] = w.book[i]->best[makers].level;
    return w;
}

static uint32_t key_of(const walk *w, unsigned i)
{
    if (w->level[i] == TL_NONE)
        return TL_KEY_NONE;
    return tl_key(w->makers, tl_level_price(w->shelf, w->book[i], w->level[i]));
}

/* Of the wanted lots, those that a level leaves wanted. */
static uint32_t less_level(const walk *w, unsigned i, uint32_t wanted)
{
    const tl_shelf *shelf = w->shelf;
    uint32_t slot = tl_level_head(shelf, w->level[i]);
    for (; slot != TL_NONE && wanted > 0; slot = shelf->orders[slot].next) {
        uint32_t lots = tl_order_leaves(shelf, slot);
        if (lots <= wanted)
            wanted -= lots;
        else if (i < 2)
            wanted = 0;
    }
    return wanted;
}

uint32_t tl_available(const tl_shelf *shelf, const tl_order *taker, unsigned makers, uint32_t limit)
{
    walk w = walk_begin(shelf, taker->instrument, makers);
    uint32_t wanted = taker->leaves_qty;
    while (wanted > 0) {
        unsigned next = key_of(&w, 1) < key_of(&w, 0);
        if (key_of(&w, 2) < key_of(&w, next))
            next = 2;
        uint32_t key = key_of(&w, next);
        if (key == TL_KEY_NONE || key > limit)
            break;
        wanted = less_level(&w, next, wanted);
        w.level[next] = tl_book_worse_level(shelf, tl_side_of(makers), w.level[next]);
    }
    return taker->leaves_qty - wanted;
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
static uint32_t first_able(const tl_shelf *shelf, uint16_t instrument, unsigned side_index)
{
    const tl_book *book = tl_unseen_book(shelf, instrument, TL_UNSEEN_ALL_OR_NONE_BUY + side_index);
    uint32_t level = book->best[side_index].level;
    for (; level != TL_NONE; level = tl_book_worse_level(shelf, tl_side_of(side_index), level)) {
        uint32_t limit = tl_key(!side_index, tl_level_price(shelf, book, level));
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE;
             slot = shelf->orders[slot].next) {
            const tl_order *order = &shelf->orders[slot];
            if (tl_available(shelf, order, !side_index, limit) == order->leaves_qty)
                return slot;
        }
    }
    return TL_NONE;
}

bool tl_all_or_none_trade(tl_meeting *m, uint16_t instrument)
{
    const tl_shelf *shelf = m->s->shelf;
    uint32_t slot = first_able(shelf, instrument, 0);
    if (slot == TL_NONE)
        slot = first_able(shelf, instrument, 1);
    if (slot == TL_NONE)
        return false;
    const tl_order *order = &shelf->orders[slot];
    tl_step_aside(m->s, slot);
    tl_meet(m, slot, &(tl_terms){order->price, TL_ORD_TYPE_LIMIT, tl_order_time_in_force(order)});
    return true;
}

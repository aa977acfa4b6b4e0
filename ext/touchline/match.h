/* How an incoming order meets the resting ones: price first, then time, at the maker's price.
 *
 * The engine asks for one trade after another; what a trade means to positions and whom it is told
 * is the engine's business. This part knows the book and nothing else.
 */
#ifndef TOUCHLINE_MATCH_H
#define TOUCHLINE_MATCH_H

#include "book.h"

/* The order that has arrived and does not rest (yet). */
typedef struct tl_taker {
    uint32_t price; /* the worst it trades at, ticks */
    uint32_t leaves_qty;
    uint8_t side;
} tl_taker;

typedef struct tl_fill {
    uint32_t maker; /* slot; still open, even when nothing is left of it */
    uint32_t price;
    uint32_t qty;
    bool maker_done;
} tl_fill;

static inline bool tl_match_crosses(const tl_book *book, const tl_taker *taker)
{
    return taker->side == TL_SIDE_BUY ? taker->price >= book->best[1].price
                                      : taker->price <= book->best[0].price;
}

/* Trade with the oldest order at the best price. A maker that is done has left its level; its slot
 * stays the caller's until given back. False when nothing is wanted or nothing crosses. */
static inline bool tl_match_next(const tl_shelf *shelf, tl_book *book, tl_taker *taker,
                                 tl_fill *fill)
{
    if (taker->leaves_qty == 0 || !tl_match_crosses(book, taker))
        return false;
    const tl_best *best = &book->best[!tl_side_index(taker->side)];
    uint32_t slot = shelf->levels[best->level].head;
    uint32_t maker_qty = shelf->orders[slot].leaves_qty;
    fill->maker = slot;
    fill->price = best->price;
    fill->maker_done = maker_qty <= taker->leaves_qty;
    fill->qty = fill->maker_done ? maker_qty : taker->leaves_qty;
    taker->leaves_qty -= fill->qty;
    if (fill->maker_done)
        tl_book_remove(shelf, book, slot);
    else
        tl_book_reduce(shelf, slot, fill->qty);
    return true;
}

/* Could the taker trade all of its quantity at once? Looks at levels, not at orders. */
bool tl_match_fillable(const tl_shelf *shelf, const tl_book *book, const tl_taker *taker);

#endif

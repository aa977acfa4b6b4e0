/* How an incoming order meets the resting ones: price first, then time, at the maker's price.
 *
 * The engine asks for one trade after another; what a trade means to positions and whom it is told
 * is the engine's business. This part knows the book and nothing else.
 */
#ifndef TOUCHLINE_MATCH_H
#define TOUCHLINE_MATCH_H

#include "touchline/core/book.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* The taker's limit as a key of the side it trades with: it takes keys up to this one. */
static inline uint32_t tl_match_limit(const tl_taker *taker)
{
    return tl_key(!tl_side_index(taker->side), taker->price);
}

static inline const tl_best *tl_match_best(const tl_book *book, const tl_taker *taker)
{
    return &book->best[!tl_side_index(taker->side)];
}

static inline bool tl_match_crosses(const tl_book *book, const tl_taker *taker)
{
    return tl_match_best(book, taker)->key <= tl_match_limit(taker);
}

/* Trade with the oldest order at the best price. A maker that is done has left its level; its slot
 * stays the caller's until given back. False when nothing is wanted or nothing crosses. */
static inline bool tl_match_next(const tl_shelf *shelf, tl_book *book, tl_taker *taker,
                                 tl_fill *fill)
{
    if (taker->leaves_qty == 0 || !tl_match_crosses(book, taker))
        return false;
    uint32_t slot = tl_level_head(shelf, tl_match_best(book, taker)->level);
    uint32_t maker_qty = shelf->orders[slot].leaves_qty;
    fill->maker = slot;
    fill->price = shelf->orders[slot].price;
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

#ifdef __cplusplus
}
#endif

#endif

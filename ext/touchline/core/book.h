/* The book of one instrument: first-in-first-out queues of orders at their price levels.
 *
 *   book.best[side] ──► price and level of the touch; the price as a key: an ask's price itself, a
 *     bid's counted down from 2^30 - 1, so that less is better on both sides and no branch that a
 *     processor can not predict asks which side it is
 *
 *   book.behind[side]: the level behind the touch, while it is known without asking the tree; an
 *     order that betters the touch and leaves again costs no search
 *
 *   level: oldest ⇄ order ⇄ youngest        32-bit indices into one pool of orders
 *
 * An order that comes and goes alone at its price writes its level once and nobody reads it.
 * levels.h finds a price's level, shelf.h has the records. Nothing here knows accounts, risk or
 * events.
 */
#ifndef TOUCHLINE_BOOK_H
#define TOUCHLINE_BOOK_H

#include <assert.h>

#include "touchline/core/levels.h"
#include "touchline/core/orders.h"

#ifdef __cplusplus
extern "C" {
#endif

void tl_book_init(tl_book *book);

/* Levels from the best outwards; returns how many were written. */
uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                       tl_level_view *views, uint32_t views_max);

/* Is it the only order at its price? Of an order that rests. */
static inline bool tl_order_alone(const tl_order *order)
{
    return (order->prev & order->next) == TL_NONE;
}

/* The oldest order of a live level. */
static inline uint32_t tl_level_head(const tl_shelf *shelf, uint32_t level)
{
    return shelf->levels[level] & ~TL_LEVEL_QUEUE;
}

/* The youngest. */
static inline uint32_t tl_level_tail(const tl_shelf *shelf, uint32_t level)
{
    bool queue = (shelf->levels[level] & TL_LEVEL_QUEUE) != 0;
    return queue ? shelf->queues[level].tail : shelf->levels[level];
}

/* What the orders of a live level have left together, lots. */
static inline uint64_t tl_level_qty(const tl_shelf *shelf, uint32_t level)
{
    uint32_t tail = tl_level_tail(shelf, level);
    bool alone = tail == tl_level_head(shelf, level);
    return alone ? shelf->orders[tail].leaves_qty : shelf->queues[level].qty;
}

/* How many orders a live level has. */
static inline uint32_t tl_level_orders(const tl_shelf *shelf, uint32_t level)
{
    bool queue = (shelf->levels[level] & TL_LEVEL_QUEUE) != 0;
    return queue ? shelf->queues[level].orders : 1;
}

/* The best price of a side in ticks, 0 when nothing rests. */
static inline uint32_t tl_book_best_price(const tl_book *book, unsigned side_index)
{
    const tl_best *best = &book->best[side_index];
    return best->key == TL_KEY_NONE ? 0 : tl_key(side_index, best->key);
}

/* The side that is sorted as this one: what a level's neighbours are asked by. */
static inline uint8_t tl_side_of(unsigned side_index)
{
    return (uint8_t)(TL_SIDE_BUY + side_index);
}

static inline void tl_level_open(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                 unsigned side_index, uint32_t price)
{
    tl_branch *block = &shelf->blocks[level / TL_BLOCK_LEVELS];
    block->live |= UINT64_C(1) << level % TL_BLOCK_LEVELS;
    tl_best opened = {tl_key(side_index, price), level};
    tl_best *best = &book->best[side_index];
    tl_best *behind = &book->behind[side_index];
    if (opened.key < best->key) {
        *behind = *best;
        *best = opened;
    } else if (behind->level != TL_NOT_KNOWN && opened.key < behind->key) {
        *behind = opened;
    }
}

/* The best level has closed: the one behind it is the best now. */
static inline void tl_best_next(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                unsigned side_index)
{
    tl_best *best = &book->best[side_index];
    tl_best *behind = &book->behind[side_index];
    if (behind->level != TL_NOT_KNOWN) {
        *best = *behind;
        behind->level = best->level == TL_NONE ? TL_NONE : TL_NOT_KNOWN;
        return;
    }
    uint32_t next = tl_book_worse_level(shelf, tl_side_of(side_index), level);
    best->level = next;
    if (next != TL_NONE) {
        best->key = tl_key(side_index, tl_level_price(shelf, book, next));
        return;
    }
    best->key = TL_KEY_NONE;
    *behind = *best;
}

static inline void tl_level_close(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                  unsigned side_index)
{
    tl_branch *block = &shelf->blocks[level / TL_BLOCK_LEVELS];
    block->live &= ~(UINT64_C(1) << level % TL_BLOCK_LEVELS);
    if (book->best[side_index].level == level)
        tl_best_next(shelf, book, level, side_index);
    else if (book->behind[side_index].level == level)
        book->behind[side_index].level = TL_NOT_KNOWN;
    if (block->live == 0)
        tl_block_drop(shelf, level / TL_BLOCK_LEVELS);
}

/* Put the order at the back of a price of a side: leaves_qty is set. Whether others rest
 * there is asked of the block, which is in the cache more often than the level: a level that opens
 * is only written, and nothing waits for a write. */
static inline void tl_book_append_at(const tl_shelf *shelf, tl_book *book, uint32_t slot,
                                     unsigned side_index, uint32_t price)
{
    tl_order *order = &shelf->orders[slot];
    TL_CHECKED(order->leaves_qty > 0);
    uint32_t level_index = tl_book_level_at(shelf, book, price);
    order->level = level_index;
    order->next = TL_NONE;
    if (!tl_level_live(shelf, level_index)) {
        order->prev = TL_NONE;
        shelf->levels[level_index] = slot;
        tl_level_open(shelf, book, level_index, side_index, price);
        return;
    }
    uint32_t first = shelf->levels[level_index];
    tl_queue queue = {0, first, 1};
    if ((first & TL_LEVEL_QUEUE) != 0)
        queue = shelf->queues[level_index];
    if (queue.orders == 1)
        queue.qty = shelf->orders[queue.tail].leaves_qty;
    order->prev = queue.tail;
    shelf->orders[queue.tail].next = slot;
    queue.qty += order->leaves_qty;
    queue.tail = slot;
    queue.orders++;
    shelf->queues[level_index] = queue;
    shelf->levels[level_index] = first | TL_LEVEL_QUEUE;
}

/* At the back of its own price, on its own side. */
static inline void tl_book_append(const tl_shelf *shelf, tl_book *book, uint32_t slot)
{
    const tl_order *order = &shelf->orders[slot];
    tl_book_append_at(shelf, book, slot, tl_side_index(order->side), order->price);
}

/* Take the order off its level; what was left of it leaves the level's quantity. */
static inline void tl_book_remove_at(const tl_shelf *shelf, tl_book *book, uint32_t slot,
                                     unsigned side_index)
{
    tl_order *order = &shelf->orders[slot];
    uint32_t level_index = order->level;
    TL_CHECKED(level_index != TL_NONE && tl_level_live(shelf, level_index));
    order->level = TL_NONE;
    if (tl_order_alone(order)) {
        tl_level_close(shelf, book, level_index, side_index);
        return;
    }
    tl_queue *queue = &shelf->queues[level_index];
    queue->qty -= order->leaves_qty;
    queue->orders--;
    if (order->prev != TL_NONE)
        shelf->orders[order->prev].next = order->next;
    else
        shelf->levels[level_index] = order->next | TL_LEVEL_QUEUE;
    if (order->next != TL_NONE)
        shelf->orders[order->next].prev = order->prev;
    else
        queue->tail = order->prev;
}

static inline void tl_book_remove(const tl_shelf *shelf, tl_book *book, uint32_t slot)
{
    tl_book_remove_at(shelf, book, slot, tl_side_index(shelf->orders[slot].side));
}

/* More of the order at its place in the queue. */
static inline void tl_book_grow(const tl_shelf *shelf, uint32_t slot, uint32_t qty)
{
    tl_order *order = &shelf->orders[slot];
    order->leaves_qty += qty;
    if (!tl_order_alone(order))
        shelf->queues[order->level].qty += qty;
}

/* Some of the order is gone, its place in the queue is not. */
static inline void tl_book_reduce(const tl_shelf *shelf, uint32_t slot, uint32_t qty)
{
    tl_order *order = &shelf->orders[slot];
    assert(qty <= order->leaves_qty);
    order->leaves_qty -= qty;
    if (!tl_order_alone(order))
        shelf->queues[order->level].qty -= qty;
}

#ifdef __cplusplus
}
#endif

#endif

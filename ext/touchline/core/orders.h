/* The pool of orders: slots given out and taken back, and the OrderIDs that mean them.
 *
 *   orders_used ──► slots never used, given out in order when the stack is empty
 *   order_free  ──► slot ──► slot ──► …      free slots, the one given back last on top
 *
 * An OrderID is a slot and its generation, which grows whenever an order ends: finding an order is
 * one index and one compare, and an old id finds nothing. Rule 1.4. The engine's thread alone.
 */
#ifndef TOUCHLINE_ORDERS_H
#define TOUCHLINE_ORDERS_H

#include <assert.h>

#include "touchline/core/shelf.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline uint64_t tl_order_id(const tl_shelf *shelf, uint32_t slot)
{
    return (uint64_t)shelf->orders[slot].generation << 32 | slot;
}

static inline bool tl_orders_full(const tl_pools *pools)
{
    return pools->order_free == TL_NONE && pools->orders_used == pools->orders_max;
}

/* A slot for a new order; the caller has seen that there is one. */
static inline uint32_t tl_order_take(const tl_shelf *shelf)
{
    tl_pools *pools = shelf->pools;
    uint32_t slot = pools->order_free;
    if (slot != TL_NONE) {
        pools->order_free = shelf->orders[slot].next;
    } else {
        assert(pools->orders_used < pools->orders_max);
        slot = pools->orders_used++;
        shelf->orders[slot].generation = 1;
    }
    pools->orders_open++;
    return slot;
}

/* The order has ended: its slot is free and its OrderID is stale from now on. */
static inline void tl_order_give_back(const tl_shelf *shelf, uint32_t slot)
{
    tl_order *order = &shelf->orders[slot];
    TL_CHECKED(order->position != TL_NONE);
    order->position = TL_NONE;
    order->generation += order->generation == UINT32_MAX ? 2 : 1;
    order->next = shelf->pools->order_free;
    shelf->pools->order_free = slot;
    shelf->pools->orders_open--;
}

/* The slot of an open order, or TL_NONE when the id is unknown, stale or made up. */
static inline uint32_t tl_order_find(const tl_shelf *shelf, uint64_t order_id)
{
    uint32_t slot = (uint32_t)order_id;
    if (slot >= shelf->pools->orders_used)
        return TL_NONE;
    const tl_order *order = &shelf->orders[slot];
    bool open = order->generation == order_id >> 32 && order->position != TL_NONE;
    return open ? slot : TL_NONE;
}

#ifdef __cplusplus
}
#endif

#endif

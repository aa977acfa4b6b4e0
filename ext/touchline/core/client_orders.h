/* Which open order a client's id means, and the client's id of an open order.
 *
 *   cl_ord_id ─ hash ─► places[ ]   open addressing, 8 bytes a place, at most half are taken
 *                         │ slot and 32 bits of the hash
 *                         ▼
 *                       orders[slot]   cl_ord_id and order_id, by the slot of the OrderID
 *
 * It is kept by events alone: tl_client_orders_follow after each step keeps it right through fills,
 * cancels, expiries and replaces, which may change a client's id. Of an id that is open twice the
 * first order keeps it. What has ended leaves no trace, and its place is free at once: those
 * behind it move up, so a table that is years old is as quick as a new one. The same events and the
 * same key give the same table. An id of 0 is none.
 *
 * The memory is the caller's, tl_client_orders_bytes of it; nothing here allocates. One thread at a
 * time. `key` keeps clients from choosing ids that fall into one place: where they can, give it
 * random bits, else 0. Ids are unique in one table: a table for each firm, or the firm in the id.
 */
#ifndef TOUCHLINE_CLIENT_ORDERS_H
#define TOUCHLINE_CLIENT_ORDERS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "touchline/core/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An order that is open and has an id of its client's. */
typedef struct tl_client_order {
    uint64_t cl_ord_id; /* ClOrdID(11); 0: this slot has none */
    uint64_t order_id;  /* OrderID(37) */
} tl_client_order;
static_assert(sizeof(tl_client_order) == 16, "four orders to a cache line");

typedef struct tl_client_place {
    uint32_t hash;
    uint32_t slot; /* plus one; 0: free */
} tl_client_place;
static_assert(sizeof(tl_client_place) == 8, "eight places to a cache line");

typedef struct tl_client_orders {
    tl_client_place *places;
    tl_client_order *orders; /* by slot */
    uint64_t key;
    uint32_t mask; /* number of places, a power of two, less one */
    uint32_t orders_max;
    uint32_t count; /* orders in the table */
    uint32_t _pad;
} tl_client_orders;

/* Bytes of memory for an engine of so many orders; 0 for a number outside 1 .. 2^26. */
size_t tl_client_orders_bytes(uint32_t orders_max);

/* An empty table in `memory`, which is touched whole. `orders_max` is the engine's. 0, or -EINVAL:
 * orders_max out of bounds, too few bytes, memory not aligned to 64. */
int tl_client_orders_open(tl_client_orders *table, void *memory, size_t bytes, uint32_t orders_max,
                          uint64_t key);

/* What one event changes. 0; -EEXIST: NEW or REPLACED with an id that another open order has, which
 * keeps it: a new order has none then, a replaced one the id it had; -ERANGE: the slot is not
 * below orders_max, so the event is of a larger engine. Events of orders that the table does not
 * have change nothing. The table is never full: a slot has one order. */
int tl_client_orders_apply(tl_client_orders *table, const tl_event *event);

/* An open order and its id as tl_client_orders_next gave them, into a table that begins from a
 * snapshot. 0, or -EEXIST or -ERANGE as above, with nothing changed; an id of 0 takes the order's
 * away. */
int tl_client_orders_put(tl_client_orders *table, const tl_client_order *order);

/* Apply the events from number `first` to the sink's `next`, asking memory ahead. Returns how many
 * were refused as above; 0: the table has every order that is open and bears an id. */
uint64_t tl_client_orders_follow(tl_client_orders *table, const tl_event_sink *sink,
                                 uint64_t first);

/* tl_client_orders_find of `count` ids at once, asking memory ahead. */
void tl_client_orders_find_batch(const tl_client_orders *table, const uint64_t *cl_ord_ids,
                                 uint64_t *order_ids, size_t count);

/* The next order from `*at` on (0: the first), and moves it; false after the last. By slot. Any
 * change between two calls may be seen or not. */
bool tl_client_orders_next(const tl_client_orders *table, uint32_t *at, tl_client_order *order);

static inline uint32_t tl_client_hash(const tl_client_orders *table, uint64_t cl_ord_id)
{
    uint64_t hash = (cl_ord_id ^ table->key) * UINT64_C(0x9E3779B97F4A7C15);
    hash = (hash ^ hash >> 32 ^ table->key) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(hash >> 32);
}

/* Ask memory for where the id is looked for: some commands before it is. */
static inline void tl_client_orders_ahead(const tl_client_orders *table, uint64_t cl_ord_id)
{
    __builtin_prefetch(&table->places[tl_client_hash(table, cl_ord_id) & table->mask]);
}

/* And, half as many commands before, for the order that the place names. */
static inline void tl_client_orders_near(const tl_client_orders *table, uint64_t cl_ord_id)
{
    uint32_t slot = table->places[tl_client_hash(table, cl_ord_id) & table->mask].slot;
    if (slot != 0)
        __builtin_prefetch(&table->orders[slot - 1], 1);
}

/* The OrderID of the open order with this id; 0: there is none. */
static inline uint64_t tl_client_orders_find(const tl_client_orders *table, uint64_t cl_ord_id)
{
    uint32_t hash = tl_client_hash(table, cl_ord_id);
    for (uint32_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        const tl_client_place *place = &table->places[at];
        if (place->slot == 0)
            return 0;
        const tl_client_order *order = &table->orders[place->slot - 1];
        if (place->hash == hash && order->cl_ord_id == cl_ord_id)
            return order->order_id;
    }
}

/* The id of an open order; 0: the order is not in the table, or has ended. */
static inline uint64_t tl_client_orders_id(const tl_client_orders *table, uint64_t order_id)
{
    uint32_t slot = TL_ORDER_SLOT(order_id);
    if (slot >= table->orders_max || table->orders[slot].order_id != order_id)
        return 0;
    return table->orders[slot].cl_ord_id;
}

#ifdef __cplusplus
}
#endif

#endif

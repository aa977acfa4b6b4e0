/* The open orders of OUCH sessions: by the number their client gave them, and by OrderID.
 *
 *   session, UserRefNum ─ keyed hash ─► places[ ]   8 bytes a place, at most half are taken
 *                                        │ slot, 32 bits of the hash
 *                                        ▼
 *   OrderID ─ its slot ───────────────► orders[slot]
 *
 * An order that has ended is not in it, so the table stays as small as what is open; and a place is
 * asked of memory as soon as a message is there. Eight numbers that follow one another share a
 * cache line, since clients count; where it lies is keyed at random, so that no client can choose
 * numbers that meet. Allocates at open alone.
 */
#ifndef TOUCHLINE_OUCH_ORDERS_H
#define TOUCHLINE_OUCH_ORDERS_H

#include "touchline/core/messages.h"

#include <stdbool.h>

typedef struct tl_ouch_order {
    uint64_t order_id;  /* 0: none */
    uint64_t order_ref; /* seq of the event that gave it its place: as ITCH calls it */
    uint32_t price;     /* ticks; 0: a market order's */
    uint32_t user_ref_num;
    uint32_t account;
    uint32_t leaves_qty; /* lots */
    uint32_t executed_qty;
    uint32_t firm; /* as the Firm option named it; 0: it did not */
    uint16_t session, instrument;
    uint8_t side, ord_type, time_in_force;
    char capacity;
    char cl_ord_id[14];
    uint16_t changes; /* replacements that the engine has not answered */
} tl_ouch_order;
static_assert(sizeof(tl_ouch_order) == 64, "an order is one cache line");

/* What went ahead of an order: rule 8.9. */
typedef struct tl_ouch_ahead {
    int64_t expire_ns; /* UTC; 0: none */
    uint32_t min_qty;  /* lots; 0: none */
    uint32_t expire_s; /* the same since midnight, as OUCH says it */
    bool all_or_none;
} tl_ouch_ahead;

/* What a special order has beyond that, by slot. */
typedef struct tl_ouch_special {
    uint32_t stop_price;  /* ticks */
    uint32_t display_qty; /* lots */
    uint8_t flags;        /* TL_FLAG_POST_ONLY, SLIDE, HIDDEN */
    uint8_t ord_type;     /* of what a request says; of an order it stands there */
    bool placed;          /* an event has said where it stands: rule 8.2 */
    tl_ouch_ahead ahead;
} tl_ouch_special;

typedef struct tl_ouch_place {
    uint32_t slot; /* plus one; 0: free */
    uint32_t hash;
} tl_ouch_place;

typedef struct tl_ouch_orders {
    tl_ouch_order *orders; /* by slot */
    tl_ouch_special *specials; /* likewise */
    tl_ouch_place *places;
    uint32_t orders_max, mask;
    uint64_t key;
} tl_ouch_orders;

/* 0 or -ENOMEM. */
int tl_ouch_orders_open(tl_ouch_orders *table, uint32_t orders_max, uint64_t key);
void tl_ouch_orders_close(tl_ouch_orders *table);

static inline uint32_t tl_ouch_hash(const tl_ouch_orders *table, uint32_t session,
                                    uint32_t user_ref_num)
{
    uint64_t hash = ((uint64_t)session << 32 | user_ref_num >> 3) ^ table->key;
    hash *= UINT64_C(0x9E3779B97F4A7C15);
    hash = (hash ^ hash >> 32 ^ table->key) * UINT64_C(0xD6E8FEB86659FD93);
    return ((uint32_t)(hash >> 32) & ~7u) | (user_ref_num & 7u);
}

/* Ask memory for where the order is looked for. */
static inline void tl_ouch_orders_ahead(const tl_ouch_orders *table, uint32_t session,
                                        uint32_t user_ref_num)
{
    __builtin_prefetch(&table->places[tl_ouch_hash(table, session, user_ref_num) & table->mask]);
}

/* The open order of that number; NULL: there is none. */
tl_ouch_order *tl_ouch_order_named(const tl_ouch_orders *table, uint32_t session,
                                   uint32_t user_ref_num);
/* The open order of that OrderID; NULL: it is no session's, or has ended. */
static inline tl_ouch_order *tl_ouch_order_of(const tl_ouch_orders *table, uint64_t order_id)
{
    const uint32_t slot = TL_ORDER_SLOT(order_id);
    if (slot >= table->orders_max || order_id == 0 || table->orders[slot].order_id != order_id)
        return NULL;
    return &table->orders[slot];
}

static inline tl_ouch_special *tl_ouch_special_of(const tl_ouch_orders *table,
                                                  const tl_ouch_order *order)
{
    return &table->specials[TL_ORDER_SLOT(order->order_id)];
}

/* An order is open, under its session and UserRefNum; what was in its slot has ended. NULL: the
 * slot is not below orders_max, or the number is another open order's. */
tl_ouch_order *tl_ouch_order_add(tl_ouch_orders *table, const tl_ouch_order *order);
/* It goes on under another number. False: that is another open order's. */
bool tl_ouch_order_rename(tl_ouch_orders *table, tl_ouch_order *order, uint32_t user_ref_num);
void tl_ouch_order_end(tl_ouch_orders *table, tl_ouch_order *order);

#endif

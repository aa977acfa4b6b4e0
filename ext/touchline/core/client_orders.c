/* The table of open orders by their clients' ids: how events change it. client_orders.h draws it;
 * the caller owns its memory. */
#include "touchline/core/client_orders.h"

#include <errno.h>
#include <string.h>

#define ORDERS_MOST (UINT32_C(1) << 26)
#define LINE 64u
/* Events between asking and applying: for the order's slot, then for the place it leads to. */
#define AHEAD_FAR 12u
#define AHEAD_NEAR 6u

static uint64_t places_count(uint32_t orders_max)
{
    uint64_t count = 8;
    while (count < 2 * (uint64_t)orders_max)
        count *= 2;
    return count;
}

size_t tl_client_orders_bytes(uint32_t orders_max)
{
    if (orders_max < 1 || orders_max > ORDERS_MOST)
        return 0;
    return places_count(orders_max) * sizeof(tl_client_place) +
           orders_max * sizeof(tl_client_order);
}

int tl_client_orders_open(tl_client_orders *table, void *memory, size_t bytes, uint32_t orders_max,
                          uint64_t key)
{
    size_t needed = tl_client_orders_bytes(orders_max);
    memset(table, 0, sizeof *table);
    if (needed == 0 || bytes < needed || memory == NULL || (uintptr_t)memory % LINE != 0)
        return -EINVAL;
    memset(memory, 0, needed);
    uint64_t places = places_count(orders_max);
    table->places = memory;
    table->orders = (tl_client_order *)(void *)(table->places + places);
    table->key = key;
    table->mask = (uint32_t)(places - 1);
    table->orders_max = orders_max;
    return 0;
}

/* ── places ────────────────────────────────────────────────────────────────────────────────── */

static void place_take(tl_client_orders *table, uint32_t hash, uint32_t slot)
{
    uint32_t at = hash & table->mask;
    while (table->places[at].slot != 0)
        at = (at + 1) & table->mask;
    table->places[at] = (tl_client_place){hash, slot + 1};
    table->count++;
}

/* Free a place, and move up each of those behind it that is looked for from there or before, so
 * that no search ends too soon and none passes what has gone. */
static void place_free(tl_client_orders *table, uint32_t hash, uint32_t slot)
{
    const uint32_t mask = table->mask;
    tl_client_place *places = table->places;
    uint32_t hole = hash & mask;
    while (places[hole].slot != slot + 1)
        hole = (hole + 1) & mask;
    for (uint32_t at = (hole + 1) & mask; places[at].slot != 0; at = (at + 1) & mask) {
        uint32_t from_home = (at - places[at].hash) & mask;
        uint32_t from_hole = (at - hole) & mask;
        if (from_home >= from_hole) {
            places[hole] = places[at];
            hole = at;
        }
    }
    places[hole].slot = 0;
    table->count--;
}

/* The slot has no id from now on. */
static void forget(tl_client_orders *table, uint32_t slot)
{
    tl_client_order *order = &table->orders[slot];
    if (order->cl_ord_id != 0)
        place_free(table, tl_client_hash(table, order->cl_ord_id), slot);
    *order = (tl_client_order){0, 0};
}

/* ── events ────────────────────────────────────────────────────────────────────────────────── */

/* What the slot had before has ended, or had another id. */
int tl_client_orders_put(tl_client_orders *table, const tl_client_order *order)
{
    uint32_t slot = TL_ORDER_SLOT(order->order_id);
    if (slot >= table->orders_max)
        return -ERANGE;
    uint64_t holder = tl_client_orders_find(table, order->cl_ord_id);
    if (order->cl_ord_id != 0 && holder != 0 && TL_ORDER_SLOT(holder) != slot)
        return -EEXIST;
    forget(table, slot);
    if (order->cl_ord_id == 0)
        return 0;
    table->orders[slot] = *order;
    place_take(table, tl_client_hash(table, order->cl_ord_id), slot);
    return 0;
}

static void end(tl_client_orders *table, uint64_t order_id)
{
    if (tl_client_orders_id(table, order_id) != 0)
        forget(table, TL_ORDER_SLOT(order_id));
}

/* Whatever had the slot before has ended, also when the new order's id is refused. */
static int entered(tl_client_orders *table, const tl_event *event)
{
    if (TL_ORDER_SLOT(event->order_id) >= table->orders_max)
        return -ERANGE;
    forget(table, TL_ORDER_SLOT(event->order_id));
    return tl_client_orders_put(table,
                                &(tl_client_order){event->cl_ord_id, event->order_id});
}

/* A replace without an id of its own leaves the id as it was. */
static int replaced(tl_client_orders *table, const tl_event *event)
{
    if (event->leaves_qty == 0) {
        end(table, event->order_id);
        return 0;
    }
    if (event->cl_ord_id == 0)
        return 0;
    return tl_client_orders_put(table,
                                &(tl_client_order){event->cl_ord_id, event->order_id});
}

int tl_client_orders_apply(tl_client_orders *table, const tl_event *event)
{
    switch (event->exec_type) {
    case TL_EXEC_TYPE_NEW:
        return entered(table, event);
    case TL_EXEC_TYPE_REPLACED:
        return replaced(table, event);
    case TL_EXEC_TYPE_CANCELED:
    case TL_EXEC_TYPE_EXPIRED:
        end(table, event->order_id);
        return 0;
    case TL_EXEC_TYPE_TRADE:
    case TL_EXEC_TYPE_DECREMENTED:
        if ((event->flags & TL_FLAG_MAKER_DONE) != 0)
            end(table, event->contra_order_id);
        if (event->leaves_qty == 0)
            end(table, event->order_id);
        return 0;
    default:
        return 0;
    }
}

/* ── in numbers ────────────────────────────────────────────────────────────────────────────── */

static void ask_for_slot(const tl_client_orders *table, uint64_t order_id)
{
    if (TL_ORDER_SLOT(order_id) < table->orders_max)
        __builtin_prefetch(&table->orders[TL_ORDER_SLOT(order_id)], 1);
}

static void ask_for_place_of(const tl_client_orders *table, uint64_t order_id)
{
    uint64_t id = tl_client_orders_id(table, order_id);
    if (id != 0)
        tl_client_orders_ahead(table, id);
}

/* Is its second id the maker's order, not the request? */
static bool tells_both(const tl_event *event)
{
    return event->exec_type == TL_EXEC_TYPE_TRADE || event->exec_type == TL_EXEC_TYPE_DECREMENTED;
}

static void ask_far(const tl_client_orders *table, const tl_event *event)
{
    ask_for_slot(table, event->order_id);
    if (tells_both(event))
        ask_for_slot(table, event->contra_order_id);
    else
        tl_client_orders_ahead(table, event->cl_ord_id);
}

static void ask_near(const tl_client_orders *table, const tl_event *event)
{
    if (event->exec_type != TL_EXEC_TYPE_NEW)
        ask_for_place_of(table, event->order_id);
    if (tells_both(event))
        ask_for_place_of(table, event->contra_order_id);
}

uint64_t tl_client_orders_follow(tl_client_orders *table, const tl_event_sink *sink,
                                 uint64_t first)
{
    uint64_t refused = 0;
    assert(sink->next - first <= sink->mask + 1);
    for (uint64_t i = first; i != sink->next; i++) {
        if (sink->next - i > AHEAD_FAR)
            ask_far(table, &sink->slots[(i + AHEAD_FAR) & sink->mask]);
        if (sink->next - i > AHEAD_NEAR)
            ask_near(table, &sink->slots[(i + AHEAD_NEAR) & sink->mask]);
        refused += tl_client_orders_apply(table, &sink->slots[i & sink->mask]) != 0;
    }
    return refused;
}

void tl_client_orders_find_batch(const tl_client_orders *table, const uint64_t *cl_ord_ids,
                                 uint64_t *order_ids, size_t count)
{
    for (size_t i = 0; i < count && i < AHEAD_FAR; i++)
        tl_client_orders_ahead(table, cl_ord_ids[i]);
    for (size_t i = 0; i < count; i++) {
        if (count - i > AHEAD_FAR)
            tl_client_orders_ahead(table, cl_ord_ids[i + AHEAD_FAR]);
        if (count - i > AHEAD_NEAR)
            tl_client_orders_near(table, cl_ord_ids[i + AHEAD_NEAR]);
        order_ids[i] = tl_client_orders_find(table, cl_ord_ids[i]);
    }
}

bool tl_client_orders_next(const tl_client_orders *table, uint32_t *at, tl_client_order *order)
{
    while (*at < table->orders_max) {
        *order = table->orders[(*at)++];
        if (order->cl_ord_id != 0)
            return true;
    }
    return false;
}

/* Open addressing over the slots of open orders. ouch_orders.h draws it. */
#include "touchline/wire/ouch_orders.h"

#include "touchline/wire/pages.h"

#include <errno.h>

static size_t places_bytes(const tl_ouch_orders *table)
{
    return ((size_t)table->mask + 1) * sizeof *table->places;
}

static size_t orders_bytes(const tl_ouch_orders *table)
{
    return ((size_t)table->orders_max + 1) * sizeof *table->orders;
}

static size_t specials_bytes(const tl_ouch_orders *table)
{
    return ((size_t)table->orders_max + 1) * sizeof *table->specials;
}

int tl_ouch_orders_open(tl_ouch_orders *table, uint32_t orders_max, uint64_t key)
{
    uint64_t places = 64;
    while (places < 2 * (uint64_t)orders_max)
        places *= 2;
    *table = (tl_ouch_orders){
        .orders_max = orders_max, .mask = (uint32_t)(places - 1), .key = key};
    table->places = tl_pages_open(places_bytes(table));
    table->orders = tl_pages_open(orders_bytes(table));
    table->specials = tl_pages_open(specials_bytes(table));
    if (table->places == NULL || table->orders == NULL || table->specials == NULL) {
        tl_ouch_orders_close(table);
        return -ENOMEM;
    }
    return 0;
}

void tl_ouch_orders_close(tl_ouch_orders *table)
{
    tl_pages_close(table->orders, orders_bytes(table));
    tl_pages_close(table->places, places_bytes(table));
    tl_pages_close(table->specials, specials_bytes(table));
    *table = (tl_ouch_orders){0};
}

static uint32_t hash_of(const tl_ouch_orders *table, const tl_ouch_order *order)
{
    return tl_ouch_hash(table, order->session, order->user_ref_num);
}

tl_ouch_order *tl_ouch_order_named(const tl_ouch_orders *table, uint32_t session,
                                   uint32_t user_ref_num)
{
    const uint32_t hash = tl_ouch_hash(table, session, user_ref_num);
    for (uint32_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        const tl_ouch_place *place = &table->places[at];
        if (place->slot == 0)
            return NULL;
        tl_ouch_order *order = &table->orders[place->slot - 1];
        if (place->hash == hash && order->session == session &&
            order->user_ref_num == user_ref_num)
            return order;
    }
}

static void enter(tl_ouch_orders *table, const tl_ouch_order *order)
{
    const uint32_t hash = hash_of(table, order);
    uint32_t at = hash & table->mask;
    while (table->places[at].slot != 0)
        at = (at + 1) & table->mask;
    table->places[at] =
        (tl_ouch_place){.slot = TL_ORDER_SLOT(order->order_id) + 1, .hash = hash};
}

/* Its place is free again; those behind it that can not be found over a gap move up. */
static void leave(tl_ouch_orders *table, const tl_ouch_order *order)
{
    const uint32_t slot = TL_ORDER_SLOT(order->order_id) + 1;
    uint32_t gap = hash_of(table, order) & table->mask;
    while (table->places[gap].slot != slot)
        gap = (gap + 1) & table->mask;
    for (uint32_t at = (gap + 1) & table->mask; table->places[at].slot != 0;
         at = (at + 1) & table->mask) {
        const uint32_t home = table->places[at].hash & table->mask;
        if (((at - home) & table->mask) < ((at - gap) & table->mask))
            continue;
        table->places[gap] = table->places[at];
        gap = at;
    }
    table->places[gap].slot = 0;
}

tl_ouch_order *tl_ouch_order_add(tl_ouch_orders *table, const tl_ouch_order *order)
{
    const uint32_t slot = TL_ORDER_SLOT(order->order_id);
    if (slot >= table->orders_max || order->order_id == 0 ||
        tl_ouch_order_named(table, order->session, order->user_ref_num) != NULL)
        return NULL;
    tl_ouch_order *place = &table->orders[slot];
    if (place->order_id != 0)
        tl_ouch_order_end(table, place);
    *place = *order;
    enter(table, place);
    return place;
}

bool tl_ouch_order_rename(tl_ouch_orders *table, tl_ouch_order *order, uint32_t user_ref_num)
{
    if (tl_ouch_order_named(table, order->session, user_ref_num) != NULL)
        return false;
    leave(table, order);
    order->user_ref_num = user_ref_num;
    enter(table, order);
    return true;
}

void tl_ouch_order_end(tl_ouch_orders *table, tl_ouch_order *order)
{
    leave(table, order);
    order->order_id = 0;
}

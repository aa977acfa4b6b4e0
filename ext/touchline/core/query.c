/* What an engine's state is, for whoever asks between two commands. Nothing here changes it. What
 * is not there (an instrument not listed, a side that is none, a price nobody is at, an order that
 * is not open) has price, quantity and count 0; lists of orders are in list.c. */
#include "touchline/core/state.h"

#include <string.h>

const tl_engine_capacities *tl_engine_get_capacities(const tl_engine *engine)
{
    return &engine->state->capacities;
}

uint64_t tl_engine_event_seq(const tl_engine *engine)
{
    return engine->state->event_seq;
}

int64_t tl_engine_next_expiry(const tl_engine *engine)
{
    return engine->state->expiries != 0 ? engine->expiries[0].expire_ns : INT64_MAX;
}

uint8_t tl_engine_trading_status(const tl_engine *engine, uint16_t instrument)
{
    const tl_instrument *listed = tl_listed(engine, instrument);
    return listed == NULL ? 0 : listed->trading_status;
}

uint32_t tl_engine_orders_open(const tl_engine *engine)
{
    return engine->shelf.pools->orders_open;
}

uint64_t tl_sink_slots_of(const tl_engine_capacities *capacities)
{
    const uint32_t orders_max = capacities->orders_max;
    const uint64_t longest = /* orders_max of them open and collected */
        (uint64_t)orders_max * 2 + tl_chain_max(orders_max) + TL_CHAIN_ORDER_MAX +
        TL_EVENTS_OWN_MAX;
    uint64_t slots = 1;
    while (slots < longest)
        slots *= 2;
    return slots;
}

uint64_t tl_engine_sink_slots(const tl_engine *engine)
{
    return tl_sink_slots_of(&engine->state->capacities);
}

int64_t tl_engine_best(const tl_engine *engine, uint16_t instrument, uint8_t side)
{
    const tl_book *book = tl_book_asked(engine, instrument, side);
    return book == NULL ? 0 : tl_book_best_price(book, tl_side_index(side));
}

uint32_t tl_engine_depth(const tl_engine *engine, uint16_t instrument, uint8_t side,
                         tl_level_view *views, uint32_t views_max)
{
    const tl_book *book = tl_book_asked(engine, instrument, side);
    return book == NULL ? 0 : tl_book_depth(&engine->shelf, book, side, views, views_max);
}

/* ── one level, one order ──────────────────────────────────────────────────────────────────── */

uint32_t tl_engine_level(const tl_engine *engine, uint16_t instrument, uint8_t side, int64_t price,
                         tl_level_view *view)
{
    const tl_book *book = tl_book_asked(engine, instrument, side);
    memset(view, 0, sizeof *view);
    view->price = price;
    if (book == NULL || price < 1 || price > TL_PRICE_MAX)
        return 0;
    const tl_shelf *shelf = &engine->shelf;
    uint32_t level = tl_book_level_find(shelf, book, (uint32_t)price);
    if (level == TL_NONE || shelf->orders[tl_level_head(shelf, level)].side != side)
        return 0;
    view->qty = tl_level_qty(shelf, level);
    view->orders = tl_level_orders(shelf, level);
    return view->orders;
}

int tl_engine_order(const tl_engine *engine, uint64_t order_id, tl_order_view *view)
{
    uint32_t slot = tl_order_find(&engine->shelf, order_id);
    memset(view, 0, sizeof *view);
    if (slot == TL_NONE)
        return 0;
    *view = tl_order_seen(engine, slot);
    return 1;
}

/* Towards both ends of the queue at once, so that the shorter way decides what it costs; who comes
 * first to the youngest knows the rest from the level. */
int tl_engine_ahead(const tl_engine *engine, uint64_t order_id, tl_level_view *ahead)
{
    const tl_shelf *shelf = &engine->shelf;
    uint32_t slot = tl_order_find(shelf, order_id);
    memset(ahead, 0, sizeof *ahead);
    if (slot == TL_NONE)
        return 0;
    const tl_order *orders = shelf->orders;
    const tl_order *own = &orders[slot];
    uint64_t qty[2] = {0, 0};
    uint32_t steps = 0;
    uint32_t older = own->prev;
    uint32_t younger = own->next;
    for (; older != TL_NONE && younger != TL_NONE; steps++) {
        qty[0] += orders[older].leaves_qty;
        qty[1] += orders[younger].leaves_qty;
        older = orders[older].prev;
        younger = orders[younger].next;
    }
    ahead->price = own->price;
    ahead->qty = qty[0];
    ahead->orders = steps;
    if (older != TL_NONE) {
        ahead->qty = tl_level_qty(shelf, own->level) - own->leaves_qty - qty[1];
        ahead->orders = tl_level_orders(shelf, own->level) - 1 - steps;
    }
    return 1;
}

void tl_engine_position(const tl_engine *engine, uint32_t account, uint16_t instrument,
                        int64_t out[3])
{
    const tl_position *position = tl_position_find(&engine->positions, account, instrument);
    out[0] = position == NULL ? 0 : position->net;
    out[1] = position == NULL ? 0 : position->open[0];
    out[2] = position == NULL ? 0 : position->open[1];
}

/* What an engine's state is, for whoever asks between two commands. Nothing here changes it. */
#include "touchline/core/state.h"

const tl_engine_capacities *tl_engine_get_capacities(const tl_engine *engine)
{
    return &engine->state->capacities;
}

uint64_t tl_engine_event_seq(const tl_engine *engine)
{
    return engine->state->event_seq;
}

uint32_t tl_engine_orders_open(const tl_engine *engine)
{
    return engine->shelf.pools->orders_open;
}

int64_t tl_engine_best(const tl_engine *engine, uint16_t instrument, uint8_t side)
{
    if (tl_listed(engine, instrument) == NULL)
        return 0;
    return tl_book_best_price(&engine->shelf.books[instrument], tl_side_index(side));
}

uint32_t tl_engine_depth(const tl_engine *engine, uint16_t instrument, uint8_t side,
                         tl_level_view *views, uint32_t views_max)
{
    if (tl_listed(engine, instrument) == NULL)
        return 0;
    return tl_book_depth(&engine->shelf, &engine->shelf.books[instrument], side, views, views_max);
}

uint32_t tl_engine_orders(const tl_engine *engine, uint16_t instrument, uint8_t side,
                          tl_order_view *views, uint32_t views_max)
{
    const tl_shelf *shelf = &engine->shelf;
    uint32_t count = 0;
    if (tl_listed(engine, instrument) == NULL)
        return 0;
    const tl_book *book = &shelf->books[instrument];
    uint32_t level = book->best[tl_side_index(side)].level;
    while (level != TL_NONE) {
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE && count < views_max;
             slot = shelf->orders[slot].next) {
            const tl_order *order = &shelf->orders[slot];
            views[count++] =
                (tl_order_view){.order_id = tl_order_id(shelf, slot),
                                .price = order->price,
                                .leaves_qty = order->leaves_qty,
                                .order_qty = shelf->cold[slot].order_qty,
                                .account = engine->positions.entries[order->position].account,
                                .instrument = order->instrument,
                                .side = order->side,
                                .time_in_force = order->time_in_force};
        }
        level = tl_book_worse_level(shelf, side, level);
    }
    return count;
}

void tl_engine_position(const tl_engine *engine, uint32_t account, uint16_t instrument,
                        int64_t out[3])
{
    const tl_position *position = tl_position_find(&engine->positions, account, instrument);
    out[0] = position == NULL ? 0 : position->net;
    out[1] = position == NULL ? 0 : position->open[0];
    out[2] = position == NULL ? 0 : position->open[1];
}

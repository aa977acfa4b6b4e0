/* Orders onto the mirror's levels and off them, each change a row for whoever is told. */
#include "touchline/marketdata/mirror_state.h"

static uint64_t best_qty(const tl_mirror *mirror, const tl_best *best)
{
    return best->level == TL_NONE ? 0 : tl_level_qty(&mirror->shelf, best->level);
}

static uint32_t best_orders(const tl_mirror *mirror, const tl_best *best)
{
    return best->level == TL_NONE ? 0 : tl_level_orders(&mirror->shelf, best->level);
}

void tl_mirror_touch(const tl_mirror *mirror, uint16_t instrument, tl_published_bbo *bbo)
{
    const tl_book *book = &mirror->shelf.books[instrument];
    bbo->bid_price = tl_book_best_price(book, 0);
    bbo->ask_price = tl_book_best_price(book, 1);
    bbo->bid_qty = best_qty(mirror, &book->best[0]);
    bbo->ask_qty = best_qty(mirror, &book->best[1]);
    bbo->bid_orders = best_orders(mirror, &book->best[0]);
    bbo->ask_orders = best_orders(mirror, &book->best[1]);
}

static tl_book *book_of(tl_mirror *mirror, const tl_order *order)
{
    return &mirror->shelf.books[order->instrument];
}

static void add_depth(tl_mirror *mirror, const tl_event *event, const tl_order *order,
                      uint64_t qty, uint32_t orders)
{
    tl_published_depth *row =
        tl_mirror_add_row(mirror, order->instrument, TL_PUBLISHED_DEPTH, event);
    row->price = order->price;
    row->qty = qty;
    row->orders = orders;
    row->side = order->side;
}

/* An order's side and price are set, and it rests. Is its level the best? */
bool tl_mirror_rest(tl_mirror *mirror, const tl_event *event, uint32_t slot)
{
    tl_order *order = &mirror->shelf.orders[slot];
    tl_book *book = book_of(mirror, order);
    unsigned side_index = tl_side_index(order->side);
    tl_book_append(&mirror->shelf, book, slot);
    uint32_t level = order->level;
    if (tl_order_alone(order))
        mirror->instruments[order->instrument].levels[side_index]++;
    add_depth(mirror, event, order, tl_level_qty(&mirror->shelf, level),
              tl_level_orders(&mirror->shelf, level));
    return book->best[side_index].level == level;
}

/* An order leaves its level. Was its level the best? */
bool tl_mirror_leave(tl_mirror *mirror, const tl_event *event, uint32_t slot)
{
    tl_order *order = &mirror->shelf.orders[slot];
    tl_book *book = book_of(mirror, order);
    unsigned side_index = tl_side_index(order->side);
    uint32_t level = order->level;
    bool touched = book->best[side_index].level == level;
    bool alone = tl_order_alone(order);
    tl_book_remove(&mirror->shelf, book, slot);
    if (alone)
        mirror->instruments[order->instrument].levels[side_index]--;
    uint64_t qty = alone ? 0 : tl_level_qty(&mirror->shelf, level);
    add_depth(mirror, event, order, qty, alone ? 0 : tl_level_orders(&mirror->shelf, level));
    return touched;
}

/* An order gets smaller and stays where it is. Is its level the best? */
bool tl_mirror_shrink(tl_mirror *mirror, const tl_event *event, uint32_t slot, uint32_t qty)
{
    tl_order *order = &mirror->shelf.orders[slot];
    uint32_t level = order->level;
    tl_book_reduce(&mirror->shelf, slot, qty);
    add_depth(mirror, event, order, tl_level_qty(&mirror->shelf, level),
              tl_level_orders(&mirror->shelf, level));
    return book_of(mirror, order)->best[tl_side_index(order->side)].level == level;
}

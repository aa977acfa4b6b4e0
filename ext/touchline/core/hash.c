/* The state hash: section 7 of docs/rules.md. */
#include "touchline/core/state.h"

static uint64_t hash_other(const tl_engine *engine, uint32_t slot_from_1, uint64_t hash)
{
    uint64_t order_id = slot_from_1 != 0 ? tl_order_id(&engine->shelf, slot_from_1 - 1) : 0;
    return tl_mix(hash, order_id);
}

static uint64_t hash_terms(const tl_engine *engine, uint32_t slot, uint64_t hash)
{
    const tl_special *terms = &engine->shelf.special[slot];
    uint64_t flags = terms->flags & TL_SPECIAL_FLAGS;
    uint64_t apart = terms->flags & ~TL_SPECIAL_FLAGS, linked = terms->linked;
    hash = tl_mix(hash, terms->ord_type | flags << 8 | apart << 16 | linked << 24 |
                            (uint64_t)terms->trail << 32);
    hash = tl_mix(hash, terms->stop_price);
    hash = tl_mix(hash, terms->display_qty);
    hash = tl_mix(hash, (uint64_t)tl_expire_ns(engine, terms));
    hash = tl_mix(hash, tl_order_seen(engine, slot).shown_qty);
    if (linked == 0)
        return hash;
    hash = hash_other(engine, engine->shelf.links[slot].partner, hash);
    hash = hash_other(engine, engine->shelf.links[slot].parent, hash);
    return hash_other(engine, engine->shelf.links[slot].child, hash);
}

static uint64_t hash_side(const tl_engine *engine, const tl_book *book, uint8_t side, uint64_t hash)
{
    const tl_shelf *shelf = &engine->shelf;
    uint32_t level = book->best[tl_side_index(side)].level;
    while (level != TL_NONE) {
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE;
             slot = shelf->orders[slot].next) {
            const tl_order *order = &shelf->orders[slot];
            hash = tl_mix(hash, tl_order_id(shelf, slot));
            hash = tl_mix(hash, order->price);
            hash = tl_mix(hash, tl_order_leaves(shelf, slot));
            hash = tl_mix(hash, shelf->cold[slot].order_qty);
            hash = tl_mix(hash, engine->positions.entries[order->position].account);
            hash = tl_mix(hash, tl_order_time_in_force(order));
            if (tl_order_is_special(order))
                hash = hash_terms(engine, slot, hash);
        }
        level = tl_book_worse_level(shelf, side, level);
    }
    return tl_mix(hash, 0);
}

/* What rests unseen, then what waits for a stop price, first to be met first, what is collected,
 * what waits for the closing auction, what is held for another order and what trails. */
static uint64_t hash_unseen(const tl_engine *engine, uint32_t instrument, uint64_t hash)
{
    const tl_book *books = &engine->shelf.unseen[(size_t)instrument * TL_UNSEEN_BOOKS];
    hash = hash_side(engine, &books[TL_UNSEEN_HIDDEN], TL_SIDE_BUY, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_HIDDEN], TL_SIDE_SELL, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_STOP_BUY], TL_SIDE_SELL, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_STOP_SELL], TL_SIDE_BUY, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_TOUCH_BUY], TL_SIDE_BUY, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_TOUCH_SELL], TL_SIDE_SELL, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_ALL_OR_NONE_BUY], TL_SIDE_BUY, hash);
    hash = hash_side(engine, &books[TL_UNSEEN_ALL_OR_NONE_SELL], TL_SIDE_SELL, hash);
    for (unsigned which = TL_UNSEEN_CALL_BUY; which < TL_UNSEEN_BOOKS; which++)
        hash = hash_side(engine, &books[which], TL_SIDE_SELL, hash);
    return hash;
}

/* Where trades are shared out: the steps, and who has priority. */
static uint64_t hash_allocation(const tl_engine *engine, uint32_t instrument, uint64_t hash)
{
    const tl_allocation *allocation = &engine->risk.allocations[instrument];
    for (uint32_t i = 0; i < allocation->count; i++) {
        const tl_allocation_step *step = &allocation->steps[i];
        hash = tl_mix(hash, step->kind);
        hash = tl_mix(hash, step->account);
        hash = tl_mix(hash, step->least);
        hash = tl_mix(hash, step->amount);
    }
    for (unsigned side = 0; side < 2; side++) {
        bool open = tl_order_find(&engine->shelf, allocation->top[side]) != TL_NONE;
        hash = tl_mix(hash, open ? allocation->top[side] : 0);
    }
    return hash;
}

static uint64_t hash_instruments(const tl_engine *engine, uint64_t hash)
{
    for (uint32_t i = 0; i < engine->risk.counts->instruments_max; i++) {
        const tl_instrument *instrument = tl_listed(engine, i);
        if (instrument == NULL)
            continue;
        hash = tl_mix(hash, i);
        hash = tl_mix(hash, instrument->trading_status);
        hash = tl_mix(hash, (uint64_t)instrument->price_min);
        hash = tl_mix(hash, (uint64_t)instrument->price_max);
        hash = tl_mix(hash, (uint64_t)instrument->qty_max);
        hash = tl_mix(hash, (uint64_t)instrument->price_collar);
        hash = tl_mix(hash, (uint64_t)instrument->reference_price);
        if (instrument->ends_ns != 0)
            hash = tl_mix(hash, (uint64_t)instrument->ends_ns);
        hash = hash_side(engine, &engine->shelf.books[i], TL_SIDE_BUY, hash);
        hash = hash_side(engine, &engine->shelf.books[i], TL_SIDE_SELL, hash);
        if (instrument->specials != 0)
            hash = hash_unseen(engine, i, hash);
        if (instrument->allocated != 0)
            hash = hash_allocation(engine, i, hash);
    }
    return hash;
}

/* A sum, because the table's order is no part of the state. */
static uint64_t hash_positions(const tl_engine *engine)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < engine->positions.counts->positions_used; i++) {
        const tl_position *position = &engine->positions.entries[i];
        uint64_t hash = tl_mix(0, position->account);
        hash = tl_mix(hash, position->instrument);
        hash = tl_mix(hash, (uint64_t)position->net);
        hash = tl_mix(hash, (uint64_t)position->open[0]);
        hash = tl_mix(hash, (uint64_t)position->open[1]);
        hash = tl_mix(hash, (uint64_t)position->order_qty_max);
        hash = tl_mix(hash, (uint64_t)position->order_value_max);
        hash = tl_mix(hash, (uint64_t)position->position_max);
        sum += hash;
    }
    return sum;
}

/* Of the lanes that have sent any, the terms that the next order may take, and whom it may name. */
static uint64_t hash_more(const tl_engine *engine, uint64_t hash)
{
    for (uint32_t lane = 0; lane < TL_TEXT_LANES; lane++) {
        const tl_sent_terms *more = &engine->state->more[lane];
        if (more->cl_ord_id == 0 && more->expire_ns == 0 && more->min_qty == 0 &&
            more->flags == 0 && more->cl_ord_link_id == 0 && more->contingency == 0 &&
            more->trail == 0)
            continue;
        hash = tl_mix(hash, lane);
        hash = tl_mix(hash, more->cl_ord_id);
        hash = tl_mix(hash, (uint64_t)more->expire_ns);
        hash = tl_mix(hash, more->min_qty | (uint64_t)more->flags << 32 |
                                (uint64_t)more->contingency << 40);
        hash = tl_mix(tl_mix(hash, more->cl_ord_link_id), more->trail);
    }
    for (uint32_t lane = 0; lane < TL_TEXT_LANES; lane++) {
        const tl_last_linked *last = &engine->state->last_linked[lane];
        if (last->linked == 0)
            continue;
        hash = tl_mix(tl_mix(tl_mix(hash, lane), last->cl_ord_id), last->order_id);
        hash = tl_mix(hash, last->filled);
    }
    return hash;
}

uint64_t tl_engine_hash(const tl_engine *engine)
{
    uint64_t hash = UINT64_C(0x746F7563686C696E);
    hash = tl_mix(hash, engine->state->event_seq);
    hash = tl_mix(hash, engine->risk.counts->venue_status);
    hash = hash_instruments(engine, hash);
    for (uint32_t i = 0; i < engine->risk.counts->accounts_max; i++) {
        const tl_account *account = tl_opened(engine, i);
        if (account == NULL)
            continue;
        hash = tl_mix(tl_mix(hash, i), account->entry_status);
        if (account->self_trade != 0 || account->group != 0)
            hash = tl_mix(tl_mix(hash, account->self_trade), account->group);
    }
    hash = tl_mix(hash, hash_positions(engine));
    hash = tl_mix(hash, engine->shelf.pools->orders_used);
    for (uint32_t slot = engine->shelf.pools->order_free; slot != TL_NONE;
         slot = engine->shelf.orders[slot].next)
        hash = tl_mix(tl_mix(hash, slot), engine->shelf.orders[slot].generation);
    return hash_more(engine, hash);
}

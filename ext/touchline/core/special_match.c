/* How an order meets the book of an instrument that has special orders.
 * Section 3 of docs/rules.md with what section 8 adds.
 *
 *   tl_meet ─► too little there to fill or kill? ──yes──► canceled
 *                │no
 *              look at the next maker, shown or hidden, again and again while it crosses:
 *                its own account's or group's? selftrade.c ends the one, the other or both
 *                else they trade, and an iceberg shows its next part
 *                │
 *              nothing left ─► ends;  may rest ─► rests, RESTATED;  else ─► canceled
 */
#include "touchline/core/allocation.h"
#include "touchline/core/expiry.h"
#include "touchline/core/linked.h"
#include "touchline/core/phases.h"
#include "touchline/core/selftrade.h"

/* ── standing and leaving ──────────────────────────────────────────────────────────────────── */

tl_event *tl_special_event_begin(const tl_meeting *m, uint8_t exec_type, uint32_t slot)
{
    const tl_special *terms = &m->s->shelf->special[slot];
    tl_event *event = tl_order_event_begin(m->s, exec_type, slot);
    if (slot != m->own)
        event->cl_ord_id = 0;
    if (terms->flags != 0)
        event->ord_type = terms->ord_type;
    event->flags = terms->flags & TL_SPECIAL_FLAGS;
    event->time_in_force = tl_order_time_in_force(&m->s->shelf->orders[slot]);
    return event;
}

/* How much of what an order has left the book shows or, of a hidden one, has to trade with. */
static uint32_t part_to_stand(const tl_special *terms, uint32_t leaves_qty)
{
    bool whole = terms->display_qty == 0 || tl_is_apart(terms);
    return whole || leaves_qty < terms->display_qty ? leaves_qty : terms->display_qty;
}

/* At the back of its queue, a part of it where it is an iceberg; positions stay as they are. */
static void enqueue(const tl_step *s, uint32_t slot, uint32_t leaves_qty)
{
    tl_order *order = &s->shelf->orders[slot];
    tl_special *terms = &s->shelf->special[slot];
    tl_place place = tl_place_of(s->shelf, slot);
    order->leaves_qty = part_to_stand(terms, leaves_qty);
    if (terms->flags != 0)
        terms->reserve = leaves_qty - order->leaves_qty;
    tl_book_append_at(s->shelf, place.book, slot, place.side_index, place.price);
}

void tl_stand(const tl_step *s, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    unsigned side_index = tl_side_index(order->side);
    uint32_t best = s->shelf->books[order->instrument].best[side_index].key;
    tl_position_rested(tl_owner(s, order), side_index, order->leaves_qty);
    enqueue(s, slot, order->leaves_qty);
    const tl_special *terms = &s->shelf->special[slot];
    bool unseen = (terms->flags & TL_FLAG_HIDDEN) != 0 || tl_is_apart(terms);
    if (tl_is_allocated(s, order->instrument) && !unseen)
        tl_allocation_stands(s, slot, best);
}

void tl_step_aside(const tl_step *s, uint32_t slot)
{
    tl_order *order = &s->shelf->orders[slot];
    tl_special *terms = &s->shelf->special[slot];
    tl_place place = tl_place_of(s->shelf, slot);
    tl_book_remove_at(s->shelf, place.book, slot, place.side_index);
    if (terms->flags != 0) {
        order->leaves_qty += terms->reserve;
        terms->reserve = 0;
    }
    tl_position_left(tl_owner(s, order), tl_side_index(order->side), order->leaves_qty);
}

uint8_t tl_chain_of(const tl_special *terms, uint32_t order_qty)
{
    bool stop = terms->stop_price != 0, child = (terms->linked & TL_LINK_CHILD) != 0;
    uint32_t chain = (terms->flags & TL_ALL_OR_NONE) != 0;
    if (stop || child)
        chain = 2 + (uint32_t)stop + child;
    if (child || tl_link_updates(terms->linked))
        chain += 2;
    if (terms->display_qty != 0)
        chain += 2 * ((order_qty - 1) / terms->display_qty);
    return (uint8_t)chain;
}

void tl_special_set(const tl_step *s, uint32_t slot, const tl_special *terms)
{
    tl_special *now = &s->shelf->special[slot];
    tl_order *order = &s->shelf->orders[slot];
    tl_instrument *instrument = &s->engine->risk.instruments[order->instrument];
    uint32_t collected = (uint32_t)((terms->flags & TL_COLLECTED) != 0) -
                         (uint32_t)((now->flags & TL_COLLECTED) != 0);
    instrument->specials += (uint32_t)(terms->flags != 0) - (uint32_t)(now->flags != 0);
    tl_gate_set(instrument);
    if (((terms->flags ^ now->flags) & TL_ALL_OR_NONE) != 0)
        instrument->wholes = (uint8_t)((terms->flags & TL_ALL_OR_NONE) != 0
                                           ? instrument->wholes + 1
                                           : instrument->wholes - 1);
    order->time_in_force = (uint8_t)(tl_order_time_in_force(order) |
                                     (terms->flags != 0 ? TL_ORDER_SPECIAL : 0));
    s->engine->state->chain += (uint32_t)terms->chain - (uint32_t)now->chain + collected;
    s->engine->state->collected += collected;
    *now = *terms;
}

void tl_special_end_alone(const tl_step *s, uint32_t slot)
{
    if (s->shelf->special[slot].expiry != 0)
        tl_expiry_drop(s->engine, slot);
    if (s->shelf->special[slot].trail != 0)
        s->engine->risk.instruments[s->shelf->orders[slot].instrument].trailing--;
    if (s->shelf->special[slot].flags != 0)
        tl_special_set(s, slot, &(tl_special){0});
    tl_order_give_back(s->shelf, slot);
}

void tl_special_end(const tl_step *s, uint32_t slot)
{
    if (s->shelf->special[slot].linked != 0)
        tl_link_end(s, slot);
    else
        tl_special_end_alone(s, slot);
}

static void take_off(const tl_meeting *m, uint32_t slot, uint8_t exec_type, uint8_t reason,
                     uint8_t ord_type)
{
    tl_event *event = tl_special_event_begin(m, exec_type, slot);
    event->qty = m->s->shelf->orders[slot].leaves_qty;
    event->reason = reason;
    event->ord_type = ord_type;
    tl_event_publish(m->s, event);
    tl_special_end(m->s, slot);
}

void tl_special_cancel(const tl_meeting *m, uint32_t slot, uint8_t reason, uint8_t ord_type)
{
    take_off(m, slot, TL_EXEC_TYPE_CANCELED, reason, ord_type);
}

void tl_special_take_off(const tl_meeting *m, uint32_t slot, uint8_t exec_type, uint8_t reason)
{
    const tl_special *terms = &m->s->shelf->special[slot];
    take_off(m, slot, exec_type, reason,
             terms->flags != 0 ? terms->ord_type : (uint8_t)TL_ORD_TYPE_LIMIT);
}

void tl_restated(const tl_meeting *m, uint32_t slot)
{
    tl_event *event = tl_special_event_begin(m, TL_EXEC_TYPE_RESTATED, slot);
    event->qty = m->s->shelf->orders[slot].leaves_qty;
    event->leaves_qty = tl_order_leaves(m->s->shelf, slot);
    tl_event_publish(m->s, event);
}

/* ── trades ────────────────────────────────────────────────────────────────────────────────── */

static void note_price(tl_meeting *m, uint32_t price)
{
    m->low = m->traded && m->low < price ? m->low : price;
    m->high = m->traded && m->high > price ? m->high : price;
    m->first = m->traded ? m->first : price;
    m->last = price;
    m->traded = true;
}

/* What a trade has left of the maker: less of it, its next part, or nothing. Rule 8.4. */
static void maker_after(const tl_meeting *m, uint32_t slot, uint32_t qty)
{
    const tl_step *s = m->s;
    tl_order *maker = &s->shelf->orders[slot];
    uint32_t reserve = s->shelf->special[slot].reserve;
    if (qty < maker->leaves_qty) {
        tl_rest_less(s, slot, qty);
        return;
    }
    if (reserve == 0) {
        tl_step_aside(s, slot);
        maker->leaves_qty = 0;
        tl_special_end(s, slot);
        return;
    }
    tl_place place = tl_place_of(s->shelf, slot);
    tl_position_left(tl_owner(s, maker), place.side_index, qty);
    tl_book_remove_at(s->shelf, place.book, slot, place.side_index);
    enqueue(s, slot, reserve);
    if (tl_is_allocated(s, maker->instrument))
        tl_allocation_stands(s, slot, 0);
    tl_restated(m, slot);
}

/* So many lots less of both, told in one event. */
static void take(tl_meeting *m, uint32_t slot, uint32_t maker_slot, uint8_t exec_type,
                 uint8_t ord_type, uint32_t qty)
{
    const tl_step *s = m->s;
    tl_order *taker = &s->shelf->orders[slot];
    const tl_order *maker = &s->shelf->orders[maker_slot];
    const tl_special *terms = &s->shelf->special[maker_slot];
    bool done = qty == maker->leaves_qty && terms->reserve == 0;
    uint32_t partner = TL_NONE;
    if ((terms->linked | s->shelf->special[slot].linked) != 0 &&
        exec_type == TL_EXEC_TYPE_TRADE) {
        partner = tl_link_traded(s->shelf, maker_slot, qty);
        tl_link_traded(s->shelf, slot, qty);
    }
    taker->leaves_qty -= qty;
    const tl_trade trade = {
        .taker = slot,
        .maker = maker_slot,
        .qty = qty,
        .leaves_qty = taker->leaves_qty,
        .ord_type = ord_type,
        .flags = (uint8_t)((done ? TL_FLAG_MAKER_DONE : 0) | (terms->flags & TL_FLAG_HIDDEN))};
    tl_event *event = tl_trade_begin(s, &trade);
    event->exec_type = exec_type;
    event->reason =
        exec_type == TL_EXEC_TYPE_TRADE ? TL_REASON_NONE : (uint8_t)TL_REASON_SELF_TRADE;
    event->time_in_force = tl_order_time_in_force(taker);
    tl_event_publish(s, event);
    if (exec_type == TL_EXEC_TYPE_TRADE) {
        tl_trade_positions(s, &trade);
        s->engine->risk.instruments[maker->instrument].reference_price = maker->price;
        note_price(m, maker->price);
    }
    maker_after(m, maker_slot, qty);
    if (partner != TL_NONE)
        tl_link_settle(m, partner);
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

/* Rules 3.1, 3.2, 3.7 and 8.5. */
static void trade_once(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type)
{
    const tl_order *orders = m->s->shelf->orders;
    take(m, slot, maker, TL_EXEC_TYPE_TRADE, ord_type,
         smaller(orders[slot].leaves_qty, orders[maker].leaves_qty));
}

void tl_trade_with(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type, uint32_t qty)
{
    take(m, slot, maker, TL_EXEC_TYPE_TRADE, ord_type, qty);
}

/* Rule 10.5: what is gone of an order was never its own, nor what it would have chained. */
static void order_less(const tl_step *s, uint32_t slot, uint32_t qty)
{
    tl_special terms = s->shelf->special[slot];
    uint32_t *order_qty = &s->shelf->cold[slot].order_qty;
    *order_qty -= qty;
    if (terms.flags == 0 || *order_qty == 0)
        return;
    terms.chain = tl_chain_of(&terms, *order_qty);
    tl_special_set(s, slot, &terms);
}

void tl_decrement(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type)
{
    const tl_order *orders = m->s->shelf->orders;
    uint32_t qty = smaller(orders[slot].leaves_qty, orders[maker].leaves_qty);
    order_less(m->s, slot, qty);
    order_less(m->s, maker, qty);
    take(m, slot, maker, TL_EXEC_TYPE_DECREMENTED, ord_type, qty);
}

/* ── meeting the book ──────────────────────────────────────────────────────────────────────── */

/* Rules 3.4 and 8.6: who was not sure of a place when it came may find none. */
static void rest_or_end(const tl_meeting *m, uint32_t slot)
{
    tl_place place = tl_place_of(m->s->shelf, slot);
    if (!tl_book_has_room(m->s->shelf, place.book, place.price)) {
        tl_special_take_off(m, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_LEVELS_FULL);
        return;
    }
    tl_stand(m->s, slot);
    if ((m->s->shelf->special[slot].flags & TL_FLAG_HIDDEN) == 0)
        tl_restated(m, slot);
}

/* Rule 8.6: its limit is the best price there is, when that is within its protection. */
static uint32_t limit_of(const tl_shelf *shelf, tl_order *taker, unsigned makers,
                         const tl_terms *terms)
{
    uint32_t limit = tl_key(makers, terms->price);
    if (terms->ord_type != TL_ORD_TYPE_MARKET_TO_LIMIT || taker->price != 0)
        return limit;
    uint32_t best = tl_next_maker(shelf, taker->instrument, makers, limit, taker->leaves_qty);
    if (best == TL_NONE)
        return limit;
    taker->price = shelf->orders[best].price;
    return tl_key(makers, taker->price);
}

/* How much of it has to trade at once, if any does; 0: that is all one. Rules 3.5, 8.11, 8.12. */
static uint32_t needed_at_once(const tl_meeting *m, uint32_t slot, const tl_terms *terms)
{
    bool whole = terms->time_in_force == TL_TIME_IN_FORCE_FOK ||
                 (m->s->shelf->special[slot].flags & TL_ALL_OR_NONE) != 0;
    if (whole)
        return m->s->shelf->orders[slot].leaves_qty;
    return slot == m->own ? m->min_qty : 0;
}

/* That is not there: who may wait for it does. */
static void not_at_once(const tl_meeting *m, uint32_t slot, const tl_terms *terms)
{
    if ((m->s->shelf->special[slot].flags & TL_ALL_OR_NONE) != 0) {
        rest_or_end(m, slot);
        return;
    }
    bool fok = terms->time_in_force == TL_TIME_IN_FORCE_FOK;
    take_off(m, slot, TL_EXEC_TYPE_CANCELED, fok ? TL_REASON_FOK_UNFILLED : TL_REASON_MIN_QTY,
             terms->ord_type);
}

static void meet(tl_meeting *m, uint32_t slot, const tl_terms *terms, uint32_t partner)
{
    const tl_shelf *shelf = m->s->shelf;
    tl_order *order = &shelf->orders[slot];
    unsigned makers = !tl_side_index(order->side);
    const tl_instrument *instrument = &m->s->engine->risk.instruments[order->instrument];
    bool wholes = instrument->wholes != 0 &&
                  instrument->trading_status == TL_TRADING_STATUS_READY_TO_TRADE &&
                  (shelf->special[slot].flags & TL_FLAG_POST_ONLY) == 0;
    uint32_t limit = limit_of(shelf, order, makers, terms);
    uint32_t needed = needed_at_once(m, slot, terms);
    uint32_t maker;
    tl_self_trader own = tl_self_trader_of(m->s, slot);
    if (needed > 0 && tl_available(m->s, slot, limit, &own) < needed) {
        not_at_once(m, slot, terms);
        return;
    }
    while (order->leaves_qty > 0 &&
           (maker = tl_next_maker(shelf, order->instrument, makers, limit,
                                  wholes ? order->leaves_qty : 0)) != TL_NONE) {
        if (maker == partner) {
            tl_link_part(m, maker);
            continue;
        }
        bool shared = tl_is_allocated(m->s, order->instrument) &&
                      (shelf->special[maker].flags & TL_FLAG_HIDDEN) == 0;
        if (shared)
            maker = tl_first_to_meet(m->s, &own, maker);
        if (!tl_is_self_trade(m->s, &own, maker) && shared)
            tl_allocate(m, slot, maker, terms->ord_type);
        else if (!tl_is_self_trade(m->s, &own, maker))
            trade_once(m, slot, maker, terms->ord_type);
        else if (!tl_self_trade_prevented(m, slot, maker, &own, terms->ord_type))
            return;
    }
    if (order->leaves_qty == 0)
        tl_special_end(m->s, slot);
    else if (terms->time_in_force == TL_TIME_IN_FORCE_IOC)
        tl_special_cancel(m, slot, TL_REASON_IOC_REMAINDER, terms->ord_type);
    else if (order->price == 0)
        tl_special_cancel(m, slot, TL_REASON_MARKET_REMAINDER, terms->ord_type);
    else
        rest_or_end(m, slot);
}

void tl_meet(tl_meeting *m, uint32_t slot, const tl_terms *terms)
{
    uint32_t partner = tl_link_partner(m->s->shelf, slot);
    meet(m, slot, terms, partner);
    if (partner != TL_NONE)
        tl_link_settle(m, partner);
}

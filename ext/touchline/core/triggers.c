/* What waits for a stop price, and what has met it: rule 8.3 of docs/rules.md.
 *
 *   a trade ─► prices from low to high ─► who waits for one of them: out of its place, TRIGGERED,
 *                  ▲                      and to the end of the queue
 *                  │                        │
 *                  └── the first meets the book ◄──┘      again and again, until the queue is empty
 *
 * Who is released (section 12) is in the queue before those who have been met.
 *
 * The queue is a chain through the orders themselves, which stand nowhere while they are in it; it
 * lives no longer than the command.
 */
#include "touchline/core/linked.h"
#include "touchline/core/trailing.h"

/* Does it wait for a price that rises to its own? Buy stops, and sells to be touched. */
static bool waits_for_rise(const tl_special *terms, uint8_t side)
{
    return (side == TL_SIDE_BUY) == tl_is_stop(terms);
}

bool tl_met(const tl_special *terms, uint8_t side, uint32_t low, uint32_t high)
{
    return waits_for_rise(terms, side) ? high >= terms->stop_price : low <= terms->stop_price;
}

static void triggered(const tl_meeting *m, uint32_t slot)
{
    tl_event *event = tl_special_event_begin(m, TL_EXEC_TYPE_TRIGGERED, slot);
    event->qty = m->s->shelf->cold[slot].order_qty;
    event->leaves_qty = m->s->shelf->orders[slot].leaves_qty;
    tl_event_publish(m->s, event);
}

/* Of an order that was released: has the last price not met its stop price? Then it waits. */
static bool still_waits(const tl_meeting *m, uint32_t slot)
{
    const tl_shelf *shelf = m->s->shelf;
    const tl_order *order = &shelf->orders[slot];
    tl_special *terms = &shelf->special[slot];
    uint32_t last = (uint32_t)m->s->engine->risk.instruments[order->instrument].reference_price;
    if ((terms->flags & TL_WAITING) == 0)
        return false;
    if (last != 0)
        terms->stop_price = tl_trailed(terms, order->side, last);
    if (last != 0 && tl_met(terms, order->side, last, last)) {
        terms->flags &= (uint8_t)~TL_WAITING;
        triggered(m, slot);
        return false;
    }
    tl_place place = tl_place_of(shelf, slot);
    if (tl_book_has_room(shelf, place.book, place.price))
        tl_stand(m->s, slot);
    else
        tl_special_take_off(m, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_LEVELS_FULL);
    return true;
}

/* Meets the book as the type says that it becomes, unless the collar has come in between. */
static void meet_after_trigger(tl_meeting *m, uint32_t slot)
{
    const tl_shelf *shelf = m->s->shelf;
    const tl_order *order = &shelf->orders[slot];
    if (shelf->links[slot].less != 0 && !tl_link_lessened(m, slot))
        return;
    if (still_waits(m, slot))
        return;
    const tl_instrument *instrument = &m->s->engine->risk.instruments[order->instrument];
    bool buy = order->side == TL_SIDE_BUY;
    tl_terms terms = {order->price, shelf->special[slot].ord_type,
                      tl_order_time_in_force(order)};
    if (order->price == 0) {
        terms.price = (uint32_t)tl_risk_protection_price(instrument, buy);
    } else if (instrument->price_collar != TL_LIMIT_UNSET &&
               (order->price < instrument->reference_price - instrument->price_collar ||
                order->price > instrument->reference_price + instrument->price_collar)) {
        tl_special_take_off(m, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_PRICE_COLLAR);
        return;
    }
    tl_meet(m, slot, &terms);
}

/* ── the queue ─────────────────────────────────────────────────────────────────────────────── */

typedef struct queue {
    uint32_t first;
    uint32_t last;
} queue;

static void enqueue(const tl_shelf *shelf, queue *queue, uint32_t slot)
{
    shelf->orders[slot].next = TL_NONE;
    if (queue->first == TL_NONE)
        queue->first = slot;
    else
        shelf->orders[queue->last].next = slot;
    queue->last = slot;
}

/* Out of its place and to the end of the queue. */
static void met(const tl_meeting *m, uint32_t slot, queue *queue)
{
    tl_step_aside(m->s, slot);
    m->s->shelf->special[slot].flags &= (uint8_t)~TL_WAITING;
    triggered(m, slot);
    enqueue(m->s->shelf, queue, slot);
}

/* Of one of the books that wait, who has been met by the prices of the last trades. */
static void collect(const tl_meeting *m, const tl_book *book, unsigned side_index, queue *queue)
{
    const tl_shelf *shelf = m->s->shelf;
    while (book->best[side_index].level != TL_NONE) {
        uint32_t slot = tl_level_head(shelf, book->best[side_index].level);
        if (!tl_met(&shelf->special[slot], shelf->orders[slot].side, m->low, m->high))
            return;
        met(m, slot, queue);
    }
}

/* Of one of the books of trailing stops, who has been met, the oldest first. */
static void collect_trailing(const tl_meeting *m, const tl_book *book, queue *queue)
{
    const tl_shelf *shelf = m->s->shelf;
    if (book->best[1].level == TL_NONE)
        return;
    for (uint32_t next, slot = tl_level_head(shelf, book->best[1].level); slot != TL_NONE;
         slot = next) {
        next = shelf->orders[slot].next;
        if (tl_met(&shelf->special[slot], shelf->orders[slot].side, m->low, m->high))
            met(m, slot, queue);
    }
}

/* Of one of the books of those held, who has been released. */
static void release(const tl_meeting *m, const tl_book *book, queue *queue)
{
    const tl_shelf *shelf = m->s->shelf;
    while (book->best[1].key == TL_KEY_RELEASED) {
        uint32_t slot = tl_level_head(shelf, book->best[1].level);
        tl_step_aside(m->s, slot);
        shelf->special[slot].linked &= (uint8_t)~(TL_LINK_HELD | TL_LINK_RELEASED);
        triggered(m, slot);
        enqueue(shelf, queue, slot);
    }
}

/* Rule 8.13: between the first price and the last those of one order go one way. So whoever follows
 * the first, is met by any, and then follows the last has followed all. */
static void collect_all_trailing(const tl_meeting *m, uint16_t instrument, queue *queue)
{
    if (m->s->engine->risk.instruments[instrument].trailing == 0)
        return;
    tl_trail_follow(m->s->shelf, instrument, m->first);
    collect_trailing(m, tl_unseen_book(m->s->shelf, instrument, TL_UNSEEN_TRAIL_BUY), queue);
    collect_trailing(m, tl_unseen_book(m->s->shelf, instrument, TL_UNSEEN_TRAIL_SELL), queue);
    tl_trail_follow(m->s->shelf, instrument, m->last);
}

/* Released to buy, to sell; stops to buy, to sell, touched to buy, to sell, trailing to buy, to
 * sell. */
static void collect_all(tl_meeting *m, uint16_t instrument, queue *queue)
{
    const tl_shelf *shelf = m->s->shelf;
    if (m->s->engine->risk.instruments[instrument].released != 0) {
        release(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_HELD_BUY), queue);
        release(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_HELD_SELL), queue);
        m->s->engine->risk.instruments[instrument].released = 0;
    }
    if (!m->traded)
        return;
    collect(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_STOP_BUY), 1, queue);
    collect(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_STOP_SELL), 0, queue);
    collect(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_TOUCH_BUY), 0, queue);
    collect(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_TOUCH_SELL), 1, queue);
    collect_all_trailing(m, instrument, queue);
    m->traded = false;
}

static void work_off_queue(tl_meeting *m, uint16_t instrument)
{
    queue queue = {TL_NONE, TL_NONE};
    collect_all(m, instrument, &queue);
    while (queue.first != TL_NONE) {
        uint32_t slot = queue.first;
        queue.first = m->s->shelf->orders[slot].next;
        meet_after_trigger(m, slot);
        collect_all(m, instrument, &queue);
    }
}

void tl_work_off_triggers(tl_meeting *m, uint16_t instrument)
{
    const tl_instrument *listed = &m->s->engine->risk.instruments[instrument];
    if (listed->trading_status != TL_TRADING_STATUS_READY_TO_TRADE) /* rule 9.8 */
        return;
    if (m->traded || listed->released != 0)
        work_off_queue(m, instrument);
    while (listed->wholes != 0 && tl_all_or_none_trade(m, instrument))
        work_off_queue(m, instrument);
}

void tl_special_arrive(tl_meeting *m, uint32_t slot)
{
    const tl_order *order = &m->s->shelf->orders[slot];
    tl_special *terms = &m->s->shelf->special[slot];
    uint16_t instrument = order->instrument;
    const tl_instrument *listed = &m->s->engine->risk.instruments[instrument];
    uint32_t last = (uint32_t)listed->reference_price;
    if ((terms->flags & TL_WAITING) == 0) {
        tl_terms wanted = {order->price, m->s->cmd->ord_type, tl_order_time_in_force(order)};
        if (order->price == 0)
            wanted.price =
                (uint32_t)tl_risk_protection_price(listed, order->side == TL_SIDE_BUY);
        tl_meet(m, slot, &wanted);
    } else if (tl_met(terms, order->side, last, last)) {
        terms->flags &= (uint8_t)~TL_WAITING;
        triggered(m, slot);
        meet_after_trigger(m, slot);
    } else {
        tl_stand(m->s, slot);
    }
    tl_work_off_triggers(m, instrument);
}

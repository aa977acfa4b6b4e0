/* What the files that do commands share: the step's context, the events they write, and an order's
 * way into the book and out of it. engine.c says which file does which command. Each event is
 * written once, in its final place. Nobody else includes this.
 */
#ifndef TOUCHLINE_COMMANDS_H
#define TOUCHLINE_COMMANDS_H

#include "touchline/core/stage.h"
#include "touchline/core/state.h"

/* What one step needs, so that no function takes five parameters. */
typedef struct tl_step {
    tl_engine *engine;
    const tl_shelf *shelf;
    const tl_command *cmd;
    tl_event_sink *sink;
} tl_step;

/* A cleared event in its final place. Until tl_event_publish it shows a reader seq 0: the store of
 * 0 comes before the other fields (fence), the store of the number after them (release). */
static inline tl_event *tl_event_begin(const tl_step *s, uint8_t exec_type)
{
    TL_STAGE(PUBLISH);
    tl_event *event = &s->sink->slots[s->sink->next & s->sink->mask];
    __atomic_store_n(&event->seq, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    event->ts_ns = s->cmd->ts_ns;
    event->order_id = 0;
    event->cl_ord_id = s->cmd->cl_ord_id;
    event->price = 0;
    event->limit = 0;
    event->account = s->cmd->account;
    event->contra_account = 0;
    event->instrument = s->cmd->instrument;
    event->ord_type = 0;
    event->time_in_force = 0;
    event->exec_type = exec_type;
    event->side = 0;
    event->reason = 0;
    event->flags = 0;
    return event;
}

/* Ask for the cache line of the slot eight further on, to own it by the time its event is written:
 * a reader on another core still holds it from the last lap, and a store that waits for it stops
 * those behind it. One instruction, which never faults, so the address is not wrapped at the ring's
 * end; where the processor knows no prefetchw it does nothing. */
static inline void tl_event_own_ahead(const tl_event *event)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw 512(%0)" : : "r"(event));
#else
    (void)event;
#endif
}

static inline void tl_event_publish(const tl_step *s, tl_event *event)
{
    s->sink->next++;
    tl_event_own_ahead(event);
    __atomic_store_n(&event->seq, ++s->engine->state->event_seq, __ATOMIC_RELEASE);
    TL_STAGE(MATCH);
}

/* An event about an order: what the order itself says. */
static inline tl_event *tl_order_event_begin(const tl_step *s, uint8_t exec_type, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_event *event = tl_event_begin(s, exec_type);
    event->order_id = tl_order_id(s->shelf, slot);
    event->price = order->price;
    event->account = s->engine->positions.entries[order->position].account;
    event->instrument = order->instrument;
    event->ord_type = TL_ORD_TYPE_LIMIT;
    event->time_in_force = order->time_in_force;
    event->side = order->side;
    return event;
}

/* A refusal: the request as it came, and why. */
static inline void tl_refuse(const tl_step *s, uint8_t exec_type, const tl_verdict *verdict)
{
    tl_event *event = tl_event_begin(s, exec_type);
    if (exec_type == TL_EXEC_TYPE_CANCEL_REJECTED) {
        event->order_id = s->cmd->order_id;
        event->flags = s->cmd->type == TL_MSG_TYPE_REPLACE ? TL_FLAG_REPLACE : 0;
    }
    event->value = verdict->value;
    event->limit = verdict->limit;
    event->ord_type = s->cmd->ord_type;
    event->time_in_force = s->cmd->time_in_force;
    event->side = s->cmd->side;
    event->reason = verdict->reason;
    tl_event_publish(s, event);
}

static inline void tl_reject(const tl_step *s, uint8_t reason, int64_t value, int64_t limit)
{
    tl_refuse(s, TL_EXEC_TYPE_REJECTED, &(tl_verdict){reason, value, limit});
}

static inline void tl_canceled(const tl_step *s, uint32_t slot, uint8_t exec_type, uint8_t reason)
{
    tl_event *event = tl_order_event_begin(s, exec_type, slot);
    event->qty = s->shelf->orders[slot].leaves_qty;
    event->reason = reason;
    tl_event_publish(s, event);
}

/* ── in the book and in the owner's open quantity, always both ─────────────────────────────── */

static inline tl_position *tl_owner(const tl_step *s, const tl_order *order)
{
    return &s->engine->positions.entries[order->position];
}

/* What the order has left rests behind the others of its price. */
static inline void tl_rest(const tl_step *s, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_position_rested(tl_owner(s, order), tl_side_index(order->side), order->leaves_qty);
    tl_book_append(s->shelf, &s->shelf->books[order->instrument], slot);
}

/* The order rests no longer; its slot stays taken. */
static inline void tl_unrest(const tl_step *s, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_position_left(tl_owner(s, order), tl_side_index(order->side), order->leaves_qty);
    tl_book_remove(s->shelf, &s->shelf->books[order->instrument], slot);
}

/* Some of the order rests no longer; the rest keeps its place in the queue. */
static inline void tl_rest_less(const tl_step *s, uint32_t slot, uint32_t qty)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_position_left(tl_owner(s, order), tl_side_index(order->side), qty);
    tl_book_reduce(s->shelf, slot, qty);
}

/* ── coming in ─────────────────────────────────────────────────────────────────────────────── */

/* A new order has passed: it gets a slot, and NEW says so. `price` is what it stands at, `flags`
 * what rule 8.2 says of it. */
static inline uint32_t tl_accept(const tl_step *s, const tl_position *position, uint32_t price,
                                 uint8_t flags)
{
    const tl_command *cmd = s->cmd;
    uint32_t slot = tl_order_take(s->shelf);
    tl_order *order = &s->shelf->orders[slot];
    order->level = TL_NONE;
    order->leaves_qty = (uint32_t)cmd->qty;
    order->price = price;
    order->position = (uint32_t)(position - s->engine->positions.entries);
    order->instrument = cmd->instrument;
    order->side = cmd->side;
    order->time_in_force = cmd->time_in_force;
    s->shelf->cold[slot].order_qty = (uint32_t)cmd->qty;
    s->shelf->cold[slot].owner = cmd->account;

    tl_event *event = tl_event_begin(s, TL_EXEC_TYPE_NEW);
    event->order_id = tl_order_id(s->shelf, slot);
    event->price = price;
    event->qty = (uint32_t)cmd->qty;
    event->leaves_qty = (uint32_t)cmd->qty;
    event->ord_type = cmd->ord_type;
    event->time_in_force = cmd->time_in_force;
    event->side = cmd->side;
    event->flags = flags;
    tl_event_publish(s, event);
    return slot;
}

/* ── trades ────────────────────────────────────────────────────────────────────────────────── */

/* So many lots of two orders, at the maker's price. */
typedef struct tl_trade {
    uint32_t taker;
    uint32_t maker;
    uint32_t qty;
    uint32_t leaves_qty; /* of the taker, after it */
    uint8_t ord_type;    /* the taker's */
    uint8_t flags;       /* of the event */
} tl_trade;

/* Rule 3.2: one event for both sides; the caller publishes it. */
static inline tl_event *tl_trade_begin(const tl_step *s, const tl_trade *trade)
{
    const tl_order *maker = &s->shelf->orders[trade->maker];
    tl_event *event = tl_order_event_begin(s, TL_EXEC_TYPE_TRADE, trade->taker);
    event->contra_order_id = tl_order_id(s->shelf, trade->maker);
    event->price = maker->price;
    event->qty = trade->qty;
    event->leaves_qty = trade->leaves_qty;
    event->contra_account = tl_owner(s, maker)->account;
    event->ord_type = trade->ord_type;
    event->flags = trade->flags;
    return event;
}

/* What the two owners have, after it. */
static inline void tl_trade_positions(const tl_step *s, const tl_trade *trade)
{
    const tl_order *taker = &s->shelf->orders[trade->taker];
    tl_position *taking = tl_owner(s, taker);
    tl_position *making = tl_owner(s, &s->shelf->orders[trade->maker]);
    if (taker->side == TL_SIDE_BUY) {
        tl_position_bought(taking, trade->qty);
        tl_position_sold(making, trade->qty);
    } else {
        tl_position_sold(taking, trade->qty);
        tl_position_bought(making, trade->qty);
    }
}

/* ── commands ──────────────────────────────────────────────────────────────────────────────── */

/* Why a new order's Side, OrdType or TimeInForce is refused, or TL_REASON_NONE. */
uint8_t tl_step_characteristics(const tl_command *cmd);

void tl_step_new_order(const tl_step *s);   /* section 2 */
void tl_step_cancel(const tl_step *s);      /* section 4 */
void tl_step_replace(const tl_step *s);

/* Rare commands get a copy, so that the step's own `s` needs no memory, and the loops of a mass
 * cancel stay out of the flattened step: every other command has 2 % fewer instructions for it. */
TL_APART void tl_step_mass_cancel(tl_step step); /* rule 4.6 */

/* Where special orders come in: section 8. The order of the second and of those after it is open,
 * the command's own, and not of an instrument without any. */
TL_APART void tl_enter_among_specials(tl_step step, const tl_instrument *instrument,
                                      const tl_account *account);
TL_APART void tl_cancel_special(tl_step step, uint32_t slot);
TL_APART void tl_cancel_among_specials(tl_step step, uint32_t slot, uint8_t exec_type,
                                       uint8_t reason);
TL_APART void tl_replace_among_specials(tl_step step, uint32_t slot);
void tl_step_administer(tl_step step);           /* section 6 */
void tl_step_self_trade(const tl_step *s);       /* rule 10.1 */
void tl_step_allocation(const tl_step *s);       /* rule 11.1 */

#endif

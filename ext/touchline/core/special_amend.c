/* Cancel and replace where an instrument has special orders: section 4 of docs/rules.md with what
 * rule 8.8 adds. The order is open and its account's. */
#include "touchline/core/expiry.h"
#include "touchline/core/special.h"

/* Rule 8.10: what is past its time goes first, and the order that is meant may be among it. */
static bool is_past_its_time(const tl_step *s)
{
    if (tl_expire_due(s) == 0 || tl_order_find(s->shelf, s->cmd->order_id) != TL_NONE)
        return false;
    tl_refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &(tl_verdict){TL_REASON_UNKNOWN_ORDER, 0, 0});
    return true;
}

void tl_cancel_special(tl_step step, uint32_t slot)
{
    if (is_past_its_time(&step))
        return;
    tl_cancel_among_specials(step, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_NONE);
}

void tl_cancel_among_specials(tl_step step, uint32_t slot, uint8_t exec_type, uint8_t reason)
{
    tl_meeting m = {.s = &step, .own = slot};
    tl_step_aside(&step, slot);
    tl_special_take_off(&m, slot, exec_type, reason);
}

/* What a replace would make of an order. */
typedef struct change {
    const tl_step *s;
    uint32_t slot;
    uint32_t executed;
    uint32_t leaves_now; /* shown or not */
    uint32_t price;      /* as it will stand */
    tl_special terms;
    tl_verdict verdict;
} change;

static bool is_waiting(const change *c)
{
    return (c->terms.flags & TL_WAITING) != 0;
}

/* Or for an order that releases it? */
static bool keeps_waiting(const change *c)
{
    return is_waiting(c) || (c->terms.linked & TL_LINK_HELD) != 0;
}

/* Does it have no limit price for as long as it waits? */
static bool is_at_market(const change *c)
{
    return c->s->shelf->orders[c->slot].price == 0;
}

/* Rules 4.2 and 8.4 to 8.7, in this order. */
static bool limits_pass(change *c)
{
    const tl_step *s = c->s;
    const tl_command *cmd = s->cmd;
    const tl_order *order = &s->shelf->orders[c->slot];
    const tl_position *position = tl_owner(s, order);
    const tl_instrument *instrument = &s->engine->risk.instruments[order->instrument];
    tl_risk_order wanted = {.instrument = instrument,
                            .position = position,
                            .price = cmd->price,
                            .qty = cmd->qty,
                            .open_qty = cmd->qty > c->executed ? cmd->qty - c->executed : 0,
                            .given_up = c->leaves_now,
                            .best_bid = tl_best_of_all(s->shelf, order->instrument, 0),
                            .stop_price = is_waiting(c) ? c->terms.stop_price : 0,
                            .buy = order->side == TL_SIDE_BUY,
                            .market = is_at_market(c)};
    if (!tl_risk_in_range(&wanted, &c->verdict) ||
        !tl_display_passes(&c->terms, cmd->qty, &c->verdict))
        return false;
    c->price = (uint32_t)cmd->price;
    if ((c->terms.flags & TL_FLAG_POST_ONLY) != 0 && c->price != order->price)
        c->price = tl_post_only_price(s, order->instrument, order->side, c->terms.flags,
                                      cmd->price, &c->verdict);
    if (c->verdict.reason != TL_REASON_NONE)
        return false;
    wanted.price = c->price;
    bool grows = cmd->qty > s->shelf->cold[c->slot].order_qty;
    return !(grows || c->price != order->price) || tl_risk_within_limits(&wanted, &c->verdict);
}

static bool room_found(change *c)
{
    const tl_step *s = c->s;
    const tl_order *order = &s->shelf->orders[c->slot];
    const tl_engine_capacities *capacities = &s->engine->state->capacities;
    uint32_t chain_max = tl_chain_max(capacities->orders_max);
    uint32_t chain = tl_chain_taken(s->engine->state) - s->shelf->special[c->slot].chain;
    if (c->terms.flags != 0)
        c->terms.chain = tl_chain_of(&c->terms, (uint32_t)s->cmd->qty);
    if (chain + c->terms.chain > chain_max)
        return tl_risk_refuse(&c->verdict, TL_REASON_CHAIN_FULL, 0, chain_max);
    if (c->price == order->price || keeps_waiting(c))
        return true;
    tl_place place =
        tl_place_with(s->shelf, order->instrument, order->side, &c->terms, c->price);
    return tl_book_has_room(s->shelf, place.book, place.price) ||
           tl_risk_refuse(&c->verdict, TL_REASON_LEVELS_FULL, 0, capacities->price_blocks_max);
}

static bool passes(change *c)
{
    const tl_engine *engine = c->s->engine;
    const tl_order *order = &c->s->shelf->orders[c->slot];
    const tl_account *account = &engine->risk.accounts[tl_owner(c->s, order)->account];
    const tl_instrument *instrument = &engine->risk.instruments[order->instrument];
    TL_STAGE(RISK);
    c->verdict.reason = tl_risk_may_enter(&engine->risk, instrument, account);
    if (c->verdict.reason == TL_REASON_NONE &&
        instrument->trading_status == TL_TRADING_STATUS_CLOSING_PRICE)
        return tl_risk_refuse(&c->verdict, TL_REASON_NOT_IN_PHASE, instrument->trading_status, 0);
    bool passed = c->verdict.reason == TL_REASON_NONE && limits_pass(c) && room_found(c);
    TL_STAGE(MATCH);
    return passed;
}

static void tell_replaced(const tl_meeting *m, uint32_t slot, uint8_t flags)
{
    tl_event *event = tl_special_event_begin(m, TL_EXEC_TYPE_REPLACED, slot);
    event->qty = m->s->shelf->cold[slot].order_qty;
    event->leaves_qty = tl_order_leaves(m->s->shelf, slot);
    event->flags |= flags;
    tl_event_publish(m->s, event);
}

/* Less of it at the same place: what is not shown goes first. */
static void shrink(const tl_step *s, uint32_t slot, uint32_t qty)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_special *terms = &s->shelf->special[slot];
    uint32_t unseen = qty < terms->reserve ? qty : terms->reserve;
    terms->reserve -= unseen;
    tl_position_left(tl_owner(s, order), tl_side_index(order->side), unseen);
    tl_rest_less(s, slot, qty - unseen);
}

/* Rule 8.8: an order that waits stays where it waits, whatever becomes of its price or quantity. */
static void change_waiting(tl_meeting *m, const change *c, uint32_t leaves_qty)
{
    const tl_step *s = m->s;
    tl_order *order = &s->shelf->orders[c->slot];
    order->price = c->price;
    if (leaves_qty < order->leaves_qty) {
        tl_rest_less(s, c->slot, order->leaves_qty - leaves_qty);
    } else {
        uint32_t more = leaves_qty - order->leaves_qty;
        tl_position_rested(tl_owner(s, order), tl_side_index(order->side), more);
        tl_book_grow(s->shelf, c->slot, more);
    }
    tell_replaced(m, c->slot, TL_FLAG_PRIORITY_KEPT);
}

static void requeue(tl_meeting *m, const change *c, uint32_t leaves_qty)
{
    tl_order *order = &m->s->shelf->orders[c->slot];
    uint8_t ord_type = c->terms.flags != 0 ? c->terms.ord_type : (uint8_t)TL_ORD_TYPE_LIMIT;
    uint16_t instrument = order->instrument;
    tl_step_aside(m->s, c->slot);
    order->price = c->price;
    order->leaves_qty = leaves_qty;
    tell_replaced(m, c->slot, TL_FLAG_SPECIAL);
    if (leaves_qty == 0) {
        tl_special_end(m->s, c->slot);
        if (c->terms.linked != 0)
            tl_work_off_triggers(m, instrument);
    } else if ((c->terms.flags & TL_APART_FLAGS) != 0) {
        tl_stand(m->s, c->slot);
    } else {
        tl_meet(m, c->slot, &(tl_terms){c->price, ord_type, TL_TIME_IN_FORCE_DAY});
        tl_work_off_triggers(m, instrument);
    }
}

void tl_replace_among_specials(tl_step step, uint32_t slot)
{
    const tl_command *cmd = step.cmd;
    if (is_past_its_time(&step))
        return;
    const tl_order *order = &step.shelf->orders[slot];
    uint32_t *order_qty = &step.shelf->cold[slot].order_qty;
    uint32_t leaves_now = tl_order_leaves(step.shelf, slot);
    change c = {.s = &step,
                .slot = slot,
                .executed = *order_qty - leaves_now,
                .leaves_now = leaves_now,
                .terms = step.shelf->special[slot]};
    if (!passes(&c)) {
        tl_refuse(&step, TL_EXEC_TYPE_CANCEL_REJECTED, &c.verdict);
        return;
    }
    tl_meeting m = {.s = &step, .own = slot};
    bool shrinks = c.price == order->price && cmd->qty < *order_qty &&
                   (c.terms.flags & TL_ALL_OR_NONE) == 0;
    *order_qty = cmd->qty > c.executed ? (uint32_t)cmd->qty : c.executed;
    uint32_t leaves_qty = *order_qty - c.executed;
    tl_special_set(&step, slot, &c.terms);
    if (keeps_waiting(&c)) {
        change_waiting(&m, &c, leaves_qty);
    } else if (shrinks && leaves_qty > 0) {
        shrink(&step, slot, leaves_now - leaves_qty);
        tell_replaced(&m, slot, TL_FLAG_PRIORITY_KEPT);
    } else {
        requeue(&m, &c, leaves_qty);
    }
}

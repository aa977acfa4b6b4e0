/* An open order changed or taken off: rules 4.1 to 4.5 of docs/rules.md. */
#include "touchline/core/match.h"

/* The open order a cancel or replace means, or TL_NONE when it is not this account's. */
static uint32_t find_own(const tl_step *s)
{
    uint32_t slot = tl_order_find(s->shelf, s->cmd->order_id);
    if (slot == TL_NONE)
        return TL_NONE;
    uint32_t position = s->shelf->orders[slot].position;
    return s->engine->positions.entries[position].account == s->cmd->account ? slot : TL_NONE;
}

void tl_step_cancel(const tl_step *s)
{
    uint32_t slot = find_own(s);
    if (slot == TL_NONE) {
        tl_refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &(tl_verdict){TL_REASON_UNKNOWN_ORDER, 0, 0});
        return;
    }
    if (__builtin_expect(tl_order_is_special(&s->shelf->orders[slot]), 0)) {
        tl_cancel_special(*s, slot);
        return;
    }
    tl_canceled(s, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_NONE);
    tl_unrest(s, slot);
    tl_order_give_back(s->shelf, slot);
}

/* Rule 4.2: may the order become what the command wants? */
static bool replace_passes(const tl_step *s, uint32_t slot, int64_t executed, tl_verdict *verdict)
{
    const tl_command *cmd = s->cmd;
    const tl_order *order = &s->shelf->orders[slot];
    const tl_position *position = &s->engine->positions.entries[order->position];
    const tl_instrument *instrument = &s->engine->risk.instruments[order->instrument];
    TL_STAGE(RISK);
    verdict->reason = tl_risk_may_enter_plain(&s->engine->risk, instrument,
                                              &s->engine->risk.accounts[position->account]);
    if (verdict->reason != TL_REASON_NONE)
        return false;
    int64_t open_qty = cmd->qty > executed ? cmd->qty - executed : 0;
    tl_risk_order wanted = {.instrument = instrument,
                            .position = position,
                            .price = cmd->price,
                            .qty = cmd->qty,
                            .open_qty = open_qty,
                            .given_up = order->leaves_qty,
                            .buy = order->side == TL_SIDE_BUY};
    if (!tl_risk_in_range(&wanted, verdict))
        return false;
    bool same_price = cmd->price == order->price;
    bool no_larger = cmd->qty <= s->shelf->cold[slot].order_qty;
    if (!(same_price && no_larger) && !tl_risk_within_limits(&wanted, verdict))
        return false;
    TL_STAGE(MATCH);
    tl_book *book = &s->shelf->books[order->instrument];
    if (!same_price && !tl_book_has_room(s->shelf, book, (uint32_t)cmd->price)) {
        *verdict = (tl_verdict){TL_REASON_LEVELS_FULL, 0,
                                s->engine->state->capacities.price_blocks_max};
        return false;
    }
    return true;
}

static void replaced(const tl_step *s, uint32_t slot, uint8_t flags)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_event *event = tl_order_event_begin(s, TL_EXEC_TYPE_REPLACED, slot);
    event->qty = s->shelf->cold[slot].order_qty;
    event->leaves_qty = order->leaves_qty;
    event->flags = flags;
    tl_event_publish(s, event);
}

/* Rule 4.3: the place in the queue is lost, and the order meets the book again. */
static void requeue(const tl_step *s, uint32_t slot, uint32_t leaves_qty)
{
    tl_order *order = &s->shelf->orders[slot];
    tl_unrest(s, slot);
    order->price = (uint32_t)s->cmd->price;
    order->leaves_qty = leaves_qty;
    replaced(s, slot, 0);
    tl_match(s, slot, &(tl_terms){order->price, TL_ORD_TYPE_LIMIT, TL_TIME_IN_FORCE_DAY});
}

void tl_step_replace(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    uint32_t slot = find_own(s);
    tl_verdict verdict = {0};
    if (slot == TL_NONE) {
        tl_refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &(tl_verdict){TL_REASON_UNKNOWN_ORDER, 0, 0});
        return;
    }
    tl_order *order = &s->shelf->orders[slot];
    uint32_t *order_qty = &s->shelf->cold[slot].order_qty;
    uint32_t executed = *order_qty - order->leaves_qty;
    if (!replace_passes(s, slot, executed, &verdict)) {
        if (verdict.reason == TL_GOES_SPECIAL)
            tl_replace_among_specials(*s, slot);
        else
            tl_refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &verdict);
        return;
    }
    bool shrinks = cmd->price == order->price && cmd->qty < *order_qty;
    *order_qty = cmd->qty > executed ? (uint32_t)cmd->qty : executed;
    uint32_t leaves_qty = *order_qty - executed;
    if (shrinks && leaves_qty > 0) {
        tl_rest_less(s, slot, order->leaves_qty - leaves_qty);
        replaced(s, slot, TL_FLAG_PRIORITY_KEPT);
        return;
    }
    requeue(s, slot, leaves_qty);
}

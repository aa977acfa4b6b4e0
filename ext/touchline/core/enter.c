/* A new order: checked, accepted, traded, and what is left of it laid to rest or canceled.
 * Sections 2 and 3 of docs/rules.md, in that order of checks. */
#include "touchline/core/step.h"

/* ── meeting the book: section 3 ───────────────────────────────────────────────────────────── */

static inline void trade(const tl_step *s, uint32_t slot, const tl_taker *taker,
                         const tl_fill *fill, uint8_t ord_type)
{
    tl_position *positions = s->engine->risk.positions;
    const tl_order *maker = &s->shelf->orders[fill->maker];
    tl_position *contra = &positions[maker->position];
    tl_event *event = tl_order_event_begin(s, TL_EXEC_TYPE_TRADE, slot);
    event->contra_order_id = tl_order_id(s->shelf, fill->maker);
    event->price = fill->price;
    event->qty = fill->qty;
    event->leaves_qty = taker->leaves_qty;
    event->contra_account = contra->account;
    event->ord_type = ord_type;
    event->flags = fill->maker_done ? TL_FLAG_MAKER_DONE : 0;
    tl_event_publish(s, event);

    bool bought = taker->side == TL_SIDE_BUY;
    tl_risk_traded(&positions[s->shelf->orders[slot].position], bought, fill->qty);
    tl_risk_traded(contra, !bought, fill->qty);
    tl_risk_open(contra, bought, -(int64_t)fill->qty);
    s->engine->risk.instruments[maker->instrument].reference_price = fill->price;
    if (fill->maker_done)
        tl_order_give_back(s->shelf, fill->maker);
}

void tl_step_meet_book(const tl_step *s, uint32_t slot, uint32_t price, uint8_t ord_type)
{
    tl_order *order = &s->shelf->orders[slot];
    tl_book *book = &s->shelf->books[order->instrument];
    tl_taker taker = {price, order->leaves_qty, order->side};
    tl_fill fill;
    while (tl_match_next(s->shelf, book, &taker, &fill))
        trade(s, slot, &taker, &fill, ord_type);
    order->leaves_qty = taker.leaves_qty;
}

/* ── new orders: section 2 ─────────────────────────────────────────────────────────────────── */

uint8_t tl_step_characteristics(const tl_command *cmd)
{
    if (cmd->side != TL_SIDE_BUY && cmd->side != TL_SIDE_SELL)
        return TL_REASON_INVALID_SIDE;
    if (cmd->ord_type != TL_ORD_TYPE_LIMIT && cmd->ord_type != TL_ORD_TYPE_MARKET)
        return TL_REASON_INVALID_ORD_TYPE;
    if (cmd->time_in_force != TL_TIME_IN_FORCE_DAY && cmd->time_in_force != TL_TIME_IN_FORCE_GTC &&
        cmd->time_in_force != TL_TIME_IN_FORCE_IOC && cmd->time_in_force != TL_TIME_IN_FORCE_FOK)
        return TL_REASON_INVALID_TIME_IN_FORCE;
    return TL_REASON_NONE;
}

static inline bool may_rest(const tl_command *cmd)
{
    return cmd->ord_type == TL_ORD_TYPE_LIMIT && (cmd->time_in_force == TL_TIME_IN_FORCE_DAY ||
                                                  cmd->time_in_force == TL_TIME_IN_FORCE_GTC);
}

static const tl_position unset_position = {.order_qty_max = TL_LIMIT_UNSET,
                                           .order_value_max = TL_LIMIT_UNSET,
                                           .position_max = TL_LIMIT_UNSET};

/* Rules 2.3 to 2.5: the order against the limits of its instrument and its account's trading. */
static bool passes_limits(const tl_step *s, const tl_instrument *instrument,
                          const tl_position *position, tl_verdict *verdict)
{
    const tl_command *cmd = s->cmd;
    tl_risk_order order = {.instrument = instrument,
                           .position = position != NULL ? position : &unset_position,
                           .price = cmd->price,
                           .qty = cmd->qty,
                           .open_qty = cmd->qty,
                           .buy = cmd->side == TL_SIDE_BUY,
                           .market = cmd->ord_type == TL_ORD_TYPE_MARKET};
    if (order.market)
        order.best_bid = tl_book_best_price(&s->shelf->books[cmd->instrument], 0);
    return tl_risk_in_range(&order, verdict) && tl_risk_within_limits(&order, verdict);
}

/* Rules 2.6 and 2.7; gives the account a place for its position when all is well. */
static tl_position *find_room(const tl_step *s, tl_position *position, tl_verdict *verdict)
{
    const tl_engine_capacities *capacities = &s->engine->state->capacities;
    const tl_command *cmd = s->cmd;
    const tl_risk_counts *counts = s->engine->risk.counts;
    tl_book *book = &s->shelf->books[cmd->instrument];
    TL_STAGE(MATCH);
    if (tl_orders_full(s->shelf->pools))
        *verdict = (tl_verdict){TL_REASON_ORDERS_FULL, 0, capacities->orders_max};
    else if (position == NULL && counts->positions_used == counts->positions_max)
        *verdict = (tl_verdict){TL_REASON_POSITIONS_FULL, 0, capacities->positions_max};
    else if (!tl_book_has_room(s->shelf, book, (uint32_t)cmd->price) && may_rest(cmd))
        *verdict = (tl_verdict){TL_REASON_LEVELS_FULL, 0, capacities->price_blocks_max};
    else if (position == NULL)
        return tl_risk_need(&s->engine->risk, cmd->account, cmd->instrument);
    return position;
}

static uint32_t accept(const tl_step *s, const tl_position *position)
{
    const tl_command *cmd = s->cmd;
    uint32_t slot = tl_order_take(s->shelf);
    tl_order *order = &s->shelf->orders[slot];
    order->level = TL_NONE;
    order->leaves_qty = (uint32_t)cmd->qty;
    order->price = (uint32_t)cmd->price;
    order->position = (uint32_t)(position - s->engine->risk.positions);
    order->instrument = cmd->instrument;
    order->side = cmd->side;
    order->time_in_force = cmd->time_in_force;
    s->shelf->order_qty[slot] = (uint32_t)cmd->qty;

    tl_event *event = tl_event_begin(s, TL_EXEC_TYPE_NEW);
    event->order_id = tl_order_id(s->shelf, slot);
    event->price = cmd->price;
    event->qty = (uint32_t)cmd->qty;
    event->leaves_qty = (uint32_t)cmd->qty;
    event->ord_type = cmd->ord_type;
    event->time_in_force = cmd->time_in_force;
    event->side = cmd->side;
    tl_event_publish(s, event);
    return slot;
}

/* Rules 3.4 and 3.5: nothing of this order rests. */
static void cancel_remainder(const tl_step *s, uint32_t slot, uint8_t reason)
{
    tl_event *event = tl_order_event_begin(s, TL_EXEC_TYPE_CANCELED, slot);
    event->qty = s->shelf->orders[slot].leaves_qty;
    event->ord_type = s->cmd->ord_type;
    event->reason = reason;
    tl_event_publish(s, event);
}

static uint8_t remainder_reason(const tl_command *cmd)
{
    return cmd->time_in_force == TL_TIME_IN_FORCE_IOC ? TL_REASON_IOC_REMAINDER
                                                      : TL_REASON_MARKET_REMAINDER;
}

/* The order is accepted: it trades, and what is left rests or goes. */
static void work(const tl_step *s, uint32_t slot, tl_position *position)
{
    const tl_command *cmd = s->cmd;
    const tl_order *order = &s->shelf->orders[slot];
    bool market = cmd->ord_type == TL_ORD_TYPE_MARKET;
    uint32_t price = order->price;
    if (market)
        price = (uint32_t)tl_risk_protection_price(
            &s->engine->risk.instruments[cmd->instrument], cmd->side == TL_SIDE_BUY);
    if (cmd->time_in_force == TL_TIME_IN_FORCE_FOK) {
        tl_taker taker = {price, order->leaves_qty, cmd->side};
        if (!tl_match_fillable(s->shelf, &s->shelf->books[cmd->instrument], &taker)) {
            cancel_remainder(s, slot, TL_REASON_FOK_UNFILLED);
            tl_order_give_back(s->shelf, slot);
            return;
        }
    }
    tl_step_meet_book(s, slot, price, cmd->ord_type);
    if (order->leaves_qty > 0 && may_rest(cmd)) {
        tl_rest(s, slot, position);
        return;
    }
    if (order->leaves_qty > 0)
        cancel_remainder(s, slot, remainder_reason(cmd));
    tl_order_give_back(s->shelf, slot);
}

void tl_step_new_order(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    const tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
        return;
    }
    const tl_account *account = tl_opened(s->engine, cmd->account);
    if (account == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
        return;
    }
    tl_verdict verdict = {.reason = tl_step_characteristics(cmd)};
    TL_STAGE(RISK);
    if (verdict.reason == TL_REASON_NONE)
        verdict.reason = tl_risk_may_enter(&s->engine->risk, instrument, account);
    tl_position *position = NULL;
    if (verdict.reason == TL_REASON_NONE) {
        position = tl_risk_find(&s->engine->risk, cmd->account, cmd->instrument);
        if (passes_limits(s, instrument, position, &verdict))
            position = find_room(s, position, &verdict);
    }
    if (verdict.reason != TL_REASON_NONE) {
        tl_refuse(s, TL_EXEC_TYPE_REJECTED, &verdict);
        return;
    }
    work(s, accept(s, position), position);
}

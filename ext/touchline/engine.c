/* One command, done: the order of this file is the order of docs/rules.md.
 *
 * Orders and positions change here and only here; each event is written once, in place. */
#include "engine.h"

#include "match.h"
#include "risk.h"
#include "state.h"

/* What one step needs, so that no function takes five parameters. */
typedef struct step {
    tl_engine *engine;
    const tl_shelf *shelf;
    const tl_command *cmd;
    tl_event_sink *sink;
} step;

/* ── events ────────────────────────────────────────────────────────────────────────────────── */

/* A cleared event in its final place. Until event_publish it shows a reader seq 0: the store of 0
 * comes before the other fields (fence), the store of the number after them (release). */
static inline tl_event *event_begin(const step *s, uint8_t exec_type)
{
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

static inline void event_publish(const step *s, tl_event *event)
{
    s->sink->next++;
    __atomic_store_n(&event->seq, ++s->engine->state->event_seq, __ATOMIC_RELEASE);
}

/* An event about an order: what the order itself says. */
static inline tl_event *order_event_begin(const step *s, uint8_t exec_type, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_event *event = event_begin(s, exec_type);
    event->order_id = tl_order_id(s->shelf, slot);
    event->price = order->price;
    event->account = s->engine->risk.positions[order->position].account;
    event->instrument = order->instrument;
    event->ord_type = TL_ORD_TYPE_LIMIT;
    event->time_in_force = order->time_in_force;
    event->side = order->side;
    return event;
}

/* A refusal: the request as it came, and why. */
static void refuse(const step *s, uint8_t exec_type, const tl_verdict *verdict)
{
    tl_event *event = event_begin(s, exec_type);
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
    event_publish(s, event);
}

static void reject(const step *s, uint8_t reason, int64_t value, int64_t limit)
{
    refuse(s, TL_EXEC_TYPE_REJECTED, &(tl_verdict){reason, value, limit});
}

static void canceled(const step *s, uint32_t slot, uint8_t exec_type, uint8_t reason)
{
    tl_event *event = order_event_begin(s, exec_type, slot);
    event->qty = s->shelf->orders[slot].leaves_qty;
    event->reason = reason;
    event_publish(s, event);
}

/* ── meeting the book: section 3 ───────────────────────────────────────────────────────────── */

static inline void trade(const step *s, uint32_t slot, const tl_taker *taker, const tl_fill *fill,
                         uint8_t ord_type)
{
    tl_position *positions = s->engine->risk.positions;
    const tl_order *maker = &s->shelf->orders[fill->maker];
    tl_position *contra = &positions[maker->position];
    tl_event *event = order_event_begin(s, TL_EXEC_TYPE_TRADE, slot);
    event->contra_order_id = tl_order_id(s->shelf, fill->maker);
    event->price = fill->price;
    event->qty = fill->qty;
    event->leaves_qty = taker->leaves_qty;
    event->contra_account = contra->account;
    event->ord_type = ord_type;
    event->flags = fill->maker_done ? TL_FLAG_MAKER_DONE : 0;
    event_publish(s, event);

    bool bought = taker->side == TL_SIDE_BUY;
    tl_risk_traded(&positions[s->shelf->orders[slot].position], bought, fill->qty);
    tl_risk_traded(contra, !bought, fill->qty);
    tl_risk_open(contra, bought, -(int64_t)fill->qty);
    s->engine->risk.instruments[maker->instrument].reference_price = fill->price;
    if (fill->maker_done)
        tl_order_give_back(s->shelf, fill->maker);
}

static void meet_book(const step *s, uint32_t slot, uint32_t price, uint8_t ord_type)
{
    tl_order *order = &s->shelf->orders[slot];
    tl_book *book = &s->shelf->books[order->instrument];
    tl_taker taker = {price, order->leaves_qty, order->side};
    tl_fill fill;
    while (tl_match_next(s->shelf, book, &taker, &fill))
        trade(s, slot, &taker, &fill, ord_type);
    order->leaves_qty = taker.leaves_qty;
}

static inline void rest(const step *s, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_risk_open(&s->engine->risk.positions[order->position], tl_side_index(order->side),
                 order->leaves_qty);
    tl_book_append(s->shelf, &s->shelf->books[order->instrument], slot);
}

/* Off the book and out of the position's open quantity; the slot stays taken. */
static void unrest(const step *s, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_risk_open(&s->engine->risk.positions[order->position], tl_side_index(order->side),
                 -(int64_t)order->leaves_qty);
    tl_book_remove(s->shelf, &s->shelf->books[order->instrument], slot);
}

/* ── new orders: section 2 ─────────────────────────────────────────────────────────────────── */

static uint8_t characteristics_refused(const tl_command *cmd)
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
static bool passes_limits(const step *s, const tl_instrument *instrument,
                          const tl_position *position, tl_verdict *verdict)
{
    const tl_command *cmd = s->cmd;
    const tl_best *bid = &s->shelf->books[cmd->instrument].best[0];
    tl_risk_order order = {.instrument = instrument,
                           .position = position != NULL ? position : &unset_position,
                           .price = cmd->price,
                           .qty = cmd->qty,
                           .open_qty = cmd->qty,
                           .best_bid = bid->level == TL_NONE ? 0 : bid->price,
                           .buy = cmd->side == TL_SIDE_BUY,
                           .market = cmd->ord_type == TL_ORD_TYPE_MARKET};
    return tl_risk_in_range(&order, verdict) && tl_risk_within_limits(&order, verdict);
}

/* Rules 2.6 and 2.7; gives the account a place for its position when all is well. */
static tl_position *find_room(const step *s, tl_position *position, tl_verdict *verdict)
{
    const tl_engine_limits *limits = &s->engine->state->limits;
    const tl_command *cmd = s->cmd;
    const tl_risk_counts *counts = s->engine->risk.counts;
    const tl_book *book = &s->shelf->books[cmd->instrument];
    if (tl_orders_full(s->shelf->pools))
        *verdict = (tl_verdict){TL_REASON_ORDERS_FULL, 0, limits->orders_max};
    else if (position == NULL && counts->positions_used == counts->positions_max)
        *verdict = (tl_verdict){TL_REASON_POSITIONS_FULL, 0, limits->positions_max};
    else if (may_rest(cmd) && !tl_book_has_room(s->shelf, book, (uint32_t)cmd->price))
        *verdict = (tl_verdict){TL_REASON_LEVELS_FULL, 0, limits->leaves_max};
    else if (position == NULL)
        return tl_risk_need(&s->engine->risk, cmd->account, cmd->instrument);
    return position;
}

static uint32_t accept(const step *s, const tl_position *position)
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

    tl_event *event = event_begin(s, TL_EXEC_TYPE_NEW);
    event->order_id = tl_order_id(s->shelf, slot);
    event->price = cmd->price;
    event->qty = (uint32_t)cmd->qty;
    event->leaves_qty = (uint32_t)cmd->qty;
    event->ord_type = cmd->ord_type;
    event->time_in_force = cmd->time_in_force;
    event->side = cmd->side;
    event_publish(s, event);
    return slot;
}

/* Rules 3.4 and 3.5: nothing of this order rests. */
static void cancel_remainder(const step *s, uint32_t slot, uint8_t reason)
{
    tl_event *event = order_event_begin(s, TL_EXEC_TYPE_CANCELED, slot);
    event->qty = s->shelf->orders[slot].leaves_qty;
    event->ord_type = s->cmd->ord_type;
    event->reason = reason;
    event_publish(s, event);
}

static uint8_t remainder_reason(const tl_command *cmd)
{
    return cmd->time_in_force == TL_TIME_IN_FORCE_IOC ? TL_REASON_IOC_REMAINDER
                                                      : TL_REASON_MARKET_REMAINDER;
}

/* The order is accepted: it trades, and what is left rests or goes. */
static void work(const step *s, uint32_t slot)
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
    meet_book(s, slot, price, cmd->ord_type);
    if (order->leaves_qty > 0 && may_rest(cmd)) {
        rest(s, slot);
        return;
    }
    if (order->leaves_qty > 0)
        cancel_remainder(s, slot, remainder_reason(cmd));
    tl_order_give_back(s->shelf, slot);
}

static void new_order(const step *s)
{
    const tl_command *cmd = s->cmd;
    const tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    if (instrument == NULL) {
        reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
        return;
    }
    const tl_account *account = tl_opened(s->engine, cmd->account);
    if (account == NULL) {
        reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
        return;
    }
    tl_verdict verdict = {.reason = characteristics_refused(cmd)};
    if (verdict.reason == TL_REASON_NONE)
        verdict.reason = tl_risk_may_enter(&s->engine->risk, instrument, account);
    tl_position *position = NULL;
    if (verdict.reason == TL_REASON_NONE) {
        position = tl_risk_find(&s->engine->risk, cmd->account, cmd->instrument);
        if (passes_limits(s, instrument, position, &verdict))
            position = find_room(s, position, &verdict);
    }
    if (verdict.reason != TL_REASON_NONE) {
        refuse(s, TL_EXEC_TYPE_REJECTED, &verdict);
        return;
    }
    work(s, accept(s, position));
}

/* ── cancel and replace: section 4 ─────────────────────────────────────────────────────────── */

/* The open order a cancel or replace means, or TL_NONE when it is not this account's. */
static uint32_t find_own(const step *s)
{
    uint32_t slot = tl_order_find(s->shelf, s->cmd->order_id);
    if (slot == TL_NONE)
        return TL_NONE;
    uint32_t position = s->shelf->orders[slot].position;
    return s->engine->risk.positions[position].account == s->cmd->account ? slot : TL_NONE;
}

static void cancel(const step *s)
{
    uint32_t slot = find_own(s);
    if (slot == TL_NONE) {
        refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &(tl_verdict){TL_REASON_UNKNOWN_ORDER, 0, 0});
        return;
    }
    canceled(s, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_NONE);
    unrest(s, slot);
    tl_order_give_back(s->shelf, slot);
}

/* Rule 4.2: may the order become what the command wants? */
static bool replace_passes(const step *s, uint32_t slot, int64_t executed, tl_verdict *verdict)
{
    const tl_command *cmd = s->cmd;
    const tl_order *order = &s->shelf->orders[slot];
    const tl_position *position = &s->engine->risk.positions[order->position];
    const tl_instrument *instrument = &s->engine->risk.instruments[order->instrument];
    verdict->reason = tl_risk_may_enter(&s->engine->risk, instrument,
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
    bool no_larger = cmd->qty <= s->shelf->order_qty[slot];
    if (!(same_price && no_larger) && !tl_risk_within_limits(&wanted, verdict))
        return false;
    const tl_book *book = &s->shelf->books[order->instrument];
    if (!same_price && !tl_book_has_room(s->shelf, book, (uint32_t)cmd->price)) {
        *verdict = (tl_verdict){TL_REASON_LEVELS_FULL, 0, s->engine->state->limits.leaves_max};
        return false;
    }
    return true;
}

static void replaced(const step *s, uint32_t slot, uint8_t flags)
{
    const tl_order *order = &s->shelf->orders[slot];
    tl_event *event = order_event_begin(s, TL_EXEC_TYPE_REPLACED, slot);
    event->qty = s->shelf->order_qty[slot];
    event->leaves_qty = order->leaves_qty;
    event->flags = flags;
    event_publish(s, event);
}

/* Rule 4.3: the place in the queue is lost, and the order meets the book again. */
static void requeue(const step *s, uint32_t slot, uint32_t leaves_qty)
{
    tl_order *order = &s->shelf->orders[slot];
    unrest(s, slot);
    order->price = (uint32_t)s->cmd->price;
    order->leaves_qty = leaves_qty;
    replaced(s, slot, 0);
    meet_book(s, slot, order->price, TL_ORD_TYPE_LIMIT);
    if (order->leaves_qty > 0)
        rest(s, slot);
    else
        tl_order_give_back(s->shelf, slot);
}

static void replace(const step *s)
{
    const tl_command *cmd = s->cmd;
    uint32_t slot = find_own(s);
    tl_verdict verdict = {0};
    if (slot == TL_NONE) {
        refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &(tl_verdict){TL_REASON_UNKNOWN_ORDER, 0, 0});
        return;
    }
    tl_order *order = &s->shelf->orders[slot];
    uint32_t *order_qty = &s->shelf->order_qty[slot];
    uint32_t executed = *order_qty - order->leaves_qty;
    if (!replace_passes(s, slot, executed, &verdict)) {
        refuse(s, TL_EXEC_TYPE_CANCEL_REJECTED, &verdict);
        return;
    }
    bool shrinks = cmd->price == order->price && cmd->qty < *order_qty;
    *order_qty = cmd->qty > executed ? (uint32_t)cmd->qty : executed;
    uint32_t leaves_qty = *order_qty - executed;
    if (shrinks && leaves_qty > 0) {
        uint32_t cut = order->leaves_qty - leaves_qty;
        tl_risk_open(&s->engine->risk.positions[order->position], tl_side_index(order->side),
                     -(int64_t)cut);
        tl_book_reduce(s->shelf, slot, cut);
        replaced(s, slot, TL_FLAG_PRIORITY_KEPT);
        return;
    }
    requeue(s, slot, leaves_qty);
}

/* Rule 4.6: what is wrong with the filter, if anything. */
static bool mass_cancel_valid(const step *s, tl_verdict *verdict)
{
    const tl_command *cmd = s->cmd;
    if (cmd->instrument != TL_INSTRUMENT_ALL && tl_listed(s->engine, cmd->instrument) == NULL)
        *verdict = (tl_verdict){TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0};
    else if (cmd->account != TL_ACCOUNT_ALL && tl_opened(s->engine, cmd->account) == NULL)
        *verdict = (tl_verdict){TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0};
    else {
        tl_command any = *cmd;
        any.ord_type = TL_ORD_TYPE_LIMIT;
        any.side = cmd->side != 0 ? cmd->side : TL_SIDE_BUY;
        any.time_in_force =
            cmd->time_in_force != 0 ? cmd->time_in_force : (uint8_t)TL_TIME_IN_FORCE_DAY;
        verdict->reason = characteristics_refused(&any);
    }
    return verdict->reason == TL_REASON_NONE;
}

static bool mass_cancel_means(const step *s, const tl_order *order)
{
    const tl_command *cmd = s->cmd;
    if (order->position == TL_NONE)
        return false;
    uint32_t account = s->engine->risk.positions[order->position].account;
    return (cmd->instrument == TL_INSTRUMENT_ALL || cmd->instrument == order->instrument) &&
           (cmd->account == TL_ACCOUNT_ALL || cmd->account == account) &&
           (cmd->side == 0 || cmd->side == order->side) &&
           (cmd->time_in_force == 0 || cmd->time_in_force == order->time_in_force);
}

static void mass_cancel(const step *s)
{
    tl_verdict verdict = {0};
    if (!mass_cancel_valid(s, &verdict)) {
        refuse(s, TL_EXEC_TYPE_REJECTED, &verdict);
        return;
    }
    bool expire = (s->cmd->flags & TL_FLAG_EXPIRE) != 0;
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < s->shelf->pools->orders_used; slot++) {
        if (!mass_cancel_means(s, &s->shelf->orders[slot]))
            continue;
        canceled(s, slot, expire ? TL_EXEC_TYPE_EXPIRED : TL_EXEC_TYPE_CANCELED,
                 expire ? TL_REASON_NONE : TL_REASON_MASS_CANCEL);
        unrest(s, slot);
        tl_order_give_back(s->shelf, slot);
        count++;
    }
    tl_event *event = event_begin(s, TL_EXEC_TYPE_MASS_CANCELED);
    event->qty = count;
    event->side = s->cmd->side;
    event->time_in_force = s->cmd->time_in_force;
    event_publish(s, event);
}

/* ── administration: section 6 ─────────────────────────────────────────────────────────────── */

/* Rule 6.6: an administrative command is answered by its own letter. */
static void done(const step *s, int64_t value, uint32_t qty, uint8_t reason)
{
    tl_event *event = event_begin(s, s->cmd->type);
    event->value = value;
    event->qty = qty;
    event->reason = reason;
    event_publish(s, event);
}

static void security_definition(const step *s)
{
    uint32_t number = s->cmd->instrument;
    if (number >= s->engine->risk.counts->instruments_max) {
        reject(s, TL_REASON_UNKNOWN_SYMBOL, number, 0);
    } else if (tl_listed(s->engine, number) != NULL) {
        reject(s, TL_REASON_ALREADY_DEFINED, number, 0);
    } else {
        s->engine->risk.instruments[number] =
            (tl_instrument){.price_collar = TL_LIMIT_UNSET,
                            .price_min = 1,
                            .price_max = TL_PRICE_MAX,
                            .qty_max = TL_QTY_MAX,
                            .trading_status = TL_TRADING_STATUS_READY_TO_TRADE};
        done(s, 0, 0, 0);
    }
}

static void account_definition(const step *s)
{
    uint32_t number = s->cmd->account;
    if (number >= s->engine->risk.counts->accounts_max) {
        reject(s, TL_REASON_UNKNOWN_ACCOUNT, number, 0);
    } else if (tl_opened(s->engine, number) != NULL) {
        reject(s, TL_REASON_ALREADY_DEFINED, number, 0);
    } else {
        s->engine->risk.accounts[number].entry_status = TL_ENTRY_STATUS_OPEN;
        done(s, 0, 0, 0);
    }
}

static void security_status(const step *s)
{
    tl_instrument *instrument = tl_listed(s->engine, s->cmd->instrument);
    uint8_t status = s->cmd->field;
    if (instrument == NULL) {
        reject(s, TL_REASON_UNKNOWN_SYMBOL, s->cmd->instrument, 0);
    } else if (status != TL_TRADING_STATUS_HALTED && status != TL_TRADING_STATUS_READY_TO_TRADE) {
        reject(s, TL_REASON_INVALID_FIELD, status, 0);
    } else {
        instrument->trading_status = status;
        done(s, 0, status, 0);
    }
}

/* An account's entry status, or the venue's. */
static void entry_status(const step *s, uint8_t *entry)
{
    uint8_t status = s->cmd->field;
    if (status != TL_ENTRY_STATUS_OPEN && status != TL_ENTRY_STATUS_BLOCKED) {
        reject(s, TL_REASON_INVALID_FIELD, status, 0);
        return;
    }
    *entry = status;
    done(s, 0, status, 0);
}

static void account_status(const step *s)
{
    tl_account *account = tl_opened(s->engine, s->cmd->account);
    if (account == NULL)
        reject(s, TL_REASON_UNKNOWN_ACCOUNT, s->cmd->account, 0);
    else
        entry_status(s, &account->entry_status);
}

/* What a limit's value may be, and whose limit it is. */
typedef struct limit_range {
    int64_t lowest;
    int64_t highest;
    bool unset_allowed;
    bool of_position;
} limit_range;

static bool limit_range_of(uint8_t field, const tl_instrument *instrument, limit_range *range)
{
    switch (field) {
    case TL_LIMIT_PRICE_MIN:
        *range = (limit_range){1, instrument != NULL ? instrument->price_max : 0, false, false};
        return true;
    case TL_LIMIT_PRICE_MAX:
        *range = (limit_range){instrument != NULL ? instrument->price_min : 0, TL_PRICE_MAX, false,
                               false};
        return true;
    case TL_LIMIT_QTY_MAX:
        *range = (limit_range){1, TL_QTY_MAX, false, false};
        return true;
    case TL_LIMIT_PRICE_COLLAR:
        *range = (limit_range){0, TL_PRICE_MAX, true, false};
        return true;
    case TL_LIMIT_REFERENCE_PRICE:
        *range = (limit_range){0, TL_PRICE_MAX, false, false};
        return true;
    case TL_LIMIT_ORDER_QTY_MAX:
    case TL_LIMIT_ORDER_VALUE_MAX:
    case TL_LIMIT_POSITION_MAX:
        *range = (limit_range){0, TL_LIMIT_UNSET, true, true};
        return true;
    default:
        return false;
    }
}

static int64_t *limit_place(uint8_t field, tl_instrument *instrument, tl_position *position)
{
    switch (field) {
    case TL_LIMIT_PRICE_MIN:
        return &instrument->price_min;
    case TL_LIMIT_PRICE_MAX:
        return &instrument->price_max;
    case TL_LIMIT_QTY_MAX:
        return &instrument->qty_max;
    case TL_LIMIT_PRICE_COLLAR:
        return &instrument->price_collar;
    case TL_LIMIT_REFERENCE_PRICE:
        return &instrument->reference_price;
    case TL_LIMIT_ORDER_QTY_MAX:
        return &position->order_qty_max;
    case TL_LIMIT_ORDER_VALUE_MAX:
        return &position->order_value_max;
    default:
        return &position->position_max;
    }
}

static void limit(const step *s)
{
    const tl_command *cmd = s->cmd;
    int64_t value = cmd->price;
    tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    tl_position *position = NULL;
    limit_range range;
    if (!limit_range_of(cmd->field, instrument, &range)) {
        reject(s, TL_REASON_INVALID_FIELD, cmd->field, 0);
    } else if (instrument == NULL) {
        reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
    } else if (range.of_position && tl_opened(s->engine, cmd->account) == NULL) {
        reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
    } else if (value < range.lowest) {
        reject(s, TL_REASON_INVALID_LIMIT, value, range.lowest);
    } else if (value > range.highest && !(range.unset_allowed && value == TL_LIMIT_UNSET)) {
        reject(s, TL_REASON_INVALID_LIMIT, value, range.highest);
    } else if (range.of_position && (position = tl_risk_need(&s->engine->risk, cmd->account,
                                                             cmd->instrument)) == NULL) {
        reject(s, TL_REASON_POSITIONS_FULL, 0, s->engine->state->limits.positions_max);
    } else {
        *limit_place(cmd->field, instrument, position) = value;
        done(s, value, 0, cmd->field);
    }
}

/* ── the step ──────────────────────────────────────────────────────────────────────────────── */

void tl_engine_step(tl_engine *engine, const tl_command *cmd, tl_event_sink *sink)
{
    step s = {engine, &engine->shelf, cmd, sink};
    switch (cmd->type) {
    case TL_MSG_TYPE_NEW_ORDER:
        new_order(&s);
        break;
    case TL_MSG_TYPE_CANCEL:
        cancel(&s);
        break;
    case TL_MSG_TYPE_REPLACE:
        replace(&s);
        break;
    case TL_MSG_TYPE_MASS_CANCEL:
        mass_cancel(&s);
        break;
    case TL_MSG_TYPE_SECURITY_DEFINITION:
        security_definition(&s);
        break;
    case TL_MSG_TYPE_SECURITY_STATUS:
        security_status(&s);
        break;
    case TL_MSG_TYPE_ACCOUNT:
        account_definition(&s);
        break;
    case TL_MSG_TYPE_ACCOUNT_STATUS:
        account_status(&s);
        break;
    case TL_MSG_TYPE_LIMIT:
        limit(&s);
        break;
    case TL_MSG_TYPE_VENUE_STATUS:
        entry_status(&s, &engine->risk.counts->venue_status);
        break;
    case TL_MSG_TYPE_CHECKPOINT:
        done(&s, (int64_t)tl_engine_hash(engine), 0, 0);
        break;
    case TL_MSG_TYPE_TEXT:
        break;
    default:
        reject(&s, TL_REASON_INVALID_MSG_TYPE, cmd->type, 0);
    }
}

uint64_t tl_engine_events_bound(const tl_engine *engine)
{
    return (uint64_t)tl_engine_orders_open(engine) + 3;
}

size_t tl_engine_step_batch(tl_engine *engine, const tl_command *cmds, size_t count,
                            tl_event_sink *sink, uint64_t room)
{
    uint64_t end = sink->next + room;
    for (size_t i = 0; i < count; i++) {
        if (sink->next + tl_engine_events_bound(engine) > end)
            return i;
        tl_engine_step(engine, &cmds[i], sink);
    }
    return count;
}

/* The operator's commands: what exists, what it may do, and up to what limit.
 * Section 6 of docs/rules.md. */
#include "touchline/core/step.h"

/* Rule 6.6: an administrative command is answered by its own letter. */
static void done(const tl_step *s, int64_t value, uint32_t qty, uint8_t reason)
{
    tl_event *event = tl_event_begin(s, s->cmd->type);
    event->value = value;
    event->qty = qty;
    event->reason = reason;
    tl_event_publish(s, event);
}

static void security_definition(const tl_step *s)
{
    uint32_t number = s->cmd->instrument;
    if (number >= s->engine->risk.counts->instruments_max) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, number, 0);
    } else if (tl_listed(s->engine, number) != NULL) {
        tl_reject(s, TL_REASON_ALREADY_DEFINED, number, 0);
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

static void account_definition(const tl_step *s)
{
    uint32_t number = s->cmd->account;
    if (number >= s->engine->risk.counts->accounts_max) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, number, 0);
    } else if (tl_opened(s->engine, number) != NULL) {
        tl_reject(s, TL_REASON_ALREADY_DEFINED, number, 0);
    } else {
        s->engine->risk.accounts[number].entry_status = TL_ENTRY_STATUS_OPEN;
        done(s, 0, 0, 0);
    }
}

static void security_status(const tl_step *s)
{
    tl_instrument *instrument = tl_listed(s->engine, s->cmd->instrument);
    uint8_t status = s->cmd->field;
    if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, s->cmd->instrument, 0);
    } else if (status != TL_TRADING_STATUS_HALTED && status != TL_TRADING_STATUS_READY_TO_TRADE) {
        tl_reject(s, TL_REASON_INVALID_FIELD, status, 0);
    } else {
        instrument->trading_status = status;
        done(s, 0, status, 0);
    }
}

/* An account's entry status, or the venue's. */
static void entry_status(const tl_step *s, uint8_t *entry)
{
    uint8_t status = s->cmd->field;
    if (status != TL_ENTRY_STATUS_OPEN && status != TL_ENTRY_STATUS_BLOCKED) {
        tl_reject(s, TL_REASON_INVALID_FIELD, status, 0);
        return;
    }
    *entry = status;
    done(s, 0, status, 0);
}

static void account_status(const tl_step *s)
{
    tl_account *account = tl_opened(s->engine, s->cmd->account);
    if (account == NULL)
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, s->cmd->account, 0);
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

static void limit(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    int64_t value = cmd->price;
    tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    tl_position *position = NULL;
    limit_range range;
    if (!limit_range_of(cmd->field, instrument, &range)) {
        tl_reject(s, TL_REASON_INVALID_FIELD, cmd->field, 0);
    } else if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
    } else if (range.of_position && tl_opened(s->engine, cmd->account) == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
    } else if (value < range.lowest) {
        tl_reject(s, TL_REASON_INVALID_LIMIT, value, range.lowest);
    } else if (value > range.highest && !(range.unset_allowed && value == TL_LIMIT_UNSET)) {
        tl_reject(s, TL_REASON_INVALID_LIMIT, value, range.highest);
    } else if (range.of_position && (position = tl_risk_need(&s->engine->risk, cmd->account,
                                                             cmd->instrument)) == NULL) {
        tl_reject(s, TL_REASON_POSITIONS_FULL, 0, s->engine->state->capacities.positions_max);
    } else {
        *limit_place(cmd->field, instrument, position) = value;
        tl_risk_limit_changed(instrument, position);
        done(s, value, 0, cmd->field);
    }
}

/* Rule 6.9: what a command's lane may not send. An id that is another lane's is not given back as
 * the request's own, so that nobody takes the refusal for an answer to a request of theirs. */
static void trespass(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    const bool own = cmd->ord_type != TL_MSG_TYPE_TEXT && cmd->cl_ord_id >> 32 == cmd->side;
    if (cmd->field < TL_REASON_FOREIGN_CL_ORD_ID || cmd->field > TL_REASON_NAMED_ALREADY) {
        tl_reject(s, TL_REASON_INVALID_FIELD, cmd->field, 0);
        return;
    }
    tl_event *event = tl_event_begin(s, TL_EXEC_TYPE_REJECTED);
    event->cl_ord_id = own ? cmd->cl_ord_id : 0;
    event->account = own ? cmd->account : 0;
    event->value = cmd->field == TL_REASON_FOREIGN_CL_ORD_ID ? (int64_t)cmd->cl_ord_id
                   : cmd->field == TL_REASON_NOT_THIS_LANE   ? cmd->ord_type
                                                             : cmd->instrument;
    event->limit = cmd->side;
    event->ord_type = cmd->ord_type;
    event->time_in_force = cmd->time_in_force;
    event->side = cmd->side;
    event->reason = cmd->field;
    tl_event_publish(s, event);
}

void tl_step_administer(const tl_step *s)
{
    switch (s->cmd->type) {
    case TL_MSG_TYPE_SECURITY_DEFINITION:
        security_definition(s);
        break;
    case TL_MSG_TYPE_SECURITY_STATUS:
        security_status(s);
        break;
    case TL_MSG_TYPE_ACCOUNT:
        account_definition(s);
        break;
    case TL_MSG_TYPE_ACCOUNT_STATUS:
        account_status(s);
        break;
    case TL_MSG_TYPE_LIMIT:
        limit(s);
        break;
    case TL_MSG_TYPE_VENUE_STATUS:
        entry_status(s, &s->engine->risk.counts->venue_status);
        break;
    case TL_MSG_TYPE_CHECKPOINT:
        done(s, (int64_t)tl_engine_hash(s->engine), 0, 0);
        break;
    case TL_MSG_TYPE_TEXT:
        break;
    case TL_MSG_TYPE_TRESPASS:
        trespass(s);
        break;
    default:
        tl_reject(s, TL_REASON_INVALID_MSG_TYPE, s->cmd->type, 0);
    }
}

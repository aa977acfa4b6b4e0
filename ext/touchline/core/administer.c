/* The operator's commands: what exists, what it may do, and up to what limit.
 * Section 6 of docs/rules.md. */
#include "touchline/core/expiry.h"
#include "touchline/core/phases.h"

#include <string.h>

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

/* The list of limits as a table by Command.field; a field that is none has a highest of 0. */
typedef struct limit_row {
    size_t place; /* of the limit in a tl_instrument or tl_position */
    int64_t lowest;
    int64_t highest;
    bool unset_allowed;
    bool of_position;
} limit_row;

enum { owner_is_instrument = false, owner_is_position = true };
#define LIMIT_ROW(set, name, value, owner, unit, member, lowest, highest, unset)                   \
    [value] = {offsetof(tl_##owner, member), (lowest), (highest), (unset), owner_is_##owner},
static const limit_row limit_rows[] = {TL_LIMITS(LIMIT_ROW)};
#undef LIMIT_ROW

static const limit_row *limit_row_of(uint8_t field)
{
    const size_t count = sizeof limit_rows / sizeof limit_rows[0];
    return field < count && limit_rows[field].highest > 0 ? &limit_rows[field] : NULL;
}

/* The bound that the value breaks, or NULL. The two price bounds are each other's as well. */
static const int64_t *bound_broken(const limit_row *row, const tl_instrument *instrument,
                                   const tl_command *cmd)
{
    const bool lower_price = cmd->field == TL_LIMIT_PRICE_MIN;
    const bool upper_price = cmd->field == TL_LIMIT_PRICE_MAX;
    const int64_t *lowest = upper_price ? &instrument->price_min : &row->lowest;
    const int64_t *highest = lower_price ? &instrument->price_max : &row->highest;
    if (cmd->price < *lowest)
        return lowest;
    if (cmd->price > *highest && !(row->unset_allowed && cmd->price == TL_LIMIT_UNSET))
        return highest;
    return NULL;
}

static void limit(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    const limit_row *row = limit_row_of(cmd->field);
    tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    tl_position *position = NULL;
    const int64_t *bound;
    if (row == NULL) {
        tl_reject(s, TL_REASON_INVALID_FIELD, cmd->field, 0);
    } else if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
    } else if (row->of_position && tl_opened(s->engine, cmd->account) == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
    } else if ((bound = bound_broken(row, instrument, cmd)) != NULL) {
        tl_reject(s, TL_REASON_INVALID_LIMIT, cmd->price, *bound);
    } else if (row->of_position &&
               (position = tl_position_need(&s->engine->positions, cmd->account,
                                            cmd->instrument)) == NULL) {
        tl_reject(s, TL_REASON_POSITIONS_FULL, 0, s->engine->state->capacities.positions_max);
    } else {
        char *owner = row->of_position ? (char *)position : (char *)instrument;
        memcpy(owner + row->place, &cmd->price, sizeof cmd->price);
        tl_risk_limit_changed(instrument, position);
        done(s, cmd->price, 0, cmd->field);
    }
}

/* The commands that have a file of their own. */
static bool elsewhere(const tl_step *s)
{
    if (s->cmd->type == TL_MSG_TYPE_SELF_TRADE)
        tl_step_self_trade(s);
    else if (s->cmd->type == TL_MSG_TYPE_ALLOCATION)
        tl_step_allocation(s);
    else
        return false;
    return true;
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

/* Rule 8.9: for the NEW_ORDER after it, which says whether it goes with it. */
static void terms(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    s->engine->state->more[tl_lane_of(cmd)] = (tl_sent_terms){.cl_ord_id = cmd->cl_ord_id,
                                                              .expire_ns = cmd->expire_ns,
                                                              .cl_ord_link_id = cmd->cl_ord_link_id,
                                                              .min_qty = cmd->min_qty,
                                                              .trail = cmd->trail,
                                                              .flags = cmd->flags,
                                                              .contingency = cmd->field};
}

void tl_step_administer(tl_step step)
{
    const tl_step *s = &step;
    switch (s->cmd->type) {
    case TL_MSG_TYPE_SECURITY_DEFINITION:
        security_definition(s);
        break;
    case TL_MSG_TYPE_SECURITY_STATUS:
        tl_step_security_status(s);
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
    case TL_MSG_TYPE_EXPIRE:
        done(s, 0, tl_expire_due(s), 0);
        break;
    case TL_MSG_TYPE_TERMS:
        terms(s);
        break;
    case TL_MSG_TYPE_CHECKPOINT:
        done(s, (int64_t)tl_engine_hash(s->engine), 0, 0);
        break;
    case TL_MSG_TYPE_CLOCK:
        done(s, s->cmd->price, 0, 0);
        break;
    case TL_MSG_TYPE_TEXT:
        break;
    case TL_MSG_TYPE_TRESPASS:
        trespass(s);
        break;
    default:
        if (!elsewhere(s))
            tl_reject(s, TL_REASON_INVALID_MSG_TYPE, s->cmd->type, 0);
    }
}

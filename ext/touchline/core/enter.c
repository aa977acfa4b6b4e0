/* A new order: checked, accepted, and off to meet the book (match.c).
 * Section 2 of docs/rules.md, in that order of checks. */
#include "touchline/core/phases.h"

#include <string.h>

/* Side and the flag SPECIAL, in one look: the last four bytes of a command are its type, side,
 * field and flags. */
static inline bool is_plain_side(const tl_command *cmd)
{
    uint32_t word;
    memcpy(&word, &cmd->type, sizeof word);
    return (word & ((uint32_t)TL_FLAG_SPECIAL << 24 | 0xFF00u)) - (TL_SIDE_BUY << 8) <=
           (TL_SIDE_SELL - TL_SIDE_BUY) << 8;
}

uint8_t tl_step_characteristics(const tl_command *cmd)
{
    if (!is_plain_side(cmd))
        return tl_side_known(cmd->side) ? TL_GOES_SPECIAL : TL_REASON_INVALID_SIDE;
    if (cmd->ord_type != TL_ORD_TYPE_LIMIT && cmd->ord_type != TL_ORD_TYPE_MARKET)
        return TL_REASON_INVALID_ORD_TYPE;
    if (cmd->time_in_force != TL_TIME_IN_FORCE_DAY && cmd->time_in_force != TL_TIME_IN_FORCE_GTC &&
        cmd->time_in_force != TL_TIME_IN_FORCE_IOC && cmd->time_in_force != TL_TIME_IN_FORCE_FOK)
        return tl_is_for_auction(cmd->time_in_force) ? TL_GOES_SPECIAL
                                                     : TL_REASON_INVALID_TIME_IN_FORCE;
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
    const tl_position_counts *counts = s->engine->positions.counts;
    tl_book *book = &s->shelf->books[cmd->instrument];
    TL_STAGE(MATCH);
    if (tl_orders_full(s->shelf->pools))
        *verdict = (tl_verdict){TL_REASON_ORDERS_FULL, 0, capacities->orders_max};
    else if (position == NULL && counts->positions_used == counts->positions_max)
        *verdict = (tl_verdict){TL_REASON_POSITIONS_FULL, 0, capacities->positions_max};
    else if (!tl_book_has_room(s->shelf, book, (uint32_t)cmd->price) && may_rest(cmd))
        *verdict = (tl_verdict){TL_REASON_LEVELS_FULL, 0, capacities->price_blocks_max};
    else if (position == NULL)
        return tl_position_need(&s->engine->positions, cmd->account, cmd->instrument);
    return position;
}

void tl_step_new_order(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    const tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
        return;
    }
    if (cmd->account >= s->engine->risk.counts->accounts_max) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
        return;
    }
    const tl_account *account = &s->engine->risk.accounts[cmd->account];
    tl_verdict verdict = {.reason = tl_step_characteristics(cmd)};
    TL_STAGE(RISK);
    if (verdict.reason == TL_REASON_NONE)
        verdict.reason = tl_risk_may_enter_plain(&s->engine->risk, instrument, account);
    tl_position *position = NULL;
    if (verdict.reason == TL_REASON_NONE) {
        position = tl_position_find(&s->engine->positions, cmd->account, cmd->instrument);
        if (passes_limits(s, instrument, position, &verdict))
            position = find_room(s, position, &verdict);
    }
    if (verdict.reason != TL_REASON_NONE) {
        if (account->entry_status == 0) /* which no order passes, so asked here alone */
            tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
        else if (verdict.reason == TL_GOES_SPECIAL)
            tl_enter_among_specials(*s, instrument, account);
        else
            tl_refuse(s, TL_EXEC_TYPE_REJECTED, &verdict);
        return;
    }
    tl_terms terms = {(uint32_t)cmd->price, cmd->ord_type, cmd->time_in_force};
    if (cmd->ord_type == TL_ORD_TYPE_MARKET)
        terms.price =
            (uint32_t)tl_risk_protection_price(instrument, cmd->side == TL_SIDE_BUY);
    tl_match(s, tl_accept(s, position, (uint32_t)cmd->price, 0), &terms);
}

/* A new order with terms, or without them where the instrument has other special orders: what goes
 * together, and may it come in?
 * Rules 8.1 to 8.12 of docs/rules.md, between those of section 2. */
#include "touchline/core/expiry.h"
#include "touchline/core/linked.h"
#include "touchline/core/phases.h"
#include "touchline/core/trailing.h"

static bool is_known_type(uint8_t ord_type)
{
    return ord_type == TL_ORD_TYPE_MARKET || ord_type == TL_ORD_TYPE_LIMIT ||
           ord_type == TL_ORD_TYPE_STOP || ord_type == TL_ORD_TYPE_STOP_LIMIT ||
           ord_type == TL_ORD_TYPE_MARKET_IF_TOUCHED || ord_type == TL_ORD_TYPE_MARKET_TO_LIMIT ||
           ord_type == TL_ORD_TYPE_LIMIT_IF_TOUCHED;
}

static bool is_limited(uint8_t ord_type)
{
    return ord_type == TL_ORD_TYPE_LIMIT || ord_type == TL_ORD_TYPE_STOP_LIMIT ||
           ord_type == TL_ORD_TYPE_LIMIT_IF_TOUCHED;
}

/* Rule 2.1, with the types and times that need terms. */
static uint8_t characteristics(const tl_command *cmd)
{
    tl_command plain = *cmd;
    plain.flags = 0;
    if ((cmd->flags & TL_FLAG_SPECIAL) != 0 && is_known_type(cmd->ord_type))
        plain.ord_type = TL_ORD_TYPE_LIMIT;
    if ((cmd->flags & TL_FLAG_SPECIAL) != 0 && cmd->time_in_force == TL_TIME_IN_FORCE_GTD)
        plain.time_in_force = TL_TIME_IN_FORCE_GTC;
    uint8_t reason = tl_step_characteristics(&plain);
    return reason == TL_GOES_SPECIAL ? TL_REASON_NONE : reason; /* a time in force for auctions */
}

/* Rule 8.9: what came before it; nothing where it says so, or where another's came. */
static const tl_sent_terms *more_of(const tl_step *s)
{
    static const tl_sent_terms nothing;
    const tl_command *cmd = s->cmd;
    if ((cmd->flags & TL_FLAG_SPECIAL) == 0 || cmd->field != TL_MORE_TERMS)
        return &nothing;
    const tl_sent_terms *last = &s->engine->state->more[tl_lane_of(cmd)];
    return last->cl_ord_id == cmd->cl_ord_id ? last : NULL;
}

static tl_special terms_of(const tl_command *cmd, const tl_sent_terms *more)
{
    if ((cmd->flags & TL_FLAG_SPECIAL) == 0)
        return (tl_special){0};
    bool waits = cmd->ord_type != TL_ORD_TYPE_LIMIT && cmd->ord_type != TL_ORD_TYPE_MARKET &&
                 cmd->ord_type != TL_ORD_TYPE_MARKET_TO_LIMIT;
    bool whole = more != NULL && (more->flags & TL_TERMS_FLAG_ALL_OR_NONE) != 0;
    return (tl_special){.display_qty = cmd->display_qty,
                        .stop_price = cmd->stop_price,
                        .trail = more != NULL ? tl_trail_of(more) : 0,
                        .ord_type = cmd->ord_type,
                        .flags = (uint8_t)((cmd->flags & TL_SPECIAL_FLAGS) |
                                           (waits ? TL_WAITING : 0) |
                                           (whole ? TL_ALL_OR_NONE | TL_FLAG_HIDDEN : 0))};
}

/* Rule 8.1: do the terms go with each other and with the order? */
static bool fit(const tl_command *cmd, const tl_special *terms)
{
    bool waits = (terms->flags & TL_WAITING) != 0, hidden = (terms->flags & TL_FLAG_HIDDEN) != 0;
    bool post_only = (terms->flags & TL_FLAG_POST_ONLY) != 0;
    bool slides = (terms->flags & TL_FLAG_SLIDE) != 0, iceberg = terms->display_qty != 0;
    bool rests = tl_time_rests(cmd->time_in_force);
    bool to_limit = cmd->ord_type == TL_ORD_TYPE_MARKET_TO_LIMIT;
    if (waits != (terms->stop_price != 0) || (slides && !post_only) || (iceberg && hidden))
        return false;
    if ((waits || iceberg || hidden || post_only || to_limit) && !rests)
        return false;
    if ((iceberg || hidden) && !is_limited(cmd->ord_type) && !to_limit)
        return false;
    return !post_only || cmd->ord_type == TL_ORD_TYPE_LIMIT;
}

/* Rules 8.9 to 8.12: do those that came before it? */
static bool more_fits(const tl_command *cmd, const tl_special *terms, const tl_sent_terms *more)
{
    bool expires = cmd->time_in_force == TL_TIME_IN_FORCE_GTD;
    if (cmd->field == TL_MORE_NONE)
        return !expires;
    bool whole = (terms->flags & TL_ALL_OR_NONE) != 0;
    bool waits = (terms->flags & TL_WAITING) != 0;
    bool post_only = (terms->flags & TL_FLAG_POST_ONLY) != 0;
    if (cmd->field > TL_MORE_TERMS ||
        more->flags > (TL_TERMS_FLAG_ALL_OR_NONE | TL_TERMS_FLAG_TRAIL_BASIS_POINTS) ||
        expires != (more->expire_ns != 0))
        return false;
    if (more->min_qty != 0 && (waits || post_only || whole || more->min_qty > cmd->qty))
        return false;
    if (!tl_link_fits(cmd, terms, more) || !tl_trail_fits(cmd, more))
        return false;
    return !whole || (cmd->ord_type == TL_ORD_TYPE_LIMIT && !post_only &&
                      terms->display_qty == 0 && tl_time_rests(cmd->time_in_force));
}

uint32_t tl_post_only_price(const tl_step *s, uint16_t instrument, uint8_t side, uint8_t flags,
                            int64_t price, tl_verdict *verdict)
{
    const tl_instrument *listed = &s->engine->risk.instruments[instrument];
    unsigned makers = !tl_side_index(side);
    uint32_t best = tl_best_of_all(s->shelf, instrument, makers);
    bool buy = side == TL_SIDE_BUY;
    if (best == 0 || (buy ? price < best : price > best))
        return (uint32_t)price;
    int64_t slid = buy ? (int64_t)best - 1 : (int64_t)best + 1;
    if ((flags & TL_FLAG_SLIDE) != 0 && slid >= listed->price_min && slid <= listed->price_max)
        return (uint32_t)slid;
    *verdict = (tl_verdict){TL_REASON_WOULD_TRADE, price, best};
    return 0;
}

/* An order on its way in. */
typedef struct entrant {
    const tl_step *s;
    const tl_instrument *instrument;
    tl_position *position;
    tl_special terms;
    const tl_sent_terms *more; /* that came before it; NULL: another order's did */
    uint32_t other;            /* that it is linked with; TL_NONE: none */
    uint32_t price; /* as it will stand, 0 for none */
    tl_verdict verdict;
} entrant;

static bool refuse(entrant *e, uint8_t reason, int64_t value, int64_t limit)
{
    return tl_risk_refuse(&e->verdict, reason, value, limit);
}

/* Rules 8.3, 8.4 and 8.6. */
static bool terms_pass(entrant *e)
{
    const tl_command *cmd = e->s->cmd;
    const tl_instrument *instrument = e->instrument;
    int64_t stop = e->terms.stop_price;
    if (stop != 0 && stop < instrument->price_min)
        return refuse(e, TL_REASON_PRICE_BELOW_MIN, stop, instrument->price_min);
    if (stop != 0 && stop > instrument->price_max)
        return refuse(e, TL_REASON_PRICE_ABOVE_MAX, stop, instrument->price_max);
    if (stop != 0 && instrument->reference_price == 0)
        return refuse(e, TL_REASON_NO_REFERENCE_PRICE, 0, 0);
    if (e->terms.trail != 0)
        e->terms.stop_price =
            tl_trailed(&e->terms, cmd->side, (uint32_t)instrument->reference_price);
    if (!tl_display_passes(&e->terms, cmd->qty, &e->verdict))
        return false;
    e->price = (uint32_t)cmd->price;
    if ((e->terms.flags & TL_FLAG_POST_ONLY) != 0)
        e->price = tl_post_only_price(e->s, cmd->instrument, cmd->side, e->terms.flags,
                                      cmd->price, &e->verdict);
    return e->verdict.reason == TL_REASON_NONE;
}

/* Rule 9.7: at the closing price, and with nobody at a better one. */
static bool closing_price_passes(entrant *e)
{
    const tl_command *cmd = e->s->cmd;
    int64_t closing = e->instrument->reference_price;
    if (e->instrument->trading_status != TL_TRADING_STATUS_CLOSING_PRICE)
        return true;
    if (closing == 0)
        return refuse(e, TL_REASON_NO_REFERENCE_PRICE, 0, 0);
    if (cmd->price != closing)
        return refuse(e, TL_REASON_NOT_CLOSING_PRICE, cmd->price, closing);
    uint32_t best = tl_best_of_all(e->s->shelf, cmd->instrument, !tl_side_index(cmd->side));
    if (best != 0 && (cmd->side == TL_SIDE_BUY ? best < closing : best > closing))
        return refuse(e, TL_REASON_NOT_CLOSING_PRICE, best, closing);
    return true;
}

/* Rules 2.3 to 2.5. */
static bool limits_pass(entrant *e)
{
    static const tl_position unset_position = {.order_qty_max = TL_LIMIT_UNSET,
                                               .order_value_max = TL_LIMIT_UNSET,
                                               .position_max = TL_LIMIT_UNSET};
    const tl_command *cmd = e->s->cmd;
    tl_risk_order order = {.instrument = e->instrument,
                           .position = e->position != NULL ? e->position : &unset_position,
                           .price = cmd->price,
                           .qty = cmd->qty,
                           .open_qty = cmd->qty,
                           .best_bid = tl_best_of_all(e->s->shelf, cmd->instrument, 0),
                           .stop_price = e->terms.stop_price,
                           .buy = cmd->side == TL_SIDE_BUY,
                           .market = !is_limited(cmd->ord_type)};
    if (!tl_risk_in_range(&order, &e->verdict) || !closing_price_passes(e) || !terms_pass(e))
        return false;
    order.price = e->price;
    order.stop_price = e->terms.stop_price;
    return tl_risk_within_limits(&order, &e->verdict);
}

/* Rules 8.7, 8.10 and 8.12. */
static bool room_for_terms(entrant *e)
{
    const tl_engine *engine = e->s->engine;
    uint32_t chain_max = tl_chain_max(engine->state->capacities.orders_max);
    e->terms.chain = tl_chain_of(&e->terms, (uint32_t)e->s->cmd->qty);
    if (tl_chain_taken(engine->state) + e->terms.chain > chain_max)
        return refuse(e, TL_REASON_CHAIN_FULL, 0, chain_max);
    if (e->more->expire_ns != 0 && tl_expiries_full(engine))
        return refuse(e, TL_REASON_EXPIRIES_FULL, 0, chain_max);
    if ((e->terms.flags & TL_ALL_OR_NONE) != 0 && e->instrument->wholes == TL_ALL_OR_NONE_MAX)
        return refuse(e, TL_REASON_ALL_OR_NONE_FULL, 0, TL_ALL_OR_NONE_MAX);
    if (e->terms.trail != 0 && e->instrument->trailing == TL_TRAILING_MAX)
        return refuse(e, TL_REASON_TRAILING_FULL, 0, TL_TRAILING_MAX);
    return true;
}

/* Rules 2.6, 2.7 and those of terms; gives the account a place for its position if all is well. */
static bool room_found(entrant *e)
{
    const tl_engine *engine = e->s->engine;
    const tl_command *cmd = e->s->cmd;
    const tl_engine_capacities *capacities = &engine->state->capacities;
    const tl_position_counts *counts = engine->positions.counts;
    if (tl_orders_full(e->s->shelf->pools))
        return refuse(e, TL_REASON_ORDERS_FULL, 0, capacities->orders_max);
    if (!room_for_terms(e))
        return false;
    if (e->position == NULL && counts->positions_used == counts->positions_max)
        return refuse(e, TL_REASON_POSITIONS_FULL, 0, capacities->positions_max);
    bool apart = tl_is_apart(&e->terms);
    tl_place place = tl_place_with(e->s->shelf, cmd->instrument, cmd->side, &e->terms, e->price);
    if ((apart || (place.price != 0 && tl_time_rests(cmd->time_in_force))) &&
        !tl_book_has_room(e->s->shelf, place.book, place.price))
        return refuse(e, TL_REASON_LEVELS_FULL, 0, capacities->price_blocks_max);
    if (e->position == NULL)
        e->position = tl_position_need(&engine->positions, cmd->account, cmd->instrument);
    return true;
}

static bool terms_fit(entrant *e)
{
    const tl_step *s = e->s;
    if (e->more == NULL || !fit(s->cmd, &e->terms) || !more_fits(s->cmd, &e->terms, e->more))
        return refuse(e, TL_REASON_INVALID_TERMS, 0, 0);
    if (e->more->expire_ns != 0 && e->more->expire_ns <= s->cmd->ts_ns)
        return refuse(e, TL_REASON_EXPIRE_TIME, e->more->expire_ns, s->cmd->ts_ns);
    return true;
}

static bool passes(entrant *e, const tl_account *account)
{
    const tl_command *cmd = e->s->cmd;
    e->verdict.reason = characteristics(cmd);
    if (e->verdict.reason != TL_REASON_NONE)
        return false;
    if (e->terms.flags != 0 && !terms_fit(e))
        return false;
    if (e->instrument->allocated != 0 &&
        ((e->terms.flags & (TL_WAITING | TL_ALL_OR_NONE)) != 0 || e->more->contingency != 0))
        return refuse(e, TL_REASON_NOT_ALLOCATED, 0, 0);
    if (e->s->engine->state->expiries != 0)
        tl_expire_due(e->s);
    if (e->more->contingency != 0 && !tl_link_find(e->s, e->more, &e->terms, &e->other))
        return refuse(e, TL_REASON_NOT_LINKED, 0, 0);
    e->verdict.reason = tl_risk_may_enter(&e->s->engine->risk, e->instrument, account);
    if (e->verdict.reason != TL_REASON_NONE)
        return false;
    uint8_t phase = e->instrument->trading_status;
    if (!tl_phase_takes(phase, cmd, &e->terms) ||
        (e->more->min_qty != 0 && tl_phase_is_call(phase)))
        return refuse(e, TL_REASON_NOT_IN_PHASE, phase, 0);
    tl_phase_place(phase, cmd, &e->terms);
    e->position = tl_position_find(&e->s->engine->positions, cmd->account, cmd->instrument);
    return limits_pass(e) && room_found(e);
}

void tl_enter_among_specials(tl_step step, const tl_instrument *instrument,
                             const tl_account *account)
{
    entrant e = {.s = &step, .instrument = instrument, .more = more_of(&step)};
    e.terms = terms_of(step.cmd, e.more);
    TL_STAGE(RISK);
    if (!passes(&e, account)) {
        tl_refuse(&step, TL_EXEC_TYPE_REJECTED, &e.verdict);
        return;
    }
    TL_STAGE(MATCH);
    uint32_t slot =
        tl_accept(&step, e.position, e.price,
                  (uint8_t)(TL_FLAG_SPECIAL | (e.terms.flags & TL_SPECIAL_FLAGS)));
    if (e.terms.flags != 0)
        tl_special_set(&step, slot, &e.terms);
    if (e.more->expire_ns != 0)
        tl_expiry_add(step.engine, slot, e.more->expire_ns);
    if (e.terms.trail != 0)
        step.engine->risk.instruments[step.cmd->instrument].trailing++;
    if (e.more->contingency != 0)
        tl_link_set(&step, slot, e.other);
    tl_meeting m = {.s = &step, .own = slot, .min_qty = e.more->min_qty};
    if ((e.terms.flags & (TL_COLLECTED | TL_PARKED)) != 0 ||
        (e.terms.linked & TL_LINK_HELD) != 0 ||
        ((e.terms.flags & TL_WAITING) != 0 && tl_phase_is_call(instrument->trading_status))) {
        tl_stand(&step, slot);
        tl_work_off_triggers(&m, step.cmd->instrument);
    } else {
        tl_special_arrive(&m, slot);
    }
}

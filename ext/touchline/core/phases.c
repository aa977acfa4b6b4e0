/* From phase to phase: rules 9.1 to 9.3, 9.5 and 9.6 of docs/rules.md.
 *
 *   into a call phase ──► what the book holds leaves it and is collected
 *   out of one ─────────► uncrossed (auction.c); what is left goes into the book, or off; then
 *                         whoever waits for the price, if trading goes on
 *   halted ─────────────► everything stays where it is
 */
#include "touchline/core/phases.h"

#include "touchline/core/expiry.h"

/* ── what a phase takes ────────────────────────────────────────────────────────────────────── */

bool tl_phase_takes(uint8_t status, const tl_command *cmd, const tl_special *terms)
{
    uint8_t time = cmd->time_in_force;
    bool at_once = time == TL_TIME_IN_FORCE_IOC || time == TL_TIME_IN_FORCE_FOK;
    if (tl_phase_is_call(status)) {
        bool opening = status == TL_TRADING_STATUS_PRE_OPEN ||
                       status == TL_TRADING_STATUS_OPENING_AUCTION;
        return !at_once && (terms->flags & (TL_FLAG_POST_ONLY | TL_ALL_OR_NONE)) == 0 &&
               (opening || time != TL_TIME_IN_FORCE_AT_OPEN);
    }
    if (status == TL_TRADING_STATUS_CLOSING_PRICE)
        return (time == TL_TIME_IN_FORCE_IOC || tl_time_rests(time)) &&
               cmd->ord_type == TL_ORD_TYPE_LIMIT && terms->flags == 0;
    return time != TL_TIME_IN_FORCE_AT_OPEN && time != TL_TIME_IN_FORCE_AUCTION;
}

void tl_phase_place(uint8_t status, const tl_command *cmd, tl_special *terms)
{
    bool parked = cmd->time_in_force == TL_TIME_IN_FORCE_AT_CLOSE &&
                  status != TL_TRADING_STATUS_CLOSING_AUCTION;
    bool collected =
        tl_phase_is_call(status) && !parked && (terms->flags & TL_WAITING) == 0;
    if ((!parked && !collected) || (terms->linked & TL_LINK_HELD) != 0)
        return;
    terms->flags |= (uint8_t)(TL_FLAG_SPECIAL | (parked ? TL_PARKED : TL_COLLECTED));
    terms->ord_type = cmd->ord_type;
}

/* ── collected ─────────────────────────────────────────────────────────────────────────────── */

/* An order that has left its place takes another, if that has room. */
static bool stands(const tl_meeting *m, uint32_t slot, const tl_special *terms)
{
    const tl_shelf *shelf = m->s->shelf;
    const tl_order *order = &shelf->orders[slot];
    tl_place place =
        tl_place_with(shelf, order->instrument, order->side, terms, order->price);
    if (!tl_book_has_room(shelf, place.book, place.price)) {
        tl_special_take_off(m, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_LEVELS_FULL);
        return false;
    }
    tl_special_set(m->s, slot, terms);
    tl_stand(m->s, slot);
    return true;
}

static void collect(const tl_meeting *m, uint32_t slot)
{
    const tl_shelf *shelf = m->s->shelf;
    tl_special terms = shelf->special[slot];
    bool shown = (terms.flags & (TL_FLAG_HIDDEN | TL_APART_FLAGS)) == 0;
    tl_step_aside(m->s, slot);
    if (terms.flags == 0)
        terms.ord_type = TL_ORD_TYPE_LIMIT;
    terms.reserve = 0;
    terms.flags = (uint8_t)((terms.flags & ~TL_APART_FLAGS) | TL_FLAG_SPECIAL);
    tl_special_set(m->s, slot, &terms);
    terms.flags |= TL_COLLECTED;
    if (stands(m, slot, &terms) && shown) {
        tl_event *event = tl_special_event_begin(m, TL_EXEC_TYPE_RESTATED, slot);
        event->leaves_qty = shelf->orders[slot].leaves_qty;
        tl_event_publish(m->s, event);
    }
}

/* A side of a book, level by level from the best, oldest first. */
static void each(const tl_meeting *m, const tl_book *book, unsigned side_index,
                 void (*act)(const tl_meeting *, uint32_t))
{
    const tl_shelf *shelf = m->s->shelf;
    while (book->best[side_index].level != TL_NONE) {
        uint32_t slot = tl_level_head(shelf, book->best[side_index].level);
        tl_ask_for_next(shelf, slot);
        act(m, slot);
    }
}

static void collect_all(const tl_meeting *m, uint16_t instrument, uint8_t status)
{
    const tl_shelf *shelf = m->s->shelf;
    const tl_book *hidden = tl_unseen_book(shelf, instrument, TL_UNSEEN_HIDDEN);
    each(m, &shelf->books[instrument], 0, collect);
    each(m, &shelf->books[instrument], 1, collect);
    each(m, hidden, 0, collect);
    each(m, hidden, 1, collect);
    if (status != TL_TRADING_STATUS_CLOSING_AUCTION)
        return;
    each(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_PARKED_BUY), 1, collect);
    each(m, tl_unseen_book(shelf, instrument, TL_UNSEEN_PARKED_SELL), 1, collect);
}

/* ── uncrossed ─────────────────────────────────────────────────────────────────────────────── */

static void tell(const tl_step *s, uint8_t exec_type, const tl_crossing *crossing)
{
    tl_event *event = tl_event_begin(s, exec_type);
    bool to_buy = crossing->bought > crossing->sold;
    event->price = crossing->price;
    event->volume = (int64_t)tl_crossing_volume(crossing);
    event->surplus = to_buy ? crossing->bought - crossing->sold : crossing->sold - crossing->bought;
    if (event->surplus != 0)
        event->side = to_buy ? TL_SIDE_BUY : TL_SIDE_SELL;
    tl_event_publish(s, event);
}

/* Rule 9.5: what the uncross has left of an order goes into the book, without terms where it has
 * none of its own, or off. */
static void let_go(const tl_meeting *m, uint32_t slot)
{
    const tl_shelf *shelf = m->s->shelf;
    tl_order *order = &shelf->orders[slot];
    tl_special terms = shelf->special[slot];
    tl_step_aside(m->s, slot);
    if (order->price == 0 && terms.ord_type == TL_ORD_TYPE_MARKET_TO_LIMIT && m->traded)
        order->price = m->low;
    if (order->price == 0) {
        tl_special_take_off(m, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_MARKET_REMAINDER);
        return;
    }
    if (!tl_time_rests(tl_order_time_in_force(order))) {
        tl_special_take_off(m, slot, TL_EXEC_TYPE_CANCELED, TL_REASON_AUCTION_REMAINDER);
        return;
    }
    terms.flags &= (uint8_t)~TL_COLLECTED;
    if (terms.flags == TL_FLAG_SPECIAL && terms.display_qty == 0 && terms.expiry == 0 &&
        terms.linked == 0 && terms.ord_type == TL_ORD_TYPE_LIMIT)
        terms = (tl_special){0};
    if (stands(m, slot, &terms) && (terms.flags & TL_FLAG_HIDDEN) == 0)
        tl_restated(m, slot);
}

static void uncross(tl_meeting *m, uint16_t instrument)
{
    const tl_step *s = m->s;
    const tl_book *buys = tl_unseen_book(s->shelf, instrument, TL_UNSEEN_CALL_BUY);
    const tl_book *sells = tl_unseen_book(s->shelf, instrument, TL_UNSEEN_CALL_SELL);
    if (buys->best[1].level == TL_NONE && sells->best[1].level == TL_NONE)
        return;
    const tl_crossing crossing = tl_auction_price(s->engine, instrument);
    tell(s, TL_EXEC_TYPE_UNCROSSED, &crossing);
    tl_auction_trade(m, &crossing);
    m->traded = crossing.price != 0;
    m->low = m->high = m->first = m->last = crossing.price;
    each(m, buys, 1, let_go);
    each(m, sells, 1, let_go);
}

/* ── the command ───────────────────────────────────────────────────────────────────────────── */

static bool is_status(uint8_t field)
{
#define TL_IS_STATUS(set, name, value) || field == (value)
    return false TL_TRADING_STATUSES(TL_IS_STATUS);
#undef TL_IS_STATUS
}

/* Rule 9.6: may the phase end now, and what is said of the next one's end? */
static bool change_passes(const tl_command *cmd, const tl_instrument *instrument,
                          tl_verdict *verdict)
{
    if (cmd->field != TL_TRADING_STATUS_HALTED && instrument->ends_ns != 0 &&
        cmd->ts_ns < instrument->ends_ns)
        return tl_risk_refuse(verdict, TL_REASON_TOO_EARLY, cmd->ts_ns, 0);
    if (!tl_phase_is_auction(cmd->field))
        return true;
    if (cmd->price < 0)
        return tl_risk_refuse(verdict, TL_REASON_INVALID_LIMIT, cmd->price, 0);
    if (cmd->qty < 0)
        return tl_risk_refuse(verdict, TL_REASON_INVALID_LIMIT, cmd->qty, 0);
    if (cmd->price > INT64_MAX - cmd->qty)
        return tl_risk_refuse(verdict, TL_REASON_INVALID_LIMIT, cmd->price, INT64_MAX - cmd->qty);
    return true;
}

static int64_t drawn_end(const tl_command *cmd)
{
    uint64_t drawn = tl_mix(tl_mix(0, cmd->order_id), cmd->instrument);
    return cmd->price + (int64_t)(drawn % ((uint64_t)cmd->qty + 1));
}

static void tell_indicative(const tl_step *s)
{
    const tl_crossing crossing = tl_auction_price(s->engine, s->cmd->instrument);
    tell(s, TL_EXEC_TYPE_INDICATIVE, &crossing);
}

static void enter_phase(const tl_step *s, uint8_t status)
{
    uint16_t number = s->cmd->instrument;
    tl_meeting m = {.s = s, .own = TL_NONE};
    if (tl_phase_is_call(status))
        collect_all(&m, number, status);
    else if (status != TL_TRADING_STATUS_HALTED)
        uncross(&m, number);
    tl_work_off_triggers(&m, number);
    if (tl_phase_is_auction(status))
        tell_indicative(s);
}

void tl_step_security_status(const tl_step *s)
{
    tl_instrument *instrument = tl_listed(s->engine, s->cmd->instrument);
    uint8_t status = s->cmd->field;
    tl_verdict verdict = {0};
    if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, s->cmd->instrument, 0);
        return;
    }
    if (!is_status(status)) {
        tl_reject(s, TL_REASON_INVALID_FIELD, status, 0);
        return;
    }
    const bool again = status == instrument->trading_status;
    if (!again && !change_passes(s->cmd, instrument, &verdict)) {
        tl_refuse(s, TL_EXEC_TYPE_REJECTED, &verdict);
        return;
    }
    if (s->engine->state->expiries != 0)
        tl_expire_due(s);
    if (again && tl_phase_is_auction(status)) {
        tell_indicative(s);
        return;
    }
    if (!again)
        instrument->ends_ns = tl_phase_is_auction(status) ? drawn_end(s->cmd) : 0;
    instrument->trading_status = status;
    tl_gate_set(instrument);
    tl_event *event = tl_event_begin(s, TL_EXEC_TYPE_SECURITY_STATUS);
    event->qty = status;
    tl_event_publish(s, event);
    enter_phase(s, status);
}

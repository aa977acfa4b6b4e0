/* What an account wants of its own orders that meet, and how an instrument shares out its trades:
 * rules 10.1 and 11.1 of docs/rules.md. */
#include "touchline/core/commands.h"
#include "touchline/core/phases.h"

static void told(const tl_step *s, uint32_t qty, uint32_t place)
{
    tl_event *event = tl_event_begin(s, s->cmd->type);
    event->value = s->cmd->price;
    event->qty = qty;
    event->leaves_qty = place;
    event->reason = s->cmd->type == TL_MSG_TYPE_ALLOCATION ? s->cmd->field : 0;
    tl_event_publish(s, event);
}

void tl_step_self_trade(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    tl_account *account = tl_opened(s->engine, cmd->account);
    if (account == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
    } else if (cmd->field > TL_SELF_TRADE_CANCEL_SMALLER) {
        tl_reject(s, TL_REASON_INVALID_FIELD, cmd->field, 0);
    } else if (cmd->price < 0 || cmd->price > TL_GROUP_MAX) {
        tl_reject(s, TL_REASON_INVALID_LIMIT, cmd->price, cmd->price < 0 ? 0 : TL_GROUP_MAX);
    } else {
        account->self_trade = cmd->field;
        account->group = (uint32_t)cmd->price;
        told(s, cmd->field, 0);
    }
}

/* ── allocation ────────────────────────────────────────────────────────────────────────────── */

static bool has_orders(const tl_shelf *shelf, uint16_t instrument)
{
    const tl_book *unseen = &shelf->unseen[(size_t)instrument * TL_UNSEEN_BOOKS];
    bool any = false;
    for (unsigned side = 0; side < 2; side++) {
        any |= shelf->books[instrument].best[side].level != TL_NONE;
        for (unsigned which = 0; which < TL_UNSEEN_BOOKS; which++)
            any |= unseen[which].best[side].level != TL_NONE;
    }
    return any;
}

/* A number of a step, from 1 to `highest`; 0 where it has none. */
static bool number_passes(const tl_step *s, int64_t number, int64_t highest)
{
    if (number >= (highest != 0) && number <= highest)
        return true;
    tl_reject(s, TL_REASON_INVALID_LIMIT, number, number > highest ? highest : highest != 0);
    return false;
}

/* Is it a step, is it the next or the first, and are its numbers such as its kind has? */
static bool step_passes(const tl_step *s, const tl_allocation *now)
{
    const tl_command *cmd = s->cmd;
    const uint8_t kind = cmd->field;
    const bool lots = kind == TL_ALLOCATION_TOP || kind == TL_ALLOCATION_PRO_RATA;
    if (kind < TL_ALLOCATION_FIFO || kind > TL_ALLOCATION_LEVELLING) {
        tl_reject(s, TL_REASON_INVALID_FIELD, kind, 0);
        return false;
    }
    if (cmd->side >= TL_ALLOCATION_STEPS_MAX || (cmd->side != 0 && cmd->side != now->count)) {
        tl_reject(s, TL_REASON_INVALID_FIELD, cmd->side, 0);
        return false;
    }
    if (kind == TL_ALLOCATION_MARKET_MAKER && tl_opened(s->engine, cmd->account) == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0);
        return false;
    }
    return number_passes(s, cmd->price, lots ? TL_QTY_MAX : 0) &&
           number_passes(s, cmd->qty, lots                                ? TL_QTY_MAX
                                      : kind == TL_ALLOCATION_LEVELLING ? 0
                                                                          : 100);
}

void tl_step_allocation(const tl_step *s)
{
    const tl_command *cmd = s->cmd;
    tl_instrument *instrument = tl_listed(s->engine, cmd->instrument);
    if (instrument == NULL) {
        tl_reject(s, TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0);
        return;
    }
    tl_allocation *now = &s->engine->risk.allocations[cmd->instrument];
    if (!step_passes(s, now))
        return;
    if (has_orders(s->shelf, cmd->instrument)) {
        tl_reject(s, TL_REASON_ORDERS_OPEN, cmd->instrument, 0);
        return;
    }
    if (cmd->side == 0)
        *now = (tl_allocation){0};
    const bool of_account = cmd->field == TL_ALLOCATION_MARKET_MAKER;
    now->steps[now->count++] = (tl_allocation_step){.account = of_account ? cmd->account : 0,
                                                    .least = (uint32_t)cmd->price,
                                                    .amount = (uint32_t)cmd->qty,
                                                    .kind = cmd->field};
    instrument->allocated = now->count != 1 || cmd->field != TL_ALLOCATION_FIFO || cmd->qty != 100;
    tl_gate_set(instrument);
    told(s, (uint32_t)cmd->qty, cmd->side);
}

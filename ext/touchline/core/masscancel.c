/* Many orders taken off at once: rule 4.6 of docs/rules.md.
 *
 *   of one instrument ─► its book, level by level from the touch: what is walked goes
 *   of one account    ─► its positions say how many lots it has open; its orders are looked for
 *                        among the owners of slots, eight bytes each, until these lots are found
 *   of the venue      ─► the slots, until all orders that are open have been seen
 *
 * No chain leads from an account to its orders: it would cost every order more than this costs the
 * few requests that name one (docs/decisions/0010-a-mass-cancel-finds-its-orders.md).
 */
#include "touchline/core/linked.h"

/* Rule 4.6: what is wrong with the filter, if anything. */
static bool mass_cancel_valid(const tl_step *s, tl_verdict *verdict)
{
    const tl_command *cmd = s->cmd;
    if (cmd->instrument != TL_INSTRUMENT_ALL && tl_listed(s->engine, cmd->instrument) == NULL)
        *verdict = (tl_verdict){TL_REASON_UNKNOWN_SYMBOL, cmd->instrument, 0};
    else if (cmd->account != TL_ACCOUNT_ALL && tl_opened(s->engine, cmd->account) == NULL)
        *verdict = (tl_verdict){TL_REASON_UNKNOWN_ACCOUNT, cmd->account, 0};
    else {
        tl_command any = *cmd;
        any.flags = 0;
        any.ord_type = TL_ORD_TYPE_LIMIT;
        any.side = cmd->side != 0 ? cmd->side : TL_SIDE_BUY;
        if (cmd->time_in_force == 0 || cmd->time_in_force == TL_TIME_IN_FORCE_GTD)
            any.time_in_force = TL_TIME_IN_FORCE_DAY;
        verdict->reason = tl_step_characteristics(&any);
        if (verdict->reason == TL_GOES_SPECIAL) /* a time in force for auctions */
            verdict->reason = TL_REASON_NONE;
    }
    return verdict->reason == TL_REASON_NONE;
}

static bool means_side(const tl_command *cmd, uint8_t side)
{
    return cmd->side == 0 || cmd->side == side;
}

/* Taken off when its time in force is meant; returns whether it was. */
static bool take_off(const tl_step *s, uint32_t slot)
{
    uint8_t time_in_force = tl_order_time_in_force(&s->shelf->orders[slot]);
    bool expire = (s->cmd->flags & TL_FLAG_EXPIRE) != 0;
    if (s->cmd->time_in_force != 0 && s->cmd->time_in_force != time_in_force)
        return false;
    uint8_t exec_type = expire ? TL_EXEC_TYPE_EXPIRED : TL_EXEC_TYPE_CANCELED;
    uint8_t reason = expire ? TL_REASON_NONE : TL_REASON_MASS_CANCEL;
    if (tl_order_is_special(&s->shelf->orders[slot])) {
        tl_cancel_among_specials(*s, slot, exec_type, reason);
        return true;
    }
    tl_canceled(s, slot, exec_type, reason);
    tl_unrest(s, slot);
    tl_order_give_back(s->shelf, slot);
    return true;
}

/* ── of one instrument ─────────────────────────────────────────────────────────────────────── */


static uint32_t cancel_side(const tl_step *s, const tl_book *book, uint8_t side)
{
    uint32_t count = 0;
    uint32_t level = book->best[tl_side_index(side)].level;
    while (level != TL_NONE) {
        uint32_t worse = tl_book_worse_level(s->shelf, side, level); /* while this one is there */
        uint32_t slot = tl_level_head(s->shelf, level);
        while (slot != TL_NONE) {
            uint32_t younger = s->shelf->orders[slot].next;
            count += take_off(s, slot);
            slot = younger;
        }
        level = worse;
    }
    return count;
}

/* What rests unseen, what waits for a stop price, first to be met first, what is collected, what
 * waits for the closing auction, what is held for another order and what trails. */
static uint32_t cancel_unseen(const tl_step *s)
{
    const size_t first = (size_t)s->cmd->instrument * TL_UNSEEN_BOOKS;
    const tl_book *books = &s->shelf->unseen[first];
    bool buy = means_side(s->cmd, TL_SIDE_BUY), sell = means_side(s->cmd, TL_SIDE_SELL);
    uint32_t count = 0;
    if (buy)
        count += cancel_side(s, &books[TL_UNSEEN_HIDDEN], TL_SIDE_BUY);
    if (sell)
        count += cancel_side(s, &books[TL_UNSEEN_HIDDEN], TL_SIDE_SELL);
    if (buy)
        count += cancel_side(s, &books[TL_UNSEEN_STOP_BUY], TL_SIDE_SELL);
    if (sell)
        count += cancel_side(s, &books[TL_UNSEEN_STOP_SELL], TL_SIDE_BUY);
    if (buy)
        count += cancel_side(s, &books[TL_UNSEEN_TOUCH_BUY], TL_SIDE_BUY);
    if (sell)
        count += cancel_side(s, &books[TL_UNSEEN_TOUCH_SELL], TL_SIDE_SELL);
    if (buy)
        count += cancel_side(s, &books[TL_UNSEEN_ALL_OR_NONE_BUY], TL_SIDE_BUY);
    if (sell)
        count += cancel_side(s, &books[TL_UNSEEN_ALL_OR_NONE_SELL], TL_SIDE_SELL);
    for (unsigned which = TL_UNSEEN_CALL_BUY; which < TL_UNSEEN_BOOKS; which++) {
        bool buys = which == TL_UNSEEN_CALL_BUY || which == TL_UNSEEN_PARKED_BUY ||
                    which == TL_UNSEEN_HELD_BUY || which == TL_UNSEEN_TRAIL_BUY;
        if (buys ? buy : sell)
            count += cancel_side(s, &books[which], TL_SIDE_SELL);
    }
    return count;
}

static uint32_t cancel_book(const tl_step *s)
{
    const tl_book *book = &s->shelf->books[s->cmd->instrument];
    uint32_t count = 0;
    if (means_side(s->cmd, TL_SIDE_BUY))
        count += cancel_side(s, book, TL_SIDE_BUY);
    if (means_side(s->cmd, TL_SIDE_SELL))
        count += cancel_side(s, book, TL_SIDE_SELL);
    return count + cancel_unseen(s);
}

/* ── of one account ────────────────────────────────────────────────────────────────────────── */

/* Lots that the request could mean: what the account has open there, on those sides. */
static uint64_t open_of(const tl_step *s, const tl_position *position)
{
    uint64_t open = 0;
    if (s->cmd->instrument != TL_INSTRUMENT_ALL && s->cmd->instrument != position->instrument)
        return 0;
    if (means_side(s->cmd, TL_SIDE_BUY))
        open += (uint64_t)position->open[0];
    if (means_side(s->cmd, TL_SIDE_SELL))
        open += (uint64_t)position->open[1];
    return open;
}

static uint64_t open_of_account(const tl_step *s)
{
    const tl_positions *positions = &s->engine->positions;
    uint64_t open = 0;
    uint32_t i = positions->newest[s->cmd->account];
    for (; i != 0; i = positions->entries[i - 1].next)
        open += open_of(s, &positions->entries[i - 1]);
    return open;
}

/* Is one of these slots, if only the last time it was used, the account's? Without a branch, so
 * that the compiler compares many at once. */
static bool any_owned(const tl_order_cold *group, uint32_t account)
{
    uint32_t found = 0;
    for (unsigned i = 0; i < TL_SLOT_GROUP; i++)
        found |= group[i].owner == account;
    return found != 0;
}

static bool means_slot(const tl_step *s, uint32_t slot)
{
    const tl_order *order = &s->shelf->orders[slot];
    return s->shelf->cold[slot].owner == s->cmd->account && order->position != TL_NONE &&
           (s->cmd->instrument == TL_INSTRUMENT_ALL || s->cmd->instrument == order->instrument) &&
           means_side(s->cmd, order->side);
}

/* Orders that end with their parent (rule 12.4), and those of them whose slots come before its own:
 * they have been passed and left. */
typedef struct children {
    uint32_t count;
    uint32_t passed;
    uint64_t lots_passed; /* of those that the request means */
} children;

static children children_of(const tl_step *s, uint32_t slot)
{
    children found = {0};
    if (!tl_order_is_special(&s->shelf->orders[slot]) || s->shelf->links[slot].child == 0)
        return found;
    uint32_t first = s->shelf->links[slot].child - 1;
    const uint32_t both[2] = {first, tl_link_partner(s->shelf, first)};
    for (unsigned i = 0; i < 2 && both[i] != TL_NONE; i++) {
        bool passed = both[i] < slot;
        found.count++;
        found.passed += passed;
        if (passed && s->cmd->account != TL_ACCOUNT_ALL && means_slot(s, both[i]))
            found.lots_passed += tl_order_leaves(s->shelf, both[i]);
    }
    return found;
}

static uint32_t cancel_account(const tl_step *s)
{
    uint32_t used = s->shelf->pools->orders_used;
    uint64_t open = open_of_account(s), kept = 0;
    uint32_t count = 0;
    for (uint32_t group = 0; open > 0; group += TL_SLOT_GROUP) {
        assert(group < used);
        if (!any_owned(&s->shelf->cold[group], s->cmd->account))
            continue;
        for (uint32_t slot = group; slot < group + TL_SLOT_GROUP && slot < used; slot++) {
            if (!means_slot(s, slot))
                continue;
            uint32_t lots = tl_order_leaves(s->shelf, slot);
            const children held = children_of(s, slot);
            bool taken = take_off(s, slot);
            count += taken;
            open -= lots;
            kept += taken ? 0 : lots;
            if (taken && held.count > 0)
                open = open_of_account(s) - (kept -= held.lots_passed);
        }
    }
    return count;
}

/* ── of the venue ──────────────────────────────────────────────────────────────────────────── */

static uint32_t cancel_venue(const tl_step *s)
{
    const tl_pools *pools = s->shelf->pools;
    uint32_t count = 0, kept = 0;
    for (uint32_t slot = 0; pools->orders_open > kept; slot++) {
        assert(slot < pools->orders_used);
        const tl_order *order = &s->shelf->orders[slot];
        if (order->position == TL_NONE)
            continue;
        const children held = children_of(s, slot);
        bool taken = means_side(s->cmd, order->side) && take_off(s, slot);
        count += taken;
        kept += !taken;
        kept -= taken ? held.passed : 0;
    }
    return count;
}

static uint32_t cancel_all_meant(const tl_step *s)
{
    if (s->cmd->account != TL_ACCOUNT_ALL)
        return cancel_account(s);
    return s->cmd->instrument != TL_INSTRUMENT_ALL ? cancel_book(s) : cancel_venue(s);
}

void tl_step_mass_cancel(tl_step step)
{
    const tl_step *s = &step;
    tl_verdict verdict = {0};
    if (!mass_cancel_valid(s, &verdict)) {
        tl_refuse(s, TL_EXEC_TYPE_REJECTED, &verdict);
        return;
    }
    uint32_t count = cancel_all_meant(s);
    tl_event *event = tl_event_begin(s, TL_EXEC_TYPE_MASS_CANCELED);
    event->qty = count;
    event->side = s->cmd->side;
    event->time_in_force = s->cmd->time_in_force;
    tl_event_publish(s, event);
}

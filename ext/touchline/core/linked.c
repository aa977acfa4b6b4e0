/* Linked orders: rules 12.1 to 12.6 of docs/rules.md.
 *
 *   links[slot]   partner ⇄ partner, parent ─► child; slots from 1, so that zeros are no links
 *   last_linked   of each lane: whom its next order may name
 *
 * A trade notes in the partner's link how many lots it loses, and whoever traded settles that: the
 * maker's partner before the next trade, the taker's when it has met the book, those of an auction
 * after its trades. An order that ends takes itself out of all links.
 */
#include "touchline/core/linked.h"

/* ── coming in ─────────────────────────────────────────────────────────────────────────────── */

bool tl_link_fits(const tl_command *cmd, const tl_special *terms, const tl_sent_terms *more)
{
    if (more->contingency == TL_CONTINGENCY_NONE)
        return more->cl_ord_link_id == 0;
    if (more->contingency > TL_CONTINGENCY_OUO_PROPORTIONAL)
        return false;
    bool triggers = more->contingency == TL_CONTINGENCY_OTO;
    if (triggers && more->cl_ord_link_id == 0)
        return true;
    if (!tl_time_rests(cmd->time_in_force) || terms->display_qty != 0 || more->min_qty != 0 ||
        (terms->flags & TL_ALL_OR_NONE) != 0)
        return false;
    if (triggers)
        return (terms->flags & TL_FLAG_POST_ONLY) == 0;
    return cmd->ord_type == TL_ORD_TYPE_LIMIT || (terms->flags & TL_WAITING) != 0;
}

/* Is the order that the lane entered last the one that is named, and in the same hands? */
static const tl_last_linked *named(const tl_step *s, const tl_sent_terms *more)
{
    const tl_last_linked *last = &s->engine->state->last_linked[tl_lane_of(s->cmd)];
    bool same = last->linked != 0 && last->cl_ord_id == more->cl_ord_link_id &&
                last->account == s->cmd->account && last->instrument == s->cmd->instrument;
    return same ? last : NULL;
}

/* Rule 12.2: may it be the partner's partner? */
static bool may_pair(const tl_shelf *shelf, uint32_t slot, uint8_t contingency)
{
    uint8_t linked = shelf->special[slot].linked;
    return shelf->links[slot].partner == 0 &&
           tl_order_leaves(shelf, slot) == shelf->cold[slot].order_qty &&
           ((linked & TL_LINK_CHILD) != 0 || tl_link_contingency(linked) == contingency);
}

bool tl_link_find(const tl_step *s, const tl_sent_terms *more, tl_special *terms, uint32_t *other)
{
    *other = TL_NONE;
    terms->linked = (uint8_t)(more->contingency << TL_LINK_CONTINGENCY);
    if (more->cl_ord_link_id == 0)
        return true;
    const tl_last_linked *last = named(s, more);
    if (last == NULL)
        return false;
    uint32_t slot = tl_order_find(s->shelf, last->order_id);
    *other = slot;
    if (more->contingency != TL_CONTINGENCY_OTO) {
        if (slot == TL_NONE || !may_pair(s->shelf, slot, more->contingency))
            return false;
        uint8_t child = s->shelf->special[slot].linked;
        if ((child & TL_LINK_CHILD) == 0)
            return true;
        bool held = (child & (TL_LINK_HELD | TL_LINK_RELEASED)) == TL_LINK_HELD;
        terms->linked |= TL_LINK_CHILD | TL_LINK_HELD;
        terms->linked |= held ? 0 : TL_LINK_RELEASED;
        return true;
    }
    if (last->linked != TL_CONTINGENCY_OTO << TL_LINK_CONTINGENCY)
        return false;
    terms->linked |= TL_LINK_CHILD | TL_LINK_HELD;
    terms->linked |= slot == TL_NONE ? TL_LINK_RELEASED : 0;
    return slot != TL_NONE || last->filled != 0;
}

void tl_link_set(const tl_step *s, uint32_t slot, uint32_t other)
{
    const tl_shelf *shelf = s->shelf;
    tl_link *link = &shelf->links[slot];
    uint8_t linked = shelf->special[slot].linked;
    if (other != TL_NONE && tl_link_contingency(linked) == TL_CONTINGENCY_OTO) {
        link->parent = other + 1;
        shelf->links[other].child = slot + 1;
    } else if (other != TL_NONE) {
        link->partner = other + 1;
        link->parent = shelf->links[other].parent;
        shelf->links[other].partner = slot + 1;
        /* From now on a child, which came as OTO, is of its partner's kind. */
        uint8_t *others = &shelf->special[other].linked;
        *others = (uint8_t)((*others & TL_LINK_STATE) | (linked & ~TL_LINK_STATE));
    }
    if ((linked & TL_LINK_RELEASED) != 0)
        s->engine->risk.instruments[s->cmd->instrument].released = 1;
    s->engine->state->last_linked[tl_lane_of(s->cmd)] =
        (tl_last_linked){.cl_ord_id = s->cmd->cl_ord_id,
                         .order_id = tl_order_id(shelf, slot),
                         .account = s->cmd->account,
                         .instrument = s->cmd->instrument,
                         .linked = linked};
}

/* ── one cancels or updates the other ──────────────────────────────────────────────────────── */

uint32_t tl_link_lots(uint8_t contingency, uint32_t leaves_qty, uint32_t qty, uint32_t before)
{
    if (contingency == TL_CONTINGENCY_OUO_ABSOLUTE)
        return qty < leaves_qty ? qty : leaves_qty;
    if (contingency == TL_CONTINGENCY_OUO_PROPORTIONAL)
        return (uint32_t)((uint64_t)leaves_qty * qty / before);
    return leaves_qty;
}

uint32_t tl_link_traded(const tl_shelf *shelf, uint32_t slot, uint32_t qty)
{
    uint32_t partner = tl_link_partner(shelf, slot);
    if (partner == TL_NONE)
        return TL_NONE;
    uint32_t *less = &shelf->links[partner].less;
    uint32_t leaves_qty = shelf->orders[partner].leaves_qty;
    uint32_t rest = *less < leaves_qty ? leaves_qty - *less : 0;
    *less += tl_link_lots(tl_link_contingency(shelf->special[partner].linked), rest, qty,
                          shelf->orders[slot].leaves_qty);
    return partner;
}

/* Rule 12.3: nobody asked for it. */
static tl_event *begin(const tl_meeting *m, uint8_t exec_type, uint32_t slot)
{
    tl_event *event = tl_special_event_begin(m, exec_type, slot);
    event->cl_ord_id = 0;
    event->reason = TL_REASON_LINKED;
    return event;
}

static void tell_canceled(const tl_meeting *m, uint32_t slot)
{
    tl_event *event = begin(m, TL_EXEC_TYPE_CANCELED, slot);
    event->qty = m->s->shelf->orders[slot].leaves_qty;
    tl_event_publish(m->s, event);
}

bool tl_link_lessened(const tl_meeting *m, uint32_t slot)
{
    const tl_shelf *shelf = m->s->shelf;
    tl_order *order = &shelf->orders[slot];
    bool stands = order->level != TL_NONE;
    uint32_t less = shelf->links[slot].less;
    shelf->links[slot].less = 0;
    if (less >= order->leaves_qty) {
        if (stands)
            tl_step_aside(m->s, slot);
        tell_canceled(m, slot);
        tl_special_end(m->s, slot);
        return false;
    }
    if (less == 0)
        return true;
    if (stands)
        tl_rest_less(m->s, slot, less);
    else
        order->leaves_qty -= less;
    shelf->cold[slot].order_qty -= less;
    tl_event *event = begin(m, TL_EXEC_TYPE_REPLACED, slot);
    event->qty = shelf->cold[slot].order_qty;
    event->leaves_qty = order->leaves_qty;
    event->flags |= TL_FLAG_PRIORITY_KEPT;
    tl_event_publish(m->s, event);
    return true;
}

void tl_link_settle(const tl_meeting *m, uint32_t slot)
{
    const tl_shelf *shelf = m->s->shelf;
    if (shelf->links[slot].less != 0 && shelf->orders[slot].level != TL_NONE)
        tl_link_lessened(m, slot);
}

void tl_link_part(const tl_meeting *m, uint32_t slot)
{
    tl_step_aside(m->s, slot);
    tell_canceled(m, slot);
    tl_special_end(m->s, slot);
}

/* ── one triggers the other ────────────────────────────────────────────────────────────────── */

/* The parent has ended: all of it has traded, or it leaves nothing to release them for. */
static void child_goes(const tl_step *s, uint32_t slot, bool filled)
{
    const tl_meeting m = {.s = s, .own = TL_NONE};
    tl_link *link = &s->shelf->links[slot];
    link->parent = 0;
    tl_step_aside(s, slot);
    if (filled) {
        s->shelf->special[slot].linked |= TL_LINK_RELEASED;
        s->engine->risk.instruments[s->shelf->orders[slot].instrument].released = 1;
        tl_stand(s, slot);
        return;
    }
    tell_canceled(&m, slot);
    *link = (tl_link){0};
    tl_special_end_alone(s, slot);
}

/* Nobody can name an order that has ended, but for a parent that has traded. */
static void forget_last(const tl_step *s, uint64_t order_id, bool filled)
{
    for (uint32_t lane = 0; lane < TL_TEXT_LANES; lane++) {
        tl_last_linked *last = &s->engine->state->last_linked[lane];
        if (last->linked != 0 && last->order_id == order_id)
            last->filled = filled;
    }
}

void tl_link_end(const tl_step *s, uint32_t slot)
{
    const tl_shelf *shelf = s->shelf;
    const tl_link link = shelf->links[slot];
    bool filled = shelf->orders[slot].leaves_qty == 0 && shelf->cold[slot].order_qty > 0;
    forget_last(s, tl_order_id(shelf, slot), filled);
    shelf->links[slot] = (tl_link){0};
    if (link.partner != 0)
        shelf->links[link.partner - 1].partner = 0;
    if (link.parent != 0 && shelf->links[link.parent - 1].child == slot + 1)
        shelf->links[link.parent - 1].child = link.partner;
    tl_special_end_alone(s, slot);
    if (link.child == 0)
        return;
    uint32_t second = shelf->links[link.child - 1].partner;
    child_goes(s, link.child - 1, filled);
    if (second != 0) {
        shelf->links[second - 1].partner = filled ? link.child : 0;
        child_goes(s, second - 1, filled);
    }
}

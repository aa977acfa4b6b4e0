/* One level at a time, in steps. Section 11 of docs/rules.md.
 *
 *   lots of the order that comes ─► step ─► step ─► … ─► what is left: first in, first out
 *                                     each adds to what an order of the level is to get
 *   then each that gets any trades, the oldest first
 */
#include "touchline/core/allocation.h"

/* The level, and what is not given to anybody yet. */
typedef struct round {
    const tl_step *s;
    const tl_allocation *steps;
    uint32_t head;
    uint32_t left;
    uint16_t instrument;
    unsigned side_index;
} round;

/* What an order of the level could still get. */
static uint32_t room(const round *r, uint32_t slot)
{
    return r->s->shelf->orders[slot].leaves_qty - r->s->shelf->allotted[slot];
}

/* To one order at most so many lots; returns how many it got. */
static uint32_t give(round *r, uint32_t slot, uint32_t most)
{
    uint32_t qty = room(r, slot);
    qty = qty < most ? qty : most;
    qty = qty < r->left ? qty : r->left;
    r->s->shelf->allotted[slot] += qty;
    r->left -= qty;
    return qty;
}

static uint32_t share_of(uint32_t qty, uint32_t percent)
{
    return (uint32_t)((uint64_t)qty * percent / 100);
}

static void first_in_first_out(round *r, uint32_t share)
{
    const tl_order *orders = r->s->shelf->orders;
    for (uint32_t slot = r->head; slot != TL_NONE && share > 0; slot = orders[slot].next)
        share -= give(r, slot, share);
}

static void top(round *r, const tl_allocation_step *step)
{
    uint32_t slot = tl_allocation_top(r->s->engine, r->instrument, r->side_index);
    const tl_order *orders = r->s->shelf->orders;
    if (slot == TL_NONE || orders[slot].level != orders[r->head].level ||
        orders[slot].leaves_qty < step->least)
        return;
    give(r, slot, step->amount);
}

static void market_maker(round *r, const tl_allocation_step *step, uint32_t base)
{
    const tl_order *orders = r->s->shelf->orders;
    uint32_t share = share_of(base, step->amount);
    for (uint32_t slot = r->head; slot != TL_NONE && share > 0; slot = orders[slot].next)
        if (tl_owner(r->s, &orders[slot])->account == step->account)
            share -= give(r, slot, share);
}

/* Everybody's part of what is left now, rounded down; nothing where that is less than the least. */
static void pro_rata(round *r, const tl_allocation_step *step)
{
    const tl_order *orders = r->s->shelf->orders;
    uint64_t total = 0;
    uint32_t wanted = r->left;
    for (uint32_t slot = r->head; slot != TL_NONE; slot = orders[slot].next)
        total += room(r, slot) >= step->amount ? room(r, slot) : 0;
    for (uint32_t slot = r->head; slot != TL_NONE && total != 0; slot = orders[slot].next) {
        if (room(r, slot) < step->amount)
            continue;
        uint32_t part = (uint32_t)((uint64_t)room(r, slot) * wanted / total);
        if (part >= step->least)
            give(r, slot, part);
    }
}

/* A lot each to those who have got nothing so far, the oldest first. */
static void level(round *r)
{
    const tl_shelf *shelf = r->s->shelf;
    for (uint32_t slot = r->head; slot != TL_NONE && r->left > 0; slot = shelf->orders[slot].next)
        if (shelf->allotted[slot] == 0)
            give(r, slot, 1);
}

static void share_out(round *r)
{
    uint32_t base = 0;
    for (uint32_t i = 0; i < r->steps->count && r->left > 0; i++) {
        const tl_allocation_step *step = &r->steps->steps[i];
        bool follows = i > 0 && r->steps->steps[i - 1].kind == TL_ALLOCATION_MARKET_MAKER;
        switch (step->kind) {
        case TL_ALLOCATION_FIFO:
            first_in_first_out(r, share_of(r->left, step->amount));
            break;
        case TL_ALLOCATION_TOP:
            top(r, step);
            break;
        case TL_ALLOCATION_MARKET_MAKER:
            base = follows ? base : r->left;
            market_maker(r, step, base);
            break;
        case TL_ALLOCATION_PRO_RATA:
            pro_rata(r, step);
            break;
        default:
            level(r);
        }
    }
    first_in_first_out(r, r->left);
}

void tl_allocate(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type)
{
    const tl_shelf *shelf = m->s->shelf;
    const tl_order *first = &shelf->orders[maker];
    uint32_t level_index = first->level;
    round r = {.s = m->s,
               .steps = &m->s->engine->risk.allocations[first->instrument],
               .head = maker,
               .left = shelf->orders[slot].leaves_qty,
               .instrument = first->instrument,
               .side_index = tl_side_index(first->side)};
    uint32_t orders = tl_level_orders(shelf, level_index);
    share_out(&r);
    for (uint32_t next, at = maker; orders > 0; orders--, at = next) {
        uint32_t qty = shelf->allotted[at];
        next = shelf->orders[at].next;
        shelf->allotted[at] = 0;
        if (qty > 0)
            tl_trade_with(m, slot, at, ord_type, qty);
    }
}

/* ── who is the top order ──────────────────────────────────────────────────────────────────── */

uint32_t tl_allocation_top(const tl_engine *engine, uint16_t instrument, unsigned side_index)
{
    return tl_order_find(&engine->shelf, engine->risk.allocations[instrument].top[side_index]);
}

void tl_allocation_stands(const tl_step *s, uint32_t slot, uint32_t best)
{
    const tl_order *order = &s->shelf->orders[slot];
    unsigned side_index = tl_side_index(order->side);
    uint64_t *top = &s->engine->risk.allocations[order->instrument].top[side_index];
    uint64_t order_id = tl_order_id(s->shelf, slot);
    if (tl_key(side_index, order->price) < best)
        *top = order_id;
    else if (*top == order_id)
        *top = 0;
}

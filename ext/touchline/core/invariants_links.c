/* The invariants of linked orders: section 12 of docs/rules.md. */
#include "touchline/core/invariants.h"

#include <assert.h>

#include "touchline/core/linked.h"

/* An open order of the same account and instrument, which is linked, too. */
static void check_other(const tl_shelf *shelf, uint32_t slot, uint32_t other)
{
    assert(other < shelf->pools->orders_used && other != slot);
    assert(shelf->orders[other].position != TL_NONE);
    assert(shelf->orders[other].position == shelf->orders[slot].position);
    assert(shelf->special[other].linked != 0);
}

static void check_parent(const tl_shelf *shelf, uint32_t slot, uint32_t parent)
{
    const tl_link *links = shelf->links;
    check_other(shelf, slot, parent);
    assert(links[parent].child == slot + 1 ||
           (links[parent].child != 0 && links[links[parent].child - 1].partner == slot + 1));
    assert(links[parent].parent == 0 && links[parent].partner == 0);
    assert(links[slot].child == 0);
}

void tl_invariants_link(const tl_engine *engine, uint32_t slot)
{
    const tl_shelf *shelf = &engine->shelf;
    const tl_link *link = &shelf->links[slot];
    const uint8_t linked = shelf->special[slot].linked;
    bool child = (linked & TL_LINK_CHILD) != 0, held = (linked & TL_LINK_HELD) != 0;
    bool released = (linked & TL_LINK_RELEASED) != 0;
    assert(link->less == 0 && shelf->allotted[slot] == 0);
    assert(linked != 0 || (link->partner | link->parent | link->child) == 0);
    assert(linked == 0 || (tl_link_contingency(linked) >= TL_CONTINGENCY_OCO &&
                           tl_link_contingency(linked) <= TL_CONTINGENCY_OUO_PROPORTIONAL));
    assert((child || !held) && (held || !released));
    assert((link->parent != 0) == (held && !released));
    if (link->partner != 0) {
        check_other(shelf, slot, link->partner - 1);
        assert(shelf->links[link->partner - 1].partner == slot + 1);
        assert((shelf->special[link->partner - 1].linked & ~TL_LINK_STATE) ==
               (linked & ~TL_LINK_STATE));
    }
    if (link->parent != 0)
        check_parent(shelf, slot, link->parent - 1);
    if (link->child != 0)
        assert(shelf->links[link->child - 1].parent == slot + 1);
}

void tl_invariants_last_linked(const tl_engine *engine)
{
    for (uint32_t lane = 0; lane < TL_TEXT_LANES; lane++) {
        const tl_last_linked *last = &engine->state->last_linked[lane];
        bool open = tl_order_find(&engine->shelf, last->order_id) != TL_NONE;
        assert(last->filled <= 1 && (last->linked != 0 || last->order_id == 0));
        assert(!open || last->linked == 0 || last->filled == 0);
    }
}

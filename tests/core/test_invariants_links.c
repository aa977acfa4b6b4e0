/* The invariants of linked orders bite: whatever can be wrong in their links stops the process. */
#include "harms.h"
#include "touchline/core/linked.h"

static void enter_linked(tl_engine *engine, uint64_t cl_ord_id, uint8_t side, int64_t price,
                         uint8_t contingency, uint64_t cl_ord_link_id)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_TERMS,
                              .cl_ord_id = cl_ord_id,
                              .field = contingency,
                              .cl_ord_link_id = cl_ord_link_id});
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .cl_ord_id = cl_ord_id,
                              .side = side,
                              .ord_type = TL_ORD_TYPE_LIMIT,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .price = price,
                              .qty = 6,
                              .field = TL_MORE_TERMS,
                              .flags = TL_FLAG_SPECIAL});
}

/* Slots 6 and 7 are a pair; slot 8 holds 9 and 10, which are one, too. The last command is the
 * second's cancel of an order that holds two others. */
static tl_engine *open_linked_engine(void)
{
    tl_engine *engine = open_engine();
    enter_linked(engine, 1, TL_SIDE_SELL, 110, TL_CONTINGENCY_OCO, 0);
    enter_linked(engine, 2, TL_SIDE_BUY, 80, TL_CONTINGENCY_OCO, 1);
    for (uint64_t id = 3; id <= 6; id += 3) {
        enter_linked(engine, id, TL_SIDE_BUY, 90, TL_CONTINGENCY_OTO, 0);
        enter_linked(engine, id + 1, TL_SIDE_SELL, 120, TL_CONTINGENCY_OTO, id);
        enter_linked(engine, id + 2, TL_SIDE_SELL, 121, TL_CONTINGENCY_OUO_ABSOLUTE, id + 1);
    }
    CHECK(engine->shelf.pools->orders_open == 14);
    step(engine, (tl_command){.type = TL_MSG_TYPE_CANCEL,
                              .order_id = tl_order_id(&engine->shelf, 11)});
    CHECK(engine->shelf.pools->orders_open == 11 && engine->state->chain == 10);
    return engine;
}

static void a_partner_does_not_know_its_partner(tl_engine *e) { e->shelf.links[7].partner = 0; }
static void a_partner_is_its_own(tl_engine *e) { e->shelf.links[7].partner = 8; }
static void partners_are_of_two_kinds(tl_engine *e)
{
    e->shelf.special[7].linked = TL_CONTINGENCY_OUO_ABSOLUTE << TL_LINK_CONTINGENCY;
}
static void a_plain_order_is_linked(tl_engine *e) { e->shelf.links[1].partner = 7; }
static void an_order_is_linked_with_one_that_ended(tl_engine *e)
{
    e->shelf.links[6].partner = 13;
}
static void a_child_is_held_for_nobody(tl_engine *e) { e->shelf.links[10].parent = 0; }
static void a_parent_forgets_its_children(tl_engine *e) { e->shelf.links[8].child = 0; }
static void a_child_is_released_where_it_is_held(tl_engine *e)
{
    e->shelf.special[9].linked |= TL_LINK_RELEASED;
}
static void a_held_order_is_held_no_longer(tl_engine *e)
{
    e->shelf.special[9].linked &= (uint8_t)~TL_LINK_HELD;
}
static void an_order_is_still_to_lose_lots(tl_engine *e) { e->shelf.links[6].less = 1; }
static void a_mark_is_left(tl_engine *e) { e->shelf.allotted[6] = 1; }
static void a_lane_remembers_what_is_open_as_filled(tl_engine *e)
{
    e->state->last_linked[0].order_id = tl_order_id(&e->shelf, 6);
    e->state->last_linked[0].filled = 1;
}
static void a_child_that_ended_says_that_it_was_asked_for(tl_engine *e)
{
    (void)e, said(1)->reason = TL_REASON_NONE;
}

#define HARMS_OF_LINKS(X)                                                                          \
    X(a_partner_does_not_know_its_partner)                                                         \
    X(a_partner_is_its_own)                                                                        \
    X(partners_are_of_two_kinds)                                                                   \
    X(a_plain_order_is_linked)                                                                     \
    X(an_order_is_linked_with_one_that_ended)                                                      \
    X(a_child_is_held_for_nobody)                                                                  \
    X(a_parent_forgets_its_children)                                                               \
    X(a_child_is_released_where_it_is_held)                                                        \
    X(a_held_order_is_held_no_longer)                                                              \
    X(an_order_is_still_to_lose_lots)                                                              \
    X(a_mark_is_left)                                                                              \
    X(a_lane_remembers_what_is_open_as_filled)                                                     \
    X(a_child_that_ended_says_that_it_was_asked_for)

int main(void)
{
    tl_engine *engine = open_linked_engine();
    CHECK(!stops(engine, NULL));
#define STOPS(name) CHECK(stops(engine, name));
    HARMS_OF_LINKS(STOPS)
#undef STOPS
    tl_engine_close(engine);
    return 0;
}

/* The invariants bite: each thing that can be wrong in a state or an answer stops the process. */
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "touchline/core/book.h"
#include "touchline/core/invariants.h"
#include "touchline/core/state.h"

#define SLOTS 64u

static tl_event slots[SLOTS];
static tl_event_sink sink;
static tl_before before;
static tl_command last;

static void step(tl_engine *engine, tl_command cmd)
{
    last = cmd;
    before = tl_invariants_before(engine, &cmd, &sink);
    tl_engine_step(engine, &cmd, &sink);
    tl_invariants_answer(engine, &cmd, &sink, &before);
    tl_invariants_hold(engine);
}

static void enter(tl_engine *engine, uint32_t account, uint8_t side, int64_t price, int64_t qty)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .account = account,
                              .side = side,
                              .ord_type = TL_ORD_TYPE_LIMIT,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .price = price,
                              .qty = qty});
}

/* Slots 0 and 1 ask for 101, slot 2 for 102, slot 3 for a million; slots 4 and 5 bid; slot 6 is
 * free; accounts 0 and 1 have traded. The last command trades three lots with slot 0. */
static tl_engine *open_engine(void)
{
    tl_engine *engine;
    const tl_engine_capacities capacities = {2, 3, 16, 4, 8};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    sink = (tl_event_sink){slots, SLOTS - 1, 0};
    step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION});
    step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT});
    step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = 1});
    enter(engine, 0, TL_SIDE_SELL, 101, 5);
    enter(engine, 0, TL_SIDE_SELL, 101, 7);
    enter(engine, 1, TL_SIDE_SELL, 102, 1);
    enter(engine, 1, TL_SIDE_SELL, 1000000, 1);
    enter(engine, 1, TL_SIDE_BUY, 99, 4);
    enter(engine, 0, TL_SIDE_BUY, 98, 4);
    enter(engine, 1, TL_SIDE_BUY, 101, 3);
    return engine;
}

static void enter_special(tl_engine *engine, uint8_t ord_type, uint8_t side, uint32_t stop_price,
                          uint32_t display_qty, uint8_t flags)
{
    const bool priced = ord_type == TL_ORD_TYPE_LIMIT;
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .account = side == TL_SIDE_BUY,
                              .side = side,
                              .ord_type = ord_type,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .price = priced ? (side == TL_SIDE_BUY ? 90 : 110) : 0,
                              .qty = 6,
                              .stop_price = stop_price,
                              .display_qty = display_qty,
                              .flags = (uint8_t)(TL_FLAG_SPECIAL | flags)});
}

/* As above, and slots 6 to 12 wait, hide or show a part: one at least in each of the books. */
static tl_engine *open_special_engine(void)
{
    tl_engine *engine = open_engine();
    enter_special(engine, TL_ORD_TYPE_STOP, TL_SIDE_BUY, 105, 0, 0);
    enter_special(engine, TL_ORD_TYPE_STOP, TL_SIDE_SELL, 95, 0, 0);
    enter_special(engine, TL_ORD_TYPE_MARKET_IF_TOUCHED, TL_SIDE_BUY, 96, 0, 0);
    enter_special(engine, TL_ORD_TYPE_MARKET_IF_TOUCHED, TL_SIDE_SELL, 104, 0, 0);
    enter_special(engine, TL_ORD_TYPE_LIMIT, TL_SIDE_BUY, 0, 0, TL_FLAG_HIDDEN);
    enter_special(engine, TL_ORD_TYPE_LIMIT, TL_SIDE_SELL, 0, 2, 0);
    enter_special(engine, TL_ORD_TYPE_LIMIT, TL_SIDE_SELL, 0, 0, TL_FLAG_POST_ONLY);
    CHECK(engine->shelf.pools->orders_open == 13 && engine->risk.instruments[0].specials == 7);
    return engine;
}

typedef void (*harm)(tl_engine *engine);

static void a_level_forgets_a_lot(tl_engine *e) { e->shelf.queues[e->shelf.orders[0].level].qty--; }
static void an_order_loses_a_lot(tl_engine *e) { e->shelf.orders[2].leaves_qty++; }
static void an_order_has_nothing_left(tl_engine *e) { e->shelf.orders[2].leaves_qty = 0; }
static void an_order_has_more_than_it_asked(tl_engine *e) { e->shelf.cold[1].order_qty = 6; }
static void a_queue_is_not_linked_back(tl_engine *e) { e->shelf.orders[1].prev = TL_NONE; }
static void a_queue_ends_early(tl_engine *e) { e->shelf.orders[0].next = TL_NONE; }
static void a_queue_is_a_ring(tl_engine *e) { e->shelf.orders[1].next = 0; }
static void an_order_is_at_another_price(tl_engine *e) { e->shelf.orders[2].price++; }
static void an_order_is_on_the_other_side(tl_engine *e) { e->shelf.orders[2].side = TL_SIDE_BUY; }
static void an_order_is_of_another_book(tl_engine *e) { e->shelf.orders[2].instrument = 1; }
static void an_order_is_nobodys(tl_engine *e) { e->shelf.orders[2].position = 3; }
static void an_immediate_order_rests(tl_engine *e)
{
    e->shelf.orders[2].time_in_force = TL_TIME_IN_FORCE_IOC;
}
static void the_book_is_crossed(tl_engine *e)
{
    uint32_t level = e->shelf.books[0].best[0].level;
    e->shelf.blocks[level / TL_BLOCK_LEVELS].number += 2;
}
static void the_touch_is_worse_than_the_best(tl_engine *e)
{
    e->shelf.books[0].best[1].level = e->shelf.orders[2].level;
    e->shelf.books[0].best[1].key = 102;
}
static void the_touch_has_another_price(tl_engine *e) { e->shelf.books[0].best[1].key--; }
static void the_level_behind_is_another(tl_engine *e)
{
    e->shelf.books[0].behind[1] = (tl_best){1000000, e->shelf.orders[3].level};
}
static void nothing_is_behind_though_there_is(tl_engine *e)
{
    e->shelf.books[0].behind[1] = (tl_best){TL_KEY_NONE, TL_NONE};
}
static void a_block_forgets_a_level(tl_engine *e)
{
    uint32_t level = e->shelf.orders[3].level;
    e->shelf.blocks[level / TL_BLOCK_LEVELS].live &= ~(UINT64_C(1) << level % TL_BLOCK_LEVELS);
}
static void a_block_invents_a_level(tl_engine *e) { e->shelf.blocks[0].live |= 1; }
static void a_node_invents_a_child(tl_engine *e) { e->shelf.nodes[0].live |= 1; }
static void a_node_loses_a_child(tl_engine *e)
{
    e->shelf.nodes[e->shelf.books[0].root].live &= e->shelf.nodes[e->shelf.books[0].root].live - 1;
}
static void a_node_has_another_parent(tl_engine *e) { e->shelf.blocks[0].parent++; }
static void a_block_is_lost(tl_engine *e) { e->shelf.pools->blocks_used++; }
static void a_node_is_lost(tl_engine *e) { e->shelf.pools->nodes_used++; }
static void a_block_is_free_and_used(tl_engine *e) { e->shelf.pools->block_free = 0; }
static void a_node_is_free_and_used(tl_engine *e) { e->shelf.pools->node_free = 0; }
static void a_slot_is_lost(tl_engine *e) { e->shelf.pools->order_free = TL_NONE; }
static void a_slot_is_free_and_used(tl_engine *e) { e->shelf.pools->order_free = 2; }
static void the_free_slots_are_a_ring(tl_engine *e) { e->shelf.orders[6].next = 6; }
static void a_slot_has_no_generation(tl_engine *e) { e->shelf.orders[6].generation = 0; }
static void an_order_is_not_counted(tl_engine *e) { e->shelf.pools->orders_open--; }
static void open_quantity_is_not_what_rests(tl_engine *e) { e->positions.entries[0].open[1]++; }
static void open_quantity_is_the_other_sides(tl_engine *e)
{
    e->positions.entries[0].open[1]--;
    e->positions.entries[0].open[0]++;
}
static void lots_are_bought_of_nobody(tl_engine *e) { e->positions.entries[1].net++; }
static void an_order_has_another_owner(tl_engine *e) { e->shelf.cold[2].owner = 0; }
static void a_position_is_in_no_chain(tl_engine *e) { e->positions.newest[1] = 0; }
static void a_position_is_not_found(tl_engine *e) { e->positions.entries[1].account = 2; }
static void a_limit_is_not_noted(tl_engine *e) { e->positions.entries[1].position_max = 5; }
static void a_collar_is_not_noted(tl_engine *e) { e->risk.instruments[0].price_collar = 5; }
static void the_lowest_price_is_above_the_highest(tl_engine *e)
{
    e->risk.instruments[0].price_min = TL_PRICE_MAX;
    e->risk.instruments[0].price_max = 1;
}
static void a_status_is_none(tl_engine *e) { e->risk.counts->venue_status = 0; }
static void an_account_has_no_such_status(tl_engine *e) { e->risk.accounts[1].entry_status = 9; }
static void an_account_wants_what_is_unknown(tl_engine *e)
{
    e->risk.accounts[1].self_trade = 6;
}
static void an_instrument_was_never_listed(tl_engine *e)
{
    e->risk.instruments[0].trading_status = 0;
}

/* The answer to the last command is NEW and TRADE. */
static tl_event *said(unsigned from_end) { return &slots[(sink.next - from_end) & sink.mask]; }
static void a_number_is_left_out(tl_engine *e) { (void)e, said(1)->seq++; }
static void an_event_has_another_time(tl_engine *e) { (void)e, said(2)->ts_ns++; }
static void the_count_of_events_is_wrong(tl_engine *e) { e->state->event_seq++; }
static void a_lot_is_traded_twice(tl_engine *e) { (void)e, said(1)->qty++; }
static void a_lot_is_left_that_was_traded(tl_engine *e) { (void)e, said(1)->leaves_qty++; }
static void a_trade_is_beyond_the_limit(tl_engine *e) { (void)e, said(1)->price++; }
static void a_maker_is_done_that_is_not(tl_engine *e)
{
    (void)e;
    said(1)->flags |= TL_FLAG_MAKER_DONE;
}
static void more_events_than_their_bound(tl_engine *e) { (void)e, before.events_bound = 1; }
static void an_answer_is_missing(tl_engine *e)
{
    e->state->event_seq -= 2;
    sink.next -= 2;
}
static void a_refusal_changes_something(tl_engine *e)
{
    enter(e, 2, TL_SIDE_BUY, 1, 1);
    e->positions.entries[0].net++;
}

#define HARMS(X)                                                                                   \
    X(a_level_forgets_a_lot)                                                                       \
    X(an_order_loses_a_lot)                                                                        \
    X(an_order_has_nothing_left)                                                                   \
    X(an_order_has_more_than_it_asked)                                                             \
    X(a_queue_is_not_linked_back)                                                                  \
    X(a_queue_ends_early)                                                                          \
    X(a_queue_is_a_ring)                                                                           \
    X(an_order_is_at_another_price)                                                                \
    X(an_order_is_on_the_other_side)                                                               \
    X(an_order_is_of_another_book)                                                                 \
    X(an_order_is_nobodys)                                                                         \
    X(an_immediate_order_rests)                                                                    \
    X(the_book_is_crossed)                                                                         \
    X(the_touch_is_worse_than_the_best)                                                            \
    X(the_touch_has_another_price)                                                                 \
    X(the_level_behind_is_another)                                                                 \
    X(nothing_is_behind_though_there_is)                                                           \
    X(a_block_forgets_a_level)                                                                     \
    X(a_block_invents_a_level)                                                                     \
    X(a_node_invents_a_child)                                                                      \
    X(a_node_loses_a_child)                                                                        \
    X(a_node_has_another_parent)                                                                   \
    X(a_block_is_lost)                                                                             \
    X(a_node_is_lost)                                                                              \
    X(a_block_is_free_and_used)                                                                    \
    X(a_node_is_free_and_used)                                                                     \
    X(a_slot_is_lost)                                                                              \
    X(a_slot_is_free_and_used)                                                                     \
    X(the_free_slots_are_a_ring)                                                                   \
    X(a_slot_has_no_generation)                                                                    \
    X(an_order_is_not_counted)                                                                     \
    X(open_quantity_is_not_what_rests)                                                             \
    X(open_quantity_is_the_other_sides)                                                            \
    X(lots_are_bought_of_nobody)                                                                   \
    X(an_order_has_another_owner)                                                                  \
    X(a_position_is_in_no_chain)                                                                   \
    X(a_position_is_not_found)                                                                     \
    X(a_limit_is_not_noted)                                                                        \
    X(a_collar_is_not_noted)                                                                       \
    X(the_lowest_price_is_above_the_highest)                                                       \
    X(a_status_is_none)                                                                            \
    X(an_account_wants_what_is_unknown)                                                            \
    X(an_account_has_no_such_status)                                                               \
    X(an_instrument_was_never_listed)                                                              \
    X(a_number_is_left_out)                                                                        \
    X(an_event_has_another_time)                                                                   \
    X(the_count_of_events_is_wrong)                                                                \
    X(a_lot_is_traded_twice)                                                                       \
    X(a_lot_is_left_that_was_traded)                                                               \
    X(a_trade_is_beyond_the_limit)                                                                 \
    X(a_maker_is_done_that_is_not)                                                                 \
    X(more_events_than_their_bound)                                                                \
    X(an_answer_is_missing)                                                                        \
    X(a_refusal_changes_something)

static void a_stop_order_waits_as_touched(tl_engine *e)
{
    e->shelf.special[6].ord_type = TL_ORD_TYPE_MARKET_IF_TOUCHED;
}
static void a_stop_order_has_another_stop_price(tl_engine *e) { e->shelf.special[6].stop_price++; }
static void a_stop_order_is_the_other_sides(tl_engine *e)
{
    e->shelf.orders[6].side = TL_SIDE_SELL;
}
static void a_waiting_order_waits_no_longer(tl_engine *e)
{
    e->shelf.special[8].flags &= (uint8_t)~TL_WAITING;
}
static void a_hidden_order_is_for_all_to_see(tl_engine *e)
{
    e->shelf.special[10].flags &= (uint8_t)~TL_FLAG_HIDDEN;
}
static void an_iceberg_forgets_what_it_keeps(tl_engine *e) { e->shelf.special[11].reserve = 0; }
static void an_iceberg_shows_too_much(tl_engine *e) { e->shelf.special[11].display_qty = 1; }
static void an_order_can_chain_more_than_is_counted(tl_engine *e) { e->state->chain--; }
static void a_special_order_is_taken_for_plain(tl_engine *e)
{
    e->shelf.orders[12].time_in_force = TL_TIME_IN_FORCE_DAY;
}
static void an_instrument_forgets_its_specials(tl_engine *e) { e->risk.instruments[0].special = 0; }

#define HARMS_OF_TERMS(X)                                                                          \
    X(a_stop_order_waits_as_touched)                                                               \
    X(a_stop_order_has_another_stop_price)                                                         \
    X(a_stop_order_is_the_other_sides)                                                             \
    X(a_waiting_order_waits_no_longer)                                                             \
    X(a_hidden_order_is_for_all_to_see)                                                            \
    X(an_iceberg_forgets_what_it_keeps)                                                            \
    X(an_iceberg_shows_too_much)                                                                   \
    X(an_order_can_chain_more_than_is_counted)                                                     \
    X(a_special_order_is_taken_for_plain)                                                          \
    X(an_instrument_forgets_its_specials)

/* In a process of its own, whose last words nobody needs. */
static bool stops(tl_engine *engine, harm harm)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(freopen("/dev/null", "w", stderr) != NULL);
        if (harm != NULL)
            harm(engine);
        tl_invariants_answer(engine, &last, &sink, &before);
        tl_invariants_hold(engine);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* A batch of nothing, by this thread, while `writer` is said to be in the engine. */
static bool two_at_once_stop(tl_engine *engine, uintptr_t writer)
{
    int status;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(freopen("/dev/null", "w", stderr) != NULL);
        engine->writer = writer;
        tl_engine_step_batch(engine, &last, 0, &sink, 0);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void an_engine_is_one_thread_s_at_a_time(tl_engine *engine)
{
    CHECK(!two_at_once_stop(engine, 0));
    CHECK(!two_at_once_stop(engine, (uintptr_t)__builtin_thread_pointer()));
    CHECK(two_at_once_stop(engine, 1));
    CHECK(engine->writer == 0);
}

int main(void)
{
    tl_engine *engine = open_engine();
    an_engine_is_one_thread_s_at_a_time(engine);
    CHECK(!stops(engine, NULL));
#define STOPS(name) CHECK(stops(engine, name));
    HARMS(STOPS)
    tl_engine_close(engine);
    engine = open_special_engine();
    CHECK(!stops(engine, NULL));
    HARMS_OF_TERMS(STOPS)
#undef STOPS
    tl_engine_close(engine);
    return 0;
}

/* The invariants bite: each thing that can be wrong in a state or an answer stops the process. */
#include "harms.h"

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

static void change_phase(tl_engine *engine, uint8_t status)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS, .field = status});
}

/* As above, in an auction: all but those that wait for a stop price are collected, slot 13 waits
 * for the closing auction. The last command uncrosses. */
static tl_engine *open_calling_engine(bool uncrossed)
{
    tl_engine *engine = open_special_engine();
    change_phase(engine, TL_TRADING_STATUS_VOLATILITY_AUCTION);
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .account = 1,
                              .side = TL_SIDE_BUY,
                              .ord_type = TL_ORD_TYPE_LIMIT,
                              .time_in_force = TL_TIME_IN_FORCE_AT_CLOSE,
                              .price = 90,
                              .qty = 6});
    CHECK(engine->state->collected == 9 && engine->risk.instruments[0].specials == 14);
    enter(engine, 1, TL_SIDE_BUY, 105, 7);
    if (uncrossed)
        change_phase(engine, TL_TRADING_STATUS_CLOSED);
    return engine;
}

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
static void an_instrument_counts_a_trail_too_many(tl_engine *e)
{
    e->risk.instruments[0].trailing++;
}
static void a_stop_that_stays_trails(tl_engine *e)
{
    e->shelf.special[6].trail = 1;
    e->risk.instruments[0].trailing++;
}

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
    X(an_instrument_forgets_its_specials)                                                          \
    X(an_instrument_counts_a_trail_too_many)                                                       \
    X(a_stop_that_stays_trails)

static void the_book_is_open_in_an_auction(tl_engine *e)
{
    e->risk.instruments[0].trading_status = TL_TRADING_STATUS_READY_TO_TRADE;
}
static void a_call_lets_plain_orders_by(tl_engine *e) { e->risk.instruments[0].special = 0; }
static void a_collected_order_is_not_counted(tl_engine *e) { e->state->collected--; }
static void a_collected_order_waits_for_the_close(tl_engine *e)
{
    e->shelf.special[0].flags ^= TL_COLLECTED | TL_PARKED;
}
static void a_closing_auction_leaves_an_order_out(tl_engine *e)
{
    e->risk.instruments[0].trading_status = TL_TRADING_STATUS_CLOSING_AUCTION;
}
static void an_order_at_the_close_is_for_the_day(tl_engine *e)
{
    e->shelf.orders[13].time_in_force = TL_TIME_IN_FORCE_IOC | TL_ORDER_SPECIAL;
}
static void an_auction_ends_before_all_time(tl_engine *e) { e->risk.instruments[0].ends_ns = -1; }

#define HARMS_OF_CALLS(X)                                                                          \
    X(the_book_is_open_in_an_auction)                                                              \
    X(a_call_lets_plain_orders_by)                                                                 \
    X(a_collected_order_is_not_counted)                                                            \
    X(a_collected_order_waits_for_the_close)                                                       \
    X(a_closing_auction_leaves_an_order_out)                                                       \
    X(an_order_at_the_close_is_for_the_day)                                                        \
    X(an_auction_ends_before_all_time)

/* Of the answer to the last command: the status, UNCROSSED, a trade. */
static tl_event *answered(uint64_t i)
{
    return &slots[(before.sink_next + i) & sink.mask];
}

static void an_uncross_says_more_than_trades(tl_engine *e)
{
    (void)e;
    answered(1)->volume++;
}
static void an_uncross_has_two_prices(tl_engine *e)
{
    (void)e;
    answered(2)->price++;
}
static void an_auction_ended_before_it_was_closed(tl_engine *e)
{
    e->risk.instruments[0].ends_ns = 1;
}

#define HARMS_OF_AN_UNCROSS(X)                                                                     \
    X(an_uncross_says_more_than_trades)                                                            \
    X(an_uncross_has_two_prices)                                                                   \
    X(an_auction_ended_before_it_was_closed)

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
    tl_engine_close(engine);
    engine = open_calling_engine(false);
    CHECK(!stops(engine, NULL));
    HARMS_OF_CALLS(STOPS)
    tl_engine_close(engine);
    engine = open_calling_engine(true);
    CHECK(!stops(engine, NULL));
    HARMS_OF_AN_UNCROSS(STOPS)
#undef STOPS
    tl_engine_close(engine);
    return 0;
}

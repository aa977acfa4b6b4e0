/* Events as ITCH: what each one says. */
#include "itch_venue.h"

static void a_stream_begins_with_the_day_and_the_stocks(void)
{
    begin();
    must_say("S0O S0S S0Q");
    list(0, "AAA", "0.01", "1");
    must_say("R1AAA      H1T");
    CHECK(tl_itch_feed_count(feed) == 5);
    end();
}

static void an_order_that_rests_is_added_under_its_events_number(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '0');
    must_say("A3:B50x100100");
    order(0, '2', 1002, 1, '1');
    must_say("A4:S10x100200");
    end();
}

static void a_trade_executes_the_order_that_rested(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '0');
    order(0, '2', 1001, 2, '3');
    must_say("A3:B50x100100 E3:20");
    order(0, '2', 0, 1, '3');
    must_say("E3:10");
    end();
}

static void what_is_left_of_a_taker_is_added_after_its_last_trade(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '0');
    order(0, '1', 1000, 5, '0');
    order(0, '2', 1000, 12, '0'); /* NEW is 5, its trades 6 and 7 */
    must_say("A3:B50x100100 A4:B50x100000 E3:50 E4:50 A5:S20x100000");
    order(0, '1', 1000, 2, '0');
    must_say("E5:20");
    end();
}

static void what_never_rests_is_not_shown(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '3');
    order(0, '1', 1001, 5, '4');
    order(0, '1', 0, 5, '0');
    must_say("");
    end();
}

static void a_cancel_or_the_end_of_the_day_deletes(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '0');
    do_command((tl_command){.type = TL_MSG_TYPE_CANCEL, .order_id = last_order()});
    must_say("A3:B50x100100 D3");
    order(0, '1', 1001, 5, '0');
    do_command((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                            .account = TL_ACCOUNT_ALL,
                            .instrument = TL_INSTRUMENT_ALL,
                            .flags = TL_FLAG_EXPIRE});
    must_say("A5:B50x100100 D5");
    end();
}

static void a_replace_is_a_cut_a_new_place_or_an_end(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '0');
    const uint64_t id = last_order();
    replace(id, 1001, 3); /* event 4 keeps its place */
    must_say("A3:B50x100100 X3:20");
    replace(id, 1002, 9); /* event 5 */
    must_say("U3>5:90x100200");
    order(0, '2', 1002, 4, '3'); /* events 6 and 7 */
    must_say("E5:40");
    replace(id, 1002, 3); /* no more than executed */
    must_say("D5");
    end();
}

static void a_replace_that_trades_leaves_first(void)
{
    begin_stock();
    order(0, '1', 1000, 5, '0');
    const uint64_t id = last_order();
    order(0, '2', 1002, 2, '0');
    says();
    replace(id, 1002, 5); /* event 5 */
    must_say("D3 E4:20 A5:B30x100200");
    end();
}

static void a_halt_and_the_kill_switch_change_the_trading_state(void)
{
    begin_stock();
    list(1, "BBB", "1", "1");
    says();
    do_command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                            .instrument = 1,
                            .field = TL_TRADING_STATUS_HALTED});
    must_say("H2H");
    do_command((tl_command){.type = TL_MSG_TYPE_VENUE_STATUS, .field = TL_ENTRY_STATUS_BLOCKED});
    must_say("H1H");
    do_command((tl_command){.type = TL_MSG_TYPE_VENUE_STATUS, .field = TL_ENTRY_STATUS_BLOCKED});
    must_say("");
    do_command((tl_command){.type = TL_MSG_TYPE_VENUE_STATUS, .field = TL_ENTRY_STATUS_OPEN});
    must_say("H1T");
    end();
}

static void status(uint8_t field)
{
    do_command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS, .field = field});
}

static void a_call_takes_the_book_away_and_gives_back_what_is_left(void)
{
    begin_stock();
    order(0, '1', 1001, 5, '0'); /* event 3 */
    says();
    status(TL_TRADING_STATUS_VOLATILITY_AUCTION);
    must_say("H1Q D3 I:0x0OH");
    order(0, '2', 1000, 3, '0'); /* event 7 */
    order(0, '2', 1003, 1, '0');
    status(TL_TRADING_STATUS_VOLATILITY_AUCTION); /* asked again: what it would come to now */
    must_say("I:30x100100BH");
    status(TL_TRADING_STATUS_READY_TO_TRADE); /* 10, uncrossed 11, traded 12, stated 13 and 14 */
    must_say("H1T Q:30x100100H A13:B20x100100 A14:S10x100300");
    order(0, '2', 1001, 1, '3'); /* what trades from then on is no cross */
    must_say("E13:10");
    status(TL_TRADING_STATUS_CLOSED);
    must_say("H1H");
    end();
}

static void an_auction_is_told_by_its_kind(void)
{
    begin_stock();
    status(TL_TRADING_STATUS_PRE_OPEN);
    order(0, '1', 1001, 5, '0');
    order(0, '2', 1001, 5, '2');
    must_say("H1Q");
    status(TL_TRADING_STATUS_OPENING_AUCTION);
    must_say("H1Q I:50x100100NO");
    status(TL_TRADING_STATUS_READY_TO_TRADE);
    must_say("H1T Q:50x100100O");
    status(TL_TRADING_STATUS_CLOSING_AUCTION);
    must_say("H1Q I:0x0OC");
    order(0, '2', 1001, 5, '7');
    must_say("");
    status(TL_TRADING_STATUS_CLOSING_AUCTION);
    must_say("I:0x0OC");
    status(TL_TRADING_STATUS_CLOSED);
    must_say("H1H Q:0x0C");
    end();
}

static void a_stock_that_itch_can_not_tell_has_no_messages(void)
{
    static const struct {
        const char *symbol, *tick, *lot;
        tl_stock_fault fault;
    } stocks[] = {{NULL, NULL, NULL, TL_STOCK_FAULT_NAMES},
                  {"NINELETTE", "0.01", "1", TL_STOCK_FAULT_SYMBOL},
                  {"A B", "0.01", "1", TL_STOCK_FAULT_SYMBOL},
                  {"C", "0.00005", "1", TL_STOCK_FAULT_TICK},
                  {"D", "429497", "1", TL_STOCK_FAULT_TICK},
                  {"E", "0.01", "0.5", TL_STOCK_FAULT_LOT},
                  {"F", "0.0001000", "1.0", TL_STOCK_FAULT_NONE}};
    begin();
    says();
    for (uint16_t i = 0; i < 7; i++) {
        tl_stock_fault fault;
        list(i, stocks[i].symbol, stocks[i].tick, stocks[i].lot);
        CHECK(tl_itch_feed_stock(feed, i, &fault) != NULL && fault == stocks[i].fault);
        order(i, '1', 1, 1, '0');
    }
    must_say("R7F        H7T A15:B1x1");
    CHECK(tl_itch_feed_unshown(feed) == 0);
    end();
}

static void an_order_that_32_bits_do_not_hold_is_counted_and_its_trades_told(void)
{
    begin_stock();
    order(0, '2', 42949672, 1, '0');
    order(0, '2', 42949673, 1, '0'); /* 429,496.73 is 4,294,967,300 ten-thousandths */
    must_say("A3:S10x4294967200");
    CHECK(tl_itch_feed_unshown(feed) == 1);
    order(0, '1', 42949673, 2, '0');
    must_say("E3:10");
    order(0, '1', 5, 429496730, '0');
    must_say("");
    CHECK(tl_itch_feed_unshown(feed) == 3); /* that buy too, though it never rested */
    order(0, '2', 5, 3, '3');
    must_say("P:B30x500");
    end();
}

static void names_are_wanted_before_a_listing_is_told(void)
{
    begin();
    tl_command listing = {.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = 3};
    tl_engine_step(engine, &listing, &sink);
    tl_itch_blocks blocks;
    tl_itch_feed_stop stop;
    CHECK(tl_itch_feed_apply(feed, &slots[1], 1, &blocks, &stop) == 0);
    CHECK(stop == TL_ITCH_FEED_STOP_NAMES && blocks.count == 0);
    CHECK(tl_itch_feed_command(feed, &listing) == 0);
    CHECK(tl_itch_feed_apply(feed, &slots[1], 1, &blocks, &stop) == 1);
    CHECK(tl_itch_feed_apply(feed, &slots[1], 1, &blocks, &stop) == 0);
    CHECK(stop == TL_ITCH_FEED_STOP_EVENT && *tl_itch_feed_stop_text(feed, stop) != '\0');
    end();
}

int main(void)
{
    a_stream_begins_with_the_day_and_the_stocks();
    an_order_that_rests_is_added_under_its_events_number();
    a_trade_executes_the_order_that_rested();
    what_is_left_of_a_taker_is_added_after_its_last_trade();
    what_never_rests_is_not_shown();
    a_cancel_or_the_end_of_the_day_deletes();
    a_replace_is_a_cut_a_new_place_or_an_end();
    a_replace_that_trades_leaves_first();
    a_halt_and_the_kill_switch_change_the_trading_state();
    a_call_takes_the_book_away_and_gives_back_what_is_left();
    an_auction_is_told_by_its_kind();
    a_stock_that_itch_can_not_tell_has_no_messages();
    an_order_that_32_bits_do_not_hold_is_counted_and_its_trades_told();
    names_are_wanted_before_a_listing_is_told();
    return 0;
}

/* The OUCH desk: what requests lead to, and what is told of orders. */
#include "ouch_venue.h"

static void an_order_is_accepted_with_what_was_entered(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    CHECK(streams[0][0].count == 2);
    const uint8_t *m = streams[0][0].messages[1].bytes;
    CHECK(streams[0][0].messages[1].size == 64 && tl_get_u64(m + 1) == journaled - 1u);
    CHECK(memcmp(m + 18, "AAA     ", 8) == 0 && m[34] == '0' && m[35] == 'Y');
    CHECK(tl_get_u64(m + 36) == sink.next && m[44] == 'A' && m[47] == 'L');
    CHECK(memcmp(m + 48, "C1            ", 14) == 0 && tl_get_u16(m + 62) == 0);
    must_say(0, "S0 A1:B100x100000");
    end();
}

static void both_sides_of_a_trade_are_told(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 1, 'S', 30, "AAA", 99900, '3'));
    must_say(0, "S0 A1:B100x100000 E1:30x100000A");
    must_say(1, "S0 A1:S30x99900 E1:30x100000R");
    DO(enter(1, 2, 'S', 90, "AAA", TL_OUCH_MARKET_PRICE, '3'));
    must_say(0, "E1:70x100000A");
    must_say(1, "A2:S90x2147483647 E2:70x100000R C2:20I");
    end();
}

static void a_user_ref_num_acts_once(void)
{
    begin();
    DO(enter(0, 5, 'B', 100, "AAA", 100000, '0'));
    CHECK(enter(0, 5, 'B', 100, "AAA", 100000, '0') == TL_OUCH_PASSED);
    CHECK(enter(0, 4, 'B', 100, "AAA", 100000, '0') == TL_OUCH_PASSED);
    CHECK(enter(1, 0, 'B', 100, "AAA", 100000, '0') == TL_OUCH_PASSED);
    DO(enter(1, 4, 'B', 100, "AAA", 100000, '0')); /* another session's numbers are its own */
    must_say(0, "S0 A5:B100x100000");
    end();
}

static void a_cancel_takes_off_all_or_some(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 1, 'S', 30, "AAA", 100000, '3'));
    says(0);
    CHECK(cancel(0, 1, 100) == TL_OUCH_PASSED); /* no smaller: 30 are executed */
    DO(cancel(0, 1, 80));
    must_say(0, "C1:20U");
    DO(cancel(0, 1, 0));
    must_say(0, "C1:50U");
    CHECK(cancel(0, 1, 0) == TL_OUCH_PASSED);
    DO(enter(0, 2, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 2, 'S', 60, "AAA", 100000, '3'));
    DO(cancel(0, 2, 50)); /* fewer than are executed */
    must_say(0, "A2:B100x100000 E2:60x100000A C2:40U");
    end();
}

static void a_replacement_goes_on_under_its_number(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 1, 'S', 30, "AAA", 100000, '3'));
    DO(replace(0, 1, 2, 90, 100100));
    must_say(0, "S0 A1:B100x100000 E1:30x100000A U1>2:60x100100L");
    CHECK(cancel(0, 1, 0) == TL_OUCH_PASSED);
    CHECK(replace(0, 1, 3, 10, 100100) == TL_OUCH_PASSED);
    DO(replace(0, 2, 4, 30, 100100)); /* executed already */
    must_say(0, "U2>4:0x100100D");
    CHECK(cancel(0, 4, 0) == TL_OUCH_PASSED);
    end();
}

static void a_refused_replacement_leaves_the_order(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(replace(0, 1, 2, 100, 100001)); /* off tick: the desk's refusal */
    DO(replace(0, 1, 3, 100, 0));      /* below the lowest price: the engine's */
    must_say(0, "S0 A1:B100x100000 J2:1d J3:1d");
    DO(replace(0, 1, 4, 50, 100000));
    must_say(0, "U1>4:50x100000L");
    end();
}

static void what_names_a_request_under_way_waits(void)
{
    begin();
    CHECK(enter(0, 1, 'B', 100, "AAA", 100000, '0') == TL_OUCH_TAKEN);
    CHECK(cancel(0, 1, 0) == TL_OUCH_LATER && replace(0, 1, 2, 5, 100000) == TL_OUCH_LATER);
    CHECK(tl_ouch_desk_pending(desk, 0) == 1);
    step();
    CHECK(replace(0, 1, 2, 50, 100000) == TL_OUCH_TAKEN);
    CHECK(cancel(0, 1, 0) == TL_OUCH_LATER && cancel(0, 2, 0) == TL_OUCH_LATER);
    step();
    CHECK(cancel(0, 1, 0) == TL_OUCH_PASSED);
    DO(cancel(0, 2, 0));
    must_say(0, "S0 A1:B100x100000 U1>2:50x100000L C2:50U");
    CHECK(tl_ouch_desk_pending(desk, 0) == 0);
    end();
}

static void a_full_lane_and_unanswered_requests_hold_the_next_one(void)
{
    begin();
    lane_full = true;
    for (int i = 0; i < 1000; i++)
        CHECK(enter(0, 1, 'B', 100, "AAA", 100000, '0') == TL_OUCH_LATER);
    lane_full = false;
    CHECK(counter == 1); /* the lane's numbers end some day: none is used up by waiting */
    for (uint32_t i = 1; i <= 64; i++)
        CHECK(enter(0, i, 'B', 1, "AAA", 100000, '0') == TL_OUCH_TAKEN);
    CHECK(enter(0, 65, 'B', 1, "AAA", 100000, '0') == TL_OUCH_LATER);
    step();
    DO(enter(0, 65, 'B', 1, "AAA", 100000, '0'));
    CHECK(streams[0][0].count == 66);
    end();
}

static void what_can_not_be_a_command_is_rejected_and_journaled(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "CCC", 100000, '0'));
    DO(enter(0, 2, 'B', 100, "AAA", 100001, '0'));
    DO(enter(0, 3, 'B', 150, "BBB", 100000, '0')); /* lots of 100 */
    DO(enter(0, 4, 'T', 100, "AAA", 100000, '0'));
    DO(enter(0, 5, 'B', 100, "AAA", UINT64_MAX / 100 * 100, '0'));
    must_say(0, "S0 J1:17 J2:1d J3:13 J4:9 J5:1d");
    DO(enter(0, 6, 'B', 200, "BBB", 100000, '0'));
    must_say(0, "A6:B200x100000");
    end();
}

static void the_engines_refusals_have_codes(void)
{
    begin();
    command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                         .instrument = 0,
                         .field = TL_TRADING_STATUS_HALTED});
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    command((tl_command){.type = TL_MSG_TYPE_LIMIT,
                         .instrument = 1,
                         .account = 0,
                         .field = TL_LIMIT_ORDER_VALUE_MAX,
                         .price = 1});
    DO(enter(0, 2, 'B', 100, "BBB", 100000, '0'));
    must_say(0, "S0 J1:7 J2:1f");
    end();
}

static void a_firm_is_one_of_the_sessions(void)
{
    uint8_t bytes[53];
    begin();
    enter(0, 1, 'B', 1, "AAA", 100000, '0');
    step();
    tl_ouch_enter of = {.type = 'O', .user_ref_num = 2, .side = 'B', .quantity = 7,
                        .symbol = "AAA     ", .price = 100000, .time_in_force = '0',
                        .display = 'Y', .capacity = 'P', .sweep = 'N', .cross_type = 'N',
                        .cl_ord_id = "              "};
    tl_ouch_enter_put((tl_ouch_enter_wire *)bytes, &of);
    CHECK(tl_ouch_put_options(bytes, 45, "FRMB") == 53);
    DO(ask(0, bytes, 53));
    CHECK(slots[sink.next - 1].account == 1);
    const uint8_t *m = streams[0][0].messages[2].bytes;
    CHECK(streams[0][0].messages[2].size == 70 && memcmp(m + 62, "\0\6\5\2FRMB", 8) == 0);
    tl_put_u32(bytes + 1, 3);
    memcpy(bytes + 49, "FRMC", 4);
    DO(ask(0, bytes, 53));
    must_say(0, "S0 A1:B1x100000 A2:B7x100000 J3:c");
    end();
}

static void order_entry_is_disabled_by_firm(void)
{
    begin();
    CHECK(of_firm(0, 'D', 1, "FRMA", "") == TL_OUCH_TAKEN);
    CHECK(enter(0, 2, 'B', 1, "AAA", 100000, '0') == TL_OUCH_TAKEN); /* at once */
    step();
    DO(of_firm(0, 'E', 3, "FRMA", ""));
    DO(enter(0, 4, 'B', 1, "AAA", 100000, '0'));
    CHECK(of_firm(0, 'D', 5, "FRMC", "") == TL_OUCH_PASSED);
    must_say(0, "S0 G1 J2:c K3 A4:B1x100000");
    end();
}

static void a_mass_cancel_is_answered_before_its_orders(void)
{
    begin();
    DO(enter(0, 1, 'B', 1, "AAA", 100000, '0'));
    DO(enter(0, 2, 'B', 100, "BBB", 100000, '0'));
    DO(of_firm(0, 'C', 3, "FRMA", "BBB"));
    must_say(0, "S0 A1:B1x100000 A2:B100x100000 X3 C2:100U");
    DO(of_firm(0, 'C', 4, "FRMA", ""));
    must_say(0, "X4 C1:1U");
    DO(of_firm(0, 'C', 5, "FRMA", ""));
    must_say(0, "X5");
    CHECK(of_firm(0, 'C', 6, "FRMA", "CCC") == TL_OUCH_PASSED);
    end();
}

static void a_query_tells_the_next_number(void)
{
    begin();
    DO(ask(0, (const uint8_t *)"Q", 1));
    DO(enter(0, 17, 'B', 1, "AAA", 100000, '0'));
    DO(ask(0, (const uint8_t *)"Q", 1));
    must_say(0, "S0 Q1 A17:B1x100000 Q18");
    end();
}

static void what_others_do_to_an_order_is_told(void)
{
    begin();
    DO(enter(0, 1, 'B', 10, "AAA", 100000, '0'));
    DO(enter(0, 2, 'B', 10, "AAA", 100000, '0'));
    says(0);
    command((tl_command){.type = TL_MSG_TYPE_CANCEL,
                         .order_id = slots[sink.next - 1].order_id,
                         .cl_ord_id = 9});
    must_say(0, "C2:10S");
    const uint64_t first = slots[sink.next - 3].order_id;
    command((tl_command){.type = TL_MSG_TYPE_REPLACE, .order_id = first, .price = 1001, .qty = 8,
                         .cl_ord_id = 10});
    must_say(0, "C1:2S T1");
    command((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                         .account = TL_ACCOUNT_ALL,
                         .instrument = TL_INSTRUMENT_ALL,
                         .flags = TL_FLAG_EXPIRE});
    must_say(0, "C1:8T");
    end();
}

static void who_leaves_has_his_orders_canceled(void)
{
    begin();
    for (uint32_t i = 1; i <= 20; i++)
        DO(enter(0, i, 'B', 1, "AAA", 100000, '0'));
    DO(enter(1, 1, 'B', 1, "AAA", 100000, '0'));
    uint32_t at = 0;
    lane_full = true;
    CHECK(tl_ouch_desk_leave(desk, 0, &at) == -EAGAIN);
    lane_full = false;
    CHECK(tl_ouch_desk_leave(desk, 0, &at) == 0);
    step();
    CHECK(streams[0][0].count == 41 && streams[0][1].count == 2);
    end();
}

static void what_is_no_request_is_passed_over(void)
{
    begin();
    CHECK(ask(0, (const uint8_t *)"Z", 1) == TL_OUCH_PASSED);
    CHECK(ask(0, (const uint8_t *)"O\0\0\0\1", 5) == TL_OUCH_PASSED);
    CHECK(ask(0, (const uint8_t *)"M\0\0\0\1S\0\0\0\1", 10) == TL_OUCH_PASSED);
    CHECK(tl_ouch_desk_count(desk, 0) == 0);
    end();
}

int main(void)
{
    an_order_is_accepted_with_what_was_entered();
    both_sides_of_a_trade_are_told();
    a_user_ref_num_acts_once();
    a_cancel_takes_off_all_or_some();
    a_replacement_goes_on_under_its_number();
    a_refused_replacement_leaves_the_order();
    what_names_a_request_under_way_waits();
    a_full_lane_and_unanswered_requests_hold_the_next_one();
    what_can_not_be_a_command_is_rejected_and_journaled();
    the_engines_refusals_have_codes();
    a_firm_is_one_of_the_sessions();
    order_entry_is_disabled_by_firm();
    a_mass_cancel_is_answered_before_its_orders();
    a_query_tells_the_next_number();
    what_others_do_to_an_order_is_told();
    who_leaves_has_his_orders_canceled();
    what_is_no_request_is_passed_over();
    return 0;
}

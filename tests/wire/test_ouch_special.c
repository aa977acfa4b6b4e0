/* Special orders over OUCH: options become terms, and what becomes of them is told. */
#include "ouch_venue.h"

typedef struct options {
    uint8_t bytes[64];
    size_t size;
} options;

static options with(uint8_t tag, const void *value, uint8_t size)
{
    options made = {.size = 2u + size};
    made.bytes[0] = size + 1;
    made.bytes[1] = tag;
    memcpy(made.bytes + 2, value, size);
    return made;
}


static options with_type(char letter, uint64_t stop)
{
    uint8_t value[9] = {(uint8_t)letter};
    tl_put_u64(value + 1, stop);
    return with(TL_OUCH_ORD_TYPE, value, 9);
}

static options with_u32(uint8_t tag, uint32_t number)
{
    uint8_t value[4];
    tl_put_u32(value, number);
    return with(tag, value, 4);
}

static options both(options one, options other)
{
    memcpy(one.bytes + one.size, other.bytes, other.size);
    one.size += other.size;
    return one;
}

static options with_floor(uint32_t shares)
{
    return with_u32(TL_OUCH_MAX_FLOOR, shares);
}

static char time_in_force = '0', cross_type = 'N'; /* of what is entered or replaced */

static tl_ouch_taken enter_with(uint32_t session, uint32_t number, char side, uint32_t quantity,
                                uint64_t price, char display, options more)
{
    uint8_t bytes[128] = {0};
    tl_ouch_enter of = {.type = 'O',
                        .user_ref_num = number,
                        .side = side,
                        .quantity = quantity,
                        .price = price,
                        .time_in_force = time_in_force,
                        .display = display,
                        .capacity = 'A',
                        .sweep = 'N',
                        .cross_type = cross_type};
    tl_put_text(of.symbol, 8, "AAA", 3);
    tl_put_text(of.cl_ord_id, 14, "S", 1);
    tl_ouch_enter_put((tl_ouch_enter_wire *)bytes, &of);
    tl_put_u16(bytes + 45, (uint16_t)more.size);
    memcpy(bytes + 47, more.bytes, more.size);
    return ask(session, bytes, 47 + more.size);
}

static tl_ouch_taken replace_with(uint32_t orig, uint32_t number, uint32_t quantity,
                                  uint64_t price, char display, options more)
{
    uint8_t bytes[128] = {0};
    tl_ouch_replace of = {.type = 'U',
                          .orig_user_ref_num = orig,
                          .user_ref_num = number,
                          .quantity = quantity,
                          .price = price,
                          .time_in_force = time_in_force,
                          .display = display,
                          .sweep = 'N'};
    memset(of.cl_ord_id, ' ', sizeof of.cl_ord_id);
    tl_ouch_replace_put((tl_ouch_replace_wire *)bytes, &of);
    tl_put_u16(bytes + 38, (uint16_t)more.size);
    memcpy(bytes + 40, more.bytes, more.size);
    return ask(0, bytes, 40 + more.size);
}

static const options none;

/* The message before the last `back` ones. */
static const uint8_t *last(uint32_t session, uint32_t back)
{
    return streams[0][session].messages[streams[0][session].count - 1 - back].bytes;
}

static void trade_at(uint64_t price)
{
    static uint32_t number = 1000;
    DO(enter(1, ++number, 'B', 1, "AAA", price, '0'));
    DO(enter(1, ++number, 'S', 1, "AAA", price, '0'));
    says(1);
}

static void an_iceberg_shows_its_next_part(void)
{
    begin();
    DO(enter_with(0, 1, 'S', 100, 100000, 'Y', with_floor(30)));
    const uint8_t *m = last(0, 1);
    CHECK(m[0] == 'A' && m[35] == 'Y' && tl_get_u16(m + 62) == 6 && m[65] == TL_OUCH_MAX_FLOOR);
    CHECK(tl_get_u32(m + 66) == 30);
    must_say(0, "S0 A1:S100x100000 T1");
    CHECK(tl_get_u64(last(0, 0) + 22) == sink.next); /* as the feed calls it */
    DO(enter(1, 1, 'B', 30, "AAA", 100000, '0'));
    must_say(0, "E1:30x100000A R1");
    m = last(0, 0);
    CHECK(m[13] == 'R' && tl_get_u16(m + 14) == 26 && m[17] == TL_OUCH_SECONDARY_ORDER_REF);
    CHECK(tl_get_u64(m + 18) == sink.next && m[27] == TL_OUCH_DISPLAY_QUANTITY);
    CHECK(tl_get_u32(m + 28) == 30 && m[33] == TL_OUCH_DISPLAY_PRICE);
    CHECK(tl_get_u64(m + 34) == 100000);
    DO(replace_with(1, 2, 90, 100000, 'Y', none));
    must_say(0, "U1>2:60x100000L");
    DO(replace_with(2, 3, 90, 100000, 'Y', with_floor(20)));
    DO(replace_with(2, 4, 90, 100000, 'N', none));
    must_say(0, "J3:15 J4:15");
    DO(enter_with(0, 5, 'S', 1000, 100100, 'Y', with_floor(3)));
    must_say(0, "J5:4");
    end();
}

static void a_hidden_order_is_not_displayed(void)
{
    begin();
    DO(enter_with(0, 1, 'S', 50, 100000, 'N', none));
    CHECK(last(0, 0)[0] == 'A' && last(0, 0)[35] == 'N');
    must_say(0, "S0 A1:S50x100000");
    DO(replace_with(1, 2, 50, 100000, 'Y', none));
    must_say(0, "J2:15");
    DO(replace_with(1, 3, 60, 100100, 'N', none));
    must_say(0, "U1>3:60x100100L");
    DO(enter(1, 1, 'B', 20, "AAA", 100100, '3'));
    must_say(0, "E3:20x100100A");
    end();
}

static void a_post_only_order_is_refused_or_slides(void)
{
    begin();
    DO(enter(1, 1, 'S', 10, "AAA", 100000, '0'));
    DO(enter_with(0, 1, 'B', 10, 100000, 'Y', with(TL_OUCH_POST_ONLY, "P", 1)));
    DO(enter_with(0, 2, 'B', 10, 100000, 'Y', with(TL_OUCH_POST_ONLY, "S", 1)));
    must_say(0, "S0 J1:f A2:B10x99900 T2");
    CHECK(tl_get_u16(last(0, 1) + 62) == 3 && last(0, 1)[66] == 'S');
    DO(enter_with(0, 3, 'B', 10, 100000, 'Y', with(TL_OUCH_POST_ONLY, "X", 1)));
    DO(replace_with(2, 4, 9, 99900, 'Y', with(TL_OUCH_POST_ONLY, "P", 1)));
    DO(replace_with(2, 5, 9, 99900, 'Y', with(TL_OUCH_POST_ONLY, "S", 1)));
    must_say(0, "J3:f J4:15 U2>5:9x99900L");
    end();
}

static void orders_wait_for_their_stop_price(void)
{
    begin();
    DO(enter_with(0, 1, 'B', 10, 101000, 'Y', with_type('4', 100500)));
    must_say(0, "S0 J1:e"); /* there is no reference price */
    trade_at(100000);
    DO(enter_with(0, 2, 'B', 10, 101000, 'Y', with_type('4', 100500)));
    const uint8_t *m = last(0, 0);
    CHECK(tl_get_u16(m + 62) == 11 && m[65] == TL_OUCH_ORD_TYPE && m[66] == '4');
    CHECK(tl_get_u64(m + 67) == 100500);
    DO(enter_with(0, 3, 'S', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('3', 99500)));
    DO(enter_with(0, 4, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('J', 99000)));
    DO(enter_with(0, 5, 'B', 10, 98000, 'Y', with_type('l', 99100)));
    must_say(0, "A2:B10x101000 A3:S10x2147483647 A4:B10x2147483647 A5:B10x98000");
    trade_at(100500);
    must_say(0, "R2 T2");
    CHECK(last(0, 1)[13] == 'T' && tl_get_u16(last(0, 1) + 14) == 0);
    DO(cancel(0, 2, 0));
    must_say(0, "C2:10U");
    trade_at(99500);
    must_say(0, "R3 C3:10K");
    DO(replace_with(4, 6, 8, TL_OUCH_MARKET_PRICE, 'Y', with_type('J', 99000)));
    DO(replace_with(6, 7, 8, TL_OUCH_MARKET_PRICE, 'Y', with_type('J', 98000)));
    DO(replace_with(6, 8, 8, 99000, 'Y', none));
    must_say(0, "U4>6:8x2147483647L J7:15 J8:1d");
    end();
}

static void what_does_not_go_together_is_refused(void)
{
    begin();
    trade_at(100000);
    DO(enter_with(0, 1, 'B', 10, 100000, 'Y', with_type('3', 101000)));
    DO(enter_with(0, 2, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('4', 101000)));
    DO(enter_with(0, 3, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('3', 101050)));
    DO(enter_with(0, 4, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('3', UINT64_MAX - 15)));
    DO(enter_with(0, 5, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('3', 0)));
    DO(enter_with(0, 6, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('2', 0)));
    DO(enter_with(0, 7, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('K', 101000)));
    DO(enter_with(0, 8, 'B', 10, 100000, 'N', with_floor(10)));
    must_say(0, "S0 J1:1d J2:1d J3:1d J4:1d J5:f J6:f J7:f J8:f");
    end();
}

static void a_market_to_limit_order_gets_a_price(void)
{
    begin();
    DO(enter(1, 1, 'S', 4, "AAA", 100000, '0'));
    DO(enter_with(0, 1, 'B', 10, TL_OUCH_MARKET_PRICE, 'Y', with_type('K', 0)));
    must_say(0, "S0 A1:B10x2147483647 E1:4x100000R R1");
    CHECK(last(0, 0)[13] == 'P' && tl_get_u64(last(0, 0) + 34) == 100000);
    DO(cancel(0, 1, 6));
    must_say(0, "C1:4U");
    DO(replace_with(1, 2, 6, 99900, 'Y', none));
    must_say(0, "U1>2:2x99900L T2");
    end();
}

/* 8.10: seconds since midnight, of the day on which the order comes. */
static void an_order_ends_at_its_expire_time(void)
{
    begin();
    time_in_force = '6';
    DO(enter_with(0, 1, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, 86399)));
    const uint8_t *m = last(0, 1);
    CHECK(m[0] == 'A' && m[34] == '6' && tl_get_u16(m + 62) == 6 && m[65] == TL_OUCH_EXPIRE_TIME);
    CHECK(tl_get_u32(m + 66) == 86399);
    CHECK(journal[journaled - 2].type == TL_MSG_TYPE_TERMS);
    CHECK(journal[journaled - 2].expire_ns == TODAY_NS + INT64_C(86399000000000));
    must_say(0, "S0 A1:B10x100000 T1");
    DO(replace_with(1, 2, 9, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, 86398)));
    DO(replace_with(1, 3, 9, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, 86399)));
    CHECK(tl_get_u32(last(0, 0) + 70) == 86399);
    DO(enter_with(0, 4, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, 0)));
    DO(enter_with(0, 5, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, 86400)));
    DO(enter_with(0, 6, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, UINT32_MAX)));
    time_in_force = '0';
    DO(enter_with(0, 7, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_EXPIRE_TIME, 86399)));
    must_say(0, "J2:15 U1>3:9x100000L J4:f J5:f J6:f J7:f");
    late_ns = INT64_C(86399000000000);
    command((tl_command){.type = TL_MSG_TYPE_EXPIRE});
    must_say(0, "C3:9T");
    end();
    late_ns = 0;
}

/* 8.11, 8.12 */
static void so_much_or_nothing(void)
{
    begin();
    DO(enter(1, 1, 'S', 4, "AAA", 100000, '0'));
    DO(enter_with(0, 1, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_MIN_QTY, 5)));
    DO(enter_with(0, 2, 'B', 10, 100000, 'Y', with_u32(TL_OUCH_MIN_QTY, 4)));
    must_say(0, "S0 A1:B10x100000 C1:10I A2:B10x100000 E2:4x100000R T2");
    const uint8_t *m = last(0, 2);
    CHECK(tl_get_u16(m + 62) == 6 && m[65] == TL_OUCH_MIN_QTY && tl_get_u32(m + 66) == 4);
    DO(replace_with(2, 3, 9, 100000, 'Y', with_u32(TL_OUCH_MIN_QTY, 0)));
    DO(enter_with(0, 4, 'B', 10, 99900, 'Y', with_u32(TL_OUCH_MIN_QTY, 11)));
    DO(enter_with(0, 5, 'B', 10, 99900, 'Y', with_u32(TL_OUCH_MIN_QTY, UINT32_MAX)));
    must_say(0, "J3:15 J4:f J5:f");
    DO(enter_with(0, 6, 'B', 10, 99900, 'Y', with(TL_OUCH_HANDLE_INST, "A", 1)));
    CHECK(tl_get_u16(last(0, 0) + 62) == 3 && last(0, 0)[66] == 'A');
    CHECK(last(0, 0)[35] == 'N'); /* nobody sees it */
    DO(enter_with(0, 7, 'B', 10, 99900, 'Y',
                  both(with(TL_OUCH_HANDLE_INST, "A", 1), with(TL_OUCH_POST_ONLY, "P", 1))));
    DO(enter_with(0, 8, 'B', 10, 99900, 'Y', with(TL_OUCH_HANDLE_INST, "I", 1)));
    DO(replace_with(6, 9, 8, 99900, 'N', with(TL_OUCH_HANDLE_INST, "N", 1)));
    DO(replace_with(6, 10, 8, 99900, 'N', with(TL_OUCH_HANDLE_INST, "A", 1)));
    must_say(0, "A6:B10x99900 J7:f J8:f J9:15 U6>10:8x99900L");
    end();
}

/* 9.2: orders for an auction are OUCH's cross orders. */
static void an_order_is_for_a_cross(void)
{
    begin();
    cross_type = 'O';
    DO(enter_with(0, 1, 'B', 10, 100000, 'Y', none)); /* there is no auction */
    command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                         .field = TL_TRADING_STATUS_OPENING_AUCTION});
    DO(enter_with(0, 2, 'B', 10, 100000, 'Y', none));
    CHECK(last(0, 0)[34] == '0' && last(0, 0)[46] == 'O');
    must_say(0, "S0 J1:f A2:B10x100000");
    DO(replace_with(2, 3, 9, 100000, 'Y', none));
    must_say(0, "U2>3:9x100000L");
    cross_type = 'C';
    DO(enter_with(0, 4, 'B', 10, 90000, 'Y', none));
    CHECK(last(0, 0)[46] == 'C');
    cross_type = 'H';
    DO(enter_with(0, 5, 'B', 10, 90000, 'Y', none));
    CHECK(last(0, 0)[46] == 'H');
    must_say(0, "A4:B10x90000 A5:B10x90000");
    time_in_force = '3';
    DO(enter_with(0, 6, 'B', 10, 90000, 'Y', none));
    time_in_force = '0';
    cross_type = 'S';
    DO(enter_with(0, 7, 'B', 10, 90000, 'Y', none));
    cross_type = 'N';
    must_say(0, "J6:14 J7:14");
    DO(enter(1, 1, 'S', 4, "AAA", 100000, '0'));
    command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                         .field = TL_TRADING_STATUS_READY_TO_TRADE});
    must_say(0, "E3:4x100000O C3:5C C5:10C");
    must_say(1, "S0 A1:S4x100000 E1:4x100000O");
    end();
}

int main(void)
{
    an_order_ends_at_its_expire_time();
    so_much_or_nothing();
    an_order_is_for_a_cross();
    an_iceberg_shows_its_next_part();
    a_hidden_order_is_not_displayed();
    a_post_only_order_is_refused_or_slides();
    orders_wait_for_their_stop_price();
    what_does_not_go_together_is_refused();
    a_market_to_limit_order_gets_a_price();
    return 0;
}

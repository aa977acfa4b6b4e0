/* OUCH 5.0: the bytes of its messages, and which of their values this venue carries out. */
#include "check.h"
#include "touchline/wire/ouch.h"
#include "touchline/wire/ouch_orders.h"

#define ENTER "O\0\0\0\7" "B\0\0\0\144" "AAA     " "\0\0\0\0\0\1\x86\xA0" "0YPNN" "ORDER-1       "

static uint8_t bytes[TL_OUCH_REQUEST_MAX];
static tl_ouch_request asked;
static const char *name;

/* An Enter Order with this appendage; what is wrong with it. */
static tl_ouch_fault enter_with(const char *options, size_t size)
{
    memcpy(bytes, ENTER, 45);
    tl_put_u16(bytes + 45, (uint16_t)size);
    memcpy(bytes + 47, options, size);
    return tl_ouch_read(bytes, 47 + size, &asked);
}

static void an_enter_order_is_read_field_by_field(void)
{
    CHECK(enter_with("\5\2FIRM", 6) == TL_OUCH_FAULT_NONE);
    CHECK(asked.type == 'O' && asked.user_ref_num == 7 && asked.side == 'B');
    CHECK(asked.quantity == 100 && memcmp(asked.symbol, "AAA     ", 8) == 0);
    CHECK(asked.price == 100000 && asked.time_in_force == '0' && asked.display == 'Y');
    CHECK(asked.capacity == 'P' && asked.sweep == 'N' && asked.cross_type == 'N');
    CHECK(memcmp(asked.cl_ord_id, "ORDER-1       ", 14) == 0);
    CHECK(memcmp(asked.firm, "FIRM", 4) == 0);
    CHECK(tl_ouch_refused(&asked, &name) == 0 && *name == '\0');
}

static void other_requests_are_read(void)
{
    static const char replace[] = "U\0\0\0\1" "\0\0\0\2" "\0\0\0\5" "\0\0\0\0\0\0\0\x64" "0YN"
                                  "X             " "\0\0";
    CHECK(tl_ouch_read((const uint8_t *)replace, 40, &asked) == TL_OUCH_FAULT_NONE);
    CHECK(asked.orig_user_ref_num == 1 && asked.user_ref_num == 2 && asked.quantity == 5);
    CHECK(asked.price == 100 && asked.sweep == 'N' && asked.cl_ord_id[0] == 'X');
    CHECK(tl_ouch_read((const uint8_t *)"X\0\0\0\3\0\0\0\4", 9, &asked) == TL_OUCH_FAULT_NONE);
    CHECK(asked.user_ref_num == 3 && asked.quantity == 4);
    CHECK(tl_ouch_read((const uint8_t *)"M\0\0\0\3S\0\0\0\4", 10, &asked) == TL_OUCH_FAULT_NONE);
    CHECK(asked.side == 'S' && asked.quantity == 4);
    static const char mass[] = "C\0\0\0\11" "FIRM" "AAA     " "\0\3\2\x1B" "S";
    CHECK(tl_ouch_read((const uint8_t *)mass, 22, &asked) == TL_OUCH_FAULT_NONE);
    CHECK(*tl_ouch_option(&asked, TL_OUCH_SIDE) == 'S' && memcmp(asked.firm, "FIRM", 4) == 0);
    CHECK(tl_ouch_refused(&asked, &name) == 0);
    CHECK(tl_ouch_read((const uint8_t *)"D\0\0\0\1FIRM\0\0", 11, &asked) == TL_OUCH_FAULT_NONE);
    CHECK(tl_ouch_read((const uint8_t *)"Q", 1, &asked) == TL_OUCH_FAULT_NONE);
    CHECK(tl_ouch_read((const uint8_t *)"Q\0\0", 3, &asked) == TL_OUCH_FAULT_NONE);
}

static void a_message_is_as_long_as_it_says(void)
{
    enter_with("\5\2FIRM", 6);
    for (size_t size = 0; size <= 60; size++) {
        uint8_t *copy = malloc(size + 1); /* so that a read past the end is seen */
        CHECK(copy != NULL);
        memcpy(copy, bytes, size);
        const tl_ouch_fault fault = tl_ouch_read(copy, size, &asked);
        CHECK(fault == (size == 0    ? TL_OUCH_FAULT_EMPTY
                        : size == 53 ? TL_OUCH_FAULT_NONE
                                     : TL_OUCH_FAULT_SIZE));
        free(copy);
    }
    bytes[0] = 'Z';
    CHECK(tl_ouch_read(bytes, 53, &asked) == TL_OUCH_FAULT_TYPE);
}

static void an_option_is_known_and_there_once_and_of_its_length(void)
{
    CHECK(enter_with("\2\14N\5\2FIRM", 9) == TL_OUCH_FAULT_NONE);
    CHECK(enter_with("\5\2FIRM\5\2FIRM", 12) == TL_OUCH_FAULT_OPTION);
    CHECK(enter_with("\2\10N", 3) == TL_OUCH_FAULT_OPTION);
    CHECK(enter_with("\2\377N", 3) == TL_OUCH_FAULT_OPTION);
    CHECK(enter_with("\3\14NN", 4) == TL_OUCH_FAULT_OPTION);
    CHECK(enter_with("\0\14N", 3) == TL_OUCH_FAULT_OPTION);
    CHECK(enter_with("\3\14N", 3) == TL_OUCH_FAULT_OPTION);
    CHECK(enter_with("\2", 1) == TL_OUCH_FAULT_OPTION);
    CHECK(asked.user_ref_num == 7 && asked.options == NULL);
}

static void what_the_venue_does_not_offer_is_refused_by_name(void)
{
    static const struct {
        size_t at;
        char value;
        uint16_t code;
        const char *name;
    } fields[] = {{5, 'T', TL_OUCH_REJECT_INVALID_SIDE, "Side"},
                  {9, 0, TL_OUCH_REJECT_INVALID_QUANTITY, "Quantity"},
                  {7, 16, TL_OUCH_REJECT_INVALID_QUANTITY, "Quantity"},
                  {26, '5', TL_OUCH_REJECT_OTHER, "TimeInForce"},
                  {26, 0, TL_OUCH_REJECT_OTHER, "TimeInForce"},
                  {27, 'A', TL_OUCH_REJECT_INVALID_DISPLAY, "Display"},
                  {28, 'X', TL_OUCH_REJECT_OTHER, "Capacity"},
                  {28, 0, TL_OUCH_REJECT_OTHER, "Capacity"},
                  {29, 'Y', TL_OUCH_REJECT_ISO_NOT_ALLOWED, "InterMarketSweepEligibility"},
                  {30, 'S', TL_OUCH_REJECT_INVALID_CROSS_ORDER, "CrossType"},
                  {30, 0, TL_OUCH_REJECT_INVALID_CROSS_ORDER, "CrossType"},
                  {33, 7, TL_OUCH_REJECT_OTHER, "ClOrdID"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        enter_with("", 0);
        bytes[fields[i].at] = (uint8_t)fields[i].value;
        CHECK(tl_ouch_read(bytes, 47, &asked) == TL_OUCH_FAULT_NONE);
        CHECK(tl_ouch_refused(&asked, &name) == fields[i].code);
        CHECK(strcmp(name, fields[i].name) == 0);
    }
}

static void an_option_passes_when_it_asks_for_nothing(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        uint16_t code;
    } options[] = {{"\5\3\0\0\0\0", 6, 0},
                   {"\5\3\0\0\0\1", 6, 0},
                   {"\5\5\0\0\1\0", 6, 0},
                   {"\2\6L", 3, 0},
                   {"\2\6P", 3, TL_OUCH_REJECT_INVALID_PEG_TYPE},
                   {"\5\7\0\0\0\1", 6, TL_OUCH_REJECT_PEGGING_NOT_ALLOWED},
                   {"\2\14N", 3, 0},
                   {"\2\14P", 3, 0},
                   {"\2\14X", 3, TL_OUCH_REJECT_OTHER},
                   {"\12\37K\0\0\0\0\0\0\0\0", 11, 0},
                   {"\12\0372\0\0\0\0\0\0\0\0", 11, TL_OUCH_REJECT_OTHER},
                   {"\5\16ROUT", 6, TL_OUCH_REJECT_ROUTING_NOT_ALLOWED},
                   {"\2\4R", 3, 0},
                   {"\2\31Y", 3, 0},
                   {"\2\34\0", 3, 0},
                   {"\2\34\1", 3, TL_OUCH_REJECT_OTHER},
                   {"\2\33S", 3, TL_OUCH_REJECT_INVALID_SIDE},
                   {"\2\22S", 3, TL_OUCH_REJECT_OTHER}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        CHECK(enter_with(options[i].bytes, options[i].size) == TL_OUCH_FAULT_NONE);
        CHECK(tl_ouch_refused(&asked, &name) == options[i].code);
        CHECK((*name == '\0') == (options[i].code == 0));
    }
    CHECK(strcmp(tl_ouch_reject_text(TL_OUCH_REJECT_HALTED), "halted") == 0);
}

static void every_message_comes_back_as_the_bytes_it_was(void)
{
    uint64_t random = 3;
    uint8_t out[TL_OUCH_ANSWER_MAX], again[TL_OUCH_ANSWER_MAX];
    int messages = 0;
#define COMES_BACK(of, fields, letter, size, appendage)                                            \
    for (int i = 0; i < 20; i++) {                                                                 \
        tl_ouch_##of host;                                                                         \
        for (int j = 0; j < (size); j++)                                                           \
            out[j] = (uint8_t)random_next(&random);                                                \
        tl_ouch_##of##_get((const tl_ouch_##of##_wire *)out, &host);                               \
        tl_ouch_##of##_put((tl_ouch_##of##_wire *)again, &host);                                   \
        CHECK(memcmp(out, again, size) == 0);                                                      \
        messages++;                                                                                \
    }
    TL_OUCH_REQUESTS(COMES_BACK)
    TL_OUCH_ANSWERS(COMES_BACK)
    CHECK(messages == 500);
    CHECK(tl_ouch_answer_size('A') == 64 && tl_ouch_answer_size('J') == 29);
    CHECK(tl_ouch_answer_size('?') == 0);
}

/* ── the table of open orders ────────────────────────────────────────────────────────────────── */

static tl_ouch_order order_of(uint32_t slot, uint32_t generation, uint16_t session, uint32_t number)
{
    return (tl_ouch_order){.order_id = (uint64_t)generation << 32 | slot,
                           .session = session,
                           .user_ref_num = number};
}

static void an_order_is_found_while_it_is_open(void)
{
    tl_ouch_orders table;
    CHECK(tl_ouch_orders_open(&table, 4, 99) == 0);
    const tl_ouch_order one = order_of(2, 1, 7, 5);
    tl_ouch_order *added = tl_ouch_order_add(&table, &one);
    CHECK(added != NULL && tl_ouch_order_named(&table, 7, 5) == added);
    CHECK(tl_ouch_order_of(&table, one.order_id) == added);
    CHECK(tl_ouch_order_named(&table, 6, 5) == NULL && tl_ouch_order_of(&table, 2) == NULL);
    const tl_ouch_order same = order_of(3, 1, 7, 5), beyond = order_of(4, 1, 7, 6);
    CHECK(tl_ouch_order_add(&table, &same) == NULL && tl_ouch_order_add(&table, &beyond) == NULL);
    CHECK(tl_ouch_order_rename(&table, added, 9) && tl_ouch_order_named(&table, 7, 5) == NULL);
    CHECK(tl_ouch_order_named(&table, 7, 9) == added);
    tl_ouch_order_end(&table, added);
    CHECK(tl_ouch_order_named(&table, 7, 9) == NULL);
    tl_ouch_orders_close(&table);
}

/* A line of the table is 64 bytes. Another key leads the numbers elsewhere. */
static void numbers_that_follow_one_another_share_a_line(void)
{
    tl_ouch_orders table, other;
    uint32_t moved = 0;
    CHECK(tl_ouch_orders_open(&table, 4096, 99) == 0 && tl_ouch_orders_open(&other, 4096, 98) == 0);
    for (uint32_t number = 0; number < 4096; number++) {
        const uint32_t at = tl_ouch_hash(&table, 7, number);
        CHECK(at / 8 == tl_ouch_hash(&table, 7, number & ~7u) / 8 && at % 8 == number % 8);
        moved += at != tl_ouch_hash(&other, 7, number);
    }
    CHECK(moved > 4000 && (uintptr_t)table.places % 64 == 0);
    tl_ouch_orders_close(&other);
    tl_ouch_orders_close(&table);
}

/* Against an array that is searched from end to end. */
static void the_table_is_what_a_list_would_be(void)
{
    enum { SLOTS = 200 };
    tl_ouch_orders table;
    uint32_t numbers[SLOTS] = {0}, next = 0;
    uint64_t random = 5;
    CHECK(tl_ouch_orders_open(&table, SLOTS, 1) == 0);
    for (int i = 0; i < 100000; i++) {
        const uint32_t slot = (uint32_t)(random_next(&random) % SLOTS);
        if (numbers[slot] == 0) {
            const tl_ouch_order order = order_of(slot, (uint32_t)i + 1, 1, ++next);
            CHECK(tl_ouch_order_add(&table, &order) != NULL);
            numbers[slot] = next;
        } else if (random_next(&random) % 2 == 0) {
            CHECK(tl_ouch_order_rename(&table, &table.orders[slot], ++next));
            numbers[slot] = next;
        } else {
            tl_ouch_order_end(&table, &table.orders[slot]);
            CHECK(tl_ouch_order_named(&table, 1, numbers[slot]) == NULL);
            numbers[slot] = 0;
        }
        const uint32_t other = (uint32_t)(random_next(&random) % SLOTS);
        if (numbers[other] != 0)
            CHECK(tl_ouch_order_named(&table, 1, numbers[other]) == &table.orders[other]);
    }
    tl_ouch_orders_close(&table);
}

int main(void)
{
    an_enter_order_is_read_field_by_field();
    other_requests_are_read();
    a_message_is_as_long_as_it_says();
    an_option_is_known_and_there_once_and_of_its_length();
    what_the_venue_does_not_offer_is_refused_by_name();
    an_option_passes_when_it_asks_for_nothing();
    every_message_comes_back_as_the_bytes_it_was();
    an_order_is_found_while_it_is_open();
    numbers_that_follow_one_another_share_a_line();
    the_table_is_what_a_list_would_be();
    return 0;
}

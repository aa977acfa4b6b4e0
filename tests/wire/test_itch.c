/* ITCH 5.0: the bytes of its messages, and the record that any of them becomes. */
#include "check.h"
#include "touchline/wire/itch.h"

/* Written out by hand from the tables of Nasdaq's specification. */
static const uint8_t add[] = {
    'A', 0x12, 0x34, 0, 7, 0x1F, 0x1A, 0xCE, 0xD9, 0x2B, 0x01,
    0, 0, 0, 0, 0, 0, 0x01, 0x02, 'B', 0, 0, 0, 100, 'A', 'A', 'A', ' ', ' ', ' ', ' ', ' ',
    0, 0x01, 0x91, 0x0C};
static const uint8_t replace[] = {
    'U', 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 10,
    0, 0, 0, 50, 0, 0, 0x27, 0x10};

static void an_add_order_is_read_field_by_field(void)
{
    tl_itch_record record;
    CHECK(sizeof add == 36);
    CHECK(tl_itch_decode(add, sizeof add, &record) == TL_ITCH_FAULT_NONE);
    CHECK(record.type == 'A' && record.locate == 0x1234 && record.tracking == 7);
    CHECK(record.ts_ns == UINT64_C(0x1F1ACED92B01));
    CHECK(record.order_ref == 0x102 && record.side == 'B' && record.shares == 100);
    CHECK(memcmp(record.stock, "AAA     ", 8) == 0);
    CHECK(record.price == 102668);
    CHECK(record.match_number == 0 && record.new_order_ref == 0);
}

static void a_replace_names_both_orders(void)
{
    tl_itch_record record;
    CHECK(tl_itch_decode(replace, sizeof replace, &record) == TL_ITCH_FAULT_NONE);
    CHECK(record.order_ref == 9 && record.new_order_ref == 10);
    CHECK(record.shares == 50 && record.price == 10000 && record.ts_ns == 5);
    CHECK(record.side == 0 && record.stock[0] == 0);
}

/* Bytes that stand for a message: random, of that type, with a side where there is one. */
static void some(uint8_t *bytes, uint8_t type, uint64_t *random)
{
    for (uint32_t i = 0; i < TL_ITCH_BYTES_MAX; i++)
        bytes[i] = (uint8_t)random_next(random);
    bytes[0] = type;
    if (type == 'A' || type == 'F' || type == 'P')
        bytes[19] = bytes[19] % 2 == 0 ? 'B' : 'S';
}

static void every_message_comes_back_as_the_bytes_it_was(void)
{
    uint64_t random = 1;
    uint8_t bytes[TL_ITCH_BYTES_MAX], again[TL_ITCH_BYTES_MAX];
    int messages = 0;
#define COMES_BACK(name, fields, letter, size)                                                     \
    for (int i = 0; i < 100; i++) {                                                                \
        tl_itch_##name host;                                                                       \
        some(bytes, letter, &random);                                                              \
        tl_itch_##name##_get((const tl_itch_##name##_wire *)bytes, &host);                         \
        tl_itch_##name##_put((tl_itch_##name##_wire *)again, &host);                               \
        CHECK(memcmp(bytes, again, size) == 0);                                                    \
        CHECK(host.type == (letter) && tl_itch_sizes[letter] == (size));                           \
        messages++;                                                                                \
    }
    TL_ITCH_MESSAGES(COMES_BACK)
#undef COMES_BACK
    CHECK(messages == 2300);
}

static void the_record_says_what_the_message_says(void)
{
    uint64_t random = 2;
    uint8_t bytes[TL_ITCH_BYTES_MAX];
    tl_itch_record record;
#define READ(letter, name)                                                                         \
    tl_itch_##name name;                                                                           \
    some(bytes, letter, &random);                                                                  \
    tl_itch_##name##_get((const tl_itch_##name##_wire *)bytes, &name);                             \
    CHECK(tl_itch_decode(bytes, tl_itch_sizes[letter], &record) == TL_ITCH_FAULT_NONE);            \
    CHECK(record.ts_ns == name.ts_ns && record.locate == name.locate)
    READ('C', executed_price);
    CHECK(record.order_ref == executed_price.order_ref && record.price == executed_price.price);
    CHECK(record.match_number == executed_price.match_number);
    CHECK(record.code == executed_price.printable && record.shares == executed_price.shares);
    READ('F', add_order_mpid);
    CHECK(memcmp(record.text, add_order_mpid.mpid, 4) == 0 && record.side == add_order_mpid.side);
    READ('P', trade);
    CHECK(record.match_number == trade.match_number && record.price == trade.price);
    READ('Q', cross_trade);
    CHECK(record.shares == cross_trade.shares && record.code == cross_trade.cross_type);
    READ('H', trading_action);
    CHECK(record.code == trading_action.trading_state);
    CHECK(memcmp(record.text, trading_action.reason, 4) == 0);
    READ('X', cancel);
    CHECK(record.order_ref == cancel.order_ref && record.shares == cancel.shares);
    READ('D', delete);
    CHECK(record.order_ref == delete.order_ref && record.shares == 0);
    READ('B', broken_trade);
    CHECK(record.match_number == broken_trade.match_number && record.order_ref == 0);
    READ('I', noii);
    CHECK(record.shares == noii.paired_shares && record.code_2 == noii.imbalance_direction);
    READ('S', system_event);
    CHECK(record.code == system_event.event_code && record.stock[0] == 0);
    READ('L', participant);
    CHECK(memcmp(record.stock, participant.stock, 8) == 0);
    READ('O', direct_listing);
    CHECK(memcmp(record.stock, direct_listing.stock, 8) == 0);
#undef READ
}

static void what_is_no_message_is_refused_by_name(void)
{
    tl_itch_record record;
    uint8_t bytes[sizeof add];
    memset(&record, 0x55, sizeof record);
    const tl_itch_record before = record;
    memcpy(bytes, add, sizeof add);
    CHECK(tl_itch_decode(bytes, 0, &record) == TL_ITCH_FAULT_EMPTY);
    CHECK(tl_itch_decode(bytes, sizeof add - 1, &record) == TL_ITCH_FAULT_SIZE);
    CHECK(tl_itch_decode(bytes, sizeof add + 1, &record) == TL_ITCH_FAULT_SIZE);
    bytes[19] = 'T';
    CHECK(tl_itch_decode(bytes, sizeof add, &record) == TL_ITCH_FAULT_SIDE);
    bytes[0] = 'Z';
    CHECK(tl_itch_decode(bytes, sizeof add, &record) == TL_ITCH_FAULT_TYPE);
    CHECK(memcmp(&before, &record, sizeof record) == 0);
    CHECK(strcmp(tl_itch_fault_text(TL_ITCH_FAULT_SIDE), "its side is neither B nor S") == 0);
}

static void blocks_end_where_a_message_is_not_whole(void)
{
    uint8_t bytes[128];
    size_t at = 0, used;
    tl_itch_record records[4];
    tl_itch_fault fault;
    for (int i = 0; i < 2; i++) {
        tl_put_u16(bytes + at, sizeof add);
        memcpy(bytes + at + 2, add, sizeof add);
        at += 2 + sizeof add;
    }
    tl_put_u16(bytes + at, 99);
    for (size_t size = 0; size <= at + 2; size++) {
        const size_t whole = size / (2 + sizeof add);
        uint8_t *copy = malloc(size + 1); /* so that a read past the end is seen */
        CHECK(copy != NULL);
        memcpy(copy, bytes, size);
        CHECK(tl_itch_decode_blocks(copy, size, records, 4, &used, &fault) == whole);
        CHECK(used == whole * (2 + sizeof add) && fault == TL_ITCH_FAULT_NONE);
        free(copy);
    }
    CHECK(tl_itch_decode_blocks(bytes, at, records, 1, &used, &fault) == 1);
    CHECK(used == 2 + sizeof add);
    bytes[used + 2] = 'Z';
    CHECK(tl_itch_decode_blocks(bytes, at, records, 4, &used, &fault) == 1);
    CHECK(fault == TL_ITCH_FAULT_TYPE);
}

static void texts_are_padded_with_spaces(void)
{
    char text[8];
    tl_put_text(text, sizeof text, "AB", 2);
    CHECK(memcmp(text, "AB      ", 8) == 0 && tl_text_length(text, sizeof text) == 2);
    tl_put_text(text, sizeof text, "ABCDEFGHIJ", 10);
    CHECK(memcmp(text, "ABCDEFGH", 8) == 0 && tl_text_length(text, sizeof text) == 8);
    tl_put_text(text, sizeof text, "", 0);
    CHECK(tl_text_length(text, sizeof text) == 0);
}

int main(void)
{
    an_add_order_is_read_field_by_field();
    a_replace_names_both_orders();
    every_message_comes_back_as_the_bytes_it_was();
    the_record_says_what_the_message_says();
    what_is_no_message_is_refused_by_name();
    blocks_end_where_a_message_is_not_whole();
    texts_are_padded_with_spaces();
    return 0;
}

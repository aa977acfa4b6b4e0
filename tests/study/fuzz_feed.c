/* Mutated files of market data through their readers, and what comes out of them through the books;
 * what must hold of both is checked. The first byte of an input says what the file is, and in which
 * pieces it is given. fuzz.h says how it is called. */
#include "check.h"
#include "touchline/study/books.h"
#include "touchline/study/feed.h"
#include "touchline/wire/fields.h"
#include "touchline/wire/itch.h"

#define INPUT_MAX 1500
#define INPUTS 300000
#define ROOM 8u
#define ORDERS_MAX 64u
#define INSTRUMENTS_MAX 8u

/* All of a file, `piece` bytes more at a time: its records into the books. */
static void read_file(tl_feed *feed, tl_books *books, const uint8_t *bytes, size_t size,
                      size_t piece)
{
    tl_market_record records[ROOM];
    uint64_t made = 0;
    size_t at = 0, given = 0;
    while (given < size) {
        given = given + piece < size ? given + piece : size;
        for (size_t count = 1, used = 1; count != 0 || used != 0; at += used) {
            uint8_t *copy = malloc(given - at + 1); /* so that a read past the end is seen */
            CHECK(copy != NULL);
            memcpy(copy, bytes + at, given - at);
            count = tl_feed_read(feed, copy, given - at, records, ROOM, &used);
            free(copy);
            CHECK(count <= ROOM && used <= given - at);
            CHECK(tl_books_apply(books, records, count, &(tl_books_out){0}) == 0);
            made += count;
        }
    }
    tl_feed_end(feed, size - at);
    uint64_t offset;
    const int fault = tl_feed_fault_now(feed, &offset);
    CHECK((fault == TL_FEED_NONE_FAULT) == (*tl_feed_fault_text(fault) == '\0'));
    CHECK(fault == TL_FEED_NONE_FAULT || offset <= size);
    tl_feed_counts counts;
    tl_feed_counts_now(feed, &counts);
    CHECK(counts.messages == made && counts.unknown <= counts.messages);
}

/* What each side says of itself is what its orders and levels add up to. */
static void check_books(const tl_books *books)
{
    tl_books_counts counts;
    tl_books_counts_now(books, &counts);
    CHECK(counts.orders <= ORDERS_MAX);
    uint64_t orders_of_all = 0, levels_of_all = 0;
    for (uint32_t instrument = 0; instrument < INSTRUMENTS_MAX; instrument++)
        for (uint8_t side = '1'; side <= '2'; side++) {
            size_t levels, orders;
            tl_depth_row rows[ORDERS_MAX + 1];
            tl_books_side(books, instrument, side, &levels, &orders);
            if (levels == 0)
                continue;
            CHECK(tl_books_depth(books, instrument, side, rows, ORDERS_MAX + 1) == levels);
            for (size_t i = 1; i < levels; i++)
                CHECK(side == '1' ? rows[i].price < rows[i - 1].price
                                  : rows[i].price > rows[i - 1].price);
            orders_of_all += orders;
            levels_of_all += levels;
        }
    CHECK(orders_of_all == counts.orders && levels_of_all == counts.levels);
}

static void try_input(const uint8_t *given, size_t size)
{
    if (size == 0)
        return;
    const unsigned how = given[0];
    tl_books *books;
    tl_feed *feed = tl_feed_open(how % 2 == 0 ? TL_FEED_BINARYFILE : TL_FEED_PCAP, 0,
                                 how & 2 ? 26400 : 0, (how & 4) != 0);
    CHECK(feed != NULL && tl_books_open(&books, INSTRUMENTS_MAX, ORDERS_MAX, 7) == 0);
    read_file(feed, books, given + 1, size - 1, how & 8 ? 61 : INPUT_MAX);
    check_books(books);
    tl_books_close(books);
    tl_feed_close(feed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_input(data, size);
    return 0;
}

#ifndef TOUCHLINE_LIBFUZZER
#include "fuzz.h"

static size_t put(uint8_t *bytes, size_t size, const char *text, size_t length)
{
    memcpy(bytes + size, text, length);
    return size + length;
}
#define PUT(text) size = put(bytes, size, text, sizeof(text) - 1)

/* A message that could be: few orders, prices and stocks, so that they meet. */
static size_t message(uint8_t *bytes, uint64_t *random)
{
    static const char types[] = "AAAFECXDUUPQBRHSI";
    const uint8_t type = (uint8_t)types[random_next(random) % (sizeof types - 1)];
    const size_t size = tl_itch_sizes[type];
    for (size_t i = 0; i < size; i++)
        bytes[2 + i] = i < 11 ? 0 : (uint8_t)(random_next(random) % 4 == 0);
    tl_put_u16(bytes, (uint16_t)size);
    bytes[2] = type;
    bytes[4] = (uint8_t)(random_next(random) % 3);
    if (size >= 19)
        bytes[20] = (uint8_t)(random_next(random) % 6);
    if (type == 'A' || type == 'F' || type == 'P')
        bytes[21] = random_next(random) % 2 ? 'B' : 'S';
    if (type == 'U')
        bytes[28] = (uint8_t)(random_next(random) % 6);
    return 2 + size;
}

/* A packet of a capture: its head of pcap or block of pcapng, Ethernet, IPv4, UDP, MoldUDP64. */
static size_t packet(uint8_t *bytes, bool blocks, uint32_t number, uint64_t *random)
{
    uint8_t *frame = bytes + (blocks ? 28 : 16);
    uint8_t *mold = frame + 42;
    memset(bytes, 0, (size_t)(mold - bytes));
    memcpy(mold, "SESSION001\0\0\0\0\0\0\0\0\0\0", 20);
    mold[17] = (uint8_t)number;
    mold[19] = (uint8_t)(random_next(random) % 3);
    size_t payload = 20;
    for (unsigned i = 0; i < mold[19]; i++)
        payload += message(mold + payload, random);
    frame[12] = 8;
    frame[14] = 0x45;
    tl_put_u16(frame + 16, (uint16_t)(28 + payload));
    frame[23] = 17;
    tl_put_u16(frame + 36, 26400);
    tl_put_u16(frame + 38, (uint16_t)(8 + payload));
    const uint32_t size = (uint32_t)(42 + payload);
    if (!blocks) {
        memcpy(bytes + 8, &size, 4);
        memcpy(bytes + 12, &size, 4);
        return 16 + size;
    }
    const uint32_t kind = 6, padded = (size + 3) & ~3u, whole = 32 + padded;
    memset(frame + size, 0, padded - size);
    memcpy(bytes, &kind, 4);
    memcpy(bytes + 4, &whole, 4);
    memcpy(bytes + 20, &size, 4);
    memcpy(bytes + 24, &size, 4);
    memcpy(bytes + 28 + padded, &whole, 4);
    return whole;
}

static size_t begin(uint8_t *bytes, uint64_t *random)
{
    size_t size = 1;
    bytes[0] = (uint8_t)(random_next(random) % 16);
    if (bytes[0] % 2 == 0) {
        for (int i = 0; i < 12; i++)
            size += message(bytes + size, random);
        return size;
    }
    const bool blocks = random_next(random) % 2 == 0;
    if (blocks)
        PUT("\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"
            "\x1c\0\0\0\1\0\0\0\x14\0\0\0\1\0\0\0\xff\xff\0\0\x14\0\0\0");
    else
        PUT("\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\xff\xff\0\0\1\0\0\0");
    for (uint32_t i = 0; i < 4; i++)
        size += packet(bytes + size, blocks, 1 + i * 2, random);
    return size;
}

int main(int count, char **arguments)
{
    return fuzz_main(count, arguments, INPUTS, INPUT_MAX, begin, try_input);
}
#endif

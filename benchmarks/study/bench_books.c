/* ITCH decoded and books built, messages a second: `bench_books [INSTRUMENTS ORDERS]`.
 *
 *   a day by a seed: adds, deletes, cancels, executions and replaces of INSTRUMENTS stocks with
 *   at most ORDERS resting ─► tl_feed_read ─► records ─► tl_books_apply
 *
 * Prices lie around a middle that wanders, most near the touch. Each part is timed alone, by
 * processor time, the best of PASSES; then what rests is held against what the generator kept.
 * Prints one JSON object.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "touchline/study/books.h"
#include "touchline/study/feed.h"
#include "touchline/wire/itch.h"

#define MESSAGES 4000000u
#define INSTRUMENTS_MAX 60000u
#define ORDERS_MAX 4000000u
#define PASSES 3
#define PIECE 16384u

typedef struct made_order {
    uint64_t ref;
    uint32_t shares;
    uint16_t locate;
    char side;
} made_order;

static made_order orders[ORDERS_MAX];
static uint32_t resting;
static uint64_t refs;
static uint32_t instruments = 20;
static uint32_t orders_max = 8000;
static uint32_t middles[INSTRUMENTS_MAX];
static uint64_t state = 11;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint32_t price_near(uint16_t locate, char side)
{
    uint32_t *middle = &middles[locate];
    if (*middle == 0)
        *middle = 500000 + (uint32_t)(random_next(&state) % 500000);
    *middle += (uint32_t)(random_next(&state) % 201) - 100;
    uint64_t bits = random_next(&state);
    uint32_t away = (uint32_t)((uint64_t)__builtin_ctzll(bits | 1u << 9) * 8 + (bits >> 60)) * 100;
    return (side == 'B' ? *middle - away : *middle + away + 100) / 100 * 100;
}

static size_t add_put(uint8_t *to, uint64_t ts_ns)
{
    made_order *order = &orders[resting++];
    uint16_t locate = (uint16_t)(random_next(&state) % instruments);
    char side = random_next(&state) % 2 ? 'B' : 'S';
    *order = (made_order){++refs, 1 + (uint32_t)(random_next(&state) % 900), locate, side};
    tl_itch_add_order add = {.type = 'A', .locate = locate, .ts_ns = ts_ns, .order_ref = refs,
                             .side = side, .shares = order->shares,
                             .price = price_near(locate, side)};
    tl_itch_add_order_put((tl_itch_add_order_wire *)to, &add);
    return sizeof(tl_itch_add_order_wire);
}

static size_t delete_put(uint8_t *to, uint64_t ts_ns, uint32_t at)
{
    tl_itch_delete gone = {.type = 'D', .locate = orders[at].locate, .ts_ns = ts_ns,
                           .order_ref = orders[at].ref};
    tl_itch_delete_put((tl_itch_delete_wire *)to, &gone);
    orders[at] = orders[--resting];
    return sizeof(tl_itch_delete_wire);
}

static size_t replace_put(uint8_t *to, uint64_t ts_ns, uint32_t at)
{
    made_order *order = &orders[at];
    tl_itch_replace new = {.type = 'U', .locate = order->locate, .ts_ns = ts_ns,
                           .order_ref = order->ref, .new_order_ref = ++refs, .shares = 100,
                           .price = price_near(order->locate, order->side)};
    tl_itch_replace_put((tl_itch_replace_wire *)to, &new);
    order->ref = refs;
    order->shares = 100;
    return sizeof(tl_itch_replace_wire);
}

static size_t part_put(uint8_t *to, uint64_t ts_ns, uint32_t at)
{
    made_order *order = &orders[at];
    uint32_t shares = 1 + (uint32_t)(random_next(&state) % order->shares);
    tl_itch_executed part = {.type = 'E', .locate = order->locate, .ts_ns = ts_ns,
                             .order_ref = order->ref, .shares = shares, .match_number = refs};
    tl_itch_executed_put((tl_itch_executed_wire *)to, &part);
    order->shares -= shares;
    if (order->shares == 0)
        *order = orders[--resting];
    return sizeof(tl_itch_executed_wire);
}

static size_t message_put(uint8_t *to, uint64_t ts_ns)
{
    uint64_t chance = random_next(&state) % 100;
    if (resting < orders_max / 2 || (resting < orders_max && chance < 45))
        return add_put(to, ts_ns);
    /* What came last leaves first, mostly. */
    uint32_t most = chance % 2 && resting > 2000 ? 2000 : resting;
    uint32_t back = (uint32_t)(random_next(&state) % most);
    uint32_t at = resting - 1 - back;
    if (chance < 88)
        return delete_put(to, ts_ns, at);
    return chance < 94 ? replace_put(to, ts_ns, at) : part_put(to, ts_ns, at);
}

static size_t day_make(uint8_t *bytes)
{
    size_t size = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        size_t length = message_put(bytes + size + 2, i);
        tl_put_u16(bytes + size, (uint16_t)length);
        size += 2 + length;
    }
    return size;
}

/* The whole day into one small array again and again, as a reader of a file does. */
static double decode(const uint8_t *bytes, size_t size, tl_market_record *records, bool keep)
{
    tl_feed *feed = tl_feed_open(TL_FEED_BINARYFILE, 0, 0, false);
    size_t at = 0;
    size_t count = 0;
    double before = now_s();
    while (count < MESSAGES) {
        size_t used;
        size_t got = tl_feed_read(feed, bytes + at, size - at, records + (keep ? count : 0), PIECE,
                                  &used);
        CHECK(got > 0);
        at += used;
        count += got;
    }
    double took = now_s() - before;
    CHECK(at == size);
    tl_feed_close(feed);
    return took;
}

static double build(const tl_market_record *records, tl_quote *quotes)
{
    tl_books *books;
    CHECK(tl_books_open(&books, instruments, orders_max + 1, 12345) == 0);
    double before = now_s();
    for (size_t at = 0; at < MESSAGES; at += PIECE) {
        size_t count = MESSAGES - at < PIECE ? MESSAGES - at : PIECE;
        tl_books_out out = {.quotes = quotes, .every = true};
        CHECK(tl_books_apply(books, records + at, count, &out) == 0);
    }
    double took = now_s() - before;
    tl_books_counts counts;
    tl_books_counts_now(books, &counts);
    for (unsigned i = 0; i < TL_BOOKS_FAULT_COUNT; i++)
        CHECK(counts.faults[i] == 0);
    CHECK(counts.orders == resting && counts.records == MESSAGES);
    for (uint32_t i = 0; i < resting; i++) {
        tl_resting order;
        CHECK(tl_books_order(books, orders[i].locate, orders[i].ref, &order));
        CHECK(order.qty == orders[i].shares);
    }
    tl_books_close(books);
    return took;
}

int main(int count, char **arguments)
{
    if (count == 3) {
        instruments = (uint32_t)strtoul(arguments[1], NULL, 10);
        orders_max = (uint32_t)strtoul(arguments[2], NULL, 10);
    }
    CHECK(instruments > 0 && instruments <= INSTRUMENTS_MAX);
    CHECK(orders_max > 1 && orders_max <= ORDERS_MAX);
    uint8_t *bytes = malloc((size_t)MESSAGES * 40);
    tl_market_record *records = malloc((size_t)(MESSAGES + PIECE) * sizeof *records);
    tl_quote *quotes = malloc(PIECE * sizeof *quotes);
    CHECK(bytes != NULL && records != NULL && quotes != NULL);
    size_t size = day_make(bytes);
    double best[3] = {1e9, 1e9, 1e9};
    decode(bytes, size, records, true);
    for (int pass = 0; pass < PASSES; pass++) {
        static tl_market_record piece[PIECE];
        double took[3] = {decode(bytes, size, piece, false), build(records, NULL),
                          build(records, quotes)};
        for (int i = 0; i < 3; i++)
            best[i] = took[i] < best[i] ? took[i] : best[i];
    }
    printf("{\"messages\": %u, \"instruments\": %u, \"resting\": %" PRIu32
           ", \"itch_decode_per_s\": %.0f, \"books_per_s\": %.0f, \"books_quotes_per_s\": %.0f, "
           "\"verified\": true}\n",
           MESSAGES, instruments, resting, MESSAGES / best[0], MESSAGES / best[1],
           MESSAGES / best[2]);
    free(bytes);
    free(records);
    free(quotes);
    return 0;
}

/* What the tests of the ITCH feed share: an engine whose events the feed is told of, and what it
 * says of them in words. */
#ifndef TOUCHLINE_TEST_ITCH_VENUE_H
#define TOUCHLINE_TEST_ITCH_VENUE_H

#include "check.h"
#include "touchline/core/engine.h"
#include "touchline/wire/itch_feed.h"

#define ORDERS 4096u
#define SLOTS 16384u
#define TOLD_MAX (1u << 22)

static const tl_engine_capacities capacities = {.instruments_max = 8,
                                                .accounts_max = 4,
                                                .orders_max = ORDERS,
                                                .positions_max = 64,
                                                .price_blocks_max = 1024};
static tl_engine *engine;
static tl_event slots[SLOTS];
static tl_event_sink sink;
static tl_itch_feed *feed;
static uint64_t applied; /* events that the feed has been given */
static int64_t ts_ns;
static uint8_t told[TOLD_MAX]; /* since the last look */
static size_t told_size;

static inline void give(size_t at_once)
{
    while (applied < sink.next) {
        size_t count = (size_t)(sink.next - applied);
        if (count > at_once)
            count = at_once;
        tl_itch_blocks blocks;
        tl_itch_feed_stop stop;
        const size_t done =
            tl_itch_feed_apply(feed, &slots[applied & (SLOTS - 1)], count, &blocks, &stop);
        CHECK(done == count && stop == TL_ITCH_FEED_STOP_NONE);
        CHECK(told_size + blocks.size <= TOLD_MAX);
        memcpy(told + told_size, blocks.bytes, blocks.size);
        told_size += blocks.size;
        applied += done;
    }
}

static inline void do_command(tl_command cmd)
{
    cmd.ts_ns = ts_ns;
    CHECK(tl_itch_feed_command(feed, &cmd) == 0);
    if (cmd.type == TL_MSG_TYPE_TEXT)
        return;
    tl_engine_step(engine, &cmd, &sink);
    give(1);
}

static inline void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field, .key = key};
    memcpy(tl_command_text(&cmd), text, strlen(text));
    do_command(cmd);
}

static inline void list(uint16_t instrument, const char *symbol, const char *tick, const char *lot)
{
    if (symbol != NULL) {
        name(TL_TEXT_SYMBOL, instrument, symbol);
        name(TL_TEXT_TICK_SIZE, instrument, tick);
        name(TL_TEXT_LOT_SIZE, instrument, lot);
    }
    do_command((tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = instrument});
}

static inline void order(uint16_t instrument, char side, int64_t price, int64_t qty, char tif)
{
    do_command((tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                            .instrument = instrument,
                            .side = (uint8_t)side,
                            .price = price,
                            .qty = qty,
                            .ord_type = price != 0 ? TL_ORD_TYPE_LIMIT : TL_ORD_TYPE_MARKET,
                            .time_in_force = (uint8_t)tif});
}

static inline uint64_t last_order(void)
{
    return slots[(sink.next - 1) & (SLOTS - 1)].order_id;
}

static inline void begin(void)
{
    sink = (tl_event_sink){slots, SLOTS - 1, 0};
    applied = 0;
    told_size = 0;
    ts_ns = INT64_C(86400000000000) * 20000 + 5;
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    const tl_itch_feed_config config = {.instruments_max = capacities.instruments_max,
                                        .orders_max = ORDERS,
                                        .price_blocks_max = capacities.price_blocks_max};
    CHECK(tl_itch_feed_open(&feed, &config) == 0);
    do_command((tl_command){.type = TL_MSG_TYPE_ACCOUNT});
}

static inline void end(void)
{
    tl_itch_feed_close(feed);
    tl_engine_close(engine);
}

/* What has been told since the last look, a message a word: "A3:B2x100 E3:1". */
static inline const char *says(void)
{
    static char text[4096];
    size_t at = 0, used = 0, length = 0;
    text[0] = '\0';
    while (at < told_size) {
        tl_itch_record r;
        tl_itch_fault fault;
        CHECK(tl_itch_decode_blocks(told + at, told_size - at, &r, 1, &used, &fault) == 1);
        at += used;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%c", length ? " " : "",
                                   r.type);
        const unsigned long long ref = r.order_ref, to = r.new_order_ref, shares = r.shares;
        char *to_text = text + length;
        const size_t room = sizeof text - length;
        switch (r.type) {
        case 'A':
            snprintf(to_text, room, "%llu:%c%llux%u", ref, r.side, shares, r.price);
            break;
        case 'E': case 'X':
            snprintf(to_text, room, "%llu:%llu", ref, shares);
            break;
        case 'U':
            snprintf(to_text, room, "%llu>%llu:%llux%u", ref, to, shares, r.price);
            break;
        case 'D':
            snprintf(to_text, room, "%llu", ref);
            break;
        case 'P':
            snprintf(to_text, room, ":%c%llux%u", r.side, shares, r.price);
            break;
        case 'Q':
            snprintf(to_text, room, ":%llux%u%c", shares, r.price, r.code);
            break;
        case 'I':
            snprintf(to_text, room, ":%llux%u%c%c", shares, r.price, r.code_2, r.code);
            break;
        case 'R':
            snprintf(to_text, room, "%u%.8s", r.locate, r.stock);
            break;
        default:
            snprintf(to_text, room, "%u%c", r.locate, r.code);
        }
        length += strlen(to_text);
    }
    told_size = 0;
    return text;
}

static inline void must_say(const char *expected)
{
    const char *text = says();
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "said     %s\nexpected %s\n", text, expected);
        abort();
    }
}

/* One stock AAA with ticks of 0.01 and lots of 10 shares; told of. */
static inline void begin_stock(void)
{
    begin();
    list(0, "AAA", "0.01", "10");
    CHECK(sink.next == 2);
    says();
}

static inline void replace(uint64_t order_id, int64_t price, int64_t qty)
{
    do_command((tl_command){
        .type = TL_MSG_TYPE_REPLACE, .order_id = order_id, .price = price, .qty = qty});
}

#endif

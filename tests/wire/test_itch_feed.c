/* Events as ITCH: what each one says, and that a reader ends with the engine's book. */
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

static void give(size_t at_once)
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

static void do_command(tl_command cmd)
{
    cmd.ts_ns = ts_ns;
    CHECK(tl_itch_feed_command(feed, &cmd) == 0);
    if (cmd.type == TL_MSG_TYPE_TEXT)
        return;
    tl_engine_step(engine, &cmd, &sink);
    give(1);
}

static void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field, .key = key};
    memcpy(tl_command_text(&cmd), text, strlen(text));
    do_command(cmd);
}

static void list(uint16_t instrument, const char *symbol, const char *tick, const char *lot)
{
    if (symbol != NULL) {
        name(TL_TEXT_SYMBOL, instrument, symbol);
        name(TL_TEXT_TICK_SIZE, instrument, tick);
        name(TL_TEXT_LOT_SIZE, instrument, lot);
    }
    do_command((tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = instrument});
}

static void order(uint16_t instrument, char side, int64_t price, int64_t qty, char tif)
{
    do_command((tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                            .instrument = instrument,
                            .side = (uint8_t)side,
                            .price = price,
                            .qty = qty,
                            .ord_type = price != 0 ? TL_ORD_TYPE_LIMIT : TL_ORD_TYPE_MARKET,
                            .time_in_force = (uint8_t)tif});
}

static uint64_t last_order(void)
{
    return slots[(sink.next - 1) & (SLOTS - 1)].order_id;
}

static void begin(void)
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

static void end(void)
{
    tl_itch_feed_close(feed);
    tl_engine_close(engine);
}

/* What has been told since the last look, a message a word: "A3:B2x100 E3:1". */
static const char *says(void)
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

static void must_say(const char *expected)
{
    const char *text = says();
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "said     %s\nexpected %s\n", text, expected);
        abort();
    }
}

/* ── rules ───────────────────────────────────────────────────────────────────────────────────── */

static void a_stream_begins_with_the_day_and_the_stocks(void)
{
    begin();
    must_say("S0O S0S S0Q");
    list(0, "AAA", "0.01", "1");
    must_say("R1AAA      H1T");
    CHECK(tl_itch_feed_count(feed) == 5);
    end();
}

/* One stock AAA with ticks of 0.01 and lots of 10 shares; told of. */
static void begin_stock(void)
{
    begin();
    list(0, "AAA", "0.01", "10");
    CHECK(sink.next == 2);
    says();
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

static void replace(uint64_t order_id, int64_t price, int64_t qty)
{
    do_command((tl_command){
        .type = TL_MSG_TYPE_REPLACE, .order_id = order_id, .price = price, .qty = qty});
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

/* ── a reader's book is the engine's ─────────────────────────────────────────────────────────── */

typedef struct resting { /* as a reader of ITCH knows it */
    uint64_t ref, shares;
    uint32_t price;
    char side;
} resting;

static resting book[2 * ORDERS];
static uint32_t book_count;

static resting *find(uint64_t ref)
{
    for (uint32_t i = 0; i < book_count; i++)
        if (book[i].ref == ref)
            return &book[i];
    CHECK(!"an order that was never added");
    return NULL;
}

static void take_off(resting *one, uint64_t shares)
{
    CHECK(shares <= one->shares);
    one->shares -= shares;
    if (one->shares == 0)
        *one = book[--book_count];
}

static void read_message(const tl_itch_record *r)
{
    resting *one;
    switch (r->type) {
    case 'A':
        book[book_count++] = (resting){r->order_ref, r->shares, r->price, r->side};
        break;
    case 'E': case 'X':
        take_off(find(r->order_ref), r->shares);
        break;
    case 'D':
        one = find(r->order_ref);
        take_off(one, one->shares);
        break;
    case 'U':
        one = find(r->order_ref);
        *one = (resting){r->new_order_ref, r->shares, r->price, one->side};
        break;
    default:
        break;
    }
}

static void read_all(void)
{
    size_t at = 0, used;
    tl_itch_fault fault;
    tl_itch_record records[64];
    for (size_t got = 1; got != 0; at += used) {
        got = tl_itch_decode_blocks(told + at, told_size - at, records, 64, &used, &fault);
        CHECK(fault == TL_ITCH_FAULT_NONE);
        for (size_t i = 0; i < got; i++)
            read_message(&records[i]);
    }
    CHECK(at == told_size);
    told_size = 0;
}

static void check_side(uint8_t side, char of_itch)
{
    tl_level_view levels[512];
    const uint32_t count = tl_engine_depth(engine, 0, side, levels, 512);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t shares = 0;
        uint32_t orders = 0;
        for (uint32_t j = 0; j < book_count; j++)
            if (book[j].side == of_itch && book[j].price == (uint32_t)levels[i].price * 100) {
                shares += book[j].shares;
                orders++;
            }
        CHECK(shares == levels[i].qty * 10 && orders == levels[i].orders);
        seen += orders;
    }
    for (uint32_t j = 0; j < book_count; j++)
        seen -= book[j].side == of_itch;
    CHECK(seen == 0);
}

static void random_command(uint64_t *random, uint64_t *ids, uint32_t *ids_count)
{
    const uint64_t kind = random_next(random) % 10;
    if (kind < 6 || *ids_count == 0) {
        const char tif = "000134"[random_next(random) % 6];
        const uint64_t before = sink.next;
        order(0, random_next(random) % 2 ? '1' : '2', 1000 + (int64_t)(random_next(random) % 30),
              1 + (int64_t)(random_next(random) % 50), tif);
        if (*ids_count < 256)
            ids[(*ids_count)++] = slots[before & (SLOTS - 1)].order_id;
        return;
    }
    uint64_t *id = &ids[random_next(random) % *ids_count];
    if (kind < 9) {
        replace(*id, 1000 + (int64_t)(random_next(random) % 30),
                1 + (int64_t)(random_next(random) % 50));
        return;
    }
    do_command((tl_command){.type = TL_MSG_TYPE_CANCEL, .order_id = *id});
    *id = ids[--*ids_count];
}

static void a_reader_ends_with_the_engines_book(uint64_t seed)
{
    uint64_t random = seed, ids[256];
    uint32_t ids_count = 0;
    begin_stock();
    book_count = 0;
    for (int i = 0; i < 3000; i++) {
        random_command(&random, ids, &ids_count);
        if (i % 50 == 0) {
            read_all();
            check_side('1', 'B');
            check_side('2', 'S');
        }
    }
    CHECK(tl_itch_feed_unshown(feed) == 0);
    end();
}

/* The same events in batches of another size: the same bytes under the same numbers. */
static void messages_do_not_depend_on_batches(void)
{
    static uint8_t before[TOLD_MAX];
    uint64_t random = 77, ids[256];
    uint32_t ids_count = 0;
    begin_stock();
    for (int i = 0; i < 2000; i++)
        random_command(&random, ids, &ids_count);
    CHECK(sink.next < SLOTS);
    const size_t size = told_size;
    const uint64_t count = tl_itch_feed_count(feed);
    memcpy(before, told, size);
    tl_itch_feed_close(feed);
    const tl_itch_feed_config config = {.instruments_max = capacities.instruments_max,
                                        .orders_max = ORDERS,
                                        .price_blocks_max = capacities.price_blocks_max};
    CHECK(tl_itch_feed_open(&feed, &config) == 0);
    const uint64_t events = sink.next;
    applied = told_size = 0;
    sink.next = 0;
    name(TL_TEXT_SYMBOL, 0, "AAA");
    name(TL_TEXT_TICK_SIZE, 0, "0.01");
    name(TL_TEXT_LOT_SIZE, 0, "10");
    const tl_command listing = {.type = TL_MSG_TYPE_SECURITY_DEFINITION};
    CHECK(tl_itch_feed_command(feed, &listing) == 0);
    sink.next = events;
    give(1000);
    const size_t setup = told_size - size; /* what begin_stock had told and said */
    CHECK(memcmp(told + setup, before, size) == 0 && tl_itch_feed_count(feed) == count);
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
    a_stock_that_itch_can_not_tell_has_no_messages();
    an_order_that_32_bits_do_not_hold_is_counted_and_its_trades_told();
    names_are_wanted_before_a_listing_is_told();
    for (uint64_t seed = 1; seed <= 10; seed++)
        a_reader_ends_with_the_engines_book(seed);
    messages_do_not_depend_on_batches();
    return 0;
}

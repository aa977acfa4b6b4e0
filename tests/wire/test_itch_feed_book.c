/* A reader of the ITCH feed ends with the engine's book, in whatever batches the events come. */
#include "itch_venue.h"

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
    static const uint8_t phases[4] = {
        TL_TRADING_STATUS_READY_TO_TRADE, TL_TRADING_STATUS_OPENING_AUCTION,
        TL_TRADING_STATUS_CLOSING_AUCTION, TL_TRADING_STATUS_READY_TO_TRADE};
    if (random_next(random) % 50 == 0) {
        do_command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                                .field = phases[random_next(random) % 4]});
        return;
    }
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
    for (uint64_t seed = 1; seed <= 10; seed++)
        a_reader_ends_with_the_engines_book(seed);
    messages_do_not_depend_on_batches();
    return 0;
}

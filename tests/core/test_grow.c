/* An engine that is given more room goes on as one that always had it. */
#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "touchline/core/engine.h"

enum { SLOTS = 1 << 15, COMMANDS = 20000, INSTRUMENTS = 3, ACCOUNTS = 5 };

static const tl_engine_capacities small = {INSTRUMENTS, ACCOUNTS, 9000, 16, 200};
static tl_event slots[SLOTS];

static tl_engine *opened(const tl_engine_capacities *capacities, tl_event_sink *sink)
{
    tl_engine *engine;
    CHECK(tl_engine_open(&engine, capacities) == 0);
    tl_command list = {.type = TL_MSG_TYPE_SECURITY_DEFINITION};
    for (; list.instrument < INSTRUMENTS; list.instrument++)
        tl_engine_step(engine, &list, sink);
    tl_command account = {.type = TL_MSG_TYPE_ACCOUNT};
    for (; account.account < ACCOUNTS; account.account++)
        tl_engine_step(engine, &account, sink);
    return engine;
}

static tl_command any_command(uint64_t *seed)
{
    uint64_t r = random_next(seed);
    tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER,
                      .account = (uint32_t)(r % ACCOUNTS),
                      .instrument = (uint16_t)(r / 8 % INSTRUMENTS),
                      .side = r & 1 << 10 ? TL_SIDE_BUY : TL_SIDE_SELL,
                      .ord_type = TL_ORD_TYPE_LIMIT,
                      .time_in_force = TL_TIME_IN_FORCE_DAY,
                      .price = 1000 + (int64_t)(r >> 12 & 1023),
                      .qty = 1 + (int64_t)(r >> 24 & 15)};
    if ((r >> 32 & 3) == 0) {
        cmd.type = r >> 34 & 1 ? TL_MSG_TYPE_CANCEL : TL_MSG_TYPE_REPLACE;
        cmd.order_id = (1 + (r >> 36 & 3)) << 32 | (r >> 40) % 4000;
    }
    return cmd;
}

static uint64_t do_any(tl_engine *engine, tl_event_sink *sink, uint64_t seed, int count)
{
    for (int i = 0; i < count; i++) {
        tl_command cmd = any_command(&seed);
        tl_engine_step(engine, &cmd, sink);
    }
    return seed;
}

static void *snapshot_of(const tl_engine *engine)
{
    void *bytes = malloc(tl_engine_snapshot_bytes(engine));
    CHECK(bytes != NULL);
    tl_engine_snapshot(engine, bytes);
    return bytes;
}

static void check_same(const tl_engine *one, const tl_engine *two)
{
    size_t bytes = tl_engine_snapshot_bytes(one);
    void *first = snapshot_of(one), *second = snapshot_of(two);
    CHECK(tl_engine_hash(one) == tl_engine_hash(two));
    CHECK(bytes == tl_engine_snapshot_bytes(two) && memcmp(first, second, bytes) == 0);
    free(first);
    free(second);
}

/* Each capacity alone, then all: the state is that of one opened so, down to its last byte. */
static void a_grown_engine_is_one_opened_larger(void)
{
    for (int which = 0; which <= tl_capacities_count; which++) {
        tl_event_sink sink = {slots, SLOTS - 1, 0};
        tl_engine_capacities larger = small;
        for (int i = 0; i < tl_capacities_count; i++)
            ((uint32_t *)&larger)[i] += which == i || which == tl_capacities_count ? 1000u : 0;
        tl_engine *grown = opened(&small, &sink);
        uint64_t seed = do_any(grown, &sink, 5, COMMANDS);
        CHECK(tl_engine_orders_open(grown) > 500);
        CHECK(tl_engine_grow(grown, &larger) == 0);
        CHECK(memcmp(tl_engine_get_capacities(grown), &larger, sizeof larger) == 0);
        tl_engine *large = opened(&larger, &sink);
        do_any(large, &sink, 5, COMMANDS);
        check_same(grown, large);
        do_any(grown, &sink, seed, COMMANDS);
        do_any(large, &sink, seed, COMMANDS);
        check_same(grown, large);
        tl_engine_close(grown);
        tl_engine_close(large);
    }
}

static void less_room_than_there_is_is_refused_and_harms_nothing(void)
{
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    tl_engine *engine = opened(&small, &sink), *same = opened(&small, &sink);
    do_any(engine, &sink, 7, 1000);
    do_any(same, &sink, 7, 1000);
    for (int i = 0; i < tl_capacities_count; i++) {
        tl_engine_capacities other = small;
        uint32_t *one = (uint32_t *)&other + i;
        for (int n = 0; n < tl_capacities_count; n++)
            ((uint32_t *)&other)[n] += 5;
        *one -= 6;
        CHECK(tl_engine_grow(engine, &other) == -EINVAL);
        *one = tl_capacities[i].highest + 1;
        CHECK(tl_engine_grow(engine, &other) == -EINVAL);
    }
    check_same(engine, same);
    CHECK(tl_engine_grow(engine, &small) == 0); /* as large as it is: no change */
    check_same(engine, same);
    tl_engine_close(engine);
    tl_engine_close(same);
}

static tl_event bid(tl_engine *engine, tl_event_sink *sink, int64_t price)
{
    tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER, .side = TL_SIDE_BUY, .price = price, .qty = 1,
                      .ord_type = TL_ORD_TYPE_LIMIT, .time_in_force = TL_TIME_IN_FORCE_DAY};
    uint64_t first = sink->next;
    tl_engine_step(engine, &cmd, sink);
    return slots[first & sink->mask];
}

static void a_full_pool_takes_more_when_it_has_grown(void)
{
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    tl_engine_capacities capacities = {INSTRUMENTS, ACCOUNTS, 2, 4, 2};
    tl_engine *engine = opened(&capacities, &sink);
    CHECK(bid(engine, &sink, 10).exec_type == TL_EXEC_TYPE_NEW);
    CHECK(bid(engine, &sink, 1000).exec_type == TL_EXEC_TYPE_NEW);
    CHECK(bid(engine, &sink, 10).reason == TL_REASON_ORDERS_FULL);
    capacities.orders_max = 4;
    CHECK(tl_engine_grow(engine, &capacities) == 0);
    CHECK(bid(engine, &sink, 10).exec_type == TL_EXEC_TYPE_NEW);
    CHECK(bid(engine, &sink, 1 << 20).reason == TL_REASON_LEVELS_FULL);
    capacities.price_blocks_max = 3;
    CHECK(tl_engine_grow(engine, &capacities) == 0);
    CHECK(bid(engine, &sink, 1 << 20).exec_type == TL_EXEC_TYPE_NEW);
    tl_event refused = bid(engine, &sink, 1 << 20);
    CHECK(refused.reason == TL_REASON_ORDERS_FULL && tl_engine_orders_open(engine) == 4);
    CHECK(tl_engine_best(engine, 0, TL_SIDE_BUY) == 1 << 20);
    tl_engine_close(engine);
}

int main(void)
{
    a_grown_engine_is_one_opened_larger();
    less_room_than_there_is_is_refused_and_harms_nothing();
    a_full_pool_takes_more_when_it_has_grown();
    return 0;
}

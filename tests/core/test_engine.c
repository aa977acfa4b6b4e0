/* The step as a C program uses it: events in place, full pools, batches, snapshots. */
#include <errno.h>
#include <stdbool.h>

#include "check.h"
#include "touchline/core/engine.h"

#define SLOTS 1024u

static tl_event slots[SLOTS];

static tl_engine *open_engine(uint32_t orders_max, uint32_t price_blocks_max)
{
    tl_engine *engine;
    tl_engine_capacities capacities = {2, 3, orders_max, 4, price_blocks_max};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    return engine;
}

static tl_event step(tl_engine *engine, tl_event_sink *sink, tl_command cmd)
{
    uint64_t first = sink->next;
    tl_engine_step(engine, &cmd, sink);
    CHECK(sink->next > first);
    return slots[first & sink->mask];
}

static tl_command order(uint32_t account, uint8_t side, int64_t price, int64_t qty)
{
    return (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                        .account = account,
                        .side = side,
                        .ord_type = TL_ORD_TYPE_LIMIT,
                        .time_in_force = TL_TIME_IN_FORCE_DAY,
                        .price = price,
                        .qty = qty};
}

static void list(tl_engine *engine, tl_event_sink *sink)
{
    step(engine, sink, (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION});
    step(engine, sink, (tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = 0});
    step(engine, sink, (tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = 1});
}

static void limits_out_of_bounds_are_refused(void)
{
    tl_engine *engine;
    const tl_engine_capacities wrong[] = {{0, 1, 1, 1, 1},       {UINT16_MAX, 1, 1, 1, 1},
                                      {1, 0, 1, 1, 1},       {1, 1, 0, 1, 1},
                                      {1, 1, UINT32_MAX, 1, 1}, {1, 1, 1, 0, 1},
                                      {1, 1, 1, 1, 0},       {1, 1, 1, 1, UINT32_MAX}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(tl_engine_open(&engine, &wrong[i]) == -EINVAL && engine == NULL);
}

/* The list of capacities is what the engine does; the last instrument has a number of its own. */
static void every_capacity_ends_where_its_row_says(void)
{
    const tl_engine_capacities least = {1, 1, 1, 1, 1};
    tl_engine *engine;
    CHECK((size_t)tl_capacities_count * sizeof(uint32_t) == sizeof least);
    for (int i = 0; i < tl_capacities_count; i++) {
        tl_engine_capacities capacities = least;
        uint32_t *one = (uint32_t *)&capacities + i;
        *one = tl_capacities[i].highest + 1;
        CHECK(tl_engine_open(&engine, &capacities) == -EINVAL);
        *one = tl_capacities[i].lowest - 1;
        CHECK(tl_engine_open(&engine, &capacities) == -EINVAL);
    }
    const tl_engine_capacities most = {TL_INSTRUMENT_ALL - 1, 1, 1, 1, 1};
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    CHECK(tl_capacities[0].highest == 65534 && tl_engine_open(&engine, &most) == 0);
    tl_command define = {.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = 65533};
    CHECK(step(engine, &sink, define).exec_type == TL_EXEC_TYPE_SECURITY_DEFINITION);
    define.instrument = TL_INSTRUMENT_ALL - 1;
    CHECK(step(engine, &sink, define).reason == TL_REASON_UNKNOWN_SYMBOL);
    tl_engine_close(engine);
}

static void events_are_numbered_and_wrap_round_the_sink(void)
{
    tl_engine *engine = open_engine(64, 8);
    tl_event_sink sink = {slots, 7, 1};
    list(engine, &sink);
    for (uint64_t i = 0; i < 100; i++) {
        tl_event new = step(engine, &sink, order(0, TL_SIDE_BUY, 10, 1));
        CHECK(new.exec_type == TL_EXEC_TYPE_NEW && new.seq == 4 + 2 * i);
        tl_command cancel = {.type = TL_MSG_TYPE_CANCEL, .order_id = new.order_id};
        tl_event gone = step(engine, &sink, cancel);
        CHECK(gone.exec_type == TL_EXEC_TYPE_CANCELED && gone.seq == 5 + 2 * i);
        CHECK(slots[gone.seq & 7].seq == gone.seq);
    }
    CHECK(tl_engine_event_seq(engine) == 203 && sink.next == 204);
    tl_engine_close(engine);
}

static void a_full_pool_refuses_and_harms_nothing(void)
{
    tl_engine *engine = open_engine(2, 8);
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    list(engine, &sink);
    step(engine, &sink, order(0, TL_SIDE_SELL, 10, 5));
    step(engine, &sink, order(0, TL_SIDE_SELL, 11, 5));
    uint64_t before = tl_engine_hash(engine);
    tl_event no = step(engine, &sink, order(1, TL_SIDE_BUY, 10, 5));
    CHECK(no.exec_type == TL_EXEC_TYPE_REJECTED && no.reason == TL_REASON_ORDERS_FULL);
    CHECK(no.limit == 2 && tl_engine_orders_open(engine) == 2);
    CHECK(tl_engine_best(engine, 0, TL_SIDE_SELL) == 10);
    CHECK(before != tl_engine_hash(engine)); /* the number of events is part of the state */
    tl_engine_close(engine);
}

static void a_sweep_stays_within_its_bound(void)
{
    tl_engine *engine = open_engine(256, 8);
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    list(engine, &sink);
    for (int i = 0; i < 255; i++)
        step(engine, &sink, order(0, TL_SIDE_SELL, 10 + i / 4, 1));
    uint64_t bound = tl_engine_events_bound(engine);
    uint64_t first = sink.next;
    tl_command sweep = order(1, TL_SIDE_BUY, 1000, 1000);
    sweep.time_in_force = TL_TIME_IN_FORCE_IOC;
    step(engine, &sink, sweep);
    CHECK(sink.next - first == 257 && sink.next - first <= bound);
    CHECK(tl_engine_orders_open(engine) == 0);
    tl_engine_close(engine);
}

static void a_batch_stops_where_its_events_might_not_fit(void)
{
    tl_engine *engine = open_engine(64, 8);
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    tl_command cmds[40];
    list(engine, &sink);
    for (int i = 0; i < 40; i++)
        cmds[i] = order(0, TL_SIDE_BUY, 100 + i, 1);
    uint64_t room = tl_engine_events_bound(engine) + 30;
    size_t done = tl_engine_step_batch(engine, cmds, 40, &sink, room);
    CHECK(done > 0 && done < 40);
    done += tl_engine_step_batch(engine, cmds + done, 40 - done, &sink, UINT64_MAX);
    CHECK(done == 40 && tl_engine_orders_open(engine) == 40);
    tl_engine_close(engine);
}

static void a_restored_engine_goes_on_as_the_first_one(void)
{
    static tl_level_view a[64], b[64];
    uint64_t seed = 3;
    tl_engine *one = open_engine(512, 32);
    tl_engine *two = open_engine(512, 32);
    tl_engine *other = open_engine(256, 32);
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    list(one, &sink);
    for (int i = 0; i < 2000; i++) {
        if (i == 1000) {
            size_t bytes = tl_engine_snapshot_bytes(one);
            void *copy = malloc(bytes);
            CHECK(copy != NULL);
            tl_engine_snapshot(one, copy);
            CHECK(tl_engine_restore(two, copy, bytes) == 0);
            CHECK(tl_engine_restore(two, copy, bytes - 1) == -EINVAL);
            CHECK(tl_engine_restore(other, copy, bytes) == -EINVAL);
            for (int flips = 0; flips < 100; flips++) {
                size_t at = sizeof(uint64_t) * 16 + random_next(&seed) % (bytes - 128);
                ((char *)copy)[at] ^= 4;
                CHECK(tl_engine_restore(two, copy, bytes) == -EBADMSG);
                ((char *)copy)[at] ^= 4;
            }
            free(copy);
        }
        uint64_t r = random_next(&seed);
        tl_command cmd = order(r & 1, r & 2 ? TL_SIDE_BUY : TL_SIDE_SELL,
                               500 + (int64_t)(r >> 8 & 127), 1 + (int64_t)(r >> 16 & 63));
        tl_event first = step(one, &sink, cmd);
        if (i >= 1000) {
            tl_event second = step(two, &sink, cmd);
            CHECK(memcmp(&first, &second, sizeof first) == 0);
        }
    }
    CHECK(tl_engine_hash(one) == tl_engine_hash(two));
    uint32_t levels = tl_engine_depth(one, 0, TL_SIDE_BUY, a, 64);
    CHECK(levels == tl_engine_depth(two, 0, TL_SIDE_BUY, b, 64));
    CHECK(levels > 0 && memcmp(a, b, levels * sizeof a[0]) == 0);
    tl_engine_close(one);
    tl_engine_close(two);
    tl_engine_close(other);
}

/* Enough of everything that a batch looks ahead for books, orders and levels. */
enum { INSTRUMENTS = 600, ACCOUNTS = 10, ORDERS = 50000, BATCH = 200, MANY = 8192 };

static tl_command any_order(uint64_t *seed)
{
    uint64_t r = random_next(seed);
    bool buy = r & 1;
    tl_command cmd = order((uint32_t)(r >> 4) % ACCOUNTS, buy ? TL_SIDE_BUY : TL_SIDE_SELL,
                           (buy ? 1 : 600) + (int64_t)(r >> 16) % 640, 1 + (int64_t)(r >> 32 & 15));
    cmd.instrument = (uint16_t)(random_next(seed) % INSTRUMENTS);
    return cmd;
}

/* Most of them sound; the others for what looks ahead to stumble over. */
static tl_command any_command(uint64_t *seed)
{
    tl_command cmd = any_order(seed);
    uint64_t r = random_next(seed);
    cmd.order_id = UINT64_C(1) << 32 | (r >> 40) % (ORDERS + 100);
    if (r & 1)
        cmd.type = r & 2 ? TL_MSG_TYPE_CANCEL : TL_MSG_TYPE_REPLACE;
    if ((r >> 2 & 63) == 0) {
        cmd.instrument = (uint16_t)random_next(seed);
        cmd.price = (int64_t)random_next(seed);
        cmd.order_id = random_next(seed);
        cmd.account = (uint32_t)random_next(seed);
    }
    return cmd;
}

static tl_engine *open_many(tl_event_sink *sink, uint64_t seed)
{
    tl_engine *engine;
    const tl_engine_capacities capacities = {INSTRUMENTS, ACCOUNTS, 2 * ORDERS, 8192, 16384};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    tl_command list = {.type = TL_MSG_TYPE_SECURITY_DEFINITION};
    for (; list.instrument < INSTRUMENTS; list.instrument++)
        tl_engine_step(engine, &list, sink);
    tl_command account = {.type = TL_MSG_TYPE_ACCOUNT};
    for (; account.account < ACCOUNTS; account.account++)
        tl_engine_step(engine, &account, sink);
    for (int i = 0; i < ORDERS; i++) {
        tl_command cmd = any_order(&seed);
        tl_engine_step(engine, &cmd, sink);
    }
    return engine;
}

static void a_batch_that_looks_ahead_does_what_single_steps_do(void)
{
    static tl_event one_by_one[MANY], batched[MANY];
    static tl_command cmds[BATCH];
    uint64_t seed = 11;
    tl_event_sink first = {one_by_one, MANY - 1, 0};
    tl_event_sink second = {batched, MANY - 1, 0};
    tl_engine *one = open_many(&first, 7);
    tl_engine *two = open_many(&second, 7);
    for (int i = 0; i < 300; i++) {
        uint64_t start = first.next;
        for (int n = 0; n < BATCH; n++)
            cmds[n] = any_command(&seed);
        for (int n = 0; n < BATCH; n++)
            tl_engine_step(one, &cmds[n], &first);
        CHECK(tl_engine_step_batch(two, cmds, BATCH, &second, UINT64_MAX) == BATCH);
        CHECK(first.next == second.next && first.next - start < MANY);
        for (; start < first.next; start++)
            CHECK(memcmp(&one_by_one[start & first.mask], &batched[start & first.mask],
                         sizeof(tl_event)) == 0);
    }
    CHECK(tl_engine_orders_open(one) > ORDERS / 2);
    CHECK(tl_engine_hash(one) == tl_engine_hash(two));
    tl_engine_close(one);
    tl_engine_close(two);
}

int main(void)
{
    limits_out_of_bounds_are_refused();
    every_capacity_ends_where_its_row_says();
    events_are_numbered_and_wrap_round_the_sink();
    a_full_pool_refuses_and_harms_nothing();
    a_sweep_stays_within_its_bound();
    a_batch_stops_where_its_events_might_not_fit();
    a_restored_engine_goes_on_as_the_first_one();
    a_batch_that_looks_ahead_does_what_single_steps_do();
    return 0;
}

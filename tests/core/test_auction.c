/* A call of many orders: what it costs to uncross, and that its bound of events holds. */
#include "check.h"

#include <stdbool.h>
#include <time.h>

#include "touchline/core/engine.h"

#define ORDERS 100000u
#define PRICES 1000u

static tl_event_sink sink;
static uint64_t seed = 1;

static uint32_t drawn(uint32_t below)
{
    return (uint32_t)(random_next(&seed) % below);
}

static void step(tl_engine *engine, tl_command cmd)
{
    const uint64_t first = sink.next, bound = tl_engine_events_bound(engine);
    CHECK(bound <= tl_engine_sink_slots(engine));
    tl_engine_step(engine, &cmd, &sink);
    CHECK(sink.next - first <= bound);
}

static void phase(tl_engine *engine, uint8_t status)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS, .field = status});
}

static void enter(tl_engine *engine)
{
    const bool market = drawn(20) == 0;
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .side = (uint8_t)(TL_SIDE_BUY + drawn(2)),
                              .ord_type = market ? TL_ORD_TYPE_MARKET : TL_ORD_TYPE_LIMIT,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .price = market ? 0 : 10000 + drawn(PRICES),
                              .qty = 1 + drawn(500)});
}

static double now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

static const tl_event *event_at(uint64_t i)
{
    return &sink.slots[i & sink.mask];
}

/* Of the events from `first` on: the lots said and the lots traded are the same, at one price. */
static void check_trades(uint64_t first)
{
    const tl_event *told = event_at(first + 1);
    CHECK(told->exec_type == TL_EXEC_TYPE_UNCROSSED && told->volume > 0);
    const int64_t price = told->price;
    int64_t left = told->volume;
    for (uint64_t i = first + 2; i < sink.next; i++) {
        const tl_event *event = event_at(i);
        CHECK((event->exec_type == TL_EXEC_TYPE_TRADE) == (left > 0));
        if (event->exec_type != TL_EXEC_TYPE_TRADE)
            continue;
        CHECK(event->price == price);
        left -= event->qty;
    }
    CHECK(left == 0);
}

int main(void)
{
    const tl_engine_capacities capacities = {1, 1, ORDERS, 1, 256};
    tl_engine *engine;
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    const uint64_t slots = tl_engine_sink_slots(engine);
    sink = (tl_event_sink){calloc(slots, sizeof(tl_event)), slots - 1, 0};
    CHECK(sink.slots != NULL);
    memset(sink.slots, 1, slots * sizeof(tl_event)); /* no fault while the clock runs */
    step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION});
    step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT});
    phase(engine, TL_TRADING_STATUS_OPENING_AUCTION);
    for (uint32_t i = 0; i < ORDERS; i++)
        enter(engine);
    CHECK(tl_engine_orders_open(engine) == ORDERS);
    CHECK(tl_engine_best(engine, 0, TL_SIDE_BUY) == 0);
    double began = now_ms();
    phase(engine, TL_TRADING_STATUS_OPENING_AUCTION);
    const double told = now_ms() - began;
    const uint64_t first = sink.next;
    began = now_ms();
    phase(engine, TL_TRADING_STATUS_READY_TO_TRADE);
    const double uncrossed = now_ms() - began;
    check_trades(first);
    const int64_t bid = tl_engine_best(engine, 0, TL_SIDE_BUY);
    CHECK(bid < tl_engine_best(engine, 0, TL_SIDE_SELL));
    printf("%u orders: indicative in %.2f ms, uncrossed in %.2f ms, %llu events\n", ORDERS, told,
           uncrossed, (unsigned long long)(sink.next - first));
    free(sink.slots);
    tl_engine_close(engine);
    return 0;
}

/* A cascade of stops: one trade triggers a stop whose trade triggers the next, to the end. What it
 * costs, that each comes in its turn, and that its bound of events holds. */
#include "check.h"

#include <time.h>

#include "touchline/core/engine.h"

#define STOPS 10000u
#define TOP 50000u /* the price of the first trade */

static tl_event_sink sink;

static void step(tl_engine *engine, tl_command cmd)
{
    const uint64_t first = sink.next, bound = tl_engine_events_bound(engine);
    CHECK(bound <= tl_engine_sink_slots(engine));
    tl_engine_step(engine, &cmd, &sink);
    CHECK(sink.next - first <= bound);
}

static void enter(tl_engine *engine, uint8_t side, uint32_t price)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .side = side,
                              .ord_type = TL_ORD_TYPE_LIMIT,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .price = price,
                              .qty = 1});
}

static void enter_stop(tl_engine *engine, uint32_t stop_price)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .flags = TL_FLAG_SPECIAL,
                              .order_id = stop_price,
                              .side = TL_SIDE_SELL,
                              .ord_type = TL_ORD_TYPE_STOP,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .qty = 1});
}

static double now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

/* After NEW and the first TRADE: TRIGGERED and TRADE by turns, each a tick below the last. */
static void check_events(uint64_t first)
{
    CHECK(sink.next - first == 2 + 2 * STOPS);
    for (uint32_t i = 0; i < STOPS; i++) {
        const tl_event *met = &sink.slots[(first + 2 + 2 * i) & sink.mask];
        const tl_event *trade = &sink.slots[(first + 3 + 2 * i) & sink.mask];
        CHECK(met->exec_type == TL_EXEC_TYPE_TRIGGERED && trade->exec_type == TL_EXEC_TYPE_TRADE);
        CHECK(met->order_id == trade->order_id && trade->price == TOP - i - 1);
    }
}

int main(void)
{
    const tl_engine_capacities capacities = {1, 1, 6 * STOPS, 1, 2048};
    tl_engine *engine;
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    const uint64_t slots = tl_engine_sink_slots(engine);
    sink = (tl_event_sink){calloc(slots, sizeof(tl_event)), slots - 1, 0};
    CHECK(sink.slots != NULL);
    memset(sink.slots, 1, slots * sizeof(tl_event)); /* no fault while the clock runs */
    step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION});
    step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT});
    step(engine, (tl_command){.type = TL_MSG_TYPE_LIMIT,
                              .field = TL_LIMIT_REFERENCE_PRICE,
                              .price = TOP + 1});
    for (uint32_t i = 0; i <= STOPS; i++)
        enter(engine, TL_SIDE_BUY, TOP - i);
    for (uint32_t i = 0; i < STOPS; i++)
        enter_stop(engine, TOP - i);
    CHECK(tl_engine_orders_open(engine) == 2 * STOPS + 1);
    const uint64_t first = sink.next;
    const double began = now_ms();
    enter(engine, TL_SIDE_SELL, TOP);
    const double took = now_ms() - began;
    check_events(first);
    CHECK(tl_engine_orders_open(engine) == 0);
    printf("%u stops, each met by the trade of the one before: %.2f ms\n", STOPS, took);
    free(sink.slots);
    tl_engine_close(engine);
    return 0;
}

/* A C program that trades with libtouchline_core.a alone: lists an instrument, opens two accounts,
 * crosses two orders, and prints each event and what is left in the book. Owns the engine and the
 * sink; one thread. */
#include <stdio.h>

#include "touchline/core/engine.h"

#define SLOTS 1024u

static tl_event slots[SLOTS];

static void step(tl_engine *engine, tl_event_sink *sink, const tl_command *cmd)
{
    uint64_t first = sink->next;
    tl_engine_step(engine, cmd, sink);
    for (uint64_t i = first; i < sink->next; i++) {
        const tl_event *event = &sink->slots[i & sink->mask];
        printf("%llu %c qty=%u price=%lld\n", (unsigned long long)event->seq, event->exec_type,
               event->qty, (long long)event->price);
    }
}

static void print_depth(const tl_engine *engine, uint8_t side)
{
    tl_level_view levels[10];
    uint32_t count = tl_engine_depth(engine, 0, side, levels, 10);
    for (uint32_t i = 0; i < count; i++)
        printf("side %c: %llu at %lld, orders %u\n", side, (unsigned long long)levels[i].qty,
               (long long)levels[i].price, levels[i].orders);
}

int main(void)
{
    tl_engine_capacities limits = {1, 2, 100, 10, 10};
    tl_event_sink sink = {slots, SLOTS - 1, 0};
    tl_engine *engine;
    if (tl_engine_open(&engine, &limits) != 0)
        return 1;
    step(engine, &sink, &(tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION});
    step(engine, &sink, &(tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = 0});
    step(engine, &sink, &(tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = 1});
    tl_command order = {.type = TL_MSG_TYPE_NEW_ORDER,
                        .side = TL_SIDE_SELL,
                        .ord_type = TL_ORD_TYPE_LIMIT,
                        .time_in_force = TL_TIME_IN_FORCE_DAY,
                        .price = 101,
                        .qty = 10};
    step(engine, &sink, &order);
    order.account = 1;
    order.side = TL_SIDE_BUY;
    order.qty = 4;
    step(engine, &sink, &order);
    printf("best ask %lld\n", (long long)tl_engine_best(engine, 0, TL_SIDE_SELL));
    order.price = 99;
    step(engine, &sink, &order);
    print_depth(engine, TL_SIDE_BUY);
    print_depth(engine, TL_SIDE_SELL);
    tl_engine_close(engine);
    return 0;
}

/* An engine that is harmed, and whether its invariants notice it. */
#ifndef TOUCHLINE_TESTS_HARMS_H
#define TOUCHLINE_TESTS_HARMS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "touchline/core/book.h"
#include "touchline/core/invariants.h"
#include "touchline/core/state.h"

#define SLOTS 64u

static tl_event slots[SLOTS];
static tl_event_sink sink;
static tl_before before;
static tl_command last;

static void step(tl_engine *engine, tl_command cmd)
{
    last = cmd;
    before = tl_invariants_before(engine, &cmd, &sink);
    tl_engine_step(engine, &cmd, &sink);
    tl_invariants_answer(engine, &cmd, &sink, &before);
    tl_invariants_hold(engine);
}

static void enter(tl_engine *engine, uint32_t account, uint8_t side, int64_t price, int64_t qty)
{
    step(engine, (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                              .account = account,
                              .side = side,
                              .ord_type = TL_ORD_TYPE_LIMIT,
                              .time_in_force = TL_TIME_IN_FORCE_DAY,
                              .price = price,
                              .qty = qty});
}

/* Slots 0 and 1 ask for 101, slot 2 for 102, slot 3 for a million; slots 4 and 5 bid; slot 6 is
 * free; accounts 0 and 1 have traded. The last command trades three lots with slot 0. */
static tl_engine *open_engine(void)
{
    tl_engine *engine;
    const tl_engine_capacities capacities = {2, 3, 16, 4, 16};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    sink = (tl_event_sink){slots, SLOTS - 1, 0};
    step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION});
    step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT});
    step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = 1});
    enter(engine, 0, TL_SIDE_SELL, 101, 5);
    enter(engine, 0, TL_SIDE_SELL, 101, 7);
    enter(engine, 1, TL_SIDE_SELL, 102, 1);
    enter(engine, 1, TL_SIDE_SELL, 1000000, 1);
    enter(engine, 1, TL_SIDE_BUY, 99, 4);
    enter(engine, 0, TL_SIDE_BUY, 98, 4);
    enter(engine, 1, TL_SIDE_BUY, 101, 3);
    return engine;
}

/* An event of the last answer, from its end: 1 is the last. */
static tl_event *said(unsigned from_end) { return &slots[(sink.next - from_end) & sink.mask]; }

typedef void (*harm)(tl_engine *engine);

/* In a process of its own, whose last words nobody needs. */
static bool stops(tl_engine *engine, harm harm)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(freopen("/dev/null", "w", stderr) != NULL);
        if (harm != NULL)
            harm(engine);
        tl_invariants_answer(engine, &last, &sink, &before);
        tl_invariants_hold(engine);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

#endif

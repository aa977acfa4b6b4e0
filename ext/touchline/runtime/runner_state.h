/* Inside the runner: what the thread works with, shared by its start (runner_open.c) and its
 * batches (runner.c). Nobody else includes this. */
#ifndef TOUCHLINE_RUNNER_STATE_H
#define TOUCHLINE_RUNNER_STATE_H

#include <assert.h>

#include "touchline/runtime/auctions.h"
#include "touchline/runtime/gate.h"
#include "touchline/runtime/runner.h"
#include "touchline/runtime/stamp.h"

#define LANE_BATCH 64u       /* commands taken from one lane in a pass: none starves another */
#define LANE_BATCH_SYNC 256u /* more share one sync, which costs the same for all */

struct tl_runner {
    tl_engine *engine;
    tl_journal *journal;
    tl_gate gate;
    tl_auctions auctions;
    tl_bus *bus;
    tl_bus_header *header;
    tl_event_sink sink;
    tl_stamp stamp;
    int64_t host_ns; /* the host's clock as read last */
    int64_t (*utc_ns)(void);
    int64_t (*steady_ns)(void);
    uint64_t head[TL_BUS_LANES_MAX];
    uint32_t count[TL_BUS_LANES_MAX]; /* of the batch at hand, lane by lane */
    uint32_t lanes;
    uint32_t lane_batch;
    uint32_t wait;
    int32_t cpu;
    uint32_t idle; /* looks in vain since the last batch */
    int64_t linger_ns;     /* 0 where others have no processor meanwhile */
    uint32_t crowded;      /* 1: who sent the last batch was on this processor */
    int64_t idle_since_ns; /* on the steady clock */
    _Atomic int stop;
    tl_command batch[TL_BUS_LANES_MAX * LANE_BATCH_SYNC];
};

static inline void tl_runner_clock_tell(tl_runner *r)
{
    atomic_store_explicit(&r->header->clock_step_ns, r->stamp.off_ns, memory_order_relaxed);
    atomic_store_explicit(&r->header->clock_refusals, r->stamp.refusals, memory_order_relaxed);
}

/* The ring laps a reader that is too slow, so there is always room. */
static inline void tl_runner_step(tl_runner *r, const tl_command *cmds, size_t count)
{
    const size_t done = tl_engine_step_batch(r->engine, cmds, count, &r->sink, UINT64_MAX);
    assert(done == count);
    (void)done;
}

/* A failure for those attached to see. */
void tl_runner_failed(tl_runner *r, const tl_journal_fault *fault);

#endif

/* The engine thread: take commands from the lanes, stamp, journal, step, publish.
 *
 *   lanes ─► gate ─► seq, ts_ns ─► journal ─► [commit] ─► step ─► event ring ─► cursors, wake-ups
 *
 * open recovers: it replays the journal into a new engine and the ring. run works in the calling
 * thread until stop, which any thread may call. The bus stays the caller's, and must outlive this.
 */
#ifndef TOUCHLINE_RUNNER_H
#define TOUCHLINE_RUNNER_H

#include "touchline/core/engine.h"
#include "touchline/runtime/journal.h"
#include "touchline/runtime/bus.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the engine thread does while no command waits. */
enum tl_wait {
    TL_WAIT_SPIN = 0, /* look again at once: takes a processor for itself */
    TL_WAIT_YIELD = 1,
    TL_WAIT_PARK = 2 /* look for 60 us, then sleep until rung */
};

typedef struct tl_runner_config {
    tl_bus *bus; /* created, not attached */
    const char *journal_dir;
    tl_engine_capacities capacities;
    uint32_t wait;       /* enum tl_wait */
    uint32_t sync_batch; /* 1: a batch is on the disk before any of its events is seen */
    int32_t cpu;         /* to run on, or -1 */
    uint64_t segment_bytes;
    uint32_t programs_trade; /* 1: lanes but the operators' may trade, and not administer */
    int64_t clock_step_max_ns; /* how far the host's clock may step; 0: TL_STAMP_STEP_MAX_NS */
    int64_t clock_gap_max_ns;  /* and be ahead of the journal at a start; 0: TL_STAMP_GAP_MAX_NS */
    int64_t indicative_every_ns; /* how often each auction is told of; 0: when it is asked */
    int64_t (*utc_ns)(void);    /* the clocks; NULL: the host's */
    int64_t (*steady_ns)(void);
} tl_runner_config;

typedef struct tl_runner_recovery {
    uint64_t commands;
    uint64_t events;
    uint64_t state_hash;
    uint64_t overlooked;       /* commands that no lane could have sent today; gate.h */
    uint64_t overlooked_first; /* the first of them */
    char torn[TL_JOURNAL_TEXT_BYTES]; /* what was cut from the journal's tail; "" if nothing */
} tl_runner_recovery;

typedef struct tl_runner tl_runner;

/* 0 or -errno with `fault` saying where and why; -EINVAL without a path: settings out of bounds. */
int tl_runner_open(tl_runner **out, const tl_runner_config *config, tl_runner_recovery *recovery,
                   tl_journal_fault *fault);
void tl_runner_close(tl_runner *runner);
/* 0 once stopped. -errno when the journal failed: nothing of the batch at hand was published, and
 * the bus says `failed` and why. */
int tl_runner_run(tl_runner *runner, tl_journal_fault *fault);
/* Let run return once it has done what waits in the lanes, which refuse more from now on. */
void tl_runner_stop(tl_runner *runner);
/* Of the engine's state; not while run is running. */
uint64_t tl_runner_hash(const tl_runner *runner);

#ifdef __cplusplus
}
#endif

#endif

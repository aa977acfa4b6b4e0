/* What the parts of bench_core share: a flow being measured and the ways to run it.
 *
 *   pass.c      the engine alone, one by one, in batches
 *   clocked.c   each command on the clock, several times over
 *   floor.c     the skeleton on the same commands
 *   drain.c     the engine while another core reads every event
 *   figures.c   the JSON that comes of it
 *
 * Each pass opens what it measures, runs the whole flow, compares the result and closes it; a
 * difference ends the program. One thread, except where drain.c says otherwise.
 */
#ifndef TOUCHLINE_BENCH_H
#define TOUCHLINE_BENCH_H

#include <stdbool.h>

#include "clocks.h"
#include "flow_file.h"
#include "histogram.h"
#include "skeleton.h"

#define STRETCH 32768u /* commands between two looks at the events */

enum { KIND_NEW, KIND_CANCEL, KIND_REPLACE, KIND_OTHER, KINDS };

/* Trades, as engine and skeleton must both have made them. */
typedef struct trades {
    uint64_t count;
    uint64_t sum; /* over price, quantity and number of the event */
} trades;

typedef struct bench {
    const flow *flow;
    tl_engine *engine;
    tl_event_sink sink;
    cycle_counter counter;
    size_t count[KINDS + 1];
    trades trades;
    skeleton *skeleton;
    tl_command *mapped; /* setup and flow with the skeleton's order ids; NULL: it can not run it */
    price_range *ranges;
    uint64_t listed;      /* events of commands that the skeleton does not know */
    uint32_t orders_left; /* open at the end */
    int reader_cpu;       /* drain.c */
    size_t batch;         /* commands a call of tl_engine_step_batch */
    uint64_t first_stretch;  /* commands of a pass before the first look at the events */
    struct clocked *clocked; /* clocked.c */
    void (*begun)(struct bench *bench); /* called after each pass's setup; NULL: nothing is */
} bench;

/* Nanoseconds a command. `cpu` leaves out what other processes took; alone they are the same. */
typedef struct taken {
    double cpu, wall;
} taken;

typedef void stretch_function(bench *bench, const tl_command *cmds, uint64_t count);

static inline int kind_of(const tl_command *cmd)
{
    if (cmd->type == TL_MSG_TYPE_NEW_ORDER)
        return KIND_NEW;
    if (cmd->type == TL_MSG_TYPE_CANCEL)
        return KIND_CANCEL;
    return cmd->type == TL_MSG_TYPE_REPLACE ? KIND_REPLACE : KIND_OTHER;
}

static inline void trades_add(trades *trades, const tl_event *event)
{
    if (event->exec_type != TL_EXEC_TYPE_TRADE)
        return;
    trades->count++;
    trades->sum += (uint64_t)event->price * event->qty * (2 * trades->count + 1);
}

void bench_open(bench *bench, const flow *flow, uint64_t ring_slots);
void bench_close(bench *bench);

/* pass.c: the whole flow by `run`, the checks outside the clock; one stretch by it, in all ns. */
taken pass(bench *bench, stretch_function *run);
taken timed(bench *bench, stretch_function *run, const tl_command *cmds, uint64_t count);
/* A fresh engine after the flow's setup; the sum of its events so far. */
uint64_t pass_begin(bench *bench);
/* `events` read so far with their sum; compared with what the flow file expects. */
void pass_end(bench *bench, uint64_t event_hash);
void run_single(bench *bench, const tl_command *cmds, uint64_t count);
void run_batches(bench *bench, const tl_command *cmds, uint64_t count);
void run_measured(bench *bench, const tl_command *cmds, uint64_t count);

/* clocked.c: at most CLOCKED_MAX passes with each command on the clock, as
 * `"single": {...}, "nothing": {...}, "every_pass": {...}`. */
#define CLOCKED_MAX 100
void clocked_print(bench *bench, int passes);

/* floor.c: find the mapping once, then passes. False when the flow has what the skeleton lacks. */
bool floor_prepare(bench *bench);
taken floor_pass(bench *bench);

/* drain.c: passes with a reader, as `"drained": {...}, `; `alone_ns` is the time without one. */
void drain_print(bench *bench, int passes, double alone_ns);

/* Stay on this processor; below 0: on any. */
void stay_on(int cpu);

/* Ask for the real-time scheduler while a pass runs, for less than a second at a time. */
bool realtime_begin(void);
void realtime_end(void);

#endif

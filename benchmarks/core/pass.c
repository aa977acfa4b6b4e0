/* The engine alone over a flow: opened, set up, run, compared, closed. bench.h draws the parts. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "bench.h"

#include <sched.h>

void bench_open(bench *bench, const flow *flow, uint64_t ring_slots)
{
    bench->flow = flow;
    bench->sink = (tl_event_sink){allocate(ring_slots * sizeof(tl_event)), ring_slots - 1, 0};
    bench->first_stretch = STRETCH;
}

void bench_close(bench *bench)
{
    free(bench->sink.slots);
    free(bench->mapped);
    free(bench->ranges);
}

void stay_on(int cpu)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    if (cpu >= 0 && sched_setaffinity(0, sizeof cpus, &cpus) != 0)
        fail("--cpu", strerror(errno));
}

/* A child of FIFO policy would starve its neighbours for good; a pass lasts a fraction of the
 * second that the kernel allows. */
bool realtime_begin(void)
{
    struct sched_param parameter = {.sched_priority = 50};
    return sched_setscheduler(0, SCHED_FIFO, &parameter) == 0;
}

void realtime_end(void)
{
    struct sched_param parameter = {.sched_priority = 0};
    sched_setscheduler(0, SCHED_OTHER, &parameter);
}

/* The sum over events [first, sink.next), all of which the ring still holds. */
static uint64_t fold_since(bench *bench, uint64_t first)
{
    uint64_t sum = 0;
    if (bench->sink.next - first > bench->sink.mask + 1)
        fail(bench->flow->path, "the ring is too small for a stretch of commands");
    for (uint64_t i = first; i < bench->sink.next; i++) {
        const tl_event *event = &bench->sink.slots[i & bench->sink.mask];
        sum += event_fold(event);
        trades_add(&bench->trades, event);
    }
    return sum;
}

uint64_t pass_begin(bench *bench)
{
    const flow *flow = bench->flow;
    int error = tl_engine_open(&bench->engine, &flow->capacities);
    if (error != 0)
        fail("engine", strerror(-error));
    bench->sink.next = 0;
    bench->trades = (trades){0, 0};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < flow->setup_count;) {
        uint64_t first = bench->sink.next;
        uint64_t end = flow->setup_count - i < STRETCH ? flow->setup_count : i + STRETCH;
        for (; i < end; i++)
            tl_engine_step(bench->engine, &flow->setup[i], &bench->sink);
        sum += fold_since(bench, first);
    }
    if (bench->begun != NULL)
        bench->begun(bench);
    return sum;
}

void pass_end(bench *bench, uint64_t event_hash)
{
    const flow *flow = bench->flow;
    if (bench->sink.next != flow->events || tl_engine_event_seq(bench->engine) != flow->events)
        fail(flow->path, "the number of events is not the one expected");
    if (event_hash != flow->event_hash)
        fail(flow->path, "the events are not the ones expected");
    if (tl_engine_hash(bench->engine) != flow->state_hash)
        fail(flow->path, "the state at the end is not the one expected");
    bench->orders_left = tl_engine_orders_open(bench->engine);
    tl_engine_close(bench->engine);
    bench->engine = NULL;
}

__attribute__((noinline)) void run_single(bench *bench, const tl_command *cmds, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        tl_engine_step(bench->engine, &cmds[i], &bench->sink);
}

__attribute__((noinline)) void run_batches(bench *bench, const tl_command *cmds, uint64_t count)
{
    for (uint64_t i = 0; i < count; i += bench->batch) {
        size_t size = count - i < bench->batch ? (size_t)(count - i) : bench->batch;
        size_t done = 0;
        while (done < size)
            done += tl_engine_step_batch(bench->engine, &cmds[i + done], size - done, &bench->sink,
                                         UINT64_MAX / 2);
    }
}

#define MEASURED(name)                                                                             \
    __attribute__((noipa)) static void name(tl_engine *engine, const tl_command *cmd,              \
                                            tl_event_sink *sink)                                   \
    {                                                                                              \
        tl_engine_step(engine, cmd, sink);                                                         \
    }
MEASURED(measured_new)
MEASURED(measured_cancel)
MEASURED(measured_replace)

void run_measured(bench *bench, const tl_command *cmds, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        int kind = kind_of(&cmds[i]);
        bench->count[kind]++;
        if (kind == KIND_NEW)
            measured_new(bench->engine, &cmds[i], &bench->sink);
        else if (kind == KIND_CANCEL)
            measured_cancel(bench->engine, &cmds[i], &bench->sink);
        else
            measured_replace(bench->engine, &cmds[i], &bench->sink);
    }
}

/* ── a whole pass ────────────────────────────────────────────────────────────────────────────── */

taken timed(bench *bench, stretch_function *run, const tl_command *cmds, uint64_t count)
{
    realtime_begin();
    uint64_t wall = now_ns(CLOCK_MONOTONIC);
    uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
    run(bench, cmds, count);
    cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall = now_ns(CLOCK_MONOTONIC) - wall;
    realtime_end();
    return (taken){(double)cpu, (double)wall};
}

taken pass(bench *bench, stretch_function *run)
{
    const flow *flow = bench->flow;
    taken total = {0, 0};
    uint64_t event_hash = pass_begin(bench);
    uint64_t stretch = bench->first_stretch;
    for (uint64_t i = 0; i < flow->count; i += stretch, stretch = STRETCH) {
        uint64_t count = flow->count - i < stretch ? flow->count - i : stretch;
        uint64_t first = bench->sink.next;
        taken one = timed(bench, run, &flow->commands[i], count);
        total = (taken){total.cpu + one.cpu, total.wall + one.wall};
        event_hash += fold_since(bench, first);
    }
    pass_end(bench, event_hash);
    return (taken){total.cpu / (double)flow->count, total.wall / (double)flow->count};
}

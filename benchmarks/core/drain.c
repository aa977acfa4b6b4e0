/* The engine while another core reads every event as it is published.
 *
 *   this thread, its processor               a reader, another processor
 *   tl_engine_step, one by one ─► event ring ─► waits for stamps, reads all 64 bytes of each slot
 *            ▲                                        │ every 64 events
 *            └── never a ring ahead of ◄── cursor ────┘
 *
 * The clock runs from the first command until the reader has the last event. The sum over what the
 * reader read is compared with what the flow file expects. The reader stays a few slots behind, and
 * away from lines that the writer is about to own: it looks for the stamp of the sixteenth event
 * from here, and only when that does not come for a few hundred nanoseconds for the next one's.
 * Another pass, not compared, writes the cycle counter into each command's ts_ns, so that the
 * reader can tell how long events took to reach it; it looks at one in thirteen, because reading
 * the counter takes it longer than an event. Both processors' counters are one (constant TSC).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "figures.h"

#define CURSOR_EVENTS 64u /* between two stores of the reader's cursor */
#define BEHIND 16u
#define LOOKS 8
#define RELAXES 4
#define SAMPLE 13u
#define HOPS 20000

typedef struct drain {
    _Alignas(128) _Atomic uint64_t done; /* reader: events up to here are read */
    _Alignas(128) _Atomic int go;        /* writer: start */
    _Alignas(128) _Atomic int ready;     /* reader: runs */
    _Alignas(128) tl_event_sink sink;
    uint64_t first, last; /* seq */
    uint64_t sum;
    histogram *visible; /* NULL: compare the sum instead */
    uint64_t behind;    /* 1: no slot behind the newest */
    int cpu;
} drain;

/* ── the reader ──────────────────────────────────────────────────────────────────────────────── */

static inline void relax(void)
{
    _mm_pause();
}

static inline const tl_event *slot_of(const drain *drain, uint64_t seq)
{
    return &drain->sink.slots[(seq - 1) & drain->sink.mask];
}

static inline bool published(const drain *drain, uint64_t seq)
{
    /* Acquire: the body is read after the stamp that vouches for it. */
    return __atomic_load_n(&slot_of(drain, seq)->seq, __ATOMIC_ACQUIRE) == seq;
}

static inline uint64_t event_take(const drain *drain, uint64_t seq)
{
    const tl_event *event = slot_of(drain, seq);
    if (drain->visible != NULL && seq % SAMPLE == 0) {
        uint64_t now = cycles_after();
        uint64_t then = (uint64_t)event->ts_ns;
        histogram_record(drain->visible, now > then ? now - then : 0);
    }
    return event_fold(event);
}

/* The last event of those that may be read at once, from `seq` on. */
static inline uint64_t await(const drain *drain, uint64_t seq)
{
    uint64_t last = seq + drain->behind - 1;
    for (int look = 0; look < LOOKS && last > seq && last <= drain->last; look++) {
        if (published(drain, last))
            return last;
        for (int i = 0; i < RELAXES; i++)
            relax();
    }
    while (!published(drain, seq))
        relax();
    return seq;
}

static void *reader(void *argument)
{
    drain *drain = argument;
    uint64_t sum = 0;
    atomic_store(&drain->ready, 1);
    while (!atomic_load(&drain->go))
        relax();
    for (uint64_t seq = drain->first; seq <= drain->last;) {
        uint64_t last = await(drain, seq);
        for (; seq <= last; seq++) {
            sum += event_take(drain, seq);
            if (seq % CURSOR_EVENTS == 0)
                /* Release: the slots have been read before the writer may reuse them. */
                atomic_store_explicit(&drain->done, seq, memory_order_release);
        }
    }
    drain->sum = sum;
    atomic_store_explicit(&drain->done, drain->last, memory_order_release);
    return NULL;
}

/* On the other processor, real-time if this process may have it. */
static pthread_t start(void *(*function)(void *), void *argument, int cpu)
{
    pthread_attr_t attributes;
    pthread_t thread;
    cpu_set_t cpus;
    struct sched_param priority = {.sched_priority = 50};
    CPU_ZERO(&cpus);
    CPU_SET((size_t)cpu, &cpus);
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof cpus, &cpus);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &priority);
    int error = pthread_create(&thread, &attributes, function, argument);
    if (error == EPERM) {
        pthread_attr_setinheritsched(&attributes, PTHREAD_INHERIT_SCHED);
        error = pthread_create(&thread, &attributes, function, argument);
    }
    pthread_attr_destroy(&attributes);
    if (error != 0)
        fail("reader", strerror(error));
    return thread;
}

/* ── the writer ──────────────────────────────────────────────────────────────────────────────── */

/* Wait while one more command could overwrite what the reader has not read. */
static inline void await_room(const bench *bench, drain *drain, uint64_t *done)
{
    uint64_t slots = bench->sink.mask + 1;
    while (bench->sink.next - *done > slots - slots / 4) {
        *done = atomic_load_explicit(&drain->done, memory_order_acquire);
        relax();
    }
}

static void write_all(bench *bench, drain *drain)
{
    const flow *flow = bench->flow;
    uint64_t done = bench->sink.next;
    if (drain->visible == NULL) {
        for (uint64_t i = 0; i < flow->count; i++) {
            tl_engine_step(bench->engine, &flow->commands[i], &bench->sink);
            await_room(bench, drain, &done);
        }
        return;
    }
    for (uint64_t i = 0; i < flow->count; i++) {
        tl_command cmd = flow->commands[i];
        cmd.ts_ns = (int64_t)__rdtsc();
        tl_engine_step(bench->engine, &cmd, &bench->sink);
        await_room(bench, drain, &done);
    }
}

/* Nanoseconds a command until the last event is read. */
static double drain_pass(bench *bench, uint64_t behind, histogram *visible)
{
    static drain drain;
    uint64_t sum = pass_begin(bench);
    memset(bench->sink.slots, 0, (bench->sink.mask + 1) * sizeof(tl_event));
    drain.done = bench->sink.next;
    drain.go = drain.ready = 0;
    drain.sink = bench->sink;
    drain.first = bench->sink.next + 1;
    drain.last = bench->flow->events;
    drain.visible = visible;
    drain.behind = behind;
    pthread_t thread = start(reader, &drain, bench->reader_cpu);
    while (!atomic_load(&drain.ready))
        relax();
    realtime_begin();
    atomic_store(&drain.go, 1);
    uint64_t wall = now_ns(CLOCK_MONOTONIC);
    write_all(bench, &drain);
    while (atomic_load(&drain.done) != drain.last)
        relax();
    wall = now_ns(CLOCK_MONOTONIC) - wall;
    realtime_end();
    pthread_join(thread, NULL);
    if (visible == NULL)
        pass_end(bench, sum + drain.sum);
    else
        tl_engine_close(bench->engine);
    return (double)wall / (double)bench->flow->count;
}

/* ── how far apart the processors are ────────────────────────────────────────────────────────── */

typedef struct hop {
    _Alignas(128) _Atomic uint32_t ping;
    _Alignas(128) _Atomic uint32_t pong;
} hop;

static void *echo(void *argument)
{
    hop *hop = argument;
    for (uint32_t i = 1; i <= HOPS; i++) {
        while (atomic_load_explicit(&hop->ping, memory_order_acquire) != i)
            relax();
        atomic_store_explicit(&hop->pong, i, memory_order_release);
    }
    return NULL;
}

/* One way, nanoseconds: half of the median round trip of one word. */
static double hop_ns(const bench *bench)
{
    static hop hop;
    static double trips[HOPS];
    hop.ping = hop.pong = 0;
    pthread_t thread = start(echo, &hop, bench->reader_cpu);
    realtime_begin();
    for (uint32_t i = 1; i <= HOPS; i++) {
        uint64_t cycles = cycles_before();
        atomic_store_explicit(&hop.ping, i, memory_order_release);
        while (atomic_load_explicit(&hop.pong, memory_order_acquire) != i)
            relax();
        trips[i - 1] = (double)(cycles_after() - cycles);
    }
    realtime_end();
    pthread_join(thread, NULL);
    return median(trips, HOPS) / 2 / bench->counter.per_ns;
}

void drain_print(bench *bench, int passes, double alone_ns)
{
    static double behind[PASSES_MAX], close[PASSES_MAX];
    static histogram visible;
    memset(&visible, 0, sizeof visible);
    double hop = hop_ns(bench);
    for (int i = 0; i < passes; i++) {
        behind[i] = drain_pass(bench, BEHIND, NULL);
        close[i] = drain_pass(bench, 1, NULL);
    }
    drain_pass(bench, BEHIND, &visible);
    double middle = median(behind, passes);
    double close_middle = median(close, passes);
    printf("\"drained\": {\"best_ns\": %.2f, \"median_ns\": %.2f, \"million_per_s\": %.2f, "
           "\"ratio\": %.2f, \"close_best_ns\": %.2f, \"close_median_ns\": %.2f, "
           "\"hop_ns\": %.1f, \"visible\": ",
           behind[0], middle, 1e3 / behind[0], behind[0] / alone_ns, close[0], close_middle, hop);
    print_histogram(&visible, bench->counter.per_ns);
    printf("}, ");
}

/* Figures of this machine; measure.h says which. The side that answers is a thread of its own,
 * started and joined within each call. */
#define _GNU_SOURCE
#include "touchline/measure/measure.h"
#include "touchline/measure/measure_thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define NAP_NS INT64_C(10000000)  /* a parked answerer looks for its end this often */
#define SETTLE_NS INT64_C(20000)
#define ANSWER_NS (2 * SECOND_NS) /* no answer within this is a failure */
#define LOOKS_PER_CLOCK 4096      /* a spinning side reads the clock this seldom */

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Clocks */

static uint64_t read_clock(enum tl_measure_clock clock)
{
    struct timespec now;
    switch (clock) {
    case TL_MEASURE_MONOTONIC:
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_nsec;
    case TL_MEASURE_REALTIME:
        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_nsec;
    case TL_MEASURE_TSC:
#if defined(__x86_64__)
        return __rdtsc();
#else
        return 0;
#endif
    case TL_MEASURE_SYSCALL:
        return (uint64_t)syscall(SYS_getppid);
    }
    return 0;
}

size_t tl_measure_clock_cost(enum tl_measure_clock clock, double *out, size_t rounds,
                             uint32_t calls, int64_t budget_ns)
{
    assert(calls > 0);
    volatile uint64_t sink = 0; /* or the compiler would drop the counter's readings */
    const int64_t deadline_ns = monotonic_ns() + budget_ns;
    size_t done = 0;
#if !defined(__x86_64__)
    if (clock == TL_MEASURE_TSC)
        return 0;
#endif
    while (done < rounds) {
        const int64_t start_ns = monotonic_ns();
        for (uint32_t i = 0; i < calls; i++)
            sink = read_clock(clock);
        const int64_t end_ns = monotonic_ns();
        out[done++] = (double)(end_ns - start_ns) / calls;
        if (end_ns > deadline_ns)
            break;
    }
    (void)sink;
    return done;
}

/* The bus */

typedef struct ring_answerer {
    tl_bus *bus;
    int32_t cpu;
    int park;
    uint64_t answered; /* before this call */
    _Atomic int stop;
} ring_answerer;

/* As the engine publishes: the slot's stamp away, the body, the stamp, then the newest's number. */
static void publish(tl_bus *bus, uint64_t seq, uint64_t cl_ord_id)
{
    tl_bus_header *header = bus->header;
    tl_event *slot = &bus->events[seq & (header->geometry.event_slots - 1)];
    _Atomic uint64_t *stamp = (_Atomic uint64_t *)&slot->seq;
    atomic_store_explicit(stamp, 0, memory_order_relaxed);
    /* Release: nobody sees the new body under the old stamp. */
    atomic_thread_fence(memory_order_release);
    memset((char *)slot + sizeof slot->seq, 0, sizeof *slot - sizeof slot->seq);
    slot->cl_ord_id = cl_ord_id;
    /* Release twice: the body before its stamp, the stamps before the count of them. */
    atomic_store_explicit(stamp, seq, memory_order_release);
    atomic_store_explicit(&header->events, seq, memory_order_release);
    /* Pairs with the fence in tl_doorbell_arm. */
    atomic_thread_fence(memory_order_seq_cst);
    tl_doorbell_ring(&header->readers);
}

static void ring_answerer_wait(const ring_answerer *self, uint64_t head)
{
    if (!self->park) {
        relax();
        return;
    }
    tl_doorbell *bell = &self->bus->header->engine;
    const uint32_t armed = tl_doorbell_arm(bell);
    if (tl_bus_lane_ready(self->bus, 0, head, 1) == 0)
        tl_doorbell_wait(bell, armed, NAP_NS);
}

static void *ring_answer(void *argument)
{
    ring_answerer *self = argument;
    uint64_t head = self->answered;
    place_self(self->cpu);
    /* Relaxed: the flag orders nothing; the thread is joined. */
    while (!atomic_load_explicit(&self->stop, memory_order_relaxed)) {
        if (tl_bus_lane_ready(self->bus, 0, head, 1) == 0) {
            ring_answerer_wait(self, head);
            continue;
        }
        const uint64_t cl_ord_id = tl_bus_lane_slot(self->bus, 0, head)->cl_ord_id;
        head++;
        /* Release: the slot has been read before the producer may write it again. */
        atomic_store_explicit(&self->bus->header->lane[0].head, head, memory_order_release);
        publish(self->bus, head, cl_ord_id);
    }
    return NULL;
}

/* 0 when the event is there, -ETIMEDOUT when nobody answers. */
static int ring_await(tl_event_reader *reader, int park)
{
    if (park)
        return tl_event_reader_wait(reader, ANSWER_NS) == 1 ? 0 : -ETIMEDOUT;
    const int64_t deadline_ns = monotonic_ns() + ANSWER_NS;
    for (uint32_t looks = 1; tl_event_reader_look(reader) == 0; looks++) {
        relax();
        if (looks % LOOKS_PER_CLOCK == 0 && monotonic_ns() > deadline_ns)
            return -ETIMEDOUT;
    }
    return 0;
}

/* Let the answerer fall asleep, or the wake-up would not be part of the sample. */
static void ring_settle(const tl_bus *bus)
{
    const tl_doorbell *bell = &bus->header->engine;
    const int64_t deadline_ns = monotonic_ns() + NAP_NS;
    /* Relaxed: a hint; the flag goes up a little before the thread sleeps, hence the pause. */
    while (atomic_load_explicit(&bell->waiting, memory_order_relaxed) == 0 &&
           monotonic_ns() < deadline_ns)
        relax();
    const int64_t asleep_ns = monotonic_ns() + SETTLE_NS;
    while (monotonic_ns() < asleep_ns)
        relax();
}

static int64_t ring_ask(tl_lane *lane, const ring_answerer *answerer, uint32_t *out_ns, size_t max,
                        int64_t budget_ns)
{
    const tl_bus *bus = answerer->bus;
    const int park = answerer->park;
    tl_event_reader reader = {bus, answerer->answered + 1};
    tl_command cmd = {0};
    tl_event event;
    size_t done = 0, sent;
    const int64_t deadline_ns = monotonic_ns() + budget_ns;
    for (int64_t start_ns = 0; done < max && start_ns < deadline_ns; done++) {
        cmd.cl_ord_id = done + 1;
        if (park)
            ring_settle(bus);
        start_ns = monotonic_ns();
        int rc = tl_lane_send(lane, &cmd, 1, ANSWER_NS, &sent);
        if (rc == 0)
            rc = ring_await(&reader, park);
        if (rc == 0 && tl_event_reader_read(&reader, &event, 1) != 1)
            rc = -EIO;
        if (rc != 0)
            return rc;
        out_ns[done] = sample(monotonic_ns() - start_ns);
        if (event.cl_ord_id != cmd.cl_ord_id)
            return -EIO;
    }
    return (int64_t)done;
}

int64_t tl_measure_ring(tl_bus *bus, const tl_measure_places *places, int park, uint32_t *out_ns,
                        size_t max, int64_t budget_ns)
{
    ring_answerer answerer = {.bus = bus, .cpu = places->far_cpu, .park = park};
    pthread_t thread;
    tl_lane lane;
    assert(bus->owner);
    /* Relaxed: whoever answered before has been joined. */
    answerer.answered = atomic_load_explicit(&bus->header->events, memory_order_relaxed);
    int64_t rc = tl_lane_open(&lane, bus, 0, 0);
    if (rc != 0)
        return rc;
    rc = -pthread_create(&thread, NULL, ring_answer, &answerer);
    if (rc == 0) {
        const cpu_set_t before = place_near(places->near_cpu);
        rc = ring_ask(&lane, &answerer, out_ns, max, budget_ns);
        atomic_store_explicit(&answerer.stop, 1, memory_order_relaxed);
        tl_doorbell_wake(&bus->header->engine);
        pthread_join(thread, NULL);
        place_back(&before);
    }
    tl_lane_close(&lane);
    return rc;
}

/* Jitter */

static uint32_t bucket_of(uint64_t ns)
{
    if (ns < 16)
        return (uint32_t)ns;
    const uint32_t shift = 59u - (uint32_t)__builtin_clzll(ns); /* leaves five bits: 16 to 31 */
    const uint32_t bucket = shift * 16 + (uint32_t)(ns >> shift);
    return bucket < TL_MEASURE_BUCKETS ? bucket : TL_MEASURE_BUCKETS - 1;
}

/* The largest gap a bucket holds. */
static int64_t bucket_top(uint32_t bucket)
{
    if (bucket < 32)
        return bucket;
    const uint32_t shift = bucket / 16 - 1;
    return ((int64_t)(bucket - shift * 16) + 1) * (INT64_C(1) << shift) - 1;
}

static void jitter_count(tl_measure_jitter *out, int64_t gap_ns)
{
    out->counts[bucket_of((uint64_t)gap_ns)]++;
    out->loops++;
    if (gap_ns <= 1000)
        return;
    out->lost_ns += gap_ns;
    out->over_1us++;
    out->over_10us += gap_ns > 10000;
    out->over_100us += gap_ns > 100000;
    out->over_1ms += gap_ns > 1000000;
    out->max_ns = gap_ns > out->max_ns ? gap_ns : out->max_ns;
}

int tl_measure_jitter_run(tl_measure_jitter *out, int32_t cpu, int64_t budget_ns)
{
    if (budget_ns <= 0 || budget_ns > 60 * SECOND_NS)
        return -EINVAL;
    const cpu_set_t before = place_near(cpu);
    const int64_t start_ns = monotonic_ns();
    int64_t last_ns = start_ns;
    while (last_ns - start_ns < budget_ns) {
        const int64_t now_ns = monotonic_ns();
        jitter_count(out, now_ns - last_ns);
        last_ns = now_ns;
    }
    out->elapsed_ns += last_ns - start_ns;
    place_back(&before);
    for (uint32_t i = TL_MEASURE_BUCKETS; i-- > 0 && out->over_1us == 0;)
        if (out->counts[i] > 0) {
            out->max_ns = bucket_top(i);
            break;
        }
    return 0;
}

int64_t tl_measure_jitter_quantile(const tl_measure_jitter *jitter, double share)
{
    assert(share >= 0.0 && share <= 1.0);
    const double wanted = share * (double)jitter->loops;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < TL_MEASURE_BUCKETS; i++) {
        seen += jitter->counts[i];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_top(i) < jitter->max_ns ? bucket_top(i) : jitter->max_ns;
    }
    return jitter->max_ns;
}

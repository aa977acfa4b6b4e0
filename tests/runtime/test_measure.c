/* The measurements: every sample is an answer, and the places and bounds of a caller are kept. */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "check.h"
#include "touchline/measure/measure.h"

#define MILLISECOND INT64_C(1000000)
#define SAMPLES 200

static const tl_measure_places anywhere = {-1, -1};

static void a_clock_costs_something(void)
{
    double out[50];
    for (enum tl_measure_clock clock = TL_MEASURE_MONOTONIC; clock <= TL_MEASURE_SYSCALL; clock++) {
        const size_t count = tl_measure_clock_cost(clock, out, 50, 100, 100 * MILLISECOND);
        CHECK(count > 0 || clock == TL_MEASURE_TSC);
        for (size_t i = 0; i < count; i++)
            CHECK(out[i] > 0.0);
    }
}

static void a_clock_stops_at_its_budget(void)
{
    double out[3] = {-1, -1, -1};
    CHECK(tl_measure_clock_cost(TL_MEASURE_SYSCALL, out, 3, 1000, 1) == 1);
    CHECK(out[0] > 0.0 && out[1] < 0.0);
}

static void every_command_on_the_bus_is_answered(void)
{
    const tl_bus_geometry geometry = {.lanes = 1, .lane_slots = 64, .event_slots = 64};
    uint32_t out[SAMPLES];
    char path[64];
    for (int park = 0; park < 2; park++) {
        tl_bus *bus;
        snprintf(path, sizeof path, "/dev/shm/test-measure-%d.bus", (int)getpid());
        CHECK(tl_bus_create(&bus, path, &geometry) == 0);
        const int64_t count =
            tl_measure_ring(bus, &anywhere, park, out, SAMPLES, 5000 * MILLISECOND);
        CHECK(count > 0 && count <= SAMPLES);
        CHECK(atomic_load(&bus->header->events) == (uint64_t)count);
        CHECK(atomic_load(&bus->header->lane[0].head) == (uint64_t)count);
        for (int64_t i = 0; i < count; i++)
            CHECK(out[i] > 0);
        tl_bus_close(bus);
        unlink(path);
    }
}

static void a_lane_that_is_taken_is_refused(void)
{
    const tl_bus_geometry geometry = {.lanes = 1, .lane_slots = 64, .event_slots = 64};
    uint32_t out[1];
    char path[64];
    tl_bus *bus;
    tl_lane lane;
    snprintf(path, sizeof path, "/dev/shm/test-measure-%d.bus", (int)getpid());
    CHECK(tl_bus_create(&bus, path, &geometry) == 0);
    CHECK(tl_lane_open(&lane, bus, 0, 0) == 0);
    CHECK(tl_measure_ring(bus, &anywhere, 0, out, 1, MILLISECOND) < 0);
    tl_lane_close(&lane);
    tl_bus_close(bus);
    unlink(path);
}

static void loopback_answers_blocking_and_spinning(void)
{
    uint32_t out[SAMPLES];
    for (int spin = 0; spin < 2; spin++) {
        const int64_t count =
            tl_measure_loopback(&anywhere, spin, out, SAMPLES, 5000 * MILLISECOND);
        CHECK(count > 0 && count <= SAMPLES);
        for (int64_t i = 0; i < count; i++)
            CHECK(out[i] > 0);
    }
}

static void jitter_counts_every_gap_once(void)
{
    static tl_measure_jitter jitter;
    uint64_t counted = 0;
    CHECK(tl_measure_jitter_run(&jitter, -1, 20 * MILLISECOND) == 0);
    for (uint32_t i = 0; i < TL_MEASURE_BUCKETS; i++)
        counted += jitter.counts[i];
    CHECK(counted == jitter.loops && counted > 0);
    CHECK(jitter.elapsed_ns >= 20 * MILLISECOND);
    CHECK(jitter.lost_ns <= jitter.elapsed_ns);
    CHECK(jitter.over_1us >= jitter.over_10us && jitter.over_10us >= jitter.over_100us);
    CHECK(tl_measure_jitter_run(&jitter, -1, 0) < 0);
}

static void a_quantile_is_the_top_of_its_bucket(void)
{
    static tl_measure_jitter jitter;
    jitter.counts[20] = 98; /* 20 ns */
    jitter.counts[15 + 32] = 1; /* 62 or 63 ns */
    jitter.counts[16 * 6] = 1;  /* from 512 ns on, in steps of 32 */
    jitter.loops = 100;
    jitter.max_ns = 520;
    CHECK(tl_measure_jitter_quantile(&jitter, 0.5) == 20);
    CHECK(tl_measure_jitter_quantile(&jitter, 0.98) == 20);
    CHECK(tl_measure_jitter_quantile(&jitter, 0.99) == 63);
    CHECK(tl_measure_jitter_quantile(&jitter, 1.0) == 520);
}

static void a_thread_is_put_back_where_it_was(void)
{
    cpu_set_t before, after;
    static tl_measure_jitter jitter;
    CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
    int32_t cpu = 0;
    while (!CPU_ISSET((size_t)cpu, &before))
        cpu++;
    CHECK(tl_measure_jitter_run(&jitter, cpu, MILLISECOND) == 0);
    CHECK(sched_getaffinity(0, sizeof after, &after) == 0);
    CHECK(CPU_EQUAL(&before, &after));
}

int main(void)
{
    a_clock_costs_something();
    a_clock_stops_at_its_budget();
    every_command_on_the_bus_is_answered();
    a_lane_that_is_taken_is_refused();
    loopback_answers_blocking_and_spinning();
    jitter_counts_every_gap_once();
    a_quantile_is_the_top_of_its_bucket();
    a_thread_is_put_back_where_it_was();
    return 0;
}

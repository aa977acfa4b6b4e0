/* What this machine costs, for `touchline doctor --measure`: clocks, a hop over the bus and back,
 * pauses of a spinning thread, a TCP round trip over loopback.
 *
 * Nothing of the venue calls this. Every function returns after its budget of time at the latest,
 * writes into memory of the caller, and puts the calling thread back where it was allowed to run.
 */
#ifndef TOUCHLINE_MEASURE_H
#define TOUCHLINE_MEASURE_H

#include "touchline/runtime/bus.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tl_measure_clock {
    TL_MEASURE_MONOTONIC = 0, /* clock_gettime(CLOCK_MONOTONIC) */
    TL_MEASURE_REALTIME = 1,  /* clock_gettime(CLOCK_REALTIME) */
    TL_MEASURE_TSC = 2,       /* the counter itself, where the processor has one */
    TL_MEASURE_SYSCALL = 3    /* the cheapest system call, to compare with */
};

/* Where the two sides run: CPU numbers, or -1 for wherever the scheduler puts them. */
typedef struct tl_measure_places {
    int32_t near_cpu; /* the calling thread */
    int32_t far_cpu;  /* the thread that answers */
} tl_measure_places;

#define TL_MEASURE_BUCKETS 1024
/* Bucket n holds gaps of one size up to 16 ns, then sixteen steps to each doubling. */
typedef struct tl_measure_jitter {
    uint64_t counts[TL_MEASURE_BUCKETS];
    uint64_t loops;
    uint64_t over_1us, over_10us, over_100us, over_1ms;
    int64_t max_ns;
    int64_t lost_ns; /* in gaps of more than a microsecond */
    int64_t elapsed_ns;
} tl_measure_jitter;

/* Nanoseconds of one call, the mean over `calls`, `rounds` times into `out`. The number written;
 * 0 when the processor has no such clock. */
size_t tl_measure_clock_cost(enum tl_measure_clock clock, double *out, size_t rounds,
                             uint32_t calls, int64_t budget_ns);

/* A command into lane 0 and the answering event back, `max` times at most. `bus` serves nothing
 * but this, one call after the other. With `park` the answerer is asleep when the command comes
 * and the caller waits as a reader does, else both spin. Returns the number of samples or
 * -errno. */
int64_t tl_measure_ring(tl_bus *bus, const tl_measure_places *places, int park, uint32_t *out_ns,
                        size_t max, int64_t budget_ns);

/* 64 bytes over TCP to 127.0.0.1 and back; as above. */
int64_t tl_measure_loopback(const tl_measure_places *places, int spin, uint32_t *out_ns, size_t max,
                            int64_t budget_ns);

/* Read the clock without pause for the whole budget: what is between two readings, beyond the
 * clock's own cost, somebody else took. Adds to what `out` has, zeros at first. 0 or -errno. */
int tl_measure_jitter_run(tl_measure_jitter *out, int32_t cpu, int64_t budget_ns);
/* The gap, in ns, that a share of all readings (0 to 1) did not exceed. */
int64_t tl_measure_jitter_quantile(const tl_measure_jitter *jitter, double share);

#ifdef __cplusplus
}
#endif

#endif

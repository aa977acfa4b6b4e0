/* How time is read: two system clocks for whole passes, the cycle counter for single commands. */
#ifndef TOUCHLINE_BENCH_CLOCKS_H
#define TOUCHLINE_BENCH_CLOCKS_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

/* Of the counter itself, measured once. */
typedef struct cycle_counter {
    double per_ns;
    uint64_t overhead; /* between two reads with nothing between */
} cycle_counter;

static inline uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t cycles_before(void)
{
    _mm_lfence();
    uint64_t cycles = __rdtsc();
    _mm_lfence();
    return cycles;
}

static inline uint64_t cycles_after(void)
{
    unsigned core;
    uint64_t cycles = __rdtscp(&core);
    _mm_lfence();
    return cycles;
}

static inline int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the values; the best is then the first. */
static inline double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static inline cycle_counter cycle_counter_calibrate(void)
{
    double overheads[1001];
    for (int i = 0; i < 1001; i++) {
        uint64_t start = cycles_before();
        overheads[i] = (double)(cycles_after() - start);
    }
    uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
    uint64_t start = __rdtsc();
    while (now_ns(CLOCK_MONOTONIC) - start_ns < 50000000)
        ;
    uint64_t cycles = __rdtsc() - start;
    double per_ns = (double)cycles / (double)(now_ns(CLOCK_MONOTONIC) - start_ns);
    return (cycle_counter){per_ns, (uint64_t)median(overheads, 1001)};
}

#endif

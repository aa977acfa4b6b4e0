/* What both halves of the measurements need: the clock, and moving a thread to a CPU and back.
 * Internal; the includer defines _GNU_SOURCE. */
#ifndef TOUCHLINE_MEASURE_THREAD_H
#define TOUCHLINE_MEASURE_THREAD_H

#include <sched.h>
#include <stdint.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

static inline int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static inline uint32_t sample(int64_t ns)
{
    return ns < 0 ? 0 : ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static inline void place_self(int32_t cpu)
{
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    /* Best effort: where the CPU may not be used, the figure is of wherever the thread runs. */
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* Move the calling thread; the answer is where it was allowed before, for place_back. */
static inline cpu_set_t place_near(int32_t cpu)
{
    cpu_set_t before;
    CPU_ZERO(&before);
    if (sched_getaffinity(0, sizeof before, &before) == 0)
        place_self(cpu);
    return before;
}

static inline void place_back(const cpu_set_t *before)
{
    if (CPU_COUNT(before) > 0)
        (void)sched_setaffinity(0, sizeof *before, before);
}

#endif

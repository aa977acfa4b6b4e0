/* The clocks: UTC, which may be set, and one that cannot. Included by runner.c alone, so that
 * nothing else can depend on when a command came. */
#ifndef TOUCHLINE_CLOCK_H
#define TOUCHLINE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* About 22 ns through the vDSO, no system call; read once for a batch. It steps when the host's
 * clock is set: stamp.h says how far it is believed. The kernel keeps it from 1970 to 2232. */
static inline int64_t tl_clock_utc_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Nanoseconds since the machine started, its sleep included; nobody sets it. */
static inline int64_t tl_clock_steady_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

#endif

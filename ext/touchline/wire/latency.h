/* A histogram of times: sixteen steps to each doubling, so a quantile is right to 6 %, and exact up
 * to 31 ns. One thread adds, any other reads. */
#ifndef TOUCHLINE_LATENCY_H
#define TOUCHLINE_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

#define TL_LATENCY_BUCKETS 976u

typedef struct tl_latency {
    _Atomic(uint64_t) counts[TL_LATENCY_BUCKETS];
} tl_latency;

typedef struct tl_latency_told {
    uint64_t count;
    int64_t p50_ns, p99_ns, p999_ns, max_ns; /* the least of the bucket; 0 when there is nothing */
} tl_latency_told;

/* What is below 0, by clocks that disagree, counts as 0. */
void tl_latency_add(tl_latency *latency, int64_t ns);
void tl_latency_tell(const tl_latency *latency, tl_latency_told *out);

#endif

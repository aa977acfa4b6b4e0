/* Buckets: 0 to 31 hold one value each, then sixteen hold each doubling. */
#include "touchline/wire/latency.h"

#include <stddef.h>

#define STEP_BITS 4
#define STEPS (1u << STEP_BITS)

static uint32_t bucket_of(uint64_t ns)
{
    if (ns < 2 * STEPS)
        return (uint32_t)ns;
    const uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns) - STEP_BITS;
    return shift * STEPS + (uint32_t)(ns >> shift);
}

static int64_t least_of(uint32_t bucket)
{
    if (bucket < 2 * STEPS)
        return bucket;
    const uint32_t shift = bucket / STEPS - 1;
    return (int64_t)((uint64_t)(bucket % STEPS + STEPS) << shift);
}

void tl_latency_add(tl_latency *latency, int64_t ns)
{
    _Atomic(uint64_t) *count = &latency->counts[bucket_of(ns < 0 ? 0 : (uint64_t)ns)];
    /* Relaxed: one writer; a reader may see it a moment later. */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void tl_latency_tell(const tl_latency *latency, tl_latency_told *out)
{
    uint64_t counts[TL_LATENCY_BUCKETS], total = 0, below = 0;
    for (uint32_t i = 0; i < TL_LATENCY_BUCKETS; i++)
        total += counts[i] = atomic_load_explicit(&latency->counts[i], memory_order_relaxed);
    *out = (tl_latency_told){.count = total};
    /* The rank of a share q of n values is ceil(q n), from 1. */
    const uint64_t half = (total + 1) / 2, p99 = total - total / 100, p999 = total - total / 1000;
    for (uint32_t i = 0; i < TL_LATENCY_BUCKETS; i++) {
        const uint64_t upto = below + counts[i];
        const int64_t ns = least_of(i);
        if (below < half && upto >= half)
            out->p50_ns = ns;
        if (below < p99 && upto >= p99)
            out->p99_ns = ns;
        if (below < p999 && upto >= p999)
            out->p999_ns = ns;
        if (counts[i] != 0)
            out->max_ns = ns;
        below = upto;
    }
}

/* Counts of times by size, as an HDR histogram keeps them: each power of two in 64 equal buckets,
 * so that a value is known to 1.6 % over the whole range, in constant memory and time.
 *
 *   value < 64: bucket = value     else: 64 buckets from 2^k to 2^(k+1)
 */
#ifndef TOUCHLINE_BENCH_HISTOGRAM_H
#define TOUCHLINE_BENCH_HISTOGRAM_H

#include <stdint.h>
#include <string.h>

#define HISTOGRAM_BITS 6
#define HISTOGRAM_PART (1u << HISTOGRAM_BITS)
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) * HISTOGRAM_PART)

typedef struct histogram {
    uint64_t count;
    uint64_t largest;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

static inline unsigned histogram_bucket(uint64_t value)
{
    if (value < HISTOGRAM_PART)
        return (unsigned)value;
    unsigned shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
    return (shift + 1) * HISTOGRAM_PART + (unsigned)(value >> shift) - HISTOGRAM_PART;
}

/* The middle of a bucket. */
static inline double histogram_value(unsigned bucket)
{
    if (bucket < HISTOGRAM_PART)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_PART - 1;
    uint64_t low = (uint64_t)(bucket % HISTOGRAM_PART + HISTOGRAM_PART) << shift;
    return (double)low + (double)((UINT64_C(1) << shift) - 1) / 2;
}

static inline void histogram_record(histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->buckets[histogram_bucket(value)]++;
    if (value > histogram->largest)
        histogram->largest = value;
}

static inline void histogram_add(histogram *to, const histogram *from)
{
    to->count += from->count;
    if (from->largest > to->largest)
        to->largest = from->largest;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
}

/* The value that `share` of all are not above, 0 when there is none. */
static inline double histogram_at(const histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > wanted)
            return histogram_value(i);
    }
    return (double)histogram->largest;
}

#endif

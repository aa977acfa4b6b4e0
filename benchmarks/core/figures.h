/* The JSON that bench_core prints for one flow. */
#ifndef TOUCHLINE_BENCH_FIGURES_H
#define TOUCHLINE_BENCH_FIGURES_H

#include "bench.h"

/* How JSON names the kinds of commands; the last is all of them. */
extern const char *const kind_names[KINDS + 1];

#define PASSES_MAX 1000

/* The passes over one way to run a flow. */
typedef struct series {
    int count;
    double cpu[PASSES_MAX], wall[PASSES_MAX];
} series;

static inline void series_add(series *series, taken taken)
{
    series->cpu[series->count] = taken.cpu;
    series->wall[series->count++] = taken.wall;
}

/* `"name": {...}, `: best and median in both clocks. Sorts the series. */
void print_series(const char *name, series *series);
/* `"count": ..., "p50_ns": ..., "buckets": [[ns, count], ...]`. */
void print_percentiles(const histogram *histogram, double per_ns);
/* The same between braces. */
void print_histogram(const histogram *histogram, double per_ns);

#endif

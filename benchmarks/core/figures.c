/* How figures become JSON. */
#include "figures.h"

#include <inttypes.h>

const char *const kind_names[KINDS + 1] = {"new_order", "cancel", "replace", "other", "all"};

void print_series(const char *name, series *series)
{
    double cpu_median = median(series->cpu, series->count);
    double wall_median = median(series->wall, series->count);
    printf("\"%s\": {\"best_ns\": %.2f, \"median_ns\": %.2f, \"wall_best_ns\": %.2f, "
           "\"wall_median_ns\": %.2f}, ",
           name, series->cpu[0], cpu_median, series->wall[0], wall_median);
}

void print_percentiles(const histogram *histogram, double per_ns)
{
    printf("\"count\": %" PRIu64 ", \"p50_ns\": %.1f, \"p90_ns\": %.1f, \"p99_ns\": %.1f, "
           "\"p999_ns\": %.1f, \"p9999_ns\": %.1f, \"max_ns\": %.0f, \"buckets\": [",
           histogram->count, histogram_at(histogram, 0.5) / per_ns,
           histogram_at(histogram, 0.9) / per_ns, histogram_at(histogram, 0.99) / per_ns,
           histogram_at(histogram, 0.999) / per_ns, histogram_at(histogram, 0.9999) / per_ns,
           (double)histogram->largest / per_ns);
    const char *comma = "";
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (histogram->buckets[i] != 0) {
            printf("%s[%.1f, %" PRIu64 "]", comma, histogram_value(i) / per_ns,
                   histogram->buckets[i]);
            comma = ", ";
        }
    printf("]");
}

void print_histogram(const histogram *histogram, double per_ns)
{
    printf("{");
    print_percentiles(histogram, per_ns);
    printf("}");
}

/* The histogram of times against the times themselves, sorted. */
#include "check.h"
#include "touchline/wire/latency.h"

#include <stdlib.h>
#include <string.h>

static tl_latency latency;
static tl_latency_told told;

static int by_size(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Below the true value by a sixteenth at most. */
static void check_near(int64_t found, int64_t truth)
{
    CHECK(found <= truth && truth - found <= truth / 16);
}

static void quantiles_are_those_of_the_sorted_times(void)
{
    enum { TIMES = 5000 };
    static int64_t times[TIMES];
    uint64_t random = 3;
    for (int count = 1; count <= TIMES; count = count * 7 + 3) {
        memset(&latency, 0, sizeof latency);
        for (int i = 0; i < count; i++) {
            times[i] = (int64_t)(random_next(&random) >> random_next(&random) % 60 >> 1);
            tl_latency_add(&latency, times[i]);
        }
        qsort(times, (size_t)count, sizeof *times, by_size);
        tl_latency_tell(&latency, &told);
        CHECK(told.count == (uint64_t)count);
        check_near(told.p50_ns, times[(count + 1) / 2 - 1]);
        check_near(told.p99_ns, times[count - count / 100 - 1]);
        check_near(told.p999_ns, times[count - count / 1000 - 1]);
        check_near(told.max_ns, times[count - 1]);
    }
}

static void the_ends_have_buckets(void)
{
    memset(&latency, 0, sizeof latency);
    tl_latency_tell(&latency, &told);
    CHECK(told.count == 0 && told.p50_ns == 0 && told.max_ns == 0);
    tl_latency_add(&latency, -5);
    tl_latency_tell(&latency, &told);
    CHECK(told.count == 1 && told.p50_ns == 0 && told.max_ns == 0);
    for (int64_t ns = 0; ns < 32; ns++) {
        memset(&latency, 0, sizeof latency);
        tl_latency_add(&latency, ns);
        tl_latency_tell(&latency, &told);
        CHECK(told.p50_ns == ns && told.p99_ns == ns);
    }
    tl_latency_add(&latency, INT64_MAX);
    tl_latency_tell(&latency, &told);
    check_near(told.max_ns, INT64_MAX);
}

int main(void)
{
    quantiles_are_those_of_the_sorted_times();
    the_ends_have_buckets();
    return 0;
}

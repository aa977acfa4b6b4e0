/* The load generator: orders over FIX 4.4, each answer read and checked.
 *
 *   fix_load rtt|pipeline KEY=VALUE...    host port venue symbol comp_id orders window cross echo
 *                                         spin cpu; comp_id may be several, with commas
 *
 * rtt: one order at a time. pipeline: as many unanswered as the window says, of each session, all
 * by one thread. Prints one line of JSON: percentiles of the time from an order to its last report,
 * orders a second, and for each session its own p99. Exit code 1 when an answer was not what it
 * should be, and the line says which.
 */
#define _GNU_SOURCE
#include "fix_peer.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEERS_MAX 256
#define STILL_NS INT64_C(20000000000) /* without an answer for so long the run has failed */

static fix_peer peers[PEERS_MAX];
static int peer_count;

static const char *option(int argc, char **argv, const char *key, const char *usual)
{
    const size_t width = strlen(key);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], key, width) == 0 && argv[i][width] == '=')
            return argv[i] + width + 1;
    return usual;
}

static int by_size(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Of sorted times in ns, in us. */
static double quantile(const uint32_t *times, size_t count, double share)
{
    const size_t at = (size_t)((double)count * share);
    return (double)times[at < count ? at : count - 1] / 1e3;
}

static bool all_done(void)
{
    for (int i = 0; i < peer_count; i++)
        if (!peer_done(&peers[i]))
            return false;
    return true;
}

static uint64_t answered(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < peer_count; i++)
        sum += peers[i].answered;
    return sum;
}

static bool wait_for_any(struct pollfd *ready)
{
    for (int i = 0; i < peer_count; i++) {
        const size_t offered = peers[i].offered ? peers[i].ends[peers[i].offered - 1] : 0;
        const bool blocked = peers[i].written < offered;
        ready[i] = (struct pollfd){.fd = peers[i].fd,
                                   .events = (short)(POLLIN | (blocked ? POLLOUT : 0))};
    }
    return poll(ready, (nfds_t)peer_count, 1000) >= 0;
}

/* Until all orders are answered; the nanoseconds it took, 0: a peer has a fault. */
static int64_t run(const fix_job *job)
{
    static struct pollfd ready[PEERS_MAX];
    const int64_t start = monotonic_ns();
    uint64_t last = 0;
    int64_t moved = start;
    while (!all_done()) {
        for (int i = 0; i < peer_count; i++)
            if (!peer_send(&peers[i]))
                return 0;
        if (!job->spin)
            wait_for_any(ready);
        for (int i = 0; i < peer_count; i++)
            if (!peer_receive(&peers[i]))
                return 0;
        const uint64_t now = answered();
        if (now != last) {
            last = now;
            moved = monotonic_ns();
        } else if (monotonic_ns() - moved > STILL_NS) {
            snprintf(peers[0].fault, sizeof peers[0].fault, "answers stopped at %llu orders",
                     (unsigned long long)now);
            return 0;
        }
    }
    return monotonic_ns() - start;
}

static void print_peers(void)
{
    printf(", \"p99_us\": [");
    for (int i = 0; i < peer_count; i++) {
        const uint32_t orders = peers[i].job->orders;
        qsort(peers[i].took_ns, orders, sizeof *peers[i].took_ns, by_size);
        printf("%s%.1f", i ? ", " : "", quantile(peers[i].took_ns, orders, 0.99));
    }
    printf("]");
}

static int report(const fix_job *job, int64_t elapsed)
{
    for (int i = 0; i < peer_count; i++)
        if (peers[i].fault[0] != 0) {
            for (char *at = peers[i].fault; *at != 0; at++)
                if (*at < 0x20 || *at == '"' || *at == '\\')
                    *at = '|';
            printf("{\"verified\": false, \"fault\": \"%s: %s\"}\n", peers[i].comp_id,
                   peers[i].fault);
            return 1;
        }
    const size_t each = job->orders, all = each * (size_t)peer_count, skip = each / 20;
    uint32_t *times = malloc(all * sizeof *times);
    if (times == NULL)
        return 1;
    size_t count = 0; /* the first twentieth of each only warms up */
    for (int i = 0; i < peer_count; i++) {
        memcpy(times + count, peers[i].took_ns + skip, (each - skip) * sizeof *times);
        count += each - skip;
    }
    qsort(times, count, sizeof *times, by_size);
    printf("{\"verified\": true, \"orders\": %zu, \"orders_per_s\": %.0f, \"p50\": %.2f, "
           "\"p90\": %.2f, \"p99\": %.2f, \"max\": %.2f",
           all, (double)all / ((double)elapsed / 1e9), quantile(times, count, 0.5),
           quantile(times, count, 0.9), quantile(times, count, 0.99), quantile(times, count, 1.0));
    print_peers();
    printf("}\n");
    free(times);
    return 0;
}

static void place(int cpu)
{
    cpu_set_t set;
    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv)
{
    if (argc < 2 || (strcmp(argv[1], "rtt") != 0 && strcmp(argv[1], "pipeline") != 0)) {
        fprintf(stderr, "usage: fix_load rtt|pipeline KEY=VALUE...\n");
        return 2;
    }
    const bool rtt = strcmp(argv[1], "rtt") == 0;
    const fix_job job = {
        .host = option(argc, argv, "host", "127.0.0.1"),
        .port = atoi(option(argc, argv, "port", "9878")),
        .venue = option(argc, argv, "venue", "TOUCHLINE"),
        .symbol = option(argc, argv, "symbol", "AAA"),
        .orders = (uint32_t)atoi(option(argc, argv, "orders", "10000")) / 2 * 2,
        .window = rtt ? 1 : (uint32_t)atoi(option(argc, argv, "window", "500")),
        .cross = atoi(option(argc, argv, "cross", "0")) != 0,
        .echo = atoi(option(argc, argv, "echo", "0")) != 0,
        .spin = atoi(option(argc, argv, "spin", "0")) != 0,
    };
    if (job.orders < 40 || job.window < 1 || job.port < 1) {
        fprintf(stderr, "fix_load: orders below 40, window or port below 1\n");
        return 2;
    }
    place(atoi(option(argc, argv, "cpu", "-1")));
    char names[8192];
    snprintf(names, sizeof names, "%s", option(argc, argv, "comp_id", "BENCH"));
    bool good = true;
    for (char *name = strtok(names, ","); name && good && peer_count < PEERS_MAX;
         name = strtok(NULL, ","))
        good = peer_open(&peers[peer_count++], &job, name);
    const int64_t elapsed = good ? run(&job) : 0;
    const int code = report(&job, elapsed);
    for (int i = 0; i < peer_count; i++)
        peer_close(&peers[i]);
    return code;
}

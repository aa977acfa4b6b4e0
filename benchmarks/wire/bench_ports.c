/* What a port costs over what it stands on: a message of 64 bytes there and back, and messages a
 * second one way.
 *
 *      near thread ── message ──► far thread      the far one sends back what it got;
 *           ▲                          │          the near one compares every byte
 *           └──────── the same ────────┘
 *
 * TCP over loopback; UDP and AF_XDP between two network namespaces joined by a veth pair, where
 * they are allowed (root). All kinds take turns, round by round, so that what else the machine does
 * is shared fairly; a ratio is the median over the rounds. JSON on standard output.
 *
 *   bench_ports [ROUNDS [NEAR_CPU FAR_CPU]]
 */
#define _GNU_SOURCE
#include "histogram.h"
#include "ports_pairs.h"
#include "ports_stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 99
#define MESSAGES_SPINNING 10000
#define MESSAGES_BLOCKING 2000
#define WARMUP 200

static const pair *const PAIRS[] = {
    &TCP_BARE, &TCP_POLLED, &TCP_PORT,    &TCP_BARE_SPINNING, &TCP_PORT_SPINNING,
    &UDP_BARE, &UDP_PORT,   &UDP_STAMPED, &XDP_BARE,          &XDP_PORT};
#define PAIR_COUNT (sizeof PAIRS / sizeof *PAIRS)

typedef struct result {
    histogram all;
    double medians[ROUNDS_MAX]; /* of each round */
} result;

static result results[PAIR_COUNT];
static histogram kernel_to_poll;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

typedef struct far_side {
    const pair *pair;
    end *end;
} far_side;

static void *answer(void *argument)
{
    const far_side *self = argument;
    uint8_t bytes[MESSAGE_BYTES];
    while (self->pair->receive(self->end, bytes))
        self->pair->send(self->end, bytes);
    return NULL;
}

static void write_message(uint8_t *bytes, uint32_t number)
{
    for (uint32_t i = 0; i < MESSAGE_BYTES; i += (uint32_t)sizeof number) {
        const uint32_t word = number * 2654435761u + i;
        memcpy(bytes + i, &word, sizeof word);
    }
}

static void ping(const pair *pair, end *near, uint32_t messages, histogram *out)
{
    uint8_t sent[MESSAGE_BYTES];
    uint8_t got[MESSAGE_BYTES];
    for (uint32_t i = 0; i < messages + WARMUP; i++) {
        write_message(sent, i);
        const int64_t start_ns = clock_ns(CLOCK_MONOTONIC);
        pair->send(near, sent);
        sure(pair->receive(near, got) ? 0 : -EPIPE, "answer");
        const int64_t took_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
        sure(memcmp(sent, got, MESSAGE_BYTES) == 0 ? 0 : -EBADMSG, pair->name);
        if (near->rx_ns != 0) {
            const int64_t late_ns = clock_ns(CLOCK_REALTIME) - near->rx_ns;
            histogram_record(&kernel_to_poll, late_ns < 0 ? 0 : (uint64_t)late_ns);
        }
        if (i >= WARMUP)
            histogram_record(out, (uint64_t)took_ns);
    }
}

static double play(const pair *pair, const veth *veth, int cpu, histogram *all)
{
    static histogram round;
    _Atomic bool stop = false;
    _Atomic bool never = false;
    end ends[2];
    memset(&round, 0, sizeof round);
    memset(ends, 0, sizeof ends);
    ends[0].stop = &never;
    ends[1].stop = &stop;
    pair->open(ends, veth);
    far_side far = {.pair = pair, .end = &ends[1]};
    const pthread_t thread = start_on(cpu, answer, &far);
    const bool blocking = pair == &TCP_BARE || pair == &TCP_POLLED || pair == &TCP_PORT;
    ping(pair, &ends[0], blocking ? MESSAGES_BLOCKING : MESSAGES_SPINNING, &round);
    atomic_store(&stop, true);
    /* The far side of a stream sees its end, that of datagrams looks whether to stop. */
    pair->close(&ends[0]);
    pthread_join(thread, NULL);
    pair->close(&ends[1]);
    histogram_add(all, &round);
    return histogram_at(&round, 0.5);
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

static const result *of(const pair *pair)
{
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        if (PAIRS[i] == pair)
            return &results[i];
    }
    return NULL;
}

/* The median of the ratios, round by round. */
static double ratio(const pair *over, const pair *under, int rounds)
{
    double ratios[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++)
        ratios[i] = of(over)->medians[i] / of(under)->medians[i];
    qsort(ratios, (size_t)rounds, sizeof *ratios, ascending);
    return ratios[rounds / 2];
}

static void print_pair(size_t index)
{
    const histogram *all = &results[index].all;
    printf("    \"%s\": {\"p50\": %.2f, \"p99\": %.2f, \"count\": %llu},\n", PAIRS[index]->name,
           histogram_at(all, 0.5) / 1e3, histogram_at(all, 0.99) / 1e3,
           (unsigned long long)all->count);
}

static void print_veth_ratios(int rounds)
{
    printf("    \"udp_port_spinning\": %.3f,\n    \"xdp_port\": %.3f,\n"
           "    \"xdp_port_to_udp_bare\": %.3f,\n",
           ratio(&UDP_PORT, &UDP_BARE, rounds), ratio(&XDP_PORT, &XDP_BARE, rounds),
           ratio(&XDP_PORT, &UDP_BARE, rounds));
}

static void print_all(int rounds, bool with_veth, const stream_result streams[STREAMS])
{
    printf("{\n  \"round_trip_us\": {\n");
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        if (results[i].all.count > 0)
            print_pair(i);
    }
    printf("    \"message_bytes\": %u\n  },\n  \"ratio\": {\n", MESSAGE_BYTES);
    if (with_veth)
        print_veth_ratios(rounds);
    printf("    \"tcp_port\": %.3f,\n    \"tcp_port_to_polled\": %.3f,\n"
           "    \"tcp_port_spinning\": %.3f\n  },\n",
           ratio(&TCP_PORT, &TCP_BARE, rounds), ratio(&TCP_PORT, &TCP_POLLED, rounds),
           ratio(&TCP_PORT_SPINNING, &TCP_BARE_SPINNING, rounds));
    printf("  \"stamp_to_poll_us\": {\"p50\": %.2f, \"p99\": %.2f, \"count\": %llu},\n",
           histogram_at(&kernel_to_poll, 0.5) / 1e3, histogram_at(&kernel_to_poll, 0.99) / 1e3,
           (unsigned long long)kernel_to_poll.count);
    printf("  \"messages_per_s\": {\"sendmmsg\": %.0f, \"segments\": %.0f},\n",
           streams[0].messages_per_s, streams[1].messages_per_s);
    printf("  \"rounds\": %d,\n  \"veth\": %s,\n  \"verified\": true\n}\n", rounds,
           with_veth ? "true" : "false");
}

int main(int argc, char **argv)
{
    static stream_result streams[STREAMS];
    const int rounds = argc > 1 ? atoi(argv[1]) : 9;
    const int cpus[2] = {argc > 3 ? atoi(argv[2]) : 0, argc > 3 ? atoi(argv[3]) : 1};
    veth veth;
    if (rounds < 1 || rounds > ROUNDS_MAX)
        sure(-EINVAL, "ROUNDS");
    const int refusal = veth_open(&veth);
    if (refusal != 0)
        fprintf(stderr, "bench_ports: no veth pair: %s\n", strerror(-refusal));
    pin_to(cpus[0]);
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < PAIR_COUNT; i++) {
            if (refusal == 0 || !PAIRS[i]->needs_veth)
                results[i].medians[round] = play(PAIRS[i], &veth, cpus[1], &results[i].all);
        }
        for (int i = 0; i < STREAMS; i++)
            stream_play(i == 1, cpus[1], &streams[i]);
    }
    if (refusal == 0)
        veth_close(&veth);
    print_all(rounds, refusal == 0, streams);
    return 0;
}

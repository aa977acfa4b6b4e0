/* Latency under a load that does not wait: command n is due at start + n / rate, whatever became of
 * the others, and its latency counts from then, so falling behind shows (no coordinated omission).
 *
 *   engine   this thread: wait until due ─► tl_engine_step ─► clock
 *   ring     this thread: wait until due ─► lane ─► runner thread: journal, step ─► event ring
 *                           clock ◄─ reader ◄──────────────────────────────────────┘
 *
 * `bench_open --ring DIRECTORY | --engine FLOW RATE...` prints JSON, a line for each rate. The
 * journal is written into DIRECTORY. The number of events must be the flow's, and each command
 * answered once. The runner owns another processor (--cpu, --runner-cpu); both spin.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "figures.h"
#include "touchline/runtime/bus.h"
#include "touchline/runtime/runner.h"

#define BURST_S 0.4 /* well under the second after which a real-time thread is stopped */
#define READ_MAX 64
#define LANE 2u

typedef struct options {
    const char *ring_directory; /* NULL: the engine alone */
    int cpu, runner_cpu;
} options;

typedef struct load {
    const flow *flow;
    cycle_counter counter;
    histogram *latency; /* cycles */
    uint64_t count;     /* of the flow's commands, as many as the time allows */
    double cycles_between;
    uint64_t start;
} load;

static uint64_t due(const load *load, uint64_t number)
{
    return load->start + (uint64_t)((double)number * load->cycles_between);
}

static void note(load *load, uint64_t number, uint64_t now)
{
    uint64_t then = due(load, number);
    histogram_record(load->latency, now > then ? now - then : 0);
}

/* ── the engine alone ────────────────────────────────────────────────────────────────────────── */

static double run_engine(load *load)
{
    bench bench = {.counter = load->counter};
    bench_open(&bench, load->flow, 131072);
    pass_begin(&bench);
    realtime_begin();
    load->start = __rdtsc() + 10000;
    for (uint64_t i = 0; i < load->count; i++) {
        while (__rdtsc() < due(load, i))
            _mm_pause();
        tl_engine_step(bench.engine, &load->flow->commands[i], &bench.sink);
        note(load, i, cycles_after());
    }
    double seconds = (double)(__rdtsc() - load->start) / load->counter.per_ns / 1e9;
    realtime_end();
    tl_engine_close(bench.engine);
    bench_close(&bench);
    return seconds;
}

/* ── through lane, journal and ring ──────────────────────────────────────────────────────────── */

typedef struct venue {
    tl_bus *bus;
    tl_runner *runner;
    tl_lane lane;
    tl_event_reader reader;
    pthread_t thread;
    char bus_path[256], journal[256];
} venue;

static void check(int rc, const char *what)
{
    if (rc != 0)
        fail(what, strerror(-rc));
}

static void *run_runner(void *argument)
{
    tl_journal_fault fault;
    venue *venue = argument;
    realtime_begin();
    check(tl_runner_run(venue->runner, &fault), "runner");
    return NULL;
}

static void venue_open(venue *venue, const load *load, const options *options, int number)
{
    const tl_bus_geometry geometry = {.lanes = 4, .lane_slots = 16384, .event_slots = 131072};
    snprintf(venue->bus_path, sizeof venue->bus_path, "/dev/shm/touchline-open-%d.bus", getpid());
    snprintf(venue->journal, sizeof venue->journal, "%s/journal-%d-%d", options->ring_directory,
             getpid(), number);
    check(tl_bus_create(&venue->bus, venue->bus_path, &geometry), "bus");
    tl_runner_config config = {.journal_dir = venue->journal,
                               .bus = venue->bus,
                               .capacities = load->flow->capacities,
                               .segment_bytes = 64 << 20,
                               .wait = TL_WAIT_SPIN,
                               .cpu = options->runner_cpu};
    tl_runner_recovery recovery;
    tl_journal_fault fault;
    check(tl_runner_open(&venue->runner, &config, &recovery, &fault), fault.text);
    check(tl_lane_open(&venue->lane, venue->bus, LANE, 0), "lane");
    venue->reader = (tl_event_reader){venue->bus, 1};
    check(pthread_create(&venue->thread, NULL, run_runner, venue), "thread");
}

static void venue_close(venue *venue)
{
    tl_runner_stop(venue->runner);
    pthread_join(venue->thread, NULL);
    tl_lane_close(&venue->lane);
    tl_runner_close(venue->runner);
    tl_bus_close(venue->bus);
    unlink(venue->bus_path);
}

static void send(venue *venue, const tl_command *cmds, uint64_t count)
{
    size_t sent = 0;
    check(tl_lane_send(&venue->lane, cmds, (size_t)count, INT64_C(10000000000), &sent), "send");
}

/* Take what has come; each command's first event bears its cl_ord_id and tells the time. */
static uint64_t take(venue *venue, load *load, uint64_t *answered)
{
    static tl_event events[READ_MAX];
    int64_t count = tl_event_reader_read(&venue->reader, events, READ_MAX);
    uint64_t now = cycles_after();
    if (count < 0)
        fail("reader", "lapped");
    for (int64_t i = 0; i < count && *answered < load->count; i++) {
        bool first = events[i].exec_type != TL_EXEC_TYPE_TRADE &&
                     events[i].cl_ord_id == load->flow->commands[*answered].cl_ord_id;
        if (first)
            note(load, (*answered)++, now);
    }
    return (uint64_t)count;
}

/* Before the clock runs: what the flow lists and fills, and all its events read. */
static void warm_up(venue *venue, load *load)
{
    uint64_t none = load->count;
    for (uint64_t i = 0; i < load->flow->setup_count; i++) {
        send(venue, &load->flow->setup[i], 1);
        while (take(venue, load, &none) == 0)
            _mm_pause();
    }
}

static double run_ring(load *load, const options *options, int number)
{
    venue venue;
    venue_open(&venue, load, options, number);
    warm_up(&venue, load);
    realtime_begin();
    uint64_t sent = 0;
    uint64_t answered = 0;
    load->start = __rdtsc() + 10000;
    uint64_t deadline = load->start + (uint64_t)(load->counter.per_ns * 2e9 * BURST_S);
    while (answered < load->count && __rdtsc() < deadline) {
        uint64_t ready = sent;
        while (ready < load->count && ready - sent < READ_MAX && due(load, ready) <= __rdtsc())
            ready++;
        if (ready > sent && ready - answered < 8192) {
            send(&venue, &load->flow->commands[sent], ready - sent);
            sent = ready;
        }
        take(&venue, load, &answered);
    }
    double seconds = (double)(__rdtsc() - load->start) / load->counter.per_ns / 1e9;
    realtime_end();
    venue_close(&venue);
    if (answered < sent)
        fail("ring", "commands were not answered");
    load->count = answered;
    return seconds;
}

/* ── rates ───────────────────────────────────────────────────────────────────────────────────── */

static void run_rate(load *load, const options *options, double rate, int number)
{
    memset(load->latency, 0, sizeof *load->latency);
    uint64_t most = (uint64_t)(rate * BURST_S);
    load->count = load->flow->count < most ? load->flow->count : most;
    load->cycles_between = load->counter.per_ns * 1e9 / rate;
    double seconds = options->ring_directory != NULL ? run_ring(load, options, number)
                                                     : run_engine(load);
    /* As long a pause as the longest burst: no second may hold more real-time work than allowed. */
    nanosleep(&(struct timespec){0, (long)(BURST_S * 1e9)}, NULL);
    printf("%s{\"rate\": %.0f, \"done_per_s\": %.0f, \"latency\": ", number == 0 ? "" : ",\n ",
           rate, (double)load->count / seconds);
    print_histogram(load->latency, load->counter.per_ns);
    printf("}");
}

static options parse(int argc, char **argv)
{
    static const struct option names[] = {{"ring", required_argument, NULL, 'r'},
                                          {"engine", no_argument, NULL, 'e'},
                                          {"cpu", required_argument, NULL, 'c'},
                                          {"runner-cpu", required_argument, NULL, 'u'},
                                          {NULL, 0, NULL, 0}};
    options options = {.cpu = -1, .runner_cpu = -1};
    int name;
    while ((name = getopt_long(argc, argv, "r:ec:u:", names, NULL)) != -1) {
        if (name == 'r')
            options.ring_directory = optarg;
        else if (name == 'c')
            options.cpu = atoi(optarg);
        else if (name == 'u')
            options.runner_cpu = atoi(optarg);
        else if (name != 'e')
            exit(2);
    }
    if (argc - optind < 2) {
        fprintf(stderr, "usage: bench_open [--ring DIRECTORY] [--cpu N] [--runner-cpu N] FLOW "
                        "RATE...\n");
        exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    options options = parse(argc, argv);
    if (options.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET((size_t)options.cpu, &cpus);
        if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
            fail("--cpu", strerror(errno));
    }
    flow flow = flow_read(argv[optind]);
    load load = {.flow = &flow,
                 .counter = cycle_counter_calibrate(),
                 .latency = allocate(sizeof(histogram))};
    printf("[");
    for (int i = optind + 1; i < argc; i++)
        run_rate(&load, &options, atof(argv[i]), i - optind - 1);
    printf("]\n");
    free(load.latency);
    flow_free(&flow);
    return 0;
}

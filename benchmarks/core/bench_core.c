/* What one command costs: nanoseconds by the flow, percentiles of single commands, instructions.
 *
 *   flow file ─► commands in memory ─► tl_engine_step, one by one ─► event ring (never drained)
 *                                            │ after each stretch, outside the clock:
 *                                            └─► every event folded into a sum, compared at the end
 *
 * `bench_core FILE...` prints JSON and exits 1 unless each pass produced exactly the events and the
 * state that the file's trailer names. `--instructions` does one pass without clocks in which
 * callgrind counts the functions measured_new, measured_cancel and measured_replace. One thread.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>
#include <x86intrin.h>

#include "flow_file.h"

#define STRETCH 32768u /* commands between two looks at the events */
#define PASSES_MAX 1000

enum { KIND_NEW, KIND_CANCEL, KIND_REPLACE, KINDS };
static const char *const kind_names[KINDS + 1] = {"new_order", "cancel", "replace", "all"};

typedef struct options {
    int passes;
    int cpu;
    uint64_t ring_slots;
    bool instructions;
} options;

typedef struct bench {
    const flow *flow;
    tl_engine *engine;
    tl_event_sink sink;
    uint32_t *cycles[KINDS + 1]; /* of single commands, by kind and all */
    size_t count[KINDS + 1];
    uint64_t overhead;     /* cycles between two reads of the counter with nothing between */
    double cycles_per_ns;
} bench;

/* Nanoseconds a command. `cpu` leaves out what other processes took; alone they are the same. */
typedef struct taken {
    double cpu, wall;
} taken;

typedef struct percentiles {
    double p50, p99, p999, max;
} percentiles;

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t cycles_before(void)
{
    _mm_lfence();
    uint64_t cycles = __rdtsc();
    _mm_lfence();
    return cycles;
}

static inline uint64_t cycles_after(void)
{
    unsigned core;
    uint64_t cycles = __rdtscp(&core);
    _mm_lfence();
    return cycles;
}

static int kind_of(const tl_command *cmd)
{
    if (cmd->type == TL_MSG_TYPE_CANCEL)
        return KIND_CANCEL;
    return cmd->type == TL_MSG_TYPE_REPLACE ? KIND_REPLACE : KIND_NEW;
}

/* ── one pass: open, set up, run, compare, close ─────────────────────────────────────────────── */

static void begin(bench *bench)
{
    int error = tl_engine_open(&bench->engine, &bench->flow->limits);
    if (error != 0)
        fail("engine", strerror(-error));
    bench->sink.next = 0;
    for (uint64_t i = 0; i < bench->flow->setup_count; i++)
        tl_engine_step(bench->engine, &bench->flow->setup[i], &bench->sink);
}

/* The sum over events [first, sink.next), all of which the ring still holds. */
static uint64_t fold_since(const bench *bench, uint64_t first)
{
    uint64_t sum = 0;
    if (bench->sink.next - first > bench->sink.mask + 1)
        fail(bench->flow->path, "the ring is too small for a stretch of commands");
    for (uint64_t i = first; i < bench->sink.next; i++)
        sum += event_fold(&bench->sink.slots[i & bench->sink.mask]);
    return sum;
}

static void end(bench *bench, uint64_t event_hash)
{
    const flow *flow = bench->flow;
    if (bench->sink.next != flow->events || tl_engine_event_seq(bench->engine) != flow->events)
        fail(flow->path, "the number of events is not the one expected");
    if (event_hash != flow->event_hash)
        fail(flow->path, "the events are not the ones expected");
    if (tl_engine_hash(bench->engine) != flow->state_hash)
        fail(flow->path, "the state at the end is not the one expected");
    tl_engine_close(bench->engine);
    bench->engine = NULL;
}

typedef void stretch_function(bench *bench, const tl_command *cmds, uint64_t count);

__attribute__((noinline)) static void run_single(bench *bench, const tl_command *cmds,
                                                 uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        tl_engine_step(bench->engine, &cmds[i], &bench->sink);
}

__attribute__((noinline)) static void run_batches(bench *bench, const tl_command *cmds,
                                                  uint64_t count)
{
    for (uint64_t i = 0; i < count; i += 256) {
        size_t size = count - i < 256 ? (size_t)(count - i) : 256;
        size_t done = 0;
        while (done < size)
            done += tl_engine_step_batch(bench->engine, &cmds[i + done], size - done, &bench->sink,
                                         UINT64_MAX / 2);
    }
}

static void run_clocked(bench *bench, const tl_command *cmds, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = cycles_before();
        tl_engine_step(bench->engine, &cmds[i], &bench->sink);
        uint64_t taken = cycles_after() - start;
        taken = taken > bench->overhead ? taken - bench->overhead : 0;
        int kind = kind_of(&cmds[i]);
        uint32_t cycles = taken > UINT32_MAX ? UINT32_MAX : (uint32_t)taken;
        bench->cycles[kind][bench->count[kind]++] = cycles;
        bench->cycles[KINDS][bench->count[KINDS]++] = cycles;
    }
}

/* Run the whole flow by `run`, the checks outside the clock. */
static taken pass(bench *bench, stretch_function *run)
{
    const flow *flow = bench->flow;
    uint64_t cpu = 0;
    uint64_t wall = 0;
    begin(bench);
    uint64_t event_hash = fold_since(bench, 0);
    for (uint64_t i = 0; i < flow->count; i += STRETCH) {
        uint64_t count = flow->count - i < STRETCH ? flow->count - i : STRETCH;
        uint64_t first = bench->sink.next;
        uint64_t wall_start = now_ns(CLOCK_MONOTONIC);
        uint64_t cpu_start = now_ns(CLOCK_THREAD_CPUTIME_ID);
        run(bench, &flow->commands[i], count);
        cpu += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
        wall += now_ns(CLOCK_MONOTONIC) - wall_start;
        event_hash += fold_since(bench, first);
    }
    end(bench, event_hash);
    return (taken){(double)cpu / (double)flow->count, (double)wall / (double)flow->count};
}

/* ── instructions ────────────────────────────────────────────────────────────────────────────── */

#define MEASURED(name)                                                                             \
    __attribute__((noipa)) static void name(tl_engine *engine, const tl_command *cmd,              \
                                            tl_event_sink *sink)                                   \
    {                                                                                              \
        tl_engine_step(engine, cmd, sink);                                                         \
    }
MEASURED(measured_new)
MEASURED(measured_cancel)
MEASURED(measured_replace)

static void run_measured(bench *bench, const tl_command *cmds, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        int kind = kind_of(&cmds[i]);
        bench->count[kind]++;
        if (kind == KIND_NEW)
            measured_new(bench->engine, &cmds[i], &bench->sink);
        else if (kind == KIND_CANCEL)
            measured_cancel(bench->engine, &cmds[i], &bench->sink);
        else
            measured_replace(bench->engine, &cmds[i], &bench->sink);
    }
}

/* ── figures ─────────────────────────────────────────────────────────────────────────────────── */

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static int compare_cycles(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static percentiles percentiles_of(const bench *bench, int kind)
{
    uint32_t *cycles = bench->cycles[kind];
    size_t count = bench->count[kind];
    if (count == 0)
        return (percentiles){0, 0, 0, 0};
    qsort(cycles, count, sizeof *cycles, compare_cycles);
    double scale = bench->cycles_per_ns;
    return (percentiles){cycles[count / 2] / scale, cycles[count * 99 / 100] / scale,
                         cycles[count * 999 / 1000] / scale, cycles[count - 1] / scale};
}

static void calibrate(bench *bench)
{
    double overheads[1001];
    for (int i = 0; i < 1001; i++) {
        uint64_t start = cycles_before();
        overheads[i] = (double)(cycles_after() - start);
    }
    bench->overhead = (uint64_t)median(overheads, 1001);
    uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
    uint64_t start = __rdtsc();
    while (now_ns(CLOCK_MONOTONIC) - start_ns < 50000000)
        ;
    uint64_t cycles = __rdtsc() - start;
    bench->cycles_per_ns = (double)cycles / (double)(now_ns(CLOCK_MONOTONIC) - start_ns);
}

static void print_percentiles(const bench *bench, int kind)
{
    percentiles p = percentiles_of(bench, kind);
    printf("%s\"%s\": {\"count\": %zu, \"p50_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, "
           "\"max_ns\": %.0f}",
           kind == 0 ? "" : ", ", kind_names[kind], bench->count[kind], p.p50, p.p99, p.p999,
           p.max);
}

/* Best and median over the passes of one way to run the flow, in both clocks. */
static void print_way(bench *bench, const char *name, stretch_function *run, int passes)
{
    double cpu[PASSES_MAX];
    double wall[PASSES_MAX];
    for (int i = 0; i < passes; i++) {
        taken taken = pass(bench, run);
        cpu[i] = taken.cpu;
        wall[i] = taken.wall;
    }
    double cpu_median = median(cpu, passes);
    double wall_median = median(wall, passes);
    printf("\"%s\": {\"best_ns\": %.2f, \"median_ns\": %.2f, \"wall_best_ns\": %.2f, "
           "\"wall_median_ns\": %.2f}, ",
           name, cpu[0], cpu_median, wall[0], wall_median);
}

static void print_times(bench *bench, const options *options)
{
    calibrate(bench);
    printf("\"passes\": %d, ", options->passes);
    print_way(bench, "one_by_one", run_single, options->passes);
    print_way(bench, "batches_of_256", run_batches, options->passes);
    pass(bench, run_clocked);
    printf("\"single\": {");
    for (int kind = 0; kind <= KINDS; kind++)
        print_percentiles(bench, kind);
    printf("}");
}

static void bench_file(const char *path, const options *options)
{
    flow flow = flow_read(path);
    bench bench = {.flow = &flow, .sink = {.mask = options->ring_slots - 1}};
    bench.sink.slots = allocate(options->ring_slots * sizeof(tl_event));
    for (int kind = 0; kind <= KINDS; kind++)
        bench.cycles[kind] = allocate(flow.count * sizeof(uint32_t));
    printf("{\"file\": \"%s\", \"commands\": %" PRIu64 ", \"events\": %" PRIu64 ", ", path,
           flow.count, flow.events);
    if (options->instructions) {
        pass(&bench, run_measured);
        printf("\"new_order\": %zu, \"cancel\": %zu, \"replace\": %zu", bench.count[KIND_NEW],
               bench.count[KIND_CANCEL], bench.count[KIND_REPLACE]);
    } else {
        print_times(&bench, options);
    }
    printf(", \"verified\": true}");
    for (int kind = 0; kind <= KINDS; kind++)
        free(bench.cycles[kind]);
    free(bench.sink.slots);
    flow_free(&flow);
}

static options parse(int argc, char **argv)
{
    static const struct option names[] = {{"passes", required_argument, NULL, 'n'},
                                          {"cpu", required_argument, NULL, 'c'},
                                          {"ring-slots", required_argument, NULL, 'r'},
                                          {"instructions", no_argument, NULL, 'i'},
                                          {NULL, 0, NULL, 0}};
    options options = {.passes = 5, .cpu = -1, .ring_slots = 131072};
    int name;
    while ((name = getopt_long(argc, argv, "n:c:r:i", names, NULL)) != -1) {
        if (name == 'n')
            options.passes = atoi(optarg);
        else if (name == 'c')
            options.cpu = atoi(optarg);
        else if (name == 'r')
            options.ring_slots = strtoull(optarg, NULL, 10);
        else if (name == 'i')
            options.instructions = true;
        else
            exit(2);
    }
    bool slots_fit = options.ring_slots >= 2 * STRETCH && options.ring_slots <= 1u << 26 &&
                     (options.ring_slots & (options.ring_slots - 1)) == 0;
    if (options.passes < 1 || options.passes > PASSES_MAX || !slots_fit || optind == argc) {
        fprintf(stderr, "usage: bench_core [--passes 1..%d] [--cpu N] [--ring-slots 65536..2^26] "
                        "[--instructions] FLOW...\n", PASSES_MAX);
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
    printf("[");
    for (int i = optind; i < argc; i++) {
        if (i > optind)
            printf(",\n ");
        bench_file(argv[i], &options);
    }
    printf("]\n");
    return 0;
}

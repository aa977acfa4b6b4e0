/* What one command costs: nanoseconds by the flow, percentiles of single commands, instructions.
 *
 *   flow file ─► commands in memory ─► tl_engine_step, one by one ─► event ring
 *            │                               │ after each stretch, outside the clock:
 *            │                               └─► every event into a sum, compared at the end
 *            ├─► skeleton_step, the floor, turn by turn with the engine ─► the same ring
 *            └─► tl_engine_step, while a thread on another processor drains every event
 *
 * `bench_core FILE...` prints JSON and exits 1 unless each pass produced exactly the events and the
 * state that the file's trailer names. `--instructions` does one pass without clocks in which
 * callgrind counts the functions measured_new, measured_cancel and measured_replace.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <inttypes.h>

#include "bench.h"
#include "figures.h"

typedef struct options {
    int passes;
    int clocked; /* passes with each command on the clock */
    int cpu;
    int reader_cpu; /* -1: no drained passes */
    uint64_t ring_slots;
    bool instructions;
    bool batches;
} options;

/* `"batch_sizes": [[commands, ns], ...], `: the best of the passes by size of a batch. */
static void print_batches(bench *bench, int passes)
{
    printf("\"batch_sizes\": [");
    for (bench->batch = 1; bench->batch <= 1024; bench->batch *= 4) {
        double best = 1e9;
        for (int i = 0; i < passes; i++) {
            taken taken = pass(bench, run_batches);
            best = taken.cpu < best ? taken.cpu : best;
        }
        printf("%s[%zu, %.2f]", bench->batch == 1 ? "" : ", ", bench->batch, best);
    }
    printf("], ");
}

/* Every way turn by turn, so that what the machine does meanwhile falls on all alike. */
static void print_times(bench *bench, const options *options)
{
    static series alone, batches, floor;
    alone.count = batches.count = floor.count = 0;
    bench->batch = 256;
    bool has_floor = floor_prepare(bench);
    for (int i = 0; i < options->passes; i++) {
        series_add(&alone, pass(bench, run_single));
        if (has_floor)
            series_add(&floor, floor_pass(bench));
        series_add(&batches, pass(bench, run_batches));
    }
    printf("\"passes\": %d, ", options->passes);
    print_series("one_by_one", &alone);
    print_series("batches_of_256", &batches);
    if (has_floor) {
        print_series("skeleton", &floor);
        printf("\"skeleton_ratio\": %.2f, ", alone.cpu[0] / floor.cpu[0]);
    }
    if (options->reader_cpu >= 0)
        drain_print(bench, options->passes, alone.wall[0]);
    if (options->batches)
        print_batches(bench, options->passes);
    clocked_print(bench, options->clocked);
}

static void bench_file(const char *path, const options *options, cycle_counter counter)
{
    flow flow = flow_read(path);
    bench bench = {.counter = counter, .reader_cpu = options->reader_cpu};
    bench_open(&bench, &flow, options->ring_slots);
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
    bench_close(&bench);
    flow_free(&flow);
}

static options parse(int argc, char **argv)
{
    static const struct option names[] = {{"passes", required_argument, NULL, 'n'},
                                          {"clocked", required_argument, NULL, 'k'},
                                          {"cpu", required_argument, NULL, 'c'},
                                          {"ring-slots", required_argument, NULL, 'r'},
                                          {"instructions", no_argument, NULL, 'i'},
                                          {"batches", no_argument, NULL, 'b'},
                                          {"drained", required_argument, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    options options = {
        .passes = 5, .clocked = 5, .cpu = -1, .reader_cpu = -1, .ring_slots = 131072};
    int name;
    while ((name = getopt_long(argc, argv, "n:k:c:r:ibd:", names, NULL)) != -1) {
        if (name == 'n')
            options.passes = atoi(optarg);
        else if (name == 'k')
            options.clocked = atoi(optarg);
        else if (name == 'c')
            options.cpu = atoi(optarg);
        else if (name == 'r')
            options.ring_slots = strtoull(optarg, NULL, 10);
        else if (name == 'i')
            options.instructions = true;
        else if (name == 'b')
            options.batches = true;
        else if (name == 'd')
            options.reader_cpu = atoi(optarg);
        else
            exit(2);
    }
    bool slots_fit = options.ring_slots >= 2 * STRETCH && options.ring_slots <= 1u << 26 &&
                     (options.ring_slots & (options.ring_slots - 1)) == 0;
    bool passes_fit = options.passes >= 1 && options.passes <= PASSES_MAX &&
                      options.clocked >= 1 && options.clocked <= CLOCKED_MAX;
    if (!passes_fit || !slots_fit || optind == argc) {
        fprintf(stderr, "usage: bench_core [--passes 1..%d] [--clocked 1..%d] [--cpu N] "
                        "[--ring-slots 65536..2^26] [--instructions] [--batches] [--drained CPU] "
                        "FLOW...\n", PASSES_MAX, CLOCKED_MAX);
        exit(2);
    }
    return options;
}

int main(int argc, char **argv)
{
    options options = parse(argc, argv);
    stay_on(options.cpu);
    cycle_counter counter = {1, 0};
    if (!options.instructions)
        counter = cycle_counter_calibrate();
    printf("[");
    for (int i = optind; i < argc; i++) {
        if (i > optind)
            printf(",\n ");
        bench_file(argv[i], &options, counter);
    }
    printf("]\n");
    return 0;
}

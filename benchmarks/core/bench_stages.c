/* Where a command's time goes: the core compiled again with the marks of stage.h.
 *
 *   flow file ─► tl_engine_step ─► marks ─► cycles of each stage, less what the marks took
 *                                           └─► a histogram by kind of command and stage
 *
 * `bench_stages FILE...` prints JSON; like bench_core it exits 1 unless each pass produced exactly
 * the events and the state that the file names. Of the passes it keeps, for each kind of command,
 * the one that took least. What is measured is a copy with marks, not what ships: a mark waits for
 * all that came before it and holds up what comes after, and so no two stages overlap.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <inttypes.h>
#include <math.h>

#include "figures.h"
#include "touchline/core/stage.h"

#define WHOLE TL_STAGE_COUNT /* all stages of a command together */
#define LOOKS 1001
#define MARKS 1000
#define STEP_RANGE 1024 /* differences looked at, cycles */
#define SEEN_MIN 100    /* a difference seen less often is an interruption's */

tl_stage_clock tl_stages;

static const char *const stage_names[] = {"decode", "risk", "match", "publish", "whole"};

/* One kind of command in one pass. */
typedef struct stage_times {
    histogram *times[TL_STAGE_COUNT + 1]; /* cycles of the commands that came to the stage */
    double sum[TL_STAGE_COUNT + 1];       /* without rounding up what is below 0 */
} stage_times;

static stage_times pass_times[KINDS], best_times[KINDS];
static double mark_cycles;  /* of one mark with nothing before it */
static double clock_step;   /* cycles between two values that the counter can show */

/* ── the clock ───────────────────────────────────────────────────────────────────────────────── */

static void measure_mark(void)
{
    static double means[LOOKS];
    for (int look = 0; look < LOOKS; look++) {
        uint64_t first = tl_stages.last = tl_stage_now();
        for (int i = 0; i < MARKS; i++)
            tl_stage_mark(TL_STAGE_DECODE);
        means[look] = (double)(tl_stages.last - first) / MARKS;
    }
    mark_cycles = median(means, LOOKS);
}

/* How far apart the values are that the counter can show. The time between two reads is made to
 * differ by a few cycles; where every difference comes up the step is a cycle, where they come in
 * clusters it is the distance between these. The time that a read takes says nothing about it. */
static void measure_step(void)
{
    static uint32_t seen[STEP_RANGE];
    uint32_t values = 0, clusters = 0, last = 0, first = STEP_RANGE;
    for (int i = 0; i < LOOKS * MARKS; i++) {
        uint64_t before = tl_stage_now();
        for (int spin = 0; spin < i % 61; spin++)
            __asm__ volatile("");
        uint64_t taken = tl_stage_now() - before;
        if (taken < STEP_RANGE)
            seen[taken]++;
    }
    for (uint32_t value = 0; value < STEP_RANGE; value++) {
        if (seen[value] < SEEN_MIN)
            continue;
        first = first == STEP_RANGE ? value : first;
        clusters += clusters == 0 || value > last + 1;
        last = value;
        values++;
    }
    bool each = values < 2 || 2 * values > last - first;
    clock_step = each || clusters < 2 ? 1 : (double)(last - first) / (clusters - 1);
}

/* ── passes ──────────────────────────────────────────────────────────────────────────────────── */

static void note(stage_times *to, int stage, uint64_t taken, unsigned marks)
{
    double cycles = (double)taken - marks * mark_cycles;
    to->sum[stage] += cycles;
    histogram_record(to->times[stage], cycles > 0 ? (uint64_t)lround(cycles) : 0);
}

static void run_marked(bench *bench, const tl_command *cmds, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        tl_stages = (tl_stage_clock){.stage = TL_STAGE_DECODE};
        tl_stages.last = tl_stage_now();
        tl_engine_step(bench->engine, &cmds[i], &bench->sink);
        tl_stage_mark(TL_STAGE_DECODE);
        stage_times *to = &pass_times[kind_of(&cmds[i])];
        uint64_t taken = 0;
        unsigned marks = 0;
        for (int stage = 0; stage < TL_STAGE_COUNT; stage++) {
            if (tl_stages.marks[stage] == 0)
                continue;
            note(to, stage, tl_stages.taken[stage], tl_stages.marks[stage]);
            taken += tl_stages.taken[stage];
            marks += tl_stages.marks[stage];
        }
        note(to, WHOLE, taken, marks);
    }
}

static void each_histogram(void (*function)(histogram **))
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int stage = 0; stage <= WHOLE; stage++) {
            function(&pass_times[kind].times[stage]);
            function(&best_times[kind].times[stage]);
        }
}

static void histogram_make(histogram **one)
{
    *one = allocate(sizeof **one);
}

static void histogram_drop(histogram **one)
{
    free(*one);
}

/* One pass; of each kind what took less than before is kept. */
static void marked_pass(bench *bench, bool first)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int stage = 0; stage <= WHOLE; stage++) {
            pass_times[kind].sum[stage] = 0;
            memset(pass_times[kind].times[stage], 0, sizeof(histogram));
        }
    pass(bench, run_marked);
    for (int kind = 0; kind < KINDS; kind++)
        if (first || pass_times[kind].sum[WHOLE] < best_times[kind].sum[WHOLE]) {
            stage_times kept = pass_times[kind];
            pass_times[kind] = best_times[kind];
            best_times[kind] = kept;
        }
}

/* ── figures ─────────────────────────────────────────────────────────────────────────────────── */

/* `mean_ns` is over all commands of the kind, so that those of the stages add up to the whole's. */
static void print_kind(const bench *bench, int kind)
{
    const stage_times *times = &best_times[kind];
    double count = (double)times->times[WHOLE]->count;
    printf("%s\"%s\": {", kind == 0 ? "" : ", ", kind_names[kind]);
    for (int stage = 0; stage <= WHOLE; stage++) {
        printf("%s\"%s\": {\"mean_ns\": %.2f, ", stage == 0 ? "" : ", ", stage_names[stage],
               count > 0 ? times->sum[stage] / count / bench->counter.per_ns : 0);
        print_percentiles(times->times[stage], bench->counter.per_ns);
        printf("}");
    }
    printf("}");
}

static void bench_file(const char *path, int passes, cycle_counter counter)
{
    static series marked;
    flow flow = flow_read(path);
    bench bench = {.counter = counter};
    bench_open(&bench, &flow, 131072);
    each_histogram(histogram_make);
    marked.count = 0;
    for (int i = 0; i < passes; i++) {
        series_add(&marked, pass(&bench, run_single));
        marked_pass(&bench, i == 0);
    }
    printf("{\"file\": \"%s\", \"commands\": %" PRIu64 ", \"passes\": %d, ", path, flow.count,
           passes);
    printf("\"clock_step_ns\": %.2f, \"mark_ns\": %.2f, ", clock_step / counter.per_ns,
           mark_cycles / counter.per_ns);
    print_series("one_by_one", &marked);
    printf("\"time\": {");
    for (int kind = 0; kind < KIND_OTHER; kind++)
        print_kind(&bench, kind);
    printf("}, \"verified\": true}");
    each_histogram(histogram_drop);
    bench_close(&bench);
    flow_free(&flow);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"passes", required_argument, NULL, 'n'},
                                          {"cpu", required_argument, NULL, 'c'},
                                          {NULL, 0, NULL, 0}};
    int passes = 5;
    int cpu = -1;
    int name;
    while ((name = getopt_long(argc, argv, "n:c:", names, NULL)) != -1) {
        if (name == 'n')
            passes = atoi(optarg);
        else if (name == 'c')
            cpu = atoi(optarg);
        else
            exit(2);
    }
    if (passes < 1 || passes > PASSES_MAX || optind == argc) {
        fprintf(stderr, "usage: bench_stages [--passes 1..%d] [--cpu N] FLOW...\n", PASSES_MAX);
        exit(2);
    }
    stay_on(cpu);
    cycle_counter counter = cycle_counter_calibrate();
    measure_mark();
    measure_step();
    printf("[");
    for (int i = optind; i < argc; i++) {
        if (i > optind)
            printf(",\n ");
        bench_file(argv[i], passes, counter);
    }
    printf("]\n");
    return 0;
}

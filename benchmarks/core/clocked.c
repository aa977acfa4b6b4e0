/* Each command on the clock, in pass after pass over the same flow.
 *
 *   pass 1   30 20 20 9000 20 1400 ...   cycles of each command     ─► histogram: `single`
 *   pass 2   20 20 30   20 20 1400 ...
 *   least    20 20 20   20 20 1400 ...   of all passes, by command  ─► histogram: `every_pass`
 *
 * A pass opens a new engine, so a command does the same work in each of them. What the engine
 * causes comes at the same command in every pass and stays; what the machine causes comes anywhere
 * and goes. As often as there are commands the clock is read with nothing between, and treated
 * alike. The passes look at their events after different commands, because that costs the next ones
 * their caches.
 */
#include "figures.h"

#include <inttypes.h>

#define SLOW_NS 1000
#define LONGEST 8

/* Cycles of every command, or of as many reads of the clock alone. */
typedef struct times {
    uint32_t *now;              /* in this pass */
    uint32_t *least;            /* of the passes so far */
    uint64_t slow[CLOCKED_MAX]; /* of each pass, how many were over SLOW_NS */
    uint64_t slow_in_all;       /* commands that were so in each of them */
} times;

/* A command that is slow in every pass. */
typedef struct slow_command {
    uint64_t at;     /* number in the flow, from 0 */
    uint64_t after;  /* commands since the slow one before it, or since the first */
    uint64_t events; /* that it wrote */
} slow_command;

struct clocked {
    times commands, nothing;
    slow_command longest[LONGEST]; /* in the order of the flow */
    int longest_count;
};

/* ── passes ──────────────────────────────────────────────────────────────────────────────────── */

static inline uint32_t since(const bench *bench, uint64_t start)
{
    uint64_t taken = cycles_after() - start;
    uint64_t net = taken > bench->counter.overhead ? taken - bench->counter.overhead : 0;
    return net < UINT32_MAX ? (uint32_t)net : UINT32_MAX;
}

static void run_clocked(bench *bench, const tl_command *cmds, uint64_t count)
{
    uint32_t *now = &bench->clocked->commands.now[cmds - bench->flow->commands];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = cycles_before();
        tl_engine_step(bench->engine, &cmds[i], &bench->sink);
        now[i] = since(bench, start);
    }
    now = &bench->clocked->nothing.now[cmds - bench->flow->commands];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = cycles_before();
        now[i] = since(bench, start);
    }
}

/* Without a clock: what the longest commands wrote. */
static void run_counted(bench *bench, const tl_command *cmds, uint64_t count)
{
    uint64_t first = (uint64_t)(cmds - bench->flow->commands);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t before = bench->sink.next;
        tl_engine_step(bench->engine, &cmds[i], &bench->sink);
        for (int k = 0; k < bench->clocked->longest_count; k++)
            if (bench->clocked->longest[k].at == first + i)
                bench->clocked->longest[k].events = bench->sink.next - before;
    }
}

static void fold(const bench *bench, times *times, int pass)
{
    double slow = SLOW_NS * bench->counter.per_ns;
    times->slow[pass] = times->slow_in_all = 0;
    for (uint64_t i = 0; i < bench->flow->count; i++) {
        times->least[i] = times->now[i] < times->least[i] ? times->now[i] : times->least[i];
        times->slow[pass] += times->now[i] > slow;
        times->slow_in_all += times->least[i] > slow;
    }
}

/* ── the commands that are slow in every pass ────────────────────────────────────────────────── */

/* Puts one more behind the others, and drops the shortest when there are too many. */
static void longest_add(struct clocked *clocked, slow_command one)
{
    const uint32_t *least = clocked->commands.least;
    int shortest = 0;
    if (clocked->longest_count < LONGEST) {
        clocked->longest[clocked->longest_count++] = one;
        return;
    }
    for (int k = 1; k < LONGEST; k++)
        if (least[clocked->longest[k].at] < least[clocked->longest[shortest].at])
            shortest = k;
    if (least[one.at] <= least[clocked->longest[shortest].at])
        return;
    memmove(&clocked->longest[shortest], &clocked->longest[shortest + 1],
            (size_t)(LONGEST - 1 - shortest) * sizeof one);
    clocked->longest[LONGEST - 1] = one;
}

static void find_longest(bench *bench)
{
    double slow = SLOW_NS * bench->counter.per_ns;
    uint64_t before = 0;
    for (uint64_t i = 0; i < bench->flow->count; i++)
        if (bench->clocked->commands.least[i] > slow) {
            longest_add(bench->clocked, (slow_command){i, i - before, 0});
            before = i;
        }
    if (bench->clocked->longest_count > 0)
        pass(bench, run_counted);
}

/* ── figures ─────────────────────────────────────────────────────────────────────────────────── */

/* `"single": {...}, "nothing": {...}`: histograms by kind, and of the clock alone. */
static void print_kinds(const bench *bench, const uint32_t *commands, const uint32_t *nothing)
{
    static histogram kinds[KINDS + 1], clock;
    memset(kinds, 0, sizeof kinds);
    memset(&clock, 0, sizeof clock);
    for (uint64_t i = 0; i < bench->flow->count; i++) {
        histogram_record(&kinds[kind_of(&bench->flow->commands[i])], commands[i]);
        histogram_record(&kinds[KINDS], commands[i]);
        histogram_record(&clock, nothing[i]);
    }
    printf("\"single\": {");
    for (int kind = 0; kind <= KINDS; kind++) {
        printf("%s\"%s\": ", kind == 0 ? "" : ", ", kind_names[kind]);
        print_histogram(&kinds[kind], bench->counter.per_ns);
    }
    printf("}, \"nothing\": ");
    print_histogram(&clock, bench->counter.per_ns);
}

static void print_slow(const char *name, const times *times, int passes)
{
    printf("\"%s\": {\"by_pass\": [", name);
    for (int i = 0; i < passes; i++)
        printf("%s%" PRIu64, i == 0 ? "" : ", ", times->slow[i]);
    printf("], \"every_pass\": %" PRIu64 "}", times->slow_in_all);
}

static void print_longest(const bench *bench)
{
    const struct clocked *clocked = bench->clocked;
    printf("\"longest\": [");
    for (int k = 0; k < clocked->longest_count; k++) {
        const slow_command *one = &clocked->longest[k];
        printf("%s{\"command\": %" PRIu64 ", \"after\": %" PRIu64 ", \"kind\": \"%s\", "
               "\"ns\": %.0f, \"events\": %" PRIu64 "}",
               k == 0 ? "" : ", ", one->at, one->after,
               kind_names[kind_of(&bench->flow->commands[one->at])],
               clocked->commands.least[one->at] / bench->counter.per_ns, one->events);
    }
    printf("]");
}

static void times_open(times *times, uint64_t count)
{
    times->now = allocate(count * sizeof *times->now);
    times->least = allocate(count * sizeof *times->least);
    memset(times->least, 0xff, count * sizeof *times->least);
}

static void times_close(times *times)
{
    free(times->now);
    free(times->least);
}

void clocked_print(bench *bench, int passes)
{
    struct clocked clocked = {.longest_count = 0};
    bench->clocked = &clocked;
    times_open(&clocked.commands, bench->flow->count);
    times_open(&clocked.nothing, bench->flow->count);
    for (int i = 0; i < passes; i++) {
        bench->first_stretch = STRETCH - STRETCH / (uint32_t)passes * (uint32_t)i;
        pass(bench, run_clocked);
        fold(bench, &clocked.commands, i);
        fold(bench, &clocked.nothing, i);
        if (i == 0) {
            print_kinds(bench, clocked.commands.now, clocked.nothing.now);
            printf(", ");
        }
    }
    bench->first_stretch = STRETCH;
    find_longest(bench);
    printf("\"every_pass\": {\"passes\": %d, ", passes);
    print_kinds(bench, clocked.commands.least, clocked.nothing.least);
    printf(", \"over_1us\": {");
    print_slow("commands", &clocked.commands, passes);
    printf(", ");
    print_slow("nothing", &clocked.nothing, passes);
    printf("}, ");
    print_longest(bench);
    printf("}");
    times_close(&clocked.commands);
    times_close(&clocked.nothing);
    bench->clocked = NULL;
}

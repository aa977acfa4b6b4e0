/* What it costs to speak of orders by their clients' ids, beside the step itself, in one run.
 *
 *   alone      commands with OrderIDs ─► tl_engine_step
 *   with ids   id of the order meant ─► table: find ─► tl_engine_step ─► events ─► table: follow
 *
 * `bench_client_orders [--passes N] [--cpu N] FLOW...` prints JSON. Both ways take turns over the
 * same flow; each pass must make the events and the state the flow file names, and each id that
 * is found must give the OrderID of the file, or the program ends with 1. The ids are asked of
 * memory AHEAD commands before they are looked for, their orders half as many before, as a gateway
 * with a batch at hand can.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <getopt.h>
#include <inttypes.h>

#include "figures.h"
#include "touchline/core/client_orders.h"

#define AHEAD 16u
#define UNKNOWN (UINT64_C(1) << 63) /* of a cancel or replace whose order is gone already */

typedef struct traced {
    bench bench; /* first, so that one is found from the other */
    tl_client_orders table;
    void *memory;
    uint64_t *meant; /* by command: id of the order it means; 0: it means none */
    uint64_t found, wrong;
} traced;

static traced *traced_of(bench *bench)
{
    return (traced *)(void *)bench;
}

static void table_open(traced *traced)
{
    uint32_t most = traced->bench.flow->capacities.orders_max;
    size_t bytes = tl_client_orders_bytes(most);
    if (tl_client_orders_open(&traced->table, traced->memory, bytes, most, 1) != 0)
        fail(traced->bench.flow->path, "the table of ids can not be opened");
}

/* After the setup of a pass, outside the clock: the orders that it left. */
static void begun(bench *bench)
{
    traced *traced = traced_of(bench);
    if (bench->sink.next > bench->sink.mask + 1)
        fail(bench->flow->path, "the ring is too small for the setup's events");
    table_open(traced);
    if (tl_client_orders_follow(&traced->table, &bench->sink, 0) != 0)
        fail(bench->flow->path, "a client's id is there twice");
}

/* Which id each command means: what a client would have sent. */
static void note_ids(traced *traced)
{
    bench *bench = &traced->bench;
    const flow *flow = bench->flow;
    pass_begin(bench);
    for (uint64_t i = 0; i < flow->count; i++) {
        const tl_command *cmd = &flow->commands[i];
        uint64_t first = bench->sink.next;
        if (kind_of(cmd) == KIND_CANCEL || kind_of(cmd) == KIND_REPLACE) {
            traced->meant[i] = tl_client_orders_id(&traced->table, cmd->order_id);
            if (traced->meant[i] == 0)
                traced->meant[i] = UNKNOWN | i;
        }
        tl_engine_step(bench->engine, cmd, &bench->sink);
        tl_client_orders_follow(&traced->table, &bench->sink, first);
    }
    tl_engine_close(bench->engine);
}

__attribute__((noinline)) static void run_with_ids(bench *bench, const tl_command *cmds,
                                                   uint64_t count)
{
    traced *traced = traced_of(bench);
    const uint64_t *meant = &traced->meant[cmds - bench->flow->commands];
    for (uint64_t i = 0; i < count; i++) {
        tl_command cmd = cmds[i];
        if (count - i > AHEAD) {
            uint64_t id = meant[i + AHEAD] != 0 ? meant[i + AHEAD] : cmds[i + AHEAD].cl_ord_id;
            tl_client_orders_ahead(&traced->table, id);
        }
        if (count - i > AHEAD / 2 && meant[i + AHEAD / 2] != 0)
            tl_client_orders_near(&traced->table, meant[i + AHEAD / 2]);
        if (meant[i] != 0) {
            uint64_t order_id = tl_client_orders_find(&traced->table, meant[i]);
            traced->found += order_id != 0;
            traced->wrong += order_id != cmd.order_id && (meant[i] & UNKNOWN) == 0;
            cmd.order_id = order_id != 0 ? order_id : cmd.order_id;
        }
        uint64_t first = bench->sink.next;
        tl_engine_step(bench->engine, &cmd, &bench->sink);
        traced->wrong += tl_client_orders_follow(&traced->table, &bench->sink, first);
    }
}

static void check_table(const traced *traced)
{
    if (traced->wrong != 0 || traced->found == 0 ||
        traced->table.count != traced->bench.orders_left)
        fail(traced->bench.flow->path, "the table of ids is not what the events say");
}

static void bench_file(const char *path, int passes, cycle_counter counter)
{
    static series alone, with_ids;
    flow flow = flow_read(path);
    traced traced = {.bench = {.counter = counter, .begun = begun}};
    uint64_t slots = 131072;
    while (slots < 2 * flow.setup_count)
        slots *= 2;
    bench_open(&traced.bench, &flow, slots);
    traced.memory = allocate(tl_client_orders_bytes(flow.capacities.orders_max));
    traced.meant = allocate(flow.count * sizeof traced.meant[0]);
    note_ids(&traced);
    alone.count = with_ids.count = 0;
    for (int i = 0; i < passes; i++) {
        series_add(&alone, pass(&traced.bench, run_single));
        series_add(&with_ids, pass(&traced.bench, run_with_ids));
        check_table(&traced);
    }
    printf("{\"file\": \"%s\", \"commands\": %" PRIu64 ", \"events\": %" PRIu64 ", ", path,
           flow.count, flow.events);
    printf("\"found\": %" PRIu64 ", ", traced.found / (uint64_t)passes);
    print_series("one_by_one", &alone);
    print_series("with_client_ids", &with_ids);
    printf("\"ratio\": %.2f, \"verified\": true}", with_ids.cpu[0] / alone.cpu[0]);
    bench_close(&traced.bench);
    free(traced.memory);
    free(traced.meant);
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
        fprintf(stderr, "usage: bench_client_orders [--passes 1..%d] [--cpu N] FLOW...\n",
                PASSES_MAX);
        exit(2);
    }
    stay_on(cpu);
    cycle_counter counter = cycle_counter_calibrate();
    for (int i = optind; i < argc; i++) {
        printf("%s", i == optind ? "[" : ",\n ");
        bench_file(argv[i], passes, counter);
    }
    printf("]\n");
    return 0;
}

/* The skeleton over the same flow: its order ids found beforehand, its trades compared after. */
#include "bench.h"


/* ── preparation: which prices, which ids ────────────────────────────────────────────────────── */

/* Instruments, accounts and limits, which the skeleton does not know. */
static bool listing(const tl_command *cmd)
{
    return kind_of(cmd) == KIND_OTHER;
}

static bool plain(const tl_command *cmd)
{
    if (cmd->type != TL_MSG_TYPE_NEW_ORDER)
        return true;
    return cmd->ord_type == TL_ORD_TYPE_LIMIT &&
           (cmd->time_in_force == TL_TIME_IN_FORCE_DAY ||
            cmd->time_in_force == TL_TIME_IN_FORCE_GTC ||
            cmd->time_in_force == TL_TIME_IN_FORCE_IOC);
}

/* A slot of the engine and of the skeleton that hold the same order. */
typedef struct twin {
    uint64_t order_id, skeleton_id;
} twin;

static void widen(price_range *range, int64_t price)
{
    uint32_t at = (uint32_t)price;
    if (at < range->first)
        range->first = at;
    if (at > range->last)
        range->last = at;
}

/* Where each instrument's prices lie, replaces included; false when the flow is not plain. */
static bool find_ranges(bench *bench)
{
    const flow *flow = bench->flow;
    for (uint32_t i = 0; i < flow->capacities.instruments_max; i++)
        bench->ranges[i] = (price_range){UINT32_MAX, 0};
    int error = tl_engine_open(&bench->engine, &flow->capacities);
    if (error != 0)
        fail("engine", strerror(-error));
    bool all = true;
    bench->listed = 0;
    for (uint64_t i = 0; i < flow->setup_count + flow->count && all; i++) {
        const tl_command *cmd = &flow->setup[i];
        uint64_t first = bench->sink.next;
        const tl_event *event = &bench->sink.slots[first & bench->sink.mask];
        tl_engine_step(bench->engine, cmd, &bench->sink);
        if (listing(cmd)) {
            bench->listed += bench->sink.next - first;
            all = i < flow->setup_count;
            continue;
        }
        all = plain(cmd) && event->exec_type != TL_EXEC_TYPE_REJECTED;
        if (all && event->exec_type == TL_EXEC_TYPE_CANCEL_REJECTED)
            all = event->reason == TL_REASON_UNKNOWN_ORDER;
        else if (all && cmd->type != TL_MSG_TYPE_CANCEL)
            widen(&bench->ranges[event->instrument], cmd->price);
    }
    tl_engine_close(bench->engine);
    return all;
}

/* Both side by side, so that a cancel finds the skeleton's id of the order that the engine means;
 * a stale id of the engine's is stale there too. */
static void find_ids(bench *bench)
{
    const flow *flow = bench->flow;
    const tl_engine_capacities *capacities = &flow->capacities;
    twin *twins = allocate(capacities->orders_max * sizeof(twin));
    tl_event_sink reports = {allocate((bench->sink.mask + 1) * sizeof(tl_event)),
                             bench->sink.mask, 0};
    skeleton *matcher = skeleton_open(bench->ranges, capacities->instruments_max,
                                     capacities->orders_max);
    if (tl_engine_open(&bench->engine, capacities) != 0)
        fail("engine", strerror(ENOMEM));
    for (uint64_t i = 0; i < flow->setup_count + flow->count; i++) {
        tl_command *cmd = &bench->mapped[i];
        const tl_event *event = &bench->sink.slots[bench->sink.next & bench->sink.mask];
        const tl_event *report = &reports.slots[reports.next & reports.mask];
        tl_engine_step(bench->engine, cmd, &bench->sink);
        if (listing(cmd))
            continue;
        bool enters = cmd->type == TL_MSG_TYPE_NEW_ORDER;
        uint64_t order_id = enters ? event->order_id : cmd->order_id;
        twin *twin = &twins[(uint32_t)order_id % capacities->orders_max];
        if (!enters)
            cmd->order_id = twin->order_id == order_id ? twin->skeleton_id : 0;
        skeleton_step(matcher, cmd, &reports);
        if (enters)
            *twin = (struct twin){order_id, report->order_id};
    }
    skeleton_close(matcher);
    tl_engine_close(bench->engine);
    free(reports.slots);
    free(twins);
}

bool floor_prepare(bench *bench)
{
    const flow *flow = bench->flow;
    size_t commands = (size_t)(flow->setup_count + flow->count);
    bench->ranges = allocate(flow->capacities.instruments_max * sizeof(price_range));
    if (!find_ranges(bench))
        return false;
    bench->mapped = allocate(commands * sizeof(tl_command));
    memcpy(bench->mapped, flow->setup, commands * sizeof(tl_command));
    find_ids(bench);
    return true;
}

/* ── passes ──────────────────────────────────────────────────────────────────────────────────── */

static void add_trades(bench *bench, trades *trades, uint64_t first)
{
    for (uint64_t i = first; i < bench->sink.next; i++)
        trades_add(trades, &bench->sink.slots[i & bench->sink.mask]);
}

static void floor_begin(bench *bench, trades *trades)
{
    const flow *flow = bench->flow;
    const tl_engine_capacities *capacities = &flow->capacities;
    bench->skeleton = skeleton_open(bench->ranges, capacities->instruments_max,
                                     capacities->orders_max);
    bench->sink.next = bench->listed;
    *trades = (struct trades){0, 0};
    for (uint64_t i = 0; i < flow->setup_count; i++) {
        uint64_t first = bench->sink.next;
        if (listing(&bench->mapped[i]))
            continue;
        skeleton_step(bench->skeleton, &bench->mapped[i], &bench->sink);
        add_trades(bench, trades, first);
    }
}

/* What the skeleton made must be what the engine made in the pass before. */
static void floor_end(bench *bench, const trades *trades)
{
    const char *path = bench->flow->path;
    if (trades->count != bench->trades.count || trades->sum != bench->trades.sum)
        fail(path, "the skeleton's trades are not the engine's");
    if (bench->sink.next != bench->flow->events)
        fail(path, "the skeleton's reports are not as many as the engine's events");
    if (skeleton_orders_open(bench->skeleton) != bench->orders_left)
        fail(path, "the skeleton's open orders are not as many as the engine's");
    skeleton_close(bench->skeleton);
    bench->skeleton = NULL;
}

__attribute__((noinline)) static void run_floor(bench *bench, const tl_command *cmds,
                                                uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        skeleton_step(bench->skeleton, &cmds[i], &bench->sink);
}

taken floor_pass(bench *bench)
{
    const flow *flow = bench->flow;
    taken total = {0, 0};
    trades trades;
    floor_begin(bench, &trades);
    for (uint64_t i = 0; i < flow->count; i += STRETCH) {
        uint64_t count = flow->count - i < STRETCH ? flow->count - i : STRETCH;
        uint64_t first = bench->sink.next;
        taken one = timed(bench, run_floor, &bench->mapped[flow->setup_count + i], count);
        total = (taken){total.cpu + one.cpu, total.wall + one.wall};
        add_trades(bench, &trades, first);
    }
    floor_end(bench, &trades);
    return (taken){total.cpu / (double)flow->count, total.wall / (double)flow->count};
}

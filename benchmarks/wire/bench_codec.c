/* What FIX costs without a socket: an order read, taken by the desk, reported and sent.
 *
 *   bytes ─ find, parse, check ─► message ─ desk ─► command
 *   event ─ desk ─► body of an ExecutionReport ─ session ─► whole message, in the store
 *
 * `bench_codec [ROUNDS]`. NewOrderSingles of FIX 4.4, each with its own ClOrdID, in batches: every
 * stage runs over a batch, and the least time of all rounds counts. What each stage gives is
 * checked. Functions called measured_... are what benchmarks/gate.py counts instructions of. */
#include "touchline/wire/fix_desk.h"
#include "touchline/wire/fix_session.h"
#include "touchline/wire/fix_text.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 200
#define BATCH 256
#define TS_NS INT64_C(1767323045678000000)
#define ORDER_MAX 256
#define BODY_MAX 512
#define MEASURED __attribute__((noinline)) static

typedef enum stage { READ, COMMAND, REPORT, TRADE, SEND, STAGES } stage;
static const char *const names[STAGES] = {"read", "command", "report", "trade", "send"};

typedef struct text {
    char bytes[BODY_MAX];
    size_t size;
} text;

static tl_fix_message message;
static tl_fix_desk *desk;
static tl_fix_store *store;
static tl_fix_session *session;
static const tl_fix_dialect *dialect;
static text orders[BATCH], reports[2 * BATCH];
static tl_command commands[BATCH];
static uint32_t commands_count, reports_count;
static uint64_t number, requests, events;

static void fail(const char *what)
{
    fprintf(stderr, "bench_codec: %s\n", what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ── what the desk asks for ──────────────────────────────────────────────────────────────────── */

static int keep_report(void *context, uint32_t to, const char *msg_type, const char *body,
                       size_t size, uint64_t key)
{
    (void)context, (void)to, (void)key;
    if (*msg_type != '8' || size > BODY_MAX || reports_count == 2 * BATCH)
        fail("the desk sent something else");
    text *report = &reports[reports_count++];
    memcpy(report->bytes, body, size);
    report->size = size;
    return 0;
}

static int keep_command(void *context, const tl_command *both, uint32_t count)
{
    (void)context;
    if (count != 2 || commands_count == BATCH)
        fail("the desk submitted something else");
    commands[commands_count++] = both[1];
    return 0;
}

static uint32_t no_room(void *context, uint32_t to)
{
    (void)context, (void)to;
    return 0;
}

static uint64_t next_number(void *context)
{
    (void)context;
    return (uint64_t)TL_LANE_FIX << 32 | ++number;
}

/* ── set-up ──────────────────────────────────────────────────────────────────────────────────── */

static void name(uint8_t field, uint32_t key, const char *what)
{
    tl_command named = {.type = TL_MSG_TYPE_TEXT, .field = field};
    named.key = key;
    memcpy(tl_command_text(&named), what, strlen(what));
    if (tl_fix_desk_name(desk, &named) != 0)
        fail("no memory");
}

static tl_fix_party party(void)
{
    static const uint32_t accounts[] = {0};
    return (tl_fix_party){.number = 1,
                          .dialect = dialect,
                          .accounts = accounts,
                          .accounts_count = 1,
                          .time_decimals = 3,
                          .permissions = TL_FIX_MAY_ORDER};
}

static void open_desk(void)
{
    const tl_fix_desk_config config = {.instruments_max = 16,
                                       .accounts_max = 16,
                                       .orders_max = 1 << 16,
                                       .sessions_max = 4};
    const tl_fix_desk_hooks hooks = {.send = keep_report,
                                     .submit = keep_command,
                                     .number = next_number,
                                     .refusal = next_number,
                                     .room = no_room};
    const tl_fix_party seated = party();
    if (tl_fix_desk_open(&desk, &config, &hooks) != 0 || tl_fix_desk_party(desk, &seated, 0) != 0)
        fail("no desk");
    name(TL_TEXT_SYMBOL, 0, "ABC");
    name(TL_TEXT_TICK_SIZE, 0, "0.05");
    name(TL_TEXT_LOT_SIZE, 0, "1");
    name(TL_TEXT_ACCOUNT, 0, "ACC1");
}

static void open_session(const char *directory)
{
    const tl_fix_store_config config = {.sessions_max = 4,
                                        .segment_bytes = 1 << 20,
                                        .keep_bytes = 4 << 20};
    const tl_fix_terms terms = {.number = 1,
                                .dialect = dialect,
                                .comp_id = "BROKER01",
                                .venue_comp_id = "TOUCHLINE",
                                .heartbeat_max_s = 60,
                                .sending_time_tolerance_s = 120,
                                .time_decimals = 3};
    if (tl_fix_store_open(&store, directory, &config) != 0 ||
        tl_fix_session_open(&session, &terms, store) != 0)
        fail("no store");
}

static void write_orders(void)
{
    static const char format[] =
        "35=D\x01" "49=BROKER01\x01" "56=TOUCHLINE\x01" "34=%llu\x01"
        "52=20260102-03:04:05.678\x01" "11=ORDER-%08llu\x01" "1=ACC1\x01" "55=ABC\x01" "54=1\x01"
        "60=20260102-03:04:05.678\x01" "38=100\x01" "40=2\x01" "44=10.50\x01" "59=0\x01";
    for (int i = 0; i < BATCH; i++) {
        char body[ORDER_MAX];
        const unsigned long long at = 100000 + requests++;
        const int size = snprintf(body, sizeof body, format, at, at);
        text *order = &orders[i];
        order->size = (size_t)sprintf(order->bytes, "8=FIX.4.4\x01" "9=%d\x01%s", size, body);
        const uint8_t sum = tl_fix_checksum(order->bytes, order->size);
        order->size += (size_t)sprintf(order->bytes + order->size, "10=%03u\x01", sum);
    }
}

/* ── stages ──────────────────────────────────────────────────────────────────────────────────── */

MEASURED bool measured_read(const text *order)
{
    const tl_fix_frame frame = tl_fix_find_message(order->bytes, order->size, 8192);
    return frame.framing == TL_FIX_FRAME_WHOLE && frame.size == order->size &&
           tl_fix_parse(&message, dialect, order->bytes, order->size) == 0 &&
           tl_fix_check(&message, dialect).reason == -1;
}

MEASURED bool measured_command(const tl_fix_party *from)
{
    return tl_fix_desk_request(desk, from, &message, TS_NS, true, true) == TL_FIX_TAKEN;
}

/* Two functions that differ, or a compiler makes them one. */
MEASURED bool measured_report(const tl_event *event)
{
    return event->exec_type == TL_EXEC_TYPE_NEW && tl_fix_desk_events(desk, event, 1) == 0;
}

MEASURED bool measured_trade(const tl_event *event)
{
    return event->exec_type == TL_EXEC_TYPE_TRADE && tl_fix_desk_events(desk, event, 1) == 0;
}

MEASURED bool measured_send(const text *report, uint64_t key)
{
    const tl_fix_clock now = {TS_NS, 0};
    return tl_fix_session_send(session, "8", report->bytes, report->size, key, &now) == 0;
}

/* The engine's answers to the order of that place. */
static tl_event event_of(int place, bool trade)
{
    const tl_command *asked = &commands[place];
    tl_event event = {.seq = ++events,
                      .ts_ns = TS_NS,
                      .order_id = (events / (2 * BATCH) + 1) << 32 | (uint32_t)(place + 1),
                      .price = asked->price,
                      .qty = (uint32_t)asked->qty,
                      .side = asked->side,
                      .ord_type = asked->ord_type,
                      .time_in_force = asked->time_in_force};
    event.exec_type = trade ? TL_EXEC_TYPE_TRADE : TL_EXEC_TYPE_NEW;
    if (!trade) {
        event.cl_ord_id = asked->cl_ord_id;
        event.leaves_qty = event.qty;
    }
    return event;
}

static void check(void)
{
    static const char *const parts[] = {"1=ACC1\x01" "6=0\x01" "11=ORDER-", "\x01" "38=100\x01",
                                        "\x01" "44=10.50\x01" "54=1\x01" "55=ABC\x01" "59=0\x01"};
    if (commands_count != BATCH || reports_count != 2 * BATCH)
        fail("an order or a report is missing");
    for (int i = 0; i < BATCH; i++) {
        const tl_command *asked = &commands[i];
        if (asked->price != 210 || asked->qty != 100 || asked->side != '1')
            fail("the order was not understood");
        reports[i].bytes[reports[i].size] = reports[BATCH + i].bytes[reports[BATCH + i].size] = 0;
        for (size_t part = 0; part < sizeof parts / sizeof *parts; part++)
            if (strstr(reports[i].bytes, parts[part]) == NULL)
                fail("the report is another");
        if (strstr(reports[BATCH + i].bytes, "\x01" "150=F\x01" "151=0\x01") == NULL)
            fail("the trade's report is another");
    }
}

static void run_batch(double ns[STAGES])
{
    static tl_event news[BATCH], trades[BATCH];
    const tl_fix_party from = party();
    bool good = true;
    write_orders();
    commands_count = reports_count = 0;
    double at[STAGES + 1] = {now_ns()};
    for (int i = 0; i < BATCH; i++)
        good &= measured_read(&orders[i]);
    at[1] = now_ns();
    for (int i = 0; i < BATCH; i++)
        good &= measured_read(&orders[i]) && measured_command(&from);
    at[2] = now_ns();
    if (!good || commands_count != BATCH)
        fail("an order was refused");
    for (int i = 0; i < BATCH; i++)
        news[i] = event_of(i, false);
    for (int i = 0; i < BATCH; i++) {
        trades[i] = event_of(i, true);
        trades[i].order_id = news[i].order_id;
    }
    double started = now_ns();
    for (int i = 0; i < BATCH; i++)
        good &= measured_report(&news[i]);
    at[3] = now_ns();
    for (int i = 0; i < BATCH; i++)
        good &= measured_trade(&trades[i]);
    at[4] = now_ns();
    for (int i = 0; i < BATCH; i++)
        good &= measured_send(&reports[i], news[i].seq);
    at[5] = now_ns();
    check();
    if (!good)
        fail("a report was not made");
    /* The second loop reads again: main takes that off, of the least times. */
    const double took[STAGES] = {at[1] - at[0], at[2] - at[1], at[3] - started, at[4] - at[3],
                                 at[5] - at[4]};
    for (int i = 0; i < STAGES; i++)
        ns[i] = took[i] / BATCH < ns[i] ? took[i] / BATCH : ns[i];
}

static void clear(const char *directory)
{
    DIR *files = opendir(directory);
    for (struct dirent *file; files != NULL && (file = readdir(files)) != NULL;)
        if (file->d_name[0] != '.')
            unlinkat(dirfd(files), file->d_name, 0);
    if (files != NULL)
        closedir(files);
    rmdir(directory);
}

int main(int count, char **arguments)
{
    const char *parent = getenv("TMPDIR");
    char directory[512];
    const long rounds = count > 1 ? strtol(arguments[1], NULL, 10) : ROUNDS;
    double ns[STAGES] = {1e12, 1e12, 1e12, 1e12, 1e12};
    snprintf(directory, sizeof directory, "%s/bench_codec.%ld", parent != NULL ? parent : "/tmp",
             (long)getpid());
    if (rounds < 1 || mkdir(directory, 0700) != 0)
        fail("a number of rounds, and a directory for the store, are needed");
    dialect = tl_fix_dialect_find("FIX.4.4", "");
    open_desk();
    open_session(directory);
    for (long i = 0; i < rounds; i++)
        run_batch(ns);
    ns[COMMAND] -= ns[READ];
    tl_fix_session_close(session);
    tl_fix_store_close(store);
    tl_fix_desk_close(desk);
    clear(directory);
    printf("{\"order_bytes\": %zu, \"report_bytes\": %zu, \"messages\": %ld, ", orders[0].size,
           reports[0].size, rounds * BATCH);
    for (int i = 0; i < STAGES; i++)
        printf("\"%s_ns\": %.0f, ", names[i], ns[i]);
    printf("\"order_to_report_ns\": %.0f, \"verified\": true}\n",
           ns[READ] + ns[COMMAND] + ns[REPORT] + ns[SEND]);
    return 0;
}

/* The feed, from a full event ring to packets on one UDP line.
 *
 *   engine ─► event ring, full ─► feed ─► spool ─► MoldUDP64 ─► loopback ─► a reader
 *
 * The engine has done its orders before the feed begins, so that what is measured is the feed's own
 * rate, while another thread reads the line. Every message that is read is counted by the numbers
 * of its packet; the last one, or the heartbeat after it, ends the clock. One line of JSON.
 */
#define _GNU_SOURCE
#include "touchline/runtime/runner.h"
#include "touchline/wire/moldudp64.h"
#include "touchline/wire/wire_feed.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ORDERS 900000u
#define RING (1u << 20)
#define ROUNDS 5

static char folder[64], bus_path[96];
static tl_bus *bus;
static tl_runner *runner;
static tl_wire_door door;
static tl_wire_feed *feed;

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench_feed: %s\n", what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void *run_engine(void *nothing)
{
    tl_journal_fault fault;
    need(tl_runner_run(runner, &fault) == 0, "the engine failed");
    return nothing;
}

static void *run_feed(void *nothing)
{
    need(tl_wire_feed_run(feed, 1) == 0, "the feed failed");
    return nothing;
}

static tl_command text(uint8_t field, const char *said)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field};
    strcpy(tl_command_text(&cmd), said);
    return cmd;
}

static const char *const names[] = {"AAA", "0.01", "1"};
static const uint8_t fields[] = {TL_TEXT_SYMBOL, TL_TEXT_TICK_SIZE, TL_TEXT_LOT_SIZE};

static uint32_t set_up(tl_command out[8])
{
    uint32_t count = 0;
    for (int i = 0; i < 3; i++)
        out[count++] = text(fields[i], names[i]);
    out[count++] = (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION};
    out[count++] = (tl_command){.type = TL_MSG_TYPE_ACCOUNT};
    return count;
}

/* Orders that rest, each third one replaced by one that trades with it. */
static void fill_ring(void)
{
    static tl_command batch[64];
    tl_command setup[8];
    tl_lane lane;
    size_t sent;
    need(tl_lane_open(&lane, bus, TL_LANE_ADMIN, 0) == 0, "no lane");
    need(tl_lane_send(&lane, setup, set_up(setup), INT64_C(1000000000), &sent) == 0, "full");
    for (uint32_t i = 0; i < ORDERS; i += 64) {
        for (uint32_t j = 0; j < 64; j++) {
            const bool taker = (i + j) % 3 == 2;
            batch[j] = (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                                    .side = taker ? TL_SIDE_SELL : TL_SIDE_BUY,
                                    .ord_type = TL_ORD_TYPE_LIMIT,
                                    .time_in_force =
                                        taker ? TL_TIME_IN_FORCE_IOC : TL_TIME_IN_FORCE_DAY,
                                    .price = taker ? 1 : 1000 + (i + j) % 64,
                                    .qty = 100};
        }
        need(tl_lane_send(&lane, batch, 64, INT64_C(60000000000), &sent) == 0, "full");
    }
    while (tl_lane_journaled(&lane) != tl_lane_sent(&lane))
        usleep(1000);
    tl_lane_close(&lane);
}

static void open_engine(void)
{
    const tl_bus_geometry geometry = {4, 16384, 2 * RING, 0};
    tl_runner_recovery recovery;
    tl_journal_fault fault;
    need(tl_bus_create(&bus, bus_path, &geometry) == 0, "no bus");
    const tl_runner_config config = {.bus = bus,
                                     .journal_dir = folder,
                                     .capacities = {16, 64, RING, 1024, 4096},
                                     .wait = TL_WAIT_PARK,
                                     .cpu = -1,
                                     .segment_bytes = 64 << 20};
    need(tl_runner_open(&runner, &config, &recovery, &fault) == 0, "no engine");
}

static void open_feed(const char *to)
{
    tl_command setup[8];
    tl_port_fault fault = {0};
    const tl_wire_feed_config config = {.itch = {16, RING, 4096, 0},
                                        .directory = "/tmp",
                                        .spool_bytes_max = UINT64_C(1) << 30,
                                        .session = {'B', 'E', 'N', 'C', 'H', '0', '0', '0', '0',
                                                    '1'},
                                        .lines = 1,
                                        .line = {{.to = to, .segments = true}},
                                        .packet_max = TL_MOLDUDP64_PAYLOAD};
    need(tl_wire_feed_open(&feed, &config, bus, &door, &fault) == 0, fault.text);
    need(tl_wire_feed_names(feed, setup, set_up(setup)) == 0, "no names");
}

/* Messages a second, from the feed's start to its last message; *share: of them, read. */
static double measure(tl_port *line, double *share)
{
    tl_port_datagram in[64];
    char to[TL_PORT_ADDRESS_BYTES];
    pthread_t teller;
    uint64_t last = 0, read = 0, wanted = UINT64_MAX;
    tl_bus_status status;
    open_feed(tl_port_address_text(tl_port_local(line), to));
    tl_bus_status_read(bus, &status);
    const int64_t begun = now_ns();
    need(pthread_create(&teller, NULL, run_feed, NULL) == 0, "no thread");
    while (last < wanted) {
        tl_wire_feed_status told;
        const int got = tl_port_poll(line, in, 64, 0);
        for (int i = 0; i < got; i++) {
            tl_moldudp64_packet packet;
            need(tl_moldudp64_read(in[i].bytes, in[i].size, &packet) == 0, "no packet");
            last = packet.head.number + packet.head.count - 1;
            read += packet.head.count;
        }
        if (got > 0)
            continue;
        tl_wire_feed_status_read(feed, &told);
        if (told.event == status.events)
            wanted = told.messages;
        need(now_ns() - begun < INT64_C(60000000000), "it takes too long");
    }
    const double seconds = (double)(now_ns() - begun) / 1e9;
    tl_wire_feed_stop(feed);
    pthread_join(teller, NULL);
    tl_wire_feed_close(feed);
    *share = (double)read / (double)wanted;
    return (double)wanted / seconds;
}

static void remove_folder(void)
{
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries != NULL)
        closedir(entries);
    rmdir(folder);
    unlink(bus_path);
}

int main(void)
{
    pthread_t engine;
    tl_port *line;
    double best = 0, best_share = 0;
    const tl_port_options options = {.local = "127.0.0.1:0",
                                     .batch = 64,
                                     .size_max = TL_MOLDUDP64_PAYLOAD,
                                     .segments = true,
                                     .tuning.receive_bytes = 8 << 20};
    snprintf(folder, sizeof folder, "/tmp/touchline-bench-feed-%d", (int)getpid());
    snprintf(bus_path, sizeof bus_path, "/dev/shm/touchline-bench-feed-%d.bus", (int)getpid());
    atexit(remove_folder);
    open_engine();
    need(tl_wire_door_open(&door) == 0, "no door");
    need(pthread_create(&engine, NULL, run_engine, NULL) == 0, "no thread");
    tl_bus_status status;
    do
        tl_bus_status_read(bus, &status);
    while (status.state != TL_BUS_RUNNING);
    fill_ring();
    need(tl_port_udp_open(&line, &options, NULL) == 0, "no line");
    for (int round = 0; round < ROUNDS; round++) {
        double share;
        const double rate = measure(line, &share);
        if (rate > best) {
            best = rate;
            best_share = share;
        }
    }
    printf("{\"verified\": true, \"msgs_per_s\": %.0f, \"read\": %.3f}\n", best, best_share);
    tl_port_close(line);
    tl_runner_stop(runner);
    pthread_join(engine, NULL);
    tl_runner_close(runner);
    tl_bus_close(bus);
    tl_wire_door_close(&door);
    return 0;
}

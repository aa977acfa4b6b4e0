/* The feed over real sockets, with an engine and a journal: whatever a listener loses, it ends with
 * every message of the feed, and a snapshot with what follows gives the same books. */
#define _GNU_SOURCE
#include "check.h"
#include "folder.h"
#include "touchline/runtime/runner.h"
#include "touchline/wire/itch.h"
#include "touchline/wire/moldudp64_receiver.h"
#include "touchline/wire/wire_recovery.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define ORDERS 20000u
#define LINES 2u
#define WINDOW 4096u

static char folder[64], bus_path[96], journal_path[96];
static tl_bus *bus;
static tl_runner *runner;
static tl_wire_door door;
static tl_wire_feed *feed;
static tl_wire_recovery *recovery;
static tl_port *lines[LINES], *asking;
static atomic_bool judging;
static uint64_t seed = 20260729;

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void *run_engine(void *nothing)
{
    tl_journal_fault fault;
    CHECK(tl_runner_run(runner, &fault) == 0);
    return nothing;
}

static void *run_feed(void *nothing)
{
    const int rc = tl_wire_feed_run(feed, 1);
    if (rc != 0)
        fprintf(stderr, "the feed: %d %s\n", rc, tl_wire_feed_fault(feed));
    CHECK(rc == 0);
    return nothing;
}

static void *run_recovery(void *nothing)
{
    CHECK(tl_wire_recovery_run(recovery) == 0);
    return nothing;
}

static void *judge(void *nothing)
{
    tl_wire_question question;
    while (atomic_load(&judging)) {
        if (!tl_wire_door_question(&door, &question, SECOND_NS / 50))
            continue;
        CHECK(strcmp(question.address, "127.0.0.1") == 0);
        const bool right = strcmp(question.password, "right") == 0;
        tl_wire_door_answer(&door, question.loop, question.conn, right ? 0 : TL_WIRE_NOBODY);
    }
    return nothing;
}

static void open_engine(void)
{
    const tl_bus_geometry geometry = {4, 1024, 65536, 0};
    tl_runner_recovery recovered;
    tl_journal_fault fault;
    CHECK(tl_bus_create(&bus, bus_path, &geometry) == 0);
    const tl_runner_config config = {.bus = bus,
                                     .journal_dir = journal_path,
                                     .capacities = {16, 64, 65536, 1024, 4096},
                                     .wait = TL_WAIT_PARK,
                                     .cpu = -1,
                                     .segment_bytes = 1 << 20};
    CHECK(tl_runner_open(&runner, &config, &recovered, &fault) == 0);
}

static tl_command text(uint8_t field, const char *said)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field};
    strcpy(tl_command_text(&cmd), said);
    return cmd;
}

/* One instrument and two accounts; the feed is told their names as from the journal. */
static void set_up(void)
{
    const tl_command setup[] = {text(TL_TEXT_SYMBOL, "AAA"),
                                text(TL_TEXT_TICK_SIZE, "0.01"),
                                text(TL_TEXT_LOT_SIZE, "100"),
                                {.type = TL_MSG_TYPE_SECURITY_DEFINITION},
                                {.type = TL_MSG_TYPE_ACCOUNT},
                                {.type = TL_MSG_TYPE_ACCOUNT, .account = 1}};
    tl_lane admin;
    size_t sent;
    CHECK(tl_wire_feed_names(feed, setup, 4) == 0);
    CHECK(tl_lane_open(&admin, bus, TL_LANE_ADMIN, 1) == 0);
    CHECK(tl_lane_send(&admin, setup, 6, SECOND_NS, &sent) == 0);
    while (tl_lane_journaled(&admin) != tl_lane_sent(&admin))
        usleep(1000);
    tl_lane_close(&admin);
}

static tl_port *port_at(char local[TL_PORT_ADDRESS_BYTES])
{
    tl_port *port;
    const tl_port_options options = {.local = "127.0.0.1:0",
                                     .batch = 64,
                                     .size_max = TL_MOLDUDP64_PAYLOAD,
                                     .tuning.receive_bytes = 1 << 21};
    CHECK(tl_port_udp_open(&port, &options, NULL) == 0);
    tl_port_address_text(tl_port_local(port), local);
    return port;
}

static void open_feed(void)
{
    static char to[LINES][TL_PORT_ADDRESS_BYTES];
    tl_port_fault fault = {0};
    tl_wire_feed_config config = {.itch = {16, 65536, 4096, 0},
                                  .directory = "/tmp",
                                  .spool_bytes_max = 1 << 28,
                                  .session = {'S', 'E', 'S', 'S', 'I', 'O', 'N', '0', '0', '1'},
                                  .lines = LINES,
                                  .packet_max = TL_MOLDUDP64_PAYLOAD};
    for (uint32_t i = 0; i < LINES; i++) {
        lines[i] = port_at(to[i]);
        config.line[i].to = to[i];
    }
    CHECK(tl_wire_door_open(&door) == 0);
    CHECK(tl_wire_feed_open(&feed, &config, bus, &door, &fault) == 0);
}

static void open_recovery(int64_t stay_ns)
{
    const tl_wire_recovery_config config = {.request_local = "127.0.0.1:0",
                                            .glimpse_local = "127.0.0.1:0",
                                            .requests_per_s = 10000,
                                            .packet_max = TL_MOLDUDP64_PAYLOAD,
                                            .glimpse_max = 4,
                                            .stocks_max = 16,
                                            .orders_max = 65536,
                                            .login_ns = SECOND_NS,
                                            .stay_ns = stay_ns,
                                            .directory = "/tmp",
                                            .spool_bytes_max = 1 << 26};
    tl_port_fault fault = {0};
    CHECK(tl_wire_recovery_open(&recovery, &config, feed, &door, &fault) == 0);
}

/* Orders that rest, trade, shrink and go, as a function of the seed. */
static void *trade(void *nothing)
{
    tl_lane lane;
    size_t sent;
    CHECK(tl_lane_open(&lane, bus, TL_LANE_API, 0) == 0);
    for (uint32_t i = 0; i < ORDERS; i++) {
        const uint64_t chance = random_next(&seed);
        tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER,
                          .cl_ord_id = tl_lane_ids(&lane, 1),
                          .account = chance & 1,
                          .side = chance & 2 ? TL_SIDE_BUY : TL_SIDE_SELL,
                          .ord_type = TL_ORD_TYPE_LIMIT,
                          .time_in_force =
                              chance % 7 == 0 ? TL_TIME_IN_FORCE_IOC : TL_TIME_IN_FORCE_DAY,
                          .price = 1000 + (int64_t)(chance >> 8) % 20,
                          .qty = 1 + (int64_t)(chance >> 16) % 50};
        if (chance % 64 == 5)
            cmd = (tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                               .cl_ord_id = cmd.cl_ord_id,
                               .account = TL_ACCOUNT_ALL,
                               .side = cmd.side};
        CHECK(tl_lane_send(&lane, &cmd, 1, 10 * SECOND_NS, &sent) == 0);
        if (i % 100 == 0)
            usleep(500);
    }
    tl_lane_close(&lane);
    return nothing;
}

/* Listening */

static tl_moldudp64_receiver receiver;
static uint64_t heard, lost, asked;

static void compare(void)
{
    tl_moldudp64_arrival arrival;
    while (tl_moldudp64_arrived(&receiver, monotonic_ns(), &arrival) != TL_MOLDUDP64_NOTHING) {
        size_t size;
        CHECK(arrival.kind == TL_MOLDUDP64_MESSAGE && arrival.number == heard + 1);
        const uint8_t *block = tl_spool_message(tl_wire_feed_spool(feed), arrival.number, &size);
        CHECK(arrival.size == size - 2 && memcmp(arrival.bytes, block + 2, arrival.size) == 0);
        heard++;
    }
}

/* Every tenth packet of a line is lost on the way, and the beginning of both lines. */
static void listen_to(tl_port *port, uint32_t line)
{
    tl_port_datagram in[64];
    const int got = tl_port_poll(port, in, 64, 0);
    CHECK(got >= 0);
    for (int i = 0; i < got; i++) {
        if (line < LINES && (random_next(&seed) % 10 == 0 || lost < 5)) {
            lost++;
            continue;
        }
        const tl_moldudp64_fault fault =
            tl_moldudp64_receive(&receiver, line, in[i].bytes, in[i].size, monotonic_ns());
        CHECK(fault == TL_MOLDUDP64_FAULT_NONE || fault == TL_MOLDUDP64_FAULT_DUPLICATE ||
              fault == TL_MOLDUDP64_FAULT_WINDOW || fault == TL_MOLDUDP64_FAULT_FAR);
        compare();
    }
}

static void ask(void)
{
    uint8_t out[TL_MOLDUDP64_HEAD];
    const tl_port_packet packet = {
        .bytes = out, .size = sizeof out, .to = tl_wire_recovery_requests(recovery)};
    if (!tl_moldudp64_receiver_due(&receiver, monotonic_ns(), out))
        return;
    CHECK(tl_port_send(asking, &packet, 1) == 1);
    asked++;
}

static void every_listener_ends_with_every_message(void)
{
    const tl_moldudp64_receiver_config config = {.window = WINDOW,
                                                 .message_max = 64,
                                                 .ahead_max = 1 << 30,
                                                 .patience_ns = 1000000,
                                                 .retry_ns = 5000000,
                                                 .request_max = 256};
    void *memory = aligned_alloc(64, (tl_moldudp64_receiver_bytes(&config) + 63) / 64 * 64);
    pthread_t trader;
    tl_bus_status status;
    const int64_t deadline = monotonic_ns() + 60 * SECOND_NS;
    CHECK(tl_moldudp64_receiver_open(&receiver, &config, memory, "SESSION001", 1));
    CHECK(pthread_create(&trader, NULL, trade, NULL) == 0);
    bool over = false;
    while (!over || heard < tl_spool_counted(tl_wire_feed_spool(feed))) {
        tl_wire_feed_status told;
        for (uint32_t i = 0; i < LINES; i++)
            listen_to(lines[i], i);
        listen_to(asking, LINES);
        ask();
        tl_bus_status_read(bus, &status);
        tl_wire_feed_status_read(feed, &told);
        over = status.commands == ORDERS + 6 && told.event == status.events;
        CHECK(monotonic_ns() < deadline);
    }
    CHECK(pthread_join(trader, NULL) == 0);
    CHECK(heard > ORDERS / 2 && lost > 0 && asked > 0);
    free(memory);
}

static void a_request_of_nothing_is_not_answered(void)
{
    uint8_t out[TL_MOLDUDP64_HEAD];
    tl_port_datagram in[1];
    tl_wire_recovery_status before, after;
    const tl_port_packet packets[] = {
        {.bytes = out, .size = sizeof out, .to = tl_wire_recovery_requests(recovery)},
        {.bytes = out, .size = 7, .to = tl_wire_recovery_requests(recovery)}};
    tl_wire_recovery_status_read(recovery, &before);
    tl_moldudp64_bare(out, "SESSION001", heard + 1, 10);
    CHECK(tl_port_send(asking, packets, 2) == 2);
    do
        tl_wire_recovery_status_read(recovery, &after);
    while (after.malformed < before.malformed + 2);
    CHECK(after.answered == before.answered && tl_port_poll(asking, in, 1, 0) == 0);
}

/* Snapshots */

static int dial(void)
{
    const struct sockaddr_in place = {
        .sin_family = AF_INET,
        .sin_port = htons(tl_wire_recovery_glimpse(recovery)->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {20, 0};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CHECK(connect(fd, (const struct sockaddr *)&place, sizeof place) == 0);
    return fd;
}

/* All that comes until the other side closes. */
static size_t read_all(int fd, uint8_t *to, size_t room)
{
    size_t size = 0;
    for (ssize_t got; (got = recv(fd, to + size, room - size, 0)) > 0;)
        size += (size_t)got;
    close(fd);
    return size;
}

/* The same while rounds are gone by hand. */
static size_t read_all_while(int fd, uint8_t *to, size_t room)
{
    size_t size = 0;
    for (ssize_t got = -1; got != 0; size += got > 0 ? (size_t)got : 0) {
        CHECK(tl_wire_recovery_round(recovery) >= 0);
        got = recv(fd, to + size, room - size, MSG_DONTWAIT);
    }
    close(fd);
    return size;
}

static int log_in_and_stay(const char *password, uint64_t number)
{
    const tl_soupbin_config config = {TL_SOUPBIN_HEARTBEAT_NS, TL_SOUPBIN_SILENCE_NS,
                                      TL_SOUPBIN_LOGIN_NS, 128};
    tl_soupbin_end client;
    uint8_t request[TL_SOUPBIN_REPLY_MAX];
    const int fd = dial();
    const size_t size = tl_soupbin_client_open(&client, &config, "READER", password, "", number,
                                               monotonic_ns(), request);
    CHECK(send(fd, request, size, MSG_NOSIGNAL) == (ssize_t)size);
    return fd;
}

static size_t log_in(const char *password, uint64_t number, uint8_t *to, size_t room)
{
    return read_all(log_in_and_stay(password, number), to, room);
}

static void a_snapshot_tells_the_books_in_priority_order(void)
{
    static uint8_t bytes[1 << 22];
    tl_glimpse *mine;
    tl_spool expected;
    tl_soupbin_packet packet;
    const size_t size = log_in("right", 1, bytes, sizeof bytes);
    size_t at = 0, told = 0;
    CHECK(tl_soupbin_find(bytes, size, 1000, &packet) == TL_SOUPBIN_WHOLE && packet.type == 'A');
    at += packet.size;
    CHECK(tl_glimpse_open(&mine, 16, 65536) == 0);
    CHECK(tl_glimpse_follow(mine, tl_wire_feed_spool(feed), UINT64_MAX) == 0);
    CHECK(tl_spool_open(&expected, "/tmp", 1 << 26, 1 << 20) == 0);
    CHECK(tl_glimpse_tell(mine, &expected) == 0);
    while (tl_glimpse_go_on(mine, 1) == 1) /* however small the slices are */
        ;
    CHECK(tl_glimpse_steps(mine) > 65536 && expected.put == tl_spool_counted(&expected));
    CHECK(size > at + expected.size);
    CHECK(memcmp(bytes + at, expected.bytes, expected.size) == 0);
    uint32_t before = UINT32_MAX;
    char side = 'B';
    for (; at < size; at += packet.size) {
        tl_itch_record record;
        CHECK(tl_soupbin_find(bytes + at, size - at, 1000, &packet) == TL_SOUPBIN_WHOLE);
        if (packet.type != 'S' || packet.payload[0] != 'A')
            continue;
        CHECK(tl_itch_decode(packet.payload, packet.payload_size, &record) == 0);
        if (record.side != side) {
            side = record.side;
            before = 0;
        }
        CHECK(side == 'B' ? record.price <= before : record.price >= before);
        before = record.price;
        told++;
    }
    CHECK(packet.type == 'Z' && told > 0);
    tl_spool_close(&expected);
    tl_glimpse_close(mine);
}

static void who_is_nobody_gets_no_snapshot(void)
{
    uint8_t bytes[64];
    CHECK(log_in("wrong", 1, bytes, sizeof bytes) == 4 && bytes[2] == 'J' && bytes[3] == 'A');
    CHECK(log_in("right", 2, bytes, sizeof bytes) == 4 && bytes[2] == 'J');
    /* A login that never comes. */
    CHECK(read_all(dial(), bytes, sizeof bytes) > 3 && bytes[2] == '+');
}

static tl_wire_recovery_status gone_round(void)
{
    tl_wire_recovery_status before, after;
    tl_wire_recovery_status_read(recovery, &before);
    CHECK(tl_wire_recovery_round(recovery) >= 0);
    tl_wire_recovery_status_read(recovery, &after);
    CHECK(after.steps - before.steps <= 4096);
    return after;
}

/* Rounds by hand. The making of a snapshot takes many, and each of them answers who asks. */
static void others_are_answered_while_a_snapshot_is_made(void)
{
    static uint8_t bytes[1 << 22];
    uint8_t out[TL_MOLDUDP64_HEAD];
    tl_port_datagram in[1];
    const tl_port_packet packet = {
        .bytes = out, .size = sizeof out, .to = tl_wire_recovery_requests(recovery)};
    const int fd = log_in_and_stay("right", 1);
    uint32_t slices = 0;
    tl_wire_recovery_status told;
    do
        told = gone_round();
    while (told.steps == 0);
    tl_moldudp64_bare(out, "SESSION001", 1, 1);
    for (; told.snapshots == 0; slices++) {
        const uint64_t answered = told.answered;
        CHECK(tl_port_send(asking, &packet, 1) == 1);
        told = gone_round();
        CHECK(told.answered == answered + 1 && tl_port_poll(asking, in, 1, 1000) == 1);
    }
    CHECK(slices >= 65536 / 4096 && told.steps > 65536);
    (void)gone_round();
    shutdown(fd, SHUT_WR);
    const size_t size = read_all_while(fd, bytes, sizeof bytes);
    CHECK(size > 100 && bytes[2] == 'A' && bytes[size - 1] == 'Z');
}

static void who_stays_too_long_is_sent_off(void)
{
    static uint8_t bytes[1 << 20];
    const int fd = log_in_and_stay("right", 1);
    while (gone_round().steps == 0)
        ;
    usleep(200000); /* peers are looked at for what is due now and then, snapshots take rounds */
    const size_t size = read_all_while(fd, bytes, sizeof bytes);
    const char *why = "what was asked for took too long";
    CHECK(bytes[2] == 'A' && size > strlen(why));
    CHECK(memcmp(bytes + size - strlen(why), why, strlen(why)) == 0);
}

int main(void)
{
    pthread_t engine, teller, rescuer, judged;
    char asking_at[TL_PORT_ADDRESS_BYTES];
    snprintf(folder, sizeof folder, "/tmp/tl-wire-feed-%d", (int)getpid());
    snprintf(bus_path, sizeof bus_path, "/dev/shm/tl-wire-feed-%d.bus", (int)getpid());
    snprintf(journal_path, sizeof journal_path, "%s", folder);
    open_engine();
    open_feed();
    open_recovery(0);
    asking = port_at(asking_at);
    atomic_store(&judging, true);
    CHECK(pthread_create(&engine, NULL, run_engine, NULL) == 0);
    CHECK(pthread_create(&teller, NULL, run_feed, NULL) == 0);
    CHECK(pthread_create(&rescuer, NULL, run_recovery, NULL) == 0);
    CHECK(pthread_create(&judged, NULL, judge, NULL) == 0);
    tl_bus_status status;
    do
        tl_bus_status_read(bus, &status);
    while (status.state != TL_BUS_RUNNING);
    set_up();
    every_listener_ends_with_every_message();
    a_request_of_nothing_is_not_answered();
    a_snapshot_tells_the_books_in_priority_order();
    who_is_nobody_gets_no_snapshot();
    tl_wire_recovery_stop(recovery);
    CHECK(pthread_join(rescuer, NULL) == 0);
    tl_wire_recovery_close(recovery);
    open_recovery(60 * SECOND_NS);
    others_are_answered_while_a_snapshot_is_made();
    tl_wire_recovery_close(recovery);
    open_recovery(1);
    who_stays_too_long_is_sent_off();
    tl_wire_feed_stop(feed);
    CHECK(pthread_join(teller, NULL) == 0);
    tl_runner_stop(runner);
    CHECK(pthread_join(engine, NULL) == 0);
    atomic_store(&judging, false);
    CHECK(pthread_join(judged, NULL) == 0);
    tl_wire_recovery_close(recovery);
    tl_wire_feed_close(feed);
    tl_wire_door_close(&door);
    for (uint32_t i = 0; i < LINES; i++)
        tl_port_close(lines[i]);
    tl_port_close(asking);
    tl_runner_close(runner);
    tl_bus_close(bus);
    unlink(bus_path);
    folder_remove(journal_path);
    return 0;
}

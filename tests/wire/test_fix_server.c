/* The acceptor over real sockets, with an engine, a journal and a store: what it answers, and what
 * strangers can not do. The rules of sessions and orders have tests of their own. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/runtime/runner.h"
#include "touchline/wire/fix_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define SESSIONS 8u
#define NEWCOMERS 8u
#define ANSWER_BYTES (1 << 20)

static char folder[64], bus_path[96], journal_path[96], store_path[96], now_text[32];
static tl_bus *bus;
static tl_runner *runner;
static tl_lane lane;
static tl_fix_server *server;
static int port;
static uint64_t next_event;
static atomic_bool judging;

static void *run_engine(void *nothing)
{
    tl_journal_fault fault;
    CHECK(tl_runner_run(runner, &fault) == 0);
    return nothing;
}

static void *run_server(void *nothing)
{
    CHECK(tl_fix_server_run(server, next_event) == 0);
    return nothing;
}

static void *judge(void *nothing)
{
    tl_fix_question question;
    while (judging) {
        if (!tl_fix_server_question(server, &question, SECOND_NS / 50))
            continue;
        const int right = strcmp(question.password, "bad") != 0;
        tl_fix_server_verdict(server, question.ticket, right ? NULL : "no");
    }
    return nothing;
}

static void open_engine(void)
{
    const tl_bus_geometry geometry = {4, 1024, 16384, 0};
    tl_runner_recovery recovery;
    tl_journal_fault fault;
    CHECK(tl_bus_create(&bus, bus_path, &geometry) == 0);
    const tl_runner_config config = {.bus = bus,
                                     .journal_dir = journal_path,
                                     .capacities = {16, 64, 65536, 1024, 4096},
                                     .wait = TL_WAIT_PARK,
                                     .cpu = -1,
                                     .segment_bytes = 1 << 20};
    CHECK(tl_runner_open(&runner, &config, &recovery, &fault) == 0);
}

/* List one instrument and open one account; what they are called goes to the server. */
static void set_up(tl_command texts[4])
{
    static const char *const names[] = {"AAA", "1", "1", "ACC"};
    static const uint8_t fields[] = {TL_TEXT_SYMBOL, TL_TEXT_TICK_SIZE, TL_TEXT_LOT_SIZE,
                                     TL_TEXT_ACCOUNT};
    tl_command setup[2] = {{.type = TL_MSG_TYPE_SECURITY_DEFINITION},
                           {.type = TL_MSG_TYPE_ACCOUNT}};
    tl_lane admin;
    size_t sent;
    memset(texts, 0, 4 * sizeof *texts);
    for (int i = 0; i < 4; i++) {
        texts[i].type = TL_MSG_TYPE_TEXT;
        texts[i].field = fields[i];
        strcpy(tl_command_text(&texts[i]), names[i]);
    }
    CHECK(tl_lane_open(&admin, bus, 0, 1) == 0);
    CHECK(tl_lane_send(&admin, setup, 2, SECOND_NS, &sent) == 0);
    CHECK(tl_lane_send(&admin, texts, 4, SECOND_NS, &sent) == 0);
    while (tl_lane_journaled(&admin) != tl_lane_sent(&admin))
        usleep(1000);
    tl_lane_close(&admin);
}

static void open_server(const tl_command texts[4])
{
    const tl_fix_server_config config = {
        .store = {.sessions_max = SESSIONS, .segment_bytes = 1 << 20},
        .desk = {16, 64, 65536, SESSIONS},
        .message_max = 4096,
        .logon_max = 1024,
        .newcomers_max = NEWCOMERS,
        .logon_ns = SECOND_NS,
        .answer_ns = SECOND_NS / 2,
    };
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    const uint32_t account = 0;
    tl_bus_status status;
    CHECK(tl_lane_open(&lane, bus, TL_LANE_FIX, 0) == 0);
    CHECK(tl_fix_server_open(&server, store_path, &config, bus, &lane) == 0);
    for (uint32_t number = 0; number < SESSIONS; number++) {
        tl_fix_terms terms = {.number = number,
                              .dialect = tl_fix_dialect_find("FIX.4.4", ""),
                              .heartbeat_max_s = 30,
                              .sending_time_tolerance_s = 120,
                              .time_decimals = 3,
                              .permissions = TL_FIX_MAY_ALL & ~TL_FIX_MAY_COPY};
        snprintf(terms.comp_id, sizeof terms.comp_id, "B%u", number);
        strcpy(terms.venue_comp_id, "TL");
        CHECK(tl_fix_server_session(server, &terms, &account, 1, true, TL_FIX_MARK_STORED) == 0);
    }
    CHECK(tl_fix_server_names(server, texts, 4, true) == 0);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (struct sockaddr *)&place, size) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&place, &size) == 0);
    port = ntohs(place.sin_port);
    CHECK(tl_fix_server_listen(server, fd, NULL) == 0);
    tl_bus_status_read(bus, &status);
    next_event = status.events + 1;
}

static int dial(void)
{
    const struct sockaddr_in place = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {20, 0};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    CHECK(connect(fd, (const struct sockaddr *)&place, sizeof place) == 0);
    return fd;
}

static void say(int fd, const char *msg_type, int seq, int who, const char *rest)
{
    char body[600], message[700], fields[300];
    snprintf(fields, sizeof fields, "%s", rest);
    for (char *at = fields; *at != 0; at++)
        *at = *at == '|' ? '\x01' : *at;
    const int size = snprintf(body, sizeof body, "35=%s\x01" "34=%d\x01" "49=B%d\x01" "52=%s\x01"
                              "56=TL\x01%s", msg_type, seq, who, now_text, fields);
    int end = snprintf(message, sizeof message, "8=FIX.4.4\x01" "9=%d\x01%s", size, body);
    end += snprintf(message + end, sizeof message - (size_t)end, "10=%03u\x01",
                    tl_fix_checksum(message, (size_t)end));
    CHECK(send(fd, message, (size_t)end, MSG_NOSIGNAL) == end);
}

/* Receive until `wanted`, with | for SOH, has come or the end has; the number of messages, -1: the
 * end came first. */
static int hear(int fd, const char *wanted)
{
    static char heard[ANSWER_BYTES];
    size_t size = 0;
    for (;;) {
        const ssize_t got = recv(fd, heard + size, sizeof heard - 1 - size, 0);
        if (got <= 0)
            return -1;
        for (ssize_t i = 0; i < got; i++)
            if (heard[size + (size_t)i] == '\x01')
                heard[size + (size_t)i] = '|';
        size += (size_t)got;
        heard[size] = 0;
        int messages = 0;
        for (const char *at = heard; (at = strstr(at, "|10=")) != NULL; at++)
            messages++;
        if (strstr(heard, wanted) != NULL)
            return messages;
    }
}

static const char *order(int number)
{
    static char fields[200];
    snprintf(fields, sizeof fields, "11=c%d|21=1|38=10|40=2|44=10|54=1|55=AAA|60=%s|", number,
             now_text);
    return fields;
}

static void an_order_is_answered_once_the_session_is_on(int fd)
{
    say(fd, "A", 1, 0, "98=0|108=30|");
    CHECK(hear(fd, "|35=A|34=1|") == 1);
    say(fd, "D", 2, 0, order(1));
    CHECK(hear(fd, "|11=c1|") == 1);
    for (int i = 0; i < 500; i++)
        say(fd, "D", 3 + i, 0, order(2 + i));
    CHECK(hear(fd, "|11=c501|") > 0);
}

static void strangers_are_closed_without_a_word(void)
{
    static const char *const bytes[] = {"GET / HTTP/1.1\r\n\r\n", "8=FIX.4.4\x01" "9=99999999\x01",
                                        "\x01\x01\x01\x01", "8=8=8=8=FIX"};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        const int fd = dial();
        CHECK(send(fd, bytes[i], strlen(bytes[i]), MSG_NOSIGNAL) > 0);
        CHECK(hear(fd, "8=FIX") == -1);
        close(fd);
    }
    const int nobody = dial();
    say(nobody, "A", 1, 99, "98=0|108=30|");
    CHECK(hear(nobody, "8=FIX") == -1);
    close(nobody);
    const int twice = dial();
    say(twice, "A", 1, 0, "98=0|108=30|");
    CHECK(hear(twice, "8=FIX") == -1);
    close(twice);
}

static void a_refusal_uses_no_number(void)
{
    for (int i = 0; i < 3; i++) {
        const int fd = dial();
        say(fd, "A", 1, 1, "98=0|108=30|554=bad|");
        CHECK(hear(fd, "|58=no|") == 1);
        close(fd);
    }
    const int fd = dial();
    say(fd, "A", 1, 1, "98=0|108=30|");
    CHECK(hear(fd, "|35=A|34=1|") == 1);
    close(fd);
}

static void the_oldest_newcomer_goes_when_there_are_too_many(void)
{
    int silent[4 * NEWCOMERS];
    for (size_t i = 0; i < 4 * NEWCOMERS; i++)
        silent[i] = dial();
    const int fd = dial();
    say(fd, "A", 1, 2, "98=0|108=30|");
    CHECK(hear(fd, "|35=A|") == 1);
    CHECK(hear(silent[0], "8=FIX") == -1);
    close(fd);
    for (size_t i = 0; i < 4 * NEWCOMERS; i++)
        close(silent[i]);
}

int main(void)
{
    pthread_t engine, loop, policy;
    tl_command texts[4];
    const time_t now = time(NULL);
    struct tm utc;
    strftime(now_text, sizeof now_text, "%Y%m%d-%H:%M:%S", gmtime_r(&now, &utc));
    strcpy(folder, "/tmp/fix_server_XX" "XX" "XX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(bus_path, sizeof bus_path, "%s/bus", folder);
    snprintf(journal_path, sizeof journal_path, "%s/journal", folder);
    snprintf(store_path, sizeof store_path, "%s/store", folder);
    CHECK(mkdir(store_path, 0700) == 0);
    open_engine();
    CHECK(pthread_create(&engine, NULL, run_engine, NULL) == 0);
    set_up(texts);
    open_server(texts);
    judging = true;
    CHECK(pthread_create(&loop, NULL, run_server, NULL) == 0);
    CHECK(pthread_create(&policy, NULL, judge, NULL) == 0);
    const int fd = dial();
    an_order_is_answered_once_the_session_is_on(fd);
    strangers_are_closed_without_a_word();
    a_refusal_uses_no_number();
    the_oldest_newcomer_goes_when_there_are_too_many();
    tl_fix_server_stop(server);
    CHECK(hear(fd, "|35=5|") == 1); /* everybody is logged out first */
    close(fd);
    pthread_join(loop, NULL);
    judging = false;
    pthread_join(policy, NULL);
    tl_fix_server_close(server);
    tl_lane_close(&lane);
    tl_runner_stop(runner);
    pthread_join(engine, NULL);
    tl_runner_close(runner);
    tl_bus_close(bus);
    char command[160];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
    return 0;
}

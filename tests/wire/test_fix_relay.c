/* The relay over real sockets: what another engine is given in the place of what a broker sent. The
 * test is the broker, and it is the other engine. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/wire/fix_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

static char folder[64], now_text[32], pending[4096];
static tl_bus *bus;
static tl_lane lane;
static tl_fix_server *server;
static int port, listener, broker, engine;
static atomic_bool judging;

static void *run_server(void *nothing)
{
    CHECK(tl_fix_server_run(server, 1) == 0);
    return nothing;
}

static void *judge(void *nothing)
{
    tl_fix_question question;
    while (judging)
        if (tl_fix_server_question(server, &question, SECOND_NS / 50))
            tl_fix_server_verdict(server, question.ticket, NULL);
    return nothing;
}

static void open_engine(struct sockaddr_un *place, socklen_t *size)
{
    *place = (struct sockaddr_un){.sun_family = AF_UNIX};
    *size = sizeof *place;
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)place, offsetof(struct sockaddr_un, sun_path)) == 0);
    CHECK(listen(listener, 4) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)place, size) == 0);
}

static void open_server(void)
{
    const tl_bus_geometry geometry = {4, 1024, 1024, 0};
    struct sockaddr_un inner;
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t inner_size, size = sizeof place;
    char path[96];
    const uint32_t account = 0;
    open_engine(&inner, &inner_size);
    const tl_fix_server_config config = {
        .store = {.sessions_max = 1, .segment_bytes = 1 << 20},
        .message_max = 4096,
        .logon_max = 1024,
        .newcomers_max = 4,
        .logon_ns = 5 * SECOND_NS,
        .answer_ns = SECOND_NS,
        .relay_to = inner.sun_path,
        .relay_bytes = inner_size - (socklen_t)offsetof(struct sockaddr_un, sun_path),
    };
    snprintf(path, sizeof path, "%s/bus", folder);
    CHECK(tl_bus_create(&bus, path, &geometry) == 0);
    CHECK(tl_lane_open(&lane, bus, TL_LANE_FIX, 0) == 0);
    snprintf(path, sizeof path, "%s/store", folder);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(tl_fix_server_open(&server, path, &config, bus, &lane) == 0);
    const tl_fix_terms terms = {.dialect = tl_fix_dialect_find("FIX.4.4", ""),
                                .comp_id = "B",
                                .venue_comp_id = "TL",
                                .heartbeat_max_s = 30,
                                .sending_time_tolerance_s = 120,
                                .time_decimals = 3};
    CHECK(tl_fix_server_session(server, &terms, &account, 1, true, TL_FIX_MARK_STORED) == 0);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(fd, (struct sockaddr *)&place, size) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&place, &size) == 0);
    port = ntohs(place.sin_port);
    CHECK(tl_fix_server_listen(server, fd, NULL) == 0);
}

/* A message is put with those that wait for `flush`. `head` and `rest` have | for SOH. */
static void put(const char *version, const char *head, const char *from_to, const char *rest)
{
    char body[600], message[800];
    const int size = snprintf(body, sizeof body, "%s%s52=%s|%s", head, from_to, now_text, rest);
    int end = snprintf(message, sizeof message, "8=%s|9=%d|%s", version, size, body);
    for (int i = 0; i < end; i++)
        message[i] = message[i] == '|' ? '\x01' : message[i];
    end += snprintf(message + end, sizeof message - (size_t)end, "10=%03u\x01",
                    tl_fix_checksum(message, (size_t)end));
    CHECK(strlen(pending) + (size_t)end < sizeof pending);
    strcat(pending, message);
}

static void say(const char *head, const char *rest)
{
    put("FIX.4.4", head, "49=B|56=TL|", rest);
}

static void answer(const char *head, const char *rest)
{
    put("FIX.4.4", head, "49=TL|56=B|", rest);
}

static void flush(int fd)
{
    const size_t size = strlen(pending);
    CHECK(send(fd, pending, size, MSG_NOSIGNAL) == (ssize_t)size);
    pending[0] = 0;
}

/* The next message that comes at `fd`, with | for SOH, without its time; "" at the end. */
static const char *next(int fd)
{
    static char message[4096];
    size_t size = 0;
    message[0] = 0;
    for (;;) {
        char c;
        if (recv(fd, &c, 1, 0) != 1)
            return "";
        message[size++] = c == '\x01' ? '|' : c;
        message[size] = 0;
        CHECK(size + 1 < sizeof message);
        if (size > 8 && c == '\x01' && memcmp(message + size - 8, "|10=", 4) == 0)
            break;
    }
    char *time = strstr(message, "|52="), *after = time == NULL ? NULL : strchr(time + 1, '|');
    CHECK(after != NULL);
    memmove(time, after, strlen(after) + 1);
    *strstr(message, "|10=") = 0;
    char *body = strstr(message, "|35=");
    CHECK(body != NULL);
    return body + 1;
}

#define EXPECT(fd, expected)                                                                       \
    do {                                                                                           \
        const char *got = next(fd);                                                                \
        if (strcmp(got, expected) != 0)                                                            \
            fprintf(stderr, "got %s\n", got);                                                      \
        CHECK(strcmp(got, expected) == 0);                                                         \
    } while (0)

/* Both ends of a session whose other engine has sent so many messages. */
static void log_on(int sent)
{
    const struct sockaddr_in place = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {60, 0};
    char head[64], expected[128];
    broker = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(broker, (const struct sockaddr *)&place, sizeof place) == 0);
    setsockopt(broker, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    say("35=A|34=1|", "98=0|108=30|");
    flush(broker);
    engine = accept(listener, NULL, NULL);
    CHECK(engine >= 0);
    setsockopt(engine, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT(engine, "35=A|34=1|49=B|56=TL|98=0|108=30");
    snprintf(head, sizeof head, "35=A|34=%d|", sent);
    answer(head, "98=0|108=30|");
    flush(engine);
    snprintf(expected, sizeof expected, "35=A|34=%d|49=TL|56=B|98=0|108=30", sent);
    EXPECT(broker, expected);
}

static void log_off(void)
{
    close(broker);
    CHECK(next(engine)[0] == 0);
    close(engine);
}

static void all_is_handed_on_but_resend_requests(void)
{
    log_on(7);
    say("35=1|34=2|", "112=a|");
    for (int i = 0; i < 3; i++)
        say(i == 0 ? "35=2|34=3|" : i == 1 ? "35=2|34=4|" : "35=2|34=5|", "7=1|16=0|");
    say("35=1|34=6|", "112=b|");
    flush(broker);
    EXPECT(engine, "35=1|34=2|49=B|56=TL|112=a");
    EXPECT(engine, "35=0|34=3|49=B|56=TL");
    EXPECT(engine, "35=0|34=4|49=B|56=TL");
    EXPECT(engine, "35=0|34=5|49=B|56=TL");
    EXPECT(engine, "35=1|34=6|49=B|56=TL|112=b");
    EXPECT(engine, "35=2|34=0|49=B|56=TL|7=1|16=7");
    answer("35=4|34=1|43=Y|", "123=Y|36=8|");
    flush(engine);
    EXPECT(broker, "35=4|34=1|43=Y|49=TL|56=B|123=Y|36=8");
    say("35=2|34=7|", "7=8|16=0|"); /* beyond what was sent, and the wrong way round */
    say("35=2|34=8|", "7=5|16=3|");
    say("35=1|34=9|", "112=c|");
    flush(broker);
    EXPECT(engine, "35=0|34=7|49=B|56=TL");
    EXPECT(engine, "35=0|34=8|49=B|56=TL");
    EXPECT(engine, "35=1|34=9|49=B|56=TL|112=c");
    log_off();
}

static void a_slice_follows_the_one_before(void)
{
    log_on(120);
    say("35=2|34=2|", "7=1|16=0|");
    flush(broker);
    EXPECT(engine, "35=0|34=2|49=B|56=TL");
    EXPECT(engine, "35=2|34=0|49=B|56=TL|7=1|16=50");
    say("35=2|34=3|", "7=1|16=9|"); /* once more, later */
    say("35=1|34=4|", "112=a|");
    flush(broker);
    EXPECT(engine, "35=0|34=3|49=B|56=TL");
    EXPECT(engine, "35=1|34=4|49=B|56=TL|112=a");
    answer("35=0|34=121|", ""); /* a new message ends no slice */
    answer("35=8|34=49|43=Y|", "37=x|");
    answer("35=8|34=50|43=Y|", "37=x|");
    flush(engine);
    EXPECT(engine, "35=2|34=0|49=B|56=TL|7=51|16=100");
    answer("35=4|34=51|43=Y|", "123=Y|36=101|");
    flush(engine);
    EXPECT(engine, "35=2|34=0|49=B|56=TL|7=101|16=120");
    answer("35=8|34=120|43=Y|", "37=x|");
    flush(engine);
    EXPECT(engine, "35=2|34=0|49=B|56=TL|7=1|16=9");
    log_off();
}

static void another_version_is_handed_on_as_a_heartbeat(void)
{
    log_on(1);
    put("FIX.4.2", "35=D|34=2|", "49=B|56=TL|", "11=a|9999=x|");
    flush(broker);
    EXPECT(engine, "35=0|34=2|49=B|56=TL");
    log_off();
}

static void what_may_be_read_in_two_ways_ends_the_session(void)
{
    log_on(500);
    say("35=2|34=2|", "7=1|16=0|7=1|");
    flush(broker);
    CHECK(next(engine)[0] == 0);
    CHECK(next(broker)[0] == 0);
    log_off();
}

/* Is nothing there for a moment? What comes later than that would be seen by what is read next. */
static bool is_quiet(int fd)
{
    struct pollfd wanted = {fd, POLLIN, 0};
    return poll(&wanted, 1, 200) == 0;
}

static void order(int number, const char *flags)
{
    char head[32], rest[64];
    snprintf(head, sizeof head, "35=D|34=%d|", number);
    snprintf(rest, sizeof rest, "%s11=o%d|", flags, number);
    say(head, rest);
}

static void expect_order(int number)
{
    char expected[64];
    snprintf(expected, sizeof expected, "35=D|34=%d|49=B|56=TL|11=o%d", number, number);
    EXPECT(engine, expected);
}

static void a_few_requests_go_on_until_the_last_of_them_is_answered(void)
{
    log_on(1);
    for (int number = 2; number <= 12; number++)
        order(number, "");
    flush(broker);
    for (int number = 2; number <= 4; number++) /* with the Logon they are four */
        expect_order(number);
    CHECK(is_quiet(engine));
    answer("35=8|34=2|", "11=o3|150=0|");
    answer("35=8|34=3|43=Y|", "11=o4|150=0|");
    flush(engine);
    CHECK(is_quiet(engine));
    answer("35=8|34=4|", "11=o4|150=0|");
    flush(engine);
    for (int number = 5; number <= 8; number++)
        expect_order(number);
    CHECK(is_quiet(engine));
    answer("35=j|34=5|", "45=8|372=D|380=3|"); /* without its ClOrdID */
    flush(engine);
    for (int number = 9; number <= 12; number++) /* and after a moment without an answer */
        expect_order(number);
    order(13, "");
    flush(broker);
    expect_order(13);
    log_off();
}

/* Garbage twice in what is read at a time, and nothing that comes later: what is behind it goes on
 * although the other engine has read none of what is before it. */
static void a_message_behind_garbage_waits_for_nothing(void)
{
    static const char *const garbage[] = {"xx8=FIX", "8=FIX.4.4\x01yy", "zz"};
    int there = 0, expected = 0;
    log_on(1);
    for (int i = 0; i < 3; i++) {
        char head[32];
        snprintf(head, sizeof head, "35=1|34=%d|", i + 2);
        strcat(pending, garbage[i]);
        expected -= (int)strlen(pending);
        say(head, "112=a|");
        expected += (int)strlen(pending);
    }
    flush(broker);
    for (int looks = 0; there < expected && looks < 600; looks++) {
        CHECK(ioctl(engine, FIONREAD, &there) == 0);
        poll(NULL, 0, 10);
    }
    CHECK(there == expected);
    EXPECT(engine, "35=1|34=2|49=B|56=TL|112=a");
    EXPECT(engine, "35=1|34=3|49=B|56=TL|112=a");
    EXPECT(engine, "35=1|34=4|49=B|56=TL|112=a");
    log_off();
}

static void who_reads_nothing_is_not_read_from(void)
{
    char text[1024], rest[1100];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    snprintf(rest, sizeof rest, "11=o|58=%s|", text);
    log_on(1);
    struct pollfd room = {engine, POLLOUT, 0};
    for (int number = 2; poll(&room, 1, 500) == 1; number++) {
        char head[32];
        snprintf(head, sizeof head, "35=8|34=%d|", number);
        answer(head, rest);
        flush(engine);
    }
    say("35=1|34=2|", "112=late|");
    flush(broker);
    CHECK(is_quiet(engine));
    close(engine);
    CHECK(poll(NULL, 0, 4000) == 0); /* more than the moment he has to read what was said last */
    const int unread = broker;
    log_on(1);
    log_off();
    close(unread);
}

static void what_is_far_behind_a_gap_is_dropped(void)
{
    log_on(1);
    order(3, "");
    flush(broker);
    expect_order(3);
    answer("35=2|34=2|", "7=2|16=0|");
    flush(engine);
    EXPECT(broker, "35=2|34=2|49=TL|56=B|7=2|16=0");
    for (int number = 4; number <= 24; number++)
        order(number, "");
    order(2, "43=Y|");
    flush(broker);
    for (int number = 4; number <= 19; number++) /* sixteen */
        expect_order(number);
    EXPECT(engine, "35=D|34=2|49=B|56=TL|43=Y|11=o2");
    log_off();
}

int main(void)
{
    pthread_t loop, policy;
    const time_t now = time(NULL);
    struct tm utc;
    strftime(now_text, sizeof now_text, "%Y%m%d-%H:%M:%S", gmtime_r(&now, &utc));
    strcpy(folder, "/tmp/fix_relay_XX" "XX" "XX");
    CHECK(mkdtemp(folder) != NULL);
    open_server();
    judging = true;
    CHECK(pthread_create(&loop, NULL, run_server, NULL) == 0);
    CHECK(pthread_create(&policy, NULL, judge, NULL) == 0);
    all_is_handed_on_but_resend_requests();
    a_slice_follows_the_one_before();
    another_version_is_handed_on_as_a_heartbeat();
    what_may_be_read_in_two_ways_ends_the_session();
    a_few_requests_go_on_until_the_last_of_them_is_answered();
    a_message_behind_garbage_waits_for_nothing();
    who_reads_nothing_is_not_read_from();
    what_is_far_behind_a_gap_is_dropped();
    tl_fix_server_stop(server);
    pthread_join(loop, NULL);
    judging = false;
    pthread_join(policy, NULL);
    tl_fix_server_close(server);
    tl_lane_close(&lane);
    tl_bus_close(bus);
    close(listener);
    char command[160];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
    return 0;
}

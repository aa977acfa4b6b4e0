/* The port for streams on loopback: bytes come whole and in order, however they are cut; who is
 * slow, who leaves and who is too many. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/wire/port_tcp.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROOM 4096u
#define EVENTS 16u
#define ROUNDS_MAX 100000

static tl_tcp *opened(const tl_tcp_options *options)
{
    tl_tcp *tcp;
    tl_port_fault fault = {0};
    const int rc = tl_tcp_open(&tcp, options, &fault);
    if (rc != 0)
        fprintf(stderr, "%s\n", fault.text);
    CHECK(rc == 0);
    return tcp;
}

static tl_tcp_options plain(const char *local)
{
    return (tl_tcp_options){
        .local = local, .connections_max = 4, .receive_max = ROOM, .send_max = ROOM};
}

static uint32_t connected(tl_tcp *client, const tl_tcp *server)
{
    char text[TL_PORT_ADDRESS_BYTES];
    const int64_t conn =
        tl_tcp_connect(client, tl_port_address_text(tl_tcp_local(server), text), NULL);
    CHECK(conn > 0);
    return (uint32_t)conn;
}

/* The next event of this kind; others, which the test does not ask for here, are errors. */
static tl_tcp_event expected(tl_tcp *tcp, uint8_t kind)
{
    tl_tcp_event event = {0};
    CHECK(tl_tcp_poll(tcp, &event, 1, 2000) == 1);
    CHECK(event.kind == kind);
    return event;
}

static void expect_nothing(tl_tcp *tcp)
{
    tl_tcp_event event;
    for (int i = 0; i < 40; i++)
        CHECK(tl_tcp_poll(tcp, &event, 1, 0) == 0);
}

typedef struct scene {
    tl_tcp *server, *client;
    uint32_t at_server, at_client;
} scene;

static scene set(const char *local, uint32_t direct_max)
{
    tl_tcp_options options = plain(local);
    scene s = {0};
    options.direct_max = direct_max;
    s.server = opened(&options);
    options.local = NULL;
    s.client = opened(&options);
    s.at_client = connected(s.client, s.server);
    CHECK(expected(s.client, TL_TCP_OPENED).conn == s.at_client);
    s.at_server = expected(s.server, TL_TCP_OPENED).conn;
    return s;
}

static void strike(scene *s)
{
    tl_tcp_close(s->server);
    tl_tcp_close(s->client);
}

static void bytes_come_whole_whatever_is_taken(const char *local, uint32_t direct_max)
{
    scene s = set(local, direct_max);
    uint64_t seed = 7;
    uint32_t sent = 0;
    uint32_t got = 0;
    for (int round = 0; got < 1000000; round++) {
        CHECK(round < ROUNDS_MAX * 10);
        const uint32_t size = (uint32_t)(random_next(&seed) % 1500);
        uint8_t *room = sent < 1000000 ? tl_tcp_room(s.client, s.at_client, size) : NULL;
        for (uint32_t i = 0; room != NULL && i < size; i++)
            room[i] = (uint8_t)((sent + i) * 31 >> 3);
        if (room != NULL) {
            tl_tcp_put(s.client, s.at_client, size);
            sent += size;
        }
        tl_tcp_event events[EVENTS];
        CHECK(tl_tcp_poll(s.client, events, EVENTS, 0) == 0);
        const int n = tl_tcp_poll(s.server, events, EVENTS, 0);
        for (int e = 0; e < n; e++) {
            CHECK(events[e].kind == TL_TCP_BYTES && events[e].conn == s.at_server);
            for (uint32_t i = 0; i < events[e].size; i++)
                CHECK(events[e].bytes[i] == (uint8_t)((got + i) * 31 >> 3));
            const uint32_t take = (uint32_t)(random_next(&seed) % (events[e].size + 1));
            tl_tcp_took(s.server, s.at_server, take);
            got += take;
        }
        const uint8_t *rest;
        if (n == 0 && sent >= 1000000) {
            const uint32_t waits = tl_tcp_waiting(s.server, s.at_server, &rest);
            CHECK(waits == 0 || rest[waits - 1] == (uint8_t)((got + waits - 1) * 31 >> 3));
            tl_tcp_took(s.server, s.at_server, waits);
            got += waits;
        }
    }
    CHECK(got == sent);
    strike(&s);
}

static void who_takes_nothing_is_read_no_further(uint32_t direct_max)
{
    scene s = set("127.0.0.1:0", direct_max);
    static uint8_t bytes[ROOM];
    uint32_t size = sizeof bytes;
    uint64_t sent = 0;
    tl_tcp_event event;
    /* Until the client has no room: the kernel's buffers are full, and ours on both sides. What
     * the kernel took in part leaves room for less than all, so byte by byte at the end. */
    for (int i = 0; i < ROUNDS_MAX && tl_tcp_room(s.client, s.at_client, 1) != NULL; i++) {
        const int rc = tl_tcp_send(s.client, s.at_client, bytes, size);
        CHECK(rc == 0 || rc == -EAGAIN || rc == -ENOBUFS);
        sent += rc == -ENOBUFS ? 0 : size;
        size = rc == -ENOBUFS ? 1 : size;
        (void)tl_tcp_poll(s.server, &event, 1, 0);
    }
    CHECK(tl_tcp_send(s.client, s.at_client, bytes, 1) == -ENOBUFS);
    const uint8_t *waits;
    CHECK(tl_tcp_waiting(s.server, s.at_server, &waits) == ROOM);
    expect_nothing(s.server);
    for (uint64_t got = 0; got < sent;) {
        const uint32_t count = tl_tcp_waiting(s.server, s.at_server, &waits);
        tl_tcp_took(s.server, s.at_server, count);
        got += count;
        CHECK(tl_tcp_poll(s.client, &event, 1, 0) == 0);
        CHECK(got == sent || tl_tcp_poll(s.server, &event, 1, 2000) == 1);
    }
    strike(&s);
}

static void an_end_comes_after_all_bytes(void)
{
    scene s = set("127.0.0.1:0", 0);
    CHECK(tl_tcp_send(s.client, s.at_client, "last words", 10) == 0);
    tl_tcp_end(s.client, s.at_client);
    CHECK(tl_tcp_send(s.client, s.at_client, "x", 1) == -ENOTCONN);
    CHECK(tl_tcp_room(s.client, s.at_client, 1) == NULL);
    tl_tcp_event event = expected(s.server, TL_TCP_BYTES);
    CHECK(event.size == 10 && memcmp(event.bytes, "last words", 10) == 0);
    event = expected(s.server, TL_TCP_CLOSED);
    CHECK(event.conn == s.at_server && event.error == 0);
    CHECK(tl_tcp_connections(s.server) == 0);
    CHECK(expected(s.client, TL_TCP_CLOSED).error == 0);
    CHECK(tl_tcp_connections(s.client) == 0);
    /* Numbers that mean nothing any more do nothing. */
    CHECK(tl_tcp_send(s.server, s.at_server, "x", 1) == -ENOTCONN);
    CHECK(tl_tcp_flush(s.server, s.at_server) == -ENOTCONN);
    tl_tcp_took(s.server, s.at_server, 10);
    tl_tcp_put(s.server, s.at_server, 10);
    tl_tcp_end(s.server, s.at_server);
    tl_tcp_drop(s.server, s.at_server);
    CHECK(tl_tcp_peer(s.server, s.at_server).family == 0);
    strike(&s);
}

static void a_number_is_not_given_again(void)
{
    scene s = set("127.0.0.1:0", 0);
    const uint32_t first = s.at_server;
    tl_tcp_drop(s.server, first);
    CHECK(expected(s.client, TL_TCP_CLOSED).conn == s.at_client);
    s.at_client = connected(s.client, s.server);
    CHECK(expected(s.client, TL_TCP_OPENED).conn == s.at_client);
    s.at_server = expected(s.server, TL_TCP_OPENED).conn;
    CHECK(s.at_server != first);
    CHECK(tl_tcp_send(s.server, first, "x", 1) == -ENOTCONN);
    CHECK(tl_tcp_send(s.server, s.at_server, "y", 1) == 0);
    CHECK(expected(s.client, TL_TCP_BYTES).bytes[0] == 'y');
    strike(&s);
}

static void a_broken_connection_is_told_with_its_error(void)
{
    scene s = set("127.0.0.1:0", 0);
    static uint8_t bytes[ROOM];
    /* Dropped with bytes unread: the kernel resets it. */
    CHECK(tl_tcp_send(s.client, s.at_client, "x", 1) == 0);
    CHECK(expected(s.server, TL_TCP_BYTES).size == 1);
    CHECK(tl_tcp_send(s.client, s.at_client, "y", 1) == 0);
    tl_tcp_drop(s.server, s.at_server);
    int rc = 0;
    for (int i = 0; i < ROUNDS_MAX && (rc == 0 || rc == -EAGAIN); i++)
        rc = tl_tcp_send(s.client, s.at_client, bytes, sizeof bytes);
    CHECK(rc == -ECONNRESET || rc == -EPIPE);
    tl_tcp_event event = expected(s.client, TL_TCP_CLOSED);
    CHECK(event.error == -ECONNRESET || event.error == -EPIPE);
    strike(&s);
}

static void who_can_not_be_reached_is_told_closed(void)
{
    tl_tcp_options options = plain("127.0.0.1:0");
    tl_tcp *server = opened(&options);
    char text[TL_PORT_ADDRESS_BYTES];
    tl_port_address_text(tl_tcp_local(server), text);
    tl_tcp_close(server);
    options.local = NULL;
    tl_tcp *client = opened(&options);
    tl_port_fault fault;
    const int64_t conn = tl_tcp_connect(client, text, &fault);
    CHECK(conn > 0);
    CHECK(tl_tcp_send(client, (uint32_t)conn, "x", 1) == -EAGAIN);
    const tl_tcp_event event = expected(client, TL_TCP_CLOSED);
    CHECK(event.conn == conn && event.error == -ECONNREFUSED);
    CHECK(tl_tcp_connect(client, "nowhere", &fault) == -EINVAL);
    CHECK(strncmp(fault.text, "connect nowhere", 15) == 0);
    tl_tcp_close(client);
}

/* What ended a wait is told by the next poll, and what came since by the one after it. */
static void a_wait_ends_with_bytes_and_with_another_descriptor(uint32_t direct_max)
{
    scene s = set("127.0.0.1:0", direct_max);
    const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const uint64_t one = 1;
    tl_tcp_event event = {0};
    CHECK(bell >= 0 && tl_tcp_also(s.server, bell) == 0);
    CHECK(tl_tcp_also(s.server, -1) == -EBADF);
    expect_nothing(s.server);
    CHECK(tl_tcp_wait(s.server, 0) == 0);
    expect_nothing(s.server);
    CHECK(write(bell, &one, sizeof one) == sizeof one);
    CHECK(tl_tcp_wait(s.server, -1) == 0);
    expect_nothing(s.server);
    CHECK(tl_tcp_send(s.client, s.at_client, "bytes", 5) == 0);
    CHECK(tl_tcp_wait(s.server, -1) == 0);
    CHECK(tl_tcp_poll(s.server, &event, 1, 0) == 1);
    CHECK(event.kind == TL_TCP_BYTES && event.size == 5);
    tl_tcp_took(s.server, s.at_server, 5);
    CHECK(write(bell, &one, sizeof one) == sizeof one); /* never read: an edge of its own */
    CHECK(tl_tcp_wait(s.server, -1) == 0);
    CHECK(tl_tcp_send(s.client, s.at_client, "more", 4) == 0);
    for (int i = 0; event.size != 4; i++) {
        CHECK(i < ROUNDS_MAX);
        (void)tl_tcp_poll(s.server, &event, 1, 0);
    }
    close(bell);
    strike(&s);
}

static void who_is_too_many_is_turned_away(void)
{
    tl_tcp_options options = plain("127.0.0.1:0");
    tl_tcp *server = opened(&options);
    options.local = NULL;
    options.connections_max = 6;
    tl_tcp *client = opened(&options);
    tl_tcp_event event;
    uint32_t opened_count = 0, closed = 0, taken = 0;
    for (int i = 0; i < 6; i++)
        connected(client, server);
    CHECK(tl_tcp_connect(client, "127.0.0.1:1", NULL) == -ENOBUFS);
    for (int i = 0; i < ROUNDS_MAX && (closed < 2 || taken < 4); i++) {
        if (tl_tcp_poll(client, &event, 1, 0) == 1) {
            opened_count += event.kind == TL_TCP_OPENED;
            closed += event.kind == TL_TCP_CLOSED;
        }
        taken += tl_tcp_poll(server, &event, 1, 0) == 1 && event.kind == TL_TCP_OPENED;
    }
    CHECK(taken == 4 && tl_tcp_connections(server) == 4 && tl_tcp_refused(server) == 2);
    CHECK(closed == 2 && opened_count >= 4 && tl_tcp_connections(client) == 4);
    tl_tcp_close(server);
    tl_tcp_close(client);
}

static void no_descriptor_left_turns_away_and_goes_on(void)
{
    scene s = set("127.0.0.1:0", 0);
    struct rlimit before;
    const uint32_t more = connected(s.client, s.server);
    CHECK(expected(s.client, TL_TCP_OPENED).conn == more);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    expect_nothing(s.server);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(tl_tcp_send(s.client, s.at_client, "x", 1) == 0);
    /* Whoever waits by now is taken; the connection that stood goes on. */
    tl_tcp_event event = {0};
    while (event.kind != TL_TCP_BYTES)
        CHECK(tl_tcp_poll(s.server, &event, 1, 2000) == 1);
    CHECK(event.conn == s.at_server);
    strike(&s);
}

static void the_kernel_stamps_a_stream(void)
{
    tl_tcp_options options = plain("127.0.0.1:0");
    scene s = {0};
    options.tuning.stamps = TL_PORT_SOFTWARE;
    options.tuning.busy_poll_us = 20;
    s.server = opened(&options);
    options.local = NULL;
    s.client = opened(&options);
    s.at_client = connected(s.client, s.server);
    CHECK(expected(s.client, TL_TCP_OPENED).conn == s.at_client);
    s.at_server = expected(s.server, TL_TCP_OPENED).conn;
    const tl_port_facts *facts = tl_tcp_what_was_got(s.server);
    CHECK(tl_port_fact_named(facts, "stamps")->got == TL_PORT_SOFTWARE);
    CHECK(tl_port_fact_named(facts, "busy_poll_us")->asked == 20);
    CHECK(tl_port_fact_named(facts, "epoll_busy_poll_us") != NULL);
    /* The kernel switches stamps on a moment after they were first asked for. Stamps that nobody
     * fetches fill a queue, and then there are no more. */
    tl_tcp_event event = {0};
    tl_port_sent sent = {0};
    uint32_t bytes = 0;
    for (int i = 0; event.rx_ns == 0; i++) {
        CHECK(i < ROUNDS_MAX);
        CHECK(tl_tcp_send(s.client, s.at_client, "12345678", 8) == 0);
        bytes += 8;
        event = expected(s.server, TL_TCP_BYTES);
        tl_tcp_took(s.server, s.at_server, event.size);
        CHECK(tl_tcp_sent_stamps(s.client, s.at_client, &sent, 1) >= 0);
    }
    CHECK(event.stamp == TL_PORT_SOFTWARE);
    for (int i = 0; i < ROUNDS_MAX && sent.number != bytes - 1; i++)
        CHECK(tl_tcp_sent_stamps(s.client, s.at_client, &sent, 1) >= 0);
    CHECK(sent.number == bytes - 1 && sent.stamp == TL_PORT_SOFTWARE);
    /* They were in one machine, so one clock has stamped both. */
    CHECK(sent.tx_ns <= event.rx_ns && event.rx_ns - sent.tx_ns < INT64_C(10000000000));
    strike(&s);
}

static void refusals_say_what_and_where(void)
{
    tl_tcp_options options = plain("127.0.0.1:0");
    tl_port_fault fault;
    tl_tcp *other;
    char text[TL_PORT_ADDRESS_BYTES];
    tl_tcp *server = opened(&options);
    options.local = tl_port_address_text(tl_tcp_local(server), text);
    CHECK(tl_tcp_open(&other, &options, &fault) == -EADDRINUSE && other == NULL);
    CHECK(strncmp(fault.text, "listen 127.0.0.1:", 17) == 0);
    CHECK(strstr(fault.text, strerror(EADDRINUSE)) != NULL);
    options.local = "here";
    CHECK(tl_tcp_open(&other, &options, &fault) == -EINVAL);
    CHECK(strncmp(fault.text, "listen here", 11) == 0);
    options.connections_max = 65536;
    CHECK(tl_tcp_open(&other, &options, &fault) == -EINVAL);
    CHECK(strncmp(fault.text, "connections_max 65536", 21) == 0);
    options.connections_max = 1;
    options.send_max = 0;
    CHECK(tl_tcp_open(&other, &options, NULL) == -EINVAL);
    tl_tcp_close(server);
    tl_tcp_close(NULL);
}

int main(void)
{
    for (uint32_t direct_max = 0; direct_max <= 4; direct_max += 4) {
        bytes_come_whole_whatever_is_taken("127.0.0.1:0", direct_max);
        bytes_come_whole_whatever_is_taken("[::1]:0", direct_max);
        who_takes_nothing_is_read_no_further(direct_max);
        a_wait_ends_with_bytes_and_with_another_descriptor(direct_max);
    }
    an_end_comes_after_all_bytes();
    a_number_is_not_given_again();
    a_broken_connection_is_told_with_its_error();
    who_can_not_be_reached_is_told_closed();
    who_is_too_many_is_turned_away();
    no_descriptor_left_turns_away_and_goes_on();
    the_kernel_stamps_a_stream();
    refusals_say_what_and_where();
    return 0;
}

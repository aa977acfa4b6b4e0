/* Ports over UDP sockets on loopback: what is sent comes, whole, in order and from whom it says;
 * segments are taken apart; groups, stamps, losses and refusals. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/wire/port.h"

#include <errno.h>
#include <time.h>

#define MANY 256u

static tl_port *opened(const tl_port_options *options)
{
    tl_port *port;
    tl_port_fault fault = {0};
    const int rc = tl_port_udp_open(&port, options, &fault);
    if (rc != 0)
        fprintf(stderr, "%s\n", fault.text);
    CHECK(rc == 0);
    return port;
}

static tl_port_options plain(const char *local)
{
    return (tl_port_options){.local = local, .batch = MANY, .size_max = 1500, .loop = true};
}

/* The next `count` datagrams; the port gives them in one or more batches, which are checked here
 * one by one, because they stand only until the next. */
static void expect_numbered(tl_port *port, uint32_t count, const tl_port_address *from)
{
    static tl_port_datagram got[MANY];
    uint32_t next = 0;
    while (next < count) {
        const int n = tl_port_poll(port, got, MANY, 2000);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, next++) {
            uint32_t number;
            CHECK(got[i].size == 64 + next % 7 * (next % 50 == 49));
            memcpy(&number, got[i].bytes, sizeof number);
            CHECK(number == next);
            CHECK(got[i].bytes[got[i].size - 1] == (uint8_t)next);
            CHECK(tl_port_address_same(&got[i].from, from));
        }
    }
    CHECK(next == count);
    CHECK(tl_port_poll(port, got, MANY, 0) == 0);
}

static void send_numbered(tl_port *port, uint32_t count, const tl_port_address *to)
{
    static uint8_t bytes[MANY][128];
    static tl_port_packet packets[MANY];
    CHECK(count <= MANY);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t size = 64 + i % 7 * (i % 50 == 49);
        memset(bytes[i], (int)i, sizeof bytes[i]);
        memcpy(bytes[i], &i, sizeof i);
        packets[i] = (tl_port_packet){.bytes = bytes[i], .to = to, .size = size};
    }
    for (uint32_t sent = 0; sent < count;) {
        const int n = tl_port_send(port, packets + sent, count - sent);
        CHECK(n > 0 || n == -EAGAIN);
        sent += n > 0 ? (uint32_t)n : 0;
    }
}

static void batches_come_whole_and_in_order(const char *local, bool segments)
{
    tl_port_options options = plain(local);
    options.segments = segments;
    tl_port *receiver = opened(&options);
    tl_port *sender = opened(&options);
    send_numbered(sender, 200, tl_port_local(receiver));
    expect_numbered(receiver, 200, tl_port_local(sender));
    const tl_port_counts sent = tl_port_counted(sender);
    const tl_port_counts received = tl_port_counted(receiver);
    CHECK(sent.sent == 200 && received.received == 200 && received.lost == 0);
    if (segments) {
        const tl_port_fact *out = tl_port_fact_named(tl_port_what_was_got(sender), "segments_out");
        const tl_port_fact *in = tl_port_fact_named(tl_port_what_was_got(receiver), "segments_in");
        CHECK(out->asked == 1 && (out->got == 1 || out->error != 0));
        CHECK(in->asked == 1 && (in->got == 1 || in->error != 0));
    }
    tl_port_close(receiver);
    tl_port_close(sender);
}

static void what_poll_had_no_room_for_comes_next(void)
{
    tl_port_options options = plain("127.0.0.1:0");
    tl_port_datagram got[3];
    options.segments = true;
    tl_port *receiver = opened(&options);
    tl_port *sender = opened(&options);
    send_numbered(sender, 40, tl_port_local(receiver));
    uint32_t next = 0;
    for (int n; next < 40; ) {
        n = tl_port_poll(receiver, got, 3, 2000);
        CHECK(n > 0 && n <= 3);
        for (int i = 0; i < n; i++, next++)
            CHECK(memcmp(got[i].bytes, &next, sizeof next) == 0);
    }
    tl_port_close(receiver);
    tl_port_close(sender);
}

static void a_larger_datagram_comes_cut_and_says_so(bool segments)
{
    tl_port_options options = plain("127.0.0.1:0");
    static uint8_t bytes[300];
    options.size_max = 100;
    options.segments = segments;
    tl_port *receiver = opened(&options);
    tl_port *sender = opened(&options);
    tl_port_packet packets[] = {{bytes, tl_port_local(receiver), 300},
                                {bytes, tl_port_local(receiver), 0},
                                {bytes, tl_port_local(receiver), 100}};
    CHECK(tl_port_send(sender, packets, 3) == 3);
    const uint32_t sizes[] = {100, 0, 100};
    for (int next = 0; next < 3;) {
        tl_port_datagram got[4];
        const int n = tl_port_poll(receiver, got, 4, 2000);
        CHECK(n > 0);
        for (int i = 0; i < n; i++, next++) {
            CHECK(got[i].size == sizes[next]);
            CHECK(got[i].flags == (next == 0 ? TL_PORT_CUT : 0));
        }
    }
    CHECK(tl_port_counted(receiver).cut == 1);
    tl_port_close(receiver);
    tl_port_close(sender);
}

static void a_group_reaches_all_members(void)
{
    tl_port_options member = plain("239.255.7.7:0");
    char text[TL_PORT_ADDRESS_BYTES];
    member.interface = "lo";
    tl_port *one = opened(&member);
    /* The second joins the port that the system chose for the first. */
    tl_port_options other = member;
    other.local = tl_port_address_text(tl_port_local(one), text);
    tl_port *two = opened(&other);
    tl_port_options out = plain("127.0.0.1:0");
    out.to = text;
    out.interface = "lo";
    tl_port *sender = opened(&out);
    send_numbered(sender, 10, NULL);
    expect_numbered(one, 10, tl_port_local(sender));
    expect_numbered(two, 10, tl_port_local(sender));
    tl_port_close(one);
    tl_port_close(two);
    tl_port_close(sender);
}

static int64_t utc_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static uint32_t fetched_stamps(tl_port *sender, tl_port_sent sent[8], uint32_t next)
{
    const int n = tl_port_sent_stamps(sender, sent, 8);
    CHECK(n >= 0);
    for (int i = 0; i < n; i++)
        CHECK(sent[i].number == next++ && sent[i].stamp == TL_PORT_SOFTWARE);
    return (uint32_t)n;
}

static void the_kernel_stamps_what_comes_and_goes(void)
{
    tl_port_options options = plain("127.0.0.1:0");
    tl_port_datagram got[8];
    tl_port_sent sent[8];
    options.tuning.stamps = TL_PORT_SOFTWARE;
    options.segments = true;
    tl_port *receiver = opened(&options);
    tl_port *sender = opened(&options);
    const tl_port_facts *facts = tl_port_what_was_got(sender);
    CHECK(tl_port_fact_named(facts, "stamps")->got == TL_PORT_SOFTWARE);
    /* A stamp belongs to one datagram. */
    CHECK(tl_port_fact_named(facts, "segments_out")->got == 0);
    /* The first packets ever stamped on a machine may still go without: the kernel switches its
     * stamps on a moment after they were asked for. */
    int64_t rx_ns = 0;
    uint32_t rounds = 0;
    int64_t before = 0;
    uint32_t seen = 0;
    while (rx_ns == 0) {
        CHECK(rounds++ < 100000);
        if (rounds % 8 == 0)
            seen += fetched_stamps(sender, sent, seen);
        before = utc_ns();
        send_numbered(sender, 1, tl_port_local(receiver));
        CHECK(tl_port_poll(receiver, got, 8, 2000) == 1);
        rx_ns = got[0].rx_ns;
    }
    CHECK(got[0].stamp == TL_PORT_SOFTWARE);
    CHECK(rx_ns >= before && rx_ns <= utc_ns());
    for (uint32_t tries = 0; seen < rounds && tries < 100000; tries++)
        seen += fetched_stamps(sender, sent, seen);
    CHECK(seen == rounds);
    CHECK(sent[0].tx_ns != 0);
    tl_port_close(receiver);
    tl_port_close(sender);
}

static void what_the_kernel_had_no_room_for_is_counted(void)
{
    tl_port_options options = plain("127.0.0.1:0");
    static tl_port_datagram got[MANY];
    options.tuning.receive_bytes = 4096;
    tl_port *receiver = opened(&options);
    tl_port *sender = opened(&options);
    for (int i = 0; i < 8; i++)
        send_numbered(sender, MANY, tl_port_local(receiver));
    uint64_t taken = 0;
    for (int n = 1; n > 0; taken += (uint64_t)n)
        n = tl_port_poll(receiver, got, MANY, 0);
    CHECK(taken < (uint64_t)8 * MANY);
    /* The kernel says how many were lost with the next that comes. */
    send_numbered(sender, 1, tl_port_local(receiver));
    CHECK(tl_port_poll(receiver, got, MANY, 2000) == 1);
    CHECK(tl_port_counted(receiver).lost == (uint64_t)8 * MANY - taken);
    tl_port_close(receiver);
    tl_port_close(sender);
}

static void a_lost_listener_does_not_end_the_sender(void)
{
    char text[TL_PORT_ADDRESS_BYTES];
    tl_port_options options = plain("127.0.0.1:0");
    tl_port_datagram got[4];
    tl_port *receiver = opened(&options);
    tl_port_options out = options;
    out.to = tl_port_address_text(tl_port_local(receiver), text);
    out.connected = true;
    tl_port *sender = opened(&out);
    tl_port_close(receiver);
    for (int i = 0; i < 10; i++) {
        send_numbered(sender, 1, NULL);
        CHECK(tl_port_poll(sender, got, 4, 0) == 0);
    }
    CHECK(tl_port_counted(sender).unreached > 0);
    options.local = text;
    receiver = opened(&options);
    send_numbered(sender, 5, NULL);
    expect_numbered(receiver, 5, tl_port_local(sender));
    tl_port_close(receiver);
    tl_port_close(sender);
}

static void refusals_say_what_and_where(void)
{
    tl_port_fault fault;
    tl_port *port;
    char text[TL_PORT_ADDRESS_BYTES];
    tl_port_options options = plain("127.0.0.1:0");
    tl_port *first = opened(&options);
    options.local = tl_port_address_text(tl_port_local(first), text);
    CHECK(tl_port_udp_open(&port, &options, &fault) == -EADDRINUSE);
    CHECK(port == NULL && fault.error == -EADDRINUSE);
    CHECK(strncmp(fault.text, "bind 127.0.0.1:", 15) == 0);
    CHECK(strstr(fault.text, strerror(EADDRINUSE)) != NULL);
    CHECK(tl_port_udp_open(&port, &options, NULL) == -EADDRINUSE);
    struct {
        tl_port_options options;
        int error;
        const char *words;
    } wrong[] = {
        {{.local = "127.0.0.1", .batch = 1, .size_max = 1}, -EINVAL, "local 127.0.0.1"},
        {{.local = "127.0.0.1:65536", .batch = 1, .size_max = 1}, -EINVAL, "local"},
        {{.local = "127.0.0.1:-1", .batch = 1, .size_max = 1}, -EINVAL, "local"},
        {{.local = "[::1:5", .batch = 1, .size_max = 1}, -EINVAL, "local"},
        {{.local = "127.0.0.1:0", .to = "[::1]:5", .batch = 1, .size_max = 1}, -EINVAL, "to"},
        {{.local = "127.0.0.1:0", .batch = 0, .size_max = 1}, -EINVAL, "batch 0"},
        {{.local = "127.0.0.1:0", .batch = 1, .size_max = 70000}, -EINVAL, "size_max 70000"},
        {{.local = "127.0.0.1:0", .interface = "none-such", .batch = 1, .size_max = 1},
         -ENODEV, "interface none-such"},
        {{.local = "127.0.0.1:0", .connected = true, .batch = 1, .size_max = 1},
         -EDESTADDRREQ, "connected"},
        {{.local = "192.0.2.1:0", .batch = 1, .size_max = 1}, -EADDRNOTAVAIL, "bind 192.0.2.1:0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(tl_port_udp_open(&port, &wrong[i].options, &fault) == wrong[i].error);
        CHECK(port == NULL);
        CHECK(strncmp(fault.text, wrong[i].words, strlen(wrong[i].words)) == 0);
    }
    CHECK(tl_port_send(first, &(tl_port_packet){"x", NULL, 1}, 1) == -EDESTADDRREQ);
    tl_port_close(first);
}

static void addresses_are_read_and_written(void)
{
    static const char *const good[] = {"192.0.2.1:5000", "[2001:db8::1]:65535", "[fe80::1%lo]:1",
                                       "0.0.0.0:0"};
    static const char *const bad[] = {"",        ":5",          "x:5",         "192.0.2.1:",
                                      "1.2.3:4", "[::1]5",      "[::1]:",      "192.0.2.1:5x",
                                      "[]:1",    "[::1%zz]:1",  "192.0.2.1: 5"};
    tl_port_address address;
    char text[TL_PORT_ADDRESS_BYTES];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(tl_port_address_read(&address, good[i]) == 0);
        CHECK(strcmp(tl_port_address_text(&address, text), good[i]) == 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(tl_port_address_read(&address, bad[i]) == -EINVAL);
    CHECK(tl_port_address_read(&address, NULL) == -EINVAL);
    CHECK(tl_port_address_read(&address, "239.1.2.3:4") == 0);
    CHECK(tl_port_address_multicast(&address));
}

static void what_was_asked_is_held_against_what_was_got(void)
{
    tl_port_options options = plain("127.0.0.1:0");
    options.tuning = (tl_port_tuning){.busy_poll_us = 50,
                                      .busy_poll_budget = 8,
                                      .prefer_busy_poll = true,
                                      .stamps = TL_PORT_HARDWARE,
                                      .receive_bytes = 65536};
    options.interface = "lo";
    tl_port *port = opened(&options);
    const tl_port_facts *facts = tl_port_what_was_got(port);
    static const char *const names[] = {"busy_poll_us", "busy_poll_budget", "prefer_busy_poll",
                                        "receive_bytes"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const tl_port_fact *fact = tl_port_fact_named(facts, names[i]);
        CHECK(fact != NULL && fact->asked != 0);
        CHECK(fact->got >= fact->asked || fact->error < 0);
    }
    /* Loopback has no card: software stamps instead, and why. */
    const tl_port_fact *stamps = tl_port_fact_named(facts, "stamps");
    CHECK(stamps->asked == TL_PORT_HARDWARE && stamps->got == TL_PORT_SOFTWARE);
    CHECK(stamps->error < 0);
    CHECK(tl_port_fact_named(facts, "none-such") == NULL);
    tl_port_close(port);
}

int main(void)
{
    addresses_are_read_and_written();
    batches_come_whole_and_in_order("127.0.0.1:0", false);
    batches_come_whole_and_in_order("127.0.0.1:0", true);
    batches_come_whole_and_in_order("[::1]:0", false);
    batches_come_whole_and_in_order("[::1]:0", true);
    what_poll_had_no_room_for_comes_next();
    a_larger_datagram_comes_cut_and_says_so(false);
    a_larger_datagram_comes_cut_and_says_so(true);
    a_group_reaches_all_members();
    the_kernel_stamps_what_comes_and_goes();
    what_the_kernel_had_no_room_for_is_counted();
    a_lost_listener_does_not_end_the_sender();
    refusals_say_what_and_where();
    what_was_asked_is_held_against_what_was_got();
    return 0;
}

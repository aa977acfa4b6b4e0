/* The network of one port: without faults all comes at once and in order; with them what comes is
 * what was sent but for the faults asked for, in about the shares asked for, by seed. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/wire/port.h"

#include <errno.h>

#define BATCH 16u
#define COUNT 20000u
#define SIZE 40u

static tl_port *opened(const tl_port_loop_options *options)
{
    tl_port *port;
    CHECK(tl_port_loop_open(&port, options, NULL) == 0);
    return port;
}

static tl_port_loop_options plain(void)
{
    return (tl_port_loop_options){.batch = BATCH, .size_max = 64, .slots = 4096, .seed = 11};
}

typedef struct tally {
    uint8_t times[COUNT]; /* each number came */
    uint32_t came, shortened, overtaken;
    uint64_t hash; /* of all that came, in its order */
} tally;

static void look(tl_port *port, tally *t)
{
    static uint32_t highest;
    tl_port_datagram got[BATCH];
    const int n = tl_port_poll(port, got, BATCH, 0);
    CHECK(n >= 0);
    for (int i = 0; i < n; i++) {
        uint32_t number = 0;
        t->came++;
        t->hash = (t->hash ^ got[i].size) * UINT64_C(0x100000001B3);
        if (got[i].size < SIZE) {
            t->shortened++;
            continue;
        }
        memcpy(&number, got[i].bytes, sizeof number);
        CHECK(number < COUNT && got[i].size == SIZE);
        for (uint32_t b = sizeof number; b < SIZE; b++)
            CHECK(got[i].bytes[b] == (uint8_t)(number + b));
        t->times[number]++;
        t->hash = (t->hash ^ number) * UINT64_C(0x100000001B3);
        if (t->came == 1)
            highest = number;
        t->overtaken += number < highest;
        highest = number > highest ? number : highest;
    }
}

static tally played(const tl_port_loop_options *options)
{
    static tally t;
    uint8_t bytes[SIZE];
    tl_port *port = opened(options);
    memset(&t, 0, sizeof t);
    for (uint32_t number = 0; number < COUNT; number++) {
        memcpy(bytes, &number, sizeof number);
        for (uint32_t b = sizeof number; b < SIZE; b++)
            bytes[b] = (uint8_t)(number + b);
        CHECK(tl_port_send(port, &(tl_port_packet){bytes, NULL, SIZE}, 1) == 1);
        if (number % 4 == 3)
            look(port, &t);
    }
    for (int i = 0; i < 1000; i++)
        look(port, &t);
    const tl_port_counts counts = tl_port_counted(port);
    CHECK(counts.sent == COUNT && counts.received == t.came && counts.cut == t.shortened);
    tl_port_close(port);
    return t;
}

static void without_faults_all_comes_in_order(void)
{
    tl_port_loop_options options = plain();
    for (uint32_t delay = 0; delay < 9; delay += 8) {
        options.delay = delay;
        const tally t = played(&options);
        CHECK(t.came == COUNT && t.shortened == 0 && t.overtaken == 0);
        for (uint32_t i = 0; i < COUNT; i++)
            CHECK(t.times[i] == 1);
    }
}

static uint32_t how_many(const tally *t, uint8_t times)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < COUNT; i++)
        count += t->times[i] == times;
    return count;
}

/* Within a fifth: for these numbers more than ten standard deviations. */
static bool about(uint32_t is, uint32_t wanted)
{
    return is > wanted - wanted / 5 && is < wanted + wanted / 5;
}

static void each_fault_has_its_share(void)
{
    tl_port_loop_options options = plain();
    options.lost = 200000;
    tally t = played(&options);
    CHECK(about(how_many(&t, 0), COUNT / 5) && how_many(&t, 2) == 0 && t.overtaken == 0);
    options = plain();
    options.doubled = 200000;
    t = played(&options);
    CHECK(about(how_many(&t, 2), COUNT / 5) && how_many(&t, 0) == 0 && t.overtaken == 0);
    options = plain();
    options.shortened = 200000;
    t = played(&options);
    CHECK(about(t.shortened, COUNT / 5) && t.came == COUNT && t.overtaken == 0);
    options = plain();
    options.late = 200000;
    options.late_max = 5;
    t = played(&options);
    CHECK(about(t.overtaken, COUNT / 5) && how_many(&t, 1) == COUNT);
}

static void a_seed_gives_the_same_faults(void)
{
    tl_port_loop_options options = plain();
    options.lost = options.doubled = options.shortened = options.late = 50000;
    options.late_max = 3;
    options.delay = 2;
    const tally one = played(&options);
    const tally two = played(&options);
    CHECK(one.hash == two.hash && one.came == two.came);
    options.seed++;
    const tally other = played(&options);
    CHECK(other.hash != one.hash);
}

static void what_has_no_slot_is_lost_and_counted(void)
{
    tl_port_loop_options options = plain();
    tl_port_datagram got[BATCH];
    options.slots = BATCH;
    tl_port *port = opened(&options);
    for (uint32_t i = 0; i < BATCH + 5; i++)
        CHECK(tl_port_send(port, &(tl_port_packet){&i, NULL, sizeof i}, 1) == 1);
    CHECK(tl_port_counted(port).lost == 5);
    CHECK(tl_port_poll(port, got, BATCH, -1) == BATCH);
    /* What was given stands until the next poll, whatever is sent meanwhile. */
    uint32_t other = 77;
    CHECK(tl_port_send(port, &(tl_port_packet){&other, NULL, sizeof other}, 1) == 1);
    for (uint32_t i = 0; i < BATCH; i++)
        CHECK(memcmp(got[i].bytes, &i, sizeof i) == 0);
    CHECK(tl_port_counted(port).lost == 6);
    CHECK(tl_port_poll(port, got, BATCH, -1) == 0);
    CHECK(tl_port_send(port, &(tl_port_packet){&other, NULL, sizeof other}, 1) == 1);
    CHECK(tl_port_poll(port, got, BATCH, -1) == 1);
    CHECK(tl_port_fd(port) == -1 && tl_port_sent_stamps(port, NULL, 0) == 0);
    tl_port_close(port);
}

static void refusals_say_what(void)
{
    tl_port_fault fault;
    tl_port *port;
    tl_port_loop_options options = plain();
    static uint8_t bytes[65];
    options.lost = 1000001;
    CHECK(tl_port_loop_open(&port, &options, &fault) == -EINVAL && port == NULL);
    CHECK(strncmp(fault.text, "a share", 7) == 0);
    options = plain();
    options.slots = BATCH - 1;
    CHECK(tl_port_loop_open(&port, &options, &fault) == -EINVAL);
    CHECK(strncmp(fault.text, "slots 15", 8) == 0);
    options = plain();
    options.size_max = 0;
    CHECK(tl_port_loop_open(&port, &options, NULL) == -EINVAL);
    options = plain();
    port = opened(&options);
    CHECK(tl_port_send(port, &(tl_port_packet){bytes, NULL, 65}, 1) == -EMSGSIZE);
    tl_port_close(port);
}

int main(void)
{
    without_faults_all_comes_in_order();
    each_fault_has_its_share();
    a_seed_gives_the_same_faults();
    what_has_no_slot_is_lost_and_counted();
    refusals_say_what();
    return 0;
}

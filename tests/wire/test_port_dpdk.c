/* A port over DPDK, on a device that is a ring of its own: what is sent comes back, so it asks
 * itself who it is, answers, and then hears what it says. Built where DPDK is found. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/wire/port_dpdk.h"

#include <errno.h>
#include <rte_eal.h>
#include <unistd.h>

#define BATCH 32u
#define AT "192.0.2.1:5000"

static tl_port *opened(const tl_port_dpdk_options *options)
{
    tl_port *port;
    tl_port_fault fault = {0};
    const int rc = tl_port_dpdk_open(&port, options, &fault);
    if (rc != 0)
        fprintf(stderr, "%s\n", fault.text);
    CHECK(rc == 0);
    return port;
}

static tl_port_dpdk_options plain(void)
{
    return (tl_port_dpdk_options){.common = {.local = AT,
                                             .to = AT,
                                             .interface = "net_ring0",
                                             .batch = BATCH,
                                             .size_max = 1500},
                                  .frames = 256};
}

static void a_port_finds_itself_and_hears_what_it_says(void)
{
    const tl_port_dpdk_options options = plain();
    tl_port_datagram got[BATCH];
    static uint8_t bytes[BATCH][1472];
    tl_port_packet packets[BATCH];
    tl_port *port = opened(&options);
    CHECK(tl_port_send(port, &(tl_port_packet){"x", NULL, 1}, 1) == -EAGAIN);
    CHECK(tl_port_counted(port).unresolved == 1);
    CHECK(tl_port_poll(port, got, BATCH, 0) == 0); /* the question, answered */
    CHECK(tl_port_poll(port, got, BATCH, 0) == 0); /* the answer */
    CHECK(tl_port_counted(port).arp == 1);
    for (int round = 0; round < 1000; round++) {
        for (uint32_t i = 0; i < BATCH; i++) {
            memset(bytes[i], round + (int)i, sizeof bytes[i]);
            packets[i] = (tl_port_packet){bytes[i], NULL, i == 0 ? 1472 : i * 7};
        }
        CHECK(tl_port_send(port, packets, BATCH) == BATCH);
        CHECK(tl_port_poll(port, got, BATCH, 1000) == BATCH);
        for (uint32_t i = 0; i < BATCH; i++) {
            CHECK(got[i].size == packets[i].size);
            CHECK(memcmp(got[i].bytes, bytes[i], got[i].size) == 0);
            CHECK(tl_port_address_same(&got[i].from, tl_port_local(port)));
        }
    }
    CHECK(tl_port_poll(port, got, BATCH, 1) == 0);
    CHECK(tl_port_counted(port).malformed == 0 && tl_port_counted(port).received == 32000);
    CHECK(tl_port_send(port, &(tl_port_packet){bytes, NULL, 1473}, 1) == -EMSGSIZE);
    tl_port_close(port);
}

static void a_group_is_heard_at_once(void)
{
    tl_port_dpdk_options options = plain();
    tl_port_datagram got[BATCH];
    options.common.local = options.common.to = "239.7.8.9:5000";
    options.address = "192.0.2.1:0";
    tl_port *port = opened(&options);
    CHECK(tl_port_send(port, &(tl_port_packet){"to all", NULL, 6}, 1) == 1);
    CHECK(tl_port_poll(port, got, BATCH, 1000) == 1);
    CHECK(got[0].size == 6 && memcmp(got[0].bytes, "to all", 6) == 0);
    CHECK(got[0].from.ip[0] == 192 && got[0].from.port == 5000);
    tl_port_close(port);
}

static void refusals_say_what_and_where(void)
{
    tl_port_dpdk_options options = plain();
    tl_port_fault fault;
    tl_port *port;
    options.common.interface = "none-such";
    CHECK(tl_port_dpdk_open(&port, &options, &fault) == -ENODEV && port == NULL);
    CHECK(strncmp(fault.text, "device none-such", 16) == 0);
    options = plain();
    options.common.local = "192.0.2.1:0";
    CHECK(tl_port_dpdk_open(&port, &options, &fault) == -EINVAL);
    CHECK(strncmp(fault.text, "local 192.0.2.1:0", 17) == 0);
    options = plain();
    options.frames = 1;
    CHECK(tl_port_dpdk_open(&port, &options, NULL) == -EINVAL);
}

int main(int argc, char **argv)
{
    /* More arguments are DPDK's, as -d and a folder of drivers. */
    char prefix[64];
    snprintf(prefix, sizeof prefix, "--file-prefix=touchline-%d", (int)getpid());
    char *words[16] = {argv[0],       "--no-huge",      "-m",         "64",     "--no-pci",
                       "--no-shconf", "--no-telemetry", "--lcores=0", prefix, "--vdev=net_ring0"};
    int count = 10;
    for (int i = 1; i < argc && count < 16; i++)
        words[count++] = argv[i];
    CHECK(rte_eal_init(count, words) >= 0);
    a_port_finds_itself_and_hears_what_it_says();
    a_group_is_heard_at_once();
    refusals_say_what_and_where();
    char folder[256];
    snprintf(folder, sizeof folder, "%s", rte_eal_get_runtime_dir());
    CHECK(rte_eal_cleanup() == 0);
    CHECK(rmdir(folder) == 0);
    return 0;
}

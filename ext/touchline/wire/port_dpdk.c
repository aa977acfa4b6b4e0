/* A port over a device of DPDK: bursts of its buffers in and out, read and written in place. Where
 * the build has no DPDK, and in the core, which must not need it, there is nothing in this file. */
#ifdef TOUCHLINE_DPDK
#define _GNU_SOURCE
#include "touchline/wire/port_dpdk.h"
#include "touchline/wire/port_frame.h"
#include "touchline/wire/port_state.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 512u
#define SECOND_NS INT64_C(1000000000)
#define IP_AND_UDP 28u

typedef struct dpdk_port {
    tl_port base;
    tl_frame_self self;
    tl_frame_neighbours neighbours;
    uint16_t device;
    bool started;
    bool via_gateway;
    uint8_t gateway[4];
    uint8_t group_mac[TL_FRAME_MAC];
    uint32_t batch, size_max, payload_max;
    uint16_t given_count;
    struct rte_mempool *pool;
    struct rte_mbuf *given[BATCH_MAX]; /* that the last poll gave out */
    struct rte_mbuf *out[BATCH_MAX];
} dpdk_port;

/* A buffer with a frame of at most `bytes`; NULL when all are in use. */
static uint8_t *frame_to_write(dpdk_port *port, struct rte_mbuf **mbuf)
{
    *mbuf = rte_pktmbuf_alloc(port->pool);
    return *mbuf == NULL ? NULL : rte_pktmbuf_mtod(*mbuf, uint8_t *);
}

static void frame_written(struct rte_mbuf *mbuf, uint32_t bytes)
{
    mbuf->data_len = (uint16_t)bytes;
    mbuf->pkt_len = bytes;
}

/* One frame by itself; a device without room loses it, and it is asked for again. */
static void send_alone(dpdk_port *port, struct rte_mbuf *mbuf, uint32_t bytes)
{
    frame_written(mbuf, bytes);
    if (rte_eth_tx_burst(port->device, 0, &mbuf, 1) == 0)
        rte_pktmbuf_free(mbuf);
}

static void answer(dpdk_port *port, const uint8_t *question)
{
    struct rte_mbuf *mbuf;
    uint8_t *frame = frame_to_write(port, &mbuf);
    if (frame == NULL)
        return;
    send_alone(port, mbuf, tl_frame_answer(frame, &port->self, question));
    port->base.counts.arp++;
}

static bool came(dpdk_port *port, struct rte_mbuf *mbuf, tl_port_datagram *out)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    /* In several pieces: larger than any frame of the link that a port takes. */
    const enum tl_frame_kind kind =
        mbuf->nb_segs == 1 ? tl_frame_read(frame, mbuf->data_len, &port->self, out)
                           : TL_FRAME_MALFORMED;
    if (kind == TL_FRAME_ARP_QUESTION)
        answer(port, frame);
    if (kind == TL_FRAME_ARP_QUESTION || kind == TL_FRAME_ARP_ANSWER)
        tl_frame_learn(&port->neighbours, frame, tl_frame_clock_ns());
    return tl_frame_came(&port->base, kind, port->size_max, out);
}

static uint32_t take(tl_port *base, tl_port_datagram *out, uint32_t max)
{
    dpdk_port *port = (dpdk_port *)base;
    uint32_t count = 0;
    rte_pktmbuf_free_bulk(port->given, port->given_count);
    port->given_count = rte_eth_rx_burst(port->device, 0, port->given, (uint16_t)max);
    for (uint16_t i = 0; i < port->given_count; i++)
        count += came(port, port->given[i], &out[count]);
    port->base.counts.received += count;
    return count;
}

static int dpdk_poll(tl_port *base, tl_port_datagram *out, uint32_t max, int timeout_ms)
{
    dpdk_port *port = (dpdk_port *)base;
    if (max > port->batch)
        max = port->batch;
    return tl_frame_spin(base, take, out, max, timeout_ms); /* there is nothing to sleep on */
}

static const uint8_t *card_of(dpdk_port *port, const tl_port_address *to, int64_t now_ns)
{
    struct rte_mbuf *mbuf;
    if (tl_port_address_multicast(to)) {
        tl_frame_group_mac(port->group_mac, to->ip);
        return port->group_mac;
    }
    tl_frame_neighbour *neighbour =
        tl_frame_neighbour_of(&port->neighbours, port->via_gateway ? port->gateway : to->ip);
    if (tl_frame_must_ask(neighbour, now_ns, SECOND_NS)) {
        uint8_t *frame = frame_to_write(port, &mbuf);
        neighbour->asked_ns = now_ns;
        if (frame != NULL)
            send_alone(port, mbuf, tl_frame_ask(frame, &port->self, neighbour->ip));
    }
    return neighbour->known ? neighbour->mac : NULL;
}

/* Packet `n` as a buffer in `out`: 0 or -errno. */
static int compose(dpdk_port *port, uint32_t n, const tl_port_packet *packet, int64_t now_ns)
{
    const tl_port_address *to;
    const int unfit = tl_frame_destination(&port->base, packet, port->payload_max, &to);
    if (unfit != 0)
        return unfit;
    const uint8_t *mac = card_of(port, to, now_ns);
    if (mac == NULL) {
        port->base.counts.unresolved++;
        return -EAGAIN;
    }
    uint8_t *frame = frame_to_write(port, &port->out[n]);
    if (frame == NULL)
        return -EAGAIN;
    frame_written(port->out[n],
                  tl_frame_write(frame, &port->self, mac, to, packet->bytes, packet->size));
    return 0;
}

static int dpdk_send(tl_port *base, const tl_port_packet *packets, uint32_t count)
{
    dpdk_port *port = (dpdk_port *)base;
    const int64_t now_ns = tl_frame_clock_ns();
    uint32_t composed = 0;
    int rc = 0;
    if (count > port->batch)
        count = port->batch;
    while (composed < count && rc == 0) {
        rc = compose(port, composed, &packets[composed], now_ns);
        composed += rc == 0;
    }
    const uint16_t sent = rte_eth_tx_burst(port->device, 0, port->out, (uint16_t)composed);
    rte_pktmbuf_free_bulk(port->out + sent, composed - sent);
    base->counts.sent += sent;
    return sent > 0 ? sent : rc != 0 ? rc : count == 0 ? 0 : -EAGAIN;
}

static void dpdk_count(tl_port *base)
{
    const dpdk_port *port = (const dpdk_port *)base;
    struct rte_eth_stats got;
    if (rte_eth_stats_get(port->device, &got) == 0)
        base->counts.lost = got.imissed + got.ierrors + got.rx_nombuf;
}

static void dpdk_close(tl_port *base)
{
    dpdk_port *port = (dpdk_port *)base;
    rte_pktmbuf_free_bulk(port->given, port->given_count);
    if (port->started)
        (void)rte_eth_dev_stop(port->device);
    rte_mempool_free(port->pool);
    free(port);
}

static const tl_port_ops DPDK_OPS = {
    .poll = dpdk_poll, .send = dpdk_send, .count = dpdk_count, .close = dpdk_close};

static int check(const tl_port_dpdk_options *options, dpdk_port *port, tl_port_fault *fault)
{
    const tl_port_options *common = &options->common;
    const char *local = common->local == NULL ? "" : common->local;
    tl_port_address own, gateway;
    if (tl_port_address_read(&port->base.local, local) != 0 || port->base.local.family != 4 ||
        port->base.local.port == 0)
        return tl_port_blame(fault, -EINVAL, "local %s", local);
    own = port->base.local;
    if (common->to != NULL &&
        (tl_port_address_read(&port->base.to, common->to) != 0 || port->base.to.family != 4))
        return tl_port_blame(fault, -EINVAL, "to %s", common->to);
    if (options->address != NULL &&
        (tl_port_address_read(&own, options->address) != 0 || own.family != 4))
        return tl_port_blame(fault, -EINVAL, "address %s", options->address);
    if (options->gateway != NULL &&
        (tl_port_address_read(&gateway, options->gateway) != 0 || gateway.family != 4))
        return tl_port_blame(fault, -EINVAL, "gateway %s", options->gateway);
    if (common->batch == 0 || common->batch > BATCH_MAX || options->frames < common->batch)
        return tl_port_blame(fault, -EINVAL, "batch %u of 1 to %u and to frames %u",
                             common->batch, BATCH_MAX, options->frames);
    port->via_gateway = options->gateway != NULL;
    if (port->via_gateway)
        memcpy(port->gateway, gateway.ip, 4);
    memcpy(port->self.ip, own.ip, 4);
    memcpy(port->self.listen, port->base.local.ip, 4);
    port->self.port = port->base.local.port;
    port->self.ttl = common->ttl != 0 ? common->ttl : 64;
    port->batch = common->batch;
    port->size_max = common->size_max;
    return 0;
}

/* One queue each way, and a buffer for each frame that can be anywhere. */
static int start(dpdk_port *port, const tl_port_dpdk_options *options)
{
    const struct rte_eth_conf conf = {0};
    struct rte_ether_addr mac = {0};
    char name[RTE_MEMZONE_NAMESIZE];
    uint16_t rx = (uint16_t)options->frames;
    uint16_t tx = (uint16_t)options->frames;
    uint16_t mtu = 0;
    const unsigned node = (unsigned)SOCKET_ID_ANY;
    snprintf(name, sizeof name, "touchline_%u", port->device);
    port->pool = rte_pktmbuf_pool_create(name, 4 * options->frames, 0, 0,
                                         RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (port->pool == NULL)
        return -ENOMEM;
    int rc = rte_eth_dev_configure(port->device, 1, 1, &conf);
    if (rc == 0)
        rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->device, &rx, &tx);
    if (rc == 0)
        rc = rte_eth_rx_queue_setup(port->device, 0, rx, node, NULL, port->pool);
    if (rc == 0)
        rc = rte_eth_tx_queue_setup(port->device, 0, tx, node, NULL);
    if (rc == 0)
        rc = rte_eth_dev_start(port->device);
    port->started = rc == 0;
    if (rc == 0)
        rc = rte_eth_macaddr_get(port->device, &mac);
    if (rc == 0)
        rc = rte_eth_dev_get_mtu(port->device, &mtu);
    memcpy(port->self.mac, mac.addr_bytes, TL_FRAME_MAC);
    const uint32_t room = RTE_MBUF_DEFAULT_DATAROOM - TL_FRAME_HEAD;
    port->payload_max = mtu > IP_AND_UDP && mtu - IP_AND_UDP < room ? mtu - IP_AND_UDP : room;
    return rc;
}

int tl_port_dpdk_open(tl_port **out, const tl_port_dpdk_options *options, tl_port_fault *fault)
{
    const char *device = options->common.interface;
    *out = NULL;
    dpdk_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return tl_port_blame(fault, -ENOMEM, "port");
    port->base.ops = &DPDK_OPS;
    port->base.fd = -1;
    int rc = check(options, port, fault);
    if (rc == 0 && (device == NULL || rte_eth_dev_get_port_by_name(device, &port->device) != 0))
        rc = tl_port_blame(fault, -ENODEV, "device %s", device == NULL ? "" : device);
    if (rc == 0) {
        rc = start(port, options);
        if (rc != 0)
            rc = tl_port_blame(fault, rc, "start device %s", device);
    }
    if (rc != 0) {
        dpdk_close(&port->base);
        return rc;
    }
    if (tl_port_address_multicast(&port->base.local)) {
        rc = rte_eth_allmulticast_enable(port->device);
        tl_port_note(&port->base.facts, "all_groups", 1, rc == 0, rc);
    }
    tl_port_note(&port->base.facts, "own_arp", 1, 1, 0);
    *out = &port->base;
    return 0;
}
#endif

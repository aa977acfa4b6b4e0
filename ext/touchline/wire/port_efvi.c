/* A port over a virtual interface of ef_vi: descriptors of registered memory in, events out.
 * Where the build has no ef_vi, and in the core, which must not need it, this file is empty. */
#ifdef TOUCHLINE_EFVI
#define _GNU_SOURCE
#include "touchline/wire/port_efvi.h"
#include "touchline/wire/port_link.h"

#include <errno.h>
#include <etherfabric/ef_vi.h>
#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BATCH_MAX 64u
#define FRAMES_MAX 4096u
#define FRAME_BYTES 2048u /* two to a page, whose addresses the card needs in one piece */
#define EVENTS 64
#define PUSH_AT 8         /* receive descriptors are handed over so many at a time */
#define SECOND_NS INT64_C(1000000000)
#define ASK_NS (SECOND_NS / 20)
#define IP_AND_UDP 28u

typedef struct efvi_port {
    tl_port base;
    tl_frame_self self;
    tl_frame_neighbours neighbours;
    tl_link link;
    ef_driver_handle driver;
    ef_pd pd;
    ef_vi vi;
    ef_memreg registered;
    bool has_driver, has_pd, has_vi, has_memory;
    bool via_gateway;
    uint8_t gateway[4];
    uint8_t group_mac[TL_FRAME_MAC];
    uint32_t frames, batch, size_max, payload_max, prefix;
    uint32_t free_count, given_count, unpushed;
    uint8_t *memory; /* frames to receive into, then frames to send from */
    uint32_t given[BATCH_MAX]; /* frames that the last poll gave out */
    uint32_t *free_frames;     /* to send from, a stack */
} efvi_port;

static size_t memory_bytes(const efvi_port *port)
{
    return (size_t)2 * port->frames * FRAME_BYTES;
}

static ef_addr address_of(efvi_port *port, uint32_t frame)
{
    return ef_memreg_dma_addr(&port->registered, (size_t)frame * FRAME_BYTES);
}

/* Receiving */

/* The card may write into it again. */
static void give_to_card(efvi_port *port, uint32_t frame)
{
    if (ef_vi_receive_init(&port->vi, address_of(port, frame), (ef_request_id)frame) == 0)
        port->unpushed++;
    if (port->unpushed >= PUSH_AT) {
        ef_vi_receive_push(&port->vi);
        port->unpushed = 0;
    }
}

static bool came(efvi_port *port, uint32_t frame, uint32_t bytes, tl_port_datagram *out)
{
    const uint8_t *at = port->memory + (size_t)frame * FRAME_BYTES + port->prefix;
    const enum tl_frame_kind kind = tl_frame_read(at, bytes, &port->self, out);
    return tl_frame_came(&port->base, kind, port->size_max, out);
}

/* Frames whose sending is over can be written again. */
static void sent(efvi_port *port, const ef_event *event)
{
    ef_request_id ids[EF_VI_TRANSMIT_BATCH];
    const int count = ef_vi_transmit_unbundle(&port->vi, event, ids);
    for (int i = 0; i < count; i++)
        port->free_frames[port->free_count++] = (uint32_t)ids[i];
}

/* One event; 1 when it is a datagram, which is then in `out`. */
static uint32_t take_event(efvi_port *port, const ef_event *event, tl_port_datagram *out)
{
    uint32_t frame;
    switch (EF_EVENT_TYPE(*event)) {
    case EF_EVENT_TYPE_RX:
        frame = (uint32_t)EF_EVENT_RX_RQ_ID(*event);
        /* In several pieces: larger than any frame that this port has room for. */
        if (EF_EVENT_RX_SOP(*event) && !EF_EVENT_RX_CONT(*event) &&
            (uint32_t)EF_EVENT_RX_BYTES(*event) > port->prefix &&
            came(port, frame, (uint32_t)EF_EVENT_RX_BYTES(*event) - port->prefix, out)) {
            port->given[port->given_count++] = frame;
            return 1;
        }
        give_to_card(port, frame);
        return 0;
    case EF_EVENT_TYPE_RX_DISCARD:
        port->base.counts.malformed++;
        give_to_card(port, (uint32_t)EF_EVENT_RX_DISCARD_RQ_ID(*event));
        return 0;
    case EF_EVENT_TYPE_RX_NO_DESC_TRUNC:
        port->base.counts.lost++;
        return 0;
    case EF_EVENT_TYPE_TX:
    case EF_EVENT_TYPE_TX_ERROR:
        sent(port, event);
        return 0;
    default:
        return 0;
    }
}

/* As many events as there are places for datagrams at most, since each may be one. */
static uint32_t take(tl_port *base, tl_port_datagram *out, uint32_t max)
{
    efvi_port *port = (efvi_port *)base;
    ef_event events[EVENTS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < port->given_count; i++)
        give_to_card(port, port->given[i]);
    port->given_count = 0;
    const int got = ef_eventq_poll(&port->vi, events, max < EVENTS ? (int)max : EVENTS);
    for (int i = 0; i < got; i++)
        count += take_event(port, &events[i], &out[count]);
    port->base.counts.received += count;
    return count;
}

static int efvi_poll(tl_port *base, tl_port_datagram *out, uint32_t max, int timeout_ms)
{
    efvi_port *port = (efvi_port *)base;
    if (max > port->batch)
        max = port->batch;
    if (max < EF_VI_EVENT_POLL_MIN_EVS)
        return -EINVAL;
    return tl_frame_spin(base, take, out, max, timeout_ms); /* there is nothing to sleep on */
}

/* Sending */

static const uint8_t *card_of(efvi_port *port, const tl_port_address *to, int64_t now_ns)
{
    if (tl_port_address_multicast(to)) {
        tl_frame_group_mac(port->group_mac, to->ip);
        return port->group_mac;
    }
    tl_frame_neighbour *neighbour =
        tl_frame_neighbour_of(&port->neighbours, port->via_gateway ? port->gateway : to->ip);
    if (tl_frame_must_ask(neighbour, now_ns, neighbour->known ? SECOND_NS : ASK_NS))
        (void)tl_link_ask(&port->link, neighbour, now_ns);
    return neighbour->known ? neighbour->mac : NULL;
}

/* Written and described to the card: 0 or -errno. */
static int put(efvi_port *port, const tl_port_packet *packet, int64_t now_ns)
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
    if (port->free_count == 0)
        return -EAGAIN;
    const uint32_t frame = port->free_frames[port->free_count - 1];
    const uint32_t bytes = tl_frame_write(port->memory + (size_t)frame * FRAME_BYTES, &port->self,
                                          mac, to, packet->bytes, packet->size);
    const int rc = ef_vi_transmit_init(&port->vi, address_of(port, frame), (int)bytes,
                                       (ef_request_id)frame);
    port->free_count -= rc == 0;
    return rc;
}

/* Frames come back in polls: who sends and never polls has none left one day. */
static int efvi_send(tl_port *base, const tl_port_packet *packets, uint32_t count)
{
    efvi_port *port = (efvi_port *)base;
    const int64_t now_ns = tl_frame_clock_ns();
    uint32_t done = 0;
    int rc = 0;
    if (count > port->batch)
        count = port->batch;
    while (done < count && rc == 0) {
        rc = put(port, &packets[done], now_ns);
        done += rc == 0;
    }
    if (done > 0)
        ef_vi_transmit_push(&port->vi);
    base->counts.sent += done;
    return done > 0 ? (int)done : rc;
}

/* Opening */

static void efvi_close(tl_port *base)
{
    efvi_port *port = (efvi_port *)base;
    if (port->has_vi) /* its filter goes with it */
        ef_vi_free(&port->vi, port->driver);
    if (port->has_memory)
        ef_memreg_free(&port->registered, port->driver);
    if (port->has_pd)
        ef_pd_free(&port->pd, port->driver);
    if (port->has_driver)
        ef_driver_close(port->driver);
    if (port->memory != NULL)
        munmap(port->memory, memory_bytes(port));
    tl_link_close(&port->link);
    free(port->free_frames);
    free(port);
}

static const tl_port_ops EFVI_OPS = {.poll = efvi_poll, .send = efvi_send, .close = efvi_close};

static int check(efvi_port *port, const tl_port_efvi_options *options, tl_port_fault *fault)
{
    const tl_port_options *common = &options->common;
    const char *local = common->local == NULL ? "" : common->local;
    tl_port_address gateway;
    if (tl_port_address_read(&port->base.local, local) != 0 || port->base.local.family != 4)
        return tl_port_blame(fault, -EINVAL, "local %s", local);
    if (common->to != NULL &&
        (tl_port_address_read(&port->base.to, common->to) != 0 || port->base.to.family != 4))
        return tl_port_blame(fault, -EINVAL, "to %s", common->to);
    if (options->gateway != NULL &&
        (tl_port_address_read(&gateway, options->gateway) != 0 || gateway.family != 4))
        return tl_port_blame(fault, -EINVAL, "gateway %s", options->gateway);
    if (common->batch < EF_VI_EVENT_POLL_MIN_EVS || common->batch > BATCH_MAX)
        return tl_port_blame(fault, -EINVAL, "batch %u of %d to %u", common->batch,
                             EF_VI_EVENT_POLL_MIN_EVS, BATCH_MAX);
    if (options->frames < 2 * common->batch || options->frames > FRAMES_MAX)
        return tl_port_blame(fault, -EINVAL, "frames %u of twice batch to %u", options->frames,
                             FRAMES_MAX);
    port->via_gateway = options->gateway != NULL;
    if (port->via_gateway)
        memcpy(port->gateway, gateway.ip, 4);
    port->frames = options->frames;
    port->batch = common->batch;
    port->size_max = common->size_max;
    port->self.ttl = common->ttl != 0 ? common->ttl : 64;
    return 0;
}

/* Who we are on the link: an address of the interface, or a group that it joins. */
static int place_on_link(efvi_port *port, const tl_port_options *common, tl_port_fault *fault)
{
    const bool group = tl_port_address_multicast(&port->base.local);
    uint8_t own_ip[4];
    uint32_t mtu;
    bool is_own;
    int rc = tl_link_open(&port->link, common->interface, fault);
    if (rc != 0)
        return rc;
    rc = tl_link_read(&port->link, port->self.mac, own_ip, &is_own, &mtu, port->base.local.ip);
    if (rc == 0 && !group && !is_own)
        rc = -EADDRNOTAVAIL;
    if (rc != 0)
        return tl_port_blame(fault, rc, "interface %s", common->interface);
    rc = tl_link_take(&port->link, common, &port->base.local, fault);
    memcpy(port->self.listen, port->base.local.ip, 4);
    memcpy(port->self.ip, group ? own_ip : port->base.local.ip, 4);
    port->self.port = port->base.local.port;
    port->payload_max = mtu > IP_AND_UDP ? mtu - IP_AND_UDP : 0;
    if (port->payload_max > FRAME_BYTES - TL_FRAME_HEAD)
        port->payload_max = FRAME_BYTES - TL_FRAME_HEAD;
    return rc;
}

static int open_card(efvi_port *port)
{
    int rc = ef_driver_open(&port->driver);
    port->has_driver = rc == 0;
    if (rc == 0)
        rc = ef_pd_alloc_by_name(&port->pd, port->driver, port->link.name, EF_PD_DEFAULT);
    port->has_pd = rc >= 0 && port->has_driver;
    if (rc >= 0)
        rc = ef_vi_alloc_from_pd(&port->vi, port->driver, &port->pd, port->driver, -1, -1, -1,
                                 NULL, -1, EF_VI_FLAGS_DEFAULT);
    port->has_vi = rc >= 0 && port->has_pd;
    if (rc < 0)
        return rc;
    if (ef_vi_receive_capacity(&port->vi) < (int)port->frames)
        return ef_vi_receive_capacity(&port->vi) <= 0 ? -EOPNOTSUPP : -ENOBUFS;
    port->prefix = (uint32_t)ef_vi_receive_prefix_len(&port->vi);
    return 0;
}

static int share_memory(efvi_port *port)
{
    port->memory = tl_port_memory(memory_bytes(port));
    port->free_frames = calloc(port->frames, sizeof *port->free_frames);
    if (port->memory == NULL || port->free_frames == NULL)
        return -ENOMEM;
    const int rc = ef_memreg_alloc(&port->registered, port->driver, &port->pd, port->driver,
                                   port->memory, memory_bytes(port));
    port->has_memory = rc == 0;
    for (uint32_t i = 0; i < port->frames && rc == 0; i++) {
        give_to_card(port, i);
        port->free_frames[port->free_count++] = port->frames + i;
    }
    if (rc == 0)
        ef_vi_receive_push(&port->vi);
    return rc;
}

static int lead_here(efvi_port *port)
{
    ef_filter_spec filter;
    uint32_t ip;
    memcpy(&ip, port->self.listen, sizeof ip); /* as it goes over the network */
    ef_filter_spec_init(&filter, EF_FILTER_FLAG_NONE);
    const int rc = ef_filter_spec_set_ip4_local(&filter, IPPROTO_UDP, ip, htons(port->self.port));
    return rc < 0 ? rc : ef_vi_filter_add(&port->vi, port->driver, &filter, NULL);
}

static int start(efvi_port *port, const tl_port_efvi_options *options, tl_port_fault *fault)
{
    int rc = check(port, options, fault);
    if (rc == 0)
        rc = place_on_link(port, &options->common, fault);
    if (rc != 0)
        return rc;
    rc = open_card(port);
    if (rc == 0)
        rc = share_memory(port);
    if (rc == 0)
        rc = lead_here(port);
    return rc >= 0 ? 0 : tl_port_blame(fault, rc, "ef_vi on %s", port->link.name);
}

int tl_port_efvi_open(tl_port **out, const tl_port_efvi_options *options, tl_port_fault *fault)
{
    *out = NULL;
    efvi_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return tl_port_blame(fault, -ENOMEM, "port");
    port->base.ops = &EFVI_OPS;
    port->base.fd = port->link.netlink_fd = -1;
    const int rc = start(port, options, fault);
    if (rc != 0) {
        efvi_close(&port->base);
        return rc;
    }
    const uint8_t stamps = options->common.tuning.stamps;
    if (stamps != TL_PORT_UNSTAMPED)
        tl_port_note(&port->base.facts, "stamps", stamps, 0, -EOPNOTSUPP);
    if (options->common.segments)
        tl_port_note(&port->base.facts, "segments", 1, 0, -EOPNOTSUPP);
    *out = &port->base;
    return 0;
}
#endif

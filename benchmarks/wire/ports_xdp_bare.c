/* AF_XDP and nothing else: frames whose headers were written once, put into the rings and taken
 * out. Opened as the port is, so that socket, rings and program are the same; then the rings are
 * moved here, without checksums, neighbours or batches. */
#define _GNU_SOURCE
#include "ports_pairs.h"

#include "touchline/wire/port_xdp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* The other side's card is asked for by a first message, which the port sends. */
static void resolve(tl_xdp_port *port)
{
    const tl_port_packet packet = {.bytes = "", .size = 0};
    int rc = -EAGAIN;
    for (int i = 0; i < 10000000 && rc == -EAGAIN; i++)
        rc = tl_port_send(&port->base, &packet, 1);
    sure(rc, "neighbour");
}

static void prepare(tl_xdp_port *port)
{
    static const uint8_t nothing[MESSAGE_BYTES];
    const tl_port_address *to = &port->base.to;
    const tl_frame_neighbour *neighbour = tl_frame_neighbour_of(&port->neighbours, to->ip);
    for (uint32_t i = 0; i < port->frames; i++)
        tl_frame_write(port->umem + (size_t)(port->frames + i) * port->frame_bytes, &port->self,
                       neighbour->mac, to, nothing, MESSAGE_BYTES);
}

static void xdp_bare_open(end ends[2], const veth *veth)
{
    XDP_PORT.open(ends, veth);
    for (int i = 0; i < 2; i++)
        resolve(ends[i].port);
    /* What each of them sent comes to the other. */
    for (int i = 0; i < 2; i++) {
        tl_port_datagram got;
        sure(tl_port_poll(ends[i].port, &got, 1, 1000) == 1 ? 0 : -ETIMEDOUT, "first message");
        tl_xdp_give_back(ends[i].port);
    }
    for (int i = 0; i < 2; i++)
        prepare(ends[i].port);
}

static void xdp_bare_send(end *end, const uint8_t *bytes)
{
    tl_xdp_port *port = end->port;
    struct xdp_desc *descs = port->tx.entries;
    const uint64_t place =
        (uint64_t)(port->frames + end->turn++ % port->frames) * port->frame_bytes;
    memcpy(port->umem + place + TL_FRAME_HEAD, bytes, MESSAGE_BYTES);
    descs[port->tx.mine++ & port->tx.mask] =
        (struct xdp_desc){.addr = place, .len = TL_FRAME_HEAD + MESSAGE_BYTES};
    __atomic_store_n(port->tx.producer, port->tx.mine, __ATOMIC_RELEASE);
    if (sendto(port->base.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN)
        sure(-errno, "sendto");
    const uint32_t done = __atomic_load_n(port->completion.producer, __ATOMIC_ACQUIRE);
    __atomic_store_n(port->completion.consumer, done, __ATOMIC_RELEASE);
}

static bool xdp_bare_receive(end *end, uint8_t *bytes)
{
    tl_xdp_port *port = end->port;
    const struct xdp_desc *descs = port->rx.entries;
    uint64_t *fill = port->fill.entries;
    while (__atomic_load_n(port->rx.producer, __ATOMIC_ACQUIRE) == port->rx.mine) {
        if (atomic_load_explicit(end->stop, memory_order_relaxed))
            return false;
    }
    const uint64_t place = descs[port->rx.mine++ & port->rx.mask].addr;
    memcpy(bytes, port->umem + place + TL_FRAME_HEAD, MESSAGE_BYTES);
    __atomic_store_n(port->rx.consumer, port->rx.mine, __ATOMIC_RELEASE);
    fill[port->fill.mine++ & port->fill.mask] = place;
    __atomic_store_n(port->fill.producer, port->fill.mine, __ATOMIC_RELEASE);
    return true;
}

static void xdp_bare_close(end *end)
{
    tl_port_close(end->port);
}

const pair XDP_BARE = {
    "xdp_bare", xdp_bare_open, xdp_bare_send, xdp_bare_receive, xdp_bare_close, true};

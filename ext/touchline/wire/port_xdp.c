/* Packets through AF_XDP: what the kernel led into the receive ring is read where it lies, what is
 * sent is written where it will lie. Between them frames go round:
 *
 *   fill ring ─► kernel ─► rx ring ─► given out by poll ─► (next poll) fill ring
 *   free ─► written by send ─► tx ring ─► kernel ─► completion ring ─► free
 */
#define _GNU_SOURCE
#include "touchline/wire/port_xdp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define KICKS_MAX 256
#define SECOND_NS INT64_C(1000000000)
/* A neighbour that is not known is asked for so often, by us or by the kernel. */
#define ASK_NS SECOND_NS
#define ASK_KERNEL_NS (SECOND_NS / 1000)

static uint32_t theirs(const uint32_t *cursor)
{
    return __atomic_load_n(cursor, __ATOMIC_ACQUIRE); /* what it counts was written before it */
}

static void publish(uint32_t *cursor, uint32_t value)
{
    __atomic_store_n(cursor, value, __ATOMIC_RELEASE);
}

static bool wants_waking(const tl_xdp_ring *ring)
{
    return (__atomic_load_n(ring->flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP) != 0;
}

void tl_xdp_give_back(tl_xdp_port *port)
{
    uint64_t *places = port->fill.entries;
    if (port->given_count == 0)
        return;
    while (port->given_count > 0)
        places[port->fill.mine++ & port->fill.mask] = port->given_frames[--port->given_count];
    publish(port->fill.producer, port->fill.mine);
}

/* Frames that went come back. */
static void reclaim(tl_xdp_port *port)
{
    const uint64_t *places = port->completion.entries;
    const uint32_t end = theirs(port->completion.producer);
    if (end == port->completion.mine)
        return;
    while (port->completion.mine != end)
        port->free_frames[port->free_count++] =
            places[port->completion.mine++ & port->completion.mask];
    publish(port->completion.consumer, port->completion.mine);
}

/* Tell the kernel that there is something to send, until it has taken all or has no room. */
static int kick(tl_xdp_port *port)
{
    port->kick = false;
    for (int i = 0; i < KICKS_MAX && wants_waking(&port->tx); i++) {
        if (sendto(port->base.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0) {
            if (errno == EBUSY || errno == ENOBUFS) {
                port->kick = true;
                return 0;
            }
            if (errno != EAGAIN && errno != EINTR)
                return -errno;
        }
        if (theirs(port->tx.consumer) == port->tx.mine)
            return 0;
    }
    port->kick = wants_waking(&port->tx) && theirs(port->tx.consumer) != port->tx.mine;
    return 0;
}

/* A frame to write into, NULL when all are under way. */
static uint8_t *frame_to_write(tl_xdp_port *port)
{
    return port->free_count == 0 ? NULL : port->umem + port->free_frames[port->free_count - 1];
}

static void frame_written(tl_xdp_port *port, uint32_t bytes)
{
    struct xdp_desc *descs = port->tx.entries;
    descs[port->tx.mine++ & port->tx.mask] =
        (struct xdp_desc){.addr = port->free_frames[--port->free_count], .len = bytes};
}

static int send_frames(tl_xdp_port *port)
{
    publish(port->tx.producer, port->tx.mine);
    return kick(port);
}

static void answer(tl_xdp_port *port, const uint8_t *question)
{
    reclaim(port);
    uint8_t *frame = frame_to_write(port);
    if (frame == NULL)
        return; /* it is asked again */
    frame_written(port, tl_frame_answer(frame, &port->self, question));
    (void)send_frames(port);
    port->base.counts.arp++;
}

/* What came: whether it is a datagram, which is then in `out`. */
static bool came(tl_xdp_port *port, const uint8_t *frame, uint32_t size, tl_port_datagram *out)
{
    const enum tl_frame_kind kind = tl_frame_read(frame, size, &port->self, out);
    if (kind == TL_FRAME_ARP_QUESTION && port->own_arp)
        answer(port, frame);
    if (kind == TL_FRAME_ARP_QUESTION || kind == TL_FRAME_ARP_ANSWER)
        tl_frame_learn(&port->neighbours, frame, tl_frame_clock_ns());
    return tl_frame_came(&port->base, kind, port->size_max, out);
}

static uint32_t take(tl_xdp_port *port, tl_port_datagram *out, uint32_t max)
{
    const struct xdp_desc *descs = port->rx.entries;
    const uint32_t end = theirs(port->rx.producer);
    uint32_t count = 0;
    while (port->rx.mine != end && count < max && port->given_count < port->batch) {
        const struct xdp_desc *desc = &descs[port->rx.mine++ & port->rx.mask];
        port->given_frames[port->given_count++] = desc->addr;
        count += came(port, port->umem + desc->addr, desc->len, &out[count]);
    }
    if (port->given_count > 0)
        publish(port->rx.consumer, port->rx.mine);
    port->base.counts.received += count;
    return count;
}

int tl_xdp_poll(tl_port *base, tl_port_datagram *out, uint32_t max, int timeout_ms)
{
    tl_xdp_port *port = (tl_xdp_port *)base;
    if (max > port->batch)
        max = port->batch;
    tl_xdp_give_back(port);
    if (port->kick) {
        const int rc = kick(port);
        if (rc != 0)
            return rc;
    }
    if (port->send_only)
        return 0;
    uint32_t count = take(port, out, max);
    if (count > 0)
        return (int)count;
    /* Let the driver look at its queue now: it waits for that, or we poll instead of interrupts. */
    if (port->busy_polled || wants_waking(&port->fill))
        (void)recvfrom(base->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
    if (timeout_ms != 0) {
        const int rc = tl_port_wait(base->fd, timeout_ms);
        if (rc < 0)
            return rc;
    }
    return (int)take(port, out, max);
}

static void ask(tl_xdp_port *port, tl_frame_neighbour *neighbour, int64_t now_ns)
{
    uint8_t *frame = frame_to_write(port);
    neighbour->asked_ns = now_ns;
    if (frame == NULL)
        return;
    frame_written(port, tl_frame_ask(frame, &port->self, neighbour->ip));
    (void)send_frames(port);
}

/* The card of who takes what is for `to`; NULL while it is not known. */
static const uint8_t *card_of(tl_xdp_port *port, const tl_port_address *to, int64_t now_ns)
{
    if (tl_port_address_multicast(to)) {
        tl_frame_group_mac(port->group_mac, to->ip);
        return port->group_mac;
    }
    const uint8_t *ip = port->via_gateway ? port->gateway : to->ip;
    tl_frame_neighbour *neighbour = tl_frame_neighbour_of(&port->neighbours, ip);
    const int64_t patience_ns =
        port->own_arp ? ASK_NS : neighbour->known ? SECOND_NS : ASK_KERNEL_NS;
    if (tl_frame_must_ask(neighbour, now_ns, patience_ns)) {
        if (port->own_arp)
            ask(port, neighbour, now_ns);
        else
            (void)tl_link_ask(&port->link, neighbour, now_ns);
    }
    return neighbour->known ? neighbour->mac : NULL;
}

/* Written and in the ring: 0 or -errno. */
static int put(tl_xdp_port *port, const tl_port_packet *packet, int64_t now_ns)
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
    uint8_t *frame = frame_to_write(port);
    if (frame == NULL)
        return -EAGAIN;
    frame_written(port,
                  tl_frame_write(frame, &port->self, mac, to, packet->bytes, packet->size));
    return 0;
}

int tl_xdp_send(tl_port *base, const tl_port_packet *packets, uint32_t count)
{
    tl_xdp_port *port = (tl_xdp_port *)base;
    const int64_t now_ns = tl_frame_clock_ns();
    uint32_t sent = 0;
    int rc = 0;
    if (count > port->batch)
        count = port->batch;
    reclaim(port);
    while (sent < count && rc == 0) {
        rc = put(port, &packets[sent], now_ns);
        sent += rc == 0;
    }
    base->counts.sent += sent;
    if (sent == 0 && !port->kick)
        return rc;
    const int kicked = send_frames(port);
    return kicked != 0 ? kicked : sent > 0 ? (int)sent : rc;
}

/* What a port over a UDP socket sends: one system call for a batch; and where segments were got,
 * one message for every run of datagrams of one size to one place, which passes the stack once and
 * is cut at its end (UDP_SEGMENT). */
#define _GNU_SOURCE
#include "touchline/wire/port_udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#define HEARSAY_MAX 4u /* of one send: the network must not keep us here */

static bool same_place(const tl_port_address *one, const tl_port_address *other)
{
    return one == other || (one != NULL && other != NULL && tl_port_address_same(one, other));
}

/* How many packets from the first go as one message: all of its size, the last may be shorter. */
static uint32_t run_of(const tl_port_packet *packets, uint32_t count)
{
    const uint32_t size = packets[0].size;
    uint32_t bytes = size;
    uint32_t n = 1;
    if (size == 0)
        return 1;
    while (n < count && n < TL_PORT_SEGMENTS_MAX && packets[n - 1].size == size &&
           packets[n].size <= size && packets[n].size > 0 &&
           bytes + packets[n].size <= TL_PORT_SEGMENTED_BYTES &&
           same_place(packets[n].to, packets[0].to))
        bytes += packets[n++].size;
    return n;
}

static void ask_for_segments(struct msghdr *message, tl_udp_control *control, uint32_t size)
{
    const uint16_t segment = (uint16_t)size;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof segment);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    *c = (struct cmsghdr){
        .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(sizeof segment)};
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
}

/* Message `m` of the packets from `at`, `n` of them. 0 or -errno. */
static int compose(tl_udp_port *port, uint32_t m, const tl_port_packet *packets, uint32_t at,
                   uint32_t n)
{
    struct msghdr *message = &port->out[m].msg_hdr;
    const tl_port_address *to = packets[at].to;
    *message = (struct msghdr){.msg_iov = &port->out_bytes[at], .msg_iovlen = n};
    for (uint32_t i = at; i < at + n; i++)
        port->out_bytes[i] = (struct iovec){.iov_base = (void *)(uintptr_t)packets[i].bytes,
                                            .iov_len = packets[i].size};
    if (to == NULL && !port->connected)
        to = &port->base.to;
    if (to != NULL) {
        message->msg_name = &port->out_to[m];
        message->msg_namelen = tl_port_sockaddr(&port->out_to[m], to);
        if (message->msg_namelen == 0)
            return -EDESTADDRREQ;
    }
    if (n > 1)
        ask_for_segments(message, &port->out_control[m], packets[at].size);
    port->out_count[m] = n;
    return 0;
}

/* A message for each packet, or for each run; how many, or -errno for the first. */
static int compose_all(tl_udp_port *port, const tl_port_packet *packets, uint32_t count)
{
    uint32_t messages = 0;
    for (uint32_t at = 0; at < count;) {
        const uint32_t n = port->cut_segments ? run_of(packets + at, count - at) : 1;
        const int rc = compose(port, messages, packets, at, n);
        if (rc != 0)
            return messages == 0 ? rc : (int)messages;
        messages++;
        at += n;
    }
    return (int)messages;
}

/* A way that can not take segments (no checksums in the card, a tunnel, a smaller MTU) says so when
 * they come. From then on every datagram goes by itself. */
static bool give_up_segments(tl_udp_port *port, int error)
{
    if (!port->cut_segments || port->out_count[0] == 1 || (error != EIO && error != EINVAL))
        return false;
    port->cut_segments = false;
    for (uint32_t i = 0; i < port->base.facts.count; i++) {
        tl_port_fact *fact = &port->base.facts.fact[i];
        if (strcmp(fact->name, "segments_out") == 0) {
            fact->got = 0;
            fact->error = -error;
        }
    }
    return true;
}

int tl_udp_send(tl_port *base, const tl_port_packet *packets, uint32_t count)
{
    tl_udp_port *port = (tl_udp_port *)base;
    uint32_t sent = 0;
    uint32_t hearsay = 0;
    if (count > port->batch)
        count = port->batch;
    while (sent == 0 && count > 0) {
        const int messages = compose_all(port, packets, count);
        if (messages < 0)
            return messages;
        const int went = sendmmsg(base->fd, port->out, (unsigned)messages, MSG_DONTWAIT);
        if (went < 0) {
            const int error = errno;
            if (error == EINTR || give_up_segments(port, error))
                continue;
            /* The fate of an earlier datagram; the call has cleared it. */
            if (error == ECONNREFUSED && hearsay++ < HEARSAY_MAX) {
                base->counts.unreached++;
                continue;
            }
            return error == ENOBUFS ? -EAGAIN : -error;
        }
        for (int m = 0; m < went; m++)
            sent += port->out_count[m];
    }
    base->counts.sent += sent;
    return (int)sent;
}

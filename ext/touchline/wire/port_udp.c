/* A port over a UDP socket: opened, bound, made a member of a group; and what it receives. With
 * segments the kernel hands over many datagrams of one sender as one, which are taken apart here,
 * so that whoever polls sees the datagrams that were sent. */
#define _GNU_SOURCE
#include "touchline/wire/port_udp.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JOINED_BYTES 65536u
#define BATCH_MAX 1024u

/* Errors that tell of an earlier datagram's fate, which anybody on the way can make up. */
static bool is_hearsay(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == EHOSTDOWN || error == ENETDOWN || error == EPROTO || error == ENOPROTOOPT ||
           error == EMSGSIZE || error == EACCES;
}

static void read_control(tl_udp_port *port, struct msghdr *message, tl_port_datagram *datagram,
                         uint32_t *segment)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING) {
            tl_port_stamp_read(CMSG_DATA(c), &datagram->rx_ns, &datagram->stamp);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t lost;
            memcpy(&lost, CMSG_DATA(c), sizeof lost);
            port->base.counts.lost += lost - port->ahead; /* it counts on, modulo 2^32 */
            port->ahead = lost;
        } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            *segment = size > 0 ? (uint32_t)size : *segment;
        }
    }
}

/* The datagrams of one message from byte `offset`; how many were written. */
static uint32_t take_apart(tl_udp_port *port, uint32_t index, tl_port_datagram *out, uint32_t max)
{
    struct mmsghdr *message = &port->in[index];
    const uint32_t bytes = message->msg_len < port->room ? message->msg_len : port->room;
    tl_port_datagram first = {.bytes = port->buffers + (size_t)index * port->room};
    uint32_t segment = bytes;
    uint32_t count = 0;
    read_control(port, &message->msg_hdr, &first, &segment);
    if (port->connected)
        first.from = port->base.to;
    else
        tl_port_from_sockaddr(&first.from, &port->in_from[index]);
    first.flags = message->msg_hdr.msg_flags & MSG_TRUNC ? TL_PORT_CUT : 0;
    do {
        const uint32_t left = bytes - port->offset;
        const uint32_t size = left < segment ? left : segment;
        tl_port_datagram *datagram = &out[count++];
        *datagram = first;
        datagram->bytes = first.bytes + port->offset;
        datagram->size = size < port->size_max ? size : port->size_max;
        if (size > port->size_max)
            datagram->flags = TL_PORT_CUT;
        port->base.counts.cut += datagram->flags & TL_PORT_CUT;
        port->offset += size;
    } while (port->offset < bytes && count < max);
    if (port->offset >= bytes) {
        port->offset = 0;
        port->next++;
    }
    return count;
}

static int give_out(tl_udp_port *port, tl_port_datagram *out, uint32_t max)
{
    uint32_t count = 0;
    while (port->next < port->got && count < max)
        count += take_apart(port, port->next, out + count, max - count);
    port->base.counts.received += count;
    return (int)count;
}

/* The kernel wrote lengths over the ones it was given. */
static void make_ready(tl_udp_port *port, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct msghdr *message = &port->in[i].msg_hdr;
        message->msg_namelen = port->connected ? 0 : sizeof *port->in_from;
        message->msg_controllen = port->controlled ? sizeof *port->in_control : 0;
        message->msg_flags = 0;
    }
}

/* Messages now in the port's buffers, or -errno. */
static int receive(tl_udp_port *port, uint32_t max)
{
    int got;
    make_ready(port, port->got);
    port->got = port->next = port->offset = 0;
    if (max == 1) {
        const ssize_t size = recvmsg(port->base.fd, &port->in[0].msg_hdr, MSG_DONTWAIT);
        port->in[0].msg_len = size < 0 ? 0 : (unsigned)size;
        got = size < 0 ? -1 : 1;
    } else {
        got = recvmmsg(port->base.fd, port->in, max, MSG_DONTWAIT, NULL);
    }
    if (got >= 0) {
        port->got = (uint32_t)got;
        return got;
    }
    make_ready(port, 1);
    if (is_hearsay(errno)) {
        port->base.counts.unreached++;
        return 0;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
}

static int udp_poll(tl_port *base, tl_port_datagram *out, uint32_t max, int timeout_ms)
{
    tl_udp_port *port = (tl_udp_port *)base;
    if (max > port->batch)
        max = port->batch;
    if (port->next < port->got)
        return give_out(port, out, max);
    int got = receive(port, max);
    if (got == 0 && timeout_ms != 0) {
        got = tl_port_wait(base->fd, timeout_ms);
        if (got > 0)
            got = receive(port, max);
    }
    return got <= 0 ? got : give_out(port, out, max);
}

static int udp_sent_stamps(tl_port *base, tl_port_sent *out, uint32_t max)
{
    return tl_port_read_sent(base->fd, out, max);
}

static void udp_close(tl_port *base)
{
    tl_udp_port *port = (tl_udp_port *)base;
    if (base->fd >= 0)
        close(base->fd);
    if (port->memory != NULL)
        munmap(port->memory, port->memory_bytes);
    free(port);
}

static const tl_port_ops UDP_OPS = {.poll = udp_poll,
                                    .send = tl_udp_send,
                                    .sent_stamps = udp_sent_stamps,
                                    .close = udp_close};

/* A piece of the port's memory, or where the next would begin. */
static void *piece(uint8_t *memory, size_t *at, size_t bytes)
{
    void *here = memory == NULL ? NULL : memory + *at;
    *at += (bytes + 63) & ~(size_t)63;
    return here;
}

/* Where everything lies in `memory`; with NULL only how much it is. */
static size_t lay_out(tl_udp_port *port, uint8_t *memory)
{
    const size_t n = port->batch;
    size_t at = 0;
    port->in = piece(memory, &at, n * sizeof *port->in);
    port->in_bytes = piece(memory, &at, n * sizeof *port->in_bytes);
    port->in_from = piece(memory, &at, n * sizeof *port->in_from);
    port->in_control = piece(memory, &at, n * sizeof *port->in_control);
    port->out = piece(memory, &at, n * sizeof *port->out);
    port->out_bytes = piece(memory, &at, n * sizeof *port->out_bytes);
    port->out_to = piece(memory, &at, n * sizeof *port->out_to);
    port->out_control = piece(memory, &at, n * sizeof *port->out_control);
    port->out_count = piece(memory, &at, n * sizeof *port->out_count);
    port->buffers = piece(memory, &at, n * port->room);
    return at;
}

static int allocate(tl_udp_port *port)
{
    port->memory_bytes = lay_out(port, NULL);
    port->memory = tl_port_memory(port->memory_bytes);
    if (port->memory == NULL)
        return -ENOMEM;
    lay_out(port, port->memory);
    for (uint32_t i = 0; i < port->batch; i++) {
        struct msghdr *message = &port->in[i].msg_hdr;
        port->in_bytes[i].iov_base = port->buffers + (size_t)i * port->room;
        port->in_bytes[i].iov_len = port->room;
        message->msg_iov = &port->in_bytes[i];
        message->msg_iovlen = 1;
        message->msg_name = port->connected ? NULL : &port->in_from[i];
        message->msg_control = port->controlled ? &port->in_control[i] : NULL;
    }
    make_ready(port, port->batch);
    return 0;
}

/* What multicast goes out by, how far, and whether it comes back. */
static int direct_multicast(int fd, const tl_port_options *options, int family, unsigned index)
{
    const int ttl = options->ttl == 0 ? 1 : options->ttl;
    int rc;
    if (family == 6) {
        rc = tl_port_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        if (rc == 0)
            rc = tl_port_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ttl);
        if (rc == 0)
            rc = tl_port_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, options->loop);
        return rc == 0 && index != 0
                   ? tl_port_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index)
                   : rc;
    }
    const struct ip_mreqn by = {.imr_ifindex = (int)index};
    rc = tl_port_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl);
    if (rc == 0)
        rc = tl_port_set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, options->loop);
    /* Of other groups that somebody on this machine has joined, nothing. */
    if (rc == 0)
        rc = tl_port_set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    if (rc == 0 && index != 0 && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by) != 0)
        rc = -errno;
    return rc;
}

/* Both families have the same two requests. */
static int join(int fd, const tl_port_options *options, const tl_port_address *group,
                unsigned index, tl_port_fault *fault)
{
    const int level = group->family == 6 ? IPPROTO_IPV6 : IPPROTO_IP;
    struct group_source_req one = {.gsr_interface = index};
    struct group_req all = {.gr_interface = index};
    tl_port_address source;
    int rc;
    if (options->source == NULL) {
        tl_port_sockaddr(&all.gr_group, group);
        rc = setsockopt(fd, level, MCAST_JOIN_GROUP, &all, sizeof all) == 0 ? 0 : -errno;
    } else {
        if (tl_port_address_read(&source, options->source) != 0 || source.family != group->family)
            return tl_port_blame(fault, -EINVAL, "source %s", options->source);
        tl_port_sockaddr(&one.gsr_group, group);
        tl_port_sockaddr(&one.gsr_source, &source);
        rc = setsockopt(fd, level, MCAST_JOIN_SOURCE_GROUP, &one, sizeof one) == 0 ? 0 : -errno;
    }
    return rc == 0 ? 0 : tl_port_blame(fault, rc, "join %s", options->local);
}

static void wish_segments(tl_udp_port *port, const tl_port_options *options)
{
    if (!options->segments)
        return;
    /* A stamp belongs to one send, and must belong to one datagram. */
    const bool stamped = options->tuning.stamps != TL_PORT_UNSTAMPED;
    const int out = stamped ? -EOPNOTSUPP : tl_port_set(port->base.fd, SOL_UDP, UDP_SEGMENT, 0);
    const int in = tl_port_set(port->base.fd, SOL_UDP, UDP_GRO, 1);
    port->cut_segments = out == 0;
    if (in == 0)
        port->room = JOINED_BYTES;
    tl_port_note(&port->base.facts, "segments_out", 1, out == 0, out);
    tl_port_note(&port->base.facts, "segments_in", 1, in == 0, in);
}

/* An address of IPv6 that is the same on every link means the one of the interface. */
static void give_scope(tl_port_address *address, unsigned index)
{
    const bool link_local = address->ip[0] == 0xFE && (address->ip[1] & 0xC0) == 0x80;
    const bool group = address->ip[0] == 0xFF && (address->ip[1] & 0x0F) <= 2;
    if (address->family == 6 && address->scope == 0 && (link_local || group))
        address->scope = index;
}

/* The socket bound, a member and connected as far as asked. */
static int bind_socket(tl_udp_port *port, const tl_port_options *options, tl_port_fault *fault)
{
    tl_port *base = &port->base;
    const bool member = tl_port_address_multicast(&base->local);
    struct sockaddr_storage at;
    const unsigned index = options->interface == NULL ? 0 : if_nametoindex(options->interface);
    if (options->interface != NULL && index == 0)
        return tl_port_blame(fault, -ENODEV, "interface %s", options->interface);
    give_scope(&base->local, index);
    give_scope(&base->to, index);
    /* Several readers of one group on a machine; one port of its own is nobody else's. */
    int rc = member ? tl_port_set(base->fd, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
    if (rc == 0)
        rc = direct_multicast(base->fd, options, base->local.family, index);
    if (rc != 0)
        return tl_port_blame(fault, rc, "multicast over %s",
                             options->interface == NULL ? "any interface" : options->interface);
    socklen_t size = tl_port_sockaddr(&at, &base->local);
    if (bind(base->fd, (struct sockaddr *)&at, size) != 0)
        return tl_port_blame(fault, -errno, "bind %s", options->local);
    if (member) {
        rc = join(base->fd, options, &base->local, index, fault);
        if (rc != 0)
            return rc;
    }
    size = tl_port_sockaddr(&at, &base->to);
    if (options->connected && connect(base->fd, (struct sockaddr *)&at, size) != 0)
        return tl_port_blame(fault, -errno, "connect %s", options->to);
    tl_port_read_local(base->fd, &base->local);
    return 0;
}

static int check(const tl_port_options *options, tl_port *base, tl_port_fault *fault)
{
    if (tl_port_address_read(&base->local, options->local) != 0)
        return tl_port_blame(fault, -EINVAL, "local %s", options->local ? options->local : "");
    if (options->to != NULL && (tl_port_address_read(&base->to, options->to) != 0 ||
                                base->to.family != base->local.family))
        return tl_port_blame(fault, -EINVAL, "to %s", options->to);
    if (options->connected && options->to == NULL)
        return tl_port_blame(fault, -EDESTADDRREQ, "connected");
    if (options->batch == 0 || options->batch > BATCH_MAX)
        return tl_port_blame(fault, -EINVAL, "batch %u of 1 to %u", options->batch, BATCH_MAX);
    if (options->size_max == 0 || options->size_max > JOINED_BYTES)
        return tl_port_blame(fault, -EINVAL, "size_max %u of 1 to %u", options->size_max,
                             JOINED_BYTES);
    return 0;
}

static int set_up(tl_udp_port *port, const tl_port_options *options, tl_port_fault *fault)
{
    tl_port *base = &port->base;
    int rc = check(options, base, fault);
    if (rc != 0)
        return rc;
    base->fd = socket(base->local.family == 6 ? AF_INET6 : AF_INET,
                      SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (base->fd < 0)
        return tl_port_blame(fault, -errno, "socket");
    port->batch = options->batch;
    port->size_max = options->size_max;
    port->room = (options->size_max + 63) & ~63u;
    port->connected = options->connected;
    const bool overflow = tl_port_set(base->fd, SOL_SOCKET, SO_RXQ_OVFL, 1) == 0;
    tl_port_tune(base->fd, &options->tuning, options->interface, false, &base->facts);
    wish_segments(port, options);
    port->controlled = overflow;
    rc = bind_socket(port, options, fault);
    if (rc == 0)
        rc = allocate(port);
    return rc == -ENOMEM ? tl_port_blame(fault, rc, "buffers of %s", options->local) : rc;
}

int tl_port_udp_open(tl_port **out, const tl_port_options *options, tl_port_fault *fault)
{
    *out = NULL;
    tl_udp_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return tl_port_blame(fault, -ENOMEM, "port");
    port->base.ops = &UDP_OPS;
    port->base.fd = -1;
    const int rc = set_up(port, options, fault);
    if (rc != 0)
        udp_close(&port->base);
    else
        *out = &port->base;
    return rc;
}

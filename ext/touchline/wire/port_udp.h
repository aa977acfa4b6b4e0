/* The two halves of a port over UDP sockets: what port_udp.c opens and receives with, and
 * port_udp_send.c sends with. Internal to them. */
#ifndef TOUCHLINE_PORT_UDP_H
#define TOUCHLINE_PORT_UDP_H

#include "touchline/wire/port_state.h"

#include <sys/socket.h>
#include <sys/uio.h>

/* The kernel's bounds of a send in segments: how many, and the bytes of all. */
#define TL_PORT_SEGMENTS_MAX 64u
#define TL_PORT_SEGMENTED_BYTES 65000u

typedef struct tl_udp_control {
    _Alignas(struct cmsghdr) char bytes[TL_PORT_CONTROL_BYTES];
} tl_udp_control;

typedef struct tl_udp_port {
    tl_port base;
    uint32_t batch;
    uint32_t size_max;
    uint32_t room;     /* bytes of one receive buffer: size_max, or 64 KB for joined segments */
    bool connected;
    bool cut_segments; /* UDP_SEGMENT was got */
    bool controlled;   /* receiving needs room for control messages */
    uint32_t ahead;    /* datagrams that the kernel counted as lost, seen last */
    /* What came last: `got` messages, given out up to byte `offset` of message `next`. */
    uint32_t got, next, offset;
    struct mmsghdr *in;
    struct iovec *in_bytes;
    struct sockaddr_storage *in_from;
    tl_udp_control *in_control;
    uint8_t *buffers;
    /* What is being sent. */
    struct mmsghdr *out;
    struct iovec *out_bytes;
    struct sockaddr_storage *out_to;
    tl_udp_control *out_control;
    uint32_t *out_count; /* datagrams in each message */
    size_t memory_bytes;
    void *memory;
} tl_udp_port;

int tl_udp_send(tl_port *base, const tl_port_packet *packets, uint32_t count);

#endif

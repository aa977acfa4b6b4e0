/* The port for streams: a listener, the connections it took and those it made, in one loop. As
 * port.h, but what comes has no bounds of its own: poll shows all bytes of a connection that wait,
 * its owner says how many it took, and the rest is shown again together with what follows.
 *
 * What is sent is written in place: tl_tcp_room, the bytes, tl_tcp_put, and tl_tcp_flush or the
 * next poll hands them to the kernel. Plain sockets: Onload and VMA take them over unchanged.
 */
#ifndef TOUCHLINE_PORT_TCP_H
#define TOUCHLINE_PORT_TCP_H

#include "touchline/wire/port.h"

typedef struct tl_tcp tl_tcp;

typedef struct tl_tcp_options {
    const char *local;        /* where to listen; NULL: only connections of our own */
    const char *interface;    /* whose card stamps; NULL for none */
    uint32_t connections_max; /* 1 to 65,535; who comes beyond is closed and counted */
    uint32_t receive_max;     /* bytes of one connection that can wait for their owner */
    uint32_t send_max;        /* bytes of one connection that can wait for the kernel */
    /* Read the sockets themselves in each poll, as long as so few are open: a pass over one is the
     * shortest way in for who spins. 0: always ask epoll. */
    uint32_t direct_max;
    tl_port_tuning tuning;
} tl_tcp_options;

enum tl_tcp_kind {
    TL_TCP_OPENED = 1, /* accepted, or connected as asked */
    TL_TCP_BYTES = 2,
    TL_TCP_CLOSED = 3 /* the number means nothing from now on */
};

typedef struct tl_tcp_event {
    uint32_t conn;
    uint8_t kind; /* enum tl_tcp_kind */
    uint8_t unused;
    uint16_t stamp; /* enum tl_port_stamp: whose clock rx_ns is */
    int32_t error;  /* CLOSED: 0 when the other side ended it, else -errno */
    uint32_t size;
    const uint8_t *bytes;
    int64_t rx_ns; /* when the last of the bytes came; 0 where nobody stamped */
} tl_tcp_event;

/* 0 or -errno; `fault` may be NULL. */
int tl_tcp_open(tl_tcp **out, const tl_tcp_options *options, tl_port_fault *fault);
void tl_tcp_close(tl_tcp *tcp);

/* A connection's number, or -errno; OPENED or CLOSED tells what became of it. */
int64_t tl_tcp_connect(tl_tcp *tcp, const char *to, tl_port_fault *fault);

/* What has happened, at most `max`: their number, or -errno. Waits so many milliseconds for the
 * first; 0 returns at once, below 0 waits for ever. One read for each connection and poll, so
 * that nobody keeps the others waiting. */
int tl_tcp_poll(tl_tcp *tcp, tl_tcp_event *out, uint32_t max, int timeout_ms);

/* Sleep until there is something, at most so many milliseconds; below 0 for ever. The next poll
 * tells what it was, and does not ask the system again. 0 or -errno. */
int tl_tcp_wait(tl_tcp *tcp, int timeout_ms);
/* An edge of this descriptor ends a wait, too: an eventfd of whoever else has work for the loop.
 * 0 or -errno. */
int tl_tcp_also(tl_tcp *tcp, int fd);

/* The owner is done with the first `size` of the bytes shown. A connection whose owner takes
 * nothing is read until receive_max bytes wait, and then no more: the other side has to wait. */
void tl_tcp_took(tl_tcp *tcp, uint32_t conn, uint32_t size);
/* All that waits, for an owner who could not take it when it came. Bytes or 0. */
uint32_t tl_tcp_waiting(tl_tcp *tcp, uint32_t conn, const uint8_t **bytes);

/* Where to write up to `size` bytes, until the next call on this connection; NULL when it is gone,
 * or so far behind that send_max has no room for them. */
uint8_t *tl_tcp_room(tl_tcp *tcp, uint32_t conn, uint32_t size);
/* So many have been written there. */
void tl_tcp_put(tl_tcp *tcp, uint32_t conn, uint32_t size);
/* Hand over now what was put. 0, -EAGAIN when some still waits for the kernel (poll goes on with
 * it), -ENOTCONN, or -errno of a connection that broke: CLOSED follows. */
int tl_tcp_flush(tl_tcp *tcp, uint32_t conn);
/* Room, copy, put and flush; -ENOBUFS when there is no room for all. */
int tl_tcp_send(tl_tcp *tcp, uint32_t conn, const void *bytes, uint32_t size);

/* End it: no more is put, what comes is dropped, and CLOSED follows once all that was put is with
 * the kernel and the other side has ended, too. Who is not so patient drops it. */
void tl_tcp_end(tl_tcp *tcp, uint32_t conn);
/* End it now, whatever waits; nothing follows. */
void tl_tcp_drop(tl_tcp *tcp, uint32_t conn);

/* When bytes went, as far as that is known by now; `number` is that of the last byte, from 0. */
int tl_tcp_sent_stamps(tl_tcp *tcp, uint32_t conn, tl_port_sent *out, uint32_t max);
/* How many bytes were put, modulo 2^32: the number of the next. 0 when the connection is gone. */
uint32_t tl_tcp_bytes_put(const tl_tcp *tcp, uint32_t conn);
/* The other end; family 0 when the connection is gone. */
tl_port_address tl_tcp_peer(const tl_tcp *tcp, uint32_t conn);

/* For an epoll of one's own; readable when poll has something, once poll has given less than it
 * could. */
int tl_tcp_fd(const tl_tcp *tcp);
const tl_port_address *tl_tcp_local(const tl_tcp *tcp);
/* Of the listener and the first connection. */
const tl_port_facts *tl_tcp_what_was_got(const tl_tcp *tcp);
/* Connections open, and those refused because connections_max were. */
uint32_t tl_tcp_connections(const tl_tcp *tcp);
uint64_t tl_tcp_refused(const tl_tcp *tcp);

#endif

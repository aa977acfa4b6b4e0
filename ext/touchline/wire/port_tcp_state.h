/* The port for streams from inside: its connections and the lists they stand in. port_tcp.c has
 * the loop, port_tcp_conn.c what happens to one connection. Internal to them. */
#ifndef TOUCHLINE_PORT_TCP_STATE_H
#define TOUCHLINE_PORT_TCP_STATE_H

#include "touchline/wire/port_state.h"
#include "touchline/wire/port_tcp.h"

enum tl_tcp_state { TL_TCP_FREE = 0, TL_TCP_CONNECTING = 1, TL_TCP_OPEN = 2 };

/*   in:  [ taken | shown, not taken | room ]      out: [ with the kernel | waits | room ]
 *              in_begin           in_end                         out_begin  out_end       */
typedef struct tl_tcp_conn {
    int fd;
    uint16_t generation; /* how often the slot was used: the upper half of the number */
    uint8_t state;
    bool announced; /* OPENED was told */
    bool watched;   /* by epoll */
    bool readable;  /* the kernel may have bytes */
    bool hung_up;   /* and after them its end, which epoll does not tell twice */
    bool full;      /* not read, because its owner takes nothing */
    bool ending;    /* no more is put */
    bool shut;      /* and the other side was told so */
    bool queued;    /* stands in `ready`; stays so when the slot is free */
    bool unsent;    /* stands in `dirty`; likewise */
    int32_t error;  /* what broke it while sending */
    uint32_t place; /* in `active` */
    uint32_t served; /* in this poll already: what it was told must stand */
    uint32_t in_begin, in_end;
    uint32_t out_begin, out_end;
    uint32_t bytes_put;
    uint8_t *in, *out;
    tl_port_address peer;
} tl_tcp_conn;

struct tl_tcp {
    int epoll_fd;
    int listen_fd;
    int spare_fd; /* given up for a moment to turn somebody away when there are no more */
    uint32_t connections_max;
    uint32_t receive_max, send_max, direct_max;
    uint32_t polls;
    uint32_t unlooked;  /* polls since epoll was asked */
    uint32_t direct;    /* polls in a row that read the sockets themselves */
    uint32_t unwatched; /* connections that epoll does not know */
    uint64_t refused;
    bool waited; /* epoll has told, and nobody has polled since */
    bool stamped;
    bool facts_known; /* of the first connection */
    const char *interface;
    tl_port_tuning tuning;
    tl_port_facts facts;
    tl_port_address local;
    tl_tcp_conn *conns;
    uint32_t *active; /* slots in use */
    uint32_t active_count;
    uint32_t *unused; /* slots not in use, a stack */
    uint32_t unused_count;
    uint32_t *ready; /* a ring of slots to be looked at; each stands in it once */
    uint32_t ready_head, ready_count;
    uint32_t *dirty; /* slots with something put and not flushed */
    uint32_t dirty_count;
    char *interface_kept;
    void *memory;
    size_t memory_bytes;
};

static inline uint32_t tl_tcp_number(const tl_tcp *tcp, const tl_tcp_conn *conn)
{
    return (uint32_t)conn->generation << 16 | (uint32_t)(conn - tcp->conns);
}

/* The connection of this number, or NULL when it is no more. */
static inline tl_tcp_conn *tl_tcp_find(const tl_tcp *tcp, uint32_t number)
{
    const uint32_t slot = number & 0xFFFFu;
    if (slot >= tcp->connections_max)
        return NULL;
    tl_tcp_conn *conn = &tcp->conns[slot];
    return conn->state != TL_TCP_FREE && conn->generation == number >> 16 ? conn : NULL;
}

static inline void tl_tcp_queue(tl_tcp *tcp, tl_tcp_conn *conn)
{
    if (conn->queued)
        return;
    conn->queued = true;
    uint32_t at = tcp->ready_head + tcp->ready_count++;
    if (at >= tcp->connections_max)
        at -= tcp->connections_max;
    tcp->ready[at] = (uint32_t)(conn - tcp->conns);
}

/* A slot for this socket, which is tuned and watched; the socket is closed when that fails. */
int tl_tcp_begin(tl_tcp *tcp, int fd, uint8_t state, const tl_port_address *peer,
                 tl_tcp_conn **out);
/* Whether epoll is to tell about it. 0 or -errno. */
int tl_tcp_watch(tl_tcp *tcp, tl_tcp_conn *conn, bool watched);
/* Closed, and the slot is free. */
void tl_tcp_finish(tl_tcp *tcp, tl_tcp_conn *conn);
/* What was put goes to the kernel: 0, -EAGAIN, or -errno of a connection that broke. */
int tl_tcp_push(tl_tcp *tcp, tl_tcp_conn *conn);
/* What there is to tell about it: whether `event` was written. */
bool tl_tcp_serve(tl_tcp *tcp, tl_tcp_conn *conn, tl_tcp_event *event);

#endif

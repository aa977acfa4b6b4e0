/* Peers: the connections of one listener, as ends of SoupBinTCP, from their first byte to the last.
 *
 *   connected ─ login ─► door ─ who it is ─► seated: its messages to the owner, its stream to it
 *
 * What comes before a good login costs a slot, a buffer that was there already, and a deadline. A
 * stream is a spool of whole packets and is written when the peer can take it; it is the queue, so
 * a slow reader makes nothing grow. Each peer gets the same share of a round, however much it sent.
 * It belongs to one loop.
 */
#ifndef TOUCHLINE_WIRE_PEERS_H
#define TOUCHLINE_WIRE_PEERS_H

#include "touchline/wire/port_tcp.h"
#include "touchline/wire/soupbin.h"
#include "touchline/wire/spool.h"
#include "touchline/wire/wire_door.h"
#include "touchline/wire/wire_stamps.h"

typedef struct tl_wire_peer {
    uint32_t conn;
    uint32_t session;     /* TL_WIRE_NOBODY before its login is accepted */
    tl_soupbin_end end;
    tl_soupbin_event login; /* what it asked for */
    const tl_spool *stream;
    uint64_t last;        /* its last message of the stream, which then is complete */
    int64_t seated_ns;    /* when its login was accepted */
    int64_t rx_ns;        /* stamp of the bytes read last; 0: nobody stamped them */
    int64_t parting_ns;   /* when it is dropped, if it has not gone by itself; 0: it is not to go */
    bool open;            /* the slot is used */
    bool logged_out;      /* it said so */
    bool unasked;         /* its login waits for room at the door */
    bool busy;            /* stands in `busy`: more bytes of it are there */
    bool dirty;           /* stands in `dirty`: its stream may have more */
} tl_wire_peer;

typedef enum tl_wire_taken {
    TL_WIRE_TAKEN,
    TL_WIRE_LATER, /* nothing was done: the same message again in a later round */
    TL_WIRE_BROKEN /* the peer is to go */
} tl_wire_taken;

typedef struct tl_wire_hooks {
    void *context;
    /* A message of a seated peer. */
    tl_wire_taken (*message)(void *context, tl_wire_peer *peer, const uint8_t *bytes, size_t size);
    /* The peer is this session: its stream, and in peer->last where it ends; NULL: not now. */
    const tl_spool *(*seat)(void *context, tl_wire_peer *peer, uint32_t session);
    /* A seated peer is gone. */
    void (*left)(void *context, tl_wire_peer *peer);
} tl_wire_hooks;

typedef struct tl_wire_peers_config {
    tl_tcp_options tcp;
    tl_soupbin_config soupbin;
    uint32_t loop;          /* enum tl_wire_loop */
    uint32_t newcomers_max; /* before their login; when more come the oldest go */
    int64_t stay_ns;        /* who is logged in for longer is sent off; 0: nobody */
    char session[11];       /* the stream's name */
} tl_wire_peers_config;

typedef struct tl_wire_peers {
    tl_wire_peers_config config;
    tl_wire_hooks hooks;
    tl_wire_door *door;
    tl_wire_stamps *stamps; /* NULL: off */
    tl_tcp *tcp;
    tl_wire_peer *peers; /* by the connection's slot */
    uint32_t *busy, *dirty, *in_order; /* slots; in_order: newcomers, the oldest first */
    uint32_t busy_count, dirty_count, newcomers;
    uint32_t slots_used; /* slots from here on were never used */
    uint32_t unasked;
    uint32_t parting;    /* ended by us, and not yet closed by the other side */
    bool hungry;         /* some stream has more than a round's share for a peer that takes it */
    uint32_t held; /* of the busy: those whose message has to wait */
    int64_t now_ns, due_ns;
    _Atomic(uint64_t) accepted, refused, faults, received, sent;
    _Atomic(uint64_t) seated;
} tl_wire_peers;

/* A counter that one thread writes, and others read. */
static inline void tl_wire_count(_Atomic(uint64_t) *counter, uint64_t more)
{
    const uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + more, memory_order_relaxed);
}

int tl_wire_peers_open(tl_wire_peers *peers, const tl_wire_peers_config *config,
                       const tl_wire_hooks *hooks, tl_wire_door *door, tl_port_fault *fault);
void tl_wire_peers_close(tl_wire_peers *peers);

/* What came, waiting so long for it; answers of the door; clocks. How much there was, or -errno. */
int tl_wire_peers_round(tl_wire_peers *peers, int64_t now_ns, int timeout_ms);
/* There may be more of its stream. */
void tl_wire_peers_touch(tl_wire_peers *peers, tl_wire_peer *peer);
/* Streams to their peers, as far as these take them. */
void tl_wire_peers_write(tl_wire_peers *peers);
/* Close one, or all. */
void tl_wire_peers_drop(tl_wire_peers *peers, tl_wire_peer *peer);
void tl_wire_peers_end(tl_wire_peers *peers);
/* Is there something to do at once? */
static inline bool tl_wire_peers_idle(const tl_wire_peers *peers)
{
    return peers->busy_count <= peers->held && !peers->hungry;
}
/* A message has to wait? */
static inline bool tl_wire_peers_held(const tl_wire_peers *peers)
{
    return peers->held > 0;
}
/* A stream waits for its peer to read? */
static inline bool tl_wire_peers_behind(const tl_wire_peers *peers)
{
    return peers->dirty_count > 0;
}

#endif

/* Ports: how datagrams reach the binary protocols and leave them.
 *
 *      UDP sockets      port_udp.c     ┐
 *      AF_XDP           port_xdp.c     │                      ┌ tl_port_poll: a batch in
 *      lossy loopback   port_loop.c    ├─► one struct tl_port ┤ tl_port_send: a batch out
 *      DPDK             port_dpdk.c    │                      └ tl_port_counts, tl_port_facts
 *      ef_vi            port_efvi.c    ┘   (port_tcp.h is the same for streams)
 *
 * Each kind has its own open; what follows is the same for all. A port belongs to one thread. Open
 * allocates all that the options ask for and nothing after it does. What poll gave is the port's
 * and stands until the next poll. Errors are -errno; an open that fails also says what failed, and
 * where, in a fault. A wish that the system does not grant (busy polling, stamps, segments, zero
 * copy) fails nothing: the facts say what was asked and what was got.
 */
#ifndef TOUCHLINE_PORT_H
#define TOUCHLINE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tl_port tl_port;

typedef struct tl_port_address {
    uint8_t ip[16];  /* IPv4: the first four */
    uint32_t scope;  /* the interface's number, for a link-local address of IPv6 */
    uint16_t port;   /* in the machine's order */
    uint8_t family;  /* 4, 6, or 0 for none */
    uint8_t unused;
} tl_port_address;

#define TL_PORT_ADDRESS_BYTES 72
/* "192.0.2.1:5000", "[2001:db8::1]:5000", "[fe80::1%eth0]:5000"; 0 or -EINVAL. */
int tl_port_address_read(tl_port_address *address, const char *text);
/* The same as text; returns `text`, which has room for TL_PORT_ADDRESS_BYTES. */
const char *tl_port_address_text(const tl_port_address *address, char *text);
bool tl_port_address_same(const tl_port_address *one, const tl_port_address *other);
bool tl_port_address_multicast(const tl_port_address *address);

/* Why an open failed: "bind 127.0.0.1:5000: Address already in use". */
#define TL_PORT_FAULT_BYTES 192
typedef struct tl_port_fault {
    int error; /* -errno */
    char text[TL_PORT_FAULT_BYTES];
} tl_port_fault;

/* What was asked against what was got. Yes and no are 1 and 0. */
#define TL_PORT_FACTS_MAX 20
typedef struct tl_port_fact {
    const char *name;
    int64_t asked, got;
    int error; /* -errno of the refusal, 0 where nothing was refused */
} tl_port_fact;
typedef struct tl_port_facts {
    uint32_t count;
    tl_port_fact fact[TL_PORT_FACTS_MAX];
} tl_port_facts;
/* The fact of this name, or NULL. */
const tl_port_fact *tl_port_fact_named(const tl_port_facts *facts, const char *name);

/* Who stamps when a datagram came or went. Software: the kernel, UTC. Hardware: the card, by its
 * own clock, for which somebody must keep UTC (phc2sys). */
enum tl_port_stamp { TL_PORT_UNSTAMPED = 0, TL_PORT_SOFTWARE = 1, TL_PORT_HARDWARE = 2 };

/* What sockets of either kind can be asked for; 0 leaves it to the system. */
typedef struct tl_port_tuning {
    uint32_t busy_poll_us;     /* SO_BUSY_POLL: the card is polled for so long before sleeping */
    uint32_t busy_poll_budget; /* SO_BUSY_POLL_BUDGET: packets in one such poll */
    bool prefer_busy_poll;     /* SO_PREFER_BUSY_POLL: no interrupts while we poll in time */
    uint8_t stamps;            /* enum tl_port_stamp, for both directions */
    uint32_t receive_bytes;    /* SO_RCVBUF */
    uint32_t send_bytes;       /* SO_SNDBUF */
} tl_port_tuning;

typedef struct tl_port_options {
    const char *local;     /* where to receive; of a multicast group it becomes a member */
    const char *to;        /* where to send what names no destination; NULL for nowhere */
    const char *source;    /* of a group, only what this address sends; NULL for everybody */
    const char *interface; /* for groups and AF_XDP; NULL lets the system choose */
    uint32_t batch;        /* most datagrams of one poll or send */
    uint32_t size_max;     /* largest datagram; a larger one comes cut, and says so */
    uint8_t ttl;           /* hops that multicast goes; 0 is taken as 1 */
    bool loop;             /* multicast reaches this machine's members, too */
    bool connected;        /* take from `to` alone, and let the kernel keep the way to it */
    bool segments;         /* UDP_SEGMENT and UDP_GRO: many datagrams pass the stack as one */
    tl_port_tuning tuning;
} tl_port_options;

#define TL_PORT_CUT 1u /* the datagram was larger than size_max */

typedef struct tl_port_datagram {
    const uint8_t *bytes;
    uint32_t size;
    uint16_t flags;
    uint16_t stamp; /* enum tl_port_stamp: whose clock rx_ns is */
    int64_t rx_ns;  /* when it came; 0 where nobody stamped */
    tl_port_address from;
} tl_port_datagram;

typedef struct tl_port_packet {
    const void *bytes;
    const tl_port_address *to; /* NULL: the option's */
    uint32_t size;
} tl_port_packet;

/* When the datagram with this number went; they are counted from 0 as they are sent. */
typedef struct tl_port_sent {
    uint32_t number;
    uint32_t stamp;
    int64_t tx_ns;
} tl_port_sent;

#define TL_PORT_COUNTS(X)                                                                          \
    X(received)   /* given out by poll */                                                          \
    X(sent)       /* taken by the system */                                                        \
    X(cut)        /* larger than size_max */                                                       \
    X(lost)       /* came, and the system had no room for them */                                  \
    X(malformed)  /* came, and were no whole datagrams: lengths or checksums are wrong */          \
    X(unreached)  /* an earlier one could not be delivered, the network says */                    \
    X(fill_empty) /* AF_XDP: moments with no frame free to receive into */                         \
    X(ring_full)  /* AF_XDP: moments with no room in the ring of what was received */              \
    X(arp)        /* questions answered */                                                         \
    X(unresolved) /* not sent: the card's address of the destination is not known yet */

typedef struct tl_port_counts {
#define TL_PORT_COUNT_FIELD(name) uint64_t name;
    TL_PORT_COUNTS(TL_PORT_COUNT_FIELD)
#undef TL_PORT_COUNT_FIELD
} tl_port_counts;

/* UDP sockets, unicast and multicast. 0 or -errno; `fault` may be NULL. */
int tl_port_udp_open(tl_port **out, const tl_port_options *options, tl_port_fault *fault);

/* AF_XDP: one UDP port of an interface's queue past the kernel's stack; IPv4. All else on the
 * interface goes on as before. `local` is an address of the interface, and then the kernel keeps
 * answering ARP for it; or one that nobody has, and then the port does; or a group. What is sent by
 * a member of a group comes from the interface's own address. Of the common options segments and
 * stamps are not to be had, connected changes nothing. */
enum tl_port_xdp_mode { TL_PORT_XDP_ANY = 0, TL_PORT_XDP_DRIVER = 1, TL_PORT_XDP_GENERIC = 2 };
typedef struct tl_port_xdp_options {
    tl_port_options common; /* `interface` must be named */
    const char *gateway;    /* "192.0.2.254:0" passes on all but groups; NULL: all are near */
    uint32_t queue;         /* of the interface */
    uint32_t frames;        /* for each direction: a power of two */
    uint8_t mode;           /* enum tl_port_xdp_mode */
    bool zero_copy;         /* ask for it; else packets are copied */
    bool send_only;         /* no program is attached, nothing is received */
} tl_port_xdp_options;
int tl_port_xdp_open(tl_port **out, const tl_port_xdp_options *options, tl_port_fault *fault);

/* A network of one port, for tests: what is sent comes out of its own poll, with the faults of a
 * network, the same ones for the same seed. Faults are shares of a million. */
typedef struct tl_port_loop_options {
    uint32_t batch;    /* most datagrams of one poll or send */
    uint32_t size_max; /* largest datagram */
    uint32_t slots;    /* datagrams on their way; more are lost, as in a switch */
    uint32_t delay;    /* polls until any datagram comes */
    uint32_t late_max; /* polls more that a late one takes, at most; the others overtake it */
    uint32_t lost, doubled, shortened, late;
    uint64_t seed;
} tl_port_loop_options;
int tl_port_loop_open(tl_port **out, const tl_port_loop_options *options, tl_port_fault *fault);

/* What has come, at most `max` and the option's batch: their number, or -errno. Waits so many
 * milliseconds for the first; 0 returns at once, below 0 waits for ever; it may be back sooner with
 * nothing. */
int tl_port_poll(tl_port *port, tl_port_datagram *out, uint32_t max, int timeout_ms);
/* Send in order. How many went; fewer than `count` when the system has no room now; -errno, as
 * -EAGAIN, when not even the first did. */
int tl_port_send(tl_port *port, const tl_port_packet *packets, uint32_t count);
/* When earlier datagrams went, as far as that is known by now: their number, or -errno. Stamps that
 * nobody fetches fill the socket's queue, and then there are no more. */
int tl_port_sent_stamps(tl_port *port, tl_port_sent *out, uint32_t max);
void tl_port_close(tl_port *port);

/* For an epoll of one's own; readable when poll may have something. -1 where there is none. */
int tl_port_fd(const tl_port *port);
/* Where it receives, with the port that the system chose. */
const tl_port_address *tl_port_local(const tl_port *port);
const tl_port_facts *tl_port_what_was_got(const tl_port *port);
tl_port_counts tl_port_counted(tl_port *port);

#endif

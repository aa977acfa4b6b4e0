/* The messages of a MoldUDP64 session, each once and in order, from several lines of packets.
 *
 *   line A ─┐ packets           ┌─► messages 1, 2, 3, … with what is known to be lost
 *   line B ─┤──► receiver ──────┤
 *   answers ┘    │ window of    └─► requests for what no line brought in time
 *                └ messages that came early
 *
 * The first line to bring a message wins; the others' are duplicates. What comes early is copied
 * into a window of fixed size, what comes in order is handed on where it lies. A packet that is
 * damaged, of another session or too far ahead changes nothing. Memory is the caller's; a receiver
 * belongs to one thread at a time and reads no clock.
 */
#ifndef TOUCHLINE_MOLDUDP64_RECEIVER_H
#define TOUCHLINE_MOLDUDP64_RECEIVER_H

#include "touchline/wire/moldudp64.h"

#define TL_MOLDUDP64_LINES 4u

typedef struct tl_moldudp64_receiver_config {
    uint32_t window;      /* messages kept that came early: a power of two */
    uint32_t message_max; /* bytes of such a message */
    uint64_t ahead_max;   /* packets that begin further ahead are FAR */
    int64_t patience_ns;  /* how long a gap may stay before it is asked for */
    int64_t retry_ns;     /* asked for again after that */
    uint32_t tries_max;   /* after so many it is LOST; 0: never */
    uint16_t request_max; /* messages asked for at a time */
} tl_moldudp64_receiver_config;

typedef enum tl_moldudp64_kind {
    TL_MOLDUDP64_NOTHING, /* all that has come is told */
    TL_MOLDUDP64_MESSAGE,
    TL_MOLDUDP64_LOST,    /* messages `number` to `last` will not come */
    TL_MOLDUDP64_ENDED    /* the session is complete: told once */
} tl_moldudp64_kind;

typedef struct tl_moldudp64_arrival {
    tl_moldudp64_kind kind;
    const uint8_t *bytes; /* of a MESSAGE; valid until the next call */
    size_t size;
    uint64_t number, last;
} tl_moldudp64_arrival;

typedef struct tl_moldudp64_slot {
    uint64_t number; /* 0: free */
    uint32_t size;
    uint32_t _pad;
} tl_moldudp64_slot;

typedef struct tl_moldudp64_receiver {
    tl_moldudp64_receiver_config config;
    char session[10];      /* all 0: that of the first packet */
    uint64_t expected;     /* the next number; 0: that of the first packet */
    uint64_t told;         /* numbers below are known to have been sent */
    uint64_t end;          /* the session ends before this number; 0: not known */
    int64_t gap_ns;        /* since when `expected` is missing; INT64_MAX: it is not */
    int64_t asked_ns;      /* when it was asked for last */
    uint64_t asked_to;     /* the last number of the gap that was asked for last */
    uint32_t tries;
    bool ended;            /* and that has been told */
    uint64_t lost_to;      /* a loss to be told: up to this number; 0: none */
    tl_moldudp64_packet packet; /* whose messages are being handed on, and its line */
    uint32_t line;
    tl_moldudp64_slot *slots;
    uint8_t *bytes;
    uint32_t held; /* slots taken */
    /* What came, by line: packets, and those at fault by name; messages, and those that came first
     * on this line; when something came last. */
    uint64_t packets[TL_MOLDUDP64_LINES], messages[TL_MOLDUDP64_LINES];
    uint64_t faults[TL_MOLDUDP64_LINES][TL_MOLDUDP64_FAULT_KINDS];
    int64_t heard_ns[TL_MOLDUDP64_LINES];
    uint64_t requests, lost; /* sent; messages */
} tl_moldudp64_receiver;

/* Bytes of memory that such a receiver needs; 0: the configuration can not be. */
size_t tl_moldudp64_receiver_bytes(const tl_moldudp64_receiver_config *config);
/* `memory`: so many bytes, aligned to 8. `session`: 10 bytes, NULL: the first packet's. `next`: the
 * number of the first message wanted; 0: from the first packet on. False: as above. */
bool tl_moldudp64_receiver_open(tl_moldudp64_receiver *receiver,
                                const tl_moldudp64_receiver_config *config, void *memory,
                                const char *session, uint64_t next);

/* A packet of a line, or an answer to a request. What it brought is then taken by
 * tl_moldudp64_arrived until that is NOTHING, before the bytes go and before the next packet. NONE,
 * or why it, or some of it, is not used. Once a session has ended the next one's first packet
 * begins that. */
tl_moldudp64_fault tl_moldudp64_receive(tl_moldudp64_receiver *receiver, uint32_t line,
                                        const uint8_t *bytes, size_t size, int64_t now_ns);
tl_moldudp64_kind tl_moldudp64_arrived(tl_moldudp64_receiver *receiver, int64_t now_ns,
                                       tl_moldudp64_arrival *arrival);
/* What time asks for: true: a request of TL_MOLDUDP64_HEAD bytes is written to `out`. A gap may be
 * given up here: take what has arrived afterwards. */
bool tl_moldudp64_receiver_due(tl_moldudp64_receiver *receiver, int64_t now_ns, uint8_t *out);
/* When that may be next; INT64_MAX: nothing is missing. */
int64_t tl_moldudp64_receiver_due_ns(const tl_moldudp64_receiver *receiver);

#endif

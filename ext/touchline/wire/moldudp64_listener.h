/* Who listens to a MoldUDP64 feed: its lines, the requests for what they lost, one stream.
 *
 *   line A ─► port ─┐                ┌─► whole messages in order, each with its length before it
 *   line B ─► port ─┼─► receiver ────┤
 *   answers ► port ─┘      │         └─► what is lost for good; the end of the session
 *                          └─► port ─► requests
 *
 * moldudp64_receiver.h puts the lines together. Everything is allocated at open. One thread at a
 * time may call these functions.
 */
#ifndef TOUCHLINE_MOLDUDP64_LISTENER_H
#define TOUCHLINE_MOLDUDP64_LISTENER_H

#include "touchline/wire/moldudp64_receiver.h"
#include "touchline/wire/port.h"

#define TL_MOLDUDP64_HEARD_LINES 2u
#define TL_MOLDUDP64_HEARD_ROOM (2u + UINT16_MAX) /* the least room for what is heard */

typedef struct tl_moldudp64_listener_config {
    uint32_t lines; /* 1 or 2 */
    tl_port_options line[TL_MOLDUDP64_HEARD_LINES];
    const char *requests; /* where what is missing is asked for; NULL: nowhere */
    char session[10];     /* all 0: the first packet's */
    uint64_t next;        /* the first message wanted; 0: from the first packet on */
    tl_moldudp64_receiver_config receiver;
} tl_moldudp64_listener_config;

/* What came. Messages come before the loss or end that follows them, which is told next time. */
typedef struct tl_moldudp64_heard {
    tl_moldudp64_kind kind;
    uint64_t first; /* of MESSAGE and LOST: the first number */
    uint64_t last;  /* and the last */
    size_t size;    /* MESSAGE: bytes of them, with a u16 of length before each */
    int64_t utc_ns; /* when it was given out */
} tl_moldudp64_heard;

typedef struct tl_moldudp64_listener tl_moldudp64_listener;

/* 0, -EINVAL, -ENOMEM or -errno, with `fault` for a port. */
int tl_moldudp64_listener_open(tl_moldudp64_listener **out,
                               const tl_moldudp64_listener_config *config, tl_port_fault *fault);
void tl_moldudp64_listener_close(tl_moldudp64_listener *listener);

/* What comes next, of at most `room` bytes (TL_MOLDUDP64_HEARD_ROOM or more); NOTHING after so many
 * milliseconds, and sooner when much came that was worth nothing. 0 or -errno. */
int tl_moldudp64_hear(tl_moldudp64_listener *listener, uint8_t *out, size_t room, int timeout_ms,
                      tl_moldudp64_heard *heard);

/* Counts by line, the session, what is expected; of the answers as line `lines`. */
const tl_moldudp64_receiver *tl_moldudp64_listener_receiver(const tl_moldudp64_listener *listener);
/* Datagrams that came to a line and for which the system had no room. */
uint64_t tl_moldudp64_listener_dropped(tl_moldudp64_listener *listener, uint32_t line);

#endif

/* Who sends a MoldUDP64 feed out of messages that it is given: at their own times, or faster.
 *
 *   messages, each with its time ─► pace ─► packets ─┬─► line A
 *                                     │              └─► line B
 *                                     └─► history ─► answers ◄─ requests
 *
 * The venue's own feed is wire_feed.h. Messages older than the history holds are not sent again.
 * Everything is allocated at open. One thread at a time may call these functions.
 */
#ifndef TOUCHLINE_MOLDUDP64_SENDER_H
#define TOUCHLINE_MOLDUDP64_SENDER_H

#include "touchline/wire/moldudp64_history.h"
#include "touchline/wire/port.h"

#define TL_MOLDUDP64_SENT_LINES 2u

typedef struct tl_moldudp64_sender_config {
    uint32_t lines; /* 1 or 2 */
    tl_port_options line[TL_MOLDUDP64_SENT_LINES];
    const char *requests; /* where they come in; NULL: nowhere */
    char session[10];
    uint64_t next;        /* the number of the first message */
    size_t packet_max;    /* bytes of UDP payload */
    double speed;         /* of their times: 1 is as they were, 0 without regard to them */
    uint64_t per_s;       /* messages a second at most; 0: as many as go */
    size_t time_at;       /* where in a message its time is: 6 bytes, big-endian nanoseconds */
    uint64_t messages_max; /* of the history: a power of two */
    uint64_t bytes_max;
    uint32_t answers_per_s;
} tl_moldudp64_sender_config;

typedef struct tl_moldudp64_sender_status {
    uint64_t messages, packets, requests, answered;
    uint64_t lost[TL_MOLDUDP64_SENT_LINES]; /* packets that a line did not take */
} tl_moldudp64_sender_status;

typedef struct tl_moldudp64_sender tl_moldudp64_sender;

/* 0, -EINVAL, -ENOMEM or -errno, with `fault` for a port. */
int tl_moldudp64_sender_open(tl_moldudp64_sender **out, const tl_moldudp64_sender_config *config,
                             tl_port_fault *fault);
void tl_moldudp64_sender_close(tl_moldudp64_sender *sender);

/* Send what is due of whole messages that have their length (u16) before them, and answer requests
 * meanwhile: until all is sent or so many milliseconds have passed. *used: bytes sent. 0 or -errno,
 * -EMSGSIZE for a message that no packet holds. */
int tl_moldudp64_sender_send(tl_moldudp64_sender *sender, const uint8_t *blocks, size_t size,
                             int timeout_ms, size_t *used);
/* Answer requests for so long; with `ended` say again and again that the session has ended. */
int tl_moldudp64_sender_serve(tl_moldudp64_sender *sender, bool ended, int timeout_ms);

tl_moldudp64_sender_status tl_moldudp64_sender_now(const tl_moldudp64_sender *sender);
/* Where requests come in; NULL: nowhere. */
const tl_port_address *tl_moldudp64_sender_requests(const tl_moldudp64_sender *sender);

#endif

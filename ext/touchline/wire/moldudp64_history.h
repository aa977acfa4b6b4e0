/* The messages of a session that were sent last, for those who ask for them again.
 *
 *   number ─► places[number % messages_max] ─► where it lies in a ring of bytes
 *
 * The oldest make room for the newest, whether bytes or places run out first. Memory is the
 * caller's; a history belongs to one thread at a time.
 */
#ifndef TOUCHLINE_MOLDUDP64_HISTORY_H
#define TOUCHLINE_MOLDUDP64_HISTORY_H

#include "touchline/wire/moldudp64.h"

typedef struct tl_moldudp64_history {
    uint64_t *places; /* where a message begins, with its length: ever written, not modulo */
    uint8_t *bytes;
    uint64_t messages_max; /* a power of two */
    uint64_t bytes_max;
    uint64_t next;    /* the number of the next message */
    uint64_t written; /* bytes, those left out at the ring's end included */
} tl_moldudp64_history;

/* `places`: messages_max of them; `next`: the first number. False: messages_max is no power of two,
 * or bytes_max does not hold the longest message. */
bool tl_moldudp64_history_open(tl_moldudp64_history *history, uint64_t *places,
                               uint64_t messages_max, uint8_t *bytes, uint64_t bytes_max,
                               uint64_t next);
/* Whole messages, each with its length (u16) before it, that follow those before: a packet's, or
 * what the ITCH feed gives. */
void tl_moldudp64_history_add(tl_moldudp64_history *history, const uint8_t *blocks, size_t size);
/* As tl_moldudp64_source, of a history; SIZE_MAX also for a message that it does not have. */
size_t tl_moldudp64_history_source(void *history, uint64_t number, uint8_t *out, size_t room);

#endif

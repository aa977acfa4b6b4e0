/* MoldUDP64: numbered messages to many over UDP, and requests for those that were lost.
 *
 *   a packet:   session, 10 letters │ u64 number of its first message │ u16 how many │ messages
 *   a message:  u16 length │ its bytes
 *   a request:  session │ u64 the first number wanted │ u16 how many
 *
 * Layouts from Nasdaq's "MoldUDP64 Protocol Specification 1.00". A packet of no messages is a
 * heartbeat, and names the number that comes next; one of 65,535 says that the session has ended
 * before that number. This file writes and reads packets, and answers requests;
 * moldudp64_receiver.h puts the messages of two lines in order. No allocation, clock or socket.
 */
#ifndef TOUCHLINE_MOLDUDP64_H
#define TOUCHLINE_MOLDUDP64_H

#include "touchline/wire/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_MOLDUDP64_HEADER(F) F(t10, session) F(u64, number) F(u16, count)
TL_FIELDS_MESSAGE(moldudp64_header, TL_MOLDUDP64_HEADER, 20)

#define TL_MOLDUDP64_HEAD 20u
#define TL_MOLDUDP64_HEARTBEAT 0u
#define TL_MOLDUDP64_END 0xFFFFu
#define TL_MOLDUDP64_COUNT_MAX 0xFFFEu /* messages in a packet, or asked for */
#define TL_MOLDUDP64_PAYLOAD 1472u     /* of UDP over IPv4, in a frame of 1,500 bytes */

/* Writing */

typedef struct tl_moldudp64_builder {
    uint8_t *out;
    size_t room, size; /* bytes there are, and are written */
    uint32_t count;
} tl_moldudp64_builder;

/* A packet at `out`, of at most `room` bytes (no fewer than a head); `session`: 10 bytes. */
void tl_moldudp64_begin(tl_moldudp64_builder *builder, uint8_t *out, size_t room,
                        const char *session, uint64_t number);
/* Room for the next message, to be filled by the caller; NULL: this packet has none. */
static inline uint8_t *tl_moldudp64_add(tl_moldudp64_builder *builder, size_t message_size)
{
    if (message_size > UINT16_MAX || builder->count == TL_MOLDUDP64_COUNT_MAX ||
        builder->room - builder->size < 2 + message_size)
        return NULL;
    uint8_t *at = builder->out + builder->size;
    tl_put_u16(at, (uint16_t)message_size);
    builder->size += 2 + message_size;
    builder->count++;
    return at + 2;
}
/* As many as fit of whole messages that have their length (u16) before them, as the ITCH feed gives
 * them; the bytes of those. */
size_t tl_moldudp64_pack(tl_moldudp64_builder *builder, const uint8_t *blocks, size_t size);
/* Complete it; its bytes. Without a message it is a heartbeat. */
size_t tl_moldudp64_finish(tl_moldudp64_builder *builder);
/* A heartbeat, the end of a session (`count`), or a request; TL_MOLDUDP64_HEAD bytes. */
void tl_moldudp64_bare(uint8_t *out, const char *session, uint64_t number, uint16_t count);

/* Reading */

#define TL_MOLDUDP64_FAULTS(X)                                                                     \
    X(NONE, "it is a packet of MoldUDP64")                                                         \
    X(SHORT, "it has no whole header")                                                             \
    X(CUT, "it ends within a message")                                                             \
    X(LONG, "bytes follow its last message")                                                       \
    X(SIZE, "a request is 20 bytes long")                                                          \
    X(SESSION, "it is of another session")                                                         \
    X(NUMBER, "its numbers are none: they begin at 1 and end below 2^64")                          \
    X(FAR, "its numbers are too far from what is expected")                                        \
    X(DUPLICATE, "all its messages have come before")                                              \
    X(WINDOW, "some of its messages came too early to be kept")                                    \
    X(MESSAGE, "some of its messages are too long to be kept")                                     \
    X(UNKNOWN, "it asks for messages that are not there")                                          \
    X(RATE, "requests come too fast")
#define TL_MOLDUDP64_FAULT_ENUM(name, text) TL_MOLDUDP64_FAULT_##name,
typedef enum tl_moldudp64_fault {
    TL_MOLDUDP64_FAULTS(TL_MOLDUDP64_FAULT_ENUM) TL_MOLDUDP64_FAULT_KINDS
} tl_moldudp64_fault;
#undef TL_MOLDUDP64_FAULT_ENUM
const char *tl_moldudp64_fault_text(tl_moldudp64_fault fault);

typedef struct tl_moldudp64_packet {
    tl_moldudp64_header head;
    const uint8_t *at; /* the next message */
    uint32_t left;     /* how many there are */
} tl_moldudp64_packet;

/* Is it a whole packet? Once it is NONE, tl_moldudp64_next reads its messages. */
tl_moldudp64_fault tl_moldudp64_read(const uint8_t *bytes, size_t size,
                                     tl_moldudp64_packet *packet);
/* The next message of a packet that has some left. */
static inline const uint8_t *tl_moldudp64_next(tl_moldudp64_packet *packet, size_t *message_size)
{
    const uint8_t *message = packet->at + 2;
    *message_size = tl_get_u16(packet->at);
    packet->at = message + *message_size;
    packet->left--;
    return message;
}

/* Answering requests */

/* Write message `number` to `out`: its size; SIZE_MAX: it needs more than `room`. Called for
 * numbers from 1 to the newest alone, in order. */
typedef size_t (*tl_moldudp64_source)(void *context, uint64_t number, uint8_t *out, size_t room);

typedef struct tl_moldudp64_server {
    char session[10];
    tl_moldudp64_source source;
    void *context;
    uint64_t per_s, burst; /* answers: that many a second, and so many at once */
    uint64_t spent;        /* of the burst, times a second in nanoseconds */
    int64_t last_ns;
} tl_moldudp64_server;

/* Answer a request out of the messages 1 to `newest`, with one packet of those that fit in `room`.
 * *size: its bytes, 0 when it is refused. Whoever asked asks again for what did not fit. */
tl_moldudp64_fault tl_moldudp64_answer(tl_moldudp64_server *server, const uint8_t *request,
                                       size_t request_size, uint64_t newest, int64_t now_ns,
                                       uint8_t *out, size_t room, size_t *size);

#endif

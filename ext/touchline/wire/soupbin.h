/* SoupBinTCP: numbered messages from a server to a client over TCP, and what the client sends.
 *
 *   a packet:  u16 length of what follows │ its type, a character │ payload
 *
 * Layouts and rules from Nasdaq's "SoupBinTCP Version 3.00". A stream of sequenced messages belongs
 * to a session and is numbered from 1; a client says at its login from which number on it wants
 * them, and is sent the old ones like the new.
 *
 * Two state machines, one for either end. They are given bytes and the time and say what happened;
 * what is to be sent they write where they are told to. They hold no messages: the server's owner
 * is asked for number `next` as long as there is one, which is replay and live sending at once.
 * No allocation, no clock, no socket. A machine belongs to one thread at a time.
 */
#ifndef TOUCHLINE_SOUPBIN_H
#define TOUCHLINE_SOUPBIN_H

#include "touchline/wire/fields.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who sends it, its type. */
#define TL_SOUPBIN_PACKETS(X)                                                                      \
    X(DEBUG, '+')            /* both: a text for a person */                                       \
    X(LOGIN_ACCEPTED, 'A')   /* server */                                                          \
    X(LOGIN_REJECTED, 'J')   /* server: and closes */                                              \
    X(SEQUENCED, 'S')        /* server: the next message of the stream */                          \
    X(SERVER_HEARTBEAT, 'H') /* server */                                                          \
    X(END_OF_SESSION, 'Z')   /* server: no message will follow */                                  \
    X(LOGIN_REQUEST, 'L')    /* client: first of all */                                            \
    X(UNSEQUENCED, 'U')      /* both: a message without a number */                                \
    X(CLIENT_HEARTBEAT, 'R') /* client */                                                          \
    X(LOGOUT_REQUEST, 'O')   /* client: and the server closes */

#define TL_SOUPBIN_ENUM(name, type) TL_SOUPBIN_##name = (type),
enum tl_soupbin_type { TL_SOUPBIN_PACKETS(TL_SOUPBIN_ENUM) };
#undef TL_SOUPBIN_ENUM

/* Numbers are digits with spaces before them; names have spaces behind them, a session before. */
#define TL_SOUPBIN_LOGIN_REQUEST_FIELDS(F)                                                         \
    F(t6, username) F(t10, password) F(t10, session) F(t20, sequence)
#define TL_SOUPBIN_LOGIN_ACCEPTED_FIELDS(F) F(t10, session) F(t20, sequence)
TL_FIELDS_MESSAGE(soupbin_login_request, TL_SOUPBIN_LOGIN_REQUEST_FIELDS, 46)
TL_FIELDS_MESSAGE(soupbin_login_accepted, TL_SOUPBIN_LOGIN_ACCEPTED_FIELDS, 30)

#define TL_SOUPBIN_HEAD 3u         /* bytes before a payload */
#define TL_SOUPBIN_PAYLOAD_MAX 65534u
#define TL_SOUPBIN_REPLY_MAX 64u   /* what a machine writes at a time is no longer */
#define TL_SOUPBIN_HEARTBEAT_NS INT64_C(1000000000)
#define TL_SOUPBIN_SILENCE_NS INT64_C(15000000000)
#define TL_SOUPBIN_LOGIN_NS INT64_C(30000000000)

/* Why a login is refused. */
enum { TL_SOUPBIN_NOT_AUTHORIZED = 'A', TL_SOUPBIN_NO_SESSION = 'S' };

/* Framing: the packet that `bytes` begin with. */

typedef struct tl_soupbin_packet {
    const uint8_t *payload;
    size_t payload_size;
    size_t size; /* of the packet as a whole */
    char type;
} tl_soupbin_packet;

typedef enum tl_soupbin_frame {
    TL_SOUPBIN_PART, /* more bytes are needed */
    TL_SOUPBIN_WHOLE,
    TL_SOUPBIN_BROKEN /* a length of 0, or a payload of more than `payload_max` bytes */
} tl_soupbin_frame;

tl_soupbin_frame tl_soupbin_find(const uint8_t *bytes, size_t size, size_t payload_max,
                                 tl_soupbin_packet *packet);
/* The head of a packet; its payload is to follow at what it returns. */
static inline uint8_t *tl_soupbin_head(uint8_t *out, char type, size_t payload_size)
{
    tl_put_u16(out, (uint16_t)(payload_size + 1));
    out[2] = (uint8_t)type;
    return out + TL_SOUPBIN_HEAD;
}

/* What a machine says of the bytes it was given. */

#define TL_SOUPBIN_EVENTS(X)                                                                       \
    X(NOTHING)     /* of these bytes: more are needed, or it was a heartbeat or a debug packet */  \
    X(LOGIN)       /* server: accept or reject it before anything else */                          \
    X(LOGOUT)      /* server: close */                                                             \
    X(ACCEPTED)    /* client: `number` is the next message's */                                    \
    X(REJECTED)    /* client: `reason`; close */                                                   \
    X(SEQUENCED)   /* client: message `number` */                                                  \
    X(UNSEQUENCED) /* a message */                                                                 \
    X(ENDED)       /* client: the stream is complete */                                            \
    X(FAULT)       /* `fault` says why; close, and give it no more */
#define TL_SOUPBIN_EVENT_ENUM(name) TL_SOUPBIN_EVENT_##name,
typedef enum tl_soupbin_event_kind { TL_SOUPBIN_EVENTS(TL_SOUPBIN_EVENT_ENUM) }
    tl_soupbin_event_kind;
#undef TL_SOUPBIN_EVENT_ENUM

typedef struct tl_soupbin_event {
    tl_soupbin_event_kind kind;
    const uint8_t *message; /* within the bytes given */
    size_t message_size;
    uint64_t number;
    char reason;
    const char *fault;
    /* LOGIN: without the padding, ended by a zero. */
    char username[7], password[11], session[11];
} tl_soupbin_event;

typedef enum tl_soupbin_state {
    TL_SOUPBIN_LOGGING_IN, /* server: no request yet; client: not answered yet */
    TL_SOUPBIN_ASKED,      /* server: the request is with its owner */
    TL_SOUPBIN_OPEN,
    TL_SOUPBIN_CLOSED
} tl_soupbin_state;

typedef struct tl_soupbin_config {
    int64_t heartbeat_ns; /* something is sent that often */
    int64_t silence_ns;   /* the other end is lost when nothing came for so long */
    int64_t login_ns;     /* server: a login must have come */
    size_t payload_max;   /* of a packet that comes */
} tl_soupbin_config;

/* Sent and heard, and when. */
typedef struct tl_soupbin_end {
    tl_soupbin_config config;
    tl_soupbin_state state;
    int64_t opened_ns, heard_ns, sent_ns;
    uint64_t next;    /* the number of the next sequenced message */
    char session[11]; /* whose messages: up to 10 letters and digits, ended by a zero */
} tl_soupbin_end;

/* Both ends. */

/* Take the first packet. Returns the bytes that it has; 0: more are needed. Once it is CLOSED
 * nothing is taken. */
size_t tl_soupbin_server_take(tl_soupbin_end *end, const uint8_t *bytes, size_t size,
                              int64_t now_ns, tl_soupbin_event *event);
size_t tl_soupbin_client_take(tl_soupbin_end *end, const uint8_t *bytes, size_t size,
                              int64_t now_ns, tl_soupbin_event *event);
/* What time asks for: a heartbeat is written to `out`, its size returned; or the end is CLOSED, and
 * *fault says why (NULL: it is not). */
size_t tl_soupbin_server_due(tl_soupbin_end *end, int64_t now_ns,
                             uint8_t out[TL_SOUPBIN_REPLY_MAX], const char **fault);
size_t tl_soupbin_client_due(tl_soupbin_end *end, int64_t now_ns,
                             uint8_t out[TL_SOUPBIN_REPLY_MAX], const char **fault);
/* When that may be next. */
int64_t tl_soupbin_due_ns(const tl_soupbin_end *end);
/* The caller has sent packets of its own: no heartbeat is needed for a while. */
static inline void tl_soupbin_sent(tl_soupbin_end *end, int64_t now_ns)
{
    end->sent_ns = now_ns;
}

/* The server's end of a connection just made; `session` is the current one's name. */
void tl_soupbin_server_open(tl_soupbin_end *end, const tl_soupbin_config *config,
                            const char *session, int64_t now_ns);
/* Answer the login of `event`: 'A' when its session is this one or blank and its number is 0 (the
 * next message that comes to be), or one that the stream of `count` messages has or will have next;
 * else 'J' with NO_SESSION, and the end is CLOSED. Bytes written. */
size_t tl_soupbin_server_accept(tl_soupbin_end *end, const tl_soupbin_event *event, uint64_t count,
                                int64_t now_ns, uint8_t out[TL_SOUPBIN_REPLY_MAX]);
size_t tl_soupbin_server_reject(tl_soupbin_end *end, char reason,
                                uint8_t out[TL_SOUPBIN_REPLY_MAX]);
/* The head of sequenced message `end->next`, which is then counted. */
static inline uint8_t *tl_soupbin_server_sequenced(tl_soupbin_end *end, uint8_t *out,
                                                   size_t message_size, int64_t now_ns)
{
    end->next++;
    end->sent_ns = now_ns;
    return tl_soupbin_head(out, TL_SOUPBIN_SEQUENCED, message_size);
}

/* The client's end, and its login: `session` "" asks for the current one, `next` 0 for what comes
 * from now on. Names that are too long are cut. Bytes written. */
size_t tl_soupbin_client_open(tl_soupbin_end *end, const tl_soupbin_config *config,
                              const char *username, const char *password, const char *session,
                              uint64_t next, int64_t now_ns, uint8_t out[TL_SOUPBIN_REPLY_MAX]);

#endif

/* Order entry: OUCH over SoupBinTCP, the engine's lane and the event ring, in one loop.
 *
 *   readable ─ peers ─ desk ─► lane                    a full lane stops the reading
 *   event ring ─► desk ─► the session's spool
 *   writable ─── spool ─► peers                        one send a session and round
 *
 * One thread runs the loop without the GIL; it sleeps in epoll or spins. Others talk to it through
 * the calls below, which never wait for it for longer than a round. A session's stream is a
 * function of the journal: a client that comes back, also after a kill, is sent what it missed.
 */
#ifndef TOUCHLINE_WIRE_ORDERS_H
#define TOUCHLINE_WIRE_ORDERS_H

#include "touchline/runtime/bus.h"
#include "touchline/wire/ouch_desk.h"
#include "touchline/wire/port.h"
#include "touchline/wire/wire_door.h"
#include "touchline/wire/wire_events.h"
#include "touchline/wire/wire_stamps.h"

typedef struct tl_wire_orders_config {
    const char *local;        /* where to listen */
    char session[11];         /* the streams' name */
    tl_ouch_desk_config desk; /* sessions_max: those of the journal */
    uint32_t connections_max; /* logged in, at a time */
    uint32_t newcomers_max;   /* before their login; when more come the oldest go */
    int64_t login_ns;         /* a newcomer's time */
    const char *directory;    /* of the spools' files */
    uint64_t spool_bytes_max; /* of one session */
    tl_port_tuning tuning;
    const char *interface;    /* whose card stamps; NULL for none */
    bool spin;                /* never sleep */
} tl_wire_orders_config;

/* When the orders of a session are taken off: bits. */
enum { TL_WIRE_CANCEL_ON_LOGOUT = 1, TL_WIRE_CANCEL_ON_DISCONNECT = 2 };

typedef struct tl_wire_terms { /* what is agreed with a session */
    uint32_t session;
    const tl_ouch_firm *firms;
    uint32_t firms_count;
    uint32_t throttle;        /* messages a second, 0: any number */
    uint8_t cancel_on;
    int64_t cancel_grace_ns;
} tl_wire_terms;

typedef struct tl_wire_orders tl_wire_orders;

#define TL_WIRE_ORDERS_COUNTS(X)                                                                   \
    X(rounds)   /* goes on while the loop goes round */                                            \
    X(event)    /* the last one reported */                                                        \
    X(seated)   /* sessions that are logged in */                                                  \
    X(logins)   /* accepted */                                                                     \
    X(refused)  /* logins refused, and newcomers pushed out */                                     \
    X(faults)   /* connections closed for what they sent, or did not send */                       \
    X(received) /* messages */                                                                     \
    X(passed)   /* of these, without an answer: sent again, or of nothing that is open */          \
    X(sent)     /* messages */

typedef struct tl_wire_orders_status {
#define TL_WIRE_ORDERS_FIELD(name) uint64_t name;
    TL_WIRE_ORDERS_COUNTS(TL_WIRE_ORDERS_FIELD)
#undef TL_WIRE_ORDERS_FIELD
} tl_wire_orders_status;

typedef struct tl_wire_session_status {
    bool on;
    uint64_t count; /* messages of its stream */
    uint64_t next;  /* the one that its peer is sent next */
    uint64_t received;
} tl_wire_session_status;

/* 0 or -errno, with `fault` for the listener. */
int tl_wire_orders_open(tl_wire_orders **out, const tl_wire_orders_config *config,
                        const tl_bus *bus, tl_lane *lane, tl_wire_door *door,
                        tl_port_fault *fault);
void tl_wire_orders_close(tl_wire_orders *orders);
/* A session; before the journal is replayed. */
int tl_wire_orders_session(tl_wire_orders *orders, const tl_wire_terms *terms);
/* Some of the journal's commands, in order, and the events that they caused; before run. */
int tl_wire_orders_replay(tl_wire_orders *orders, const tl_command *commands,
                          size_t commands_count, const tl_event *events, size_t events_count);
/* The loop, from event `next` on, until it is told to stop. 0 or -errno, and see the fault. */
int tl_wire_orders_run(tl_wire_orders *orders, uint64_t next);

/* From any thread: */
void tl_wire_orders_stop(tl_wire_orders *orders);
/* Names of the journal are wanted; and here are those that came since. */
bool tl_wire_orders_wants_names(const tl_wire_orders *orders);
int tl_wire_orders_names(tl_wire_orders *orders, const tl_command *commands, size_t count);
tl_wire_events *tl_wire_orders_events(tl_wire_orders *orders);
const tl_port_address *tl_wire_orders_address(const tl_wire_orders *orders);
const char *tl_wire_orders_fault(const tl_wire_orders *orders);
void tl_wire_orders_status_read(const tl_wire_orders *orders, tl_wire_orders_status *out);
/* False: there is no such session. */
/* By tuning.stamps: what was got (enum tl_port_stamp) once somebody has connected, else 0; how long
 * bytes waited to be read, and how long requests took until their answers went. */
int64_t tl_wire_orders_latency(const tl_wire_orders *orders, tl_latency_told *received,
                               tl_latency_told *answered);
bool tl_wire_orders_session_status(const tl_wire_orders *orders, uint32_t session,
                                   tl_wire_session_status *out);

#endif

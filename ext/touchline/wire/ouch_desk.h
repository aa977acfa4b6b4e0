/* The OUCH desk: requests become commands, events become answers.
 *
 *   O U X M C D E Q ─► tl_ouch_desk_request ─► commands for the lane
 *   events ──────────► tl_ouch_desk_events ──► A U C E J R T X G K Q, numbered for each session
 *
 * A session's answers and their numbers are a function of the journal alone: every answer is of an
 * event, and what it says beyond the event stands in the TEXT before the request's command. So what
 * the desk itself refuses, and what asks about the session alone, is journaled too: as an order
 * that no engine can accept, whose refusal is the event. tl_ouch_desk_replay gives the same answers
 * again; decision 17 says how and why.
 *
 * A request with a UserRefNum that was used before is one sent again, and is passed over. One for
 * an order that the engine has not answered waits. It serves whatever session layer calls it and
 * belongs to one thread at a time. Everything is allocated at open and when sessions are named.
 */
#ifndef TOUCHLINE_OUCH_DESK_H
#define TOUCHLINE_OUCH_DESK_H

#include "touchline/core/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_OUCH_SUBMIT_MAX 3u /* what a request says, terms, and its command */

typedef struct tl_ouch_desk tl_ouch_desk;

typedef struct tl_ouch_desk_config {
    uint32_t instruments_max, accounts_max, orders_max; /* the engine's */
    uint32_t sessions_max;                              /* up to TL_SESSIONS_MAX */
    uint32_t lane;                                      /* of the bus: its own */
    uint32_t pending_max; /* requests with the engine at a time: a power of two */
    uint64_t key;         /* random, of the table of orders */
    int64_t midnight_ns;  /* a time stamp is counted from this time of a UTC day */
} tl_ouch_desk_config;

/* What the desk asks of the one who owns it. None of them calls the desk. */
typedef struct tl_ouch_desk_hooks {
    void *context;
    /* Message `number` of a session's stream. 0, or -errno: then the desk is not to be used any
     * more. */
    int (*send)(void *context, uint32_t session, uint64_t number, const uint8_t *message,
                size_t size);
    /* Commands for the engine, all or none. 0; -EAGAIN: the lane is full. */
    int (*submit)(void *context, const tl_command *commands, uint32_t count);
    /* A number for a request, lane << 32 | counter, each one more than the last; 0: none left. */
    uint64_t (*number)(void *context);
} tl_ouch_desk_hooks;

typedef struct tl_ouch_firm {
    char name[4]; /* MPID, padded with spaces */
    uint32_t account;
} tl_ouch_firm;

int tl_ouch_desk_open(tl_ouch_desk **out, const tl_ouch_desk_config *config,
                      const tl_ouch_desk_hooks *hooks);
void tl_ouch_desk_close(tl_ouch_desk *desk);

/* For whom a session trades; the first firm is that of orders without one. A session that is known
 * gets other firms. 0, -EINVAL, -ENOMEM. */
int tl_ouch_desk_session(tl_ouch_desk *desk, uint32_t session, const tl_ouch_firm *firms,
                         uint32_t count);

/* A TEXT of the journal that names an instrument. */
int tl_ouch_desk_name(tl_ouch_desk *desk, const tl_command *text);
/* Was something listed whose names the desk has not been told? Until tl_ouch_desk_named a request
 * of an unknown symbol waits. */
bool tl_ouch_desk_wants_names(const tl_ouch_desk *desk);
void tl_ouch_desk_named(tl_ouch_desk *desk);

/* Some of the journal's commands, in order, and the events that they caused; sessions have been
 * named before. A command with its own events always has a place; many commands before their events
 * may hold more requests than `pending_max` has: -ENOBUFS, and the desk is not to be used any more.
 * 0, -ENOMEM. */
int tl_ouch_desk_replay(tl_ouch_desk *desk, const tl_command *commands, size_t commands_count,
                        const tl_event *events, size_t events_count);
/* Events as they come, in order and without a gap. 0, or -errno of a hook. */
int tl_ouch_desk_events(tl_ouch_desk *desk, const tl_event *events, size_t count);

typedef enum tl_ouch_taken {
    TL_OUCH_TAKEN,  /* it is with the engine */
    TL_OUCH_PASSED, /* nothing was done, and nothing will be answered: *why says why */
    TL_OUCH_LATER,  /* nothing was done: hand it in again after more events */
    TL_OUCH_FAILED  /* -errno of a hook: see tl_ouch_desk_error */
} tl_ouch_taken;

/* A message of a session, at `utc_ns`. Messages of one session are handed in in the order they
 * came. */
tl_ouch_taken tl_ouch_desk_request(tl_ouch_desk *desk, uint32_t session, const uint8_t *bytes,
                                   size_t size, int64_t utc_ns, const char **why);
/* It will be handed in soon: ask memory for what it needs. */
void tl_ouch_desk_ahead(const tl_ouch_desk *desk, uint32_t session, const uint8_t *bytes,
                        size_t size);
int tl_ouch_desk_error(const tl_ouch_desk *desk);

/* Cancel the open orders of a session whose peer has left, some at a time; `*at`: 0 at first. 1:
 * there are more, 0: that was all, -EAGAIN: not now. */
int tl_ouch_desk_leave(tl_ouch_desk *desk, uint32_t session, uint32_t *at);
/* The highest UserRefNum of the session that the engine has answered. */
uint32_t tl_ouch_desk_answered(const tl_ouch_desk *desk, uint32_t session);
/* Requests of the session that the engine has not answered: leave when there are none. */
uint32_t tl_ouch_desk_pending(const tl_ouch_desk *desk, uint32_t session);

/* How many messages the session's stream has. */
uint64_t tl_ouch_desk_count(const tl_ouch_desk *desk, uint32_t session);

#endif

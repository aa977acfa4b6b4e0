/* The desk: requests become commands, events become reports.
 *
 *   D F G H AF q ─► tl_fix_desk_request ─► commands for the lane, or an answer at once
 *   events ───────► tl_fix_desk_event ───► 8, 9, r for the sessions concerned
 *
 * It knows which order a session's ClOrdID(11) means and what became of it, from the journal alone:
 * tl_fix_desk_replay takes in commands and their events, and reports on those beyond a session's
 * mark. So the same journal gives the same reports, byte for byte but for the header.
 *
 * What the rules of trading say no to is left to the engine, so that each such refusal is an event.
 * Refused here is what can not be said as a command. It serves whatever session layer calls it and
 * belongs to one thread at a time.
 */
#ifndef TOUCHLINE_FIX_DESK_H
#define TOUCHLINE_FIX_DESK_H

#include "touchline/core/messages.h"
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_route.h"
#include "touchline/wire/fix_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


#define TL_FIX_SUBMIT_MAX (6 + TL_FIX_ROUTE_FIELDS) /* two names, a route, terms, the command */

typedef struct tl_fix_desk tl_fix_desk;

typedef struct tl_fix_desk_config {
    uint32_t instruments_max, accounts_max, orders_max; /* the engine's */
    uint32_t sessions_max;
    uint32_t trades_max; /* trades that are remembered for AD; 0: TL_FIX_TRADES_KEPT */
} tl_fix_desk_config;

#define TL_FIX_TRADES_KEPT (1u << 20)

/* What the desk asks of the one who owns it. None of them calls the desk. */
typedef struct tl_fix_desk_hooks {
    void *context;
    /* Send a message; `body` is what follows TargetCompID(56): a route, then fields sorted by tag.
     * key: tl_fix_key of the event, 0: no event. 0, or -errno: then the desk is not to be used any
     * more. */
    int (*send)(void *context, uint32_t session, const char *msg_type, const char *body,
                size_t size, uint64_t key);
    /* Commands for the engine, all or none, some dozens. 0; -EAGAIN: the lane is
     * full, or the engine does not take from it. */
    int (*submit)(void *context, const tl_command *commands, uint32_t count);
    /* A number for a request, lane << 32 | counter; 0: there are none left. */
    uint64_t (*number)(void *context);
    /* A number for an answer without an event, never given out before, also after a restart. */
    uint64_t (*refusal)(void *context);
    /* How many messages that can wait the session may be sent now; 0: not any, or it is away. */
    uint32_t (*room)(void *context, uint32_t session);
} tl_fix_desk_hooks;

/* What a session may ask for; whose request is of none of these is told so. */
enum {
    TL_FIX_MAY_ORDER = 1,
    TL_FIX_MAY_MARKET_DATA = 2,
    TL_FIX_MAY_COPY = 4,    /* it is sent copies of all reports on its accounts */
    TL_FIX_MAY_CAPTURE = 8, /* it may ask for the trades of its accounts */
    TL_FIX_MAY_NEWS = 16,   /* it is told of halts by News(B) */
    TL_FIX_MAY_ALL = 31
};

typedef struct tl_fix_party { /* a session as the desk knows it */
    uint32_t number;
    const tl_fix_dialect *dialect;
    const uint32_t *accounts; /* numbers; the first serves requests without Account(1) */
    uint32_t accounts_count;
    uint8_t time_decimals;
    uint8_t permissions; /* TL_FIX_MAY_... */
    bool pending_reports; /* it is told of requests that are with the engine */
    uint8_t cl_ord_id_scope; /* enum tl_fix_scope of fix_orders.h */
} tl_fix_party;

int tl_fix_desk_open(tl_fix_desk **out, const tl_fix_desk_config *config,
                     const tl_fix_desk_hooks *hooks);
void tl_fix_desk_close(tl_fix_desk *desk);

/* Sessions that are told of events, and from where on: reports up to `mark` were made already. A
 * party that is known is replaced (its accounts may have changed); its mark stays. */
int tl_fix_desk_party(tl_fix_desk *desk, const tl_fix_party *party, uint64_t mark);
/* That session knows of the refused change of this ClOrdID already, though its mark does not say
 * so: for a store that keeps no keys. */
int tl_fix_desk_told(tl_fix_desk *desk, uint32_t session, const char *cl_ord_id, size_t size);

/* A TEXT command of the journal that names an instrument, account or size. */
int tl_fix_desk_name(tl_fix_desk *desk, const tl_command *text);
/* 1 when something was listed whose names the desk has not been told: set by events, cleared by
 * tl_fix_desk_named. Until then a request of an unknown symbol or account has to wait. */
bool tl_fix_desk_wants_names(const tl_fix_desk *desk);
void tl_fix_desk_named(tl_fix_desk *desk);
const struct tl_fix_names *tl_fix_desk_names(const tl_fix_desk *desk);

/* A batch of the journal's commands, in order, and the events they caused. */
int tl_fix_desk_replay(tl_fix_desk *desk, const tl_command *commands, size_t commands_count,
                       const tl_event *events, size_t events_count);
/* Events as they come, in order and without a gap. 0 or -errno (memory, the send hook). */
int tl_fix_desk_events(tl_fix_desk *desk, const tl_event *events, size_t count);

typedef enum tl_fix_taken {
    TL_FIX_TAKEN, /* sent to the engine, or answered */
    TL_FIX_LATER, /* it names a request that is with the engine, or a name is not known yet, or the
                     lane is full: nothing was done, hand it in again after more events */
    TL_FIX_FAILED /* errno of a hook, or no memory: see tl_fix_desk_error */
} tl_fix_taken;

/* A checked application message of a session. `patience`: false when it has waited so long that it
 * must be answered now ("application not available", or that its first request stands). `available`
 * false: the engine does not run; every request is answered by 380 = 4. */
tl_fix_taken tl_fix_desk_request(tl_fix_desk *desk, const tl_fix_party *party,
                                 const tl_fix_message *message, int64_t utc_ns, bool patience,
                                 bool available);
int tl_fix_desk_error(const tl_fix_desk *desk);

#define TL_FIX_NEWS_BYTES 4096u
/* News(B) of an operator for a session: Headline(148), and lines below it, divided by '\n'. Each is
 * printable and not empty. 0, -EINVAL, -ENOENT for a session that is not known, or of the hook. */
int tl_fix_desk_news(tl_fix_desk *desk, uint32_t session, const char *text, size_t size,
                     bool urgent, int64_t utc_ns);

/* Answers of many messages (to AF, AD) are given in slices, so that nobody waits for them: a slice
 * of each that is under way. 1: there is more to be done at once; 0: not now; -errno. */
int tl_fix_desk_work(tl_fix_desk *desk, int64_t utc_ns);
/* The session's connection is gone: what it asked for so and did not get is not sent any more. */
void tl_fix_desk_left(tl_fix_desk *desk, uint32_t session);

/* Requests of the session that the engine has not answered yet. */
uint32_t tl_fix_desk_pending(const tl_fix_desk *desk, uint32_t session);
/* Is an answer owed to something that it asked for: one of these, or a list under way? */
bool tl_fix_desk_owes(const tl_fix_desk *desk, uint32_t session);
/* The lowest MsgSeqNum(34) among them; UINT64_MAX: none. */
uint64_t tl_fix_desk_unanswered(const tl_fix_desk *desk, uint32_t session);

/* The open orders of a session whose peer has left, to be taken off. */
typedef struct tl_fix_leaving {
    uint32_t session, slot;
    uint32_t rows; /* orders from this one on are newer */
    uint32_t sent; /* so many are being canceled */
} tl_fix_leaving;

/* Those that it has now; and a slice of them canceled: 1: there are more, 0: that was all, -EAGAIN:
 * not now, since requests are under way or the lane is full, or another -errno. */
void tl_fix_desk_leave(const tl_fix_desk *desk, uint32_t session, tl_fix_leaving *leaving);
int tl_fix_desk_left_orders(tl_fix_desk *desk, tl_fix_leaving *leaving);

/* Orders all reports: by event, and the buyer's before the seller's; the low two bits are 0, 1, 2
 * (side of a trade). */
static inline uint64_t tl_fix_key(uint64_t event_seq, unsigned side)
{
    return event_seq * 4 + side;
}

#endif

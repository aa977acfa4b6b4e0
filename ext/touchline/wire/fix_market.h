/* Market data and reference data: what instruments there are, what they do, and their books.
 *
 *   x c e g V ─► tl_fix_market_request ─► an answer at once, or an item: what is to be told
 *   events ────► tl_fix_market_events ──► the mirror of the books; items fall due
 *                tl_fix_market_write ───► y d f h W X, for whom is ready
 *
 * Nothing is queued. An item knows what its session has been told, and what it is told next is the
 * difference between that and how things stand when it can be written: a session that reads slowly
 * is told less often, and costs no more memory than one that keeps up. All items of a session are
 * served in turn, a slice a round.
 *
 * Belongs to one thread at a time. What a request may ask for is bounded, and what is beyond is
 * refused by name.
 */
#ifndef TOUCHLINE_FIX_MARKET_H
#define TOUCHLINE_FIX_MARKET_H

#include "touchline/core/messages.h"
#include "touchline/marketdata/mirror.h"
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_FIX_ITEMS_MAX 256u       /* of a session: symbols subscribed to, lists under way */
#define TL_FIX_SYMBOLS_MAX 64u      /* of a request */
#define TL_FIX_REQ_ID_MAX 64u       /* bytes of MDReqID(262), SecurityReqID(320) and their like */
#define TL_FIX_LEVELS_MAX 131072u   /* price levels that all items of a session remember */
#define TL_FIX_TRADES_MAX 4096u     /* of an instrument; a session further behind misses some */
#define TL_FIX_MARKET_BODY 16384u   /* bytes of a message's fields after the header */
#define TL_FIX_MARKET_SLICE 32768u  /* bytes for one session in a round */
#define TL_FIX_MARKET_ROUND 262144u /* for all */

typedef struct tl_fix_market tl_fix_market;

typedef struct tl_fix_market_config {
    uint32_t sessions_max, instruments_max;
    uint32_t orders_max, price_blocks_max; /* the engine's; 0: no books are kept */
} tl_fix_market_config;

/* What the market asks of the one who owns it. None of them calls the market. */
typedef struct tl_fix_market_hooks {
    void *context;
    const tl_fix_names *names;
    /* Send a message. `passing`: it tells how things stand now, and is not sent again. 0, or
     * -errno: then the market is not to be used any more. */
    int (*send)(void *context, uint32_t session, const char *msg_type, const char *body,
                size_t size, bool passing);
    /* Is all that was sent to the session before on the wire? */
    bool (*ready)(void *context, uint32_t session);
} tl_fix_market_hooks;

int tl_fix_market_open(tl_fix_market **out, const tl_fix_market_config *config,
                       const tl_fix_market_hooks *hooks);
void tl_fix_market_close(tl_fix_market *market);

/* Events in order and without a gap, from the first of all on. What makes no sense ends the books
 * of this market alone: tl_fix_market_fault. */
void tl_fix_market_events(tl_fix_market *market, const tl_event *events, size_t count);
/* Books built elsewhere, of all events this market was told of, are its own from here on. It has
 * none. */
void tl_fix_market_take(tl_fix_market *market, tl_mirror *books);
/* NULL, or why there are no books any more. */
const char *tl_fix_market_fault(const tl_fix_market *market);

/* Is it one of the MsgTypes served here? */
bool tl_fix_market_serves(tl_fix_msg_type type);

typedef struct tl_fix_asker { /* the session that asks */
    uint32_t session;
    const tl_fix_dialect *dialect;
    uint8_t time_decimals;
    bool may_market_data;
} tl_fix_asker;

typedef enum tl_fix_asked {
    TL_FIX_ASKED_DONE,
    TL_FIX_ASKED_LATER, /* nothing was done: hand it in again */
    TL_FIX_ASKED_FAILED /* tl_fix_market_error */
} tl_fix_asked;

/* A checked message of a session. `may_wait`: whether it may be put off, until what was asked for
 * before is written or a name is known. */
tl_fix_asked tl_fix_market_request(tl_fix_market *market, const tl_fix_asker *asker,
                                   const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                                   bool names_wanted);
int tl_fix_market_error(const tl_fix_market *market); /* of the send hook, or -ENOMEM */

/* What is due, for sessions that are ready: a slice of each, within a round's bytes. 0, -errno. */
int tl_fix_market_write(tl_fix_market *market, int64_t utc_ns);

/* The session's connection is gone, and its subscriptions with it. */
void tl_fix_market_left(tl_fix_market *market, uint32_t session);
/* How many items a session has. */
uint32_t tl_fix_market_items(const tl_fix_market *market, uint32_t session);

#endif

/* Which order a session's ClOrdID means, and what became of it: for as long as the journal is.
 *
 *   session, ClOrdID ─ keyed hash, 128 bits ─► request ─► row of an order
 *   OrderID ─ its slot, how often that was taken ───────► row of an order
 *   number (lane, counter) ─► pending: a request the engine has not answered
 *
 * A request that is answered is 24 bytes, an order 96; texts are kept of open orders, of those that
 * were over last, and of pending requests alone. The hash has a random key, so nobody can make two
 * ClOrdIDs meet. The table grows by halves of small parts, never as a whole, so that no request
 * waits for its growth.
 */
#ifndef TOUCHLINE_FIX_ORDERS_H
#define TOUCHLINE_FIX_ORDERS_H

#include "touchline/core/messages.h"
#include "touchline/wire/fix_route.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_FIX_CL_ORD_ID_MAX 64u /* bytes */
#define TL_FIX_NO_ROW UINT32_MAX
#define TL_FIX_OVER_NAMED 65536u /* orders that are over and still have their ClOrdID */

typedef struct tl_fix_cl_ord_id {
    uint8_t size;
    char text[TL_FIX_CL_ORD_ID_MAX];
} tl_fix_cl_ord_id;

typedef struct tl_fix_order {
    uint64_t order_id; /* 0: not accepted */
    int64_t price;     /* ticks */
    int64_t order_qty; /* lots; of a refused one as large as it was asked for */
    int64_t notional;  /* sum of price times quantity traded */
    uint32_t leaves_qty, cum_qty;
    uint32_t account;
    uint32_t name; /* place of its ClOrdID, the latest accepted request's; NO_ROW once it is over */
    uint32_t route; /* place of the route of that request; NO_ROW: none */
    uint16_t session, instrument;
    uint8_t side, ord_type, time_in_force;
    uint8_t ord_status; /* OrdStatus(39) of FIX 4.4; 'A': not answered */
    uint32_t replaced : 1;
    uint32_t changes : 16; /* requests to change it that the engine has not answered, */
    uint32_t cancels : 15; /* and of these to cancel it */
    uint32_t stop_price;  /* ticks; of a special order, as are those below; 0: none, or unknown */
    uint32_t display_qty; /* lots; likewise */
    uint32_t shown;       /* lots of it in the book for all to see, once it is `placed` */
    uint8_t flags;        /* TL_FLAG_POST_ONLY, SLIDE, HIDDEN, SPECIAL */
    bool waiting;         /* for its stop price */
    bool placed : 1;      /* an event has said where it stands: rule 8.2 */
    bool all_or_none : 1;
    uint32_t min_qty;  /* lots; 0: none */
    int64_t expire_ns; /* UTC; 0: none */
} tl_fix_order;

typedef enum tl_fix_request_state {
    TL_FIX_REQUEST_PENDING = 1,
    TL_FIX_REQUEST_ACCEPTED,
    TL_FIX_REQUEST_REFUSED
} tl_fix_request_state;

typedef struct tl_fix_request {
    uint64_t hash[2];
    uint32_t order; /* row of the order it entered, changed or named; NO_ROW */
    uint8_t msg_type; /* enum tl_msg_type */
    uint8_t state;    /* enum tl_fix_request_state; 0: this place is free */
    uint16_t day;     /* on which it was answered: ends of the day before that */
} tl_fix_request;

/* For how long a ClOrdID that was answered is used up. In any case it is while it names an open
 * order. */
typedef enum tl_fix_scope {
    TL_FIX_SCOPE_EVER,
    TL_FIX_SCOPE_DAY, /* until the venue's end of the day */
    TL_FIX_SCOPE_OPEN /* no longer than that */
} tl_fix_scope;

typedef struct tl_fix_pending {
    uint64_t number;      /* cl_ord_id; 0: free */
    uint64_t msg_seq_num; /* of the message; 0 when it was replayed */
    uint64_t hash[2];
    uint64_t order_id; /* of a change, while its order has no row; 0 */
    uint32_t order;
    uint32_t route; /* from tl_fix_route_keep; it is the pending request's from here on */
    uint32_t before, after; /* of the same session, in order of arrival; NO_ROW */
    uint16_t session;
    uint8_t msg_type;
    uint32_t left, affected; /* a mass cancel: commands not done, orders taken off so far */
    tl_fix_cl_ord_id name, orig; /* orig: what a change named; size 0: the order's at its answer */
} tl_fix_pending;

typedef struct tl_fix_queue { /* pending requests of a session */
    uint32_t first, last, count;
} tl_fix_queue;

typedef struct tl_fix_orders tl_fix_orders;

int tl_fix_orders_open(tl_fix_orders **out, uint32_t sessions_max, uint32_t orders_max);
void tl_fix_orders_close(tl_fix_orders *orders);

/* Orders */

/* A new row, all zeros but `name` and `route`; NO_ROW: no memory. */
uint32_t tl_fix_order_add(tl_fix_orders *orders);
tl_fix_order *tl_fix_order_at(const tl_fix_orders *orders, uint32_t row);
/* The order has been accepted under its order_id. 0 or -ENOMEM. */
int tl_fix_order_accepted(tl_fix_orders *orders, uint32_t row);
/* The row of an OrderID that a session of this venue has or had; NO_ROW. */
uint32_t tl_fix_order_of(const tl_fix_orders *orders, uint64_t order_id);
/* The last order of each slot, to walk over all that may be open: NO_ROW where there is none. */
uint32_t tl_fix_order_slots(const tl_fix_orders *orders);
uint32_t tl_fix_order_in_slot(const tl_fix_orders *orders, uint32_t number);
/* Give the order this ClOrdID. 0 or -ENOMEM. */
int tl_fix_order_call(tl_fix_orders *orders, uint32_t row, const tl_fix_cl_ord_id *name);
/* Its ClOrdID; of one that has been over for long, size 0. */
const tl_fix_cl_ord_id *tl_fix_order_name(const tl_fix_orders *orders, uint32_t row);
/* The route that reports on it go; NULL: none. */
const tl_fix_route *tl_fix_order_route(const tl_fix_orders *orders, uint32_t row);
/* Nothing can become of it any more: its route is forgotten, its ClOrdID after some time. Once an
 * order. */
void tl_fix_order_over(tl_fix_orders *orders, uint32_t row);
/* How many rows there are: the next order's. */
uint32_t tl_fix_orders_count(const tl_fix_orders *orders);

/* Routes: kept for pending requests and open orders that have one, a copy each. */

/* Its place, NO_ROW for one without fields. 0 or -ENOMEM. */
int tl_fix_route_keep(tl_fix_orders *orders, const tl_fix_route *route, uint32_t *place);
/* NULL for NO_ROW. */
const tl_fix_route *tl_fix_route_at(const tl_fix_orders *orders, uint32_t place);

/* Requests */

void tl_fix_request_hash(const tl_fix_orders *orders, uint32_t session, const char *cl_ord_id,
                         size_t size, uint64_t hash[2]);
/* Changes of this order that were entered before it had a row are its own: in a replay a batch's
 * requests come before what became of them. */
void tl_fix_pending_adopt(tl_fix_orders *orders, uint32_t row);
/* NULL: never seen. Valid until the next one is entered. */
tl_fix_request *tl_fix_request_find(const tl_fix_orders *orders, const uint64_t hash[2]);
/* Is its ClOrdID used up, so that no other request may have it? */
bool tl_fix_request_holds(const tl_fix_orders *orders, const tl_fix_request *request,
                          tl_fix_scope scope);
/* The venue's day is over; what is answered from here on is of the next. */
void tl_fix_orders_day_over(tl_fix_orders *orders);
/* It is about to go to the engine: `pending` with all but its places in the queue. A ClOrdID that
 * is entered again means the later one. 0 or -ENOMEM. */
int tl_fix_request_enter(tl_fix_orders *orders, const tl_fix_pending *pending);
/* The pending request of that number, NULL. */
tl_fix_pending *tl_fix_request_pending(const tl_fix_orders *orders, uint64_t number);
/* It is answered, with the order it was for, which takes over the route of its own request and of
 * an accepted change; `pending` is gone. */
void tl_fix_request_answered(tl_fix_orders *orders, tl_fix_pending *pending, uint32_t row,
                             tl_fix_request_state state);
const tl_fix_queue *tl_fix_request_queue(const tl_fix_orders *orders, uint32_t session);
const tl_fix_pending *tl_fix_pending_at(const tl_fix_orders *orders, uint32_t place);

#endif

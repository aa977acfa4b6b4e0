/* What the parts of the market share. Nobody else includes it.
 *
 *   fix_market.c            opened, closed; events; whose turn it is
 *   fix_market_item.c       items: made, found, ended
 *   fix_market_request.c    MarketDataRequest(V)
 *   fix_market_book.c       W and X: a book told in full, or what is new in it
 *   fix_market_reference.c  x and y, c and d
 *   fix_market_status.c     e and f, g and h
 */
#ifndef TOUCHLINE_FIX_MARKET_STATE_H
#define TOUCHLINE_FIX_MARKET_STATE_H

#include "touchline/wire/fix_market.h"
#include "touchline/wire/fix_route.h"
#include "touchline/wire/fix_text.h"

#define TL_FIX_MARKET_TEXT 256u
#define TL_FIX_PREFIX_MAX 512u /* bytes of a message before its entries */
#define TL_FIX_FIELDS_BYTES (TL_FIX_MARKET_BODY - TL_FIX_ROUTE_BYTES) /* of a body, but its route */

/* MDReqRejReason(281) */
#define TL_FIX_MD_UNKNOWN_SYMBOL '0'
#define TL_FIX_MD_DUPLICATE_ID '1'
#define TL_FIX_MD_BANDWIDTH '2'
#define TL_FIX_MD_PERMISSIONS '3'
#define TL_FIX_MD_DEPTH '5'
#define TL_FIX_MD_UPDATE_TYPE '6'
#define TL_FIX_MD_AGGREGATED '7'
#define TL_FIX_MD_ENTRY_TYPE '8'
#define TL_FIX_MD_SESSION_ID '9'
#define TL_FIX_MD_SCOPE 'A'
#define TL_FIX_MD_IMPLICIT_DELETE 'C'
#define TL_FIX_MD_NONE 0 /* there is no reason for it in the standard */

enum { TL_FIX_ENTRY_BID = 1, TL_FIX_ENTRY_OFFER = 2, TL_FIX_ENTRY_TRADE = 4 };

typedef enum tl_fix_item_kind {
    TL_FIX_ITEM_BOOK,        /* V: one symbol of it */
    TL_FIX_ITEM_STATUS,      /* e */
    TL_FIX_ITEM_VENUE,       /* g */
    TL_FIX_ITEM_LIST,        /* x: fragments still to be written */
    TL_FIX_ITEM_DEFINITIONS  /* c: likewise */
} tl_fix_item_kind;

typedef struct tl_fix_level { /* a price level as a session was told of it */
    uint64_t qty;
    uint32_t price, orders;
} tl_fix_level;

typedef struct tl_fix_levels { /* one side, the best first */
    tl_fix_level *at;
    uint32_t count, room;
} tl_fix_levels;

typedef struct tl_fix_item {
    struct tl_fix_item *next;            /* of its session */
    struct tl_fix_item *before, *behind; /* of its instrument */
    tl_fix_item_kind kind;
    uint16_t instrument;
    uint32_t session;
    bool due;     /* there may be something to tell */
    bool once;    /* it ends when it is told */
    bool begun;   /* a book's W was written */
    bool full;    /* MDUpdateType(265) = 0: W each time */
    uint8_t entries; /* TL_FIX_ENTRY_... */
    uint8_t told;    /* the status told last */
    uint8_t id_size;
    char id[TL_FIX_REQ_ID_MAX];
    tl_fix_route route; /* back to who asked */
    uint32_t depth; /* levels a side; UINT32_MAX: all */
    tl_fix_levels sides[2];
    uint64_t levels_seq; /* the mirror's number of the last level looked at */
    uint64_t trades;     /* of the instrument's tape, told */
    uint64_t rpt_seq;    /* RptSeq(83): entries told */
    uint32_t from, to;   /* lists: numbers of instruments still to be told of */
    uint32_t listed;     /* and how many are in the list */
    uint32_t written;
} tl_fix_item;

typedef struct tl_fix_trade {
    uint64_t seq;
    int64_t ts_ns, price;
    uint32_t qty;
} tl_fix_trade;

typedef struct tl_fix_tape { /* the last trades of an instrument: number n at n % TRADES_MAX */
    uint64_t count;
    tl_fix_trade trades[TL_FIX_TRADES_MAX];
} tl_fix_tape;

typedef struct tl_fix_quoted { /* an instrument */
    tl_fix_item *items;
    tl_fix_tape *tape; /* NULL until somebody asks for trades */
    uint8_t trading_status;
    bool touched;
} tl_fix_quoted;

typedef struct tl_fix_audience { /* a session */
    const tl_fix_dialect *dialect;
    uint8_t time_decimals;
    bool queued;
    uint32_t items_count, levels; /* levels: that its items have room for */
    tl_fix_item *items, **last;
} tl_fix_audience;

struct tl_fix_market {
    tl_fix_market_config config;
    tl_fix_market_hooks hooks;
    tl_mirror *mirror; /* NULL: no books are kept */
    tl_fix_quoted *instruments;
    tl_fix_audience *sessions;
    uint32_t *queue; /* sessions with something due: a ring */
    uint32_t queue_at, queue_count;
    uint16_t *touched; /* instruments, of the batch at hand */
    uint32_t touched_count;
    uint8_t entry_status;
    int error;
    uint64_t responses;          /* SecurityResponseID(322) */
    tl_published_depth *looked;  /* levels as the mirror gives them */
    tl_fix_level *now, *between; /* a side as it is, and as it is told on the way there */
    uint32_t looked_room;
    size_t sent;                 /* bytes, in the slice at hand */
    tl_fix_route asked;          /* the route of the request at hand */
    const tl_fix_route *route;   /* of the answer at hand */
    char text[TL_FIX_MARKET_TEXT];
    char *body; /* in `whole`, behind the room for a route; TL_FIX_FIELDS_BYTES */
    char whole[TL_FIX_MARKET_BODY];
};

/* Items. */
tl_fix_item *tl_fix_item_add(tl_fix_market *market, const tl_fix_asker *asker,
                             tl_fix_item_kind kind, uint16_t instrument, const char *id,
                             size_t id_size);
void tl_fix_item_end(tl_fix_market *market, tl_fix_item *item);
/* The session's first item of these kinds (bits) with that id, or of any id (NULL). */
tl_fix_item *tl_fix_item_find(const tl_fix_market *market, uint32_t session, unsigned kinds,
                              const char *id, size_t id_size);
/* End all with that id; how many. */
uint32_t tl_fix_items_end(tl_fix_market *market, uint32_t session, unsigned kinds, const char *id,
                          size_t id_size);
void tl_fix_item_due(tl_fix_market *market, tl_fix_item *item);
#define TL_FIX_KIND_BIT(kind) (1u << (kind))

/* One function for each request. */
tl_fix_asked tl_fix_market_ask_book(tl_fix_market *market, const tl_fix_asker *asker,
                             const tl_fix_message *message, bool may_wait, bool names_wanted);
tl_fix_asked tl_fix_market_ask_list(tl_fix_market *market, const tl_fix_asker *asker,
                             const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                             bool names_wanted);
tl_fix_asked tl_fix_market_ask_definition(tl_fix_market *market, const tl_fix_asker *asker,
                                   const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                                   bool names_wanted);
tl_fix_asked tl_fix_market_ask_status(tl_fix_market *market, const tl_fix_asker *asker,
                               const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                               bool names_wanted);
tl_fix_asked tl_fix_market_ask_venue(tl_fix_market *market, const tl_fix_asker *asker,
                              const tl_fix_message *message);

/* Tell what an item has to tell, as far as one message goes. It is not due any more when that was
 * all, and may have ended. 0 or -errno. */
int tl_fix_tell_book(tl_fix_market *market, tl_fix_item *item);
int tl_fix_tell_reference(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns);
int tl_fix_tell_status(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns);

/* Answers. */
int tl_fix_market_send(tl_fix_market *market, uint32_t session, const char *msg_type,
                       const char *from, const char *end, bool passing);
/* BusinessMessageReject(j); `ref`: the field that names the request. */
tl_fix_asked tl_fix_market_business(tl_fix_market *market, const tl_fix_asker *asker,
                                    const tl_fix_message *message, uint32_t ref, int reason,
                                    const char *text);
tl_fix_asked tl_fix_market_missing(tl_fix_market *market, const tl_fix_asker *asker,
                                   const tl_fix_message *message, uint32_t ref, uint32_t tag);
/* MarketDataRequestReject(Y). */
int tl_fix_market_reject(tl_fix_market *market, uint32_t session, const char *id, size_t id_size,
                         char reason);
/* Write `text` of the market; what a message says is not repeated raw. */
__attribute__((format(printf, 2, 3))) void tl_fix_market_say(tl_fix_market *market,
                                                             const char *format, ...);

static inline tl_fix_asked tl_fix_asked_of(tl_fix_market *market, int rc)
{
    market->error = rc;
    return rc == 0 ? TL_FIX_ASKED_DONE : TL_FIX_ASKED_FAILED;
}

/* An instrument's phase, unless nobody can trade (18) or it is not known yet (20). */
static inline uint8_t tl_fix_trading_status(const tl_fix_market *market, uint16_t instrument)
{
    const uint8_t own = market->instruments[instrument].trading_status;
    if (own == 0 || market->entry_status == TL_ENTRY_STATUS_BLOCKED)
        return own == 0 ? 20 : 18;
    return own;
}

typedef struct tl_fix_named { /* what a request is called, and who asked */
    const char *id;
    size_t id_size;
    uint32_t session;
    const tl_fix_dialect *dialect;
    uint8_t time_decimals;
} tl_fix_named;

tl_fix_named tl_fix_named_by(const tl_fix_asker *asker, const tl_fix_message *message,
                             uint32_t tag);
tl_fix_named tl_fix_named_item(const tl_fix_market *market, const tl_fix_item *item);
/* The field's value if it is one character, else 0. */
char tl_fix_char_of(const tl_fix_message *message, uint32_t tag);
/* The number of the instrument that Symbol(55) names, UINT32_MAX: none. */
uint32_t tl_fix_instrument_asked(const tl_fix_market *market, const tl_fix_message *message);

/* %.*s of a field, at most 64 bytes of it. */
#define TL_FIX_SHOWN(message, field)                                                               \
    (int)((field) == NULL ? 0 : (field)->size < 64 ? (field)->size : 64),                          \
        (field) == NULL ? "" : tl_fix_value(message, field)

#endif

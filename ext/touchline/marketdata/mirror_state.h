/* Inside the mirror: what it is made of. mirror.c applies events to it,
 * mirror_book.c moves orders, mirror_rows.c keeps rows
 * and makes messages of them, mirror_open.c opens it and answers. Nobody else includes this. */
#ifndef TOUCHLINE_MIRROR_STATE_H
#define TOUCHLINE_MIRROR_STATE_H

#include "touchline/core/book.h"
#include "touchline/marketdata/archive.h"
#include "touchline/marketdata/mirror.h"

#define TL_ROWS_PER_EVENT 4u /* a trade: two levels, the trade, the touch */
#define TL_ROW_BYTES 56u     /* the longest record */

/* A record that waits, whose it is, and the next of its instrument and kind: one cache line. */
typedef struct tl_row {
    uint32_t next;
    uint16_t instrument;
    uint8_t kind;
    uint8_t _pad;
    uint8_t record[TL_ROW_BYTES];
} tl_row;
static_assert(sizeof(tl_row) == 64, "a row is one cache line");
static_assert(sizeof(tl_published_bbo) <= TL_ROW_BYTES, "every record fits a row");

/* The rows of one instrument and kind that wait, and how many there were before them. */
typedef struct tl_stream {
    uint64_t sent;
    uint32_t count;
    uint32_t first; /* no meaning while count is 0 */
    uint32_t last;
    uint32_t _pad;
} tl_stream;

typedef struct tl_mirrored {
    tl_stream streams[TL_PUBLISHED_STREAMS];
    tl_published_trade last_trade;
    tl_published_statistics statistics;
    uint64_t statistics_seq; /* how often they have changed */
    uint64_t changed_seq;    /* the last event that made a row of it, or other statistics */
    uint32_t levels[2];     /* by tl_side_index */
    uint8_t trading_status; /* 0: not listed */
    bool allocated;         /* its trades are shared out at a price */
    bool has_rows;       /* or statistics that changed */
    bool new_statistics; /* not told yet */
} tl_mirrored;

/* In an order's time_in_force: an event of its own said where it stands, and what is known of it is
 * what is shown of it. */
#define TL_MIRROR_STATED 1u

/* An order that may rest and is still trading. */
typedef struct tl_taker {
    uint32_t slot; /* TL_NONE: there is none */
    uint32_t leaves_qty;
} tl_taker;

struct tl_mirror {
    tl_shelf shelf;
    tl_pools pools;
    tl_archive *archive;      /* NULL: nothing is kept */
    tl_mirrored *instruments; /* by number */
    uint16_t *with_rows;      /* the instruments that have rows waiting */
    tl_row *rows;
    uint32_t instruments_max;
    uint32_t instruments_listed;
    uint32_t with_rows_count;
    uint32_t rows_max;
    uint32_t rows_count;
    uint32_t at;       /* of with_rows: whose message is next */
    uint8_t at_kind;   /* and of which kind */
    bool reading;      /* with_rows is in order and `at` means something */
    uint8_t fault;
    uint8_t entry_status;
    tl_taker taker;
    uint64_t event_seq;
    int64_t ts_ns;
    uint64_t epoch;
    uint8_t message[TL_PUBLISHED_MESSAGE_MAX];
};

/* A row of this kind, its event named, the rest of it zero; the caller has seen to the room. */
void *tl_mirror_add_row(tl_mirror *mirror, uint16_t instrument, unsigned kind,
                        const tl_event *event);

/* An order's side and price are set, and it rests; it leaves its level; it gets smaller and stays
 * where it is. Is its level the best, or was it? */
bool tl_mirror_rest(tl_mirror *mirror, const tl_event *event, uint32_t slot);
bool tl_mirror_leave(tl_mirror *mirror, const tl_event *event, uint32_t slot);
bool tl_mirror_shrink(tl_mirror *mirror, const tl_event *event, uint32_t slot, uint32_t qty);

/* An instrument has something to tell, by this event. */
void tl_mirror_mark(tl_mirror *mirror, uint16_t instrument, const tl_event *event);

/* Statistics: a trade happened, or the end of a day. Of an event whose row, if any, is there. */
void tl_mirror_count_trade(tl_mirror *mirror, const tl_event *event);
void tl_mirror_end_day(tl_mirror *mirror, const tl_event *event);
void tl_mirror_begin_statistics(tl_mirror *mirror, const tl_event *event);

/* The touch as it is now. */
void tl_mirror_touch(const tl_mirror *mirror, uint16_t instrument, tl_published_bbo *bbo);

/* Is it a price at which an order may stand? */
static inline bool tl_is_price(int64_t price)
{
    return price >= 1 && price <= TL_PRICE_MAX;
}

#endif

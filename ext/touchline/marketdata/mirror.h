/* A mirror of every book, built from events alone, and the published records that each event makes.
 *
 *   events ─► tl_mirror_apply ─► books (book.h's, as the core has them), statuses, last trades
 *                └─► rows, numbered per instrument and kind ─► tl_mirror_next_message ─► bytes
 *
 * The rows an event makes depend on the events before it and on nothing else, so a mirror that is
 * built anew from the first event numbers them as the one before it did. An order that may rest is
 * held back until it cannot trade any more: the mirror is never crossed, even when a batch ends in
 * the middle of a command. An event that cannot follow those before it is named and does nothing.
 *
 * An order lies in the slot that its order_id names, so the mirror is as large as the engine whose
 * events it takes and needs no table of ids. Everything is allocated at open and nothing grows.
 * One thread at a time may call these functions. Prices are ticks, quantities lots.
 */
#ifndef TOUCHLINE_MIRROR_H
#define TOUCHLINE_MIRROR_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "touchline/core/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_PUBLISHED_VERSION 2
#define TL_PUBLISHED_MESSAGE_MAX 4096u /* bytes of header and records, heartbeats apart */
#define TL_MIRROR_EVENTS_MAX 65536u    /* of one batch that tl_mirror_apply takes whole */

enum tl_published_kind {
    TL_PUBLISHED_TRADES,
    TL_PUBLISHED_BBO,
    TL_PUBLISHED_DEPTH,
    TL_PUBLISHED_STATUS,
    TL_PUBLISHED_STATISTICS,
    TL_PUBLISHED_HEARTBEAT
};
#define TL_PUBLISHED_STREAMS 4 /* the kinds that an instrument has rows of */
#define TL_PUBLISHED_KINDS 5   /* and statistics, of which the newest alone is told */

/* The records as docs/marketdata.md explains them, little-endian. */
typedef struct tl_published_header {
    uint64_t epoch;
    uint64_t first_seq;
    uint64_t event_seq;
    int64_t ts_ns;
    uint32_t count;
    uint16_t instrument;
    uint8_t kind;
    uint8_t version;
} tl_published_header;
static_assert(sizeof(tl_published_header) == 40, "HEADER");

typedef struct tl_published_trade {
    uint64_t event_seq;
    int64_t ts_ns;
    int64_t price;
    uint32_t qty;
    uint8_t side;
    uint8_t _pad[3];
} tl_published_trade;
static_assert(sizeof(tl_published_trade) == 32, "TRADE");

typedef struct tl_published_bbo {
    uint64_t event_seq;
    int64_t ts_ns;
    int64_t bid_price;
    int64_t ask_price;
    uint64_t bid_qty;
    uint64_t ask_qty;
    uint32_t bid_orders;
    uint32_t ask_orders;
} tl_published_bbo;
static_assert(sizeof(tl_published_bbo) == 56, "BBO");

typedef struct tl_published_depth {
    uint64_t event_seq;
    int64_t ts_ns;
    int64_t price;
    uint64_t qty;
    uint32_t orders;
    uint8_t side;
    uint8_t _pad[3];
} tl_published_depth;
static_assert(sizeof(tl_published_depth) == 40, "DEPTH");

typedef struct tl_published_status {
    uint64_t event_seq;
    int64_t ts_ns;
    uint8_t trading_status;
    uint8_t entry_status;
    uint8_t _pad[6];
} tl_published_status;
static_assert(sizeof(tl_published_status) == 24, "STATUS");

/* An instrument's trades since its day began; prices are 0 before the first of them. */
typedef struct tl_published_statistics {
    uint64_t event_seq; /* the trade or the end of a day that changed it last, and its time */
    int64_t ts_ns;
    int64_t open_price;
    int64_t high_price;
    int64_t low_price;
    int64_t last_price;
    uint64_t volume;        /* lots */
    uint64_t turnover;      /* ticks times lots, the low 64 bits; over volume it is the VWAP */
    uint64_t turnover_high; /* the 64 bits above them */
    uint64_t trades;
    int64_t open_ns; /* when the day began: its predecessor's end, or the listing */
} tl_published_statistics;
static_assert(sizeof(tl_published_statistics) == 88, "STATISTICS");

typedef struct tl_published_heartbeat {
    uint16_t instrument;
    uint8_t _pad[6];
    uint64_t seqs[TL_PUBLISHED_KINDS];
} tl_published_heartbeat;
static_assert(sizeof(tl_published_heartbeat) == 48, "HEARTBEAT");

/* The best bid and offer of an event's instrument after it; 0 where a side is empty. */
typedef struct tl_touch {
    int64_t bid_price;
    int64_t ask_price;
    uint64_t bid_qty;
    uint64_t ask_qty;
    uint8_t changed; /* 1: the event made it another one */
    uint8_t _pad[7];
} tl_touch;
static_assert(sizeof(tl_touch) == 40, "TOUCH");

/* Why an event cannot follow those before it. */
#define TL_MIRROR_FAULTS(X)                                                                        \
    X(NONE, "")                                                                                    \
    X(GAP, "it does not follow the event before it")                                               \
    X(UNKNOWN_INSTRUMENT, "its instrument is not listed")                                          \
    X(LISTED_TWICE, "its instrument is listed already, or beyond the engine's capacity")           \
    X(NOT_A_STATUS, "its status is none that there is")                                            \
    X(NOT_AN_ORDER, "its side, price or quantity is none that an order can have")                  \
    X(NOT_AN_ORDER_ID, "its order_id is beyond the engine's capacity")                             \
    X(ORDER_EXISTS, "its order is there already")                                                  \
    X(UNKNOWN_ORDER, "its order is not in the book")                                               \
    X(NOT_THAT_ORDER, "its instrument, side, price or quantity is not its order's")                \
    X(NOT_THE_NEXT, "the order it trades with is not the oldest at the best price")                \
    X(TAKER_WAITS, "another order crosses the book, and its trades come first")                    \
    X(NO_ROOM, "all blocks of price levels are taken")

#define TL_FAULT_ENUM(name, text) TL_MIRROR_##name,
enum tl_mirror_fault { TL_MIRROR_FAULTS(TL_FAULT_ENUM) };
#undef TL_FAULT_ENUM

typedef struct tl_mirror tl_mirror;

/* One message: `count` bytes of a header and its records, valid until the next call. */
typedef struct tl_mirror_message {
    const uint8_t *bytes;
    size_t count;
    uint16_t instrument;
    uint8_t kind;
} tl_mirror_message;

/* One instrument but its levels. */
typedef struct tl_mirror_view {
    uint64_t seqs[TL_PUBLISHED_KINDS];   /* the last number of each kind, waiting rows included */
    tl_published_bbo bbo;                /* as of the last event applied */
    tl_published_trade last_trade;       /* event_seq 0 before the first */
    tl_published_statistics statistics;
    size_t levels;                       /* of both sides */
    uint64_t changed_seq;                /* the last event that made a record of it */
    uint8_t trading_status;
} tl_mirror_view;

/* For events of an engine of these capacities: 0, -EINVAL when out of engine.h's bounds, -ENOMEM.
 * Memory is touched as orders and prices use it. */
int tl_mirror_open(tl_mirror **mirror, uint32_t instruments_max, uint32_t orders_max,
                   uint32_t price_blocks_max);
void tl_mirror_close(tl_mirror *mirror);

/* Keep every record in this archive from now on, which should be before the first event; it stays
 * the caller's. */
struct tl_archive;
void tl_mirror_keep(tl_mirror *mirror, struct tl_archive *archive);

/* Let events happen; returns how many did. Fewer than `count` when the next is impossible, which
 * tl_mirror_fault then names, or when there is no more room for rows: read or discard them, and go
 * on with the rest. Rows of the call before that nobody read are discarded. */
size_t tl_mirror_apply(tl_mirror *mirror, const tl_event *events, size_t count);

/* As tl_mirror_apply, and no rows wait afterwards: `touches[i]` is the touch after event i. An
 * event changes the touch of its own instrument alone. */
size_t tl_mirror_follow(tl_mirror *mirror, const tl_event *events, size_t count,
                        tl_touch *touches);

/* What is wrong with the event after the last one applied, of enum tl_mirror_fault. */
int tl_mirror_fault(const tl_mirror *mirror);
const char *tl_mirror_fault_text(int fault);

/* The next message of the rows that wait, by instrument, kind and number; false after the last.
 * Rows of one event and kind are never in two messages. Statistics are one record, the newest. */
bool tl_mirror_next_message(tl_mirror *mirror, tl_mirror_message *message);

/* The rows that wait are numbered, but nobody wants to read them. */
void tl_mirror_discard(tl_mirror *mirror);

uint64_t tl_mirror_event_seq(const tl_mirror *mirror);
int64_t tl_mirror_ts_ns(const tl_mirror *mirror);
uint64_t tl_mirror_epoch(const tl_mirror *mirror); /* the time of event 1: tells journals apart */
uint8_t tl_mirror_entry_status(const tl_mirror *mirror);
uint32_t tl_mirror_instruments(const tl_mirror *mirror); /* how many are listed */

/* False when it is not listed. */
bool tl_mirror_look(const tl_mirror *mirror, uint16_t instrument, tl_mirror_view *view);

/* All levels, bids before asks, each the best first; returns how many, at most `room`. */
size_t tl_mirror_levels(const tl_mirror *mirror, uint16_t instrument, tl_published_depth *levels,
                        size_t room);

/* Of one side, the best first; returns how many, at most `room`. */
size_t tl_mirror_side(const tl_mirror *mirror, uint16_t instrument, uint8_t side,
                      tl_published_depth *levels, size_t room);

/* The header of a heartbeat, and a record per instrument after it: by number, `room` at most. */
size_t tl_mirror_heartbeat(const tl_mirror *mirror, tl_published_header *header,
                           tl_published_heartbeat *records, size_t room);

#ifdef __cplusplus
}
#endif

#endif

/* Books from market records: every instrument's orders and levels, as the records leave them.
 *
 *   records ─► tl_books_apply ─► orders by reference ─► queues at price levels ─► ladders
 *                  ├─► the touch after each record, or where it changed
 *                  └─► trades, with the price and side of the order they took
 *
 * Not the engine's book: what others publish may be crossed, may begin in the middle of a day, may
 * have any price, and is full of mistakes. A record that makes no sense is counted by its fault and
 * changes nothing, or as much as makes sense; none stops the books. Orders and levels take memory
 * as they come, up to bounds given at open; beyond them records are counted as NO_ROOM.
 * One thread at a time may call these functions. Prices are in 1 / TL_PRICE_SCALE.
 */
#ifndef TOUCHLINE_BOOKS_H
#define TOUCHLINE_BOOKS_H

#include <stdbool.h>

#include "touchline/study/market_record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_BOOKS_INSTRUMENTS_MAX (1u << 20)
#define TL_BOOKS_ORDERS_MAX (1u << 28)
#define TL_BOOKS_QTY_MAX ((INT64_C(1) << 34) - 1) /* of one order or level */

/* What can be wrong with a record; FAULT_n counts each. */
#define TL_BOOKS_FAULTS(X)                                                                         \
    X(UNKNOWN_TYPE, "its type is none that there is")                                              \
    X(UNKNOWN_INSTRUMENT, "its instrument is beyond instruments_max")                              \
    X(UNKNOWN_ORDER, "its order is not in the book")                                               \
    X(ORDER_EXISTS, "its order is in the book already")                                            \
    X(INVALID_SIDE, "its side is neither buy nor sell")                                            \
    X(INVALID_QTY, "its quantity is negative, zero or too large")                                  \
    X(EXCESS_QTY, "it takes more than its order has; the order is gone")                           \
    X(INVALID_PRICE, "its price is no number: the least or the most there is")                     \
    X(NOT_A_LEVEL, "it sets a level that has orders, or enters an order at one that was set")      \
    X(NO_ROOM, "there is no room for its order or level")

#define TL_BOOKS_FAULT_ENUM(name, text) TL_BOOKS_##name,
enum tl_books_fault { TL_BOOKS_FAULTS(TL_BOOKS_FAULT_ENUM) TL_BOOKS_FAULT_COUNT };
#undef TL_BOOKS_FAULT_ENUM

enum tl_touch_state { TL_TOUCH_NORMAL, TL_TOUCH_LOCKED, TL_TOUCH_CROSSED };

/* The best bid and offer of a record's instrument after it; quantity 0 where a side is empty. */
typedef struct tl_quote {
    int64_t ts_ns;
    uint64_t seq;
    int64_t bid_price;
    int64_t ask_price;
    int64_t bid_qty;
    int64_t ask_qty;
    uint32_t bid_orders;
    uint32_t ask_orders;
    uint32_t instrument;
    uint8_t changed; /* 1: the record made it another one */
    uint8_t state;   /* enum tl_touch_state */
    uint8_t _pad[2];
} tl_quote;
static_assert(sizeof(tl_quote) == 64, "a quote is one cache line");

/* An EXECUTE, TRADE or CROSS. */
typedef struct tl_print {
    int64_t ts_ns;
    uint64_t seq;
    uint64_t match; /* new_ref of the record */
    uint64_t order_ref;
    int64_t price;
    int64_t qty;
    uint32_t instrument;
    uint8_t type;
    uint8_t side; /* who took: 0 when it is not known */
    uint8_t code;
    uint8_t flags;
} tl_print;
static_assert(sizeof(tl_print) == 56, "PRINT");

typedef struct tl_depth_row {
    int64_t price;
    int64_t qty;
    uint32_t orders;
    uint32_t _pad;
} tl_depth_row;
static_assert(sizeof(tl_depth_row) == 24, "DEPTH");

typedef struct tl_resting {
    uint64_t order_ref;
    int64_t price;
    int64_t qty;
    uint32_t instrument;
    uint8_t side;
    uint8_t _pad[3];
} tl_resting;
static_assert(sizeof(tl_resting) == 32, "RESTING");

typedef struct tl_books_counts {
    uint64_t records;
    uint64_t faults[TL_BOOKS_FAULT_COUNT];
    uint64_t locked;  /* how often a book became locked */
    uint64_t crossed; /* or crossed */
    uint32_t orders;
    uint32_t levels;
} tl_books_counts;

/* Where apply writes what it saw; a NULL is not written. Each has room for `count` rows. */
typedef struct tl_books_out {
    tl_quote *quotes;
    tl_print *prints;
    size_t quotes_count;
    size_t prints_count;
    bool every; /* a quote for every record, not only where the touch changed */
} tl_books_out;

typedef struct tl_books tl_books;

/* `seed` makes the table of references another one: whoever writes the records must not know it. 0,
 * -EINVAL for a bound of 0 or too large, -ENOMEM. A level counts as an order. */
int tl_books_open(tl_books **books, uint32_t instruments_max, uint32_t orders_max, uint64_t seed);
void tl_books_close(tl_books *books);

/* Let records happen. 0, or -ENOMEM when the machine has no memory before orders_max is reached:
 * the records before counts.records are done then, and the books are whole. */
int tl_books_apply(tl_books *books, const tl_market_record *records, size_t count,
                   tl_books_out *out);

void tl_books_counts_now(const tl_books *books, tl_books_counts *counts);
const char *tl_books_fault_text(int fault);
const char *tl_books_fault_name(int fault);

/* The touch now; an empty one for an instrument that never was. */
void tl_books_touch(const tl_books *books, uint32_t instrument, tl_quote *quote);

/* Levels of one side, the best first; returns how many, at most `room`. */
size_t tl_books_depth(const tl_books *books, uint32_t instrument, uint8_t side, tl_depth_row *rows,
                      size_t room);

/* Orders of one side as they stand in line: the best price first, then the oldest. */
size_t tl_books_orders(const tl_books *books, uint32_t instrument, uint8_t side, tl_resting *rows,
                       size_t room);

/* How many levels and orders a side has. */
void tl_books_side(const tl_books *books, uint32_t instrument, uint8_t side, size_t *levels,
                   size_t *orders);

/* False when it does not rest. */
bool tl_books_order(const tl_books *books, uint32_t instrument, uint64_t order_ref,
                    tl_resting *resting);

#ifdef __cplusplus
}
#endif

#endif

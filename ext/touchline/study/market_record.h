/* One record of market data, whatever source it came from.
 *
 *   ITCH, LOBSTER, Databento, CSV, Parquet ─► tl_market_record ─► numpy, tl_books, touchline replay
 *
 * A reader writes it, numpy carries it, the books take it. It is one cache line without a union, so
 * that a structured array of it can be saved, joined and converted field by field. Types are
 * Nasdaq's letters of ITCH 5.0; where Nasdaq has no word, a lower-case letter that it does not use.
 * docs/data.md explains every field. This header needs libc's headers alone.
 */
#ifndef TOUCHLINE_MARKET_RECORD_H
#define TOUCHLINE_MARKET_RECORD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_PRICE_SCALE INT64_C(1000000000) /* a price of 1 */
#define TL_RECORD_SYMBOL_BYTES 8

#define TL_RECORD_TYPES(X)                                                                         \
    X(RECORD_TYPE, ADD, 'A')            /* an order rests */                                       \
    X(RECORD_TYPE, EXECUTE, 'E')        /* qty of a resting order traded */                        \
    X(RECORD_TYPE, CANCEL, 'X')         /* qty of a resting order is gone */                       \
    X(RECORD_TYPE, DELETE, 'D')         /* a resting order is gone */                              \
    X(RECORD_TYPE, REPLACE, 'U')        /* a resting order ends, new_ref rests at its side */      \
    X(RECORD_TYPE, MODIFY, 'm')         /* a resting order has this price and qty now */           \
    X(RECORD_TYPE, LEVEL, 'l')          /* a price has qty now; for sources without orders */      \
    X(RECORD_TYPE, CLEAR, 'c')          /* the instrument's book is empty now */                   \
    X(RECORD_TYPE, TRADE, 'P')          /* a trade that no order of the book took part in */       \
    X(RECORD_TYPE, CROSS, 'Q')          /* an auction's trades, as one */                          \
    X(RECORD_TYPE, BROKEN_TRADE, 'B')   /* a trade before is void */                               \
    X(RECORD_TYPE, TRADING_ACTION, 'H') /* code: the trading state */                              \
    X(RECORD_TYPE, DIRECTORY, 'R')      /* symbol: what the instrument is called */                \
    X(RECORD_TYPE, SYSTEM, 'S')         /* code: what happened to the venue */                     \
    X(RECORD_TYPE, IMBALANCE, 'I')      /* before an auction; code: which */                       \
    X(RECORD_TYPE, OTHER, 'o')          /* changes no book; code: the source's own letter */

/* Bits of tl_market_record.flags. */
#define TL_RECORD_FLAGS(X)                                                                         \
    X(RECORD_FLAG, PRICED, 1)      /* EXECUTE: at `price`, not at the order's */                   \
    X(RECORD_FLAG, NOT_PRINTED, 2) /* EXECUTE: another record tells its volume */                  \
    X(RECORD_FLAG, HIDDEN, 4)      /* TRADE: against an order that nobody saw */                   \
    X(RECORD_FLAG, SNAPSHOT, 8)    /* of what was there already, not of something that happened */ \
    X(RECORD_FLAG, LAST, 16)       /* the last record of one event of its source */

#define TL_RECORD_ENUM(set, name, value) TL_##set##_##name = (value),
enum tl_record_type { TL_RECORD_TYPES(TL_RECORD_ENUM) };
enum tl_record_flag { TL_RECORD_FLAGS(TL_RECORD_ENUM) };
#undef TL_RECORD_ENUM

typedef struct tl_market_record {
    int64_t ts_ns;       /* since the epoch, or since midnight where no date is known */
    uint64_t seq;        /* in its source, from 1 */
    uint64_t order_ref;  /* the source's number of the order */
    uint64_t new_ref;    /* REPLACE: of the order that rests now; a trade: its match number */
    int64_t price;       /* in 1 / TL_PRICE_SCALE */
    int64_t qty;         /* shares, contracts */
    uint32_t instrument; /* the source's locate, or the number the reader gave it */
    uint8_t type;        /* enum tl_record_type */
    uint8_t side;        /* of the order, FIX's Side(54); 0: none */
    uint8_t code;        /* a letter of the source's, see the types */
    uint8_t flags;       /* enum tl_record_flag */
    char symbol[TL_RECORD_SYMBOL_BYTES]; /* DIRECTORY: filled up with zero bytes; else zeros */
} tl_market_record;
static_assert(sizeof(tl_market_record) == 64, "a record is one cache line");

typedef struct tl_record_constant {
    const char *set;  /* "RECORD_TYPE" */
    const char *name; /* "ADD" */
    int value;
} tl_record_constant;
extern const tl_record_constant tl_record_constants[];
extern const int tl_record_constants_count;

#ifdef __cplusplus
}
#endif

#endif

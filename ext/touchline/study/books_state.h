/* Inside the books: orders, levels, one book an instrument. books.c applies records to them,
 * books_orders.c enters and ends orders, books_open.c opens, grows and answers.
 *
 *   refs: table of 8 bytes, hash and order ─► order ─► level ⇄ level, better and worse
 *   level: oldest ⇄ order ⇄ youngest         book: two sides, each its best level and its ladder
 */
#ifndef TOUCHLINE_BOOKS_STATE_H
#define TOUCHLINE_BOOKS_STATE_H

#include "touchline/study/books.h"
#include "touchline/study/ladder.h"

#define TL_AT_NONE UINT32_MAX

typedef struct tl_book_order {
    uint64_t ref;
    int64_t qty;
    uint32_t level; /* a free one: the next that is free */
    uint32_t prev;
    uint32_t next;
    uint32_t instrument;
} tl_book_order;
static_assert(sizeof(tl_book_order) == 32, "two orders to a cache line");

typedef struct tl_book_level {
    int64_t price;
    int64_t qty;
    uint32_t orders; /* 0: set as a whole */
    uint32_t head;   /* a free one: the next that is free */
    uint32_t tail;
    uint32_t better;
    uint32_t worse;
    uint32_t side; /* instrument * 2 + 1 for sells */
} tl_book_level;
static_assert(sizeof(tl_book_level) == 40, "LEVEL");

typedef struct tl_book_side {
    uint32_t best;
    uint32_t root;
    uint32_t levels;
    uint32_t orders;
} tl_book_side;

typedef struct tl_book_touch {
    int64_t price[2];
    int64_t qty[2];
    uint32_t orders[2];
} tl_book_touch;

/* One instrument. Its touch as it was last seen, which tells whether a record changed it. */
typedef struct tl_study_book {
    tl_book_side sides[2];
    tl_book_touch touch;
    uint8_t state;   /* enum tl_touch_state */
    uint8_t touched; /* something happened to a best level since */
    uint8_t _pad[6];
    uint8_t _line[48];
} tl_study_book;
static_assert(sizeof(tl_study_book) == 128, "two cache lines");

typedef struct tl_ref {
    uint32_t hash;
    uint32_t order; /* TL_AT_NONE: free */
} tl_ref;

struct tl_books {
    tl_ref *refs;
    uint64_t refs_mask;
    uint64_t factor; /* odd: of the hash */
    tl_book_order *orders;
    tl_book_level *levels;
    tl_study_book *books;
    tl_ladder_pool ladder;
    uint32_t orders_room;
    uint32_t orders_used;
    uint32_t order_free;
    uint32_t levels_room;
    uint32_t levels_used;
    uint32_t level_free;
    uint32_t books_room;
    uint32_t instruments_max;
    uint32_t orders_max;
    tl_books_counts counts;
};

/* Which half of a book: 0 buys, 1 sells, 2 neither. */
unsigned tl_study_side(uint8_t side);

/* Room for one more order (none is needed for one that replaces) and level, or for an instrument:
 * 0, -ENOMEM, or 1 when a bound is reached. */
int tl_books_room(tl_books *books, bool replaces);
int tl_books_instrument_room(tl_books *books, uint32_t instrument);

/* An order into the book; room is there. Each gives TL_BOOKS_FAULT_COUNT, or what is wrong. */
int tl_order_enter(tl_books *books, const tl_market_record *record, unsigned side);

/* Qty of an order is gone, or all of it. */
void tl_order_reduce(tl_books *books, uint32_t order, int64_t qty);
void tl_order_end(tl_books *books, uint32_t order);

/* A level set as a whole; qty 0 drops it. */
int tl_level_set(tl_books *books, const tl_market_record *record, unsigned side);

/* No order and no level is left. */
void tl_book_clear(tl_books *books, uint32_t instrument);

static inline uint32_t tl_ref_hash(const tl_books *books, uint32_t instrument, uint64_t ref)
{
    uint64_t x = (ref + instrument * UINT64_C(0x9E3779B97F4A7C15)) * books->factor;
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(x >> 32);
}

/* Where in the table an order's reference is; its place is free when it does not rest. */
static inline uint64_t tl_ref_find(const tl_books *books, uint32_t instrument, uint64_t ref)
{
    uint32_t hash = tl_ref_hash(books, instrument, ref);
    uint64_t at = hash & books->refs_mask;
    for (; books->refs[at].order != TL_AT_NONE; at = (at + 1) & books->refs_mask) {
        if (books->refs[at].hash != hash)
            continue;
        const tl_book_order *order = &books->orders[books->refs[at].order];
        if (order->ref == ref && order->instrument == instrument)
            break;
    }
    return at;
}

/* A free place for a reference that is not there, and the place of an order that is: no order is
 * looked at for either. */
static inline uint64_t tl_ref_free(const tl_books *books, uint32_t instrument, uint64_t ref)
{
    uint64_t at = tl_ref_hash(books, instrument, ref) & books->refs_mask;
    while (books->refs[at].order != TL_AT_NONE)
        at = (at + 1) & books->refs_mask;
    return at;
}

static inline uint64_t tl_ref_place(const tl_books *books, uint32_t instrument, uint64_t ref,
                                    uint32_t order)
{
    uint64_t at = tl_ref_hash(books, instrument, ref) & books->refs_mask;
    while (books->refs[at].order != order)
        at = (at + 1) & books->refs_mask;
    return at;
}

static inline uint32_t tl_order_of(const tl_books *books, uint32_t instrument, uint64_t ref)
{
    return books->refs[tl_ref_find(books, instrument, ref)].order;
}

static inline int64_t tl_price_key(unsigned side, int64_t price)
{
    return side == 0 ? -price : price;
}

#endif

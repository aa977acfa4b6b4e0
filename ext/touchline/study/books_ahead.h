/* What a batch of records asks the memory for, ahead of the record that is applied.
 *
 *   record:   now      + 4          + 8           + 12           + 16
 *             step     neighbours   level         order          line of the table, book
 *
 * Each stage looks at what the stage before has fetched. It may be stale by the time it is used,
 * which costs a wait and nothing else: nothing here changes a book, and every index is checked.
 */
#ifndef TOUCHLINE_BOOKS_AHEAD_H
#define TOUCHLINE_BOOKS_AHEAD_H

#include "touchline/study/books_state.h"

#define TL_AHEAD_LINE 16u
#define TL_AHEAD_ORDER 12u
#define TL_AHEAD_LEVEL 8u
#define TL_AHEAD_NEAR 4u
#define TL_AHEAD_RING 32u /* a power of two above those */

/* What is known of a record so far. */
typedef struct tl_hint {
    uint32_t hash;  /* of its order */
    uint32_t order; /* TL_AT_NONE: none, or not known */
    uint32_t level;
    uint32_t node;  /* of the ladder its price belongs to */
} tl_hint;

typedef struct tl_ahead {
    tl_hint hints[TL_AHEAD_RING]; /* of record i at i % TL_AHEAD_RING */
} tl_ahead;

/* A look costs some 60 instructions a record: it pays once a core's own cache does not hold what
 * records touch. */
#define TL_AHEAD_BYTES ((uint64_t)768 << 10)
static inline bool tl_ahead_pays(const tl_books *books)
{
    return (uint64_t)books->orders_used * sizeof(tl_book_order) +
               (uint64_t)books->levels_used * sizeof(tl_book_level) +
               (uint64_t)books->ladder.used * sizeof(tl_ladder_node) >
           TL_AHEAD_BYTES;
}

/* Before the first record of a batch, and before each: record `at` of `count`. */
void tl_ahead_begin(tl_ahead *ahead, const tl_books *books, const tl_market_record *records,
                    size_t count);
void tl_ahead_step(tl_ahead *ahead, const tl_books *books, const tl_market_record *records,
                   size_t at, size_t count);

#endif

/* What the tables of orders are made of: rows that never move, a keyed hash. Nobody else includes
 * it. */
#ifndef TOUCHLINE_FIX_ORDERS_ROWS_H
#define TOUCHLINE_FIX_ORDERS_ROWS_H

#include "touchline/wire/fix_orders.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 4096u /* rows of a piece of memory */

/* Rows that never move, in pieces. */
typedef struct rows {
    char **chunks;
    size_t width;
    uint32_t chunks_count, count, free; /* free: first of the chain of given back places */
} rows;

static inline void *row_at(const rows *some, uint32_t row)
{
    return some->chunks[row / CHUNK] + (size_t)(row % CHUNK) * some->width;
}

static inline bool rows_grow(rows *some)
{
    char **grown = realloc(some->chunks, (some->chunks_count + 1) * sizeof *grown);
    if (grown == NULL || some->count > UINT32_MAX - 2 * CHUNK)
        return false;
    some->chunks = grown;
    grown[some->chunks_count] = calloc(CHUNK, some->width);
    if (grown[some->chunks_count] == NULL)
        return false;
    some->chunks_count++;
    return true;
}

/* A row that is not set; TL_FIX_NO_ROW. */
static inline uint32_t row_take(rows *some)
{
    if (some->free != TL_FIX_NO_ROW) {
        const uint32_t row = some->free;
        memcpy(&some->free, row_at(some, row), sizeof some->free);
        return row;
    }
    if (some->count == some->chunks_count * CHUNK && !rows_grow(some))
        return TL_FIX_NO_ROW;
    return some->count++;
}

/* The same, all zeros. */
static inline uint32_t row_add(rows *some)
{
    const bool used = some->free != TL_FIX_NO_ROW; /* a new one is of zeros */
    const uint32_t row = row_take(some);
    if (used)
        memset(row_at(some, row), 0, some->width);
    return row;
}

static inline void row_drop(rows *some, uint32_t row)
{
    memcpy(row_at(some, row), &some->free, sizeof some->free);
    some->free = row;
}

static inline void rows_close(rows *some)
{
    for (uint32_t i = 0; i < some->chunks_count; i++)
        free(some->chunks[i]);
    free(some->chunks);
}

#define PART 512u /* places of a part of the table of requests */

typedef struct slot {   /* orders that had the same place in the engine, one after the other */
    uint32_t *earlier;  /* rows of all but the last; there is room for a power of two of them, */
                        /* EARLIER_MIN at least */
    uint32_t count;
    uint32_t last; /* row plus one; 0: there was none */
} slot;

typedef struct part {
    uint32_t count, depth;
    tl_fix_request places[PART];
} part;

struct tl_fix_orders {
    rows orders, names, routes, pending;
    part **directory; /* by the first `depth` bits of a hash */
    uint32_t depth;
    slot *of_slot;
    uint32_t slots;
    uint32_t *of_number; /* pending plus one, by the low bits of the number */
    uint32_t number_mask;
    uint32_t over[TL_FIX_OVER_NAMED]; /* row plus one, a ring: those that still have a name */
    uint64_t over_count;
    tl_fix_queue *queues;
    uint32_t orphans; /* pending changes whose order has no row yet */
    uint32_t sessions_max;
    uint16_t day; /* ends of the day so far */
    uint64_t key[2];
};

/* fix_orders_hash.c: 128 bits that nobody can choose who does not know the key. */
void tl_fix_keyed_hash(const uint64_t key[2], uint32_t session, const char *text, size_t size,
                       uint64_t hash[2]);

#endif

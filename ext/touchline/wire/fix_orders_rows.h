/* What the tables of orders share: rows that never move, and a keyed hash. Nobody else includes it.
 */
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

static inline uint32_t row_add(rows *some)
{
    if (some->free != TL_FIX_NO_ROW) {
        const uint32_t row = some->free;
        memcpy(&some->free, row_at(some, row), sizeof some->free);
        memset(row_at(some, row), 0, some->width);
        return row;
    }
    if (some->count == some->chunks_count * CHUNK) {
        char **grown = realloc(some->chunks, (some->chunks_count + 1) * sizeof *grown);
        if (grown == NULL || some->count > UINT32_MAX - 2 * CHUNK)
            return TL_FIX_NO_ROW;
        some->chunks = grown;
        grown[some->chunks_count] = calloc(CHUNK, some->width);
        if (grown[some->chunks_count] == NULL)
            return TL_FIX_NO_ROW;
        some->chunks_count++;
    }
    return some->count++;
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

/* fix_orders_hash.c: 128 bits that nobody can choose who does not know the key. */
void tl_fix_keyed_hash(const uint64_t key[2], uint32_t session, const char *text, size_t size,
                       uint64_t hash[2]);

#endif

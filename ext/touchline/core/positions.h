/* Positions: what each account has, has open and may have in each instrument.
 *
 * One cache line for a pair of account and instrument, found by one probe of a table that never
 * moves its entries; an order remembers its entry. Every change of a position is one of the four
 * functions at the end. The engine's thread owns all of it.
 */
#ifndef TOUCHLINE_POSITIONS_H
#define TOUCHLINE_POSITIONS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "touchline/core/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An account's trading in one instrument. */
typedef struct tl_position {
    uint32_t account;
    uint32_t instrument;
    int64_t net;     /* lots bought less lots sold; rule 5.7 */
    int64_t open[2]; /* lots resting in the book, by side */
    int64_t order_qty_max;
    int64_t order_value_max; /* ticks x lots */
    int64_t position_max;
    uint32_t next;   /* the account's position made before this one: its index plus one, or 0 */
    uint8_t limited; /* one of the three limits is set */
    uint8_t _pad[3];
} tl_position;
static_assert(sizeof(tl_position) == 64, "a position is one cache line");

typedef struct tl_position_counts {
    uint32_t positions_max;
    uint32_t positions_used;
    uint32_t probe_mask; /* size of the probe table, less one */
} tl_position_counts;

/* Where the table lies in this process. */
typedef struct tl_positions {
    tl_position_counts *counts;
    tl_position *entries;
    uint32_t *probes; /* open addressing: 0 or the index of an entry plus one */
    uint32_t *newest; /* by account: the first of its chain of positions, as `next` says */
} tl_positions;

void tl_position_init(tl_position *position, uint32_t account, uint32_t instrument);

/* Where the search for an account's trading in an instrument begins. */
static inline uint32_t *tl_position_probe(const tl_positions *positions, uint32_t account,
                                          uint32_t instrument)
{
    uint64_t key = (uint64_t)account << 32 | instrument;
    uint64_t hash = key * UINT64_C(0x9E3779B97F4A7C15);
    return &positions->probes[(uint32_t)(hash >> 32) & positions->counts->probe_mask];
}

/* The entry of an account's trading in an instrument, or NULL. */
tl_position *tl_position_find(const tl_positions *positions, uint32_t account,
                              uint32_t instrument);

/* The entry, made if need be; NULL when the table is full. Once for a pair, so kept out of the
 * flattened step. */
__attribute__((noinline)) tl_position *tl_position_need(const tl_positions *positions,
                                                        uint32_t account, uint32_t instrument);

/* Lay the probes anew, for a mask that has changed: as if it had been this one from the start. */
void tl_positions_probe_again(const tl_positions *positions);

/* ── what moves a position ─────────────────────────────────────────────────────────────────── */

/* So many lots more rest in the book. */
static inline void tl_position_rested(tl_position *position, unsigned side_index, uint32_t qty)
{
    position->open[side_index] += qty;
}

/* So many lots rest no longer: traded, canceled or cut. */
static inline void tl_position_left(tl_position *position, unsigned side_index, uint32_t qty)
{
    position->open[side_index] -= qty;
    assert(position->open[side_index] >= 0);
}

/* Rule 5.7: where no number is large enough the position stays at the largest. */
static inline void tl_position_bought(tl_position *position, uint32_t qty)
{
    if (__builtin_add_overflow(position->net, (int64_t)qty, &position->net))
        position->net = INT64_MAX;
}

static inline void tl_position_sold(tl_position *position, uint32_t qty)
{
    if (__builtin_sub_overflow(position->net, (int64_t)qty, &position->net))
        position->net = INT64_MIN;
}

#ifdef __cplusplus
}
#endif

#endif

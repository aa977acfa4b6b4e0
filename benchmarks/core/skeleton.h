/* The floor: a matcher that does nothing but match, to hold the core's time against.
 *
 *   command ─► order id = generation | slot ─► 32-byte orders in queues ─► 64-byte reports in ring
 *                                                    ▲
 *   one array of levels per instrument, by price ────┘   found through a ladder of bitmaps
 *
 * Limit orders, day or immediate, cancels and replaces. It knows no accounts, limits, statuses,
 * hashes, pools that end or requests that are wrong, and its price range is fixed beforehand. What
 * it reports, event for event, is what the engine reports for the same commands; it uses the same
 * records and the same ring so that both pay for the same bytes. One thread at a time.
 */
#ifndef TOUCHLINE_BENCH_SKELETON_H
#define TOUCHLINE_BENCH_SKELETON_H

#include "touchline/core/engine.h"

typedef struct skeleton skeleton;

/* The prices an instrument's orders use, ticks; first above last when it has none. */
typedef struct price_range {
    uint32_t first, last;
} price_range;

/* Ends the program when there is no memory. */
skeleton *skeleton_open(const price_range *ranges, uint32_t instruments, uint32_t orders_max);
void skeleton_close(skeleton *matcher);
void skeleton_step(skeleton *matcher, const tl_command *cmd, tl_event_sink *sink);
uint32_t skeleton_orders_open(const skeleton *matcher);

#endif

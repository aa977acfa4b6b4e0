/* Allocation (section 11 of docs/rules.md): an order that comes is shared out among those at one
 * price by the steps of its instrument, where that is not first in, first out.
 */
#ifndef TOUCHLINE_ALLOCATION_H
#define TOUCHLINE_ALLOCATION_H

#include "touchline/core/selftrade.h"

static inline bool tl_is_allocated(const tl_step *s, uint16_t instrument)
{
    return s->engine->risk.instruments[instrument].allocated != 0;
}

/* Shares the order's lots out among those shown at the maker's price, oldest first, and has them
 * trade: one event for each that gets any. The maker is the oldest there, and none of them is the
 * order's own owner's. */
void tl_allocate(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type);

/* Rule 11.3: the order has a place now; has it bettered the price of its side? `best` is the key of
 * the best price before. */
void tl_allocation_stands(const tl_step *s, uint32_t slot, uint32_t best);

/* The order that has priority on a side, or TL_NONE. */
uint32_t tl_allocation_top(const tl_engine *engine, uint16_t instrument, unsigned side_index);

#endif

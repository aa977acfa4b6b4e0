/* Orders that end at a time of their own: rule 8.10 of docs/rules.md. */
#ifndef TOUCHLINE_EXPIRY_H
#define TOUCHLINE_EXPIRY_H

#include "touchline/core/commands.h"

/* Is there a place for one more? */
static inline bool tl_expiries_full(const tl_engine *engine)
{
    return engine->state->expiries == tl_chain_max(engine->state->capacities.orders_max);
}

/* The open special order expires from now on, or no longer. */
void tl_expiry_add(const tl_engine *engine, uint32_t slot, int64_t expire_ns);
void tl_expiry_drop(const tl_engine *engine, uint32_t slot);

/* All orders of the venue whose time the command's has reached end: EXPIRED, the earliest first, of
 * one time the lowest slot. Returns how many. */
uint32_t tl_expire_due(const tl_step *s);

#endif

/* What both ends of the bus share: looking at a slot's stamp, waiting a moment, and whether the
 * file is over. Inside the bus: lane.c and event_ring.c alone include this. */
#ifndef TOUCHLINE_BUS_SLOTS_H
#define TOUCHLINE_BUS_SLOTS_H

#include "touchline/runtime/bus.h"

static inline void tl_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static inline uint64_t tl_stamp_acquire(const uint64_t *stamp)
{
    /* Acquire: the body is read after the stamp that vouches for it. */
    return atomic_load_explicit((const _Atomic uint64_t *)stamp, memory_order_acquire);
}

static inline int tl_bus_detached(const tl_bus_header *header)
{
    /* Relaxed: it goes up once and nothing else is read on its word. */
    return atomic_load_explicit(&header->detached, memory_order_relaxed) != 0;
}

#endif

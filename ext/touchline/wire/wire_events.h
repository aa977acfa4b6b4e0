/* The events of the ring for one loop, in order and each once. What the ring no longer holds
 * another thread reads in the journal and hands in. */
#ifndef TOUCHLINE_WIRE_EVENTS_H
#define TOUCHLINE_WIRE_EVENTS_H

#include "touchline/runtime/bus.h"
#include "touchline/wire/wire_door.h"

#include <pthread.h>
#include <stdbool.h>

#define TL_WIRE_EVENTS_MAX 512u  /* of a batch */
#define TL_WIRE_SUPPLY_MAX 4096u /* handed in at a time */

typedef struct tl_wire_events {
    tl_event_reader reader;
    tl_wire_door *door;
    bool spin;
    bool made;
    tl_event *batch;         /* TL_WIRE_EVENTS_MAX */
    size_t count, taken;     /* of the batch */
    pthread_mutex_t lock;    /* of what follows */
    tl_event *supply;        /* TL_WIRE_SUPPLY_MAX */
    size_t supply_count;
    _Atomic(uint64_t) lapped; /* the event that is wanted; 0: the ring has it */
} tl_wire_events;

/* From event `next` on. `door` is rung when the journal is needed. 0 or -errno. */
int tl_wire_events_open(tl_wire_events *events, const tl_bus *bus, tl_wire_door *door, bool spin);
void tl_wire_events_close(tl_wire_events *events);

/* The events that come next, of which the caller then takes some from the front: how many; 0: none
 * now; -errno. */
int64_t tl_wire_events_look(tl_wire_events *events, const tl_event **batch);
static inline void tl_wire_events_take(tl_wire_events *events, size_t count)
{
    events->taken += count;
}
/* Number of the first event that has not been taken. */
static inline uint64_t tl_wire_events_next(const tl_wire_events *events)
{
    return events->reader.next - (events->count - events->taken);
}
/* Nothing is to be had at once? */
bool tl_wire_events_idle(const tl_wire_events *events);

/* From any thread, as fix_server.h's lapped and supply: 0, -EAGAIN: not now, -EINVAL: not those. */
uint64_t tl_wire_events_lapped(tl_wire_events *events);
int tl_wire_events_supply(tl_wire_events *events, const tl_event *supplied, size_t count);

#endif

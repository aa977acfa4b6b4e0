/* Batches of events: out of the ring, or as they were handed in. */
#define _GNU_SOURCE
#include "touchline/wire/wire_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tl_wire_events_open(tl_wire_events *events, const tl_bus *bus, tl_wire_door *door, bool spin)
{
    memset(events, 0, sizeof *events);
    events->reader = (tl_event_reader){.bus = bus, .next = 1};
    events->door = door;
    events->spin = spin;
    events->batch = calloc(TL_WIRE_EVENTS_MAX, sizeof *events->batch);
    events->supply = calloc(TL_WIRE_SUPPLY_MAX, sizeof *events->supply);
    if (events->batch == NULL || events->supply == NULL)
        return -ENOMEM;
    const int rc = pthread_mutex_init(&events->lock, NULL);
    events->made = rc == 0;
    return -rc;
}

void tl_wire_events_close(tl_wire_events *events)
{
    free(events->batch);
    free(events->supply);
    if (events->made)
        pthread_mutex_destroy(&events->lock);
    memset(events, 0, sizeof *events);
}

/* Events that another thread has read in the journal. */
static size_t take_supply(tl_wire_events *events)
{
    pthread_mutex_lock(&events->lock);
    const size_t count =
        events->supply_count < TL_WIRE_EVENTS_MAX ? events->supply_count : TL_WIRE_EVENTS_MAX;
    memcpy(events->batch, events->supply, count * sizeof *events->batch);
    events->supply_count -= count;
    memmove(events->supply, events->supply + count, events->supply_count * sizeof *events->supply);
    if (count > 0) {
        events->reader.next = events->batch[count - 1].seq + 1;
        /* Once all is taken the ring may have what follows; if not, we are told again. */
        if (events->supply_count == 0)
            atomic_store(&events->lapped, 0);
    }
    pthread_mutex_unlock(&events->lock);
    return count;
}

static int64_t read_some(tl_wire_events *events)
{
    if (atomic_load_explicit(&events->lapped, memory_order_relaxed) != 0)
        return (int64_t)take_supply(events);
    const int64_t got =
        events->spin ? tl_event_reader_follow(&events->reader, events->batch, TL_WIRE_EVENTS_MAX)
                     : tl_event_reader_read(&events->reader, events->batch, TL_WIRE_EVENTS_MAX);
    if (got != -EOVERFLOW)
        return got;
    atomic_store(&events->lapped, events->reader.next);
    tl_wire_door_ring(events->door);
    return 0;
}

int64_t tl_wire_events_look(tl_wire_events *events, const tl_event **batch)
{
    if (events->taken == events->count) {
        const int64_t got = read_some(events);
        events->taken = 0;
        events->count = got > 0 ? (size_t)got : 0;
        if (got <= 0)
            return got;
    }
    *batch = events->batch + events->taken;
    return (int64_t)(events->count - events->taken);
}

bool tl_wire_events_idle(const tl_wire_events *events)
{
    return events->taken == events->count &&
           atomic_load_explicit(&events->lapped, memory_order_relaxed) == 0 &&
           tl_event_reader_look(&events->reader) == 0;
}

uint64_t tl_wire_events_lapped(tl_wire_events *events)
{
    pthread_mutex_lock(&events->lock);
    const uint64_t wanted = events->supply_count > 0 ? 0 : atomic_load(&events->lapped);
    pthread_mutex_unlock(&events->lock);
    return wanted;
}

int tl_wire_events_supply(tl_wire_events *events, const tl_event *supplied, size_t count)
{
    int rc = 0;
    if (count == 0 || count > TL_WIRE_SUPPLY_MAX)
        return -EINVAL;
    pthread_mutex_lock(&events->lock);
    const uint64_t wanted = atomic_load(&events->lapped);
    if (wanted == 0 || events->supply_count != 0) {
        rc = -EAGAIN;
    } else if (supplied[0].seq != wanted) {
        rc = -EINVAL;
    } else {
        memcpy(events->supply, supplied, count * sizeof *supplied);
        events->supply_count = count;
    }
    pthread_mutex_unlock(&events->lock);
    return rc;
}

/* The ring of events: one writer that never waits, and readers with cursors of their own, each of
 * which finds out by a slot's stamp when it was lapped. bus.h draws it. Nothing here allocates; no
 * system call is made unless a reader sleeps. */
#define _GNU_SOURCE
#include "touchline/runtime/bus_slots.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
/* The engine asks for the line eight slots on; a reader twice that far behind leaves it alone. */
#define FOLLOW_BEHIND 16u
#define FOLLOW_LOOKS 8
#define FOLLOW_RELAXES 4
#define LOOKS_MAX 256          /* looks before a waiting side goes to sleep: a few microseconds */

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static const tl_event *event_slot(const tl_bus *bus, uint64_t seq)
{
    return &bus->events[seq & (bus->header->geometry.event_slots - 1)];
}

uint64_t tl_bus_oldest_event(const tl_bus *bus)
{
    /* Acquire: slots up to the newest are stamped. The slots the engine may be filling right now,
     * beyond the newest published, are counted as gone already: an eighth of the ring. */
    const uint64_t newest = atomic_load_explicit(&bus->header->events, memory_order_acquire);
    const uint64_t slots = bus->header->geometry.event_slots;
    const uint64_t kept = slots - slots / 8;
    return newest > kept ? newest - kept + 1 : 1;
}

/* The slot is a seqlock: 0, body, seq. Copy, then look at the stamp again. */
static int event_copy(const tl_event *slot, uint64_t seq, tl_event *out)
{
    const _Atomic uint64_t *from = (const _Atomic uint64_t *)slot;
    uint64_t *to = (uint64_t *)out;
    to[0] = seq;
    /* Relaxed, word by word: a copy torn by the writer is defined behaviour, and thrown away. */
    for (size_t i = 1; i < sizeof(tl_event) / sizeof(uint64_t); i++)
        to[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
    /* Acquire fence: had any word above come from a later event, the stamp below would show it. */
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&from[0], memory_order_relaxed) == seq;
}

int64_t tl_event_reader_read(tl_event_reader *reader, tl_event *out, size_t max)
{
    assert(max <= INT64_MAX);
    size_t count = 0;
    uint64_t stamp = 0;
    while (count < max) {
        const uint64_t seq = reader->next + count;
        const tl_event *slot = event_slot(reader->bus, seq);
        stamp = tl_stamp_acquire(&slot->seq);
        if (stamp != seq || !event_copy(slot, seq, out + count))
            break;
        count++;
    }
    reader->next += count;
    if (count > 0 || max == 0)
        return (int64_t)count;
    if (stamp > reader->next)
        return -EOVERFLOW;
    return tl_bus_detached(reader->bus->header) ? -ESTALE : 0;
}

int64_t tl_event_reader_follow(tl_event_reader *reader, tl_event *out, size_t max)
{
    const uint64_t wanted = reader->next + FOLLOW_BEHIND - 1;
    for (int looks = 0; looks < FOLLOW_LOOKS; looks++) {
        if (tl_stamp_acquire(&event_slot(reader->bus, wanted)->seq) >= wanted)
            break;
        for (int i = 0; i < FOLLOW_RELAXES; i++)
            tl_relax();
    }
    return tl_event_reader_read(reader, out, max);
}

static int event_there(const tl_event_reader *reader)
{
    return tl_stamp_acquire(&event_slot(reader->bus, reader->next)->seq) >= reader->next;
}

int tl_event_reader_look(const tl_event_reader *reader)
{
    if (event_there(reader))
        return 1;
    return tl_bus_detached(reader->bus->header) ? -ESTALE : 0;
}

int tl_event_reader_wait(const tl_event_reader *reader, int64_t timeout_ns)
{
    tl_bus_header *header = reader->bus->header;
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        if (event_there(reader))
            return 1;
        tl_relax();
    }
    const int64_t deadline_ns = monotonic_ns() + timeout_ns;
    for (;;) {
        if (tl_bus_detached(header))
            return -ESTALE;
        const uint32_t armed = tl_doorbell_arm(&header->readers);
        if (event_there(reader))
            return 1;
        const int64_t left_ns = deadline_ns - monotonic_ns();
        if (left_ns <= 0)
            return 0;
        tl_doorbell_wait(&header->readers, armed, left_ns);
    }
}

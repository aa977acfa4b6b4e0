/* Lanes of commands: one producer each, which waits while its lane is full, and the engine, which
 * takes from all of them. bus.h draws it. Nothing here allocates; no system call is made unless a
 * lane is full or a shared lane changes hands. */
#define _GNU_SOURCE
#include "touchline/runtime/bus_slots.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define LOOKS_MAX 256          /* looks before a waiting side goes to sleep: a few microseconds */
#define NAP_NS INT64_C(20000000) /* a sleeping producer looks again this often, come what may */

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int draining(const tl_bus_header *header)
{
    /* Relaxed: whoever misses it here finds it after the fence that follows a publication. */
    return atomic_load_explicit(&header->draining, memory_order_relaxed) != 0;
}

/* Lanes: the producer */

/* Start where the last producer ended. If it died in the middle of a chunk, the chunk is whole
 * when its first stamp is there, because that one is stored last; else none of it is, and the
 * stamps it did leave must go before new commands give them bodies. */
static void lane_recover(tl_lane *lane)
{
    tl_bus_lane *cursors = lane->cursors;
    lane->tail = atomic_load_explicit(&cursors->tail, memory_order_acquire);
    lane->head_seen = atomic_load_explicit(&cursors->head, memory_order_acquire);
    if (atomic_load_explicit(&cursors->sending, memory_order_acquire) == 0)
        return;
    const uint64_t tail = lane->tail;
    const int whole = tl_stamp_acquire(&lane->slots[tail & lane->mask].seq) == tail + 1;
    for (uint64_t at = tail; at < tail + TL_LANE_CHUNK; at++) {
        uint64_t *stamp = &lane->slots[at & lane->mask].seq;
        if (tl_stamp_acquire(stamp) != at + 1)
            continue;
        if (whole)
            lane->tail = at + 1;
        else
            atomic_store_explicit((_Atomic uint64_t *)stamp, 0, memory_order_relaxed);
    }
    /* Release: whoever takes the lane next sees the stamps gone when it sees `sending` down. */
    atomic_store_explicit(&cursors->tail, lane->tail, memory_order_release);
    atomic_store_explicit(&cursors->sending, 0, memory_order_release);
}

static int lane_take(tl_lane *lane, int64_t deadline_ns)
{
    const struct timespec nap = {0, 200000};
    int rc = tl_bus_lock_byte(lane->fd, 1 + lane->number, F_WRLCK);
    while ((rc == -EAGAIN || rc == -EACCES) && monotonic_ns() < deadline_ns) {
        nanosleep(&nap, NULL);
        rc = tl_bus_lock_byte(lane->fd, 1 + lane->number, F_WRLCK);
    }
    if (rc != 0)
        return rc == -EAGAIN || rc == -EACCES ? -EADDRINUSE : rc;
    atomic_store_explicit(&lane->cursors->pid, (uint32_t)getpid(), memory_order_relaxed);
    lane_recover(lane);
    return 0;
}

int tl_lane_open(tl_lane *lane, const tl_bus *bus, uint32_t number, int shared)
{
    const tl_bus_geometry *g = &bus->header->geometry;
    char self[32];
    if (number >= g->lanes)
        return -ECHRNG;
    /* Opened again through /proc: the same file even if its name is gone, yet a lock of its own. */
    snprintf(self, sizeof self, "/proc/self/fd/%d", bus->fd);
    *lane = (tl_lane){
        .cursors = &bus->header->lane[number],
        .header = bus->header,
        .slots = bus->commands + (size_t)number * g->lane_slots,
        .mask = g->lane_slots - 1,
        .number = number,
        .fd = open(self, O_RDWR | O_CLOEXEC),
        .shared = shared,
    };
    if (lane->fd < 0)
        return -errno;
    const int rc = shared ? 0 : lane_take(lane, 0);
    if (rc != 0)
        tl_lane_close(lane);
    return rc;
}

void tl_lane_close(tl_lane *lane)
{
    /* Said, not left to close: a forked child may share the open file, and the lock with it. */
    if (lane->fd >= 0) {
        tl_bus_lock_byte(lane->fd, 1 + lane->number, F_UNLCK);
        close(lane->fd);
    }
    lane->fd = -1;
}

int tl_lane_has_room(tl_lane *lane, uint64_t count)
{
    if (lane->tail + count - lane->head_seen <= lane->mask + 1)
        return 1;
    /* Acquire: the engine has finished reading the slots before `head`; they may be written. */
    lane->head_seen = atomic_load_explicit(&lane->cursors->head, memory_order_acquire);
    return lane->tail + count - lane->head_seen <= lane->mask + 1;
}

static int lane_wait(tl_lane *lane, uint64_t count, int64_t deadline_ns)
{
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        if (tl_lane_has_room(lane, count))
            return 0;
        tl_relax();
    }
    while (!tl_lane_has_room(lane, count)) {
        if (tl_bus_detached(lane->header))
            return -ESTALE;
        if (draining(lane->header))
            return -ESHUTDOWN;
        const int64_t left_ns = deadline_ns - monotonic_ns();
        if (left_ns <= 0)
            return -ETIMEDOUT;
        const uint32_t armed = tl_doorbell_arm(&lane->cursors->space);
        if (!tl_lane_has_room(lane, count))
            tl_doorbell_wait(&lane->cursors->space, armed, left_ns < NAP_NS ? left_ns : NAP_NS);
    }
    return 0;
}

static void lane_publish(tl_lane *lane, const tl_command *cmds, uint32_t count)
{
    tl_bus_lane *cursors = lane->cursors;
    const size_t stamp_bytes = sizeof cmds->seq;
    const uint32_t place = tl_bus_place();
    atomic_store_explicit(&cursors->sending, 1, memory_order_relaxed);
    /* The engine reads it after each batch. Stored only where it changes, the line is both's. */
    if (atomic_load_explicit(&cursors->space.place, memory_order_relaxed) != place)
        atomic_store_explicit(&cursors->space.place, place, memory_order_relaxed);
    /* Release: no stamp below becomes visible, even to a successor after a crash, before it. */
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < count; i++)
        memcpy((char *)&lane->slots[(lane->tail + i) & lane->mask] + stamp_bytes,
               (const char *)&cmds[i] + stamp_bytes, sizeof(tl_command) - stamp_bytes);
    for (uint32_t i = count; i-- > 0;) {
        const uint64_t at = lane->tail + i;
        /* Release: the body is there before its stamp; the first stamp, which lets the engine in,
         * comes after all the others. */
        atomic_store_explicit((_Atomic uint64_t *)&lane->slots[at & lane->mask].seq, at + 1,
                              memory_order_release);
    }
    lane->tail += count;
    /* Release twice: a successor that sees `sending` down sees this tail and its stamps. */
    atomic_store_explicit(&cursors->tail, lane->tail, memory_order_release);
    atomic_store_explicit(&cursors->sending, 0, memory_order_release);
    /* Pairs with the fence in tl_doorbell_arm: the engine sees the stamps or we see it waiting. */
    atomic_thread_fence(memory_order_seq_cst);
    tl_doorbell_ring(&lane->header->engine);
}

/* What was published last turned out to come while the bus is being given up. When the bus stays,
 * so do the commands; else, and if no engine took them, they are taken back. 1: taken back. */
static int lane_take_back(tl_lane *lane, uint32_t count)
{
    const uint64_t first = lane->tail - count;
    if (!tl_bus_detached(lane->header) ||
        atomic_load_explicit(&lane->cursors->head, memory_order_acquire) > first)
        return 0;
    lane->tail = first;
    for (uint32_t i = 0; i < count; i++)
        atomic_store_explicit(
            (_Atomic uint64_t *)&lane->slots[(first + i) & lane->mask].seq, 0,
            memory_order_relaxed);
    atomic_store_explicit(&lane->cursors->tail, first, memory_order_release);
    return 1;
}

int tl_lane_send(tl_lane *lane, const tl_command *cmds, size_t count, int64_t timeout_ns,
                 size_t *sent)
{
    assert(lane->fd >= 0);
    const int64_t deadline_ns = timeout_ns > 0 ? monotonic_ns() + timeout_ns : 0;
    *sent = 0;
    if (tl_bus_detached(lane->header))
        return -ESTALE;
    if (draining(lane->header))
        return -ESHUTDOWN;
    int rc = lane->shared ? lane_take(lane, deadline_ns) : 0;
    while (rc == 0 && *sent < count) {
        const size_t left = count - *sent;
        const uint32_t chunk = left < TL_LANE_CHUNK ? (uint32_t)left : TL_LANE_CHUNK;
        rc = tl_lane_has_room(lane, chunk) ? 0 : lane_wait(lane, chunk, deadline_ns);
        if (rc == 0) {
            lane_publish(lane, cmds + *sent, chunk);
            *sent += chunk;
            /* After the fence in lane_publish: who gives the bus up sees the chunk, or is seen. */
            if (__builtin_expect(draining(lane->header) || tl_bus_detached(lane->header), 0)) {
                *sent -= lane_take_back(lane, chunk) ? chunk : 0;
                rc = *sent < count ? -ESHUTDOWN : 0;
            }
        }
    }
    if (lane->shared && rc != -EADDRINUSE)
        tl_bus_lock_byte(lane->fd, 1 + lane->number, F_UNLCK);
    return rc;
}

uint64_t tl_lane_sent(const tl_lane *lane)
{
    return atomic_load_explicit(&lane->cursors->tail, memory_order_acquire);
}

uint64_t tl_lane_journaled(const tl_lane *lane)
{
    /* Acquire: the events of the commands before it are there. */
    return atomic_load_explicit(&lane->cursors->head, memory_order_acquire);
}

uint64_t tl_lane_ids(tl_lane *lane, uint32_t count)
{
    /* Relaxed: the number must be nobody else's; it orders nothing. */
    uint32_t last = atomic_load_explicit(&lane->cursors->counter, memory_order_relaxed);
    do {
        /* Never more than half of what is left: no one caller uses the lane's numbers up. */
        if (count > UINT32_MAX - last || count > (UINT32_MAX - last) / 2 + 1)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&lane->cursors->counter, &last, last + count,
                                                    memory_order_relaxed, memory_order_relaxed));
    return (uint64_t)lane->number << 32 | (last + 1);
}

/* Lanes: the engine */

uint32_t tl_bus_lane_ready(const tl_bus *bus, uint32_t lane, uint64_t head, uint32_t max)
{
    uint32_t ready = 0;
    while (ready < max && tl_stamp_acquire(&tl_bus_lane_slot(bus, lane, head + ready)->seq) ==
                              head + ready + 1)
        ready++;
    return ready;
}

void tl_bus_note(tl_bus *bus, uint64_t first_seq, const uint64_t head[TL_BUS_LANES_MAX],
                 const uint32_t count[TL_BUS_LANES_MAX])
{
    tl_bus_intent *intent = &bus->header->intent;
    /* A kill keeps the program's order of stores to shared memory, so release order is enough: the
     * old note is gone before a new word is written, the new one is whole before it counts, and
     * it counts before any of its commands is journalled. */
    atomic_store_explicit(&intent->first_seq, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    memcpy(intent->head, head, sizeof intent->head);
    memcpy(intent->count, count, sizeof intent->count);
    atomic_store_explicit(&intent->first_seq, first_seq, memory_order_release);
    atomic_thread_fence(memory_order_release);
}

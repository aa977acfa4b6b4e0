/* Doorbells: sleeping until another process has something, without lost wake-ups, and without a
 * system call while nobody sleeps. bus.h says in which order to call these. And who must sleep,
 * because the one he waits for needs his processor. */
#define _GNU_SOURCE
#include "touchline/runtime/bus.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

uint32_t tl_doorbell_arm(tl_doorbell *bell)
{
    /* Acquire: a ring seen here happened before the look that follows. */
    const uint32_t armed = atomic_load_explicit(&bell->rings, memory_order_acquire);
    atomic_store_explicit(&bell->waiting, 1, memory_order_relaxed);
    /* Sequentially consistent against the fence of whoever rings: either the waker sees `waiting`,
     * or the look that follows sees what the waker published. Both may be true; neither can not. */
    atomic_thread_fence(memory_order_seq_cst);
    return armed;
}

void tl_doorbell_wait(tl_doorbell *bell, uint32_t armed, int64_t timeout_ns)
{
    const struct timespec timeout = {timeout_ns / SECOND_NS, timeout_ns % SECOND_NS};
    /* Not FUTEX_PRIVATE: sleeper and waker are different processes. Every caller looks again, so
     * EAGAIN, EINTR and ETIMEDOUT need no telling apart. */
    syscall(SYS_futex, &bell->rings, FUTEX_WAIT, armed, &timeout, NULL, 0);
}

void tl_doorbell_wake(tl_doorbell *bell)
{
    /* The flag goes down before the count goes up: a sleeper that armed with the new count raises
     * the flag after this store, so its flag stays. Release: it sees the flag taken down. */
    atomic_store_explicit(&bell->waiting, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&bell->rings, 1, memory_order_release);
    syscall(SYS_futex, &bell->rings, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void tl_doorbell_ring(tl_doorbell *bell)
{
    /* Relaxed: the caller's fence orders this look after what it published. */
    if (__builtin_expect(atomic_load_explicit(&bell->waiting, memory_order_relaxed) != 0, 0))
        tl_doorbell_wake(bell);
}

uint32_t tl_bus_place(void)
{
    return (uint32_t)(sched_getcpu() + 1);
}

int tl_bus_engine_is_here(const tl_bus_header *header, int asked)
{
    /* Relaxed: it is a guess, and orders nothing. */
    uint32_t place = atomic_load_explicit(&header->place, memory_order_relaxed);
    if (asked)
        place &= ~TL_BUS_ASLEEP;
    return place != 0 && place == tl_bus_place();
}

int tl_bus_engine_is_wanted(const tl_bus_header *header)
{
    /* Relaxed: a guess again. */
    for (uint32_t i = 0; i < header->geometry.lanes; i++)
        if (atomic_load_explicit(&header->lane[i].tail, memory_order_relaxed) !=
            atomic_load_explicit(&header->lane[i].head, memory_order_relaxed))
            return 1;
    return 0;
}

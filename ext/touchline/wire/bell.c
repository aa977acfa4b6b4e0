/* The helper waits for rings all the time, but only the loop, when it goes to sleep, raises the
 * flag that makes the engine ring, so that going to sleep costs no system call and no switch of
 * threads. After each batch the engine rings the readers and each lane's producer. Of a lane the
 * producer is alone, so its loop takes the flag back when it wakes, and awake costs the engine
 * nothing; among the readers the flag may be another's. */
#define _GNU_SOURCE
#include "touchline/wire/bell.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

void tl_bell_wake(tl_bell *bell)
{
    const uint64_t one = 1;
    if (write(bell->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: then it is an edge away from nobody */
}

static void *listen_for_rings(void *argument)
{
    tl_bell *bell = argument;
    tl_doorbell *rings = bell->rings;
    for (;;) {
        /* Acquire: a ring that is seen here comes with `asleep` as it was before the loop armed. */
        const uint32_t seen = atomic_load_explicit(&rings->rings, memory_order_acquire);
        if (atomic_load(&bell->over))
            return NULL;
        /* Rung, or a second has passed: then the loop goes round once for nothing. */
        if (atomic_load(&bell->asleep) == 1 && atomic_exchange(&bell->asleep, 0) == 1)
            tl_bell_wake(bell);
        tl_doorbell_wait(rings, seen, SECOND_NS);
    }
}

int tl_bell_open(tl_bell *bell, const tl_bus *bus, uint32_t lane)
{
    sigset_t all, before;
    bell->alone = lane != TL_BELL_READER;
    bell->rings = bell->alone ? &bus->header->lane[lane].space : &bus->header->readers;
    bell->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->wake_fd < 0)
        return -errno;
    /* Signals are for the threads that know what to do with them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&bell->thread, NULL, listen_for_rings, bell);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    bell->started = rc == 0;
    return -rc;
}

void tl_bell_close(tl_bell *bell)
{
    if (bell->started) {
        atomic_store(&bell->over, 1);
        tl_doorbell_wake(bell->rings);
        pthread_join(bell->thread, NULL);
    }
    if (bell->wake_fd >= 0)
        close(bell->wake_fd);
    bell->started = false;
    bell->wake_fd = -1;
}

bool tl_bell_sleep(tl_bell *bell, const tl_event_reader *reader)
{
    atomic_store(&bell->asleep, 1);
    (void)tl_doorbell_arm(bell->rings);
    if (tl_event_reader_look(reader) == 0)
        return true;
    atomic_store(&bell->asleep, 0);
    return false;
}

void tl_bell_awake(tl_bell *bell)
{
    /* Relaxed: a wake that comes too late costs one needless round. */
    atomic_store_explicit(&bell->asleep, 0, memory_order_relaxed);
    if (bell->alone)
        atomic_store_explicit(&bell->rings->waiting, 0, memory_order_relaxed);
}

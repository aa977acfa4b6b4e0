/* Sleeping for sockets and events at once: a loop in epoll, a helper on a doorbell of the bus. */
#ifndef TOUCHLINE_BELL_H
#define TOUCHLINE_BELL_H

#include "touchline/runtime/bus.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct tl_bell {
    tl_doorbell *rings;
    bool alone; /* nobody else sleeps there */
    int wake_fd; /* an eventfd; never read, since each write is an edge of its own */
    atomic_uint asleep, over;
    pthread_t thread;
    bool started;
} tl_bell;

/* 0 or -errno. The loop's epoll has `wake_fd`, by edges. `lane`: the one that this loop sends on,
 * TL_BELL_READER: it only reads. */
#define TL_BELL_READER UINT32_MAX
int tl_bell_open(tl_bell *bell, const tl_bus *bus, uint32_t lane);
void tl_bell_close(tl_bell *bell);
/* From any thread: have the loop go round. */
void tl_bell_wake(tl_bell *bell);
/* Before epoll_wait: false when there is something to do already. */
bool tl_bell_sleep(tl_bell *bell, const tl_event_reader *reader);
void tl_bell_awake(tl_bell *bell);

#endif

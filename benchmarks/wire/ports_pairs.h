/* Two connected ends of each kind that bench_ports compares: a port, and the same without one. A
 * message has MESSAGE_BYTES, and one is on its way at a time. */
#ifndef TOUCHLINE_BENCH_PORTS_PAIRS_H
#define TOUCHLINE_BENCH_PORTS_PAIRS_H

#include "ports_veth.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_BYTES 64u

typedef struct end {
    int fd;       /* bare sockets */
    int listener; /* of TCP_POLLED, which waits for it, too */
    void *port;   /* tl_tcp, tl_port or tl_xdp_port */
    uint32_t conn;
    uint64_t turn; /* messages sent */
    _Atomic bool *stop; /* give up waiting */
    int64_t rx_ns; /* of the last message, where the port was asked for stamps */
} end;

typedef struct pair {
    const char *name;
    /* Both ends opened; `veth` is NULL for those over loopback. Ends the program when it fails. */
    void (*open)(end ends[2], const veth *veth);
    void (*send)(end *end, const uint8_t *bytes);
    /* The next message, as it was sent; false when told to stop. */
    bool (*receive)(end *end, uint8_t *bytes);
    void (*close)(end *end);
    bool needs_veth;
} pair;

extern const pair TCP_BARE, TCP_POLLED, TCP_PORT, TCP_BARE_SPINNING, TCP_PORT_SPINNING;
extern const pair UDP_BARE, UDP_PORT, UDP_STAMPED, XDP_BARE, XDP_PORT;

/* The calling thread to a processor; and a thread that begins on one, since it would not get far on
 * the processor of a caller who spins. */
void pin_to(int cpu);
pthread_t start_on(int cpu, void *(*function)(void *), void *argument);

/* Ends the program, with a reason, when `rc` is below 0. */
int sure(int rc, const char *what);

#endif

/* A port over a device of DPDK. Compiled into a library of its own, touchline_dpdk, where DPDK is
 * found; nothing else of touchline knows it. The program starts DPDK (rte_eal_init) and keeps the
 * calling thread where it wants it; the device is the port's from open to close, and nobody else's.
 *
 * The kernel has no part in it: ARP is answered here, and a group is received because the device
 * takes all groups; switches that want IGMP must be told otherwise.
 */
#ifndef TOUCHLINE_PORT_DPDK_H
#define TOUCHLINE_PORT_DPDK_H

#include "touchline/wire/port.h"

typedef struct tl_port_dpdk_options {
    tl_port_options common; /* `interface` is the device's name: "0000:3b:00.0", "net_ring0" */
    const char *address;    /* what is sent comes from it, as "192.0.2.1:0"; NULL: `local` */
    const char *gateway;    /* "192.0.2.254:0" passes on all but groups; NULL: all are near */
    uint32_t frames;        /* for each direction */
} tl_port_dpdk_options;

int tl_port_dpdk_open(tl_port **out, const tl_port_dpdk_options *options, tl_port_fault *fault);

#endif

/* What the kernel knows of the link that a port past it stands on, and holds for it: the address,
 * so that nobody else takes it, the group's membership, the neighbours. Internal to port*.c. */
#ifndef TOUCHLINE_PORT_LINK_H
#define TOUCHLINE_PORT_LINK_H

#include "touchline/wire/port_frame.h"
#include "touchline/wire/port_state.h"

typedef struct tl_link {
    tl_port *kernel; /* a socket on the same address; NULL: none */
    int netlink_fd;  /* -1: none */
    int interface;
    char name[16];
} tl_link;

/* The interface of this name. 0 or -errno. */
int tl_link_open(tl_link *link, const char *interface, tl_port_fault *fault);
void tl_link_close(tl_link *link);
/* The interface's card, address and MTU, and whether `ip` is one of its own. 0 or -errno. */
int tl_link_read(const tl_link *link, uint8_t mac[TL_FRAME_MAC], uint8_t own_ip[4], bool *is_own,
                 uint32_t *mtu, const uint8_t ip[4]);
/* The address is the kernel's, too: its port is taken there, so that nothing is answered with
 * "unreachable", and the group is joined. `local` gets the port. 0 or -errno. */
int tl_link_take(tl_link *link, const tl_port_options *options, tl_port_address *local,
                 tl_port_fault *fault);
/* What the kernel knows of a neighbour; asks it to find out when it knows nothing. */
bool tl_link_ask(const tl_link *link, tl_frame_neighbour *neighbour, int64_t now_ns);

#endif

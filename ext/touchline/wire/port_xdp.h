/* The port over AF_XDP from inside. port_xdp.c moves packets, port_xdp_open.c gets the memory, the
 * socket and its rings, port_xdp_program.c the program that leads packets there. Internal to them
 * and to their tests. */
#ifndef TOUCHLINE_PORT_XDP_H
#define TOUCHLINE_PORT_XDP_H

#include "touchline/wire/port_frame.h"
#include "touchline/wire/port_link.h"
#include "touchline/wire/port_state.h"

#include <linux/if_xdp.h>

/* Memory shared with the kernel: who fills moves `producer`, who empties `consumer`. */
typedef struct tl_xdp_ring {
    uint32_t *producer, *consumer, *flags;
    void *entries; /* struct xdp_desc, or a frame's place as u64 in fill and completion */
    uint32_t size, mask;
    uint32_t mine; /* our own side's cursor, which nobody else moves */
    void *map;
    size_t map_bytes;
} tl_xdp_ring;

typedef struct tl_xdp_port {
    tl_port base;
    tl_frame_self self;
    tl_frame_neighbours neighbours;
    tl_xdp_ring rx, tx, fill, completion;
    uint8_t *umem; /* frames to receive into, then frames to send from */
    size_t umem_bytes;
    uint32_t frame_bytes;
    uint32_t frames; /* for each direction */
    uint32_t batch, size_max, payload_max;
    uint32_t free_count, given_count;
    uint64_t *free_frames;  /* to send from, a stack */
    uint64_t *given_frames; /* that the last poll gave out */
    bool kick;              /* the kernel still has to be told of something to send */
    bool own_arp;
    bool busy_polled;
    bool send_only;
    bool via_gateway;
    uint8_t gateway[4];
    uint8_t group_mac[TL_FRAME_MAC]; /* of the group sent to last */
    int map_fd, program_fd, link_fd;
    tl_link link; /* with the kernel's socket, unless ARP is our own */
} tl_xdp_port;

/* A map with one place for each of so many queues: a descriptor or -errno. */
int tl_xdp_map(uint32_t queues);
int tl_xdp_map_set(int map_fd, uint32_t queue, int socket_fd);
/* The program that leads UDP to `ip` and `port`, and with `arp` questions about `ip`, to the map's
 * socket, and lets all else pass: a descriptor or -errno. */
int tl_xdp_program(int map_fd, const uint8_t ip[4], uint16_t port, bool arp);
/* Attached until the descriptor returned is closed, by whatever end; or -errno. */
int tl_xdp_attach(int program_fd, int interface, bool generic);

void tl_xdp_give_back(tl_xdp_port *port);
int tl_xdp_poll(tl_port *base, tl_port_datagram *out, uint32_t max, int timeout_ms);
int tl_xdp_send(tl_port *base, const tl_port_packet *packets, uint32_t count);

#endif

/* Ethernet, ARP, IPv4 and UDP for ports that have no kernel to do it: frames written and read, and
 * who has which card. No options, no fragments, no VLANs: such frames are left to the kernel.
 *
 *   Ethernet 14 │ IPv4 20 │ UDP 8 │ bytes            Ethernet 14 │ ARP 28
 */
#ifndef TOUCHLINE_PORT_FRAME_H
#define TOUCHLINE_PORT_FRAME_H

#include "touchline/wire/port.h"

#define TL_FRAME_HEAD 42u
#define TL_FRAME_ARP_BYTES 42u
#define TL_FRAME_MAC 6u

/* Who we are on the link. */
typedef struct tl_frame_self {
    uint8_t mac[TL_FRAME_MAC];
    uint8_t ip[4];     /* what is sent comes from it, and ARP is answered for it */
    uint8_t listen[4]; /* the same, or a group */
    uint16_t port;
    uint8_t ttl;
} tl_frame_self;

enum tl_frame_kind {
    TL_FRAME_DATAGRAM = 1,
    TL_FRAME_ARP_QUESTION = 2, /* for our address */
    TL_FRAME_ARP_ANSWER = 3,   /* to our address */
    TL_FRAME_FOREIGN = 4,      /* nothing that a port takes */
    TL_FRAME_MALFORMED = 5     /* a length or a checksum is wrong */
};

/* What the frame is. Of a datagram: bytes (inside the frame), size and sender. */
enum tl_frame_kind tl_frame_read(const uint8_t *frame, uint32_t size, const tl_frame_self *self,
                                 tl_port_datagram *out);
/* Writes a datagram; the frame's size. `frame` has room for TL_FRAME_HEAD and the bytes. */
uint32_t tl_frame_write(uint8_t *frame, const tl_frame_self *self, const uint8_t *mac,
                        const tl_port_address *to, const void *bytes, uint32_t size);
/* Asks who has an address; answers the question in `asked`. The frame's size. */
uint32_t tl_frame_ask(uint8_t *frame, const tl_frame_self *self, const uint8_t ip[4]);
uint32_t tl_frame_answer(uint8_t *frame, const tl_frame_self *self, const uint8_t *asked);

/* What the ports share that read and write frames themselves. */

/* The clock of neighbours and waits: coarse, for it is read in each poll. */
int64_t tl_frame_clock_ns(void);
/* What a frame was is counted, and a datagram larger than `size_max` cut. Whether it is one. */
bool tl_frame_came(tl_port *port, enum tl_frame_kind kind, uint32_t size_max,
                   tl_port_datagram *out);
/* Where a packet goes that fits into one frame: 0 or -errno. */
int tl_frame_destination(const tl_port *port, const tl_port_packet *packet, uint32_t payload_max,
                         const tl_port_address **to);
/* A poll where there is nothing to sleep on: how many `take` has given, in the end. */
typedef uint32_t tl_frame_take(tl_port *port, tl_port_datagram *out, uint32_t max);
int tl_frame_spin(tl_port *port, tl_frame_take *take, tl_port_datagram *out, uint32_t max,
                  int timeout_ms);

/* The cards of a link's addresses: as many as there are places, the oldest gives way. */
#define TL_FRAME_NEIGHBOURS 256u
typedef struct tl_frame_neighbour {
    uint8_t ip[4];
    uint8_t mac[TL_FRAME_MAC];
    bool taken;
    bool known;
    int64_t asked_ns; /* when somebody was last asked */
    int64_t known_ns;
} tl_frame_neighbour;
typedef struct tl_frame_neighbours {
    tl_frame_neighbour at[TL_FRAME_NEIGHBOURS];
    uint32_t oldest;
} tl_frame_neighbours;

/* The address's place, made when there is none. */
tl_frame_neighbour *tl_frame_neighbour_of(tl_frame_neighbours *all, const uint8_t ip[4]);
/* Whether it is time to ask who has the address: its card is not known, or was learned long ago,
 * and it was not asked for in the last `patience_ns`. */
bool tl_frame_must_ask(const tl_frame_neighbour *neighbour, int64_t now_ns, int64_t patience_ns);
/* What an answer or a question says of its sender, if we ever asked for that address. */
void tl_frame_learn(tl_frame_neighbours *all, const uint8_t *arp_frame, int64_t now_ns);
/* The card that a multicast group is sent to. */
void tl_frame_group_mac(uint8_t *mac, const uint8_t ip[4]);

#endif

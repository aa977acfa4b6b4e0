/* A port over ef_vi, the layer below Onload, for cards of Solarflare and AMD with buffers to
 * receive into (SFN7000 to X2). Compiled into a library of its own, touchline_efvi, where ef_vi's
 * headers and library are found; nothing else of touchline knows it. It was compiled against
 * declarations alone and has not run on a card.
 *
 * A filter leads the datagrams for one address and port here; all else on the card is the kernel's,
 * which answers ARP, joins the group and knows the neighbours. IPv4. A poll takes room for two
 * datagrams at least.
 */
#ifndef TOUCHLINE_PORT_EFVI_H
#define TOUCHLINE_PORT_EFVI_H

#include "touchline/wire/port.h"

typedef struct tl_port_efvi_options {
    tl_port_options common; /* `interface` must be named; segments and stamps are not to be had */
    const char *gateway;    /* "192.0.2.254:0" passes on all but groups; NULL: all are near */
    uint32_t frames;        /* for each direction */
} tl_port_efvi_options;

int tl_port_efvi_open(tl_port **out, const tl_port_efvi_options *options, tl_port_fault *fault);

#endif

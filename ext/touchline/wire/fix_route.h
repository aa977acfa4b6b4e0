/* The route of a request: for whom and from which desk it came, so that what answers it goes back.
 *
 * SenderSubID(50), OnBehalfOfCompID(115) and the like in a message's header become TargetSubID(57),
 * DeliverToCompID(128) in the header of every answer. A route is kept as the answers write it.
 */
#ifndef TOUCHLINE_FIX_ROUTE_H
#define TOUCHLINE_FIX_ROUTE_H

#include "touchline/wire/fix_message.h"

#define TL_FIX_ROUTE_VALUE_MAX 36u /* bytes; a TEXT command holds as many */
#define TL_FIX_ROUTE_BYTES 120u
#define TL_FIX_ROUTE_FIELDS 10u

typedef struct tl_fix_route {
    uint8_t size; /* 0: there is none */
    char text[TL_FIX_ROUTE_BYTES + 3]; /* "57=DESK", SOH, "128=CLIENT", SOH: as an answer has it */
} tl_fix_route;

/* A field of a request's header, in the order in which the answers have it: its tag there, 0: no
 * more. */
uint32_t tl_fix_route_tag(uint32_t place);
/* What FIX calls it. */
const char *tl_fix_route_name(uint32_t tag);
/* One more field, by its tag in the request. False: it is none of a route, empty, or has no room;
 * then nothing was added. */
bool tl_fix_route_add(tl_fix_route *route, uint32_t tag, const char *value, size_t size);
/* The route back from a message. 0, or the tag of the first field that was left out: too long, with
 * a control character, or one too many. */
uint32_t tl_fix_route_of(tl_fix_route *route, const tl_fix_message *message);

#endif

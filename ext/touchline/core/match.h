/* How an order meets the book: what enter.c and amend.c ask of match.c. */
#ifndef TOUCHLINE_MATCH_H
#define TOUCHLINE_MATCH_H

#include "touchline/core/commands.h"

/* What the command wants done with an order that has been accepted. */
typedef struct tl_terms {
    uint32_t price; /* the worst it trades at, ticks */
    uint8_t ord_type;
    uint8_t time_in_force; /* of an order that has rested, Day: it may rest again */
} tl_terms;

/* The order, which does not rest, trades as far as the book and its terms let it; what is left then
 * rests or is canceled, and what has ended gives its slot back. Section 3 of docs/rules.md. */
void tl_match(const tl_step *s, uint32_t slot, const tl_terms *terms);

#endif

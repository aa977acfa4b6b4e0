/* Stop prices that follow the last trade: rule 8.13 of docs/rules.md. */
#ifndef TOUCHLINE_TRAILING_H
#define TOUCHLINE_TRAILING_H

#include "touchline/core/special.h"

/* The trail that TERMS say, as terms keep it. */
static inline uint32_t tl_trail_of(const tl_sent_terms *more)
{
    bool part = (more->flags & TL_TERMS_FLAG_TRAIL_BASIS_POINTS) != 0;
    return more->trail | (part ? TL_TRAIL_PART : 0);
}

/* Does it go with the order? */
bool tl_trail_fits(const tl_command *cmd, const tl_sent_terms *more);

/* The stop price of an order on this side after a trade at this price; as it is without a trail. */
uint32_t tl_trailed(const tl_special *terms, uint8_t side, uint32_t last);
/* All trailing stops of the instrument that wait follow a price. */
void tl_trail_follow(const tl_shelf *shelf, uint16_t instrument, uint32_t last);

#endif

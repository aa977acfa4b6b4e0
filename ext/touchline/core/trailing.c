/* Trailing stops: rule 8.13 of docs/rules.md.
 *
 *   price   101 ─► 104 ─► 103 ─► 107 ─► 104        a stop to sell, 3 behind
 *   stop     98 ─► 101 ─► 101 ─► 104 ─► met        up with every higher price, never back
 *
 * They lie in one queue a side, not under their stop prices: a price moves many of them at once,
 * and none may need another block of levels for it. An instrument has at most TL_TRAILING_MAX,
 * all of which are looked at after an order that has traded.
 */
#include "touchline/core/trailing.h"

#define WHOLE_BASIS_POINTS 10000u

bool tl_trail_fits(const tl_command *cmd, const tl_sent_terms *more)
{
    bool part = (more->flags & TL_TERMS_FLAG_TRAIL_BASIS_POINTS) != 0;
    uint32_t most = part ? TL_TRAIL_BASIS_POINTS_MAX : (uint32_t)TL_PRICE_MAX;
    if (more->trail == 0)
        return !part;
    return more->trail <= most &&
           (cmd->ord_type == TL_ORD_TYPE_STOP || cmd->ord_type == TL_ORD_TYPE_STOP_LIMIT);
}

/* How far behind a price, in ticks; of a part, rounded up. */
static uint32_t distance_of(uint32_t trail, uint32_t last)
{
    if ((trail & TL_TRAIL_PART) == 0)
        return trail;
    uint64_t parts = (uint64_t)last * (trail & ~TL_TRAIL_PART);
    return (uint32_t)((parts + WHOLE_BASIS_POINTS - 1) / WHOLE_BASIS_POINTS);
}

uint32_t tl_trailed(const tl_special *terms, uint8_t side, uint32_t last)
{
    uint32_t stop = terms->stop_price;
    if (terms->trail == 0)
        return stop;
    uint32_t distance = distance_of(terms->trail, last);
    if (side == TL_SIDE_BUY)
        return last + distance < stop ? last + distance : stop;
    return last > distance && last - distance > stop ? last - distance : stop;
}

static void follow(const tl_shelf *shelf, const tl_book *book, uint32_t last)
{
    if (book->best[1].level == TL_NONE)
        return;
    for (uint32_t slot = tl_level_head(shelf, book->best[1].level); slot != TL_NONE;
         slot = shelf->orders[slot].next) {
        tl_special *terms = &shelf->special[slot];
        terms->stop_price = tl_trailed(terms, shelf->orders[slot].side, last);
    }
}

void tl_trail_follow(const tl_shelf *shelf, uint16_t instrument, uint32_t last)
{
    follow(shelf, tl_unseen_book(shelf, instrument, TL_UNSEEN_TRAIL_BUY), last);
    follow(shelf, tl_unseen_book(shelf, instrument, TL_UNSEEN_TRAIL_SELL), last);
}

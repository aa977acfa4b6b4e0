/* The part of matching that looks ahead: may a fill-or-kill order trade? */
#include "touchline/core/match.h"

bool tl_match_fillable(const tl_shelf *shelf, const tl_book *book, const tl_taker *taker)
{
    unsigned side_index = !tl_side_index(taker->side);
    uint8_t side = side_index ? TL_SIDE_SELL : TL_SIDE_BUY;
    uint64_t found = 0;
    uint32_t level = tl_match_best(book, taker)->level;
    while (level != TL_NONE &&
           tl_key(side_index, tl_level_price(shelf, book, level)) <= tl_match_limit(taker)) {
        found += tl_level_qty(shelf, level);
        if (found >= taker->leaves_qty)
            return true;
        level = tl_book_worse_level(shelf, side, level);
    }
    return false;
}

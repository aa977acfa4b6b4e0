/* The part of matching that looks ahead: may a fill-or-kill order trade? */
#include "match.h"

bool tl_match_fillable(const tl_shelf *shelf, const tl_book *book, const tl_taker *taker)
{
    if (!tl_match_crosses(book, taker))
        return false;
    uint8_t side = taker->side == TL_SIDE_BUY ? TL_SIDE_SELL : TL_SIDE_BUY;
    uint64_t found = 0;
    uint32_t level = book->best[tl_side_index(side)].level;
    while (level != TL_NONE) {
        uint32_t price = tl_level_price(shelf, level);
        if (tl_price_better(taker->side, price, taker->price))
            return false;
        found += shelf->levels[level].qty;
        if (found >= taker->leaves_qty)
            return true;
        level = tl_book_worse_level(shelf, side, level);
    }
    return false;
}

/* A book as it begins, and as whoever asks for its depth sees it. The rest is in book.h. */
#include "touchline/core/book.h"

#include <string.h>

void tl_book_init(tl_book *book)
{
    memset(book, 0, sizeof *book);
    book->root = TL_NONE;
    book->number = UINT32_MAX;
    book->best[0] = (tl_best){TL_KEY_NONE, TL_NONE};
    book->best[1] = (tl_best){TL_KEY_NONE, TL_NONE};
    memcpy(book->behind, book->best, sizeof book->behind);
}

uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                       tl_level_view *views, uint32_t views_max)
{
    uint32_t count = 0;
    uint32_t index = book->best[tl_side_index(side)].level;
    while (index != TL_NONE && count < views_max) {
        views[count++] = (tl_level_view){.price = tl_level_price(shelf, book, index),
                                         .qty = tl_level_qty(shelf, index),
                                         .orders = tl_level_orders(shelf, index)};
        index = tl_book_worse_level(shelf, side, index);
    }
    return count;
}

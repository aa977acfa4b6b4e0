/* An instrument as Nasdaq's protocols know it: a stock of up to 8 letters, whose prices have four
 * decimals and whose quantities are whole shares.
 *
 * Which instruments can be told so is decided here, and why the others can not. Prices and
 * quantities go both ways exactly, or not at all. */
#ifndef TOUCHLINE_STOCK_H
#define TOUCHLINE_STOCK_H

#include "touchline/wire/fix_names.h"

#define TL_STOCK_PRICE_UNIT 10000u /* a price of 1 */

#define TL_STOCK_FAULTS(X)                                                                         \
    X(NONE, "it can be told")                                                                      \
    X(NAMES, "it was listed without a symbol, a tick or a lot")                                    \
    X(SYMBOL, "its symbol is not 1 to 8 printable ASCII characters without a space")               \
    X(TICK, "its tick is not a multiple of 0.0001, or above 429496.7295")                          \
    X(LOT, "its lot is not a whole number of shares up to 4294967295")
#define TL_STOCK_FAULT_ENUM(name, text) TL_STOCK_FAULT_##name,
typedef enum tl_stock_fault { TL_STOCK_FAULTS(TL_STOCK_FAULT_ENUM) } tl_stock_fault;
#undef TL_STOCK_FAULT_ENUM

typedef struct tl_stock {
    char symbol[8]; /* padded with spaces */
    uint32_t price_scale; /* ten-thousandths in a tick; 0: it can not be told */
    uint32_t share_scale; /* shares in a lot */
} tl_stock;

/* `instrument` NULL: it has no names. At a fault `stock` is all zeros. */
tl_stock_fault tl_stock_of(const tl_fix_instrument *instrument, tl_stock *stock);
const char *tl_stock_fault_text(tl_stock_fault fault);

/* Ticks as a price of 4 bytes, lots as shares; false: it is more than they hold. */
static inline bool tl_stock_price(const tl_stock *stock, int64_t ticks, uint32_t *price)
{
    return ticks >= 0 && !__builtin_mul_overflow((uint64_t)ticks, stock->price_scale, price);
}
static inline bool tl_stock_shares(const tl_stock *stock, uint64_t lots, uint32_t *shares)
{
    return !__builtin_mul_overflow(lots, stock->share_scale, shares);
}

#endif

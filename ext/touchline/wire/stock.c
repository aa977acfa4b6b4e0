/* Symbol, tick and lot of an instrument in Nasdaq's terms. */
#include "touchline/wire/stock.h"

#include <string.h>

#define FAULT_TEXT(name, text) text,
const char *tl_stock_fault_text(tl_stock_fault fault)
{
    static const char *const texts[] = {TL_STOCK_FAULTS(FAULT_TEXT)};
    return (size_t)fault < sizeof texts / sizeof *texts ? texts[fault] : "unknown fault";
}

static bool symbol_of(const tl_fix_name *name, char symbol[8])
{
    if (name->size == 0 || name->size > 8)
        return false;
    for (uint32_t i = 0; i < name->size; i++)
        if (name->text[i] <= ' ' || name->text[i] > '~')
            return false;
    memset(symbol, ' ', 8);
    memcpy(symbol, name->text, name->size);
    return true;
}

/* The unit in `decimals` decimals, which must hold it exactly and in 32 bits. */
static bool scale_of(const tl_fix_unit *unit, uint32_t decimals, uint32_t *scale)
{
    uint64_t value = unit->digits;
    uint32_t has = unit->decimals;
    for (; has > decimals && value % 10 == 0; has--)
        value /= 10;
    for (; has < decimals && value <= UINT32_MAX; has++)
        value *= 10;
    *scale = (uint32_t)value;
    return has == decimals && value != 0 && value <= UINT32_MAX;
}

tl_stock_fault tl_stock_of(const tl_fix_instrument *instrument, tl_stock *stock)
{
    tl_stock of;
    memset(stock, 0, sizeof *stock);
    if (instrument == NULL)
        return TL_STOCK_FAULT_NAMES;
    if (!symbol_of(&instrument->symbol, of.symbol))
        return TL_STOCK_FAULT_SYMBOL;
    if (!scale_of(&instrument->tick, 4, &of.price_scale))
        return TL_STOCK_FAULT_TICK;
    if (!scale_of(&instrument->lot, 0, &of.share_scale))
        return TL_STOCK_FAULT_LOT;
    *stock = of;
    return TL_STOCK_FAULT_NONE;
}

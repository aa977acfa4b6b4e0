/* Why the engine said no, in words and in the units of the order. */
#include <stdio.h>
#include <string.h>

#include "touchline/wire/fix_desk_state.h"

typedef enum unit_of { UNIT_NONE, UNIT_TICKS, UNIT_LOTS, UNIT_VALUE, UNIT_TIME } unit_of;

static unit_of unit_of_reason(uint8_t reason)
{
    switch (reason) {
    case TL_REASON_PRICE_BELOW_MIN:
    case TL_REASON_PRICE_ABOVE_MAX:
    case TL_REASON_MARKET_WITH_PRICE:
    case TL_REASON_PRICE_COLLAR:
    case TL_REASON_NO_REFERENCE_PRICE:
    case TL_REASON_WOULD_TRADE:
    case TL_REASON_NOT_CLOSING_PRICE:
        return UNIT_TICKS;
    case TL_REASON_ORDER_QTY_MAX:
    case TL_REASON_DISPLAY_QTY:
    case TL_REASON_POSITION_MAX:
        return UNIT_LOTS;
    case TL_REASON_ORDER_VALUE_MAX:
        return UNIT_VALUE;
    case TL_REASON_EXPIRE_TIME:
        return UNIT_TIME;
    default:
        return UNIT_NONE;
    }
}

/* An amount: ticks times lots, as a decimal number. */
static char *write_value(char *at, int64_t value, const tl_fix_instrument *instrument)
{
    unsigned __int128 digits = (unsigned __int128)(value < 0 ? 0 - (uint64_t)value
                                                             : (uint64_t)value);
    uint32_t decimals = instrument->tick.decimals + instrument->lot.decimals;
    char turned[64];
    uint32_t count = 0;
    const uint64_t factors[2] = {instrument->tick.digits, instrument->lot.digits};
    for (int i = 0; i < 2; i++) {
        if (digits != 0 && factors[i] > ~(unsigned __int128)0 / digits)
            return at + sprintf(at, "%lld", (long long)value); /* beyond what anybody writes */
        digits *= factors[i];
    }
    do {
        turned[count++] = (char)('0' + (int)(digits % 10));
        digits /= 10;
        if (count == decimals)
            turned[count++] = '.';
    } while ((digits != 0 || count <= decimals + (decimals != 0)) && count < sizeof turned);
    if (value < 0)
        *at++ = '-';
    while (count > 0)
        *at++ = turned[--count];
    return at;
}

static char *write_in(char *at, int64_t value, unit_of unit, const tl_fix_instrument *instrument)
{
    if (instrument == NULL || unit == UNIT_NONE)
        return at + sprintf(at, "%lld", (long long)value);
    if (unit == UNIT_VALUE)
        return write_value(at, value, instrument);
    if (unit == UNIT_TIME)
        return tl_fix_write_time(at, value, 9);
    return tl_fix_write_units(at, value, unit == UNIT_TICKS ? &instrument->tick : &instrument->lot);
}

const char *tl_fix_reason_words(uint8_t reason)
{
    for (int i = 0; i < tl_reason_texts_count; i++)
        if (tl_reason_texts[i].reason == reason)
            return tl_reason_texts[i].text;
    return "";
}

static const char *leave_out(const char *from, unit_of unit)
{
    const char *name = unit == UNIT_TICKS ? " ticks" : unit == UNIT_LOTS ? " lots" : NULL;
    return name != NULL && strncmp(from, name, strlen(name)) == 0 ? from + strlen(name) : from;
}

const char *tl_fix_refusal_text(tl_fix_desk *desk, uint8_t reason, int64_t value, int64_t limit,
                                const tl_fix_instrument *instrument)
{
    char *at = desk->text;
    if (reason == TL_REASON_INVALID_QTY && instrument != NULL) {
        at = stpcpy(at, "quantity ");
        at = tl_fix_write_units(at, value, &instrument->lot);
        at = stpcpy(at, " is outside ");
        at = tl_fix_write_units(at, 1, &instrument->lot);
        at = stpcpy(at, " to ");
        at = tl_fix_write_units(at, limit, &instrument->lot);
        *at = 0;
        return desk->text;
    }
    const unit_of unit = instrument != NULL ? unit_of_reason(reason) : UNIT_NONE;
    for (const char *from = tl_fix_reason_words(reason); *from != 0;) {
        from = leave_out(from, unit);
        if (strncmp(from, "{value}", 7) == 0) {
            at = write_in(at, value, unit, instrument);
            from += 7;
        } else if (strncmp(from, "{limit}", 7) == 0) {
            at = write_in(at, limit, unit, instrument);
            from += 7;
        } else if (*from != 0) {
            *at++ = *from++;
        }
    }
    *at = 0;
    return desk->text;
}

const tl_reason_text *tl_fix_reason_row(uint8_t reason)
{
    for (int i = 0; i < tl_reason_texts_count; i++)
        if (tl_reason_texts[i].reason == reason)
            return &tl_reason_texts[i];
    return &tl_reason_texts[0];
}

/* What a request's fields say, in the units of its instrument, or why they can not be taken. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "touchline/wire/fix_desk_request.h"

int tl_fix_refuse(tl_fix_desk *desk, int reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(desk->text, sizeof desk->text, format, arguments);
    va_end(arguments);
    for (char *at = desk->text; *at != 0; at++) /* what a message says is not ours to repeat raw */
        if ((unsigned char)*at < 0x20)
            *at = '?';
    return reason;
}

/* Digits before the point, leading zeros left out. */
static size_t whole_digits(const char *text, size_t size)
{
    size_t at = size != 0 && *text == '-', digits = 0;
    for (; at < size && text[at] != '.'; at++)
        digits += digits != 0 || text[at] != '0';
    return digits;
}

/* Beyond any number of units, whether or not it is a whole number of them. */
static bool too_large(const char *text, size_t size, const tl_fix_unit *unit)
{
    char one[64];
    const char *end = tl_fix_write_units(one, 1, unit);
    return whole_digits(text, size) > whole_digits(one, (size_t)(end - one)) + 19;
}

static int number_refused(tl_fix_desk *desk, const tl_fix_message *message,
                          const tl_fix_field *field, const tl_fix_unit *unit,
                          tl_fix_number_fault fault, const char *what, const char *size, int reason)
{
    char shown[64];
    const int width = tl_fix_shown(message, field, 40);
    const char *text = tl_fix_value(message, field);
    if (fault == TL_FIX_NUMBER_STEP && too_large(text, field->size, unit))
        fault = TL_FIX_NUMBER_RANGE;
    switch (fault) {
    case TL_FIX_NUMBER_STEP:
        *tl_fix_write_units(shown, 1, unit) = 0;
        return tl_fix_refuse(desk, reason, "%s %.*s is not a multiple of the %s %s", what, width,
                             text, size, shown);
    case TL_FIX_NUMBER_RANGE:
        return tl_fix_refuse(desk, reason, "%s %.*s is too large", what, width, text);
    default:
        return tl_fix_refuse(desk, reason, "%s '%.*s' is not a decimal number", what, width, text);
    }
}

int tl_fix_read_price(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, int64_t *price)
{
    const tl_fix_field *field = tl_fix_find(message, 44);
    *price = 0;
    if (field == NULL)
        return -1;
    const tl_fix_number_fault fault = tl_fix_read_units(tl_fix_value(message, field),
                                                        field->size, &instrument->tick, price);
    return fault == TL_FIX_NUMBER_GOOD
               ? -1
               : number_refused(desk, message, field, &instrument->tick, fault, "price",
                                "tick size", TL_FIX_ORD_OFF_TICK);
}

int tl_fix_read_qty(tl_fix_desk *desk, const tl_fix_message *message,
                    const tl_fix_instrument *instrument, int64_t *qty)
{
    const tl_fix_field *field = tl_fix_find(message, 38);
    const tl_fix_number_fault fault = tl_fix_read_units(tl_fix_value(message, field),
                                                        field->size, &instrument->lot, qty);
    return fault == TL_FIX_NUMBER_GOOD
               ? -1
               : number_refused(desk, message, field, &instrument->lot, fault, "quantity",
                                "lot size", TL_FIX_ORD_QTY);
}

int tl_fix_read_term(tl_fix_desk *desk, const tl_fix_message *message, const tl_fix_field *field,
                     const tl_fix_unit *unit, const char *what, const char *size, int reason,
                     int64_t *value)
{
    *value = 0;
    if (field == NULL)
        return -1;
    const char *text = tl_fix_value(message, field);
    const tl_fix_number_fault fault = tl_fix_read_units(text, field->size, unit, value);
    if (fault != TL_FIX_NUMBER_GOOD)
        return number_refused(desk, message, field, unit, fault, what, size, reason);
    if (*value >= 0 && *value <= UINT32_MAX)
        return -1;
    return tl_fix_refuse(desk, reason, "%s %.*s is %s", what, tl_fix_shown(message, field, 40),
                         text, *value < 0 ? "negative" : "too large");
}

int tl_fix_choice_refused(tl_fix_desk *desk, const tl_fix_message *message, uint32_t tag,
                          const char *name, const char *allowed)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    char list[64], *at = list;
    for (const char *one = allowed; *one != 0; one++)
        at += sprintf(at, "%s%c", one == allowed ? "" : ", ", *one);
    return tl_fix_refuse(desk, TL_FIX_ORD_UNSUPPORTED, "%s(%u) %.*s is not supported; allowed: %s",
                  name, tag, SHOWN(message, field), list);
}

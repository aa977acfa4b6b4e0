/* The writers of fix_text.h for where there is room: what they write ends where they say, but up to
 * TL_FIX_ROOM bytes behind that may be anything then. Eight digits or sixteen bytes are one store.
 */
#ifndef TOUCHLINE_FIX_TEXT_ROOM_H
#define TOUCHLINE_FIX_TEXT_ROOM_H

#include "touchline/wire/fix_text.h"
#include "touchline/wire/fix_text_scan.h"

#define TL_FIX_ROOM 16u
#define TL_FIX_EIGHT_DIGITS 100000000u /* more than eight digits say */

static inline void tl_fix_store_word(char *at, uint64_t word)
{
    memcpy(at, &word, sizeof word);
}

static inline char *tl_fix_room_uint(char *at, uint64_t number)
{
    if (number < 10000) {
        const uint32_t word = tl_fix_four_digits((uint32_t)number);
        const uint32_t zeros = (uint32_t)__builtin_ctz(word | 1u << 24) / 8;
        const uint32_t text = (word + (uint32_t)TL_FIX_EACH('0')) >> 8 * zeros;
        memcpy(at, &text, sizeof text);
        return at + 4 - zeros;
    }
    if (number >= TL_FIX_EIGHT_DIGITS) {
        at = tl_fix_write_uint(at, number / TL_FIX_EIGHT_DIGITS);
        number %= TL_FIX_EIGHT_DIGITS;
        tl_fix_store_word(at, tl_fix_eight_digits((uint32_t)number) + TL_FIX_EACH('0'));
        return at + TL_FIX_WORD;
    }
    const uint64_t word = tl_fix_eight_digits((uint32_t)number);
    const uint32_t zeros = (uint32_t)__builtin_ctzll(word) / 8;
    tl_fix_store_word(at, (word + TL_FIX_EACH('0')) >> 8 * zeros);
    return at + TL_FIX_WORD - zeros;
}

static inline char *tl_fix_room_units(char *at, int64_t units, const tl_fix_unit *unit)
{
    const uint64_t number = (uint64_t)units * unit->digits;
    if (((uint64_t)units | unit->digits) > UINT32_MAX || number >= TL_FIX_EIGHT_DIGITS ||
        unit->decimals >= TL_FIX_WORD)
        return tl_fix_write_units(at, units, unit);
    if (unit->decimals == 0)
        return tl_fix_room_uint(at, number);
    const uint32_t before = TL_FIX_WORD - unit->decimals; /* the dot; one digit of it at least */
    const uint64_t word = tl_fix_eight_digits((uint32_t)number), text = word + TL_FIX_EACH('0');
    const uint32_t zeros =
        (uint32_t)__builtin_ctzll(word | UINT64_C(1) << 8 * (before - 1)) / 8;
    tl_fix_store_word(at, text >> 8 * zeros);
    at += before - zeros;
    *at++ = '.';
    tl_fix_store_word(at, text >> 8 * before);
    return at + unit->decimals;
}

static inline char *tl_fix_room_put_uint(char *at, uint32_t tag, uint64_t value)
{
    at = tl_fix_room_uint(tl_fix_put_tag(at, tag), value);
    *at++ = '\x01';
    return at;
}

static inline char *tl_fix_room_put_units(char *at, uint32_t tag, int64_t units,
                                          const tl_fix_unit *unit)
{
    at = tl_fix_room_units(tl_fix_put_tag(at, tag), units, unit);
    *at++ = '\x01';
    return at;
}

/* Of `value`, sixteen bytes can be read whatever its size. */
static inline char *tl_fix_room_put_text(char *at, uint32_t tag, const char *value, size_t size)
{
    at = tl_fix_put_tag(at, tag);
    memcpy(at, value, 16);
    if (size > 16)
        memcpy(at + 16, value + 16, size - 16);
    at[size] = '\x01';
    return at + size + 1;
}

#endif

/* Numbers as FIX writes them. See fix_text.h. */
#include "touchline/wire/fix_text.h"

#include "touchline/wire/fix_text_scan.h"

#include <assert.h>
#include <string.h>

#define UNIT_DIGITS_MAX 18
#define SURE_DIGITS 18 /* that an int64 holds, whatever they are */
#define AVERAGE_DECIMALS 8
#define AVERAGE_SCALE 100000000u
#define WIDE_DIGITS_MAX 40 /* of 2^128 */

__extension__ typedef unsigned __int128 wide;

static const uint64_t powers[] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
    100000000000000000u,
    1000000000000000000u,
    10000000000000000000u,
};

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

static bool is_digit(char c)
{
    return (unsigned char)c - (unsigned)'0' <= 9;
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────── */

bool tl_fix_read_uint(const char *text, size_t size, uint64_t *number)
{
    uint64_t sum = 0;
    size_t at = 0;
    if (size == 0)
        return false;
    if (size <= TL_FIX_WORD) {
        const uint64_t word = tl_fix_short_word(text, size);
        *number = tl_fix_digits_value(word);
        return tl_fix_all_digits(word);
    }
    for (; at < size && at < SURE_DIGITS; at++) {
        unsigned digit = (unsigned char)text[at] - (unsigned)'0';
        if (digit > 9)
            return false;
        sum = sum * 10 + digit;
    }
    for (; at < size; at++) {
        unsigned digit = (unsigned char)text[at] - (unsigned)'0';
        if (digit > 9 || sum > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *number = sum;
    return true;
}

bool tl_fix_read_int(const char *text, size_t size, int64_t *number)
{
    bool negative = size > 0 && *text == '-';
    uint64_t magnitude;
    if (!tl_fix_read_uint(text + negative, size - negative, &magnitude))
        return false;
    *number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

/* A decimal number's places: whole digits [first, dot), decimals [dot + 1, end) without the zeros
 * at their end. */
typedef struct decimal {
    size_t first, dot, end;
    bool negative;
} decimal;

static bool read_decimal(const char *text, size_t size, decimal *decimal)
{
    size_t at = size > 0 && *text == '-';
    decimal->negative = at == 1;
    decimal->first = at;
    while (at < size && is_digit(text[at]))
        at++;
    size_t digits = at - decimal->first;
    decimal->dot = decimal->end = at;
    if (at < size && text[at] == '.') {
        for (at++; at < size && is_digit(text[at]); at++) {
            digits++;
            if (text[at] != '0')
                decimal->end = at + 1;
        }
    }
    return at == size && digits > 0;
}

bool tl_fix_read_unit(const char *text, size_t size, tl_fix_unit *unit)
{
    decimal decimal;
    if (!read_decimal(text, size, &decimal) || decimal.negative)
        return false;
    size_t decimals = decimal.dot < size ? size - decimal.dot - 1 : 0;
    if (decimals > UNIT_DIGITS_MAX)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.')
            continue;
        sum = sum * 10 + (uint64_t)(text[i] - '0');
        if (sum >= powers[UNIT_DIGITS_MAX])
            return false;
    }
    *unit = (tl_fix_unit){sum, (uint32_t)decimals};
    return sum > 0;
}

/* The count of units in `sum` of 10^-decimals; most numbers are short. */
static tl_fix_number_fault count_units(wide sum, bool negative, const tl_fix_unit *unit,
                                       int64_t *units)
{
    wide count, rest;
    if (unit->digits == 1) {
        count = sum;
        rest = 0;
    } else if (sum <= UINT64_MAX) {
        count = (uint64_t)sum / unit->digits;
        rest = (uint64_t)sum % unit->digits;
    } else {
        count = sum / unit->digits;
        rest = sum % unit->digits;
    }
    if (count > INT64_MAX)
        return TL_FIX_NUMBER_RANGE;
    if (rest != 0)
        return TL_FIX_NUMBER_STEP;
    *units = negative ? -(int64_t)count : (int64_t)count;
    return TL_FIX_NUMBER_GOOD;
}

/* A whole number of units without a sign in eight characters; false: it may be another number. */
static inline bool read_short_units(const char *text, size_t size, const tl_fix_unit *unit,
                                    int64_t *units)
{
    if (size - 1 >= TL_FIX_WORD || unit->digits > UINT32_MAX)
        return false;
    uint64_t word = tl_fix_short_word(text, size), scale = powers[unit->decimals];
    const uint64_t dot = tl_fix_first_dot(word);
    if (dot != 0) {
        const uint32_t decimals = (uint32_t)__builtin_clzll(dot) / 8;
        if (size == 1 || decimals > unit->decimals)
            return false;
        word = tl_fix_without_dot(word, dot);
        scale = powers[unit->decimals - decimals];
    }
    if (!tl_fix_all_digits(word) || scale > UINT32_MAX)
        return false;
    const uint64_t sum = tl_fix_digits_value(word) * scale;
    if (unit->digits == 1)
        *units = (int64_t)sum;
    else if (sum % unit->digits == 0)
        *units = (int64_t)(sum / unit->digits);
    else
        return false;
    return true;
}

tl_fix_number_fault tl_fix_read_units(const char *text, size_t size, const tl_fix_unit *unit,
                                      int64_t *units)
{
    assert(unit->digits > 0 && unit->decimals <= UNIT_DIGITS_MAX);
    decimal decimal;
    if (read_short_units(text, size, unit, units))
        return TL_FIX_NUMBER_GOOD;
    if (!read_decimal(text, size, &decimal))
        return TL_FIX_NUMBER_TEXT;
    size_t decimals = decimal.end > decimal.dot ? decimal.end - decimal.dot - 1 : 0;
    if (decimals > unit->decimals)
        return TL_FIX_NUMBER_STEP;
    const uint64_t scale = powers[unit->decimals - decimals];
    if (decimal.end - decimal.first <= SURE_DIGITS) {
        uint64_t sum = 0;
        for (size_t i = decimal.first; i < decimal.end; i++)
            if (i != decimal.dot)
                sum = sum * 10 + (unsigned char)(text[i] - '0');
        return count_units((wide)sum * scale, decimal.negative, unit, units);
    }
    const wide most = (wide)INT64_MAX * powers[UNIT_DIGITS_MAX];
    wide sum = 0;
    for (size_t i = decimal.first; i < decimal.end; i++) {
        if (i == decimal.dot)
            continue;
        sum = sum * 10 + (unsigned char)(text[i] - '0');
        if (sum > most)
            return TL_FIX_NUMBER_RANGE;
    }
    if (sum > most / scale)
        return TL_FIX_NUMBER_RANGE;
    return count_units(sum * scale, decimal.negative, unit, units);
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────── */

uint32_t tl_fix_digits_of(uint64_t number)
{
    const uint32_t bits = 64 - (uint32_t)__builtin_clzll(number | 1);
    const uint32_t least = bits * 1233 >> 12; /* bits * log10(2) */
    return least + (number >= powers[least]) + (number == 0);
}

/* The digits of `number` before `end`, at least one; gives their start. */
static char *digits_before(char *end, uint64_t number)
{
    while (number >= 100) {
        end -= 2;
        memcpy(end, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number >= 10) {
        end -= 2;
        memcpy(end, pairs + number * 2, 2);
    } else {
        *--end = (char)('0' + number);
    }
    return end;
}

/* The same of a number of 128 bits. */
static char *wide_digits_before(char *end, wide number)
{
    while (number > UINT64_MAX) {
        char *start = end - UNIT_DIGITS_MAX;
        uint64_t low = (uint64_t)(number % powers[UNIT_DIGITS_MAX]);
        number /= powers[UNIT_DIGITS_MAX];
        char *at = digits_before(end, low);
        memset(start, '0', (size_t)(at - start));
        end = start;
    }
    return digits_before(end, (uint64_t)number);
}

static char *write_before(char *at, const char *start, const char *end)
{
    size_t size = (size_t)(end - start);
    memcpy(at, start, size);
    return at + size;
}

char *tl_fix_write_uint(char *at, uint64_t number)
{
    char *const end = at + tl_fix_digits_of(number);
    digits_before(end, number);
    return end;
}

/* As write_decimal, of a number of 64 bits: in place. */
static char *write_short_decimal(char *at, uint64_t number, uint32_t decimals)
{
    if (decimals == 0)
        return tl_fix_write_uint(at, number);
    const uint32_t digits = tl_fix_digits_of(number);
    char *const end = at + (digits > decimals ? digits : decimals + 1) + 1;
    char *to = end;
    uint32_t left = decimals;
    for (; left >= 2; left -= 2, number /= 100) {
        to -= 2;
        memcpy(to, pairs + number % 100 * 2, 2);
    }
    if (left != 0) {
        *--to = (char)('0' + number % 10);
        number /= 10;
    }
    *--to = '.';
    digits_before(to, number);
    return end;
}

/* `number` with its last `decimals` digits behind a dot. */
static char *write_decimal(char *at, wide number, uint32_t decimals)
{
    if (number <= UINT64_MAX)
        return write_short_decimal(at, (uint64_t)number, decimals);
    char digits[WIDE_DIGITS_MAX], *end = digits + sizeof digits;
    char *start = wide_digits_before(end, number), *dot = end - decimals;
    if (decimals == 0)
        return write_before(at, start, end);
    if (start >= dot) {
        char *first = dot - 1;
        memset(first, '0', (size_t)(start - first));
        start = first;
    }
    at = write_before(at, start, dot);
    *at++ = '.';
    return write_before(at, dot, end);
}

char *tl_fix_write_units(char *at, int64_t units, const tl_fix_unit *unit)
{
    uint64_t magnitude = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    if (units < 0)
        *at++ = '-';
    return write_decimal(at, (wide)magnitude * unit->digits, unit->decimals);
}

/* `part` as eight digits behind those of `whole`, the zeros at the end dropped, the dot too. */
static char *write_long_average(char *at, wide whole, uint32_t part, uint32_t decimals)
{
    at = write_decimal(at, whole, decimals);
    if (decimals == 0)
        *at++ = '.';
    char *end = at + AVERAGE_DECIMALS, *start = digits_before(end, part);
    memset(at, '0', (size_t)(start - at));
    while (end[-1] == '0')
        end--;
    return end[-1] == '.' ? end - 1 : end;
}

char *tl_fix_write_average(char *at, __int128 notional, uint64_t qty, const tl_fix_unit *unit)
{
    if (qty == 0) {
        *at = '0';
        return at + 1;
    }
    bool negative = notional < 0;
    wide magnitude = negative ? 0 - (wide)notional : (wide)notional;
    wide units, rest;
    if (magnitude <= UINT64_MAX) {
        units = (uint64_t)magnitude / qty;
        rest = (uint64_t)magnitude % qty;
    } else {
        units = magnitude / qty;
        rest = magnitude % qty;
    }
    if (rest == 0) {
        if (negative)
            *at++ = '-';
        return write_decimal(at, units * unit->digits, unit->decimals);
    }
    rest *= unit->digits;
    wide whole = units * unit->digits + rest / qty;
    rest = rest % qty * AVERAGE_SCALE;
    uint32_t part = (uint32_t)(rest / qty);
    wide twice = rest % qty * 2;
    part += twice > qty || (twice == qty && part % 2 == 1);
    if (part == AVERAGE_SCALE) {
        part = 0;
        whole++;
    }
    if (negative && (whole != 0 || part != 0))
        *at++ = '-';
    return write_long_average(at, whole, part, unit->decimals);
}

/* ── bytes ───────────────────────────────────────────────────────────────────────────────────── */

/* One to eight characters of ASCII without control characters? */
static inline bool tl_fix_all_printable(const char *text, size_t size)
{
    const uint64_t word = tl_fix_short_word(text, size) ^ TL_FIX_EACH('0'); /* '0' before them */
    const uint64_t beyond = word | (word - TL_FIX_EACH(0x20)) | (word + TL_FIX_EACH(1));
    return (beyond & TL_FIX_EACH(0x80)) == 0;
}

/* A control character is 0 to 1F, 7F, or 80 to 9F, which begins with the byte C2. */
bool tl_fix_printable(const char *text, size_t size)
{
    while (size >= TL_FIX_WORD && tl_fix_all_printable(text, TL_FIX_WORD)) {
        text += TL_FIX_WORD;
        size -= TL_FIX_WORD;
    }
    if (size == 0 || (size < TL_FIX_WORD && tl_fix_all_printable(text, size)))
        return true;
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0; i < size; i++)
        if (at[i] < 0x20 || at[i] == 0x7f || (at[i] == 0xc2 && i + 1 < size && at[i + 1] < 0xa0))
            return false;
    return true;
}

size_t tl_fix_whole_characters(const char *text, size_t size, size_t max)
{
    if (size <= max)
        return size;
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

uint8_t tl_fix_checksum(const char *bytes, size_t count)
{
    return (uint8_t)tl_fix_sum(bytes, count);
}

/* FIX's texts for numbers and times, both ways, exactly: nothing is rounded, cut or overlooked.
 *
 * Readers give false for a text that is not one of its kind or does not fit; writers write at `at`
 * and give the end.
 */
#ifndef TOUCHLINE_FIX_TEXT_H
#define TOUCHLINE_FIX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A tick or lot size: `digits` without the dot, and how many of them stand behind it. */
typedef struct tl_fix_unit {
    uint64_t digits; /* 1 .. 10^18 - 1 */
    uint32_t decimals; /* 0 .. 18 */
} tl_fix_unit;

typedef enum tl_fix_number_fault {
    TL_FIX_NUMBER_GOOD,
    TL_FIX_NUMBER_TEXT,  /* no decimal number as FIX writes one */
    TL_FIX_NUMBER_STEP,  /* not a whole number of units */
    TL_FIX_NUMBER_RANGE  /* more units than an int64 holds */
} tl_fix_number_fault;

/* "0.05", as a TEXT command of kind TICK_SIZE or LOT_SIZE has it. */
bool tl_fix_read_unit(const char *text, size_t size, tl_fix_unit *unit);
/* A price or quantity in units: "-10.5" of 0.05 is -210. */
tl_fix_number_fault tl_fix_read_units(const char *text, size_t size, const tl_fix_unit *unit,
                                      int64_t *units);
/* Digits alone, leading zeros allowed, at most 2^63 - 1. */
bool tl_fix_read_uint(const char *text, size_t size, uint64_t *number);
/* With an optional minus. */
bool tl_fix_read_int(const char *text, size_t size, int64_t *number);
/* "YYYYMMDD" of a day that exists: days since 1970. */
bool tl_fix_read_date(const char *text, size_t size, int64_t *days);
bool tl_fix_is_date(const char *text, size_t size);
/* Would tl_fix_read_time read it, if years went on for ever? */
bool tl_fix_is_time(const char *text, size_t size);
/* "HH:MM:SS" with 0, 3, 6 or 9 decimals: nanoseconds since midnight; a leap second, 60, is one. */
bool tl_fix_read_time_of_day(const char *text, size_t size, int64_t *ns);
/* UTCTimestamp with 0, 3, 6 or 9 decimals of a second (a leap second, 60, included; the date must
 * exist): nanoseconds since 1970. */
bool tl_fix_read_time(const char *text, size_t size, int64_t *ts_ns);

/* How many digits it is written with. */
uint32_t tl_fix_digits_of(uint64_t number);
char *tl_fix_write_uint(char *at, uint64_t number);
/* `units` times the unit, with as many decimals as the unit has: 200 of 0.05 is "10.00". */
char *tl_fix_write_units(char *at, int64_t units, const tl_fix_unit *unit);
/* The average of `notional` (sum of units times quantity) over `qty`: in full where it ends within
 * the unit's decimals, else rounded half to even to eight more and trailing zeros dropped; "0" for
 * a qty of 0. */
char *tl_fix_write_average(char *at, __int128 notional, uint64_t qty, const tl_fix_unit *unit);
/* UTCTimestamp; decimals 0, 3, 6 or 9. */
char *tl_fix_write_time(char *at, int64_t ts_ns, int decimals);

/* "tag=": a few stores where the tag is a constant. */
static inline char *tl_fix_put_tag(char *at, uint32_t tag)
{
    if (tag >= 10000)
        at = tl_fix_write_uint(at, tag);
    else {
        if (tag >= 1000)
            *at++ = (char)('0' + tag / 1000);
        if (tag >= 100)
            *at++ = (char)('0' + tag / 100 % 10);
        if (tag >= 10)
            *at++ = (char)('0' + tag / 10 % 10);
        *at++ = (char)('0' + tag % 10);
    }
    *at++ = '=';
    return at;
}

/* "tag=value" and SOH. */
static inline char *tl_fix_put_text(char *at, uint32_t tag, const char *value, size_t size)
{
    at = tl_fix_put_tag(at, tag);
    memcpy(at, value, size);
    at[size] = '\x01';
    return at + size + 1;
}

static inline char *tl_fix_put_char(char *at, uint32_t tag, char value)
{
    at = tl_fix_put_tag(at, tag);
    *at++ = value;
    *at++ = '\x01';
    return at;
}

static inline char *tl_fix_put_uint(char *at, uint32_t tag, uint64_t value)
{
    at = tl_fix_write_uint(tl_fix_put_tag(at, tag), value);
    *at++ = '\x01';
    return at;
}

static inline char *tl_fix_put_units(char *at, uint32_t tag, int64_t units,
                                     const tl_fix_unit *unit)
{
    at = tl_fix_write_units(tl_fix_put_tag(at, tag), units, unit);
    *at++ = '\x01';
    return at;
}

static inline char *tl_fix_put_time(char *at, uint32_t tag, int64_t ts_ns, int decimals)
{
    at = tl_fix_write_time(tl_fix_put_tag(at, tag), ts_ns, decimals);
    *at++ = '\x01';
    return at;
}

/* No control character among UTF-8 text? */
bool tl_fix_printable(const char *text, size_t size);
/* The most bytes of UTF-8 text, `max` at most, that end between two characters. */
size_t tl_fix_whole_characters(const char *text, size_t size, size_t max);

/* Sum of bytes mod 256, for CheckSum(10). */
uint8_t tl_fix_checksum(const char *bytes, size_t count);

#endif

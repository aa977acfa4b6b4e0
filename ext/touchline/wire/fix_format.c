#include "touchline/wire/fix_format.h"

#include "touchline/wire/fix_text.h"

#include <stdint.h>
#include <string.h>

/* ── text ────────────────────────────────────────────────────────────────────────────────────── */

/* The size of the character of UTF-8 that begins at `text`; 0: none does. */
static size_t character_size(const unsigned char *text, size_t size)
{
    unsigned char first = text[0];
    size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0xC2 || first > 0xF4 || size < length)
        return 0;
    /* No character longer than it must be, no surrogate, none past U+10FFFF. */
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* UTF-8 without NUL. */
static bool text_good(const char *bytes, size_t size)
{
    const unsigned char *text = (const unsigned char *)bytes;
    size_t at = 0;
    while (at < size) {
        size_t length = text[at] < 0x80 ? text[at] != 0 : character_size(text + at, size - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* ── numbers ─────────────────────────────────────────────────────────────────────────────────── */

static bool decimal_good(const char *text, size_t size)
{
    size_t digits = 0, dots = 0;
    for (size_t i = *text == '-'; i < size; i++) {
        if (text[i] == '.')
            dots++;
        else if ((unsigned char)text[i] - (unsigned)'0' <= 9)
            digits++;
        else
            return false;
    }
    return digits > 0 && dots <= 1;
}

static bool int_good(const char *text, size_t size)
{
    int64_t number;
    return tl_fix_read_int(text, size, &number);
}

static bool uint_good(const char *text, size_t size)
{
    uint64_t number;
    return tl_fix_read_uint(text, size, &number);
}

static bool day_good(const char *text, size_t size)
{
    uint64_t number;
    return size <= 2 && tl_fix_read_uint(text, size, &number) && number >= 1 && number <= 31;
}

/* ── times ───────────────────────────────────────────────────────────────────────────────────── */

static bool date_good(const char *text, size_t size)
{
    return tl_fix_is_date(text, size);
}

static bool time_good(const char *text, size_t size)
{
    int64_t ns;
    return tl_fix_read_time_of_day(text, size, &ns);
}

/* YYYYMM, a date, or YYYYMM and w1 to w5. */
static bool month_good(const char *text, size_t size)
{
    char date[8];
    if (size != 6 && size != 8)
        return false;
    memcpy(date, text, 6);
    memcpy(date + 6, "01", 2);
    if (size == 8 && text[6] == 'w')
        return text[7] >= '1' && text[7] <= '5' && date_good(date, 8);
    if (size == 8)
        memcpy(date + 6, text + 6, 2);
    return date_good(date, 8);
}

bool tl_fix_format_good(tl_fix_type type, const char *text, size_t size)
{
    switch (type) {
    case TL_FIX_TYPE_CHAR:
        return size == 1 && (unsigned char)*text < 128 && *text != '\0';
    case TL_FIX_TYPE_BOOLEAN:
        return size == 1 && (*text == 'Y' || *text == 'N');
    case TL_FIX_TYPE_INT:
        return int_good(text, size);
    case TL_FIX_TYPE_UINT:
        return uint_good(text, size);
    case TL_FIX_TYPE_DAY:
        return day_good(text, size);
    case TL_FIX_TYPE_DECIMAL:
        return decimal_good(text, size);
    case TL_FIX_TYPE_TIMESTAMP:
        return tl_fix_is_time(text, size);
    case TL_FIX_TYPE_TIME:
        return time_good(text, size);
    case TL_FIX_TYPE_DATE:
        return date_good(text, size);
    case TL_FIX_TYPE_MONTH:
        return month_good(text, size);
    case TL_FIX_TYPE_DATA:
        return true;
    case TL_FIX_TYPE_TEXT:
    case TL_FIX_TYPE_TOKENS:
        break;
    }
    return text_good(text, size);
}

/* What stands in a field of a table: whole numbers, decimals, times. Nothing is rounded. */
#include "touchline/study/table_state.h"

#define NS_PER_S INT64_C(1000000000)
#define S_PER_DAY INT64_C(86400)

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A whole number in all of the text; false for anything else and for one too large. */
static bool integer_read(const uint8_t *text, size_t size, int64_t *value)
{
    bool negative = size > 0 && text[0] == '-';
    size_t at = negative;
    int64_t sum = 0;
    if (at == size)
        return false;
    for (; at < size; at++) {
        if (!is_digit(text[at]) || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, text[at] - '0', &sum))
            return false;
    }
    /* Summed downwards, because the least number has no positive; that one stands for nothing. */
    if (sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return true;
}

/* Digits behind a point as billionths; more than nine only when the others are zeros. */
static bool fraction_read(const uint8_t *text, size_t size, int64_t *value)
{
    int64_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]) || (i >= 9 && text[i] != '0'))
            return false;
        if (i < 9)
            sum = sum * 10 + (text[i] - '0');
    }
    for (size_t i = size; i < 9; i++)
        sum *= 10;
    *value = sum;
    return true;
}

static bool decimal_read(const uint8_t *text, size_t size, int64_t *value)
{
    bool negative = size > 0 && text[0] == '-';
    size_t from = negative;
    size_t point = from;
    while (point < size && text[point] != '.')
        point++;
    int64_t whole = 0;
    int64_t fraction = 0;
    size_t behind = point < size ? size - point - 1 : 0;
    if (point - from + behind == 0)
        return false;
    if (point > from && (text[from] == '-' || !integer_read(text + from, point - from, &whole)))
        return false;
    if (behind > 0 && !fraction_read(text + point + 1, behind, &fraction))
        return false;
    if (__builtin_mul_overflow(whole, NS_PER_S, &whole) ||
        __builtin_add_overflow(whole, fraction, &whole))
        return false;
    *value = negative ? -whole : whole;
    return true;
}

/* `count` digits as a number, -1 when they are not digits. */
static int64_t digits(const uint8_t *text, unsigned count)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!is_digit(text[i]))
            return -1;
        sum = sum * 10 + (text[i] - '0');
    }
    return sum;
}

/* Days since the epoch; -1 when there is no such day after it. By Howard Hinnant's days_from_civil:
 * years begin in March, so that the day that comes and goes is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (leap && month == 2))
        return -1;
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t from_march = (month + 9) % 12;
    int64_t in_year = (153 * from_march + 2) / 5 + day - 1;
    int64_t era = y / 400;
    int64_t of_era = y - era * 400;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + in_year - 719468;
}

/* The zone behind a time: Z, +00:00 or nothing. */
static bool is_utc(const uint8_t *text, size_t size)
{
    static const char zero[] = "+00:00";
    if (size == 0 || (size == 1 && text[0] == 'Z'))
        return true;
    for (size_t i = 0; i < size && i < 6; i++)
        if (text[i] != (uint8_t)zero[i])
            return false;
    return size == 6;
}

/* 2012-06-21T09:30:00.004241176Z, or with a space for the T. */
static bool iso_read(const uint8_t *text, size_t size, int64_t *value)
{
    if (size < 19 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') ||
        text[13] != ':' || text[16] != ':')
        return false;
    int64_t days = days_of(digits(text, 4), digits(text + 5, 2), digits(text + 8, 2));
    int64_t hour = digits(text + 11, 2);
    int64_t minute = digits(text + 14, 2);
    int64_t second = digits(text + 17, 2);
    if (days < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
        return false;
    size_t at = 19;
    int64_t fraction = 0;
    if (at < size && text[at] == '.') {
        size_t end = at + 1;
        while (end < size && is_digit(text[end]))
            end++;
        if (end == at + 1 || !fraction_read(text + at + 1, end - at - 1, &fraction))
            return false;
        at = end;
    }
    *value = (days * S_PER_DAY + hour * 3600 + minute * 60 + second) * NS_PER_S + fraction;
    return is_utc(text + at, size - at);
}

int tl_table_value(tl_table *table, uint8_t kind, const uint8_t *text, size_t size, int64_t *value)
{
    *value = TL_TABLE_EMPTY;
    if (size == 0)
        return TL_TABLE_NONE_FAULT;
    switch (kind) {
    case TL_TABLE_INTEGER:
        return integer_read(text, size, value) ? TL_TABLE_NONE_FAULT : TL_TABLE_NUMBER_FAULT;
    case TL_TABLE_DECIMAL:
        return decimal_read(text, size, value) ? TL_TABLE_NONE_FAULT : TL_TABLE_DECIMAL_FAULT;
    case TL_TABLE_TIME:
        if (size >= 19 && text[4] == '-')
            return iso_read(text, size, value) ? TL_TABLE_NONE_FAULT : TL_TABLE_TIME_FAULT;
        return integer_read(text, size, value) ? TL_TABLE_NONE_FAULT : TL_TABLE_TIME_FAULT;
    case TL_TABLE_LETTER:
        *value = text[0];
        return size == 1 ? TL_TABLE_NONE_FAULT : TL_TABLE_LETTER_FAULT;
    default:
        return tl_table_name_of(table, text, size, value);
    }
}

/* Days and times as FIX writes them. See fix_text.h. */
#include "touchline/wire/fix_text.h"

#include "touchline/wire/fix_text_scan.h"

#include <assert.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define DAY_S INT64_C(86400)
#define TIME_SIZE 8
#define DATE_SIZE 8

/* `size` digits, at most nine; false: another character. */
static bool read_digits(const char *text, size_t size, uint32_t *number)
{
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        *number = *number * 10 + digit;
    }
    return true;
}

static uint32_t days_of(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in March here, so that
 * the leap day is a year's last. */
static int64_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static uint32_t pair(const uint8_t *digits)
{
    return digits[0] * 10u + digits[1];
}

typedef struct date {
    uint32_t year, month, day;
} date;

static inline bool read_date(const char *text, size_t size, date *date)
{
    static const char from[] = "00000000", most[] = "\x09\x09\x09\x09\x09\x09\x09\x09";
    uint8_t digits[DATE_SIZE];
    if (size != DATE_SIZE || !tl_fix_eight(text, from, most, digits))
        return false;
    date->year = pair(digits) * 100 + pair(digits + 2);
    date->month = pair(digits + 4);
    date->day = pair(digits + 6);
    return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
           (date->day <= 28 || date->day <= days_of(date->year, date->month));
}

bool tl_fix_read_date(const char *text, size_t size, int64_t *days)
{
    date date;
    if (!read_date(text, size, &date))
        return false;
    *days = days_since_1970(date.year, date.month, date.day);
    return true;
}

bool tl_fix_is_date(const char *text, size_t size)
{
    date date;
    return read_date(text, size, &date);
}

static bool read_fraction(const char *text, size_t size, uint32_t *ns)
{
    *ns = 0;
    if (size == 0)
        return true;
    if (*text != '.' || (size != 4 && size != 7 && size != 10) ||
        !read_digits(text + 1, size - 1, ns))
        return false;
    *ns *= size == 4 ? 1000000u : size == 7 ? 1000u : 1u;
    return true;
}

bool tl_fix_read_time_of_day(const char *text, size_t size, int64_t *ns)
{
    static const char from[] = "00:00:00", most[] = "\x09\x09\0\x09\x09\0\x09\x09";
    uint8_t digits[TIME_SIZE];
    uint32_t fraction;
    if (size < TIME_SIZE || !tl_fix_eight(text, from, most, digits) ||
        !read_fraction(text + TIME_SIZE, size - TIME_SIZE, &fraction))
        return false;
    const uint32_t hour = pair(digits), minute = pair(digits + 3), second = pair(digits + 6);
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ns = ((int64_t)hour * 3600 + minute * 60 + second) * SECOND_NS + fraction;
    return true;
}

bool tl_fix_is_time(const char *text, size_t size)
{
    /* All but the last digit of the seconds at once, each within what can stand there. */
    static const char from[] = "00000000-00:00:0";
    static const char most[] = {9, 9, 9, 9, 1, 9, 3, 9, 0, 2, 9, 0, 5, 9, 0, 6};
    uint8_t digits[sizeof most];
    uint32_t fraction;
    if (size < DATE_SIZE + 1 + TIME_SIZE || !tl_fix_eight(text, from, most, digits) ||
        !tl_fix_eight(text + 8, from + 8, most + 8, digits + 8))
        return false;
    const uint32_t month = pair(digits + 4), day = pair(digits + 6);
    const unsigned last = (unsigned char)text[16] - (unsigned)'0';
    if (month < 1 || month > 12 || day < 1 || pair(digits + 9) > 23 ||
        last > (digits[15] == 6 ? 0 : 9))
        return false;
    if (day > 28 && day > days_of(pair(digits) * 100 + pair(digits + 2), month))
        return false;
    return size == 17 || read_fraction(text + 17, size - 17, &fraction);
}

bool tl_fix_read_time(const char *text, size_t size, int64_t *ts_ns)
{
    int64_t days, ns, day_ns;
    return size > DATE_SIZE && text[DATE_SIZE] == '-' && tl_fix_read_date(text, DATE_SIZE, &days) &&
           tl_fix_read_time_of_day(text + DATE_SIZE + 1, size - DATE_SIZE - 1, &ns) &&
           !__builtin_mul_overflow(days, DAY_S * SECOND_NS, &day_ns) &&
           !__builtin_add_overflow(day_ns, ns, ts_ns);
}

/* Two digits at `at`; its end. */
static inline char *write_two(char *at, uint32_t number)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
    return at + 2;
}

/* A dot and the first 3, 6 or 9 of the nine digits. */
static inline char *write_fraction(char *at, uint32_t ns, int decimals)
{
    const uint32_t first = ns / 100000000, rest = ns - first * 100000000;
    const uint64_t digits = tl_fix_eight_digits(rest) + TL_FIX_EACH('0');
    *at++ = '.';
    *at++ = (char)('0' + first);
    if (decimals == 3)
        memcpy(at, &digits, 2);
    else if (decimals == 6)
        memcpy(at, &digits, 5);
    else
        memcpy(at, &digits, 8);
    return at + decimals - 1;
}

static char *write_date(char *at, int64_t days)
{
    int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    uint32_t of_era = (uint32_t)(shifted - era * 146097);
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * of_year + 2) / 153;
    uint32_t day = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year = (uint32_t)(year + era * 400 + (month <= 2));
    at = write_two(write_two(at, year / 100 % 100), year % 100);
    return write_two(write_two(at, month), day);
}

static void write_second(char *at, int64_t seconds)
{
    int64_t days = seconds / DAY_S - (seconds % DAY_S < 0);
    uint32_t second = (uint32_t)(seconds - days * DAY_S);
    at = write_date(at, days);
    *at++ = '-';
    at = write_two(at, second / 3600);
    *at++ = ':';
    at = write_two(at, second / 60 % 60);
    *at++ = ':';
    write_two(at, second % 60);
}

char *tl_fix_write_time(char *at, int64_t ts_ns, int decimals)
{
    /* Most times that a thread writes are of the second of the one before. */
    static _Thread_local struct {
        int64_t start_ns;
        char text[DATE_SIZE + 1 + TIME_SIZE];
    } last = {0, "19700101-00:00:00"};
    assert(decimals == 0 || decimals == 3 || decimals == 6 || decimals == 9);
    uint64_t ns = (uint64_t)ts_ns - (uint64_t)last.start_ns;
    if (ns >= (uint64_t)SECOND_NS) {
        const int64_t seconds = ts_ns / SECOND_NS - (ts_ns % SECOND_NS < 0);
        ns = (uint64_t)ts_ns - (uint64_t)seconds * (uint64_t)SECOND_NS;
        last.start_ns = (int64_t)((uint64_t)ts_ns - ns);
        write_second(last.text, seconds);
    }
    memcpy(at, last.text, sizeof last.text);
    at += sizeof last.text;
    return decimals == 0 ? at : write_fraction(at, (uint32_t)ns, decimals);
}

/* Where a message begins and ends in a stream. See fix_message.h. */
#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_text.h"

#include <string.h>

#define BEGIN_STRING_MAX 16
#define LENGTH_DIGITS_MAX 12
#define TRAILER_SIZE 7 /* 10=ddd and SOH */

typedef enum reading { NO, MAYBE, YES, TOO_LONG } reading;

typedef struct head {
    size_t size; /* of BeginString and BodyLength */
    size_t body; /* as BodyLength(9) says */
} head;

/* The same of the versions there are; NO: it is something else, or less than 16 bytes. */
static reading read_known_begin(const char *bytes, size_t count, size_t *at)
{
    if (count < 16)
        return NO;
    if (memcmp(bytes, "8=FIX.4.", 8) == 0 && bytes[9] == TL_FIX_SOH && bytes[8] >= '0' &&
        bytes[8] <= '9')
        *at = sizeof "8=FIX.4.4";
    else if (memcmp(bytes, "8=FIXT.1", 8) == 0 && memcmp(bytes + 8, ".1\x01", 3) == 0)
        *at = sizeof "8=FIXT.1.1";
    else
        return NO;
    return YES;
}

/* "8=FIX" and its rest up to SOH; the end in `at`. */
static reading read_begin_string(const char *bytes, size_t count, size_t *at)
{
    static const char first[] = "8=FIX";
    size_t i = 0;
    if (count >= sizeof first - 1) {
        if (memcmp(bytes, first, sizeof first - 1) != 0)
            return NO;
        i = sizeof first - 1;
    }
    for (; i < sizeof first - 1; i++) {
        if (i == count)
            return MAYBE;
        if (bytes[i] != first[i])
            return NO;
    }
    for (; i < count; i++) {
        char c = bytes[i];
        if (c == TL_FIX_SOH) {
            *at = i + 1;
            return YES;
        }
        bool good = c == '.' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
        if (!good || i == BEGIN_STRING_MAX + 2)
            return NO;
    }
    return MAYBE;
}

/* "9=" and digits up to SOH. */
static reading read_body_length(const char *bytes, size_t count, size_t message_max, head *head)
{
    size_t at = head->size;
    for (const char *c = "9="; *c != '\0'; c++, at++) {
        if (at == count)
            return MAYBE;
        if (bytes[at] != *c)
            return NO;
    }
    size_t first = at;
    for (head->body = 0; at < count; at++) {
        unsigned digit = (unsigned char)bytes[at] - (unsigned)'0';
        if (bytes[at] == TL_FIX_SOH) {
            head->size = at + 1;
            return at == first ? NO : YES;
        }
        if (digit > 9 || at - first == LENGTH_DIGITS_MAX)
            return NO;
        head->body = head->body * 10 + digit;
        if (head->body > message_max)
            return TOO_LONG;
    }
    return MAYBE;
}

/* A SOH, "10=ddd" and a SOH; the number. -1: it is none. */
static int read_trailer(const char *bytes)
{
    const unsigned hundreds = (unsigned char)bytes[4] - (unsigned)'0';
    const unsigned tens = (unsigned char)bytes[5] - (unsigned)'0';
    const unsigned ones = (unsigned char)bytes[6] - (unsigned)'0';
    if (memcmp(bytes, "\x01" "10=", 4) != 0 || bytes[7] != TL_FIX_SOH || hundreds > 9 ||
        tens > 9 || ones > 9)
        return -1;
    return (int)(hundreds * 100 + tens * 10 + ones);
}

/* What begins at `bytes`. With YES `size` is the message's, or with a wrong CheckSum(10) what has
 * to be dropped, and `good` tells which. */
static reading read_message(const char *bytes, size_t count, size_t message_max, size_t *size,
                            bool *good)
{
    head head = {0};
    reading reading = read_known_begin(bytes, count, &head.size);
    if (reading == NO)
        reading = read_begin_string(bytes, count, &head.size);
    if (reading == YES)
        reading = read_body_length(bytes, count, message_max, &head);
    if (reading != YES)
        return reading;
    size_t end = head.size + head.body;
    *size = end + TRAILER_SIZE;
    if (*size > message_max)
        return TOO_LONG;
    if (count < *size)
        return MAYBE;
    const int sum = read_trailer(bytes + end - 1);
    if (sum < 0)
        return NO;
    *good = sum == tl_fix_checksum(bytes, end);
    return YES;
}

tl_fix_frame tl_fix_find_message(const char *bytes, size_t count, size_t message_max)
{
    size_t at = 0;
    while (at < count) {
        const char *eight = bytes + at;
        if (*eight != '8')
            eight = memchr(eight, '8', count - at);
        if (eight == NULL)
            break;
        at = (size_t)(eight - bytes);
        size_t size = 0;
        bool good = false;
        switch (read_message(eight, count - at, message_max, &size, &good)) {
        case TOO_LONG:
            return (tl_fix_frame){TL_FIX_FRAME_TOO_LONG, at, 0};
        case MAYBE:
            return (tl_fix_frame){TL_FIX_FRAME_MORE, at, 0};
        case YES:
            if (good)
                return (tl_fix_frame){TL_FIX_FRAME_WHOLE, at, size};
            at += size;
            break;
        case NO:
            at++;
        }
    }
    return (tl_fix_frame){TL_FIX_FRAME_MORE, count, 0};
}

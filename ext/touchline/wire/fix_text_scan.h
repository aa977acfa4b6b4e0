/* The loops that look at every byte of a message: sixteen at a time where the machine can (SSE2,
 * which every x86-64 has), one at a time elsewhere, with the same result. Inside the codec.
 */
#ifndef TOUCHLINE_FIX_TEXT_SCAN_H
#define TOUCHLINE_FIX_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* A value up to its SOH. */
typedef struct tl_fix_stretch {
    uint32_t end; /* place of the SOH; the size of the bytes: there is none */
    bool plain;   /* ASCII without NUL */
} tl_fix_stretch;

static inline tl_fix_stretch tl_fix_to_soh_slowly(const char *bytes, uint32_t at, uint32_t size)
{
    tl_fix_stretch stretch = {at, true};
    for (; stretch.end < size && bytes[stretch.end] != '\x01'; stretch.end++)
        stretch.plain &= (unsigned char)(bytes[stretch.end] - 1) < 0x7F;
    return stretch;
}

#ifdef __SSE2__
static inline __m128i tl_fix_load(const void *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

/* A bit for each of the sixteen bytes: is it SOH? */
static inline uint32_t tl_fix_stops(const char *bytes)
{
    const __m128i soh = _mm_set1_epi8('\x01');
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(tl_fix_load(bytes), soh));
}

/* The same, and a bit for each byte that is not plain. */
static inline void tl_fix_look(const char *bytes, uint32_t *stops, uint32_t *strange)
{
    const __m128i these = tl_fix_load(bytes);
    const __m128i nul = _mm_cmpeq_epi8(these, _mm_setzero_si128());
    *stops = tl_fix_stops(bytes);
    *strange = (uint32_t)_mm_movemask_epi8(_mm_or_si128(these, nul));
}
#endif

/* Where the value at `at` ends: at SOH; `end`: nowhere. Before `end` sixteen bytes can be read. */
static inline const char *tl_fix_value_end(const char *at, const char *end)
{
#ifdef __SSE2__
    uint32_t stops;
    for (; at <= end - 16; at += 16)
        if ((stops = tl_fix_stops(at)) != 0)
            return at + __builtin_ctz(stops);
    stops = tl_fix_stops(end - 16) >> (16 - (end - at));
    return stops != 0 ? at + __builtin_ctz(stops) : end;
#else
    while (at < end && *at != '\x01')
        at++;
    return at;
#endif
}

/* The same, and what was seen on the way: is it all ASCII without NUL? */
#ifdef __SSE2__
typedef __m128i tl_fix_plain;
#else
typedef bool tl_fix_plain;
#endif

static inline tl_fix_plain tl_fix_plain_so_far(void)
{
#ifdef __SSE2__
    return _mm_set1_epi8(-1);
#else
    return true;
#endif
}

static inline bool tl_fix_is_plain(tl_fix_plain plain)
{
#ifdef __SSE2__
    return _mm_movemask_epi8(plain) == 0xFFFF;
#else
    return plain;
#endif
}

#ifdef __SSE2__
static inline uint32_t tl_fix_plain_stops(const char *bytes, tl_fix_plain *plain)
{
    const __m128i good = _mm_cmpgt_epi8(tl_fix_load(bytes), _mm_setzero_si128());
    *plain = _mm_and_si128(*plain, good);
    return tl_fix_stops(bytes);
}
#endif

static inline const char *tl_fix_plain_end(const char *at, const char *end, tl_fix_plain *plain)
{
#ifdef __SSE2__
    uint32_t stops;
    for (; at <= end - 16; at += 16)
        if ((stops = tl_fix_plain_stops(at, plain)) != 0)
            return at + __builtin_ctz(stops);
    stops = tl_fix_plain_stops(end - 16, plain) >> (16 - (end - at));
    return stops != 0 ? at + __builtin_ctz(stops) : end;
#else
    for (; at < end && *at != '\x01'; at++)
        *plain &= (unsigned char)(*at - 1) < 0x7F;
    return at;
#endif
}

/* Are all bytes, sixteen or more, ASCII without NUL? */
static inline bool tl_fix_all_plain(const char *bytes, size_t size)
{
    tl_fix_plain plain = tl_fix_plain_so_far();
    for (const char *at = bytes, *const end = bytes + size; at < end; at++)
        at = tl_fix_plain_end(at, end, &plain);
    return tl_fix_is_plain(plain);
}

/* From `at`, which is at most `size`. Never reads outside the bytes. */
static inline tl_fix_stretch tl_fix_to_soh(const char *bytes, uint32_t at, uint32_t size)
{
#ifdef __SSE2__
    uint32_t odd = 0, stops, strange;
    for (; size - at >= 16; at += 16) {
        tl_fix_look(bytes + at, &stops, &strange);
        if (stops != 0) {
            odd |= strange & (stops ^ (stops - 1)); /* of what comes before the first stop */
            return (tl_fix_stretch){at + (uint32_t)__builtin_ctz(stops), odd == 0};
        }
        odd |= strange;
    }
    tl_fix_stretch rest = tl_fix_to_soh_slowly(bytes, at, size);
    rest.plain &= odd == 0;
    return rest;
#else
    return tl_fix_to_soh_slowly(bytes, at, size);
#endif
}

/* ── numbers of at most eight characters, all of them at once ────────────────────────────────── */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a word's lowest byte is its first");

#define TL_FIX_WORD 8u
#define TL_FIX_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* One to eight characters less '0', one in each byte: the last one highest, 0 before the first. */
static inline uint64_t tl_fix_short_word(const char *text, size_t size)
{
    const uint32_t before = 64 - 8 * (uint32_t)size;
    uint64_t word;
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + size - 4, 4);
        word = (uint64_t)first << before | (uint64_t)last << 32;
    } else {
        word = (uint64_t)(unsigned char)text[0] << before |
               (uint64_t)(unsigned char)text[size / 2] << (before + 8 * (size / 2)) |
               (uint64_t)(unsigned char)text[size - 1] << 56;
    }
    return word ^ TL_FIX_EACH('0') << before;
}

/* Is each byte 0 to 9? */
static inline bool tl_fix_all_digits(uint64_t word)
{
    return (((word + TL_FIX_EACH(0x76)) | word) & TL_FIX_EACH(0x80)) == 0;
}

/* What eight digits come to. */
static inline uint32_t tl_fix_digits_value(uint64_t word)
{
    word = word * 10 + (word >> 8); /* in every second byte, pairs */
    word = ((word & UINT64_C(0x000000FF000000FF)) * (100 + (UINT64_C(1000000) << 32)) +
            (word >> 16 & UINT64_C(0x000000FF000000FF)) * (1 + (UINT64_C(10000) << 32)));
    return (uint32_t)(word >> 32);
}

/* The digits of a number below 10^8, below 10^4: the first in the lowest byte. */
static inline uint64_t tl_fix_eight_digits(uint32_t number)
{
    const uint32_t high = number / 10000;
    uint64_t word = high | (uint64_t)(number - high * 10000) << 32, tens;
    tens = (word * 10486 >> 20) & UINT64_C(0x0000007F0000007F); /* of four digits, those above 99 */
    word = tens | (word - tens * 100) << 16;
    tens = (word * 103 >> 10) & UINT64_C(0x000F000F000F000F);
    return tens | (word - tens * 10) << 8;
}

static inline uint32_t tl_fix_four_digits(uint32_t number)
{
    const uint32_t high = number * 10486 >> 20, pairs = high | (number - high * 100) << 16;
    const uint32_t tens = (pairs * 103 >> 10) & 0x000F000F;
    return tens | (pairs - tens * 10) << 8;
}

/* The bits of the lowest byte that is a dot, 0: there is none. */
static inline uint64_t tl_fix_first_dot(uint64_t word)
{
    const uint64_t other = word ^ TL_FIX_EACH('.' ^ '0');
    const uint64_t dots = (other - TL_FIX_EACH(1)) & ~other & TL_FIX_EACH(0x80);
    return dots & (0 - dots);
}

/* The word without its dot, whose top bit is given: what stood before it moves up. */
static inline uint64_t tl_fix_without_dot(uint64_t word, uint64_t dot)
{
    const uint64_t before = (dot >> 7) - 1;
    return (word & before) << 8 | (word & ~(dot | (dot - 1)));
}

/* The same of up to eight characters before `end`, where eight can be read. */
static inline uint64_t tl_fix_word_before(const char *end, size_t size)
{
    uint64_t word;
    memcpy(&word, end - TL_FIX_WORD, sizeof word);
    return (word ^ TL_FIX_EACH('0')) & ~UINT64_C(0) << (64 - 8 * size);
}

/* Up to 64 bytes, most of them few: without a call. */
static inline void tl_fix_copy(char *to, const char *from, size_t size)
{
    if (size >= 2 * TL_FIX_WORD) {
        for (size_t at = 0; at + 2 * TL_FIX_WORD < size; at += 2 * TL_FIX_WORD)
            memcpy(to + at, from + at, 2 * TL_FIX_WORD);
        memcpy(to + size - 2 * TL_FIX_WORD, from + size - 2 * TL_FIX_WORD, 2 * TL_FIX_WORD);
        return;
    }
    if (size >= TL_FIX_WORD) {
        memcpy(to, from, TL_FIX_WORD);
        memcpy(to + size - TL_FIX_WORD, from + size - TL_FIX_WORD, TL_FIX_WORD);
        return;
    }
    for (size_t at = 0; at < size; at++)
        to[at] = from[at];
}

/* Digits, and at most one dot among them? */
static inline bool tl_fix_is_decimal(uint64_t word, size_t size)
{
    const uint64_t dot = tl_fix_first_dot(word);
    if (dot == 0)
        return tl_fix_all_digits(word);
    return size > 1 && tl_fix_all_digits(tl_fix_without_dot(word, dot));
}

/* Surely digits alone; not every such text is seen to be one. */
static inline bool tl_fix_is_short_number(const char *text, size_t size)
{
    return size - 1 < TL_FIX_WORD && tl_fix_all_digits(tl_fix_short_word(text, size));
}

/* Surely digits, and at most one dot among them. */
static inline bool tl_fix_is_short_decimal(const char *text, size_t size)
{
    if (size - 1 >= TL_FIX_WORD)
        return false;
    return tl_fix_is_decimal(tl_fix_short_word(text, size), size);
}

/* Are these eight bytes digits where `most` is 9, and as in `from` where `most` is 0? `from` has
 * '0' for a digit; `values` are the digits' values. */
static inline bool tl_fix_eight(const char *text, const char from[8], const char most[8],
                                uint8_t values[8])
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)text);
    bytes = _mm_sub_epi8(bytes, _mm_loadl_epi64((const __m128i *)(const void *)from));
    __m128i least = _mm_min_epu8(bytes, _mm_loadl_epi64((const __m128i *)(const void *)most));
    _mm_storel_epi64((__m128i *)(void *)values, bytes);
    return (_mm_movemask_epi8(_mm_cmpeq_epi8(least, bytes)) & 0xFF) == 0xFF;
#else
    bool good = true;
    for (int i = 0; i < 8; i++) {
        values[i] = (uint8_t)(text[i] - from[i]);
        good &= values[i] <= (uint8_t)most[i];
    }
    return good;
#endif
}

/* Modulo 256; the other bits are of no meaning. */
static inline uint32_t tl_fix_sum(const char *bytes, size_t count)
{
    uint32_t sum = 0;
    size_t at = 0;
#ifdef __SSE2__
    const __m128i nul = _mm_setzero_si128();
    __m128i sums = nul;
    for (; count - at >= 64; at += 64) {
        const __m128i two = _mm_add_epi8(tl_fix_load(bytes + at), tl_fix_load(bytes + at + 16));
        sums = _mm_add_epi8(_mm_add_epi8(sums, two), tl_fix_load(bytes + at + 32));
        sums = _mm_add_epi8(sums, tl_fix_load(bytes + at + 48));
    }
    for (; count - at >= 16; at += 16)
        sums = _mm_add_epi8(sums, tl_fix_load(bytes + at));
    if (at != 0 && at != count) { /* the last sixteen, those counted before left out */
        static const uint8_t keep[32] = {[16] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                         255,        255, 255, 255, 255, 255};
        const __m128i these = tl_fix_load(bytes + count - 16);
        sums = _mm_add_epi8(sums, _mm_and_si128(these, tl_fix_load(keep + (count - at))));
        at = count;
    }
    sums = _mm_sad_epu8(sums, nul);
    sums = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
    sum = (uint32_t)_mm_cvtsi128_si32(sums);
#endif
    for (; at < count; at++)
        sum += (unsigned char)bytes[at];
    return sum;
}

#endif

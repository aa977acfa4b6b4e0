/* The loops that look at every byte of a message: sixteen at a time where the machine can (SSE2,
 * which every x86-64 has), one at a time elsewhere, with the same result. Inside the codec.
 */
#ifndef TOUCHLINE_FIX_TEXT_SCAN_H
#define TOUCHLINE_FIX_TEXT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* A bit for each of the sixteen bytes: is it SOH, and is it not plain? */
static inline void tl_fix_look(const char *bytes, uint32_t *stops, uint32_t *strange)
{
    const __m128i these = tl_fix_load(bytes);
    const __m128i nul = _mm_cmpeq_epi8(these, _mm_setzero_si128());
    *stops = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(these, _mm_set1_epi8('\x01')));
    *strange = (uint32_t)_mm_movemask_epi8(_mm_or_si128(these, nul));
}
#endif

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

static inline uint32_t tl_fix_sum(const char *bytes, size_t count)
{
    uint32_t sum = 0;
    size_t at = 0;
#ifdef __SSE2__
    const __m128i nul = _mm_setzero_si128();
    __m128i sums = nul;
    for (; count - at >= 16; at += 16)
        sums = _mm_add_epi64(sums, _mm_sad_epu8(tl_fix_load(bytes + at), nul));
    if (at != 0 && at != count) { /* the last sixteen, those counted before left out */
        static const uint8_t keep[32] = {[16] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                         255,        255, 255, 255, 255, 255};
        const __m128i these = tl_fix_load(bytes + count - 16);
        const __m128i kept = _mm_and_si128(these, tl_fix_load(keep + (count - at)));
        sums = _mm_add_epi64(sums, _mm_sad_epu8(kept, nul));
        at = count;
    }
    sums = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
    sum = (uint32_t)_mm_cvtsi128_si32(sums);
#endif
    for (; at < count; at++)
        sum += (unsigned char)bytes[at];
    return sum;
}

#endif

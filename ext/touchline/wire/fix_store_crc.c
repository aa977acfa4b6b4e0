/* CRC-32C of the store's records: the processor's instruction where there is one. */
#include "touchline/wire/fix_store_log.h"

#include <string.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

static uint32_t crc_bitwise(uint32_t crc, const unsigned char *at, size_t count)
{
    while (count-- > 0) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (UINT32_C(0x82F63B78) & (0u - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_words(uint32_t crc,
                                                            const unsigned char *at, size_t words)
{
    uint64_t sum = crc, four[4], word;
    for (; words >= 4; words -= 4, at += sizeof four) {
        memcpy(four, at, sizeof four);
        sum = _mm_crc32_u64(_mm_crc32_u64(sum, four[0]), four[1]);
        sum = _mm_crc32_u64(_mm_crc32_u64(sum, four[2]), four[3]);
    }
    for (; words > 0; words--, at += 8) {
        memcpy(&word, at, 8);
        sum = _mm_crc32_u64(sum, word);
    }
    return (uint32_t)sum;
}
static bool has_words(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
static uint32_t crc_words(uint32_t crc, const unsigned char *at, size_t words)
{
    for (; words > 0; words--, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    return crc;
}
static bool has_words(void)
{
    return true;
}
#else
static uint32_t crc_words(uint32_t crc, const unsigned char *at, size_t words)
{
    return crc_bitwise(crc, at, words * 8);
}
static bool has_words(void)
{
    return false;
}
#endif

uint32_t tl_fix_store_crc(uint32_t crc, const void *bytes, size_t count)
{
    if (!has_words())
        return crc_bitwise(crc, bytes, count);
    crc = crc_words(crc, bytes, count / 8);
    return crc_bitwise(crc, (const unsigned char *)bytes + (count & ~(size_t)7), count & 7);
}

/* SipHash-1-3 with 128 bits (Aumasson and Bernstein, 2012). */
#include "touchline/wire/fix_orders_rows.h"

static uint64_t turned(uint64_t word, int by)
{
    return word << by | word >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = turned(v[1], 13) ^ v[0], v[0] = turned(v[0], 32);
    v[2] += v[3], v[3] = turned(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = turned(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = turned(v[1], 17) ^ v[2], v[2] = turned(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t sip_end(uint64_t v[4])
{
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The bytes behind the last whole word, the first lowest. */
static uint64_t last_bytes(const char *text, size_t size)
{
    const size_t count = size % 8;
    uint64_t word = 0;
    if (count == 0)
        return 0;
    if (size >= 8) {
        memcpy(&word, text + size - 8, 8);
        return word >> (64 - 8 * count);
    }
    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return word;
}

void tl_fix_keyed_hash(const uint64_t key[2], uint32_t session, const char *text, size_t size,
                       uint64_t hash[2])
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f83),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    sip_word(v, session);
    size_t at = 0;
    for (uint64_t word; at + 8 <= size; at += 8) {
        memcpy(&word, text + at, 8);
        sip_word(v, word);
    }
    sip_word(v, (uint64_t)size << 56 | last_bytes(text, size));
    v[2] ^= 0xee;
    hash[0] = sip_end(v);
    v[1] ^= 0xdd;
    hash[1] = sip_end(v);
}

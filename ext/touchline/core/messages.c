/* The constants as tables, and the checksum that the journal keeps with every command. */
#include "touchline/core/messages.h"

#include <stddef.h>
#include <string.h>

#define TL_ROW(set, name, value) {#set, #name, (value)},
#define TL_ROW_LIMIT(set, name, value, owner, unit, member, lowest, highest, unset)                \
    {#set, #name, (value)},
#define TL_ROW_REASON(set, name, value, ord, cxl, text) {#set, #name, (value)},
const tl_constant tl_constants[] = {
    TL_MSG_TYPES(TL_ROW) TL_SIDES(TL_ROW) TL_ORD_TYPES(TL_ROW) TL_TIMES_IN_FORCE(TL_ROW)
        TL_EXEC_TYPES(TL_ROW) TL_TRADING_STATUSES(TL_ROW) TL_ENTRY_STATUSES(TL_ROW)
            TL_SELF_TRADES(TL_ROW) TL_ALLOCATIONS(TL_ROW) TL_LIMITS(TL_ROW_LIMIT)
                TL_TEXTS(TL_ROW) TL_FLAGS(TL_ROW) TL_MORE(TL_ROW) TL_TERMS_FLAGS(TL_ROW)
                    TL_CONTINGENCIES(TL_ROW) TL_REASONS(TL_ROW_REASON)};
const int tl_constants_count = (int)(sizeof tl_constants / sizeof tl_constants[0]);

#define TL_RANGE(set, name, value, owner, unit, member, lowest, highest, unset)                    \
    {(value), #owner, #unit, (lowest), (highest), (unset)},
const tl_limit_range tl_limit_ranges[] = {TL_LIMITS(TL_RANGE)};
const int tl_limit_ranges_count = (int)(sizeof tl_limit_ranges / sizeof tl_limit_ranges[0]);

#define TL_ROW_TEXT(set, name, value, ord, cxl, text) {(value), (ord), (cxl), (text)},
const tl_reason_text tl_reason_texts[] = {TL_REASONS(TL_ROW_TEXT)};
const int tl_reason_texts_count = (int)(sizeof tl_reason_texts / sizeof tl_reason_texts[0]);

/* CRC32C, reflected polynomial 0x82F63B78, one nibble at a time: the portable twin of the
 * processor's instruction. */
static uint32_t crc32c_portable(const unsigned char *bytes, size_t count)
{
    static const uint32_t nibble[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const unsigned char *bytes)
{
    uint64_t crc = UINT32_MAX;
    for (size_t i = 0; i < sizeof(tl_command); i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    return ~(uint32_t)crc;
}
#endif

uint32_t tl_command_checksum(const tl_command *cmd)
{
    tl_command copy = *cmd;
    copy.checksum = 0;
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42((const unsigned char *)&copy);
#endif
    return crc32c_portable((const unsigned char *)&copy, sizeof copy);
}

/* The records' layout and the checksum, against numbers known from elsewhere. */
#include "check.h"
#include "touchline/core/messages.h"

/* The nibble-wise twin, over any bytes: the standard check value of CRC32C is E3069283. */
static uint32_t crc32c_by_bits(const unsigned char *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void checksum_is_crc32c_of_the_command_with_a_checksum_of_zero(void)
{
    uint64_t seed = 7;
    CHECK(crc32c_by_bits((const unsigned char *)"123456789", 9) == 0xE3069283u);
    for (int i = 0; i < 1000; i++) {
        tl_command cmd;
        unsigned char bytes[sizeof cmd];
        for (size_t at = 0; at < sizeof cmd; at++)
            bytes[at] = (unsigned char)random_next(&seed);
        memcpy(&cmd, bytes, sizeof cmd);
        uint32_t sum = tl_command_checksum(&cmd);
        memset(bytes + offsetof(tl_command, checksum), 0, 4);
        CHECK(sum == crc32c_by_bits(bytes, sizeof bytes));
        bytes[random_next(&seed) % offsetof(tl_command, checksum)] ^= 1;
        CHECK(sum != crc32c_by_bits(bytes, sizeof bytes));
    }
}

static void a_text_fills_the_bytes_from_order_id_to_account(void)
{
    tl_command cmd = {0};
    memset(tl_command_text(&cmd), 'x', TL_TEXT_BYTES);
    cmd.key = 9;
    CHECK(cmd.order_id == UINT64_C(0x7878787878787878) && cmd.account == 0x78787878u);
    CHECK(cmd.ts_ns == 0 && cmd.checksum == 0 && cmd.instrument == 9 && cmd.type == 0);
}

static void no_two_constants_of_a_set_share_a_value(void)
{
    for (int i = 0; i < tl_constants_count; i++)
        for (int j = 0; j < i; j++)
            if (strcmp(tl_constants[i].set, tl_constants[j].set) == 0)
                CHECK(tl_constants[i].value != tl_constants[j].value);
    for (int i = 0; i < tl_reason_texts_count; i++)
        CHECK(tl_reason_texts[i].reason == i);
}

int main(void)
{
    checksum_is_crc32c_of_the_command_with_a_checksum_of_zero();
    a_text_fills_the_bytes_from_order_id_to_account();
    no_two_constants_of_a_set_share_a_value();
    return 0;
}

/* The messages that were sent last: there, byte for byte, until they are written over. */
#include "moldudp64_packets.h"
#include "touchline/wire/moldudp64_history.h"

static uint8_t packet[2048];

/* The newest are there, byte for byte, and those written over are not. */
static void a_history_has_the_newest_messages(void)
{
    static uint64_t places[256];
    static uint8_t ring[70000];
    uint8_t said[64], got[64];
    uint64_t sent = 0, random = 9;
    tl_moldudp64_history history;
    CHECK(!tl_moldudp64_history_open(&history, places, 200, ring, sizeof ring, 1));
    CHECK(!tl_moldudp64_history_open(&history, places, 256, ring, 65536, 1));
    CHECK(tl_moldudp64_history_open(&history, places, 256, ring, sizeof ring, 1));
    for (int i = 0; i < 5000; i++) {
        const uint32_t count = (uint32_t)(random_next(&random) % 8);
        const size_t size = write_packet(packet, sizeof packet, sent + 1, count);
        tl_moldudp64_history_add(&history, packet + 20, size - 20);
        sent += count;
        for (uint64_t j = 0; j < 4 && sent != 0; j++) {
            const uint64_t number = 1 + random_next(&random) % (sent + 1);
            const size_t there = tl_moldudp64_history_source(&history, number, got, sizeof got);
            if (number > sent || sent - number >= 256) {
                CHECK(there == SIZE_MAX);
                continue;
            }
            CHECK(there == say(number, said) && memcmp(got, said, there) == 0);
            CHECK(tl_moldudp64_history_source(&history, number, got, there - 1) == SIZE_MAX);
        }
    }
}

/* Bytes run out before places do. */
static void a_history_forgets_what_it_has_written_over(void)
{
    static uint64_t places[65536];
    static uint8_t ring[65537];
    uint8_t said[64], got[64];
    tl_moldudp64_history history;
    CHECK(tl_moldudp64_history_open(&history, places, 65536, ring, sizeof ring, 1));
    for (uint64_t sent = 0; sent < 20000; sent += 10) {
        const size_t size = write_packet(packet, sizeof packet, sent + 1, 10);
        tl_moldudp64_history_add(&history, packet + 20, size - 20);
    }
    uint32_t there = 0;
    for (uint64_t number = 1; number <= 20000; number++) {
        const size_t size = tl_moldudp64_history_source(&history, number, got, sizeof got);
        CHECK(size == SIZE_MAX || (size == say(number, said) && memcmp(got, said, size) == 0));
        there += size != SIZE_MAX;
        CHECK(there == 0 || size != SIZE_MAX);
    }
    CHECK(there > 2000 && there < 2500);
}

int main(void)
{
    a_history_has_the_newest_messages();
    a_history_forgets_what_it_has_written_over();
    return 0;
}

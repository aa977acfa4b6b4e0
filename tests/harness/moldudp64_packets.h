/* Packets of MoldUDP64 whose messages say their numbers, for the tests of it. */
#ifndef TOUCHLINE_TEST_MOLDUDP64_PACKETS_H
#define TOUCHLINE_TEST_MOLDUDP64_PACKETS_H

#include "check.h"
#include "touchline/wire/moldudp64.h"

#define SESSION "SESSION001"

/* What message `number` says; its size. */
static inline size_t say(uint64_t number, uint8_t *out)
{
    const size_t size = 8 + (size_t)(number * 7 % 40);
    memset(out, (int)(number & 0xff), size);
    tl_put_u64(out, number);
    return size;
}

/* A packet of `count` messages from `first`. */
static inline size_t write_packet(uint8_t *out, size_t room, uint64_t first, uint32_t count)
{
    tl_moldudp64_builder builder;
    uint8_t message[64];
    tl_moldudp64_begin(&builder, out, room, SESSION, first);
    for (uint32_t i = 0; i < count; i++) {
        const size_t size = say(first + i, message);
        uint8_t *at = tl_moldudp64_add(&builder, size);
        if (at == NULL)
            break;
        memcpy(at, message, size);
    }
    return tl_moldudp64_finish(&builder);
}

#endif

/* A ring of bytes and a ring of places. moldudp64_history.h draws it. */
#include "touchline/wire/moldudp64_history.h"

#define BLOCK_MAX (2u + UINT16_MAX)

bool tl_moldudp64_history_open(tl_moldudp64_history *history, uint64_t *places,
                               uint64_t messages_max, uint8_t *bytes, uint64_t bytes_max,
                               uint64_t next)
{
    if (messages_max == 0 || (messages_max & (messages_max - 1)) != 0 || bytes_max < BLOCK_MAX)
        return false;
    *history = (tl_moldudp64_history){.places = places,
                                      .bytes = bytes,
                                      .messages_max = messages_max,
                                      .bytes_max = bytes_max,
                                      .next = next};
    memset(places, 0xff, messages_max * sizeof *places); /* nowhere */
    return true;
}

/* One message; at the ring's end it begins at the start, so that it lies in one piece. */
static void add_one(tl_moldudp64_history *history, const uint8_t *block, size_t size)
{
    const uint64_t left = history->bytes_max - history->written % history->bytes_max;
    if (left < size)
        history->written += left;
    memcpy(history->bytes + history->written % history->bytes_max, block, size);
    history->places[history->next & (history->messages_max - 1)] = history->written;
    history->written += size;
    history->next++;
}

void tl_moldudp64_history_add(tl_moldudp64_history *history, const uint8_t *blocks, size_t size)
{
    while (size >= 2) {
        const size_t block = 2u + tl_get_u16(blocks);
        if (block > size)
            return;
        add_one(history, blocks, block);
        blocks += block;
        size -= block;
    }
}

size_t tl_moldudp64_history_source(void *context, uint64_t number, uint8_t *out, size_t room)
{
    const tl_moldudp64_history *history = context;
    if (number >= history->next || history->next - number > history->messages_max)
        return SIZE_MAX;
    const uint64_t place = history->places[number & (history->messages_max - 1)];
    if (place > history->written || history->written - place > history->bytes_max)
        return SIZE_MAX; /* written over, or never there */
    const uint8_t *block = history->bytes + place % history->bytes_max;
    const size_t size = tl_get_u16(block);
    if (size > room)
        return SIZE_MAX;
    memcpy(out, block + 2, size);
    return size;
}

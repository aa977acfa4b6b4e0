/* The state as bytes, and back: a copy of the region with a checksum behind it. */
#include "touchline/core/invariants.h"

#include <errno.h>
#include <string.h>

/* A snapshot is the region and, behind it, a checksum of its bytes: a region that is damaged has
 * indices that lead anywhere, so it must be refused before it is looked at. */
static uint64_t checksum(const char *bytes, size_t count)
{
    uint64_t sum = TL_STATE_MAGIC;
    for (size_t at = 0; at + sizeof(uint64_t) <= count; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        sum = tl_mix(sum, word);
    }
    return sum;
}

size_t tl_engine_snapshot_bytes(const tl_engine *engine)
{
    return engine->state->bytes + sizeof(uint64_t);
}

void tl_engine_snapshot(const tl_engine *engine, void *bytes)
{
    size_t count = engine->state->bytes;
    memcpy(bytes, engine->state, count);
    uint64_t sum = checksum(bytes, count);
    memcpy((char *)bytes + count, &sum, sizeof sum);
}

int tl_engine_restore(tl_engine *engine, const void *bytes, size_t count)
{
    tl_state header;
    uint64_t sum;
    if (count != tl_engine_snapshot_bytes(engine))
        return -EINVAL;
    memcpy(&header, bytes, sizeof header);
    if (header.magic != TL_STATE_MAGIC || header.bytes != engine->state->bytes ||
        memcmp(&header.capacities, &engine->state->capacities, sizeof header.capacities) != 0)
        return -EINVAL;
    memcpy(&sum, (const char *)bytes + header.bytes, sizeof sum);
    if (sum != checksum(bytes, header.bytes))
        return -EBADMSG;
    const uintptr_t inside = tl_writer_enter(engine);
    memcpy(engine->state, bytes, header.bytes);
    tl_writer_leave(engine, inside);
#ifdef TOUCHLINE_CHECKED
    tl_invariants_hold(engine);
#endif
    return 0;
}

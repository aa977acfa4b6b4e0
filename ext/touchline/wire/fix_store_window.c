/* How much of the log is in this process's memory. All of it is mapped, at addresses that stay; the
 * pages of what was written or read long ago are given back, so that neither a session that does
 * not read nor one that asks for everything makes the process grow with the log. Nothing is lost by
 * that: the pages stay the file's, and whoever looks at one again gets it back. */
#define _DEFAULT_SOURCE
#include "touchline/wire/fix_store_log.h"

#include <sys/mman.h>

/* A chunk's segment may have gone. */
static void give_back(const tl_fix_store *store, uint64_t chunk)
{
    uint64_t place = chunk << CHUNK_BITS;
    uint32_t number = (uint32_t)(place >> 32), at = (uint32_t)place;
    if (number < store->first_segment || number - store->first_segment >= store->segments_count)
        return;
    const segment *part = &store->segments[number - store->first_segment];
    if (at >= part->bytes)
        return;
    uint32_t left = part->bytes - at;
    madvise(part->at + at, left < CHUNK_BYTES ? left : CHUNK_BYTES, MADV_DONTNEED);
}

void tl_fix_store_use(tl_fix_store *store, uint64_t chunk)
{
    store->used_last = chunk;
    for (unsigned i = 0; i < CHUNKS_MAX; i++)
        if (store->used[i] == chunk)
            return;
    uint64_t *oldest = &store->used[store->used_next++ % CHUNKS_MAX];
    if (*oldest != 0)
        give_back(store, *oldest);
    *oldest = chunk;
}

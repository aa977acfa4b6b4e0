/* The engine's memory: opened as one region, hashed, copied and looked at. */
#include "touchline/core/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

#define TL_CAPACITY(name, lowest, highest, counts) {#name, (lowest), (highest), (counts)},
const tl_capacity tl_capacities[] = {TL_CAPACITIES(TL_CAPACITY)};
const int tl_capacities_count = (int)(sizeof tl_capacities / sizeof tl_capacities[0]);
#undef TL_CAPACITY

static bool capacities_valid(const tl_engine_capacities *capacities)
{
#define TL_WITHIN(name, lowest, highest, counts)                                                   \
    if (capacities->name < (lowest) || capacities->name > (highest))                               \
        return false;
    TL_CAPACITIES(TL_WITHIN)
#undef TL_WITHIN
    return true;
}

static uint32_t nodes_max(const tl_engine_capacities *capacities)
{
    return tl_book_nodes_max(capacities->price_blocks_max, capacities->instruments_max);
}

static uint32_t probes_count(const tl_engine_capacities *capacities)
{
    uint32_t count = 8;
    while (count < 2 * capacities->positions_max)
        count *= 2;
    return count;
}

static uint32_t cold_count(const tl_engine_capacities *capacities)
{
    uint32_t groups = (capacities->orders_max + TL_SLOT_GROUP - 1) / TL_SLOT_GROUP;
    return groups * TL_SLOT_GROUP;
}

/* Give each array its place, cache-line aligned; returns where the next would go. With `base` NULL
 * this only measures. */
static size_t lay_out(tl_engine *engine, char *base, const tl_engine_capacities *capacities)
{
    size_t at = (sizeof(tl_state) + 63) & ~(size_t)63;
    size_t place;
#define TL_PLACE(pointer, count)                                                                   \
    place = at;                                                                                    \
    at = (at + (size_t)(count) * sizeof *(pointer) + 63) & ~(size_t)63;                            \
    if (base != NULL)                                                                              \
        (pointer) = (void *)(base + place);
    TL_PLACE(engine->risk.instruments, capacities->instruments_max)
    TL_PLACE(engine->shelf.books, capacities->instruments_max)
    TL_PLACE(engine->risk.accounts, capacities->accounts_max)
    TL_PLACE(engine->positions.newest, capacities->accounts_max)
    TL_PLACE(engine->positions.probes, probes_count(capacities))
    TL_PLACE(engine->positions.entries, capacities->positions_max)
    TL_PLACE(engine->shelf.orders, capacities->orders_max)
    TL_PLACE(engine->shelf.cold, cold_count(capacities))
    TL_PLACE(engine->shelf.blocks, capacities->price_blocks_max)
    TL_PLACE(engine->shelf.levels, (size_t)capacities->price_blocks_max * TL_BLOCK_LEVELS)
    TL_PLACE(engine->shelf.queues, (size_t)capacities->price_blocks_max * TL_BLOCK_LEVELS)
    TL_PLACE(engine->shelf.nodes, nodes_max(capacities))
    TL_PLACE(engine->shelf.children, (size_t)nodes_max(capacities) * TL_NODE_CHILDREN)
#undef TL_PLACE
    return at;
}

static void state_init(tl_engine *engine, const tl_engine_capacities *capacities, size_t bytes)
{
    tl_state *state = engine->state;
    state->magic = TL_STATE_MAGIC;
    state->bytes = bytes;
    state->capacities = *capacities;
    state->risk = (tl_risk_counts){.instruments_max = capacities->instruments_max,
                                   .accounts_max = capacities->accounts_max};
    state->positions = (tl_position_counts){.positions_max = capacities->positions_max,
                                            .probe_mask = probes_count(capacities) - 1};
    tl_risk_init(&engine->risk);
    tl_pools_init(&state->pools, capacities->orders_max, capacities->price_blocks_max,
                  nodes_max(capacities));
    for (uint32_t i = 0; i < capacities->instruments_max; i++)
        tl_book_init(&engine->shelf.books[i]);
}

int tl_engine_open(tl_engine **out, const tl_engine_capacities *capacities)
{
    *out = NULL;
    if (!capacities_valid(capacities))
        return -EINVAL;
    tl_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return -ENOMEM;
    size_t bytes = lay_out(engine, NULL, capacities);
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        free(engine);
        return -ENOMEM;
    }
    /* Huge pages where the kernel gives them; then every page is touched: no step meets a fault. */
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(base, bytes, MADV_HUGEPAGE);
    (void)madvise(base, bytes, MADV_POPULATE_WRITE);
    lay_out(engine, base, capacities);
    engine->state = (tl_state *)(void *)base;
    engine->risk.counts = &engine->state->risk;
    engine->positions.counts = &engine->state->positions;
    engine->shelf.pools = &engine->state->pools;
    state_init(engine, capacities, bytes);
    *out = engine;
    return 0;
}

void tl_engine_close(tl_engine *engine)
{
    if (engine == NULL)
        return;
    munmap(engine->state, engine->state->bytes);
    free(engine);
}

/* The engine's memory: opened as one region, and moved to a larger one. */
#include "touchline/core/invariants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

#define TL_CAPACITY(name, usual, lowest, highest, counts)                                          \
    {#name, (usual), (lowest), (highest), (counts)},
const tl_capacity tl_capacities[] = {TL_CAPACITIES(TL_CAPACITY)};
const int tl_capacities_count = (int)(sizeof tl_capacities / sizeof tl_capacities[0]);
#undef TL_CAPACITY

#define TL_USUAL(name, usual, lowest, highest, counts) .name = (usual),
const tl_engine_capacities tl_engine_capacities_usual = {TL_CAPACITIES(TL_USUAL)};
#undef TL_USUAL

const tl_capacity *tl_engine_capacities_fault(const tl_engine_capacities *capacities)
{
    const tl_capacity *row = tl_capacities;
#define TL_WITHIN(name, usual, lowest, highest, counts)                                            \
    if (capacities->name < (lowest) || capacities->name > (highest))                               \
        return row;                                                                                \
    row++;
    TL_CAPACITIES(TL_WITHIN)
#undef TL_WITHIN
    return NULL;
}

static uint32_t nodes_max(const tl_engine_capacities *capacities)
{
    uint32_t books = capacities->instruments_max * (1 + TL_UNSEEN_BOOKS);
    return tl_book_nodes_max(capacities->price_blocks_max, books);
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

/* The arrays of the region, in their order there, and how many elements each has. */
#define TL_ARRAYS(X, engine, c)                                                                    \
    X((engine)->risk.instruments, (c)->instruments_max)                                            \
    X((engine)->shelf.books, (c)->instruments_max)                                                 \
    X((engine)->shelf.unseen, (size_t)(c)->instruments_max * TL_UNSEEN_BOOKS)                      \
    X((engine)->risk.allocations, (c)->instruments_max)                                            \
    X((engine)->risk.accounts, (c)->accounts_max)                                                  \
    X((engine)->positions.newest, (c)->accounts_max)                                               \
    X((engine)->positions.probes, probes_count(c))                                                 \
    X((engine)->positions.entries, (c)->positions_max)                                             \
    X((engine)->shelf.orders, (c)->orders_max)                                                     \
    X((engine)->shelf.cold, cold_count(c))                                                         \
    X((engine)->shelf.special, (c)->orders_max)                                                    \
    X((engine)->shelf.links, (c)->orders_max)                                                      \
    X((engine)->expiries, tl_chain_max((c)->orders_max))                                           \
    X((engine)->shelf.allotted, (c)->orders_max)                                                   \
    X((engine)->shelf.blocks, (c)->price_blocks_max)                                               \
    X((engine)->shelf.levels, (size_t)(c)->price_blocks_max * TL_BLOCK_LEVELS)                     \
    X((engine)->shelf.queues, (size_t)(c)->price_blocks_max * TL_BLOCK_LEVELS)                     \
    X((engine)->shelf.nodes, nodes_max(c))                                                         \
    X((engine)->shelf.children, (size_t)nodes_max(c) * TL_NODE_CHILDREN)

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
    TL_ARRAYS(TL_PLACE, engine, capacities)
#undef TL_PLACE
    return at;
}

/* Map a region for these capacities, all zeros, and have the engine's pointers lead into it. */
static int region_map(tl_engine *engine, const tl_engine_capacities *capacities, size_t *bytes)
{
    *bytes = lay_out(engine, NULL, capacities);
    char *base = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return -ENOMEM;
    /* Huge pages where the kernel gives them; then every page is touched: no step meets a fault. */
    if (*bytes >= HUGE_PAGE_BYTES)
        (void)madvise(base, *bytes, MADV_HUGEPAGE);
    (void)madvise(base, *bytes, MADV_POPULATE_WRITE);
    lay_out(engine, base, capacities);
    engine->state = (tl_state *)(void *)base;
    engine->risk.counts = &engine->state->risk;
    engine->positions.counts = &engine->state->positions;
    engine->shelf.pools = &engine->state->pools;
    return 0;
}

/* Books of instruments from number `first` on, without orders. */
static void books_init(const tl_engine *engine, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++)
        tl_book_init(&engine->shelf.books[i]);
    for (size_t i = (size_t)first * TL_UNSEEN_BOOKS; i < (size_t)end * TL_UNSEEN_BOOKS; i++)
        tl_book_init(&engine->shelf.unseen[i]);
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
    books_init(engine, 0, capacities->instruments_max);
}

int tl_engine_open(tl_engine **out, const tl_engine_capacities *capacities)
{
    *out = NULL;
    if (tl_engine_capacities_fault(capacities) != NULL)
        return -EINVAL;
    tl_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return -ENOMEM;
    size_t bytes;
    if (region_map(engine, capacities, &bytes) != 0) {
        free(engine);
        return -ENOMEM;
    }
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

/* Is none of them less than the engine has now? */
static bool capacities_cover(const tl_engine_capacities *larger, const tl_engine_capacities *now)
{
#define TL_COVERS(name, usual, lowest, highest, counts)                                            \
    if (larger->name < now->name)                                                                  \
        return false;
    TL_CAPACITIES(TL_COVERS)
#undef TL_COVERS
    return true;
}

/* What is in the arrays of one region, into those of a larger one that holds zeros. */
static void arrays_copy(const tl_engine *to, const tl_engine *from)
{
    const tl_engine_capacities *now = &from->state->capacities;
    size_t counts[] = {
#define TL_COUNT(pointer, count) (size_t)(count) * sizeof *(pointer),
        TL_ARRAYS(TL_COUNT, from, now)
#undef TL_COUNT
    };
    const void *places[] = {
#define TL_POINTER(pointer, count) (pointer),
        TL_ARRAYS(TL_POINTER, from, now)
    };
    void *larger[] = {TL_ARRAYS(TL_POINTER, to, now)};
#undef TL_POINTER
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        memcpy(larger[i], places[i], counts[i]);
}

/* As state_init leaves it, but for how full everything is. */
static void state_grow(tl_engine *grown, const tl_engine *from,
                       const tl_engine_capacities *capacities, size_t bytes)
{
    tl_state *state = grown->state;
    *state = *from->state;
    state->bytes = bytes;
    state->capacities = *capacities;
    state->risk.instruments_max = capacities->instruments_max;
    state->risk.accounts_max = capacities->accounts_max;
    state->positions.positions_max = capacities->positions_max;
    state->positions.probe_mask = probes_count(capacities) - 1;
    tl_pools_grow(&state->pools, capacities->orders_max, capacities->price_blocks_max,
                  nodes_max(capacities));
    arrays_copy(grown, from);
    tl_positions_probe_again(&grown->positions);
    books_init(grown, from->state->capacities.instruments_max, capacities->instruments_max);
}

int tl_engine_grow(tl_engine *engine, const tl_engine_capacities *larger)
{
    tl_engine grown = *engine;
    size_t bytes;
    if (tl_engine_capacities_fault(larger) != NULL ||
        !capacities_cover(larger, &engine->state->capacities))
        return -EINVAL;
    if (region_map(&grown, larger, &bytes) != 0)
        return -ENOMEM;
    const uintptr_t inside = tl_writer_enter(engine);
    state_grow(&grown, engine, larger, bytes);
    munmap(engine->state, engine->state->bytes);
    *engine = grown;
    tl_writer_leave(engine, inside);
#ifdef TOUCHLINE_CHECKED
    tl_invariants_hold(engine);
#endif
    return 0;
}

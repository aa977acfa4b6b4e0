/* The engine's memory: opened as one region, hashed, copied and looked at. */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STATE_MAGIC UINT64_C(0x33656E696C686374) /* "tchline3" */
#define HUGE_PAGE_BYTES (UINT64_C(2) << 20)

static bool limits_valid(const tl_engine_limits *limits)
{
    const uint32_t most = 1u << 24;
    return limits->instruments_max >= 1 && limits->instruments_max < TL_INSTRUMENT_ALL &&
           limits->accounts_max >= 1 && limits->accounts_max <= most && limits->orders_max >= 1 &&
           limits->orders_max <= 1u << 26 && limits->positions_max >= 1 &&
           limits->positions_max <= most && limits->leaves_max >= 1 && limits->leaves_max <= most;
}

static uint32_t nodes_max(const tl_engine_limits *limits)
{
    return tl_book_nodes_max(limits->leaves_max, limits->instruments_max);
}

static uint32_t probes_count(const tl_engine_limits *limits)
{
    uint32_t count = 8;
    while (count < 2 * limits->positions_max)
        count *= 2;
    return count;
}

/* Give each array its place, cache-line aligned; returns where the next would go. With `base` NULL
 * this only measures. */
static size_t lay_out(tl_engine *engine, char *base, const tl_engine_limits *limits)
{
    size_t at = (sizeof(tl_state) + 63) & ~(size_t)63;
    size_t place;
#define TL_PLACE(pointer, count)                                                                   \
    place = at;                                                                                    \
    at = (at + (size_t)(count) * sizeof *(pointer) + 63) & ~(size_t)63;                            \
    if (base != NULL)                                                                              \
        (pointer) = (void *)(base + place);
    TL_PLACE(engine->risk.instruments, limits->instruments_max)
    TL_PLACE(engine->shelf.books, limits->instruments_max)
    TL_PLACE(engine->risk.accounts, limits->accounts_max)
    TL_PLACE(engine->risk.probes, probes_count(limits))
    TL_PLACE(engine->risk.positions, limits->positions_max)
    TL_PLACE(engine->shelf.orders, limits->orders_max)
    TL_PLACE(engine->shelf.order_qty, limits->orders_max)
    TL_PLACE(engine->shelf.leaves, limits->leaves_max)
    TL_PLACE(engine->shelf.levels, (size_t)limits->leaves_max * TL_LEAF_LEVELS)
    TL_PLACE(engine->shelf.queues, (size_t)limits->leaves_max * TL_LEAF_LEVELS)
    TL_PLACE(engine->shelf.nodes, nodes_max(limits))
    TL_PLACE(engine->shelf.children, (size_t)nodes_max(limits) * TL_NODE_CHILDREN)
#undef TL_PLACE
    return at;
}

static void state_init(tl_engine *engine, const tl_engine_limits *limits, size_t bytes)
{
    tl_state *state = engine->state;
    state->magic = STATE_MAGIC;
    state->bytes = bytes;
    state->limits = *limits;
    state->risk = (tl_risk_counts){.instruments_max = limits->instruments_max,
                                   .accounts_max = limits->accounts_max,
                                   .positions_max = limits->positions_max,
                                   .probe_mask = probes_count(limits) - 1};
    tl_risk_init(&engine->risk);
    tl_pools_init(&state->pools, limits->orders_max, limits->leaves_max, nodes_max(limits));
    for (uint32_t i = 0; i < limits->instruments_max; i++)
        tl_book_init(&engine->shelf.books[i]);
}

int tl_engine_open(tl_engine **out, const tl_engine_limits *limits)
{
    *out = NULL;
    if (!limits_valid(limits))
        return -EINVAL;
    tl_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return -ENOMEM;
    size_t bytes = lay_out(engine, NULL, limits);
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        free(engine);
        return -ENOMEM;
    }
    /* Huge pages where the kernel gives them; then every page is touched: no step meets a fault. */
    if (bytes >= HUGE_PAGE_BYTES)
        (void)madvise(base, bytes, MADV_HUGEPAGE);
    (void)madvise(base, bytes, MADV_POPULATE_WRITE);
    lay_out(engine, base, limits);
    engine->state = (tl_state *)(void *)base;
    engine->risk.counts = &engine->state->risk;
    engine->shelf.pools = &engine->state->pools;
    state_init(engine, limits, bytes);
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

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

/* ── snapshot ──────────────────────────────────────────────────────────────────────────────── */

/* A snapshot is the region and, behind it, a checksum of its bytes: a region that is damaged has
 * indices that lead anywhere, so it must be refused before it is looked at. */
static uint64_t checksum(const char *bytes, size_t count)
{
    uint64_t sum = STATE_MAGIC;
    for (size_t at = 0; at + sizeof(uint64_t) <= count; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        sum = mix(sum, word);
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
    if (header.magic != STATE_MAGIC || header.bytes != engine->state->bytes ||
        memcmp(&header.limits, &engine->state->limits, sizeof header.limits) != 0)
        return -EINVAL;
    memcpy(&sum, (const char *)bytes + header.bytes, sizeof sum);
    if (sum != checksum(bytes, header.bytes))
        return -EBADMSG;
    memcpy(engine->state, bytes, header.bytes);
    return 0;
}

/* ── state hash: section 7 of docs/rules.md ────────────────────────────────────────────────── */

static uint64_t hash_side(const tl_engine *engine, const tl_book *book, uint8_t side, uint64_t hash)
{
    const tl_shelf *shelf = &engine->shelf;
    uint32_t level = book->best[tl_side_index(side)].level;
    while (level != TL_NONE) {
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE;
             slot = shelf->orders[slot].next) {
            const tl_order *order = &shelf->orders[slot];
            hash = mix(hash, tl_order_id(shelf, slot));
            hash = mix(hash, order->price);
            hash = mix(hash, order->leaves_qty);
            hash = mix(hash, shelf->order_qty[slot]);
            hash = mix(hash, engine->risk.positions[order->position].account);
            hash = mix(hash, order->time_in_force);
        }
        level = tl_book_worse_level(shelf, side, level);
    }
    return mix(hash, 0);
}

static uint64_t hash_instruments(const tl_engine *engine, uint64_t hash)
{
    for (uint32_t i = 0; i < engine->risk.counts->instruments_max; i++) {
        const tl_instrument *instrument = tl_listed(engine, i);
        if (instrument == NULL)
            continue;
        hash = mix(hash, i);
        hash = mix(hash, instrument->trading_status);
        hash = mix(hash, (uint64_t)instrument->price_min);
        hash = mix(hash, (uint64_t)instrument->price_max);
        hash = mix(hash, (uint64_t)instrument->qty_max);
        hash = mix(hash, (uint64_t)instrument->price_collar);
        hash = mix(hash, (uint64_t)instrument->reference_price);
        hash = hash_side(engine, &engine->shelf.books[i], TL_SIDE_BUY, hash);
        hash = hash_side(engine, &engine->shelf.books[i], TL_SIDE_SELL, hash);
    }
    return hash;
}

/* A sum, because the table's order is no part of the state. */
static uint64_t hash_positions(const tl_engine *engine)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < engine->risk.counts->positions_used; i++) {
        const tl_position *position = &engine->risk.positions[i];
        uint64_t hash = mix(0, position->account);
        hash = mix(hash, position->instrument);
        hash = mix(hash, (uint64_t)position->net);
        hash = mix(hash, (uint64_t)position->open[0]);
        hash = mix(hash, (uint64_t)position->open[1]);
        hash = mix(hash, (uint64_t)position->order_qty_max);
        hash = mix(hash, (uint64_t)position->order_value_max);
        hash = mix(hash, (uint64_t)position->position_max);
        sum += hash;
    }
    return sum;
}

uint64_t tl_engine_hash(const tl_engine *engine)
{
    uint64_t hash = UINT64_C(0x746F7563686C696E);
    hash = mix(hash, engine->state->event_seq);
    hash = mix(hash, engine->risk.counts->venue_status);
    hash = hash_instruments(engine, hash);
    for (uint32_t i = 0; i < engine->risk.counts->accounts_max; i++) {
        const tl_account *account = tl_opened(engine, i);
        if (account != NULL)
            hash = mix(mix(hash, i), account->entry_status);
    }
    hash = mix(hash, hash_positions(engine));
    hash = mix(hash, engine->shelf.pools->orders_used);
    for (uint32_t slot = engine->shelf.pools->order_free; slot != TL_NONE;
         slot = engine->shelf.orders[slot].next)
        hash = mix(mix(hash, slot), engine->shelf.orders[slot].generation);
    return hash;
}

/* ── queries ───────────────────────────────────────────────────────────────────────────────── */

const tl_engine_limits *tl_engine_get_limits(const tl_engine *engine)
{
    return &engine->state->limits;
}

uint64_t tl_engine_event_seq(const tl_engine *engine)
{
    return engine->state->event_seq;
}

uint32_t tl_engine_orders_open(const tl_engine *engine)
{
    return engine->shelf.pools->orders_open;
}

int64_t tl_engine_best(const tl_engine *engine, uint16_t instrument, uint8_t side)
{
    if (tl_listed(engine, instrument) == NULL)
        return 0;
    return tl_book_best_price(&engine->shelf.books[instrument], tl_side_index(side));
}

uint32_t tl_engine_depth(const tl_engine *engine, uint16_t instrument, uint8_t side,
                         tl_level_view *views, uint32_t views_max)
{
    if (tl_listed(engine, instrument) == NULL)
        return 0;
    return tl_book_depth(&engine->shelf, &engine->shelf.books[instrument], side, views, views_max);
}

uint32_t tl_engine_orders(const tl_engine *engine, uint16_t instrument, uint8_t side,
                          tl_order_view *views, uint32_t views_max)
{
    const tl_shelf *shelf = &engine->shelf;
    uint32_t count = 0;
    if (tl_listed(engine, instrument) == NULL)
        return 0;
    const tl_book *book = &shelf->books[instrument];
    uint32_t level = book->best[tl_side_index(side)].level;
    while (level != TL_NONE) {
        for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE && count < views_max;
             slot = shelf->orders[slot].next) {
            const tl_order *order = &shelf->orders[slot];
            views[count++] =
                (tl_order_view){.order_id = tl_order_id(shelf, slot),
                                .price = order->price,
                                .leaves_qty = order->leaves_qty,
                                .order_qty = shelf->order_qty[slot],
                                .account = engine->risk.positions[order->position].account,
                                .instrument = order->instrument,
                                .side = order->side,
                                .time_in_force = order->time_in_force};
        }
        level = tl_book_worse_level(shelf, side, level);
    }
    return count;
}

void tl_engine_position(const tl_engine *engine, uint32_t account, uint16_t instrument,
                        int64_t out[3])
{
    const tl_position *position = tl_risk_find(&engine->risk, account, instrument);
    out[0] = position == NULL ? 0 : position->net;
    out[1] = position == NULL ? 0 : position->open[0];
    out[2] = position == NULL ? 0 : position->open[1];
}

/* A mirror's memory, and what it is asked between two batches. */
#include "touchline/marketdata/mirror_state.h"

#include "touchline/core/engine.h"

#include <errno.h>
#include <stdlib.h>

static bool allocate(tl_mirror *mirror, uint32_t orders_max, uint32_t price_blocks_max)
{
    uint32_t instruments_max = mirror->instruments_max;
    uint32_t nodes_max = tl_book_nodes_max(price_blocks_max, instruments_max);
    size_t levels = (size_t)price_blocks_max * TL_BLOCK_LEVELS;
    tl_shelf *shelf = &mirror->shelf;
    shelf->pools = &mirror->pools;
    shelf->orders = calloc(orders_max, sizeof *shelf->orders);
    shelf->levels = calloc(levels, sizeof *shelf->levels);
    shelf->queues = calloc(levels, sizeof *shelf->queues);
    shelf->blocks = calloc(price_blocks_max, sizeof *shelf->blocks);
    shelf->nodes = calloc(nodes_max, sizeof *shelf->nodes);
    shelf->children = calloc((size_t)nodes_max * TL_NODE_CHILDREN, sizeof *shelf->children);
    shelf->books = calloc(instruments_max, sizeof *shelf->books);
    mirror->instruments = calloc(instruments_max, sizeof *mirror->instruments);
    mirror->with_rows = calloc(instruments_max, sizeof *mirror->with_rows);
    mirror->rows_max = TL_MIRROR_EVENTS_MAX * TL_ROWS_PER_EVENT + instruments_max;
    mirror->rows = calloc(mirror->rows_max, sizeof *mirror->rows);
    if (!shelf->orders || !shelf->levels || !shelf->queues || !shelf->blocks || !shelf->nodes ||
        !shelf->children || !shelf->books || !mirror->instruments || !mirror->with_rows ||
        !mirror->rows)
        return false;
    tl_pools_init(&mirror->pools, orders_max, price_blocks_max, nodes_max);
    for (uint32_t i = 0; i < instruments_max; i++)
        tl_book_init(&shelf->books[i]);
    return true;
}

int tl_mirror_open(tl_mirror **mirror, uint32_t instruments_max, uint32_t orders_max,
                   uint32_t price_blocks_max)
{
    tl_engine_capacities of_engine = tl_engine_capacities_usual;
    of_engine.instruments_max = instruments_max;
    of_engine.orders_max = orders_max;
    of_engine.price_blocks_max = price_blocks_max;
    *mirror = NULL;
    if (tl_engine_capacities_fault(&of_engine) != NULL)
        return -EINVAL;
    tl_mirror *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return -ENOMEM;
    opened->instruments_max = instruments_max;
    opened->taker.slot = TL_NONE;
    opened->entry_status = TL_ENTRY_STATUS_OPEN;
    if (!allocate(opened, orders_max, price_blocks_max)) {
        tl_mirror_close(opened);
        return -ENOMEM;
    }
    *mirror = opened;
    return 0;
}

void tl_mirror_close(tl_mirror *mirror)
{
    if (mirror == NULL)
        return;
    free(mirror->shelf.orders);
    free(mirror->shelf.levels);
    free(mirror->shelf.queues);
    free(mirror->shelf.blocks);
    free(mirror->shelf.nodes);
    free(mirror->shelf.children);
    free(mirror->shelf.books);
    free(mirror->instruments);
    free(mirror->with_rows);
    free(mirror->rows);
    free(mirror);
}

/* ── what it is asked ──────────────────────────────────────────────────────────────────────── */

uint64_t tl_mirror_event_seq(const tl_mirror *mirror)
{
    return mirror->event_seq;
}

int64_t tl_mirror_ts_ns(const tl_mirror *mirror)
{
    return mirror->ts_ns;
}

uint64_t tl_mirror_epoch(const tl_mirror *mirror)
{
    return mirror->epoch;
}

uint8_t tl_mirror_entry_status(const tl_mirror *mirror)
{
    return mirror->entry_status;
}

uint32_t tl_mirror_instruments(const tl_mirror *mirror)
{
    return mirror->instruments_listed;
}

static const tl_mirrored *listed(const tl_mirror *mirror, uint32_t instrument)
{
    if (instrument >= mirror->instruments_max)
        return NULL;
    const tl_mirrored *found = &mirror->instruments[instrument];
    return found->trading_status != 0 ? found : NULL;
}

static uint64_t last_number(const tl_stream *stream)
{
    return stream->sent + stream->count;
}

bool tl_mirror_look(const tl_mirror *mirror, uint16_t instrument, tl_mirror_view *view)
{
    const tl_mirrored *found = listed(mirror, instrument);
    if (found == NULL)
        return false;
    for (unsigned kind = 0; kind < TL_PUBLISHED_STREAMS; kind++)
        view->seqs[kind] = last_number(&found->streams[kind]);
    view->seqs[TL_PUBLISHED_STATISTICS] = found->statistics_seq;
    view->bbo = (tl_published_bbo){.event_seq = mirror->event_seq, .ts_ns = mirror->ts_ns};
    tl_mirror_touch(mirror, instrument, &view->bbo);
    view->last_trade = found->last_trade;
    view->statistics = found->statistics;
    view->changed_seq = found->changed_seq;
    view->levels = (size_t)found->levels[0] + found->levels[1];
    view->trading_status = found->trading_status;
    return true;
}

size_t tl_mirror_side(const tl_mirror *mirror, uint16_t instrument, uint8_t side,
                      tl_published_depth *levels, size_t room)
{
    if (listed(mirror, instrument) == NULL)
        return 0;
    const tl_shelf *shelf = &mirror->shelf;
    const tl_book *book = &shelf->books[instrument];
    uint32_t level = book->best[tl_side_index(side)].level;
    size_t count = 0;
    while (level != TL_NONE && count < room) {
        levels[count++] = (tl_published_depth){.price = tl_level_price(shelf, book, level),
                                               .qty = tl_level_qty(shelf, level),
                                               .orders = tl_level_orders(shelf, level),
                                               .side = side};
        level = tl_book_worse_level(shelf, side, level);
    }
    return count;
}

size_t tl_mirror_levels(const tl_mirror *mirror, uint16_t instrument, tl_published_depth *levels,
                        size_t room)
{
    const size_t bids = tl_mirror_side(mirror, instrument, TL_SIDE_BUY, levels, room);
    return bids + tl_mirror_side(mirror, instrument, TL_SIDE_SELL, levels + bids, room - bids);
}

size_t tl_mirror_heartbeat(const tl_mirror *mirror, tl_published_header *header,
                           tl_published_heartbeat *records, size_t room)
{
    size_t count = 0;
    for (uint32_t i = 0; i < mirror->instruments_max && count < room; i++) {
        const tl_mirrored *found = listed(mirror, i);
        if (found == NULL)
            continue;
        tl_published_heartbeat *record = &records[count++];
        *record = (tl_published_heartbeat){.instrument = (uint16_t)i};
        for (unsigned kind = 0; kind < TL_PUBLISHED_STREAMS; kind++)
            record->seqs[kind] = last_number(&found->streams[kind]);
        record->seqs[TL_PUBLISHED_STATISTICS] = found->statistics_seq;
    }
    *header = (tl_published_header){.epoch = mirror->epoch,
                                    .event_seq = mirror->event_seq,
                                    .ts_ns = mirror->ts_ns,
                                    .count = (uint32_t)count,
                                    .kind = TL_PUBLISHED_HEARTBEAT,
                                    .version = TL_PUBLISHED_VERSION};
    return count;
}

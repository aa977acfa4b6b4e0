/* The pure step: (state, Command) → Events. All of touchline's business is behind this header.
 *
 *   Command ─► known? ─► risk ──no──► REJECTED, CANCEL_REJECTED
 *                          │yes
 *                        match ⇄ book ─► NEW, TRADE, CANCELED, REPLACED …
 *
 * State is one region of memory without pointers: instruments, accounts, positions, orders, levels,
 * tree. It is allocated and prefaulted by tl_engine_open and never grows; a snapshot is its copy.
 * The step reads no clock, does no I/O, allocates nothing. One thread at a time may call it.
 */
#ifndef TOUCHLINE_ENGINE_H
#define TOUCHLINE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "touchline/core/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much the engine can hold: name, the least and the most, what it counts. Every pool refuses
 * cleanly when it is full. A number of all ones means every instrument, so none has it. */
#define TL_CAPACITIES(X)                                                                           \
    X(instruments_max, 1, TL_INSTRUMENT_ALL - 1, "instruments")                                    \
    X(accounts_max, 1, 1 << 24, "accounts")                                                        \
    X(orders_max, 1, 1 << 26, "open orders")                                                       \
    X(positions_max, 1, 1 << 24, "pairs of account and instrument")                                \
    X(price_blocks_max, 1, 1 << 24, "blocks of price levels with orders")

#define TL_CAPACITY(name, lowest, highest, counts) uint32_t name;
typedef struct tl_engine_capacities {
    TL_CAPACITIES(TL_CAPACITY)
} tl_engine_capacities;
#undef TL_CAPACITY

/* The list as data. */
typedef struct tl_capacity {
    const char *name;
    uint32_t lowest;
    uint32_t highest;
    const char *counts;
} tl_capacity;

extern const tl_capacity tl_capacities[];
extern const int tl_capacities_count;

/* Where events go. An event's seq is stored last, with release order, and is 0 while the event is
 * being written, so a slot of a shared ring tells its reader when it may be read. */
typedef struct tl_event_sink {
    tl_event *slots;
    uint64_t mask; /* number of slots, a power of two, less one */
    uint64_t next; /* the next event goes to slots[next & mask] */
} tl_event_sink;

typedef struct tl_engine tl_engine;

/* 0, -EINVAL for capacities out of bounds, or -ENOMEM. */
int tl_engine_open(tl_engine **engine, const tl_engine_capacities *capacities);
void tl_engine_close(tl_engine *engine);

/* Do one command. Writes at most tl_engine_events_bound() events. */
void tl_engine_step(tl_engine *engine, const tl_command *cmd, tl_event_sink *sink);

/* The most events the next command can cause: one per open order and three more. */
uint64_t tl_engine_events_bound(const tl_engine *engine);

/* Do commands until `count` are done or the sink could overflow `room` events; returns how many. */
size_t tl_engine_step_batch(tl_engine *engine, const tl_command *cmds, size_t count,
                            tl_event_sink *sink, uint64_t room);

/* What the state is. Prices in ticks, 0 for none; quantities in lots. */
const tl_engine_capacities *tl_engine_get_capacities(const tl_engine *engine);
uint64_t tl_engine_event_seq(const tl_engine *engine);
uint64_t tl_engine_hash(const tl_engine *engine);
int64_t tl_engine_best(const tl_engine *engine, uint16_t instrument, uint8_t side);
uint32_t tl_engine_depth(const tl_engine *engine, uint16_t instrument, uint8_t side,
                         tl_level_view *views, uint32_t views_max);
uint32_t tl_engine_orders(const tl_engine *engine, uint16_t instrument, uint8_t side,
                          tl_order_view *views, uint32_t views_max);
uint32_t tl_engine_orders_open(const tl_engine *engine);
/* net, open buy, open sell; all 0 where the account never traded the instrument. */
void tl_engine_position(const tl_engine *engine, uint32_t account, uint16_t instrument,
                        int64_t position[3]);

/* The state as bytes, and back into an engine opened with the same capacities (else -EINVAL);
 * -EBADMSG for bytes that are damaged. Whatever is refused leaves the engine as it was. */
size_t tl_engine_snapshot_bytes(const tl_engine *engine);
void tl_engine_snapshot(const tl_engine *engine, void *bytes);
int tl_engine_restore(tl_engine *engine, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif

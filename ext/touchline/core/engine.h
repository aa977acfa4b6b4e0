/* The pure step: (state, Command) → Events. All of touchline's business is behind this header.
 *
 *   Command ─► known? ─► risk ──no──► REJECTED, CANCEL_REJECTED
 *                          │yes
 *                        match ⇄ book ─► NEW, TRADE, CANCELED, REPLACED …
 *
 * State is one region of memory without pointers: instruments, accounts, positions, orders, levels,
 * tree. It is allocated and prefaulted by tl_engine_open and no step makes it grow; a snapshot is
 * its copy. The step reads no clock, does no I/O, allocates nothing. One thread at a time may call
 * it, and threads may take turns: whoever hands an engine to another synchronises. A thread that
 * comes into tl_engine_step_batch, _grow or _restore while another is in one of them is stopped by
 * an assertion.
 */
#ifndef TOUCHLINE_ENGINE_H
#define TOUCHLINE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "touchline/core/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How much the engine can hold: the member, what it is where nobody says, the least and the most,
 * what it counts. Every pool refuses cleanly when it is full. A number of all ones means every
 * instrument, so none has it. */
#define TL_CAPACITIES(X)                                                                           \
    X(instruments_max, 16, 1, TL_INSTRUMENT_ALL - 1, "instruments")                                \
    X(accounts_max, 64, 1, 1 << 24, "accounts")                                                    \
    X(orders_max, 65536, 1, 1 << 26, "open orders")                                                \
    X(positions_max, 1024, 1, 1 << 24, "pairs of account and instrument")                          \
    X(price_blocks_max, 4096, 1, 1 << 24, "blocks of price levels with orders")

#define TL_CAPACITY(name, usual, lowest, highest, counts) uint32_t name;
typedef struct tl_engine_capacities {
    TL_CAPACITIES(TL_CAPACITY)
} tl_engine_capacities;
#undef TL_CAPACITY

/* The list as data. */
typedef struct tl_capacity {
    const char *name;
    uint32_t usual;
    uint32_t lowest;
    uint32_t highest;
    const char *counts;
} tl_capacity;

extern const tl_capacity tl_capacities[];
extern const int tl_capacities_count;
extern const tl_engine_capacities tl_engine_capacities_usual;

/* The row of the first capacity that is out of bounds, or NULL. */
const tl_capacity *tl_engine_capacities_fault(const tl_engine_capacities *capacities);

/* Where events go. An event's seq is stored last, with release order, and is 0 while the event is
 * being written, so a slot of a shared ring tells its reader when it may be read. A sink is a ring:
 * events beyond its slots overwrite its oldest, so it has as many as are ever unread at once. */
typedef struct tl_event_sink {
    tl_event *slots;
    uint64_t mask; /* number of slots, a power of two, less one */
    uint64_t next; /* the next event goes to slots[next & mask] */
} tl_event_sink;

typedef struct tl_engine tl_engine;

/* 0, -EINVAL for capacities out of bounds, or -ENOMEM. */
int tl_engine_open(tl_engine **engine, const tl_engine_capacities *capacities);
void tl_engine_close(tl_engine *engine);

/* Give the engine more room between two commands: it goes on as if it had been opened with these
 * capacities, but for what it has refused so far. A sink may need more slots from then on. 0,
 * -EINVAL when one of them is less than it is now or out of bounds, or -ENOMEM; then nothing has
 * changed. Takes both regions' memory while it copies. */
int tl_engine_grow(tl_engine *engine, const tl_engine_capacities *larger);

/* Do one command. Writes at most tl_engine_events_bound() events. */
void tl_engine_step(tl_engine *engine, const tl_command *cmd, tl_event_sink *sink);

/* The most events the next command can cause: one per open order and three more, and what special
 * orders may chain, those that are open and the one that may come: rule 8.7. */
uint64_t tl_engine_events_bound(const tl_engine *engine);

/* Do commands until `count` are done or the sink could overflow `room` events; returns how many. */
size_t tl_engine_step_batch(tl_engine *engine, const tl_command *cmds, size_t count,
                            tl_event_sink *sink, uint64_t room);

/* Slots, a power of two, of a sink that holds all events of any one command; of an engine of such
 * capacities, or of this one. */
uint64_t tl_sink_slots_of(const tl_engine_capacities *capacities);
uint64_t tl_engine_sink_slots(const tl_engine *engine);

/* What the state is, between two commands. Prices in ticks, 0 for none; quantities in lots. What is
 * not there has count and quantity 0: an instrument not listed, a side that is neither, a price
 * outside 1 .. TL_PRICE_MAX. */
const tl_engine_capacities *tl_engine_get_capacities(const tl_engine *engine);
uint64_t tl_engine_event_seq(const tl_engine *engine);
uint64_t tl_engine_hash(const tl_engine *engine);
/* The earliest ExpireTime among the open orders, UTC nanoseconds; INT64_MAX: none expires. */
int64_t tl_engine_next_expiry(const tl_engine *engine);
/* The instrument's phase, enum tl_trading_status; 0: it is not listed. */
uint8_t tl_engine_trading_status(const tl_engine *engine, uint16_t instrument);
uint32_t tl_engine_orders_open(const tl_engine *engine);
int64_t tl_engine_best(const tl_engine *engine, uint16_t instrument, uint8_t side);
/* net, open buy, open sell; all 0 where the account never traded the instrument. */
void tl_engine_position(const tl_engine *engine, uint32_t account, uint16_t instrument,
                        int64_t position[3]);

/* Levels from the best outwards, at most `views_max`; returns how many. Costs a step a level,
 * however many orders it has. */
uint32_t tl_engine_depth(const tl_engine *engine, uint16_t instrument, uint8_t side,
                         tl_level_view *views, uint32_t views_max);
/* Quantity and number of orders at one price of a side; returns the number of orders. */
uint32_t tl_engine_level(const tl_engine *engine, uint16_t instrument, uint8_t side, int64_t price,
                         tl_level_view *view);

/* One open order by its OrderID: 1, or 0 and a view of zeros when it is not open, or never was. */
int tl_engine_order(const tl_engine *engine, uint64_t order_id, tl_order_view *view);
/* What trades before an open order at its price: its price, lots and orders; 1, or 0 as above.
 * Costs a step for each order ahead of it or behind it, whichever are fewer. */
int tl_engine_ahead(const tl_engine *engine, uint64_t order_id, tl_level_view *ahead);

/* Orders of a side as they trade, best price first and oldest first within a price, at most
 * `views_max`; returns how many. */
uint32_t tl_engine_orders(const tl_engine *engine, uint16_t instrument, uint8_t side,
                          tl_order_view *views, uint32_t views_max);
/* Open orders that pass the filter, by slot from `*slot` on (0: all); moves it behind the last one
 * looked at. Fewer than `views_max` were the last; a filter with another side or TimeInForce than
 * orders rest with passes none. */
uint32_t tl_engine_orders_scan(const tl_engine *engine, const tl_orders_filter *filter,
                               uint32_t *slot, tl_order_view *views, uint32_t views_max);

/* The state as bytes, and back into an engine opened with the same capacities (else -EINVAL);
 * -EBADMSG for bytes that are damaged. Whatever is refused leaves the engine as it was. */
size_t tl_engine_snapshot_bytes(const tl_engine *engine);
void tl_engine_snapshot(const tl_engine *engine, void *bytes);
int tl_engine_restore(tl_engine *engine, const void *bytes, size_t count);

#ifdef __cplusplus
}
#endif

#endif

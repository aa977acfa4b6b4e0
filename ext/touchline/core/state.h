/* Inside the engine: the state region and where its parts lie. Shared by those that step it and by
 * those that open, copy, hash and query it; nobody else includes this. */
#ifndef TOUCHLINE_STATE_H
#define TOUCHLINE_STATE_H

#include "touchline/core/book.h"
#include "touchline/core/engine.h"
#include "touchline/core/positions.h"
#include "touchline/core/risk.h"

#define TL_STATE_MAGIC UINT64_C(0x38656E696C686374) /* "tchline8" */

/* What a lane's last TERMS said, for the NEW_ORDER after it: rule 8.9. */
typedef struct tl_sent_terms {
    uint64_t cl_ord_id;
    int64_t expire_ns;
    uint64_t cl_ord_link_id; /* of the order that it is linked with; 0: of none yet */
    uint32_t min_qty;
    uint32_t trail;
    uint8_t flags;       /* enum tl_terms_flag */
    uint8_t contingency; /* enum tl_contingency */
    uint8_t _pad[6];
} tl_sent_terms;

/* A lane's last linked order, which the next may name: rule 12.1. */
typedef struct tl_last_linked {
    uint64_t cl_ord_id;
    uint64_t order_id;
    uint32_t account;
    uint16_t instrument;
    uint8_t linked; /* as its terms had it when it came; 0: there is none */
    uint8_t filled; /* it has ended, and all of it has traded */
} tl_last_linked;

/* Whose command it is. */
static inline uint32_t tl_lane_of(const tl_command *cmd)
{
    return (uint32_t)(cmd->cl_ord_id >> 32) % TL_TEXT_LANES;
}

/* An order and the time from which it is no more. */
typedef struct tl_expiry {
    int64_t expire_ns;
    uint32_t slot;
    uint32_t _pad;
} tl_expiry;

/* The first bytes of the region. Everything after it is arrays, found by the capacities alone. */
typedef struct tl_state {
    uint64_t magic;
    uint64_t bytes;
    tl_engine_capacities capacities;
    uint32_t chain;     /* of all open special orders, rule 8.7, and one for each collected */
    uint32_t collected; /* orders in a call phase: the uncross and what follows tell of each */
    uint32_t expiries;  /* open orders that expire */
    uint32_t _pad;
    uint64_t event_seq; /* events so far */
    tl_risk_counts risk;
    tl_position_counts positions;
    tl_pools pools;
    tl_sent_terms more[TL_TEXT_LANES];
    tl_last_linked last_linked[TL_TEXT_LANES];
} tl_state;

struct tl_engine {
    tl_state *state;
    tl_shelf shelf;
    tl_risk risk;
    tl_positions positions;
    tl_expiry *expiries; /* a heap, the earliest first: expiry.c */
    uint64_t looked_at; /* checked build: of the state since its invariants were last asserted */
    uintptr_t writer; /* the thread that is changing the state; 0 for none */
};

/* Threads may take turns with an engine; two at once would tear its state. Whoever changes it comes
 * in here and leaves below, a thread that is in it already too: a batch asks once, and the checked
 * build at every step. Relaxed, because the engine orders nothing for its callers: this is to find
 * a caller's mistake, and costs a batch four instructions. */
static inline uintptr_t tl_writer_enter(tl_engine *engine)
{
    const uintptr_t self = (uintptr_t)__builtin_thread_pointer();
    const uintptr_t inside = __atomic_load_n(&engine->writer, __ATOMIC_RELAXED);
    assert((inside == 0 || inside == self) && "an engine is one thread's at a time");
    __atomic_store_n(&engine->writer, self, __ATOMIC_RELAXED);
    return inside;
}

static inline void tl_writer_leave(tl_engine *engine, uintptr_t inside)
{
    __atomic_store_n(&engine->writer, inside, __ATOMIC_RELAXED);
}

/* An instrument by number, or NULL when it is not listed; an account likewise. */
static inline tl_instrument *tl_listed(const tl_engine *engine, uint32_t instrument)
{
    if (instrument >= engine->risk.counts->instruments_max)
        return NULL;
    tl_instrument *found = &engine->risk.instruments[instrument];
    return found->trading_status != 0 ? found : NULL;
}

static inline tl_account *tl_opened(const tl_engine *engine, uint32_t account)
{
    if (account >= engine->risk.counts->accounts_max)
        return NULL;
    tl_account *found = &engine->risk.accounts[account];
    return found->entry_status != 0 ? found : NULL;
}

static inline bool tl_side_known(uint8_t side)
{
    return side == TL_SIDE_BUY || side == TL_SIDE_SELL;
}

/* The book a query means, or NULL when the instrument is not listed or the side is none. */
static inline const tl_book *tl_book_asked(const tl_engine *engine, uint32_t instrument,
                                           uint8_t side)
{
    bool there = tl_side_known(side) && tl_listed(engine, instrument) != NULL;
    return there ? &engine->shelf.books[instrument] : NULL;
}

/* Whose an open order is. */
static inline uint32_t tl_account_of(const tl_engine *engine, const tl_order *order)
{
    return engine->positions.entries[order->position].account;
}

/* Lots that an open order has left, shown or not. */
static inline uint32_t tl_order_leaves(const tl_shelf *shelf, uint32_t slot)
{
    const tl_order *order = &shelf->orders[slot];
    return order->leaves_qty + (tl_order_is_special(order) ? shelf->special[slot].reserve : 0);
}

/* Rule 8.7: how much may chain, in an engine of so many orders. */
static inline uint32_t tl_chain_max(uint32_t orders_max)
{
    return orders_max / 2 + 64;
}
static inline uint32_t tl_chain_taken(const tl_state *state)
{
    return state->chain - state->collected;
}
#define TL_CHAIN_ORDER_MAX (2 * (TL_DISPLAY_PARTS_MAX - 1) + 3) /* of one order */
#define TL_EVENTS_OWN_MAX 4 /* that an order which comes has besides */

/* When an order with these terms is no more; 0: it does not expire. */
static inline int64_t tl_expire_ns(const tl_engine *engine, const tl_special *terms)
{
    return terms->expiry != 0 ? engine->expiries[terms->expiry - 1].expire_ns : 0;
}

/* An open order as queries show it. */
#define TL_VIEW_HELD 16u
static inline tl_order_view tl_order_seen(const tl_engine *engine, uint32_t slot)
{
    const tl_order *order = &engine->shelf.orders[slot];
    tl_special terms = {.ord_type = TL_ORD_TYPE_LIMIT};
    if (tl_order_is_special(order))
        terms = engine->shelf.special[slot];
    bool held = (terms.linked & TL_LINK_HELD) != 0;
    bool unseen = (terms.flags & (TL_FLAG_HIDDEN | TL_APART_FLAGS)) != 0 || held;
    return (tl_order_view){.order_id = tl_order_id(&engine->shelf, slot),
                           .price = order->price,
                           .leaves_qty = order->leaves_qty + terms.reserve,
                           .order_qty = engine->shelf.cold[slot].order_qty,
                           .account = tl_account_of(engine, order),
                           .instrument = order->instrument,
                           .side = order->side,
                           .time_in_force = tl_order_time_in_force(order),
                           .shown_qty = unseen ? 0 : order->leaves_qty,
                           .display_qty = terms.display_qty,
                           .stop_price = terms.stop_price,
                           .ord_type = terms.ord_type,
                           .flags = terms.flags & TL_SPECIAL_FLAGS,
                           .waiting = (uint8_t)((terms.flags & TL_APART_FLAGS) |
                                                (held ? TL_VIEW_HELD : 0)),
                           .all_or_none = (terms.flags & TL_ALL_OR_NONE) != 0,
                           .expire_ns = tl_expire_ns(engine, &terms)};
}

/* One more value into a hash or checksum. */
static inline uint64_t tl_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

#endif

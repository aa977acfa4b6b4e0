/* Pre-trade risk: what an order must pass before it meets the book.
 *
 * Three nodes hold limits and their use: the venue, the instrument, and an account's trading in one
 * instrument (its position: positions.h). One cache line each. Limits change by commands alone.
 * Risk changes nothing and never looks at a book: it is told the best opposite price.
 * Rules 2.2 to 2.4 and section 5 in docs/rules.md. The engine's thread owns all of it.
 */
#ifndef TOUCHLINE_RISK_H
#define TOUCHLINE_RISK_H

#include <stdbool.h>
#include <stdint.h>

#include "touchline/core/positions.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_instrument {
    int64_t price_collar;    /* ticks either side of the reference; TL_LIMIT_UNSET: none */
    int64_t reference_price; /* ticks; 0: none */
    int64_t price_min;
    int64_t price_max;
    int64_t qty_max;
    union {
        __extension__ struct {
            uint8_t trading_status; /* 0: not listed */
            uint8_t special;        /* it has open special orders, here or in a book unseen, or
                                       is in a phase that is not continuous trading's way */
        };
        uint16_t gate; /* both in one look */
    };
    uint8_t limited; /* one of section 5's limits is set: a collar */
    uint8_t wholes;  /* open orders that trade whole or not at all */
    uint8_t allocated; /* trades are shared out otherwise than first in, first out: section 11 */
    uint8_t trailing; /* open orders whose stop price follows the last trade */
    uint8_t released; /* one at least is released and has not met the book, or has ended since */
    uint8_t _pad;
    int64_t ends_ns; /* no auction ends before; 0: when it is told to */
    uint32_t _pad2;
    uint32_t specials; /* how many */
} tl_instrument;
static_assert(sizeof(tl_instrument) == 64, "an instrument's limits are one cache line");

/* A step of section 11: which of its numbers it has, rule 11.1 says. */
typedef struct tl_allocation_step {
    uint32_t account;
    uint32_t least;  /* lots */
    uint32_t amount; /* lots, or percent */
    uint8_t kind;    /* enum tl_allocation_kind */
    uint8_t _pad[3];
} tl_allocation_step;

/* How an instrument shares out an order among those at one price. */
typedef struct tl_allocation {
    tl_allocation_step steps[TL_ALLOCATION_STEPS_MAX];
    uint64_t top[2]; /* by side: the OrderID of the order that last bettered the price, or a stale
                        one */
    uint32_t count;  /* of the steps; 0: first in, first out */
    uint32_t _pad[3];
} tl_allocation;
static_assert(sizeof(tl_allocation) == 128, "two cache lines");

typedef struct tl_account {
    union {
        __extension__ struct {
            uint8_t entry_status; /* 0: not open */
            uint8_t self_trade;   /* enum tl_self_trade, of the orders that it sends */
        };
        uint16_t gate; /* both in one look */
    };
    uint16_t _pad;
    uint32_t group; /* accounts of a group are one to self-trade prevention; 0: of none */
} tl_account;
static_assert(sizeof(tl_account) == 8, "eight accounts to a cache line");

typedef struct tl_risk_counts {
    uint32_t instruments_max;
    uint32_t accounts_max;
    uint8_t venue_status;
    uint8_t _pad[3];
} tl_risk_counts;

/* Where the arrays lie in this process. */
typedef struct tl_risk {
    tl_risk_counts *counts;
    tl_instrument *instruments;
    tl_allocation *allocations; /* by instrument */
    tl_account *accounts;
} tl_risk;

/* Why an order is refused; reason 0 while it is not. */
typedef struct tl_verdict {
    uint8_t reason;
    int64_t value;
    int64_t limit;
} tl_verdict;

/* An order as risk sees it. */
typedef struct tl_risk_order {
    const tl_instrument *instrument;
    const tl_position *position; /* a copy of the unset one before the first accepted order */
    int64_t price;               /* 0 for a market order */
    int64_t qty;                 /* OrderQty */
    int64_t open_qty;            /* what of it could rest: OrderQty less what is executed */
    int64_t given_up;            /* open quantity of the order it replaces */
    int64_t best_bid;            /* of use to a market order; 0: none */
    int64_t stop_price;          /* it waits for this one first; 0: it does not wait */
    bool buy;
    bool market;
} tl_risk_order;

void tl_risk_init(tl_risk *risk);

/* A limit has changed: note whether any is set. An order that meets none asks this alone. */
void tl_risk_limit_changed(tl_instrument *instrument, tl_position *position);

/* The price a market order does not trade beyond. Rule 5.3. */
int64_t tl_risk_protection_price(const tl_instrument *instrument, bool buy);

/* May this instrument and account enter or replace orders now? Rule 2.2. */
static inline uint8_t tl_risk_may_enter(const tl_risk *risk, const tl_instrument *instrument,
                                        const tl_account *account)
{
    if (risk->counts->venue_status != TL_ENTRY_STATUS_OPEN)
        return TL_REASON_VENUE_KILLED;
    if (instrument->trading_status == TL_TRADING_STATUS_HALTED)
        return TL_REASON_HALTED;
    if (instrument->trading_status == TL_TRADING_STATUS_CLOSED)
        return TL_REASON_CLOSED;
    if (account->entry_status != TL_ENTRY_STATUS_OPEN)
        return TL_REASON_ACCOUNT_BLOCKED;
    return TL_REASON_NONE;
}

/* In place of a reason: the order has terms, its instrument special orders, or its account must not
 * trade with itself, and what is asked of it is asked elsewhere (special.h). */
#define TL_GOES_SPECIAL UINT8_MAX

/* As above, of an order that goes the plain way. A little-endian look at the two gates. */
static inline uint8_t tl_risk_may_enter_plain(const tl_risk *risk, const tl_instrument *instrument,
                                              const tl_account *account)
{
    if (instrument->gate == TL_TRADING_STATUS_READY_TO_TRADE &&
        account->gate == TL_ENTRY_STATUS_OPEN &&
        risk->counts->venue_status == TL_ENTRY_STATUS_OPEN)
        return TL_REASON_NONE;
    return instrument->special || account->self_trade
               ? TL_GOES_SPECIAL
               : tl_risk_may_enter(risk, instrument, account);
}

static inline bool tl_risk_refuse(tl_verdict *verdict, uint8_t reason, int64_t value, int64_t limit)
{
    verdict->reason = reason;
    verdict->value = value;
    verdict->limit = limit;
    return false;
}

/* Are quantity and price ones the instrument knows? Rules 2.3 and 2.4. */
static inline bool tl_risk_in_range(const tl_risk_order *order, tl_verdict *verdict)
{
    const tl_instrument *instrument = order->instrument;
    if (order->qty < 1 || order->qty > instrument->qty_max)
        return tl_risk_refuse(verdict, TL_REASON_INVALID_QTY, order->qty, instrument->qty_max);
    if (order->market && order->price != 0)
        return tl_risk_refuse(verdict, TL_REASON_MARKET_WITH_PRICE, order->price, 0);
    if (!order->market && order->price < instrument->price_min)
        return tl_risk_refuse(verdict, TL_REASON_PRICE_BELOW_MIN, order->price,
                              instrument->price_min);
    if (!order->market && order->price > instrument->price_max)
        return tl_risk_refuse(verdict, TL_REASON_PRICE_ABOVE_MAX, order->price,
                              instrument->price_max);
    return true;
}

/* The limits of section 5, in the order of this list; each row is a function in risk.c. */
#define TL_RISK_CHECKS(X)                                                                          \
    X(order_qty_max)                                                                               \
    X(price_collar)                                                                                \
    X(order_value_max)                                                                             \
    X(position_max)

/* Fills the verdict with the first limit broken; false if there is one. */
bool tl_risk_within_limits(const tl_risk_order *order, tl_verdict *verdict);

#ifdef __cplusplus
}
#endif

#endif

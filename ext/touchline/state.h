/* Inside the engine: the state region and where its parts lie. Shared by engine.c, which steps it,
 * and state.c, which opens, hashes, copies and queries it; nobody else includes this. */
#ifndef TOUCHLINE_STATE_H
#define TOUCHLINE_STATE_H

#include "book.h"
#include "engine.h"
#include "risk.h"

/* The first bytes of the region. Everything after it is arrays, found by the limits alone. */
typedef struct tl_state {
    uint64_t magic;
    uint64_t bytes;
    tl_engine_limits limits;
    uint32_t _pad;
    uint64_t event_seq; /* events so far */
    tl_risk_counts risk;
    tl_pools pools;
} tl_state;

struct tl_engine {
    tl_state *state;
    tl_shelf shelf;
    tl_risk risk;
};

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

#endif

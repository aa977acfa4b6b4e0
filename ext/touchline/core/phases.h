/* Trading phases (section 9 of docs/rules.md): what each takes, and where it has an order stand.
 *
 *   phases.c    from phase to phase: orders collected, and let go again
 *   auction.c   the price of an auction, and its trades
 *
 * Continuous trading asks nothing of this: any other phase that takes orders sets the gate which
 * instruments with special orders have set, and so goes their way.
 */
#ifndef TOUCHLINE_PHASES_H
#define TOUCHLINE_PHASES_H

#include "touchline/core/special.h"

/* Does it collect orders, to uncross them later? */
static inline bool tl_phase_is_call(uint8_t status)
{
    return status == TL_TRADING_STATUS_PRE_OPEN || status == TL_TRADING_STATUS_OPENING_AUCTION ||
           status == TL_TRADING_STATUS_VOLATILITY_AUCTION ||
           status == TL_TRADING_STATUS_CLOSING_AUCTION;
}

/* And tell what it would come to? */
static inline bool tl_phase_is_auction(uint8_t status)
{
    return tl_phase_is_call(status) && status != TL_TRADING_STATUS_PRE_OPEN;
}

/* Is it a time in force for an auction alone? */
static inline bool tl_is_for_auction(uint8_t time_in_force)
{
    return time_in_force == TL_TIME_IN_FORCE_AT_OPEN ||
           time_in_force == TL_TIME_IN_FORCE_AT_CLOSE || time_in_force == TL_TIME_IN_FORCE_AUCTION;
}

/* The order behind this one is the next: its lines come while this one is done. */
static inline void tl_ask_for_next(const tl_shelf *shelf, uint32_t slot)
{
    uint32_t next = shelf->orders[slot].next;
    if (next == TL_NONE)
        return;
    __builtin_prefetch(&shelf->orders[next], 1);
    __builtin_prefetch(&shelf->special[next], 1);
}

/* Its phase, its special orders or its steps have changed: does an order go the special way
 * there? */
static inline void tl_gate_set(tl_instrument *instrument)
{
    uint8_t status = instrument->trading_status;
    instrument->special = instrument->specials != 0 || instrument->allocated != 0 ||
                          tl_phase_is_call(status) ||
                          status == TL_TRADING_STATUS_CLOSING_PRICE;
}

/* Rule 9.2, of an order whose instrument takes any. */
bool tl_phase_takes(uint8_t status, const tl_command *cmd, const tl_special *terms);
/* Rule 9.3: it is collected, or waits for the closing auction, and its terms say so. */
void tl_phase_place(uint8_t status, const tl_command *cmd, tl_special *terms);

/* Rule 9.1: the command that moves an instrument to another phase. */
TL_APART void tl_step_security_status(const tl_step *s);

/* What an auction comes to: lots to buy at this price or above, to sell at it or below. Price 0:
 * nobody trades. */
typedef struct tl_crossing {
    uint32_t price;
    uint64_t bought;
    uint64_t sold;
} tl_crossing;

static inline uint64_t tl_crossing_volume(const tl_crossing *crossing)
{
    return crossing->bought < crossing->sold ? crossing->bought : crossing->sold;
}

/* Rule 9.4. Costs a step for each level of both sides. */
tl_crossing tl_auction_price(const tl_engine *engine, uint16_t instrument);
/* Rule 9.5: its trades, each an event, and then rule 12.3. */
void tl_auction_trade(const tl_meeting *m, const tl_crossing *crossing);

#endif

/* Self-trade prevention (section 10 of docs/rules.md): whose orders must not trade with each other,
 * and what becomes of them. The loop that matches looks at the next maker, asks here whether they
 * may trade, and takes it or not; it knows no accounts.
 */
#ifndef TOUCHLINE_SELFTRADE_H
#define TOUCHLINE_SELFTRADE_H

#include "touchline/core/special.h"

/* The account of an order that comes, as far as self-trade prevention sees it. */
typedef struct tl_self_trader {
    uint8_t mode; /* enum tl_self_trade */
    uint32_t account;
    uint32_t group; /* 0: of none */
} tl_self_trader;

static inline tl_self_trader tl_self_trader_of(const tl_step *s, uint32_t slot)
{
    uint32_t number = tl_owner(s, &s->shelf->orders[slot])->account;
    const tl_account *account = &s->engine->risk.accounts[number];
    return (tl_self_trader){account->self_trade, number, account->group};
}

/* Rules 10.1 and 10.2: must the two not trade with each other? */
static inline bool tl_is_self_trade(const tl_step *s, const tl_self_trader *own, uint32_t maker)
{
    if (own->mode == TL_SELF_TRADE_ALLOWED)
        return false;
    uint32_t number = tl_owner(s, &s->shelf->orders[maker])->account;
    return number == own->account ||
           (own->group != 0 && s->engine->risk.accounts[number].group == own->group);
}

/* Rule 11.5: where a level is shared out its owner's orders there are met before all others; else
 * the maker, the oldest of the level. */
uint32_t tl_first_to_meet(const tl_step *s, const tl_self_trader *own, uint32_t maker);

/* Does as the mode says with the order that comes and the maker; false when the former has ended by
 * it. Rules 10.3 to 10.5. */
bool tl_self_trade_prevented(tl_meeting *m, uint32_t slot, uint32_t maker,
                             const tl_self_trader *own, uint8_t ord_type);

/* Rule 10.6: of an order with so much left, would it get past one of its owner's without ending or
 * being decremented? */
bool tl_self_trade_blocks(const tl_self_trader *own, uint32_t leaves_qty, uint32_t maker_leaves);

#endif

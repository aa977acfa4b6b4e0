/* The limits an order must respect, one function each. */
#include "touchline/core/risk.h"

void tl_risk_init(tl_risk *risk)
{
    risk->counts->venue_status = TL_ENTRY_STATUS_OPEN;
}

int64_t tl_risk_protection_price(const tl_instrument *instrument, bool buy)
{
    int64_t bound = buy ? instrument->price_max : instrument->price_min;
    if (instrument->price_collar == TL_LIMIT_UNSET)
        return bound;
    int64_t collar = buy ? instrument->reference_price + instrument->price_collar
                         : instrument->reference_price - instrument->price_collar;
    return buy == (collar < bound) ? collar : bound;
}

static tl_verdict check_order_qty_max(const tl_risk_order *order)
{
    if (order->qty <= order->position->order_qty_max)
        return (tl_verdict){0};
    return (tl_verdict){TL_REASON_ORDER_QTY_MAX, order->qty, order->position->order_qty_max};
}

static tl_verdict check_price_collar(const tl_risk_order *order)
{
    const tl_instrument *instrument = order->instrument;
    if (instrument->price_collar == TL_LIMIT_UNSET)
        return (tl_verdict){0};
    if (instrument->reference_price == 0)
        return (tl_verdict){TL_REASON_NO_REFERENCE_PRICE, 0, instrument->price_collar};
    int64_t lowest = instrument->reference_price - instrument->price_collar;
    int64_t highest = instrument->reference_price + instrument->price_collar;
    if (order->market || order->stop_price != 0) /* rule 8.3 */
        return (tl_verdict){0};
    if (order->price < lowest)
        return (tl_verdict){TL_REASON_PRICE_COLLAR, order->price, lowest};
    if (order->price > highest)
        return (tl_verdict){TL_REASON_PRICE_COLLAR, order->price, highest};
    return (tl_verdict){0};
}

/* What a market order could cost at the worst. Rule 5.4. */
static int64_t market_price(const tl_risk_order *order)
{
    int64_t worst = tl_risk_protection_price(order->instrument, order->buy);
    if (worst < order->stop_price)
        worst = order->stop_price;
    if (order->buy)
        return worst;
    if (worst < order->instrument->reference_price)
        worst = order->instrument->reference_price;
    return worst < order->best_bid ? order->best_bid : worst;
}

static tl_verdict check_order_value_max(const tl_risk_order *order)
{
    if (order->position->order_value_max == TL_LIMIT_UNSET)
        return (tl_verdict){0};
    /* At most 2^31 x 2^31. */
    int64_t value = (order->market ? market_price(order) : order->price) * order->qty;
    if (value <= order->position->order_value_max)
        return (tl_verdict){0};
    return (tl_verdict){TL_REASON_ORDER_VALUE_MAX, value, order->position->order_value_max};
}

/* Rule 5.5: the position there would be, exactly, and as far as a number of 64 bits says it. */
static int64_t position_reached(const tl_risk_order *order, int64_t resting)
{
    int64_t reached;
    bool beyond = order->buy ? __builtin_add_overflow(order->position->net, resting, &reached)
                             : __builtin_sub_overflow(resting, order->position->net, &reached);
    return beyond ? INT64_MAX : reached;
}

/* What rests or would is far from the largest number and a limit is not negative: limit less
 * resting can not overflow, where net and resting together could. */
static tl_verdict check_position_max(const tl_risk_order *order)
{
    const tl_position *position = order->position;
    if (position->position_max == TL_LIMIT_UNSET)
        return (tl_verdict){0};
    int64_t resting = position->open[!order->buy] - order->given_up + order->open_qty;
    int64_t room = position->position_max - resting;
    if (order->buy ? position->net <= room : position->net >= -room)
        return (tl_verdict){0};
    return (tl_verdict){TL_REASON_POSITION_MAX, position_reached(order, resting),
                        position->position_max};
}

void tl_risk_limit_changed(tl_instrument *instrument, tl_position *position)
{
    instrument->limited = instrument->price_collar != TL_LIMIT_UNSET;
    if (position != NULL)
        position->limited = position->order_qty_max != TL_LIMIT_UNSET ||
                            position->order_value_max != TL_LIMIT_UNSET ||
                            position->position_max != TL_LIMIT_UNSET;
}

bool tl_risk_within_limits(const tl_risk_order *order, tl_verdict *verdict)
{
    if (!(order->position->limited | order->instrument->limited))
        return true;
#define TL_RISK_CHECK(name)                                                                        \
    *verdict = check_##name(order);                                                                \
    if (verdict->reason != TL_REASON_NONE)                                                         \
        return false;
    TL_RISK_CHECKS(TL_RISK_CHECK)
#undef TL_RISK_CHECK
    return true;
}

/* Risk at the edges of its numbers: nothing wraps, nothing slips under a limit. */
#include "check.h"
#include "touchline/core/risk.h"

static const tl_instrument instrument = {.price_collar = TL_LIMIT_UNSET,
                                         .price_min = 1,
                                         .price_max = TL_PRICE_MAX,
                                         .qty_max = TL_QTY_MAX};

static tl_verdict verdict_on(tl_position *position, bool buy, int64_t price, int64_t qty)
{
    tl_instrument at = instrument;
    tl_verdict verdict = {0};
    tl_risk_limit_changed(&at, position);
    const tl_risk_order order = {.instrument = &at,
                                 .position = position,
                                 .price = price,
                                 .qty = qty,
                                 .open_qty = qty,
                                 .buy = buy};
    CHECK(tl_risk_within_limits(&order, &verdict) == (verdict.reason == TL_REASON_NONE));
    return verdict;
}

static tl_position holding(int64_t net)
{
    tl_position position;
    tl_position_init(&position, 0, 0);
    position.net = net;
    position.position_max = 100;
    return position;
}

static void a_position_near_the_largest_number_does_not_slip_under_its_limit(void)
{
    tl_position longest = holding(INT64_MAX - 5);
    tl_verdict verdict = verdict_on(&longest, true, 1, 10);
    CHECK(verdict.reason == TL_REASON_POSITION_MAX && verdict.value == INT64_MAX);
    CHECK(verdict_on(&longest, false, 1, 10).reason == TL_REASON_NONE);
    tl_position shortest = holding(INT64_MIN);
    verdict = verdict_on(&shortest, false, 1, 10);
    CHECK(verdict.reason == TL_REASON_POSITION_MAX && verdict.value == INT64_MAX);
    CHECK(verdict_on(&shortest, true, 1, 10).reason == TL_REASON_NONE);
}

static void a_limit_bites_at_its_number_and_not_one_lot_later(void)
{
    tl_position position = holding(90);
    CHECK(verdict_on(&position, true, 1, 10).reason == TL_REASON_NONE);
    tl_verdict verdict = verdict_on(&position, true, 1, 11);
    CHECK(verdict.reason == TL_REASON_POSITION_MAX && verdict.value == 101 && verdict.limit == 100);
    position.net = -90;
    CHECK(verdict_on(&position, false, 1, 10).reason == TL_REASON_NONE);
    verdict = verdict_on(&position, false, 1, 11);
    CHECK(verdict.reason == TL_REASON_POSITION_MAX && verdict.value == 101);
    position = holding(INT64_MAX);
    position.position_max = INT64_MAX - 1;
    CHECK(verdict_on(&position, true, 1, 1).reason == TL_REASON_POSITION_MAX);
}

static void the_largest_order_has_its_value(void)
{
    tl_position position = holding(0);
    position.position_max = TL_LIMIT_UNSET;
    position.order_value_max = TL_PRICE_MAX * TL_QTY_MAX;
    CHECK(verdict_on(&position, true, TL_PRICE_MAX, TL_QTY_MAX).reason == TL_REASON_NONE);
    position.order_value_max--;
    tl_verdict verdict = verdict_on(&position, true, TL_PRICE_MAX, TL_QTY_MAX);
    CHECK(verdict.reason == TL_REASON_ORDER_VALUE_MAX);
    CHECK(verdict.value == TL_PRICE_MAX * TL_QTY_MAX && verdict.value > 0);
}

static void trades_beyond_the_largest_position_leave_it_there(void)
{
    tl_position position = holding(INT64_MAX - 1);
    tl_position_bought(&position, 1);
    CHECK(position.net == INT64_MAX);
    tl_position_bought(&position, (uint32_t)TL_QTY_MAX);
    CHECK(position.net == INT64_MAX);
    position.net = INT64_MIN + 1;
    tl_position_sold(&position, (uint32_t)TL_QTY_MAX);
    CHECK(position.net == INT64_MIN);
    tl_position_bought(&position, 7);
    CHECK(position.net == INT64_MIN + 7);
}

static void a_collar_around_the_highest_price_is_no_smaller_number(void)
{
    tl_instrument at = instrument;
    at.price_collar = TL_PRICE_MAX;
    at.reference_price = TL_PRICE_MAX;
    CHECK(tl_risk_protection_price(&at, true) == TL_PRICE_MAX);
    CHECK(tl_risk_protection_price(&at, false) == 1);
}

int main(void)
{
    a_position_near_the_largest_number_does_not_slip_under_its_limit();
    a_limit_bites_at_its_number_and_not_one_lot_later();
    the_largest_order_has_its_value();
    trades_beyond_the_largest_position_leave_it_there();
    a_collar_around_the_highest_price_is_no_smaller_number();
    return 0;
}

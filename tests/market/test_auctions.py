"""Phases, self-trade prevention and allocation of a market, by name and decimal."""

import copy
from decimal import Decimal

import pytest

from touchline import Allocation, Market, SelfTrade, Side, TimeInForce, TradingStatus
from touchline.market import AllocationStep, AuctionPrice, OrdStatus


@pytest.fixture
def market() -> Market:
    made = Market()
    made.list_instrument("AAA", "0.01", 10)
    for name in ("ACC1", "ACC2", "ACC3"):
        made.open_account(name)
    return made


def test_an_auction_says_what_it_would_come_to_and_trades_at_one_price(market: Market) -> None:
    opened = market.set_phase("AAA", TradingStatus.OPENING_AUCTION)
    assert opened == AuctionPrice(None, Decimal(0), Decimal(0), None)
    at_open = TimeInForce.AT_OPEN
    bid = market.buy("AAA", 50, "10.10", account="ACC1", time_in_force=at_open)
    ask = market.sell("AAA", 30, "10.00", account="ACC2")
    would = market.set_phase("AAA", TradingStatus.OPENING_AUCTION)
    assert would == AuctionPrice(Decimal("10.10"), Decimal(30), Decimal(20), Side.BUY)
    assert market.trades() == []
    assert market.set_phase("AAA", TradingStatus.READY_TO_TRADE) == would
    assert [(str(t.last_px), str(t.last_qty)) for t in market.trades()] == [("10.10", "30")]
    assert ask.ord_status == OrdStatus.FILLED
    assert (bid.cum_qty, bid.ord_status) == (Decimal(30), OrdStatus.CANCELED)
    assert market.set_phase("AAA", TradingStatus.CLOSED) is None
    assert not market.buy("AAA", 10, "10.00", account="ACC1").accepted


def test_an_auction_ends_when_it_may(market: Market) -> None:
    market.ts_ns = 1_000
    market.set_phase("AAA", TradingStatus.CLOSING_AUCTION, ends_ns=2_000)
    with pytest.raises(ValueError, match="the auction goes on"):
        market.set_phase("AAA", TradingStatus.CLOSED)
    market.ts_ns = 2_000
    assert market.set_phase("AAA", TradingStatus.CLOSED) is None  # nobody was there


@pytest.mark.parametrize("wrong", [0, 1, 255, 16, -1])
def test_a_phase_that_is_none_is_a_value_error(market: Market, wrong: int) -> None:
    with pytest.raises(ValueError, match="TradingStatus"):
        market.set_phase("AAA", wrong)  # type: ignore[arg-type]


def test_bounds_of_an_auction_that_can_not_be(market: Market) -> None:
    for name in ("ends_ns", "window_ns", "seed"):
        with pytest.raises(OverflowError, match=name):
            market.set_phase("AAA", TradingStatus.PRE_OPEN, **{name: -1})
    with pytest.raises(ValueError, match="not allowed here"):
        market.set_phase(
            "AAA", TradingStatus.CLOSING_AUCTION, ends_ns=2**63 - 1, window_ns=2**63 - 1
        )
    with pytest.raises(LookupError):
        market.set_phase("BBB", TradingStatus.PRE_OPEN)


def test_an_account_does_not_trade_with_itself(market: Market) -> None:
    market.set_self_trade("ACC1", SelfTrade.CANCEL_RESTING, 7)
    market.set_self_trade("ACC2", SelfTrade.ALLOWED, 7)
    resting = market.sell("AAA", 10, "10.00", account="ACC2")
    coming = market.buy("AAA", 10, "10.00", account="ACC1")
    assert (resting.ord_status, coming.ord_status) == (OrdStatus.CANCELED, OrdStatus.NEW)
    assert market.trades() == []
    for group in (-1, 2**31):
        with pytest.raises((ValueError, OverflowError)):
            market.set_self_trade("ACC1", SelfTrade.ALLOWED, group)
    with pytest.raises(LookupError):
        market.set_self_trade("ACC9", SelfTrade.ALLOWED)


def test_trades_are_shared_out_by_steps(market: Market) -> None:
    market.set_allocation(
        "AAA",
        [
            AllocationStep(Allocation.MARKET_MAKER, 40, account="ACC3"),
            AllocationStep(Allocation.PRO_RATA, 10, 10),
        ],
    )
    maker = market.sell("AAA", 1000, "10.00", account="ACC3")
    others = [market.sell("AAA", qty, "10.00", account="ACC1") for qty in (200, 400)]
    twin = copy.deepcopy((market, maker))
    market.buy("AAA", 500, "10.00", account="ACC2")
    assert maker.cum_qty > Decimal(200)
    assert sum(order.cum_qty for order in [maker, *others]) == Decimal(500)
    twin[0].buy("AAA", 500, "10.00", account="ACC2")
    assert twin[1].cum_qty == maker.cum_qty
    with pytest.raises(ValueError, match="open orders"):
        market.set_allocation("AAA", [])


def test_a_step_that_can_not_be_leaves_first_in_first_out(market: Market) -> None:
    with pytest.raises(ValueError):
        market.set_allocation(
            "AAA", [AllocationStep(Allocation.PRO_RATA, 10, 10), AllocationStep(Allocation.TOP)]
        )
    first = market.sell("AAA", 10, "10.00", account="ACC1")
    market.sell("AAA", 30, "10.00", account="ACC1")
    market.buy("AAA", 10, "10.00", account="ACC2")
    assert first.ord_status == OrdStatus.FILLED


def test_a_percentage_that_can_not_be_is_refused(market: Market) -> None:
    for percent in (0, 101, -1, "40.5", None):
        with pytest.raises(ValueError):
            market.set_allocation("AAA", [AllocationStep(Allocation.FIFO, percent)])
    with pytest.raises(ValueError):
        market.set_allocation("AAA", [AllocationStep(Allocation.PRO_RATA, 15, 10)])
    with pytest.raises(LookupError):
        market.set_allocation("AAA", [AllocationStep(Allocation.MARKET_MAKER, 40, account="X")])

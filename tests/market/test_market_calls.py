"""How a market's compiled calls may be called: keywords, derived classes, wrong arguments, help."""

from __future__ import annotations

import contextlib
import gc
import inspect
import pydoc
import sys
import weakref
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from touchline.core.engine import Engine
from touchline.core.messages import OrdType, Side, TimeInForce
from touchline.instruments import Instrument
from touchline.market import Market, Number, OpenOrder, OrdStatus, Report
from touchline.market.entry import OrderEntry
from touchline.market.listing import Listing
from touchline.market.record import Record


def listed(market: Market) -> Market:
    """AAA in cents and one account."""
    market.list_instrument("AAA", "0.01")
    market.open_account("ACC1")
    return market


@pytest.fixture
def market() -> Market:
    return listed(Market())


class Counting(Market):
    """A market as a study may derive it: a constructor, an attribute and a call of its own."""

    def __init__(self, name: str, orders_max: int = 64) -> None:
        super().__init__(orders_max=orders_max)
        self.name = name
        self.bought: list[Number] = []

    def buy(
        self,
        symbol: str,
        qty: Number,
        price: Number | None = None,
        *,
        account: str = "ACC1",
        time_in_force: int = TimeInForce.DAY,
        **terms: Any,
    ) -> Report:
        self.bought.append(qty)
        return super().buy(
            symbol, qty, price, account=account, time_in_force=time_in_force, **terms
        )


def test_a_derived_market_adds_to_the_calls() -> None:
    market = Counting("study", orders_max=8)
    listed(market)
    bid = market.buy("AAA", 5, "1")
    assert (market.name, market.bought, market.engine.capacities.orders_max) == ("study", [5], 8)
    assert market.cancel(bid).ord_status is OrdStatus.CANCELED


def test_a_market_whose_constructor_never_ran_knows_no_name() -> None:
    class Forgetful(Market):
        def __init__(self) -> None:
            pass

    market = Forgetful()
    with pytest.raises(LookupError, match="no instrument 'AAA' is listed"):
        market.buy("AAA", 1, 1, account="ACC1")
    with pytest.raises(AttributeError):
        market.list_instrument("AAA", 1)
    with pytest.raises(TypeError, match="got NoneType"):
        OrderEntry(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Market(orders=5)


def test_every_argument_has_its_name(market: Market) -> None:
    bid = market.buy(
        time_in_force=TimeInForce.GTC, account="ACC1", price=Decimal("1.5"), qty="7", symbol="AAA"
    )
    assert bid.events[["side", "time_in_force", "price", "qty"]].tolist() == [
        (Side.BUY, TimeInForce.GTC, 150, 7)
    ]
    moved = market.replace(price=2, order=bid, qty=6)
    assert moved.events[["price", "qty"]].tolist() == [(200, 6)]
    assert market.cancel(order=moved).accepted
    sold = market.sell(qty=1, symbol="AAA", account="ACC1")
    assert sold.events["side"][0] == Side.SELL
    assert sold.events["ord_type"][0] == OrdType.MARKET


WRONG_CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any], type[Exception]]] = {
    "no account": (("AAA", 1, 1), {}, TypeError),
    "the account by place": (("AAA", 1, 1, "ACC1"), {}, TypeError),
    "no quantity": (("AAA",), {"account": "ACC1"}, TypeError),
    "a word unknown": (("AAA", 1, 1), {"account": "ACC1", "tif": 48}, TypeError),
    "a symbol that is a list": (([], 1, 1), {"account": "ACC1"}, TypeError),
    "an account that is a list": (("AAA", 1, 1), {"account": []}, TypeError),
    "a symbol that is none": ((None, 1, 1), {"account": "ACC1"}, LookupError),
    "an account by number": (("AAA", 1, 1), {"account": 0}, LookupError),
    "time in force as text": (
        ("AAA", 1, 1),
        {"account": "ACC1", "time_in_force": "0"},
        TypeError,
    ),
    "time in force too large": (
        ("AAA", 1, 1),
        {"account": "ACC1", "time_in_force": 300},
        OverflowError,
    ),
}


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("wrong", WRONG_CALLS)
def test_a_wrong_call_is_an_error_and_no_order(market: Market, side: str, wrong: str) -> None:
    arguments, words, error = WRONG_CALLS[wrong]
    before = market.engine.event_seq
    with pytest.raises(error):
        getattr(market, side)(*arguments, **words)
    assert market.engine.event_seq == before


def test_what_is_no_order_can_not_be_canceled(market: Market) -> None:
    before = market.engine.event_seq
    for wrong in (None, 7, "AAA", 1.0, [1]):
        for call in (market.cancel, lambda order: market.replace(order, 1, 1)):
            with pytest.raises(TypeError, match="a Report or an OpenOrder is wanted"):
                call(wrong)  # type: ignore[arg-type]
        if type(wrong) is not int:
            with pytest.raises(TypeError, match=r"order is .* a whole number is wanted"):
                market.open_order(wrong)  # type: ignore[arg-type]
    order = OpenOrder(1, "AAA", "ACC1", Side.BUY, *[Decimal(1)] * 3)
    for changes, error in (
        ({"order_id": -1}, OverflowError),
        ({"account": "ACC9"}, LookupError),
        ({"symbol": "CCC"}, LookupError),
    ):
        with pytest.raises(error):
            market.cancel(order._replace(**changes))
        with pytest.raises(error):
            market.replace(order._replace(**changes), 1, 1)
    bare = Report.__new__(Report)
    with pytest.raises(AttributeError):
        market.cancel(bare)
    for name in vars(Report):
        if not name.startswith("_") and name not in ("listing", "trades", "fills"):
            with contextlib.suppress(AttributeError):
                getattr(bare, name)
    assert (repr(bare), bare.fills) == ("<Report of no market>", [])
    with pytest.raises(TypeError):
        Report()
    assert market.engine.event_seq == before


NOT_WHOLE = [1.0, Decimal(1), True, np.bool_(True), np.float64(1), Fraction(1), "1"]


@pytest.mark.parametrize("wrong", NOT_WHOLE, ids=repr)
def test_a_number_that_is_not_whole_is_refused_by_name(market: Market, wrong: Any) -> None:
    order = market.buy("AAA", 1, "1", account="ACC1")
    before = market.engine.event_seq
    for name, call in (
        ("time_in_force", lambda: market.buy("AAA", 1, account="ACC1", time_in_force=wrong)),
        ("levels_max", lambda: market.depth("AAA", "buy", wrong)),
        ("after", lambda: market.trades(after=wrong)),
        ("after", lambda: market.trade_events(wrong)),
        ("ts_ns", lambda: setattr(market, "ts_ns", wrong)),
        ("order", lambda: market.open_order(wrong)),
    ):
        with pytest.raises(TypeError, match=f"^{name} is .*; a whole number is wanted"):
            call()
    number: Any = np.uint64(order.order_id)
    assert market.open_order(number) == market.open_order(order)
    assert market.engine.event_seq == before


@pytest.mark.parametrize("side", [49.0, Decimal(49), np.float64(49), Fraction(49), b"1", True])
def test_a_side_that_is_no_whole_number_is_none(market: Market, side: Any) -> None:
    for call in (market.depth, market.open_orders):
        with pytest.raises(ValueError, match=r"allowed are Side\.BUY or 'buy'"):
            call("AAA", side)
        number: Any = np.int64(49)
        assert call("AAA", number) == call("AAA", Side.BUY) == []


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "\x7f", "\ud800", "\x85"])
def test_a_name_that_nobody_can_print_is_refused(name: str) -> None:
    market = Market()
    for call in (lambda: market.list_instrument(name, 1), lambda: market.open_account(name)):
        with pytest.raises(ValueError, match=r"^(symbol|account) "):
            call()
    if name:
        with pytest.raises(ValueError, match=r"^currency "):
            market.list_instrument("AAA", 1, 1, name)
    for wrong in (None, 7, b"USD", ["USD"]):
        with pytest.raises(TypeError, match=r"^currency .* is no text"):
            market.list_instrument("AAA", 1, 1, wrong)  # type: ignore[arg-type]
    assert (market.instruments, market.accounts, market.engine.event_seq) == ([], [], 0)
    market.list_instrument("Ö/€ 1", 1, 1, "")
    assert Market.from_snapshot(market.snapshot()).instruments == market.instruments


def test_a_report_of_another_market_is_refused_by_name(market: Market) -> None:
    other = listed(Market())
    bid = other.buy("AAA", 1, 1, account="ACC1")
    for change in (market.cancel, lambda order: market.replace(order, 1, 1)):
        with pytest.raises(ValueError, match=f"order {bid.order_id} is of another market"):
            change(bid)
    assert (other.best_bid("AAA"), other.engine.event_seq) == (Decimal(1), 3)


def test_reports_that_are_dropped_leave_the_others_alone(market: Market) -> None:
    """Memory of a dropped report is used again; the kept ones and the market do not notice."""
    kept = []
    for i in range(300):
        market.sell("AAA", 2, "5", account="ACC1")
        taken = market.buy("AAA", 1 + i % 2, "5", account="ACC1")
        if i % 3 == 0:
            kept.append((taken, taken.order_id, taken.trades, taken.events.tobytes()))
    gc.collect()
    for report, order_id, trades, events in kept:
        assert (report.order_id, report.trades, report.events.tobytes()) == (
            order_id,
            trades,
            events,
        )
    assert len({order_id for _, order_id, _, _ in kept}) == len(kept)


def test_a_report_of_one_event_is_light(market: Market) -> None:
    report = market.buy("AAA", 1, 1, account="ACC1")
    assert report.count == 1
    assert sys.getsizeof(report) == 96
    assert not gc.is_tracked(report)


def test_a_market_ends_with_its_last_reference() -> None:
    market = listed(Counting("study"))
    report = market.buy("AAA", 1, 1, account="ACC1")
    told = weakref.ref(market)
    del market
    assert told() is None
    assert (report.instrument.symbol, report.account) == ("AAA", "ACC1")


def test_a_listing_wants_a_record_and_that_an_engine() -> None:
    instrument = Instrument(0, "AAA", Decimal(1), Decimal(1))
    with pytest.raises(TypeError):
        Listing(None, instrument, [])  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Record(None)  # type: ignore[arg-type]
    for kind in (Listing, Record):
        with pytest.raises(TypeError):
            kind.__new__(kind)
    listing = Listing(Record(Engine()), instrument, ["ACC1"])
    assert (listing.instrument, listing.account_names) == (instrument, ["ACC1"])


@pytest.mark.parametrize("name", ["buy", "sell"])
def test_the_signature_and_the_help_are_there(name: str) -> None:
    call = getattr(Market, name)
    parameters = inspect.signature(call).parameters
    assert [str(p) for p in parameters.values()] == [
        "self",
        "symbol: 'str'",
        "qty: 'Number'",
        "price: 'Number | None' = None",
        "account: 'str'",
        "time_in_force: 'int' = <TimeInForce.DAY: 48>",
        "stop_price: 'Number | None' = None",
        "touched_price: 'Number | None' = None",
        "display_qty: 'Number | None' = None",
        "hidden: 'bool' = False",
        "post_only: 'bool' = False",
        "slide: 'bool' = False",
        "to_limit: 'bool' = False",
        "min_qty: 'Number | None' = None",
        "all_or_none: 'bool' = False",
        "expire_ns: 'int | None' = None",
        "cl_ord_id: 'int' = 0",
        "contingency: 'int | None' = None",
        "cl_ord_link_id: 'int | None' = None",
        "trail: 'Number | None' = None",
        "trail_percent: 'Number | None' = None",
    ]
    assert parameters["account"].kind is inspect.Parameter.KEYWORD_ONLY
    assert f"Enter an order to {name}, a market order" in call.__doc__
    shown = pydoc.plain(pydoc.render_doc(Market))
    for word in (f"{name}(self, symbol: 'str', qty: 'Number'", "replace(self, order: 'Report |"):
        assert word in shown

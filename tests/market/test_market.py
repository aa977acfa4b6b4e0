"""The market of names and decimals: it says what the engine under it says, and adds no rule."""

from __future__ import annotations

import pickle
import random
import re
from decimal import Context, Decimal, DecimalException, Inexact, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.core.engine import Answer, Engine
from touchline.core.messages import COMMAND, ExecType, OrdType, Side, TimeInForce
from touchline.errors import PriceError, QtyError
from touchline.instruments import Instrument
from touchline.market import Fill, Level, Market, Number, OpenOrder, OrdStatus, Position, Report
from touchline.market.listing import Listing
from touchline.market.record import Record

ENGINE = Engine(orders_max=16, price_blocks_max=16)


@pytest.fixture
def market() -> Market:
    """AAA in cents and whole pieces, BBB in eighths and tens; two accounts."""
    market = Market()
    market.list_instrument("AAA", tick_size="0.01", currency="USD")
    market.list_instrument("BBB", tick_size="0.125", lot_size=10)
    for name in ("ACC1", "ACC2"):
        market.open_account(name)
    return market


def test_two_orders_that_cross_report_a_fill_in_names_and_decimals(market: Market) -> None:
    resting = market.sell("BBB", 100, "10.25", account="ACC1")
    assert resting.ord_status is OrdStatus.NEW
    assert (resting.leaves_qty, resting.fills, resting.avg_px) == (Decimal(100), [], None)
    taker = market.buy("BBB", "30", Decimal("10.5"), account="ACC2")
    assert taker.ord_status is OrdStatus.FILLED
    assert taker.fills == [Fill(Decimal("10.25"), Decimal(30), resting.order_id, "ACC1")]
    assert (taker.filled_qty, taker.leaves_qty, taker.account) == (Decimal(30), Decimal(0), "ACC2")
    assert market.position("ACC1", "BBB") == Position(Decimal(-30), Decimal(0), Decimal(70))
    assert market.position("ACC1", "AAA") == Position(Decimal(0), Decimal(0), Decimal(0))


def test_a_sweep_lists_its_fills_in_order_and_their_average(market: Market) -> None:
    for price in ("1.02", "1.01", "1.03"):
        market.sell("AAA", 10, price, account="ACC1")
    swept = market.buy("AAA", 35, "1.03", account="ACC2")
    assert [fill.last_px for fill in swept.fills] == [
        Decimal("1.01"), Decimal("1.02"), Decimal("1.03"),
    ]  # fmt: skip
    assert swept.ord_status is OrdStatus.PARTIALLY_FILLED
    assert (swept.filled_qty, swept.leaves_qty, swept.avg_px) == (
        Decimal(30),
        Decimal(5),
        Decimal("1.02"),
    )
    assert "PARTIALLY_FILLED AAA filled 30 leaves 5" in repr(swept)


def test_an_order_without_a_price_is_a_market_order(market: Market) -> None:
    market.buy("AAA", 5, "9.99", account="ACC1")
    sold = market.sell("AAA", 8, account="ACC2")
    assert sold.events["ord_type"].tolist() == [OrdType.MARKET] * 3
    assert sold.ord_status is OrdStatus.CANCELED
    assert (sold.filled_qty, sold.leaves_qty) == (Decimal(5), Decimal(0))
    assert sold.text == "a market order's remainder does not rest"


def test_a_refusal_is_a_report_with_its_reason(market: Market) -> None:
    refused = market.buy("AAA", 0, "1", account="ACC1")
    assert (refused.accepted, refused.ord_status) == (False, OrdStatus.REJECTED)
    assert refused.text == "quantity 0 is outside 1 to 2147483647 lots"
    assert (refused.order_id, refused.leaves_qty, refused.fills) == (0, Decimal(0), [])
    assert "outside 1" in repr(refused)
    assert market.engine.orders_open == 0


def test_an_order_is_canceled_by_its_report_or_as_the_book_gave_it(market: Market) -> None:
    bid = market.buy("AAA", 5, "1", account="ACC1")
    market.buy("AAA", 6, "2", account="ACC2")
    (found, _) = market.open_orders("AAA", Side.BUY)
    six = Decimal(6)
    assert found == OpenOrder(found.order_id, "AAA", "ACC2", Side.BUY, Decimal(2), six, six)
    assert market.cancel(found).ord_status is OrdStatus.CANCELED
    assert market.cancel(bid).accepted
    again = market.cancel(bid)
    assert (again.accepted, again.text) == (False, "no such open order of this account")
    assert market.depth("AAA", Side.BUY) == []


def test_a_replace_keeps_the_order_id_and_counts_what_is_executed(market: Market) -> None:
    offer = market.sell("AAA", 10, "1.50", account="ACC1")
    market.buy("AAA", 4, "1.50", account="ACC2")
    moved = market.replace(offer, 12, "1.49")
    assert (moved.order_id, moved.ord_status) == (offer.order_id, OrdStatus.PARTIALLY_FILLED)
    assert moved.leaves_qty == 8
    assert market.depth("AAA", Side.SELL) == [Level(Decimal("1.49"), Decimal(8), 1)]
    assert market.replace(offer, 4, "1.49").ord_status is OrdStatus.FILLED
    assert market.best_ask("AAA") is None


def test_the_touch_is_told_in_prices(market: Market) -> None:
    assert market.best_bid("BBB") is None
    market.buy("BBB", 10, "3.125", account="ACC1")
    market.sell("BBB", 10, "3.250", account="ACC1")
    assert (market.best_bid("BBB"), market.best_ask("BBB")) == (Decimal("3.125"), Decimal("3.25"))


def test_what_a_request_did_stays_what_it_was(market: Market) -> None:
    offer = market.sell("AAA", 10, "1.50", account="ACC1")
    events = offer.events.tobytes()
    taken = market.buy("AAA", 10, "1.50", account="ACC2")
    fills = taken.fills
    for _ in range(10):
        market.buy("AAA", 1, "0.01", account="ACC1")
    assert (taken.fills, taken.filled_qty) == (fills, Decimal(10))
    assert (offer.fills, offer.filled_qty, offer.events.tobytes()) == ([], Decimal(0), events)


@pytest.mark.parametrize("price", ["1.005", "abc", Decimal("NaN"), 1.5, True, Fraction(1, 3), ""])
def test_what_is_no_price_is_refused_before_the_engine_sees_it(
    market: Market, price: object
) -> None:
    for same in ("1.5", "1", 1, Decimal("1.5"), "0.5"):
        market.buy("AAA", 1, same, account="ACC1")
    before = market.engine.event_seq
    with pytest.raises(PriceError):
        market.buy("AAA", 1, price, account="ACC1")  # type: ignore[arg-type]
    with pytest.raises(QtyError):
        market.buy("BBB", 15, 1, account="ACC1")
    assert market.engine.event_seq == before


EXACT_NUMBERS = [10, "10", "10.00", "1E+1", Decimal("1E+1"), Fraction(20, 2), np.int64(10),
                 np.uint8(10), np.str_("10"), OrdType.LIMIT - 40]  # fmt: skip


@pytest.mark.parametrize("number", EXACT_NUMBERS, ids=repr)
def test_every_exact_number_is_a_price_and_a_quantity(market: Market, number: Number) -> None:
    bid = market.buy("AAA", number, number, account="ACC1")
    assert (market.best_bid("AAA"), bid.leaves_qty) == (Decimal(10), Decimal(10))
    assert market.replace(bid, number, number).accepted


def test_a_small_tick_is_read_back_as_it_is_printed(market: Market) -> None:
    market.list_instrument("CCC", "7E-8", "1E+2")
    market.buy("CCC", "300", "0.00000007", account="ACC1")
    bid = market.best_bid("CCC")
    market.buy("CCC", 100, str(bid), account="ACC1")
    (level,) = market.depth("CCC", Side.BUY)
    assert (str(level.price), str(level.qty), level.orders) == ("7E-8", "400", 2)
    with pytest.raises(PriceError, match=r"price 0\.00000006 is not .* tick size 0\.00000007$"):
        market.buy("CCC", 1, "6E-8", account="ACC1")
    assert "E" not in repr(market.buy("CCC", 500, bid, account="ACC1")).replace("NEW", "")


def everything_a_market_says() -> list[str]:
    """Of a market with prices of seven digits and an average without an end, in words."""
    market = Market()
    market.list_instrument("AAA", Decimal("0.0001"), Fraction(1, 8))
    market.open_account("ACC1")
    offers = [market.sell("AAA", "12345.125", p, account="ACC1") for p in ("12345.6789", "12345.7")]
    bid = market.buy("AAA", Decimal("18000.5"), 20_000, account="ACC1")
    market.replace(offers[1], "12345.25", "12346.0001")
    refused = market.buy("AAA", 0, "123456789E-4", account="ACC1")
    said: list[object] = [bid.fills, bid.avg_px, bid.filled_qty, offers, refused, bid.text]
    said += [offers[1].cum_qty, offers[1].leaves_qty, offers[1].avg_px, market.best_ask("AAA")]
    said += [market.depth("AAA", "sell"), market.open_orders("AAA", "sell"), market.trades()]
    said.append(market.position("ACC1", "AAA"))
    forks = (Market.from_snapshot(market.snapshot()), pickle.loads(pickle.dumps(market)))
    said += [fork.depth("AAA", "sell") for fork in forks]
    return [str(words) for words in said]


@pytest.mark.parametrize("traps", [[], [Inexact], list(Context().traps)], ids=len)
def test_the_callers_decimal_context_changes_nothing(traps: list[type[DecimalException]]) -> None:
    expected = everything_a_market_says()
    assert "12345.6789" in expected[0]
    with localcontext(Context(prec=4, Emax=9, Emin=-9, traps=traps)):
        assert everything_a_market_says() == expected


SIZES = st.sampled_from(["0.01", "1", "0.125", "25", "0.0005", "1E+2", "1E-9", "123456789123"])
WRITTEN = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True, places=4),
    st.decimals(min_value=-(10**6), max_value=10**6, places=3),
    st.integers(-(10**20), 10**20),
    st.integers(-2000, 2000),
    st.integers(-2000, 2000).map(lambda cents: f"{Decimal(cents) / 100}"),
    st.text("0123456789.+-e ", max_size=24),
    st.text(max_size=4),
)


@given(SIZES, WRITTEN)
def test_a_listing_reads_numbers_as_its_instrument_does(size: str, number: Number) -> None:
    instrument = Instrument(0, "AAA", Decimal(size), Decimal(size))
    listing = Listing(Record(ENGINE), instrument, [])
    try:
        wanted = instrument.to_ticks(number)
    except PriceError as e:
        with pytest.raises(PriceError, match=re.escape(str(e))):
            listing.ticks(number)
        with pytest.raises(QtyError, match=r"^quantity "):
            listing.lots(number)
    else:
        assert listing.ticks(number) == listing.lots(number) == wanted


def test_unknown_and_repeated_names_are_errors(market: Market) -> None:
    with pytest.raises(LookupError, match="no instrument 'CCC' is listed"):
        market.buy("CCC", 1, 1, account="ACC1")
    with pytest.raises(LookupError, match="no account 'ACC9' is open"):
        market.buy("AAA", 1, 1, account="ACC9")
    with pytest.raises(ValueError, match="'AAA' is listed already"):
        market.list_instrument("AAA", "0.01")
    with pytest.raises(ValueError, match="not positive"):
        market.list_instrument("CCC", 0)
    with pytest.raises(ValueError, match="'ACC1' is open already"):
        market.open_account("ACC1")


def test_an_engine_without_a_place_says_so() -> None:
    market = Market(instruments_max=1, accounts_max=1)
    market.list_instrument("AAA", 1)
    market.open_account("ACC1")
    with pytest.raises(ValueError, match=r"all 1 places for instruments .* instruments_max"):
        market.list_instrument("BBB", 1)
    with pytest.raises(ValueError, match=r"all 1 places for accounts .* larger accounts_max"):
        market.open_account("ACC2")


@pytest.mark.parametrize("capacity", ["orders_max", "positions_max", "price_blocks_max"])
def test_a_full_pool_says_which_capacity_is_larger(capacity: str) -> None:
    market = Market(**{capacity: 1})
    for symbol in ("AAA", "BBB"):
        market.list_instrument(symbol, 1)
    market.open_account("ACC1")
    assert market.buy("AAA", 1, 1, account="ACC1").accepted
    refused = market.buy("BBB", 1, 100_000, account="ACC1")
    assert refused.text.endswith(f"are taken; a Market with a larger {capacity} has more")


def test_a_market_gives_the_events_of_its_engine(market: Market, seed: int) -> None:
    """A seeded flow by name and the same by number: equal events and equal states."""
    rng = random.Random(seed)
    twin = Engine()
    twin.submit(market_setup())
    known: list[Report] = []
    tifs = (TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK)
    for _ in range(2_000):
        ticks, lots = rng.randint(95, 105), rng.randint(0, 20)
        price = rng.choice((f"{Decimal(ticks) / 100}", Decimal(ticks) / 100))
        if known and rng.random() < 0.4:
            order = rng.choice(known)
            if rng.random() < 0.5:
                report = market.cancel(order)
                twin.cancel(order.order_id, order.account_number)
            else:
                report = market.replace(order, lots, price)
                twin.replace(order.order_id, order.account_number, ticks, lots)
        else:
            side, owner, tif = rng.choice(list(Side)), rng.randrange(2), rng.choice(tifs)
            enter = market.buy if side == Side.BUY else market.sell
            report = enter("AAA", lots, price, account=f"ACC{owner + 1}", time_in_force=tif)
            twin.new_order(0, owner, side, OrdType.LIMIT, tif, ticks, lots)
            if report.accepted:
                known.append(report)
        assert report.events.tobytes() == twin.events().tobytes()
        trades = report.events[report.events["exec_type"] == ExecType.TRADE]
        assert [trade[:2] for trade in report.trades] == trades[["price", "qty"]].tolist()
    assert market.engine.state_hash() == twin.state_hash()


def market_setup() -> np.ndarray:
    """The commands by which the fixture's market lists and opens."""
    commands = np.zeros(4, COMMAND)
    commands["type"] = [ord(letter) for letter in "ddaa"]
    commands["instrument"][1] = 1
    commands["account"][3] = 1
    return commands


def test_an_answer_is_made_by_an_engine_alone() -> None:
    engine = Engine()
    with pytest.raises(TypeError):
        Answer()
    for wrong in (int, object()):
        with pytest.raises(TypeError, match="no kind of Answer"):
            engine.answer(wrong)  # type: ignore[call-overload]
    empty = engine.answer()
    assert (empty.count, empty.order_id, len(empty.events), empty.trades) == (0, 0, 0, [])
    engine.cancel(7, 3)
    kept = engine.answer(context="mine")
    assert (kept.context, kept.count, kept.account_number) == ("mine", 1, 3)
    assert kept.exec_type == kept.last_exec_type == ExecType.CANCEL_REJECTED

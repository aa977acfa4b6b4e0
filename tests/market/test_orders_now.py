"""A report tells of its order as it is when it is asked, and the tape of what traded and when."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from touchline.core.messages import COMMAND, ExecType, MsgType, Side, TimeInForce
from touchline.market import Level, Market, OrdStatus, Report, Trade

NEW, PARTLY, FILLED, CANCELED = (
    OrdStatus.NEW,
    OrdStatus.PARTIALLY_FILLED,
    OrdStatus.FILLED,
    OrdStatus.CANCELED,
)


@pytest.fixture
def market() -> Market:
    """AAA in cents and whole pieces, BBB in eighths and tens; two accounts."""
    market = Market(orders_max=64)
    market.list_instrument("AAA", "0.01")
    market.list_instrument("BBB", "0.125", 10)
    for name in ("ACC1", "ACC2"):
        market.open_account(name)
    return market


def told(report: Report) -> tuple[OrdStatus, int, int, int, Decimal | None]:
    return (
        report.ord_status,
        int(report.order_qty),
        int(report.cum_qty),
        int(report.leaves_qty),
        report.avg_px,
    )


def test_a_makers_report_tells_of_its_fills(market: Market) -> None:
    offer = market.sell("AAA", 10, "1.50", account="ACC1")
    assert told(offer) == (NEW, 10, 0, 10, None)
    market.buy("AAA", 4, "1.50", account="ACC2")
    assert told(offer) == (PARTLY, 10, 4, 6, Decimal("1.50"))
    assert "PARTIALLY_FILLED AAA filled 4 leaves 6" in repr(offer)
    market.buy("AAA", 6, "1.50", account="ACC2")
    assert told(offer) == (FILLED, 10, 10, 0, Decimal("1.50"))
    assert offer.fills == []


def test_an_order_that_took_and_then_rested_adds_both_up(market: Market) -> None:
    market.sell("AAA", 3, "1.00", account="ACC1")
    bid = market.buy("AAA", 10, "2.00", account="ACC2")
    assert told(bid) == (PARTLY, 10, 3, 7, Decimal("1.00"))
    market.sell("AAA", 1, "2.00", account="ACC1")
    assert told(bid) == (PARTLY, 10, 4, 6, Decimal("1.25"))
    canceled = market.cancel(bid)
    assert told(bid) == told(canceled) == (CANCELED, 10, 4, 0, Decimal("1.25"))


def test_every_report_of_an_order_tells_the_same(market: Market) -> None:
    offer = market.sell("AAA", 10, "1.50", account="ACC1")
    market.buy("AAA", 4, "1.50", account="ACC2")
    moved = market.replace(offer, 12, "1.49")
    assert told(offer) == told(moved) == (PARTLY, 12, 4, 8, Decimal("1.50"))
    market.buy("AAA", 8, "1.49", account="ACC2")
    wanted = (FILLED, 12, 12, 0, Decimal("1.493333333333333333333333333"))
    assert told(offer) == told(moved) == wanted


def test_a_replace_down_to_what_traded_fills_the_order(market: Market) -> None:
    offer = market.sell("AAA", 10, "1.50", account="ACC1")
    market.buy("AAA", 4, "1.50", account="ACC2")
    assert told(market.replace(offer, 2, "1.50")) == (FILLED, 4, 4, 0, Decimal("1.50"))
    assert told(offer) == (FILLED, 4, 4, 0, Decimal("1.50"))


def test_a_place_used_again_does_not_mix_up_its_orders(market: Market) -> None:
    first = market.sell("AAA", 2, "1", account="ACC1")
    market.buy("AAA", 2, "1", account="ACC2")
    second = market.sell("AAA", 5, "2", account="ACC1")
    market.cancel(second)
    third = market.sell("AAA", 7, "3", account="ACC1")
    assert len({order.order_id & 0xFFFFFFFF for order in (first, second, third)}) < 3
    assert [order.ord_status for order in (first, second, third)] == [FILLED, CANCELED, NEW]
    assert (first.avg_px, second.avg_px, third.avg_px) == (Decimal(1), None, None)


def test_an_order_taken_off_past_the_market_is_canceled(market: Market) -> None:
    offer = market.sell("AAA", 5, "1", account="ACC1")
    command = np.zeros(1, COMMAND)
    command["type"], command["instrument"] = MsgType.MASS_CANCEL, 0xFFFF
    command["account"] = 0xFFFFFFFF
    market.engine.submit(command)
    assert told(offer) == (CANCELED, 5, 0, 0, None)


def test_trades_past_the_market_are_not_averaged(market: Market) -> None:
    offer = market.sell("AAA", 5, "1", account="ACC1")
    market.engine.new_order(0, 1, int(Side.BUY), ord("2"), ord("0"), 100, 2)
    assert (offer.ord_status, offer.cum_qty, offer.leaves_qty) == (PARTLY, Decimal(2), Decimal(3))
    with pytest.raises(LookupError, match="not all trades of order"):
        _ = offer.avg_px


def test_what_is_submitted_through_the_market_is_on_its_tape(market: Market) -> None:
    offer = market.sell("AAA", 5, "1", account="ACC1")
    commands = np.zeros(3, COMMAND)
    commands["type"], commands["side"] = MsgType.NEW_ORDER, Side.BUY
    commands["ord_type"], commands["time_in_force"] = ord("2"), TimeInForce.DAY
    commands["price"], commands["qty"], commands["account"] = 100, 1, 1
    events = market.submit(commands)
    assert len(events) == 6
    assert told(offer) == (PARTLY, 5, 3, 2, Decimal(1))
    assert len(market.trades()) == 3


def test_a_trade_of_who_has_no_name_is_a_lookup_error(market: Market) -> None:
    commands = np.zeros(2, COMMAND)
    commands["type"], commands["account"] = [MsgType.ACCOUNT, MsgType.NEW_ORDER], 2
    commands["side"], commands["ord_type"], commands["time_in_force"] = 49, 50, 48
    commands["price"], commands["qty"] = 100, 1
    market.sell("AAA", 5, "1", account="ACC1")
    market.submit(commands)
    with pytest.raises(LookupError, match="account 2 has no name in this market"):
        market.trades()


def test_the_tape_has_every_trade_with_its_time(market: Market) -> None:
    market.ts_ns = 1_000
    offer = market.sell("BBB", 30, "10.25", account="ACC1")
    market.ts_ns = np.int64(2_000)  # type: ignore[assignment]
    bid = market.buy("BBB", 10, "10.5", account="ACC2")
    market.ts_ns = 3_000
    other = market.buy("AAA", 1, "1", account="ACC1")
    hit = market.sell("AAA", 1, account="ACC2")
    first = Trade(5 + 2, 2_000, "BBB", Side.BUY, Decimal("10.25"), Decimal(10),
                  bid.order_id, "ACC2", offer.order_id, "ACC1")  # fmt: skip
    second = Trade(5 + 5, 3_000, "AAA", Side.SELL, Decimal(1), Decimal(1),
                   hit.order_id, "ACC2", other.order_id, "ACC1")  # fmt: skip
    assert market.trades() == [first, second]
    assert (market.trades("AAA"), market.trades(after=first.seq)) == ([second], [second])
    assert (market.trades("BBB", after=first.seq), market.trades(after=99)) == ([], [])
    assert market.trade_events()["seq"].tolist() == [first.seq, second.seq]
    assert hit.events["ts_ns"].tolist() == [3_000, 3_000]
    with pytest.raises(LookupError, match="no instrument 'CCC'"):
        market.trades("CCC")


def test_time_does_not_go_back_and_is_a_whole_number(market: Market) -> None:
    market.ts_ns = 5
    for wrong in (4, -1, 1 << 63):
        with pytest.raises(ValueError, match=f"ts_ns {wrong} is outside 5 to 9223372036854775807"):
            market.ts_ns = wrong
    with pytest.raises(TypeError):
        market.ts_ns = 6.5  # type: ignore[assignment]
    assert market.ts_ns == 5


SIDES_NOT = (0, 1, 2, 77, 255, "1", "2", "BUY", "bid", None, True, 49.0, -1, b"buy")


@pytest.mark.parametrize("side", SIDES_NOT, ids=repr)
def test_what_is_no_side_is_refused_by_name(market: Market, side: object) -> None:
    for ask in (market.depth, market.open_orders):
        with pytest.raises(ValueError, match=r"side .* is none; allowed are Side\.BUY or 'buy'"):
            ask("AAA", side)  # type: ignore[arg-type]


def test_a_side_is_a_member_or_a_word(market: Market) -> None:
    market.buy("AAA", 1, "1", account="ACC1")
    market.sell("AAA", 2, "2", account="ACC1")
    for buy in (Side.BUY, "buy", int(Side.BUY)):
        assert [level.price for level in market.depth("AAA", buy)] == [1]  # type: ignore[arg-type]
        assert [order.side for order in market.open_orders("AAA", buy)] == [Side.BUY]  # type: ignore[arg-type]
    for sell in (Side.SELL, "sell"):
        assert [level.price for level in market.depth("AAA", sell)] == [2]
        assert [order.side for order in market.open_orders("AAA", sell)] == [Side.SELL]


def test_depth_gives_as_many_levels_as_are_wanted(market: Market) -> None:
    for cents in range(1, 41):
        market.buy("AAA", cents, Decimal(cents) / 100, account="ACC1")
    whole = [Level(Decimal(c).scaleb(-2), Decimal(c), 1) for c in range(40, 0, -1)]
    for wanted in (0, 1, 15, 16, 17, 39, 40, 41, 10**9):
        assert market.depth("AAA", "buy", wanted) == whole[:wanted]
    assert market.depth("AAA", "buy") == whole[:10]
    with pytest.raises(ValueError, match="levels_max -1 is below 0"):
        market.depth("AAA", "buy", -1)
    with pytest.raises(TypeError):
        market.depth("AAA", "buy", 2.5)  # type: ignore[arg-type]


def test_an_order_is_found_by_its_number(market: Market) -> None:
    bid = market.buy("BBB", 20, "3.125", account="ACC2")
    (found,) = market.open_orders("BBB", "buy")
    assert market.open_order(bid.order_id) == market.open_order(bid) == found
    assert market.open_order(found) == found
    market.cancel(found)
    for gone in (bid, bid.order_id, 0, 7):
        with pytest.raises(LookupError, match="no open order has the number"):
            market.open_order(gone)


def test_decimals_kept_are_the_right_ones(market: Market) -> None:
    """Prices whose ticks share their last bits, asked for in turn."""
    for ticks in (1, 257, 1 + (1 << 16), (1 << 30) - 1, 256, 1, 512, 257):
        price = Decimal(ticks) / 100
        order = market.buy("AAA", ticks, price, account="ACC1")
        assert (market.best_bid("AAA"), order.leaves_qty) == (price, Decimal(ticks))
        assert str(market.best_bid("AAA")) == f"{price:.2f}"
        market.cancel(order)


class Ledger:
    """What a reader of all events knows of every order: the sums that reports have to give."""

    def __init__(self) -> None:
        self.qty: dict[int, int] = {}
        self.cum: dict[int, int] = defaultdict(int)
        self.value: dict[int, int] = defaultdict(int)
        self.gone: set[int] = set()

    def read(self, events: np.ndarray) -> None:
        for event in events:
            order_id = int(event["order_id"])
            if event["exec_type"] in (ExecType.NEW, ExecType.REPLACED):
                self.qty[order_id] = int(event["qty"])
            elif event["exec_type"] == ExecType.CANCELED:
                self.gone.add(order_id)
            elif event["exec_type"] == ExecType.TRADE:
                for traded in (order_id, int(event["contra_order_id"])):
                    self.cum[traded] += int(event["qty"])
                    self.value[traded] += int(event["qty"]) * int(event["price"])

    def now(self, order_id: int) -> tuple[OrdStatus, int, int, int, Fraction | None]:
        qty, cum = self.qty[order_id], self.cum[order_id]
        left = 0 if order_id in self.gone else qty - cum
        if cum >= qty:
            status = FILLED
        elif order_id in self.gone:
            status = CANCELED
        else:
            status = PARTLY if cum else NEW
        return status, qty, cum, left, Fraction(self.value[order_id], 100 * cum) if cum else None


def test_reports_agree_with_a_ledger_of_all_events(market: Market, seed: int) -> None:
    rng, ledger, known = random.Random(seed), Ledger(), list[Report]()
    for _ in range(3_000):
        price, qty = Decimal(rng.randint(95, 105)) / 100, rng.randint(1, 20)
        roll = rng.random()
        if known and roll < 0.3:
            report = market.cancel(rng.choice(known[-40:]))
        elif known and roll < 0.5:
            report = market.replace(rng.choice(known[-40:]), qty, price)
        else:
            enter = rng.choice((market.buy, market.sell))
            tif = rng.choice((TimeInForce.DAY, TimeInForce.IOC, TimeInForce.FOK))
            report = enter("AAA", qty, price, account="ACC1", time_in_force=tif)
        ledger.read(report.events)
        if report.accepted:
            known.append(report)
        for asked in rng.sample(known, min(3, len(known))):
            *rest, average = ledger.now(asked.order_id)
            assert told(asked)[:4] == tuple(rest)
            got = asked.avg_px
            assert (got is None) == (average is None)
            assert got is None or abs(Fraction(got) - average) < Fraction(1, 10**20)  # type: ignore[operator]
    assert {told(report)[0] for report in known} >= {FILLED, CANCELED}

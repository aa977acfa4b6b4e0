"""The books as a reader of events alone would keep them, objecting to any broken promise.

It knows no prices but those of events and no rules but the invariants: quantity is conserved,
trades are at the price of the best and oldest maker, no book stays crossed, no number is missing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference.state import LIMITED
from touchline.core.messages import ExecType, Flag, Side


@dataclass
class Entry:
    instrument: int
    side: int
    account: int
    price: int
    since: int  # the event that gave it its place in the queue
    order_qty: int
    leaves_qty: int
    shown_qty: int  # in the book for all to see
    executed_qty: int = 0

    def rank(self) -> tuple[int, int]:
        """Smaller is served earlier."""
        return (-self.price if self.side == Side.BUY else self.price, self.since)


class Ledger:
    def __init__(self) -> None:
        self.seq = 0
        self.open: dict[int, Entry] = {}
        self.ended: set[int] = set()
        self.net: dict[tuple[int, int], int] = {}
        self.uncrossed_at = 0  # while its trades follow
        self.shared: set[int] = set()  # instruments of section 11

    def read(self, events: NDArray[np.void]) -> None:
        """The events of one command."""
        for event in events:
            self.seq += 1
            assert event["seq"] == self.seq
            if event["exec_type"] != ExecType.TRADE:
                uncrossed = event["exec_type"] == ExecType.UNCROSSED
                self.uncrossed_at = int(event["price"]) if uncrossed else 0
            match event["exec_type"]:
                case ExecType.NEW:
                    self.enter(event)
                case ExecType.TRADE | ExecType.DECREMENTED:
                    self.trade(event)
                case ExecType.REPLACED:
                    self.replace(event)
                case ExecType.RESTATED:
                    self.restate(event)
                case ExecType.ALLOCATION:
                    self.shared.add(int(event["instrument"]))
                case ExecType.TRIGGERED:
                    assert self.open[int(event["order_id"])].shown_qty == 0
                case ExecType.CANCELED | ExecType.EXPIRED:
                    self.take_off(event)
        for side in self.queues().values():
            assert not (side[Side.BUY] and side[Side.SELL]) or (
                side[Side.BUY][0][1].price < side[Side.SELL][0][1].price
            ), "crossed"
        assert sum(self.net.values()) == 0

    def enter(self, event: np.void) -> None:
        order_id = int(event["order_id"])
        assert order_id not in self.open
        assert order_id not in self.ended
        self.open[order_id] = Entry(
            instrument=int(event["instrument"]),
            side=int(event["side"]),
            account=int(event["account"]),
            price=int(event["price"]),
            since=self.seq,
            order_qty=int(event["qty"]),
            leaves_qty=int(event["leaves_qty"]),
            shown_qty=0 if event["flags"] & Flag.SPECIAL else int(event["leaves_qty"]),
        )
        assert event["qty"] == event["leaves_qty"] > 0

    def restate(self, event: np.void) -> None:
        """8.2: from now on it stands there, behind all others; 9.3: nobody sees where."""
        entry = self.open[int(event["order_id"])]
        assert entry.leaves_qty == event["leaves_qty"] >= event["qty"]
        assert event["leaves_qty"] > 0
        assert event["qty"] > 0 or entry.shown_qty > 0
        entry.price, entry.shown_qty, entry.since = int(event["price"]), int(event["qty"]), self.seq

    def trade(self, event: np.void) -> None:
        taker = self.open[int(event["order_id"])]
        maker = self.open[int(event["contra_order_id"])]
        if self.uncrossed_at:
            self.check_uncrossed(event, taker, maker)
        else:
            self.check_met(event, taker, maker)
        assert {taker.side, maker.side} == {Side.BUY, Side.SELL}
        qty = int(event["qty"])
        assert 0 < qty <= min(taker.leaves_qty, maker.leaves_qty)
        for entry in (taker, maker):
            entry.leaves_qty -= qty
            if event["exec_type"] == ExecType.DECREMENTED:  # 10.5: it was never ordered
                entry.order_qty -= qty
                continue
            entry.executed_qty += qty
            assert entry.executed_qty + entry.leaves_qty == entry.order_qty
            key = (entry.account, entry.instrument)
            self.net[key] = self.net.get(key, 0) + (qty if entry.side == Side.BUY else -qty)
        assert event["leaves_qty"] == taker.leaves_qty
        assert event["contra_account"] == maker.account
        assert bool(event["flags"] & Flag.MAKER_DONE) == (maker.leaves_qty == 0)
        for name in ("contra_order_id", "order_id"):
            self.forget_if_done(int(event[name]))

    def check_uncrossed(self, event: np.void, buy: Entry, sell: Entry) -> None:
        """9.5: nobody sees either, and neither trades beyond its price."""
        assert event["flags"] & Flag.HIDDEN
        assert buy.shown_qty == sell.shown_qty == 0
        assert buy.price == 0 or buy.price >= self.uncrossed_at
        assert sell.price <= self.uncrossed_at == event["price"]

    def check_met(self, event: np.void, taker: Entry, maker: Entry) -> None:
        """Takes what is shown of both off."""
        rivals = [
            entry
            for entry in self.open.values()
            if (entry.instrument, entry.side) == (maker.instrument, maker.side)
            and entry is not taker
            and entry.shown_qty
        ]
        if event["flags"] & Flag.HIDDEN:
            best = min(rivals, key=Entry.rank, default=None)
            assert maker.shown_qty == 0
            assert best is None or maker.rank()[0] < best.rank()[0], "not the best"
        else:
            best = min(rivals, key=Entry.rank)
            at_best = maker.rank()[0] == best.rank()[0]
            assert best is maker or (maker.instrument in self.shared and at_best), "not the best"
            maker.shown_qty -= int(event["qty"])
            assert maker.shown_qty >= 0
        taker.shown_qty -= min(taker.shown_qty, int(event["qty"]))
        assert event["price"] == maker.price
        if event["ord_type"] in LIMITED:
            gain = int(taker.price) - maker.price
            assert gain >= 0 if taker.side == Side.BUY else gain <= 0

    def replace(self, event: np.void) -> None:
        order_id = int(event["order_id"])
        entry = self.open[order_id]
        assert event["qty"] == entry.executed_qty + event["leaves_qty"]
        if event["flags"] & Flag.PRIORITY_KEPT:
            if not event["flags"] & Flag.SPECIAL or entry.shown_qty:
                assert entry.price == event["price"]
                assert event["qty"] < entry.order_qty
            entry.shown_qty = min(entry.shown_qty, int(event["leaves_qty"]))
        else:
            entry.since = self.seq
            entry.shown_qty = 0 if event["flags"] & Flag.SPECIAL else int(event["leaves_qty"])
        entry.price = int(event["price"])
        entry.order_qty = int(event["qty"])
        entry.leaves_qty = int(event["leaves_qty"])
        self.forget_if_done(order_id)

    def take_off(self, event: np.void) -> None:
        order_id = int(event["order_id"])
        entry = self.open[order_id]
        assert event["qty"] == entry.leaves_qty > 0
        assert event["leaves_qty"] == 0
        entry.leaves_qty = 0
        self.forget_if_done(order_id)

    def forget_if_done(self, order_id: int) -> None:
        if self.open[order_id].leaves_qty == 0:
            del self.open[order_id]
            self.ended.add(order_id)

    def queues(self) -> dict[int, dict[int, list[tuple[int, Entry]]]]:
        """Of each instrument and side the orders shown with their ids, first served first."""
        queues: dict[int, dict[int, list[tuple[int, Entry]]]] = {}
        for order_id, entry in sorted(self.open.items(), key=lambda item: item[1].rank()):
            sides = queues.setdefault(entry.instrument, {Side.BUY: [], Side.SELL: []})
            if entry.shown_qty:
                sides[entry.side].append((order_id, entry))
        return queues

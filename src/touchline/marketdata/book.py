"""A book as published records leave it: a subscriber's view of one instrument."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import LEVEL, Side
from touchline.instruments import Instrument
from touchline.marketdata import decode
from touchline.marketdata.layout import DEPTH, KINDS, Kind

Records = NDArray[np.void]


@dataclass(slots=True)
class Book:
    """One instrument as the updates so far have left it; levels are price: (qty, orders)."""

    instrument: Instrument
    bids: dict[int, tuple[int, int]] = field(default_factory=dict)
    asks: dict[int, tuple[int, int]] = field(default_factory=dict)
    bbo: np.void | None = None  # best bid and offer as a BBO record
    last_trade: np.void | None = None  # the last TRADE record, None before the first
    statistics: np.void | None = None  # of the day, as a STATISTICS record
    trading_status: int = 0
    entry_status: int = 0
    event_seq: int = 0  # of the last update applied
    ts_ns: int = 0  # when the snapshot was made that it began with
    seqs: list[int] = field(default_factory=lambda: [0] * len(KINDS))  # by Kind

    def levels(self, side: Side, levels_max: int = 10) -> Records:
        """Price levels from the best outwards, shape (n,), n <= levels_max, dtype LEVEL.

        Prices in ticks, quantities in lots: what Engine.depth returns, as a copy.
        """
        found = self.bids if side == Side.BUY else self.asks
        prices = sorted(found, reverse=side == Side.BUY)[:levels_max]
        levels = np.zeros(len(prices), LEVEL)
        levels["price"] = prices
        levels["qty"] = [found[price][0] for price in prices]
        levels["orders"] = [found[price][1] for price in prices]
        return levels

    @property
    def best_bid(self) -> int:
        """Ticks, 0 when there is no bid; from the depth topic."""
        return max(self.bids, default=0)

    @property
    def best_ask(self) -> int:
        """Ticks, 0 when there is no ask; from the depth topic."""
        return min(self.asks, default=0)

    @property
    def turnover(self) -> int:
        """Of the day, exact: the sum of price times quantity, in ticks times lots."""
        day = self.statistics
        return 0 if day is None else int(day["turnover"]) | int(day["turnover_high"]) << 64

    @property
    def vwap(self) -> Fraction | None:
        """The day's average price weighted by volume, exact, in ticks; None without trades."""
        volume = 0 if self.statistics is None else int(self.statistics["volume"])
        return Fraction(self.turnover, volume) if volume else None

    def newest(self, levels_max: int) -> list[tuple[Kind, Records]]:
        """Its state as records of BBO, DEPTH, STATUS aside, STATISTICS: levels with event_seq 0."""
        depth = np.zeros(0, DEPTH)
        for side in Side:
            levels = self.levels(side, levels_max)
            rows = np.zeros(len(levels), DEPTH)
            for name in ("price", "qty", "orders"):
                rows[name] = levels[name]
            rows["side"] = int(side)
            depth = np.concatenate([depth, rows])
        found = [(Kind.BBO, self.bbo), (Kind.STATISTICS, self.statistics)]
        told = [(kind, row.reshape(1)) for kind, row in found if row is not None]
        return [*told, (Kind.DEPTH, depth)]

    def apply(self, kind: Kind, records: Records) -> None:
        if kind == Kind.DEPTH:
            self._apply_depth(records)
        elif kind == Kind.TRADES:
            self.last_trade = records[-1]
        elif kind == Kind.BBO:
            self.bbo = records[-1]
        elif kind == Kind.STATISTICS:
            self.statistics = records[-1]
        else:
            self.trading_status = int(records["trading_status"][-1])
            self.entry_status = int(records["entry_status"][-1])
        self.event_seq = max(self.event_seq, int(records["event_seq"][-1]))

    def _apply_depth(self, records: Records) -> None:
        buy = int(Side.BUY)
        columns = (records[name].tolist() for name in ("side", "price", "qty", "orders"))
        for side, price, qty, orders in zip(*columns, strict=True):
            levels = self.bids if side == buy else self.asks
            if orders:
                levels[price] = qty, orders
            else:
                levels.pop(price, None)


def book_of(told: decode.Snapshot) -> Book:
    """A book as a snapshot tells it."""
    book = Book(told.instrument)
    book._apply_depth(told.levels)
    book.last_trade, book.bbo, book.statistics = told.last_trade, told.bbo, told.statistics
    book.trading_status, book.entry_status = told.trading_status, told.entry_status
    book.seqs = list(told.seqs)
    book.event_seq, book.ts_ns = int(told.bbo["event_seq"]), int(told.bbo["ts_ns"])
    return book

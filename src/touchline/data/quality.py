"""Is market data good? Checks of arrays of RECORD, each row a flag; a report; a score from 0 to 1.

Every check is a function of arrays that gives an array of bool, True where something is wrong. They
keep nothing: a file is checked in pieces by `Quality`, which carries what one piece leaves to the
next. Prices are in 1 / PRICE_SCALE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.study.market_record import RecordFlag, RecordType

Records = NDArray[np.void]
Flags = NDArray[np.bool_]

_PRICED = (RecordType.ADD, RecordType.REPLACE, RecordType.MODIFY, RecordType.LEVEL,
           RecordType.TRADE)  # fmt: skip
_SIZED = (RecordType.ADD, RecordType.EXECUTE, RecordType.CANCEL, RecordType.REPLACE,
          RecordType.MODIFY, RecordType.TRADE)  # fmt: skip
WEIGHTS: Mapping[str, float] = {
    "price": 1.0, "volume": 1.0, "timestamp": 1.0, "outlier": 0.5, "completeness": 2.0,
}  # fmt: skip


@dataclass(frozen=True)
class Bounds:
    """What a good record has: prices and quantities from least to most, a tick that divides."""

    price_min: int = 1
    price_max: int = (1 << 63) - 1
    tick: int = 1
    qty_max: int = 1 << 34
    ts_min: int = 0
    ts_max: int = (1 << 63) - 1
    sigma: float = 3.0
    window: int = 100


def has_price(records: Records) -> Flags:
    """Which records say a price: orders, trades, and executions at a price of their own."""
    priced = (records["type"] == RecordType.EXECUTE) & (records["flags"] & RecordFlag.PRICED != 0)
    found: Flags = np.isin(records["type"], _PRICED) | priced
    return found


def is_trade(records: Records) -> Flags:
    """Which records say at what price something traded."""
    found: Flags = has_price(records) & np.isin(
        records["type"], (RecordType.TRADE, RecordType.EXECUTE)
    )
    return found


def price(records: Records, bounds: Bounds = Bounds()) -> Flags:
    """A price below or above the bounds, or no multiple of the tick."""
    prices = records["price"]
    wrong = (prices < bounds.price_min) | (prices > bounds.price_max) | (prices % bounds.tick != 0)
    found: Flags = has_price(records) & wrong
    return found


def volume(records: Records, bounds: Bounds = Bounds()) -> Flags:
    """A quantity of zero, less, or above the bound."""
    qty = records["qty"]
    found: Flags = np.isin(records["type"], _SIZED) & ((qty <= 0) | (qty > bounds.qty_max))
    return found


def timestamp(records: Records, bounds: Bounds = Bounds(), *, before: int | None = None) -> Flags:
    """A time out of bounds, or before the latest of those that came earlier (`before`: of those
    before the array)."""
    times = records["ts_ns"]
    if not len(times):
        return np.zeros(0, bool)
    first = times[0] if before is None else before
    latest = np.maximum.accumulate(np.concatenate([[first], times[:-1]]))
    found: Flags = (times < latest) | (times < bounds.ts_min) | (times > bounds.ts_max)
    return found


def outlier(records: Records, bounds: Bounds = Bounds()) -> Flags:
    """A trade's price further from the mean than `sigma` standard deviations, both of the `window`
    trades of its instrument before it. Trades with fewer before them are never flagged."""
    flags = np.zeros(len(records), bool)
    trades = np.flatnonzero(is_trade(records))
    instruments = records["instrument"][trades]
    for instrument in np.unique(instruments):
        at = trades[instruments == instrument]
        flags[at] = _far_off(records["price"][at], bounds)
    return flags


def _far_off(prices: NDArray[np.int64], bounds: Bounds) -> Flags:
    window = bounds.window
    flags = np.zeros(len(prices), bool)
    if len(prices) <= window:
        return flags
    # Differences to the first price keep sums of squares small enough to be exact.
    away = (prices - prices[0]).astype(np.float64)
    views = np.lib.stride_tricks.sliding_window_view(away, window)[:-1]
    far = np.abs(away[window:] - views.mean(axis=1))
    flags[window:] = far > bounds.sigma * np.maximum(views.std(axis=1), 1.0)
    return flags


def completeness(records: Records, *, after: int | None = None) -> tuple[Flags, NDArray[np.int64]]:
    """Records before which numbers are missing, and how many (negative: the number came already).

    `after` is the last number before the array. Numbers that are all 0 say nothing.
    """
    numbers = records["seq"].astype(np.int64)
    if not len(numbers) or not numbers.any():
        return np.zeros(len(numbers), bool), np.zeros(len(numbers), np.int64)
    start = numbers[0] - 1 if after is None else after
    steps = np.diff(numbers, prepend=start) - 1
    return steps != 0, steps


def score(records: int, flagged: Mapping[str, int], missing: int) -> float:
    """How good a source is, from 0 to 1; 1 when nothing is wrong.

    The weighted mean, by WEIGHTS, of a part for each check: the share of records without its flag,
    and for completeness the share of the numbers that came, records / (records + missing).
    """
    if records == 0:
        return 0.0
    parts = {name: 1.0 - flagged.get(name, 0) / records for name in WEIGHTS}
    parts["completeness"] = records / (records + missing)
    total = sum(WEIGHTS[name] * part for name, part in parts.items())
    return total / sum(WEIGHTS.values())


@dataclass
class Report:
    """What the checks found: how many records each flagged, and the first of each."""

    records: int = 0
    flagged: dict[str, int] = field(default_factory=dict)
    first: dict[str, dict[str, int]] = field(default_factory=dict)
    missing: int = 0
    repeated: int = 0

    @property
    def score(self) -> float:
        """As of score()."""
        return score(self.records, self.flagged, self.missing)

    @property
    def ok(self) -> bool:
        """Nothing was flagged and nothing is missing."""
        return not self.missing and not any(self.flagged.values())

    def facts(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "records": self.records,
            "score": round(self.score, 6),
            "missing": self.missing,
            "repeated": self.repeated,
            "flagged": dict(self.flagged),
            "first": dict(self.first),
        }


class Quality:
    """The checks over the pieces of one source; `report` is as of those that came."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.bounds = bounds or Bounds()
        self.report = Report(flagged=dict.fromkeys(WEIGHTS, 0))
        self._before: int | None = None
        self._after: int | None = None
        self._tail: Records | None = None

    def check(self, records: Records) -> dict[str, Flags]:
        """The flags of a piece by the check's name, all of its length."""
        if not len(records):
            return {name: np.zeros(0, bool) for name in WEIGHTS}
        complete, steps = completeness(records, after=self._after)
        flags = {
            "price": price(records, self.bounds),
            "volume": volume(records, self.bounds),
            "timestamp": timestamp(records, self.bounds, before=self._before),
            "outlier": self._outliers(records),
            "completeness": complete,
        }
        self.report.missing += int(steps[steps > 0].sum())
        self.report.repeated += int((steps < 0).sum())
        self._note(records, flags)
        latest = int(records["ts_ns"].max())
        self._before = latest if self._before is None else max(self._before, latest)
        if records["seq"].any():
            self._after = int(records["seq"][-1])
        return flags

    def _outliers(self, records: Records) -> Flags:
        """Among the trades of this piece, behind a window of those before it."""
        whole = records if self._tail is None else np.concatenate([self._tail, records])
        flags = outlier(whole, self.bounds)[len(whole) - len(records) :]
        self._tail = _last_trades(whole, self.bounds.window)
        return flags

    def _note(self, records: Records, flags: Mapping[str, Flags]) -> None:
        for name, found in flags.items():
            count = int(found.sum())
            self.report.flagged[name] += count
            if count and name not in self.report.first:
                at = int(np.flatnonzero(found)[0])
                self.report.first[name] = {
                    "record": self.report.records + at + 1,
                    **{key: int(records[key][at]) for key in ("seq", "ts_ns", "price", "qty")},
                }
        self.report.records += len(records)


def _last_trades(records: Records, window: int) -> Records:
    """The last `window` trades of each instrument, in their order."""
    trades = np.flatnonzero(is_trade(records))
    instruments = records["instrument"][trades]
    kept = [trades[instruments == one][-window:] for one in np.unique(instruments)]
    return records[np.sort(np.concatenate(kept))] if kept else records[:0]

"""Several sources of one market as one: prices, who was believed, how good each is.

    source: Reader ─► Books ─► trades ─┐ by time     ┌─► pricing: a price and VWAP an instrument
    source: Reader ─► Books ─► trades ─┴─────────────┼─► failover: the first source that is well
                 └─► Quality: score                  └─► symbols that nobody has mapped

Times of all sources must count from the same moment.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from touchline.data.pricing import Answer, Observation, Pricing, State, Time, step
from touchline.data.quality import Bounds, Quality
from touchline.data.reader import Reader
from touchline.data.sources import Provider, SymbolMap, failover, failover_start
from touchline.study.books import Books
from touchline.study.market_record import RecordFlag

SWITCHES_KEPT = 1000


class Trade(NamedTuple):
    """An observation of a source, in time's order."""

    ts_ns: int
    source: str
    symbol: str
    price: int
    qty: int


@dataclass
class Consolidated:
    """What came of it. `answers`: the price of each symbol at the end; `switches`:
    (time, source) each time another one was believed, None for nobody; `unmapped`: symbols of a
    source that its map does not have; `late`: observations before an earlier one, taken as of its
    time."""

    answers: dict[str, Answer] = field(default_factory=dict)
    observations: dict[str, int] = field(default_factory=dict)
    outliers: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    switches: list[tuple[int, str | None]] = field(default_factory=list)
    unmapped: dict[str, set[str]] = field(default_factory=dict)
    late: int = 0


@dataclass
class _Source:
    """A source being read."""

    name: str
    reader: Reader
    symbols: SymbolMap
    quality: Quality
    unmapped: set[str] = field(default_factory=set)

    def trades(self) -> Iterator[Trade]:
        """What it says traded, with our names."""
        books = Books()
        for records in self.reader:
            self.quality.check(records)
            prints = books.trades(records)
            hidden = prints["flags"] & RecordFlag.NOT_PRINTED
            prints = prints[(prints["price"] > 0) & (prints["qty"] > 0) & (hidden == 0)]
            columns = (prints[name].tolist() for name in ("ts_ns", "instrument", "price", "qty"))
            for ts_ns, instrument, price, qty in zip(*columns, strict=True):
                theirs = self.reader.symbols.get(instrument, str(instrument))
                try:
                    symbol = self.symbols.ours(self.name, theirs)
                except LookupError:
                    self.unmapped.add(theirs)
                    continue
                yield Trade(ts_ns, self.name, symbol, price, qty)


def consolidate(
    readers: Mapping[str, Reader],
    pricing: Pricing,
    providers: tuple[Provider, ...],
    symbols: SymbolMap,
    *,
    bounds: Bounds | None = None,
    hold_ns: int = 0,
) -> Consolidated:
    """All trades of all sources through the pricing engine, and who would be believed when.

    `readers` by the source's name; `providers` in the order of failover. Raises FeedError where a
    file holds what it can not, TouchlineError for a source that pricing does not know.
    """
    sources = [_Source(name, of, symbols, Quality(bounds)) for name, of in readers.items()]
    qualities = {source.name: source.quality for source in sources}
    made = Consolidated(observations=dict.fromkeys(readers, 0), outliers=dict.fromkeys(readers, 0))
    believed = failover_start(providers)
    states: dict[str, State] = {}
    now_ns = 0
    for trade in heapq.merge(*(source.trades() for source in sources)):
        made.late += trade.ts_ns < now_ns
        now_ns = max(now_ns, trade.ts_ns)
        event = Observation(trade.source, now_ns, trade.price, trade.qty)
        state = states.get(trade.symbol, State())
        states[trade.symbol], answer = step(pricing, state, event)
        made.answers[trade.symbol] = answer
        made.observations[trade.source] += 1
        made.outliers[trade.source] += answer.outlier
        score = qualities[trade.source].report.score
        before = believed.chosen
        believed = failover(
            providers, believed, now_ns, heard=trade.source, score=score, hold_ns=hold_ns
        )
        if believed.chosen != before and len(made.switches) < SWITCHES_KEPT:
            chosen = None if believed.chosen is None else providers[believed.chosen].name
            made.switches.append((now_ns, chosen))
    for symbol, state in states.items():
        made.answers[symbol] = step(pricing, state, Time(now_ns))[1]
    made.scores = {name: quality.report.score for name, quality in qualities.items()}
    made.unmapped = {source.name: source.unmapped for source in sources if source.unmapped}
    return made

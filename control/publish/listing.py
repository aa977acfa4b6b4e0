"""What the published instruments are called: topics and symbols by number, and numbers by symbol.

Names are read from the journal when a number without one turns up.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from touchline.control.supervisor.names import read_names
from touchline.instruments import Instrument
from touchline.marketdata.layout import Kind, topic

Topics = tuple[bytes, bytes, bytes, bytes]


def _names(journal_dir: Path) -> dict[int, Instrument]:
    """The instruments that the journal names at this moment."""
    return dict(read_names(journal_dir).instruments)


class Listing(dict[int, Topics]):
    """The four topics of each instrument, by number; a number asked for first is looked up."""

    def __init__(self, journal_dir: Path) -> None:
        super().__init__()
        self._journal_dir = journal_dir
        self._named: dict[int, Instrument] = {}
        self._instruments: dict[int, Instrument] = {}
        self._numbers: dict[str, int] = {}
        self._in_order = True

    def __missing__(self, number: int) -> Topics:
        if number not in self._named:
            self._named = _names(self._journal_dir)
        instrument = self._named.get(number)
        if instrument is None:
            # Listed by a program that gave no name: its number serves as one.
            instrument = Instrument(number, str(number), Decimal(1), Decimal(1))
        symbol = instrument.symbol
        self._instruments[number] = instrument
        self._numbers[symbol] = number
        self._in_order = False
        topics = (
            topic(Kind.TRADES, symbol),
            topic(Kind.BBO, symbol),
            topic(Kind.DEPTH, symbol),
            topic(Kind.STATUS, symbol),
        )
        self[number] = topics
        return topics

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each symbol, in the order of the numbers."""
        if not self._in_order:
            self._numbers = dict(sorted(self._numbers.items(), key=lambda pair: pair[1]))
            self._in_order = True
        return self._numbers

    def learn(self, numbers: Iterable[int]) -> None:
        """Look up those not known yet."""
        for number in numbers:
            self[number]

    def instrument(self, number: int) -> Instrument:
        """The instrument of a listed number."""
        self[number]
        return self._instruments[number]

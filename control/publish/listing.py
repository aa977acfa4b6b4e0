"""What the published instruments are called: topics and symbols by number, and numbers by symbol.

The journal is opened once, and read on when a number without a name turns up.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from touchline.control.publish.sockets import Topics
from touchline.instruments import Instrument
from touchline.marketdata.layout import KINDS, topic
from touchline.runtime.directory import JournalDirectory


class Listing(dict[int, Topics]):
    """The five topics of each instrument, by number; a number asked for first is looked up.

    What was listed by a program that gave no name goes by its number. Close it at the end.
    """

    def __init__(self, journal_dir: Path) -> None:
        super().__init__()
        self._source = JournalDirectory(journal_dir)
        self._instruments: dict[int, Instrument] = {}
        self._numbers: dict[str, int] = {}
        self._in_order = True

    def __missing__(self, number: int) -> Topics:
        if number not in self._source.names.symbols:
            self._source.read_on()
        instrument = self._source.names.instrument(number)
        symbol = instrument.symbol
        self._instruments[number] = instrument
        self._numbers[symbol] = number
        self._in_order = False
        trades, bbo, depth, status, statistics = (topic(kind, symbol) for kind in KINDS)
        self[number] = trades, bbo, depth, status, statistics
        return self[number]

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

    def close(self) -> None:
        """Let go of the journal. Harmless when repeated."""
        self._source.close()

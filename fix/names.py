"""What instruments, accounts and sessions are called, as the journal says it.

The journal is read once at the start, and read on from there when a name is not found although
something was listed since: so an instrument added while the venue runs can be traded at once, and
looking up a known name reads nothing.
"""

from __future__ import annotations

import threading
from pathlib import Path

from touchline.fix.orders import Orders
from touchline.instruments import Instrument
from touchline.runtime.directory import JournalDirectory


class JournalNames:
    """Names by number and numbers by name; any thread may ask."""

    def __init__(self, journal_dir: Path, orders: Orders) -> None:
        self._orders = orders
        self._source = JournalDirectory(journal_dir)
        self._directory = self._source.names
        self._lock = threading.Lock()
        self._instruments: dict[int, Instrument] = {}
        self._by_symbol: dict[str, Instrument] = {}
        self._account_numbers: dict[str, int] = {}
        self._read_on()

    def close(self) -> None:
        self._source.close()

    def instrument(self, index: int) -> Instrument:
        """The instrument of that number; KeyError when the journal does not name it."""
        if index not in self._instruments:
            self._read_on()
        return self._instruments[index]

    def account(self, number: int) -> str:
        """The account's name; KeyError when the journal does not name it."""
        if number not in self._directory.accounts:
            self._read_on()
        return self._directory.accounts[number]

    def instrument_named(self, symbol: str) -> Instrument | None:
        if symbol not in self._by_symbol:
            self._read_on()
        return self._by_symbol.get(symbol)

    def account_number(self, name: str) -> int | None:
        if name not in self._account_numbers:
            self._read_on()
        return self._account_numbers.get(name)

    def session_numbers(self) -> dict[str, int]:
        """The sessions' numbers by CompID, as the journal has them now."""
        self._orders.names_changed = True
        self._read_on()
        return {name: number for number, name in self._directory.sessions.items()}

    def _read_on(self) -> None:
        with self._lock:
            if not self._orders.names_changed:
                return
            self._orders.names_changed = False
            listed = self._source.read_on()
            self._instruments = {
                index: instrument
                for index, instrument in listed.instruments().items()
                if index in listed.ticks and index in listed.lots
            }
            self._by_symbol = {i.symbol: i for i in self._instruments.values()}
            self._account_numbers = {name: number for number, name in listed.accounts.items()}

"""What instruments, accounts and sessions are called, as the gateway asks for it.

The journal is read on when a name is not found although something was listed since: so an
instrument added while the venue runs can be traded at once, and looking up a known name reads
nothing. An instrument is known once its symbol and both its sizes are.
"""

from __future__ import annotations

import threading
from pathlib import Path

from touchline.core.messages import Text
from touchline.fix.orders import Orders
from touchline.instruments import Instrument
from touchline.runtime.directory import JournalDirectory


class JournalNames:
    """Names by number and numbers by name; any thread may ask."""

    def __init__(self, journal_dir: Path, orders: Orders) -> None:
        self._orders = orders
        self._source = JournalDirectory(journal_dir)
        self._names = self._source.names
        self._lock = threading.Lock()
        self._read_on()

    def close(self) -> None:
        self._source.close()

    def instrument(self, index: int) -> Instrument:
        """The instrument of that number; KeyError when the journal does not name it."""
        if not self._is_known(index):
            self._read_on()
            if not self._is_known(index):
                raise KeyError(index)
        return self._names.instrument(index)

    def account(self, number: int) -> str:
        """The account's name; KeyError when the journal does not name it."""
        if number not in self._names.accounts:
            self._read_on()
        return self._names.accounts[number]

    def instrument_named(self, symbol: str) -> Instrument | None:
        index = self._number(Text.SYMBOL, symbol)
        if index is None:
            return None
        if not self._is_known(index):
            self._read_on()
        return self._names.instrument(index) if self._is_known(index) else None

    def account_number(self, name: str) -> int | None:
        return self._number(Text.ACCOUNT, name)

    def session_numbers(self) -> dict[str, int]:
        """The sessions' numbers by CompID, as the journal has them now."""
        self._orders.names_changed = True
        self._read_on()
        with self._lock:
            return self._names.numbers(Text.SESSION)

    def _number(self, kind: Text, name: str) -> int | None:
        if self._names.number(kind, name) is None:
            self._read_on()
        return self._names.number(kind, name)

    def _is_known(self, index: int) -> bool:
        names = self._names
        return all(index in kind for kind in (names.symbols, names.ticks, names.lots))

    def _read_on(self) -> None:
        with self._lock:
            if self._orders.names_changed:
                self._orders.names_changed = False
                self._source.read_on()

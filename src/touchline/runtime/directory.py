"""What the numbers of commands and events are called, as the journal's TEXT commands say it.

The engine refuses a TEXT that is no name, but an older journal may hold one: it is passed over with
a warning, never a reason not to start. What is named once keeps its name. `JournalDirectory` opens
the journal once and reads on from where it stood; it belongs to one thread at a time.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import COMMAND_TEXT, Text, text_commands
from touchline.instruments import Instrument
from touchline.runtime.closing import Closing
from touchline.runtime.journal import JournalReader

log = logging.getLogger(__name__)
_BATCH = 65536
_UNIQUE = (Text.SYMBOL, Text.ACCOUNT, Text.SESSION)
_NAMES = (*_UNIQUE, Text.TICK_SIZE, Text.LOT_SIZE, Text.CURRENCY)
_Said = tuple[str, str, str, str]  # of an instrument: symbol, tick size, lot size, currency
_NO_NAMES = (Text.CL_ORD_ID, Text.OPERATOR, Text.REQUEST_FIELD)
_SIZES = (Text.TICK_SIZE, Text.LOT_SIZE)
_DIGITS = frozenset("0123456789")


@dataclass
class Directory:
    """What the numbers in commands and events are called: names by number.

    Built from the journal's TEXT commands; `read` gives the present state, `update` goes on. The
    dictionaries are to be looked into: names come by `update` alone.
    """

    symbols: dict[int, str] = field(default_factory=dict)
    ticks: dict[int, str] = field(default_factory=dict)
    lots: dict[int, str] = field(default_factory=dict)
    currencies: dict[int, str] = field(default_factory=dict)
    accounts: dict[int, str] = field(default_factory=dict)
    sessions: dict[int, str] = field(default_factory=dict)
    _numbers: dict[Text, dict[str, int]] = field(init=False, repr=False, compare=False)
    _made: dict[int, tuple[_Said, Instrument]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        self._numbers = {kind: {n: k for k, n in self.kind(kind).items()} for kind in _UNIQUE}

    @classmethod
    def read(cls, journal_dir: str | PathLike[str]) -> Directory:
        """The names in the journal. Raises FileNotFoundError, JournalCorrupt."""
        with JournalDirectory(journal_dir) as source:
            source.read_on()
            return source.names

    def kind(self, text: Text) -> dict[int, str]:
        """The names of one kind, by number."""
        return {
            Text.SYMBOL: self.symbols,
            Text.TICK_SIZE: self.ticks,
            Text.LOT_SIZE: self.lots,
            Text.CURRENCY: self.currencies,
            Text.ACCOUNT: self.accounts,
            Text.SESSION: self.sessions,
        }[text]

    @property
    def count(self) -> int:
        """How many names there are: none changes or goes, so an equal count says: none new."""
        return sum(len(self.kind(kind)) for kind in _NAMES)

    def number(self, kind: Text, name: str) -> int | None:
        """The number of a SYMBOL, ACCOUNT or SESSION, None when nothing is called that."""
        return self._numbers[kind].get(name)

    def numbers(self, kind: Text) -> dict[str, int]:
        """The numbers of all SYMBOL, ACCOUNT or SESSION by name, as a copy."""
        return dict(self._numbers[kind])

    def update(self, commands: NDArray[np.void]) -> None:
        """Take the names among `commands`, shape (n,), dtype COMMAND or COMMAND_TEXT.

        A text that is no name, or names what has another name, is passed over with a warning.
        """
        texts = commands if commands.dtype == COMMAND_TEXT else text_commands(commands)
        for command in texts[~np.isin(texts["field"], _NO_NAMES)]:
            fault = self._take(int(command["field"]), int(command["key"]), bytes(command["text"]))
            if fault:
                facts = {"seq": int(command["seq"]), "text": repr(bytes(command["text"]))}
                log.warning("passed over a TEXT that %s", fault, extra={"facts": facts})

    def _take(self, number: int, key: int, raw: bytes) -> str:
        """Take one name in; why not, or ""."""
        if number not in set(Text):
            return "names nothing known"
        kind = Text(number)
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            return "is not UTF-8"
        if not name and kind != Text.CURRENCY:
            return "is empty"
        if kind in _SIZES and not _is_size(name):
            return "is no size above 0"
        names = self.kind(kind)
        if names.get(key, name) != name:
            return f"names {kind.name.lower()} {key} anew"
        if kind in _UNIQUE and self._numbers[kind].setdefault(name, key) != key:
            return "names what another number is called"
        names[key] = name
        return ""

    def instrument(self, number: int) -> Instrument:
        """The instrument of that number: the number itself serves as a symbol that the journal
        does not name, and sizes that it does not name count as 1."""
        said = (
            self.symbols.get(number, str(number)),
            self.ticks.get(number, "1"),
            self.lots.get(number, "1"),
            self.currencies.get(number, ""),
        )
        made = self._made.get(number)
        if made is None or made[0] != said:
            made = self._made[number] = (said, Instrument(number, *said))
        return made[1]

    def instruments(self) -> dict[int, Instrument]:
        """Those that have a symbol, by number; as `instrument` gives them."""
        return {number: self.instrument(number) for number in self.symbols}


class JournalDirectory(Closing):
    """The names in a journal, and those that come to it.

    Opens the journal once; `read_on` takes in what was written since the last call, and nothing
    twice. Raises FileNotFoundError when there is no journal, JournalCorrupt.
    """

    def __init__(self, journal_dir: str | PathLike[str]) -> None:
        self.names = Directory()
        self._reader = JournalReader(journal_dir)

    def read_on(self) -> Directory:
        """The names as the journal has them now."""
        while len(texts := self._reader.read_texts(_BATCH)):
            self.names.update(texts)
        return self.names

    def close(self) -> None:
        """Let go of the journal's files. Harmless when repeated."""
        self._reader.close()


def _is_size(text: str) -> bool:
    """Digits with at most one dot among them, and above 0."""
    whole, dot, rest = text.partition(".")
    digits = whole + rest
    plain = bool(whole) and bool(rest) == bool(dot) and _DIGITS.issuperset(digits)
    return plain and any(digit != "0" for digit in digits)

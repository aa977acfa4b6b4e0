"""The names of instruments and accounts, read on in the journal when a batch speaks of new ones.

The journal is read once: what is asked later begins where the last reading ended.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import ACCOUNT_ALL, INSTRUMENT_ALL, ExecType
from touchline.runtime.directory import JournalDirectory

_LISTING = (ExecType.SECURITY_DEFINITION, ExecType.ACCOUNT)


class NamesFollower:
    """Names as far as the journal has been read; must be closed."""

    def __init__(self, journal_dir: Path) -> None:
        self._source = JournalDirectory(journal_dir)
        self._nameless: set[tuple[str, int]] = set()
        self.names = self._source.read_on()

    def learn(self, events: NDArray[np.void]) -> bool:
        """Know the names these events need, if the journal has them; whether there are new ones."""
        nameless = self._without_name(events)
        listing = np.isin(events["exec_type"], _LISTING).any()
        if not listing and nameless <= self._nameless:
            return False
        before = self.names.count
        self._source.read_on()
        # Who has no name in the journal is not looked for again until something is listed.
        self._nameless = {one for one in self._nameless | nameless if not self._has(one)}
        return self.names.count != before

    def close(self) -> None:
        """Let go of the journal."""
        self._source.close()

    def _without_name(self, events: NDArray[np.void]) -> set[tuple[str, int]]:
        found = {("instrument", int(n)) for n in np.unique(events["instrument"])}
        found |= {("account", int(n)) for n in np.unique(events["account"])}
        found -= {("instrument", INSTRUMENT_ALL), ("account", ACCOUNT_ALL)}
        return {one for one in found if not self._has(one)}

    def _has(self, one: tuple[str, int]) -> bool:
        kind, number = one
        return number in (self.names.symbols if kind == "instrument" else self.names.accounts)

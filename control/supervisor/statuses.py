"""What is closed at this moment: halted instruments, blocked accounts, the kill switch.

Read from the journal's commands by a thread of the supervisor, which goes on where it was; so
`touchline status` knows without a replay. The engine's rule is short enough to repeat: a status
command for something that is listed holds.
"""

from __future__ import annotations

import threading
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import EntryStatus, MsgType, TradingStatus
from touchline.errors import TouchlineError, describe
from touchline.runtime.directory import Directory
from touchline.runtime.journal import JournalReader

LOOK_S = 0.5
BATCH = 65536
_TRADING, _ENTRY = frozenset(map(int, TradingStatus)), frozenset(map(int, EntryStatus))
_KINDS = (
    MsgType.SECURITY_DEFINITION,
    MsgType.SECURITY_STATUS,
    MsgType.ACCOUNT,
    MsgType.ACCOUNT_STATUS,
    MsgType.VENUE_STATUS,
)


class Statuses:
    """Learns from commands, in the order of the journal."""

    def __init__(self) -> None:
        self._names = Directory()
        self._listed: set[int] = set()
        self._accounts: set[int] = set()
        self._halted: set[int] = set()
        self._blocked: set[int] = set()
        self.killed = False

    @property
    def halted(self) -> list[str]:
        """Symbols, in order."""
        return sorted(self._names.symbols.get(number, str(number)) for number in self._halted)

    @property
    def blocked(self) -> list[str]:
        """Names of accounts, in order."""
        return sorted(self._names.accounts.get(number, str(number)) for number in self._blocked)

    def learn(self, commands: NDArray[np.void]) -> None:
        """Take commands in, shape (n,), dtype COMMAND."""
        self._names.update(commands)
        chosen = commands[np.isin(commands["type"], _KINDS)]
        columns = (chosen[name].tolist() for name in ("type", "field", "instrument", "account"))
        for row in zip(*columns, strict=True):
            self._learn(*row)

    def _learn(self, kind: int, field: int, instrument: int, account: int) -> None:
        if kind == MsgType.SECURITY_DEFINITION:
            self._listed.add(instrument)
        elif kind == MsgType.ACCOUNT:
            self._accounts.add(account)
        elif kind == MsgType.SECURITY_STATUS and instrument in self._listed:
            _mark(self._halted, instrument, field, TradingStatus.HALTED, _TRADING)
        elif kind == MsgType.ACCOUNT_STATUS and account in self._accounts:
            _mark(self._blocked, account, field, EntryStatus.BLOCKED, _ENTRY)
        elif kind == MsgType.VENUE_STATUS and field in _ENTRY:
            self.killed = field == EntryStatus.BLOCKED


def _mark(members: set[int], member: int, field: int, closed: int, known: Set[int]) -> None:
    if field not in known:
        return
    if field == closed:
        members.add(member)
    else:
        members.discard(member)


class Follower:
    """A thread that keeps `facts` up to date while it is entered."""

    def __init__(self, journal_dir: Path) -> None:
        self.facts: dict[str, Any] = {}
        self._journal_dir = journal_dir
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="statuses", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; harmless when it was never started."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        statuses = Statuses()
        try:
            with JournalReader(str(self._journal_dir)) as reader:
                while not self._closed.is_set():
                    commands = reader.read(BATCH)
                    statuses.learn(commands)
                    if len(commands) < BATCH:
                        self.facts = {
                            "killed": statuses.killed,
                            "halted": statuses.halted,
                            "blocked": statuses.blocked,
                            "commands_read": reader.next_seq - 1,
                        }
                        self._closed.wait(LOOK_S)
        except (OSError, TouchlineError) as error:
            self.facts = {"error": describe(error)}

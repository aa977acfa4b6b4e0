"""The books of the venue at a moment that is past: its journal replayed up to then."""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.core.messages import ExecType, TradingStatus
from touchline.errors import TouchlineError
from touchline.runtime.directory import Directory
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import follow_capacities

_BATCH = 65_536


class Past(NamedTuple):
    """An engine as it was, what its numbers were called, and how much had happened.

    `ts_ns` is the time of the last command done, 0 for none; `statuses` has each instrument's last
    TradingStatus, `entry_status` the venue's.
    """

    engine: Engine
    names: Directory
    commands: int
    ts_ns: int
    statuses: dict[int, int]
    entry_status: int


def at_time(journal_dir: str | PathLike[str], ts_ns: int) -> Past:
    """The venue after the last command whose time is not after `ts_ns`, UTC nanoseconds.

    Commands are done in the journal's order, and the first that is later ends it. Raises
    FileNotFoundError when there is no journal, JournalCorrupt when it is damaged before that.
    """
    names = Directory()
    statuses: dict[int, int] = {}
    done, last, entry = 0, 0, 0
    with JournalReader(journal_dir) as reader:
        engine = Engine(**reader.capacities._asdict())
        while len(commands := reader.read(_BATCH)):
            later = np.flatnonzero(commands["ts_ns"] > ts_ns)
            wanted = commands[: later[0]] if len(later) else commands
            if len(wanted):
                follow_capacities(engine, reader)
                names.update(wanted)
                for events in engine.submit_in_pieces(wanted):
                    entry = _note(events, statuses, entry)
                done, last = done + len(wanted), int(wanted["ts_ns"][-1])
            if len(later):
                break
    return Past(engine, names, done, last, statuses, entry)


def _note(events: NDArray[np.void], statuses: dict[int, int], entry: int) -> int:
    """Statuses as events set them; the venue's own is returned."""
    for event in events[np.isin(events["exec_type"], _STATUS_EVENTS)]:
        if event["exec_type"] == ExecType.VENUE_STATUS:
            entry = int(event["qty"])
        elif event["exec_type"] == ExecType.SECURITY_DEFINITION:
            statuses[int(event["instrument"])] = int(TradingStatus.READY_TO_TRADE)
        else:
            statuses[int(event["instrument"])] = int(event["qty"])
    return entry


_STATUS_EVENTS = (ExecType.SECURITY_DEFINITION, ExecType.SECURITY_STATUS, ExecType.VENUE_STATUS)


def number_of(past: Past, symbol: str) -> int:
    """The instrument of this name then. Raises TouchlineError when there was none."""
    for number, name in past.names.symbols.items():
        if name == symbol:
            return number
    listed = ", ".join(sorted(past.names.symbols.values())) or "none"
    raise TouchlineError(f"no instrument {symbol!r} was listed then; there were: {listed}")

"""Captured directories for tests of files alone: a real engine's events through the real store."""

import random
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.downstream_venue import ACCOUNTS, LIMITS, SYMBOLS, flow, joined, opening
from touchline.control.capture.store import Store
from touchline.control.supervisor.names import Names
from touchline.core.engine import Engine
from touchline.core.messages import EVENT
from touchline.instruments import Instrument

NAMES = Names(
    {n: Instrument(n, s, Decimal("0.01"), Decimal(10), "USD") for n, s in enumerate(SYMBOLS)},
    dict(enumerate(ACCOUNTS)),
)
DAY_NS = 86_400_000_000_000
FIRST_DAY = 20_000


def events_of(seed: int, count: int, days: int = 1) -> NDArray[np.void]:
    """The events of an opening and a flow, their times spread over some days."""
    engine = Engine(**LIMITS._asdict())
    events = joined((engine.submit(opening()).copy(), engine.submit(flow(seed, count))), EVENT)
    events = events.copy()
    steps = np.arange(len(events)) * (days * DAY_NS // len(events))
    events["ts_ns"] = FIRST_DAY * DAY_NS + steps
    return events


def capture_events(
    directory: Path, events: NDArray[np.void], rows: int, names: Names = NAMES
) -> None:
    """Commit the events in batches of so many rows."""
    with Store(directory) as store:
        for low in range(0, len(events), rows):
            store.commit(events[low : low + rows], names)


def files_in(directory: Path) -> list[Path]:
    """Every captured file, in the order of events."""
    return sorted(directory.glob("events/*/*"), key=lambda path: path.name)


def flip_a_bit(path: Path, seed: int) -> None:
    """Change one bit of a file, in the place that the seed chooses."""
    content = bytearray(path.read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 4
    path.write_bytes(content)

"""Captured directories for tests: a real engine's events through the real store and capture.

`capture_events` fills one at once; `capturing` runs the capture beside a venue.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from harness.commands import ACCOUNTS, SYMBOLS, joined, opening
from harness.flows import LIMITS, order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S
from touchline.control.capture import writer as capture
from touchline.control.capture.store import Store
from touchline.control.capture.table import table
from touchline.core.engine import Engine
from touchline.core.messages import EVENT
from touchline.marketdata.mirror import Mirror
from touchline.runtime.directory import Directory

NAMES = Directory(
    symbols=dict(enumerate(SYMBOLS)),
    ticks=dict.fromkeys(range(len(SYMBOLS)), "0.01"),
    lots=dict.fromkeys(range(len(SYMBOLS)), "10"),
    currencies=dict.fromkeys(range(len(SYMBOLS)), "USD"),
    accounts=dict(enumerate(ACCOUNTS)),
)
QUICK = {"capture__flush_s": 0.01, "capture__rows_max": 300}
DAY_NS = 86_400_000_000_000
FIRST_DAY = 20_000


def events_of(seed: int, count: int, days: int = 1) -> NDArray[np.void]:
    """The events of an opening and a flow, their times spread over some days."""
    engine = Engine(**LIMITS._asdict())
    events = joined(
        (engine.submit(opening()).copy(), engine.submit(order_flow(seed, count))), EVENT
    )
    events = events.copy()
    steps = np.arange(len(events)) * (days * DAY_NS // len(events))
    events["ts_ns"] = FIRST_DAY * DAY_NS + steps
    return events


def touches_of(events: NDArray[np.void]) -> NDArray[np.void]:
    """The touch after each event, of events from the first on."""
    return Mirror(
        instruments_max=LIMITS.instruments_max,
        orders_max=LIMITS.orders_max,
        price_blocks_max=LIMITS.price_blocks_max,
    ).follow(events)


def capture_events(
    directory: Path,
    events: NDArray[np.void],
    rows: int,
    names: Directory = NAMES,
    touches: NDArray[np.void] | None = None,
) -> None:
    """Commit the events in batches of so many rows; with touches, where no engine made them so."""
    if touches is None:
        touches = touches_of(events)
    with Store(directory) as store:
        for low in range(0, len(events), rows):
            high = low + rows
            store.commit(events[low:high], touches[low:high], names)


def files_in(directory: Path) -> list[Path]:
    """Every captured file, in the order of events."""
    return sorted(directory.glob("events/*/*"), key=lambda path: path.name)


def flip_a_bit(path: Path, seed: int) -> None:
    """Change one bit of a file, in the place that the seed chooses."""
    content = bytearray(path.read_bytes())
    content[random.Random(seed).randrange(len(content))] ^= 4
    path.write_bytes(content)


def files(capture_dir: Path) -> list[tuple[int, int, Path]]:
    """First event, last event and path of every file, in the order of events."""
    found = [(path.stem.split("-")[1:], path) for path in capture_dir.glob("events/*/*")]
    return sorted((int(first), int(last), path) for (first, last), path in found)


@contextmanager
def capturing(venue: ThreadVenue) -> Iterator[None]:
    """The capture as a thread, stopped cleanly at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=capture.run, args=(venue.config, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


def captured_in(venue: ThreadVenue) -> pa.Table:
    """Everything in the files, in the order of their names."""
    found = files(venue.config.capture_dir)
    return pa.concat_tables(
        [pq.ParquetFile(path).read() for _, _, path in found]
    ).unify_dictionaries()


def last_seq(venue: ThreadVenue) -> int:
    found = files(venue.config.capture_dir)
    return found[-1][1] if found else 0


def has_captured(venue: ThreadVenue, seq: int) -> bool:
    return last_seq(venue) >= seq


def assert_all_captured(venue: ThreadVenue) -> None:
    """Each event of the journal is there once, with the values it has there."""
    events = venue.events()
    rows = captured_in(venue)
    wanted = table(events, touches_of(events), NAMES.instruments(), NAMES.accounts)
    assert rows["seq"].to_pylist() == list(range(1, len(events) + 1))
    for name in wanted.column_names:
        assert rows[name].to_pylist() == wanted[name].to_pylist(), name

"""The capture: every event to Parquet, once, whatever happens in between.

   EventFeed ──► rows held ──► .events-1-500.parquet.tmp ──fsync, rename──► events-1-500.parquet

What is committed is what the file names say: a restart goes on behind the last of them, and since
event numbers are the journal's, nothing is missing and nothing is there twice. One process writes
a directory, under a lock; readers need none, because a file appears whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from touchline.config import Config
from touchline.control.capture import database
from touchline.control.capture.table import table
from touchline.control.supervisor.names import Names, read_names
from touchline.control.supervisor.ticker import Ticker, wait_for_events
from touchline.core.messages import ExecType
from touchline.errors import TouchlineError
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed

READ_MAX = 65_536
WAIT_S = 0.05
DAY_NS = 86_400_000_000_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_NAME = re.compile(r"events-(\d+)-(\d+)\.parquet")

Events = NDArray[np.void]


class Store:
    """The directory of captured events, date=YYYY-MM-DD/events-FIRST-LAST.parquet.

    Entering locks it, removes what an interrupted write left and finds `last_seq`, 0 when there is
    nothing. Raises TouchlineError when another capture writes here or the files are not without a
    gap, OSError naming the path when the disk fails.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.last_seq = 0
        self.last_file: Path | None = None
        self._lock = -1

    def __enter__(self) -> Store:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.directory / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._recover()
        except BlockingIOError as error:
            self._unlock()
            raise TouchlineError(f"{self.directory}: another capture writes here") from error
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._unlock()

    def _unlock(self) -> None:
        os.close(self._lock)

    def _recover(self) -> None:
        for leftover in self.directory.glob("date=*/.events-*.tmp"):
            leftover.unlink()
        for first, last, path in files(self.directory):
            if first != self.last_seq + 1:
                what = "missing" if first > self.last_seq else "there twice"
                low, high = sorted((first, self.last_seq + 1))
                raise TouchlineError(
                    f"{path}: events {low} to {high - 1} are {what}; "
                    f"move {self.directory} away to capture again from the journal"
                )
            self.last_seq, self.last_file = last, path

    def last_row(self) -> dict[str, Any] | None:
        """Number and time of the last event captured, None when there is none."""
        if self.last_file is None:
            return None
        try:
            rows = pq.read_table(self.last_file, columns=["seq", "ts_ns"])
        except (OSError, pa.ArrowException) as error:
            raise TouchlineError(f"{self.last_file}: cannot be read: {error}") from error
        row: dict[str, Any] = rows.slice(len(rows) - 1).to_pylist()[0]
        return row

    def commit(self, events: Events, names: Names) -> None:
        """Write a batch that follows what is there; a file for each day in it."""
        days = events["ts_ns"] // DAY_NS
        bounds = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(events)]
        for low, high in pairwise(bounds):
            if low < high:
                self._commit_day(events[low:high], names)

    def _commit_day(self, events: Events, names: Names) -> None:
        first, last = int(events["seq"][0]), int(events["seq"][-1])
        assert first == self.last_seq + 1, f"event {first} follows {self.last_seq}"
        assert last - first + 1 == len(events), f"events {first} to {last} have gaps"
        day = date.fromordinal(int(events["ts_ns"][0]) // DAY_NS + _EPOCH_ORDINAL)
        rows = pa.BufferOutputStream()
        pq.write_table(table(events, names.instruments, names.accounts), rows, compression="zstd")
        path = self.directory / f"date={day}" / f"events-{first:012}-{last:012}.parquet"
        write_whole(path, rows.getvalue())
        self.last_seq, self.last_file = last, path


def files(directory: Path) -> list[tuple[int, int, Path]]:
    """The committed files in the order of their events: first seq, last seq, path."""
    found = []
    for path in directory.glob("date=*/events-*.parquet"):
        match = _NAME.fullmatch(path.name)
        if match:
            found.append((int(match[1]), int(match[2]), path))
    return sorted(found)


def write_whole(path: Path, data: Any) -> None:
    """A file that is there whole and for good, or not at all: OSError naming the path."""
    temporary = path.with_name(f".{path.name}.tmp")
    with _named(path):
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            _sync_directory(path.parent.parent)
        try:
            with temporary.open("wb", buffering=0) as out:
                view = memoryview(data)
                while view:
                    view = view[out.write(view) :]
                os.fsync(out.fileno())
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an OSError name the file that could not be written, not the step that failed."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(path)) from error


def _sync_directory(directory: Path) -> None:
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


class Capture:
    """Rows on their way from the feed to the store, which must be entered."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._journal_dir = config.journal_dir
        self._database = config.database_path
        self._rows_max = config.capture.rows_max
        self._held: list[Events] = []
        self._rows = 0
        self._names = read_names(config.journal_dir)

    def step(self, feed: EventFeed) -> int:
        """Take what the feed has, write when enough is held; returns how many events came."""
        events = feed.read(min(READ_MAX, self._rows_max))
        if len(events):
            self._held.append(events)
            self._rows += len(events)
            if self._rows >= self._rows_max:
                self.flush()
        return len(events)

    def flush(self) -> None:
        """Commit all that is held."""
        if not self._held:
            return
        events = np.concatenate(self._held)
        new_names = np.isin(events["exec_type"], [ExecType.SECURITY_DEFINITION, ExecType.ACCOUNT])
        first = self._store.last_seq == 0
        if new_names.any():
            self._names = read_names(self._journal_dir)
        self._store.commit(events, self._names)
        self._held.clear()
        self._rows = 0
        if first or new_names.any():
            database.build(self._database, self._store.directory)


def _joins(store: Store, feed: EventFeed, config: Config, stop: threading.Event) -> bool:
    """Wait for the event captured last to come again, and see that it is the same.

    False when told to stop and it has not come. Raises TouchlineError when the journal is
    another one.
    """
    _refuse_shorter_journal(store, config)
    row = store.last_row()
    assert row is not None
    while not len(events := feed.read(1)):
        if stop.is_set():
            return False
        wait_for_events(feed, stop, WAIT_S)
    event = events[0]
    if (event["seq"], event["ts_ns"]) != (row["seq"], row["ts_ns"]):
        raise TouchlineError(
            f"{store.last_file}: event {row['seq']} is another one in the journal; "
            f"move {store.directory} away to capture this journal"
        )
    return True


def _refuse_shorter_journal(store: Store, config: Config) -> None:
    """An engine that runs has recovered its journal, so what is captured is not still to come."""
    with Bus.attach(config.bus_path) as bus:
        status = bus.status()
    if status["state"] == "running" and status["events"] < store.last_seq:
        raise TouchlineError(
            f"{store.directory} holds {store.last_seq} events, but the journal gives only "
            f"{status['events']}; move it away to capture this journal"
        )


def run(config: Config, stop: threading.Event) -> int:
    """Capture until told to stop, then commit what has been read.

    Raises OSError when the disk or the venue fails, TouchlineError when what is captured is not of
    this journal; then everything committed stays, and the next start goes on behind it.
    """
    settings = config.capture
    with (
        Store(config.capture_dir / "events") as store,
        EventFeed(config.bus_path, config.journal_dir, max(store.last_seq, 1)) as feed,
        Ticker(settings.flush_s) as ticker,
    ):
        database.remove_leftovers(config.database_path)
        if store.last_seq and not database.is_current(config.database_path, store.directory):
            database.build(config.database_path, store.directory)
        capture = Capture(store, config)
        if store.last_seq and not _joins(store, feed, config, stop):
            return 0
        while not stop.is_set():
            if not capture.step(feed):
                wait_for_events(feed, stop, WAIT_S)
            if ticker.due():
                capture.flush()
        while capture.step(feed):
            pass
        capture.flush()
    return 0

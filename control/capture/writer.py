"""The capture: every event to Parquet, once, whatever happens in between.

   EventFeed ──► rows held, named ──► Store ──► touchline.duckdb, when there is something to list

What is committed is what the manifest lists: a restart goes on behind the last of it, and since
event numbers are the journal's, nothing is missing and nothing is there twice. When nothing comes
in, small files are merged.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from touchline.config import Config
from touchline.control.capture import database
from touchline.control.capture.compact import IdleCompactor
from touchline.control.capture.naming import NamesFollower
from touchline.control.capture.store import Store
from touchline.control.supervisor.ticker import Ticker, wait_for_events
from touchline.errors import TouchlineError, describe
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed

READ_MAX = 65_536
WAIT_S = 0.05

Events = NDArray[np.void]


class Capture:
    """Rows on their way from the feed to the store, which must be entered, as must this."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store = store
        self._database = config.database_path
        self._rows_max = config.capture.rows_max
        self._held: list[Events] = []
        self._rows = 0
        self._compactor = IdleCompactor(store)
        self._names = NamesFollower(config.journal_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._names.close()

    def step(self, feed: EventFeed) -> int:
        """Take what the feed has, write when enough is held; returns how many events came."""
        events = feed.read(min(READ_MAX, self._rows_max))
        if len(events):
            self._held.append(events)
            self._rows += len(events)
            if self._rows >= self._rows_max:
                self.flush()
        return len(events)

    def tidy(self) -> None:
        """Merge small files, if there are many."""
        self._compactor.step()

    def flush(self) -> None:
        """Commit all that is held."""
        if not self._held:
            return
        events = np.concatenate(self._held)
        first = self._store.last_seq == 0
        changed = self._names.learn(events)
        self._store.commit(events, self._names.names)
        self._held.clear()
        self._rows = 0
        if first or changed:
            _build(self._database, self._store)


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
    this journal or damaged; then everything committed stays, the next start goes on behind it, and
    state.json says why this one ended.
    """
    with Store(config.capture_dir) as store:
        try:
            _capture(config, store, stop)
        except (OSError, TouchlineError) as error:
            store.tell_failure(describe(error))
            raise
    return 0


def _capture(config: Config, store: Store, stop: threading.Event) -> None:
    with (
        EventFeed(config.bus_path, config.journal_dir, max(store.last_seq, 1)) as feed,
        Ticker(config.capture.flush_s) as ticker,
    ):
        database.remove_leftovers(config.database_path)
        if store.last_seq and not database.is_current(config.database_path, store.events):
            _build(config.database_path, store)
        if store.last_seq and not _joins(store, feed, config, stop):
            return
        with Capture(store, config) as capture:
            _follow(capture, feed, ticker, stop)


def _build(path: Path, store: Store) -> None:
    """The database over what is captured, which is not nothing."""
    assert store.last_file is not None
    database.build(path, store.events, store.last_file)


def _follow(capture: Capture, feed: EventFeed, ticker: Ticker, stop: threading.Event) -> None:
    """Take, write and, when there is nothing to take, merge; at the end take what is there."""
    while not stop.is_set():
        idle = not capture.step(feed)
        if ticker.due():
            capture.flush()
            if idle and not feed.behind:
                capture.tidy()
        if idle:
            wait_for_events(feed, stop, WAIT_S)
    while capture.step(feed):
        pass
    capture.flush()

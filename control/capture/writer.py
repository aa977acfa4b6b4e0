"""The capture: every event to Parquet, once, whatever happens in between.

   EventFeed ──► rows held, named ──► Store ──► touchline.duckdb, when there is something to list
        └─► Mirror: the touch after each event

What is committed is what the manifest lists: a restart goes on behind the last of it, and since
event numbers are the journal's, nothing is missing and nothing is there twice. When nothing comes
in, small files are merged.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
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
from touchline.control.supervisor.mirrors import mirror_of
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
        self._mirror = mirror_of(config.journal_dir)
        self._database = config.database_path
        self._rows_max = config.capture.rows_max
        self._held: list[tuple[Events, Events]] = []  # and the touch after each
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

    def rejoin(self, feed: EventFeed, stop: threading.Event) -> bool:
        """Have the feed give again what is captured, from the first event, for the mirror.

        False when told to stop while they do not come. Raises TouchlineError when the event
        captured last is another one now: the journal is not the one that was captured.
        """
        while left := self._store.last_seq - self._mirror.event_seq:
            events = feed.read(min(READ_MAX, left))
            if not len(events):
                if stop.is_set():
                    return False
                wait_for_events(feed, stop, WAIT_S)
                continue
            if len(events) == left:
                _refuse_other_journal(self._store, events[-1])
            done = 0
            while done < len(events):
                done += self._mirror.apply(events[done:])
        self._mirror.discard()
        return True

    def step(self, feed: EventFeed) -> int:
        """Take what the feed has, write when enough is held; returns how many events came."""
        events = feed.read(min(READ_MAX, self._rows_max))
        if len(events):
            self._held.append((events, self._mirror.follow(events)))
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
        events, touches = (_joined(parts) for parts in zip(*self._held, strict=True))
        first = self._store.last_seq == 0
        changed = self._names.learn(events)
        self._store.commit(events, touches, self._names.names)
        self._held.clear()
        self._rows = 0
        if first or changed:
            _build(self._database, self._store)


def _joined(parts: Sequence[Events]) -> Events:
    """Records one after the other; as bytes, since numpy copies records field by field."""
    if len(parts) == 1:
        return parts[0]
    whole = np.concatenate([part.view(np.uint8) for part in parts])
    return whole.view(parts[0].dtype)


def _refuse_other_journal(store: Store, event: np.void) -> None:
    """The event captured last, as the journal has it, must be what was captured."""
    row = store.last_row()
    assert row is not None
    if (event["seq"], event["ts_ns"]) != (row["seq"], row["ts_ns"]):
        raise TouchlineError(
            f"{store.last_file}: event {row['seq']} is another one in the journal; "
            f"move {store.directory} away to capture this journal"
        )


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
        EventFeed(config.bus_path, config.journal_dir) as feed,
        Ticker(config.capture.flush_s) as ticker,
    ):
        database.remove_leftovers(config.database_path)
        if store.last_seq and not database.is_current(config.database_path, store.events):
            _build(config.database_path, store)
        if store.last_seq:
            _refuse_shorter_journal(store, config)
        with Capture(store, config) as capture:
            if capture.rejoin(feed, stop):
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

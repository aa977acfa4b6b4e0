"""Following the venue: every event exactly once.

A consumer remembers the seq of the last event it finished and starts an EventFeed after it. The
feed reads the ring, and replays the journal for what the ring no longer holds; nothing a consumer
does or fails to do can hold the engine back. A feed belongs to one thread.
"""

from __future__ import annotations

import errno
import threading
from os import PathLike
from typing import NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from touchline.core.arguments import checked_seconds, checked_whole
from touchline.core.messages import EVENT
from touchline.errors import Lapped, TouchlineError
from touchline.runtime.bus import Bus, EventReader
from touchline.runtime.closing import Closing
from touchline.runtime.owned import refuse_copy
from touchline.runtime.replay import Replay

_NO_EVENTS = np.empty(0, dtype=EVENT)
_REATTACH_S = 0.02  # between looks for a new bus


class Consumer(Protocol):
    """A downstream: told of every event once, in order."""

    @property
    def next_seq(self) -> int:
        """The first event it has not finished, remembered across restarts."""

    def consume(self, events: NDArray[np.void]) -> None:
        """Take a batch, shape (n,), dtype EVENT, n >= 1, the consumer's own."""


def pump(feed: EventFeed, consumer: Consumer, max_events: int = 4096) -> int:
    """Hand over the events that are there, at most one batch; returns how many."""
    events = feed.read(max_events)
    if len(events):
        consumer.consume(events)
    return len(events)


class EventFeed(Closing):
    """The events from number `next_seq` on, without a gap and none twice.

    Attaches to the bus at once (raises OSError ENOENT when there is none) and again by itself when
    the engine makes a new one. Memory: while behind the ring, an engine of the venue's size.
    """

    def __init__(
        self, bus_path: str | PathLike[str], journal_dir: str | PathLike[str], next_seq: int = 1
    ) -> None:
        if checked_whole(next_seq, "next_seq") < 1:
            raise ValueError(f"next_seq is {next_seq}: events are numbered from 1")
        self._bus_path = bus_path
        self._journal_dir = journal_dir
        self._next_seq = int(next_seq)
        self._bus = Bus.attach(bus_path)
        self._reader: EventReader | None = self._bus.events(next_seq)
        self._placed = False  # the engine is known to have come as far as next_seq
        self._replay: Replay | None = None
        self._behind = False
        self._left = _NO_EVENTS  # replayed, not handed out yet
        self._closed = False

    @property
    def next_seq(self) -> int:
        """Number of the event that read() returns first."""
        return self._next_seq

    @property
    def behind(self) -> bool:
        """True while events come from the journal because the ring has gone past them."""
        return self._behind

    def read(self, max_events: int = 4096) -> NDArray[np.void]:
        """The next events, shape (n,), n <= max_events, dtype EVENT, the caller's own.

        n = 0 when there are none yet. Raises JournalCorrupt, or TouchlineError when the journal
        ends before `next_seq`: then it is not the journal those events came from.
        """
        checked_whole(max_events, "max_events")
        self._check_open()
        events = self._read_replayed(max_events) if self._behind else self._read_ring(max_events)
        if len(events):
            self._next_seq = int(events["seq"][-1]) + 1
        return events

    def ring(self) -> EventReader | None:
        """The ring's cursor while events come from there, for who follows it in C; None otherwise.

        Whoever has moved it says so by `moved`, before it uses the feed again.
        """
        self._check_open()
        return None if self._behind or not self._placed else self._reader

    def moved(self) -> None:
        """The ring's cursor was moved on by who got it from `ring`."""
        if self._reader is not None:
            self._next_seq = self._reader.next_seq

    def wait(self, timeout_s: float = 1.0) -> bool:
        """Sleep until read() has something: True, or until the timeout: False.

        Raises ValueError for a timeout below 0 or over 1e9, also infinite, and whatever a signal's
        handler raises: KeyboardInterrupt for Ctrl-C.
        """
        checked_seconds(timeout_s, "timeout_s")
        self._check_open()
        if self._behind:
            return True
        reader = self._attached()
        if reader is None:
            threading.Event().wait(min(timeout_s, _REATTACH_S))
            return False
        try:
            return reader.wait(timeout_s)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            self._reader = None
            return False

    def __reduce__(self) -> NoReturn:
        raise refuse_copy(self)

    def close(self) -> None:
        """Let go of bus and journal. Harmless when repeated."""
        self._closed = True
        self._bus.close()
        if self._replay is not None:
            self._replay.close()
            self._replay = None

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the feed is closed")

    def _attached(self) -> EventReader | None:
        """The ring's cursor; after the bus was replaced, one on the new bus once it is there."""
        if self._reader is None:
            try:
                bus = Bus.attach(self._bus_path)
            except OSError:
                return None
            self._bus.close()
            self._bus = bus
            self._reader = bus.events(self._next_seq)
            self._placed = False
        return self._reader

    def _read_ring(self, max_events: int) -> NDArray[np.void]:
        reader = self._attached()
        if reader is None:
            return _NO_EVENTS
        try:
            events = reader.read(max_events)
            if not len(events) and self._beyond():
                self._behind = True
                return self._read_replayed(max_events)
            return events
        except Lapped:
            self._behind = True
            return self._read_replayed(max_events)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            self._reader = None
            return _NO_EVENTS

    def _beyond(self) -> bool:
        """Does next_seq lie beyond all events of an engine that has recovered? Asked once a bus:
        only a journal that lost its end, or another one, explains it, and the replay will tell."""
        if self._placed or self._bus.status()["state"] == "starting":
            return False
        self._placed = True
        return self._next_seq > self._bus.newest_event + 1

    def _read_replayed(self, max_events: int) -> NDArray[np.void]:
        if not len(self._left):
            self._left = self._replay_on()
        events, self._left = self._left[:max_events], self._left[max_events:]
        if not len(self._left) and self._within_ring(len(events)):
            self._behind = False
            self._reader = self._bus.events(self._next_seq + len(events))
        return events.copy()

    def _replay_on(self) -> NDArray[np.void]:
        """The next replayed batch that holds an event we want. The engine is kept: when lapped
        again it goes on from where it stands."""
        if self._replay is None:
            self._replay = Replay(self._journal_dir)
        for _, events in self._replay:
            if len(events) and int(events["seq"][-1]) >= self._next_seq:
                return events[np.searchsorted(events["seq"], self._next_seq) :]
        if self._replay.engine.event_seq < self._next_seq - 1:
            raise TouchlineError(
                f"event {self._next_seq} is wanted, but the journal in {self._journal_dir} gives "
                f"only {self._replay.engine.event_seq} events"
            )
        return _NO_EVENTS

    def _within_ring(self, handed_out: int) -> bool:
        """Is the next event so far inside the ring that it will not be lapped at once?"""
        newest, oldest = self._bus.newest_event, self._bus.oldest_event
        return self._next_seq + handed_out >= oldest + (newest - oldest) // 4

"""What stands around loops in C, FIX's and the binary protocols': threads that run them, the
journal played into them before, events out of it when the ring went past one, and whether they go
round."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed
from touchline.runtime.replay import Replay

Tell = Callable[[dict[str, Any]], None]
Commands = NDArray[np.void]

BEAT_LOOKS = 10  # times WATCH_S between two beats
STUCK_LOOKS = 100  # times WATCH_S without a round; every loop sleeps a second at most
REPLAY_AT_ONCE = 1 << 16
SUPPLY_PAUSE_S = 0.005


class Threads:
    """Threads with a loop each. The first failure of one is kept for check()."""

    def __init__(self, cleanup: contextlib.ExitStack) -> None:
        self._cleanup = cleanup
        self._failure: BaseException | None = None

    def run(self, name: str, work: Callable[[], None], cpu: int | None = None) -> None:
        """Run a loop in a thread, which is joined at the end, on this processor alone."""

        def guarded() -> None:
            try:
                if cpu is not None:
                    os.sched_setaffinity(0, {cpu})  # of this thread alone
                work()
            except BaseException as error:
                self._failure = error

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        self._cleanup.callback(thread.join)

    def check(self) -> None:
        """Raise what made a loop fail."""
        if self._failure is not None:
            raise self._failure


class Rounds:
    """Whether a loop goes round."""

    def __init__(self) -> None:
        self._last, self._same = -1, 0

    def stuck(self, rounds: int) -> bool:
        """Looked at every WATCH_S: has it stood still for STUCK_LOOKS?"""
        self._same = self._same + 1 if rounds == self._last else 0
        self._last = rounds
        return self._same >= STUCK_LOOKS


class Supply:
    """Events from the journal for a loop that fell behind the ring; the log calls it `who`."""

    def __init__(
        self,
        who: str,
        log: logging.Logger,
        bus_path: Path,
        journal_dir: Path,
        stop: threading.Event,
    ) -> None:
        self._who = who
        self._log = log
        self._paths = (bus_path, journal_dir)
        self._stop = stop
        self._feed: EventFeed | None = None

    def give(self, wanted: int, at_once: int, supply: Callable[[NDArray[np.void]], bool]) -> None:
        """A batch from event `wanted` on, until the ring has what follows; 0: it has."""
        if not wanted:
            return
        if self._feed is None or self._feed.next_seq != wanted:
            self.close()
            self._log.warning(
                "%s fell behind the ring at event %d; the journal helps", self._who, wanted
            )
            self._feed = EventFeed(*self._paths, wanted)
        events = self._feed.read(at_once)
        if not len(events):
            self._stop.wait(SUPPLY_PAUSE_S)
        elif not supply(events):
            self.close()

    def close(self) -> None:
        """Let go of the journal. Harmless when repeated."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None


def catch_up(
    source: Replay,
    bus: Bus,
    stop: threading.Event,
    tell: Tell,
    replay: Callable[[Commands, NDArray[np.void]], None],
) -> int:
    """Go through the whole journal, telling how far; the seq of the event to come. OSError when
    `stop` comes first."""
    for commands, events in source:
        if stop.is_set():
            raise OSError("told to stop before it was open")
        tell({"progress": int(commands["seq"][-1]), "of": bus.status()["commands"]})
        replay(commands, events)
    return source.engine.event_seq + 1

"""How a service that follows the events passes its time: waiting for them, and at intervals.

A Ticker tells a loop when an interval has gone by, from a thread that does nothing else. The loop
asks `due` whenever it passes; it is told once per interval, late rather than twice. Whenever the
loop comes by here it gives a sign of life, for the supervisor to see that it still goes round.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from touchline.runtime.feed import EventFeed

PAUSE_S = 0.001
BEAT_S = 1.0
_life = threading.local()


@contextmanager
def signs_of_life(give: Callable[[int], None]) -> Iterator[None]:
    """This thread's signs of life go to `give`, at most one a second, counted from 1."""
    _life.give, _life.count, _life.next_at = give, 0, 0.0
    try:
        yield
    finally:
        del _life.give


def beat() -> None:
    """This thread's loop goes round."""
    give = getattr(_life, "give", None)
    if give is not None and (now := time.monotonic()) >= _life.next_at:
        _life.count, _life.next_at = _life.count + 1, now + BEAT_S
        give(_life.count)


def wait_for_events(feed: EventFeed, stop: threading.Event, timeout_s: float) -> None:
    """Sleep until there are events, or until the timeout. Short, so that `stop` is seen."""
    beat()
    if not feed.wait(timeout_s):
        # Between two engines a feed has nothing to sleep on and returns at once.
        stop.wait(PAUSE_S)


class Ticker:
    """Due every `interval_s` while it is entered."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._due = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def __enter__(self) -> Ticker:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._closed.set()
        self._thread.join()

    def due(self) -> bool:
        """Has an interval gone by since this was last true?"""
        beat()
        if not self._due.is_set():
            return False
        self._due.clear()
        return True

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            self._due.set()

"""Tells a loop when an interval has gone by, from a thread that does nothing else.

The loop asks `due` whenever it passes; it is told once per interval, late rather than twice.
"""

from __future__ import annotations

import threading
from types import TracebackType


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
        if not self._due.is_set():
            return False
        self._due.clear()
        return True

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            self._due.set()

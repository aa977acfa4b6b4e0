"""The exceptions of touchline: what a file, a person or a lagging reader got wrong.

A business refusal is never an exception but an event, and a failing disk or socket is an OSError.
Everything here derives from TouchlineError, so that a command line can catch one type, print its
message and exit. Messages name the field, the value and what is allowed.
"""

from __future__ import annotations

from os import PathLike, fspath


class TouchlineError(Exception):
    """Something outside the program is wrong, and the message says what to do about it."""


class ConfigError(TouchlineError):
    """A configuration is wrong; `problems` holds one line for each thing to mend."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SessionError(TouchlineError):
    """A FIX session is configured or used wrongly."""


class PriceError(TouchlineError, ValueError):
    """A price is not a number, is off tick, or is beyond what ticks can hold."""


class QtyError(TouchlineError, ValueError):
    """A quantity is not a number, is not a whole number of lots, or is too large."""


class JournalCorrupt(TouchlineError):
    """A journal holds a record that was written whole and has changed since.

    `path` is the segment, `offset` the byte where the record starts, `seq` the number of the
    command that should stand there, `detail` what is wrong with it.
    """

    def __init__(
        self, path: str | PathLike[str], offset: int, seq: int, detail: str = "bad checksum"
    ) -> None:
        super().__init__(f"{fspath(path)}: command {seq} at byte {offset}: {detail}")
        self.path = fspath(path)
        self.offset = offset
        self.seq = seq
        self.detail = detail


class FeedError(TouchlineError):
    """A file of market data holds what it can not: `path`, `offset` in bytes, `detail`.

    Of a compressed file the offset is that of the bytes within.
    """

    def __init__(
        self, path: str | PathLike[str], offset: int, detail: str, where: str = ""
    ) -> None:
        at = f"{where}, byte {offset}" if where else f"byte {offset}"
        super().__init__(f"{fspath(path)}: {at}: {detail}")
        self.path = fspath(path)
        self.offset = offset
        self.detail = detail


class Lapped(TouchlineError):
    """A reader wanted event `next_seq`, but the ring holds only `oldest_seq` and newer."""

    def __init__(self, next_seq: int, oldest_seq: int) -> None:
        super().__init__(
            f"event {next_seq} has been overwritten; the oldest still held is {oldest_seq}"
        )
        self.next_seq = next_seq
        self.oldest_seq = oldest_seq


class ImpossibleEvent(TouchlineError):
    """Event `seq` cannot follow those before it; `reason` says why."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(f"event {seq} is impossible: {reason}")
        self.seq = seq
        self.reason = reason


def describe(error: BaseException) -> str:
    """An exception in words: a failing file or socket by its name, without error numbers."""
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        return f"{fspath(name)}: {error.strerror}" if name else error.strerror
    return str(error) or type(error).__name__

"""Structured log lines: one record a line, as logfmt or JSON, to standard error and to a file.

    logging ──► limiter ──► structlog ──► one write to standard error, one to touchline.log

Every process of a venue appends to the same file; a line is one write, so lines do not mix. The
file is put aside when it is large, under a lock, and reopened when somebody else has moved it.
What is said again and again is counted instead, and told as `suppressed`.
Facts travel as `log.info("engine ready", extra={"facts": {"events": 12}})`.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from touchline.config import LogSection

STDERR = 2
BURST = 30  # lines of one wording within a window; the rest is counted
WINDOW_S = 10.0
FILE_MODE, DIRECTORY_MODE = 0o640, 0o750
_SECRET = ("password", "secret", "raw_data")
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(10), *range(11, 32), 127)}


class Limiter:
    """Lets through so many lines of one wording in a window; `now` in seconds, going forward."""

    def __init__(self, burst: int = BURST, window_s: float = WINDOW_S) -> None:
        self._burst = burst
        self._window_s = window_s
        self._windows: dict[tuple[str, str], list[float]] = {}  # start, lines, suppressed

    def admit(self, key: tuple[str, str], now: float) -> int | None:
        """None: leave the line out. Else how many were left out since the last of its wording."""
        window = self._windows.setdefault(key, [now, 0, 0])
        if now - window[0] >= self._window_s or now < window[0]:
            before = int(window[2])
            self._windows[key] = [now, 1, 0]
            return before
        window[1] += 1
        if window[1] <= self._burst:
            return 0
        window[2] += 1
        return None

    def over(self, now: float) -> list[tuple[tuple[str, str], int]]:
        """Wordings whose window has passed with lines left out, and how many; each told once."""
        found = []
        for key, (start, _, left_out) in list(self._windows.items()):
            if now - start >= self._window_s:
                del self._windows[key]
                if left_out:
                    found.append((key, int(left_out)))
        return found


class SharedFile:
    """A log file that several processes append to and any of them puts aside when it is large."""

    def __init__(self, path: Path, settings: LogSection) -> None:
        self._path = path
        self._most = settings.rotate_mb << 20
        self._keep = settings.keep
        self._descriptor = -1
        path.parent.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)

    def write(self, line: bytes) -> None:
        """Append the line. Raises OSError when the disk does not take it."""
        self._reopen_when_moved()
        os.write(self._descriptor, line)
        if os.fstat(self._descriptor).st_size >= self._most:
            self._put_aside()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _reopen_when_moved(self) -> None:
        if self._descriptor >= 0 and self._is_current():
            return
        self.close()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, FILE_MODE)

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except OSError:
            return False

    def _put_aside(self) -> None:
        """touchline.log becomes touchline.log.1, that becomes .2, and so on; the oldest goes."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(self._path.with_suffix(".lock"), flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._is_current():  # another process was first
                return
            for number in range(self._keep - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    self._aside(number).replace(self._aside(number + 1))
            self._path.replace(self._aside(1))
        finally:
            os.close(lock)

    def _aside(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class VenueHandler(logging.Handler):
    """Renders a record once, and writes the line wherever it goes."""

    def __init__(self, part: str, settings: LogSection, file: SharedFile | None) -> None:
        super().__init__()
        self._part = part
        self._file = file
        self._limiter = Limiter()
        self._render: Any = (
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
            if settings.format == "json"
            else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "part", "msg"])
        )

    def emit(self, record: logging.LogRecord) -> None:
        now = record.created
        for (_, wording), count in self._limiter.over(now):
            self._write(now, "warning", f"said again and again: {wording}", {"suppressed": count})
        left_out = self._limiter.admit((record.name, str(record.msg)), now)
        if left_out is None:
            return
        facts = dict(getattr(record, "facts", {}))
        if left_out:
            facts["suppressed"] = left_out
        if record.exc_info and record.exc_info[0] is not None:
            facts["exception"] = logging.Formatter().formatException(record.exc_info)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        self._write(now, record.levelname.lower(), message, facts)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _write(self, now: float, level: str, message: str, facts: dict[str, Any]) -> None:
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        pairs = {"ts": moment, "level": level, "part": self._part, "msg": message} | facts
        line = self._render(None, level, {key: _safe(key, pairs[key]) for key in pairs})
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        # A full disk under the log, or a closed terminal, is no reason to stop trading.
        with contextlib.suppress(OSError):
            os.write(STDERR, data)
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.write(data)


def _safe(key: str, value: object) -> object:
    """A value that can neither forge a line nor steer a terminal, and is no secret."""
    if any(word in key.lower() for word in _SECRET):
        return "***"
    if isinstance(value, bool | int | float) or value is None:
        return value
    return str(value).translate(_CONTROL)


def _open_standard_descriptors() -> None:
    """Where the caller closed one of 0, 1, 2, no file or pipe of ours may take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def open_log(
    part: str,
    log_dir: Path | None,
    settings: LogSection | None = None,
    *,
    level: int = logging.INFO,
) -> None:
    """Send this process's log lines to standard error and, with a directory, to a file there."""
    _open_standard_descriptors()
    settings = settings or LogSection()
    file = None if log_dir is None else SharedFile(log_dir / "touchline.log", settings)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(VenueHandler(part, settings, file))
    root.setLevel(level)

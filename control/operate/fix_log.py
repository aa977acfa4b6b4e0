"""The message log of a FIX session, as the acceptor writes it: read, chosen by time, followed.

A line begins with its time in UTC, to nine decimals, so lines are compared as text. Files that were
put aside are read first. All are opened before any is read, the newest first, so that one that is
put aside meanwhile is neither missed nor read twice.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from touchline.errors import TouchlineError

LINE_MAX = 1 << 18
LOOK_S = 0.2
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_HEAD = re.compile(rb"(\d{8}-\d\d:\d\d:\d\d\.\d{9}) ([<>-]) (.*)", re.DOTALL)
_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_UNPRINTABLE = bytes(b if b in (9, 10) or 32 <= b < 127 else 63 for b in range(256))


class NoLog(TouchlineError):
    """There is no message log of that name."""


@dataclass(frozen=True, slots=True)
class Line:
    """`direction`: < came in, > went out, - says what happened; "" for a line that is none of the
    log's."""

    time: str
    direction: str
    text: bytes
    whole: bytes


def moment(text: str, now: datetime) -> str:
    """A time as a line of the log begins: of 2026-11-29T05:53, 05:53 of today, or 15m ago; UTC
    where no zone is named. ValueError."""
    if (ago := _AGO.fullmatch(text)) is not None:
        try:
            found = now - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        except OverflowError as error:
            raise ValueError(f"{text!r} ago is before all times") from error
    else:
        try:
            found = datetime.fromisoformat(f"{now:%Y-%m-%d}T{text}" if text[2:3] == ":" else text)
        except ValueError as error:
            raise ValueError(
                f"{text!r} is no time; write 2026-11-29T05:53:00, 05:53 (of today), or 15m (ago)"
            ) from error
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return f"{found:%Y%m%d-%H:%M:%S}.{found.microsecond:06d}000"


def utc_now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


class MessageLog:
    """The files of one session; NoLog when there is none."""

    def __init__(self, directory: Path, session: str) -> None:
        if NAME.fullmatch(session) is None:
            raise NoLog(f"{session!r} can be no session's name")
        self._directory = directory
        self._name = f"{session}.log"
        if not (directory / self._name).exists() and not (directory / f"{self._name}.1").exists():
            raise NoLog(f"there is no message log of {session} in {directory}")

    def lines(self, since: str, until: str, *, follow: bool) -> Iterator[Line]:
        """Lines from `since` until `until`; with `follow` also those to come, until `until`."""
        with contextlib.ExitStack() as opened:
            files = self._opened(opened, None)
            while True:
                for file in files:
                    yield from _chosen(file, since, until, whole=follow and file is files[-1])
                if not follow or moment("0s", utc_now()) >= until:
                    return
                threading.Event().wait(LOOK_S)
                files = self._opened(opened, files[-1] if files else None)

    def _opened(self, opened: contextlib.ExitStack, last: BinaryIO | None) -> list[BinaryIO]:
        """The files from `last` on, the oldest first; those that are no longer read are closed."""
        known = None if last is None else os.fstat(last.fileno()).st_ino
        files: list[BinaryIO] = []
        seen: set[int] = set()
        number = 0
        while (file := self._open(number)) is not None or number == 0:
            number += 1
            if file is None:
                continue
            inode = os.fstat(file.fileno()).st_ino
            if inode == known or inode in seen:
                file.close()
                if inode == known:
                    break
                continue
            seen.add(inode)
            files.append(file)
        for file in files:
            opened.push(file)
        if last is not None and files:
            opened.callback(last.close)
        return [*([] if last is None else [last]), *reversed(files)]

    def _open(self, number: int) -> BinaryIO | None:
        """NAME.log for 0, NAME.log.1 … for others; None where there is none."""
        path = self._directory / (f"{self._name}.{number}" if number else self._name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NoLog(f"{path} is not a file")
        return os.fdopen(descriptor, "rb")


def _chosen(file: BinaryIO, since: str, until: str, *, whole: bool) -> Iterator[Line]:
    """Lines of a file from where it stands; with `whole` one without an end is left for later.
    What has no time of its own belongs to the line before it."""
    at = since
    while raw := file.readline(LINE_MAX):
        if whole and not raw.endswith(b"\n") and len(raw) < LINE_MAX:
            file.seek(-len(raw), os.SEEK_CUR)
            return
        line = _read(raw)
        at = line.time or at
        if since <= at < until:
            yield line


def _read(raw: bytes) -> Line:
    text = raw.rstrip(b"\n").translate(_UNPRINTABLE)  # nothing of a file moves the cursor
    found = _HEAD.fullmatch(text)
    if found is None:
        return Line("", "", text, text)
    return Line(found[1].decode(), found[2].decode(), found[3], text)

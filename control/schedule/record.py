"""What of the timetable has been done, and who is held: two small files in the data directory.

`schedule.json` is the part's: the time of the change each instrument is at, so that a start does
not undo what an operator did since. `schedule-held.json` is the operators': symbols that the
timetable leaves alone. Each is replaced whole; one that cannot be read is refused by its name.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from touchline.errors import TouchlineError

DONE, HELD = "schedule.json", "schedule-held.json"
BYTES_MAX = 16 << 20


class RecordDamaged(TouchlineError):
    """A file of the schedule is not what was written."""

    exit_code = 5


def read_done(data_dir: Path) -> dict[str, int]:
    """By symbol, the time of the change it is at."""
    found = _read(data_dir / DONE, {})
    if not isinstance(found, dict) or not all(type(time) is int for time in found.values()):
        raise RecordDamaged(f"{data_dir / DONE}: does not hold times by symbol; remove it")
    return found


def write_done(data_dir: Path, done: dict[str, int]) -> None:
    _write(data_dir / DONE, done)


def read_held(data_dir: Path) -> list[str]:
    """Symbols that the timetable leaves alone."""
    found = _read(data_dir / HELD, [])
    if not isinstance(found, list) or not all(isinstance(symbol, str) for symbol in found):
        raise RecordDamaged(f"{data_dir / HELD}: does not hold a list of symbols; remove it")
    return found


def change_held(data_dir: Path, change: Callable[[set[str]], set[str]]) -> list[str]:
    """Put what `change` makes of them in their place, one operator after the other."""
    lock = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = sorted(change(set(read_held(data_dir))))
        _write(data_dir / HELD, held)
    finally:
        os.close(lock)
    return held


def _read(path: Path, nothing: Any) -> Any:
    try:
        with path.open("rb") as file:
            text = file.read(BYTES_MAX + 1)
    except FileNotFoundError:
        return nothing
    try:
        if len(text) > BYTES_MAX:
            raise ValueError("it is too large")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecordDamaged(f"{path}: cannot be read: {error}; remove it") from error


def _write(path: Path, value: Any) -> None:
    """The whole file or none; it belongs to who owns the directory, whoever writes it."""
    owner = path.parent.stat()
    number, part = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(number, "w", encoding="utf-8") as file:
            os.fchmod(number, 0o640)
            if os.geteuid() == 0:
                os.fchown(number, owner.st_uid, owner.st_gid)
            json.dump(value, file)
            file.flush()
            os.fsync(number)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise

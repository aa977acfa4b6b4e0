"""What of the timetable has been done, and who is held: two small files in the data directory.

`schedule.json` is the part's: the time of the change each instrument is at, so that a start does
not undo what an operator did since. `schedule-held.json` is the operators': symbols that the
timetable leaves alone. Each is replaced whole; one that cannot be read is refused by its name.
"""

from __future__ import annotations

import json
import os
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


def write_held(data_dir: Path, held: list[str]) -> None:
    _write(data_dir / HELD, sorted(set(held)))


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
    part = path.with_name(f"{path.name}.part")
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with open(number, "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)

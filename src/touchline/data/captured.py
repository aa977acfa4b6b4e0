"""The captured files on disk: what the manifest lists, and whether it is there, whole, without gap.

   capture/events/2024-10-03/events-FIRST-LAST.parquet   the files, and nothing but files
   capture/manifest.jsonl                                a line for each, once it is there for good
   capture/state.json                                    how far the capture has come
   capture/readers.lock                                  shared by readers; see `reading`

One process appends to the manifest; whoever reads needs only this module, and no library beyond
Python's own. When small files are merged a line says so before their directory is exchanged for
one that holds the merged file: that line counts if the merged file is there, and until then the
lines before it do. So at any moment, a kill included, the manifest lists every event once.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from touchline.errors import TouchlineError

EVENTS, MANIFEST, STATE, READERS_LOCK = "events", "manifest.jsonl", "state.json", "readers.lock"
FILES = "*/events-*.parquet"
Check = Literal["changed", "all"]
HEAL = "without this file the next start of the capture reads every Parquet file and writes it anew"

_NAME = re.compile(r"\d{4}-\d\d-\d\d/events-(\d+)-(\d+)\.parquet")
_WAIT_S, _WAITS_MAX = 0.01, 3000  # for a merge to change a directory, which takes milliseconds
_PIECE = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file as it was written: its name below events/, its events, and its content's sum."""

    name: str
    rows: int
    first_seq: int
    last_seq: int
    size: int
    mtime_ns: int
    sha256: str

    def line(self) -> dict[str, Any]:
        """The entry as the manifest holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Fault:
    """Events that cannot be had as they were captured, and why."""

    path: Path
    first_seq: int
    last_seq: int
    detail: str

    def __str__(self) -> str:
        return f"{self.path}: events {self.first_seq} to {self.last_seq}: {self.detail}"


class CaptureDamaged(TouchlineError):
    """Captured events are missing or damaged; `faults` names each file and its events."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def capture_dir_of(directory: str | os.PathLike[str]) -> Path:
    """The capture's directory, given that or the venue's data_dir."""
    path = Path(directory).absolute()
    return path / "capture" if (path / "capture").is_dir() else path


def parse_name(name: str) -> tuple[int, int] | None:
    """First and last event of a file, as its name below events/ says; None for another name."""
    match = _NAME.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def files_there(capture_dir: Path) -> list[str]:
    """Names of the files that are there, in the order of their events."""
    events = capture_dir / EVENTS
    found = [(f"{path.parent.name}/{path.name}") for path in events.glob(FILES)]
    known = [(span, name) for name in found if (span := parse_name(name))]
    return [name for _, name in sorted(known)]


def entries_of(capture_dir: Path) -> list[Entry]:
    """What the manifest lists, in the order of events; nothing when there is none.

    A last line without an end is being written, or was when its writer was killed: it does not
    count. Raises CaptureDamaged when another line cannot be read.
    """
    path = capture_dir / MANIFEST
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    entries: list[Entry] = []
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            _take(capture_dir, entries, json.loads(line))
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            after = entries[-1].last_seq + 1 if entries else 1
            raise CaptureDamaged(
                [Fault(path, after, after, f"line {number} is damaged; {HEAL}")]
            ) from error
    return entries


def _take(capture_dir: Path, entries: list[Entry], line: dict[str, Any]) -> None:
    """Bring the entries to where one more line has them."""
    merged = line.get("merged")
    entry = Entry(**(line if merged is None else merged))
    if parse_name(entry.name) != (entry.first_seq, entry.last_seq):
        raise ValueError("a name that is no file's")
    if entry.rows != entry.last_seq - entry.first_seq + 1:
        raise ValueError("rows that are not the events'")
    if merged is None:
        entries.append(entry)
    elif (capture_dir / EVENTS / entry.name).exists():
        within = [e for e in entries if entry.first_seq <= e.first_seq <= entry.last_seq]
        place = entries.index(within[0])
        entries[place : place + len(within)] = [entry]


def captured_seq(capture_dir: Path) -> int:
    """Number of the last event the capture says it has committed, 0 when it says nothing."""
    try:
        state = json.loads((capture_dir / STATE).read_bytes())
        return int(state["seq"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def find_faults(
    capture_dir: Path, entries: Sequence[Entry], captured: int, check: Check = "changed"
) -> list[Fault]:
    """What is missing, doubled or damaged, in the order of events.

    `captured` is what `captured_seq` said before the manifest was read. A file of another size is
    damaged; its content is compared with its sum when its time of change is another one, or, with
    check="all", in any case: a disk may turn a bit and tell nobody.
    """
    manifest = capture_dir / MANIFEST
    faults: list[Fault] = []
    if not entries and (there := files_there(capture_dir)):
        last = parse_name(there[-1])
        assert last is not None
        return [Fault(manifest, 1, last[1], f"the manifest is missing; {HEAL}")]
    due = 1
    for entry in entries:
        path = capture_dir / EVENTS / entry.name
        if entry.first_seq > due:
            faults.append(Fault(manifest, due, entry.first_seq - 1, "no file is listed for them"))
        elif entry.first_seq < due:
            faults.append(Fault(path, entry.first_seq, due - 1, "they are listed twice"))
        detail = _damage(path, entry, check)
        if detail:
            faults.append(Fault(path, entry.first_seq, entry.last_seq, detail))
        due = max(due, entry.last_seq + 1)
    if captured >= due:
        faults.append(Fault(manifest, due, captured, "they were captured and are not listed"))
    return faults


def _damage(path: Path, entry: Entry, check: Check) -> str:
    """What is wrong with a file, "" when nothing is."""
    try:
        found = path.stat()
        if found.st_size != entry.size:
            return f"the file has {found.st_size} bytes, written were {entry.size}"
        if (found.st_mtime_ns != entry.mtime_ns or check == "all") and sum_of(path) != entry.sha256:
            return "the file is damaged: its content is not what was written"
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return ""


def sum_of(path: Path) -> str:
    """The SHA-256 of a file, read in pieces."""
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


@dataclass(frozen=True)
class Verified:
    """What `verify` read: how many files, events and bytes, and everything wrong with them."""

    files: int
    events: int
    bytes: int
    faults: tuple[Fault, ...]


def verify(directory: str | os.PathLike[str]) -> Verified:
    """Read every captured file and compare it with the manifest, while the capture may run.

    `directory` is the capture's or the venue's data_dir. A file that the manifest does not list is
    a fault too, unless it is the one being added at this moment.
    """
    capture_dir = capture_dir_of(directory)
    with reading(capture_dir):
        captured = captured_seq(capture_dir)
        entries = entries_of(capture_dir)
        faults = find_faults(capture_dir, entries, captured, "all")
        faults += _unlisted(capture_dir, entries) if entries else []
    return Verified(
        len(entries), sum(e.rows for e in entries), sum(e.size for e in entries), tuple(faults)
    )


def _unlisted(capture_dir: Path, entries: Sequence[Entry]) -> Iterator[Fault]:
    listed, last = {entry.name for entry in entries}, entries[-1].last_seq
    for name in files_there(capture_dir):
        span = parse_name(name)
        if name not in listed and span is not None and span[0] <= last:
            path = capture_dir / EVENTS / name
            yield Fault(path, *span, "the manifest does not list the file")


@contextmanager
def reading(capture_dir: Path) -> Iterator[None]:
    """Keep files from being merged away; where no lock can be taken, as on a read-only disk, don't.

    Raises TouchlineError when a merge does not let go of the lock.
    """
    lock = lock_for_reading(capture_dir)
    try:
        yield
    finally:
        if lock >= 0:
            os.close(lock)


def lock_for_reading(capture_dir: Path) -> int:
    """A descriptor that holds the readers' lock until it is closed, -1 where there is none."""
    path = capture_dir / READERS_LOCK
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1
    for _ in range(_WAITS_MAX):
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return lock
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                break
            threading.Event().wait(_WAIT_S)
    else:
        os.close(lock)
        raise TouchlineError(f"{path}: a merge of captured files has held it for 30 s")
    os.close(lock)
    return -1


def manifest_bytes(lines: Iterable[dict[str, Any]]) -> bytes:
    """Lines of the manifest as they are written."""
    return b"".join(chain.from_iterable((json.dumps(line).encode(), b"\n") for line in lines))

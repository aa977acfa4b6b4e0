"""The directory of captured events: who writes it, what is in it, and how a batch is added.

   batch ──► tmp/NAME ──fsync, rename──► events/DAY/NAME ──► manifest.jsonl, a line ──► state.json

One process writes, under a lock; readers need none but that of a merge, because a file appears
whole or not at all. A file that was renamed and has no line yet, because its writer was killed, is
read through and given one at the next start. Names, sums and faults are in touchline.data.captured.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.control.capture.encode import decode, encode, layout_of
from touchline.control.capture.files import (
    make_directory,
    open_private,
    sync_directory,
    write_synced,
    write_whole,
)
from touchline.control.capture.table import DAY_NS, table
from touchline.data.captured import (
    EVENTS,
    MANIFEST,
    READERS_LOCK,
    STATE,
    CaptureDamaged,
    Entry,
    Fault,
    captured_seq,
    entries_of,
    files_there,
    find_faults,
    manifest_bytes,
    parse_name,
    sum_of,
)
from touchline.data.captured_columns import LAYOUT_VERSION
from touchline.errors import TouchlineError, describe
from touchline.runtime.directory import Directory

WRITER_LOCK, TEMPORARY = "writer.lock", "tmp"
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

Events = NDArray[np.void]
Touches = NDArray[np.void]


class Store:
    """The capture's directory, open for writing while it is entered.

    Entering locks it, removes what an interrupted write left and finds `last_seq`, 0 when there is
    nothing. Raises TouchlineError when another capture writes here, CaptureDamaged when the files
    are not all there, whole and without a gap, OSError naming the path when the disk fails.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events = directory / EVENTS
        self.temporary = directory / TEMPORARY
        self.entries: list[Entry] = []
        self.alarm: str | None = None  # what is wrong, though the capture goes on
        self._lock = -1

    @property
    def last_seq(self) -> int:
        """Number of the last event committed."""
        return self.entries[-1].last_seq if self.entries else 0

    @property
    def last_file(self) -> Path | None:
        """The file that holds it."""
        return self.events / self.entries[-1].name if self.entries else None

    def __enter__(self) -> Store:
        _refuse_unreadable_path(self.directory)
        make_directory(self.events)
        self._lock = open_private(self.directory / WRITER_LOCK, os.O_RDWR)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise TouchlineError(f"{self.directory}: another capture writes here") from error
        try:
            self._recover()
        except BaseException as error:
            self.tell_failure(describe(error))
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        os.close(self._lock)

    def _recover(self) -> None:
        """Remove leftovers, read the manifest, add the files that have no line yet, check all."""
        old = next(self.events.glob("date=*"), None)
        if old is not None:
            raise TouchlineError(f"{old}: is of an older layout; {self._advice()}")
        os.close(open_private(self.directory / READERS_LOCK, os.O_RDWR))
        shutil.rmtree(self.temporary, ignore_errors=True)
        make_directory(self.temporary)
        captured = captured_seq(self.directory)
        self.entries = entries_of(self.directory)
        self._adopt()
        if self.last_file is not None and self.last_file.exists():
            self._refuse_older_layout(self.last_file)
        faults = find_faults(self.directory, self.entries, captured)
        if faults:
            raise CaptureDamaged([*faults[:-1], _advised(faults[-1], self._advice())])
        self.rewrite_manifest()
        self.tell_state()

    def _refuse_older_layout(self, path: Path) -> None:
        version = layout_of(path)
        if version not in (None, LAYOUT_VERSION):
            raise TouchlineError(f"{path}: is of layout {version}, not {LAYOUT_VERSION}; "
                                 f"{self._advice()}")  # fmt: skip

    def _advice(self) -> str:
        return f"move {self.directory} away to capture again from the journal"

    def _adopt(self) -> None:
        """Take in the files behind the last line; a file that lies elsewhere is there twice."""
        listed = {entry.name for entry in self.entries}
        for name in files_there(self.directory):
            span = parse_name(name)
            if name in listed or span is None:
                continue
            if span[0] <= self.last_seq:
                last = min(span[1], self.last_seq)
                detail = f"they are there twice; {self._advice()}"
                raise CaptureDamaged([Fault(self.events / name, span[0], last, detail)])
            if span[0] > self.last_seq + 1:
                detail = f"they are missing; {self._advice()}"
                fault = Fault(self.events / name, self.last_seq + 1, span[0] - 1, detail)
                raise CaptureDamaged([fault])
            decode(self.events / name, *span)
            self.entries.append(self.entry_of(name, sum_of(self.events / name)))

    def entry_of(self, name: str, sha256: str, within: Path | None = None) -> Entry:
        """The line of a file that is there."""
        span = parse_name(name)
        assert span is not None, name
        found = ((within or self.events) / name).stat()
        first, last = span
        return Entry(name, last - first + 1, first, last, found.st_size, found.st_mtime_ns, sha256)

    def last_row(self) -> dict[str, Any] | None:
        """Number and time of the last event captured, None when there is none."""
        if self.last_file is None:
            return None
        last = self.entries[-1]
        rows = decode(self.last_file, last.first_seq, last.last_seq).select(["seq", "ts_ns"])
        row: dict[str, Any] = rows.slice(len(rows) - 1).to_pylist()[0]
        return row

    def commit(self, events: Events, touches: Touches, names: Directory) -> None:
        """Write a batch that follows what is there; a file for each day in it.

        `touches` is the touch after each of the events, as Mirror.follow gives it.
        """
        days = events["ts_ns"] // DAY_NS
        bounds = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(events)]
        for low, high in pairwise(bounds):
            if low < high:
                self._commit_day(events[low:high], touches[low:high], names)

    def _commit_day(self, events: Events, touches: Touches, names: Directory) -> None:
        first, last = int(events["seq"][0]), int(events["seq"][-1])
        assert first == self.last_seq + 1, f"event {first} follows {self.last_seq}"
        assert last - first + 1 == len(events), f"events {first} to {last} have gaps"
        day = date.fromordinal(int(events["ts_ns"][0]) // DAY_NS + _EPOCH_ORDINAL)
        data = encode(table(events, touches, names.instruments(), names.accounts))
        name = f"{day}/events-{first:012}-{last:012}.parquet"
        path = self.events / name
        write_whole(path, data, self.temporary / f"{path.name}.part")
        entry = self.entry_of(name, hashlib.sha256(data).hexdigest())
        self.append([entry.line()])
        self.entries.append(entry)
        self.tell_state(int(events["ts_ns"][-1]))

    def append(self, lines: Sequence[dict[str, Any]]) -> None:
        """Add lines to the manifest, for good."""
        flags = os.O_WRONLY | os.O_APPEND
        write_synced(self.directory / MANIFEST, manifest_bytes(lines), flags)

    def rewrite_manifest(self) -> None:
        """Have the manifest list what is there now and nothing else."""
        lines = [entry.line() for entry in self.entries]
        write_whole(
            self.directory / MANIFEST, manifest_bytes(lines), self.temporary / f"{MANIFEST}.part"
        )
        sync_directory(self.directory)

    def tell_state(self, ts_ns: int | None = None, error: str | None = None) -> None:
        """Say in state.json how far the capture has come, for whoever asks how it is."""
        path = self.directory / STATE
        if ts_ns is None:
            ts_ns = _state(path).get("ts_ns", 0)
        seq = self.last_seq if error is None else captured_seq(self.directory)
        temporary = self.temporary / f"{STATE}.part"
        number = open_private(temporary, os.O_WRONLY | os.O_TRUNC)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            json.dump({"seq": seq, "ts_ns": ts_ns, "error": error or self.alarm}, file)
        temporary.rename(path)

    def tell_failure(self, error: str) -> None:
        """Say in state.json why the capture ends, if the disk still takes it."""
        try:
            make_directory(self.temporary)
            self.tell_state(error=error)
        except OSError:
            return


def _state(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _advised(fault: Fault, advice: str) -> Fault:
    return Fault(fault.path, fault.first_seq, fault.last_seq, f"{fault.detail}; {advice}")


def _refuse_unreadable_path(directory: Path) -> None:
    """Parquet's readers name files in UTF-8, so nobody could read what is written elsewhere."""
    try:
        str(directory).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(directory)
        raise TouchlineError(
            f"venue.data_dir: {shown!r} is not UTF-8, in which Parquet files are named; "
            "choose a directory whose name is"
        ) from error

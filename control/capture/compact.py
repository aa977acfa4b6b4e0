"""Small files merged into larger ones: never an event missing or twice, whenever it is killed.

   files of a day ──► tmp/DAY: merged files, and links to the others
                      a line for each merged file in the manifest: counts once the file is there
                      exchange tmp/DAY and events/DAY, one step of the file system
                      remove the old directory, write the manifest anew

A scan of the directory finds the day as it was or as it is. Whoever reads through the manifest
holds the readers' lock, and only the exchange waits for that. A damaged file is never merged: its
damage would get a sum of its own.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

import pyarrow as pa

from touchline.control.capture.encode import decode, encode
from touchline.control.capture.files import (
    exchange,
    make_directory,
    open_private,
    sync_directory,
    write_synced,
)
from touchline.control.capture.store import Store
from touchline.data.captured import READERS_LOCK, CaptureDamaged, Entry, Fault, sum_of
from touchline.errors import describe

ROWS_MAX = 262_144  # of a merged file: what a merge holds in memory
FILES_MIN = 64  # of the present day, before the capture merges them
_POLL_S = 0.01

Group = list[Entry]

log = logging.getLogger(__name__)


def groups_of(entries: Sequence[Entry], files_min: int = 2) -> list[list[Group]]:
    """By day, the runs of neighbours worth merging; the present day needs `files_min` files."""
    found = []
    today = _day(entries[-1]) if entries else ""
    for day, of_day in groupby(entries, key=_day):
        groups = _runs(of_day)
        if day == today and sum(len(group) for group in groups) < files_min:
            continue
        if groups:
            found.append(groups)
    return found


def _day(entry: Entry) -> str:
    return entry.name.partition("/")[0]


def _runs(entries: Iterator[Entry]) -> list[Group]:
    """Neighbours of together at most ROWS_MAX rows, two files or more."""
    groups: list[Group] = [[]]
    rows = 0
    for entry in entries:
        if rows + entry.rows > ROWS_MAX:
            groups.append([])
            rows = 0
        groups[-1].append(entry)
        rows += entry.rows
    return [group for group in groups if len(group) > 1]


def compact(store: Store, files_min: int = 2, wait_s: float = 0.0) -> int:
    """Merge the small files of every day; returns how many files there are fewer.

    The exchange waits up to `wait_s` for readers; a day whose readers do not end is left for
    another time. Raises CaptureDamaged when a file to be merged is damaged, OSError when the disk
    fails or cannot exchange directories.
    """
    before = len(store.entries)
    for groups in groups_of(store.entries, files_min):
        _merge_day(store, groups, wait_s)
    return before - len(store.entries)


def _merge_day(store: Store, groups: list[Group], wait_s: float) -> None:
    day = _day(groups[0][0])
    directory = store.temporary / day
    shutil.rmtree(directory, ignore_errors=True)
    make_directory(directory)
    try:
        merged = [_merge(store, group) for group in groups]
        replaced = {entry.name for group in groups for entry in group}
        for entry in store.entries:
            if _day(entry) == day and entry.name not in replaced:
                os.link(store.events / entry.name, store.temporary / entry.name)
        sync_directory(directory)
        with _no_readers(store, wait_s) as alone:
            if alone:
                _exchange(store, day, merged, replaced)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _exchange(store: Store, day: str, merged: list[Entry], replaced: set[str]) -> None:
    store.append([{"merged": entry.line()} for entry in merged])
    exchange(store.temporary / day, store.events / day)
    sync_directory(store.events)
    sync_directory(store.temporary)
    kept = [entry for entry in store.entries if entry.name not in replaced]
    store.entries = sorted([*kept, *merged], key=lambda entry: entry.first_seq)
    store.rewrite_manifest()


def _merge(store: Store, group: Group) -> Entry:
    """Write one file of the rows of several, below tmp/."""
    tables = []
    for entry in group:
        path = store.events / entry.name
        if sum_of(path) != entry.sha256:
            detail = "the file is damaged: its content is not what was written"
            raise CaptureDamaged([Fault(path, entry.first_seq, entry.last_seq, detail)])
        tables.append(decode(path, entry.first_seq, entry.last_seq))
    # What the sizes of ticks and lots are, the last file knows best.
    schema = tables[-1].schema
    rows = pa.concat_tables([t.replace_schema_metadata(schema.metadata) for t in tables])
    data = encode(rows.unify_dictionaries().combine_chunks())
    first, last = group[0].first_seq, group[-1].last_seq
    name = f"{_day(group[0])}/events-{first:012}-{last:012}.parquet"
    write_synced(store.temporary / name, data)
    return store.entry_of(name, hashlib.sha256(data).hexdigest(), store.temporary)


@contextmanager
def _no_readers(store: Store, wait_s: float) -> Iterator[bool]:
    """Whether the lock of the readers is ours; theirs are kept waiting for an exchange at most."""
    lock = open_private(store.directory / READERS_LOCK, os.O_RDWR)
    try:
        yield _locked(lock, wait_s)
    finally:
        os.close(lock)


def _locked(lock: int, wait_s: float) -> bool:
    for _ in range(1 + round(wait_s / _POLL_S)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            threading.Event().wait(_POLL_S)
        else:
            return True
    return False


class IdleCompactor:
    """Merges while the capture has nothing else to do; gives up where the disk cannot."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._able = True

    def step(self) -> None:
        """Merge what is worth it. A damaged file, a full disk or one that cannot exchange
        directories ends the attempts; new events are captured all the same."""
        if not self._able:
            return
        try:
            compact(self._store, FILES_MIN)
        except (OSError, CaptureDamaged) as error:
            self._able = False
            self._store.alarm = describe(error)
            self._store.tell_state()
            log.warning("small files are not merged", extra={"facts": {"error": describe(error)}})

"""Each report once: how far every session has been told, so that a restart goes on from there.

A report counts as made when QuickFIX's store holds it under a sequence number that was used up. The
store itself tells so as long as it is not reset; this file tells it too, a moment later, and
survives a reset. The greater of the two is the truth, whatever moment the process was killed at.
The file is mapped, so a note costs no system call; it is written by one thread per field.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from touchline.errors import SessionError
from touchline.fix.orders import report_key

QUICKFIX_SESSIONS_MAX = 256
MAGIC = b"TLFIX001"
_HEAD = struct.Struct("<8sQQ")  # magic, the journal it belongs to, refusals numbered so far
_WORD = struct.Struct("<Q")
_JOURNAL_AT, _REFUSALS_AT, _MARKS_AT = 8, 16, 24
FILE_BYTES = _MARKS_AT + QUICKFIX_SESSIONS_MAX * _WORD.size
REFUSALS_SKIPPED = 4096  # more than are numbered between two calls of flush()
TAIL_BYTES = 64 * 1024  # of the store's index: thousands of messages, far more than one is unsure

_EXEC_ID = re.compile(rb"\x0117=(\d+)(?:-([12]))?\x01")
_REFUSED_CHANGE = re.compile(rb"\x0135=9\x01(?:.*\x01)?11=([^\x01]*)\x01", re.DOTALL)
_ENTRY = re.compile(rb"(?:^| )(\d+),(\d+),(\d+) ")


class Delivered:
    """The file of marks: for each session the key of the last report made.

    With `durable` the numbers of refusals go on behind those that a power cut may have taken along.
    """

    def __init__(self, path: Path, durable: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size == 0:
                os.write(descriptor, _HEAD.pack(MAGIC, 0, 0).ljust(FILE_BYTES, b"\0"))
            if os.fstat(descriptor).st_size != FILE_BYTES:
                raise SessionError(f"{path} is not a file of delivery marks; move it away")
            self._map = mmap.mmap(descriptor, FILE_BYTES)
        finally:
            os.close(descriptor)
        if self._map[:8] != MAGIC:
            raise SessionError(f"{path} is not a file of delivery marks; move it away")
        if durable:
            (count,) = _WORD.unpack_from(self._map, _REFUSALS_AT)
            _WORD.pack_into(self._map, _REFUSALS_AT, count + REFUSALS_SKIPPED)
            self.flush()

    def belongs_to(self, journal_id: int, newest_event: int) -> bool:
        """Whether the marks count the events of this journal; if not, all are set to its newest."""
        (known,) = _WORD.unpack_from(self._map, _JOURNAL_AT)
        if known == journal_id:
            return True
        for session in range(QUICKFIX_SESSIONS_MAX):
            self.set_mark(session, report_key(newest_event))
        _WORD.pack_into(self._map, _JOURNAL_AT, journal_id)
        return False

    def mark(self, session: int) -> int:
        """The key of the last report made for the session."""
        (key,) = _WORD.unpack_from(self._map, _MARKS_AT + session * _WORD.size)
        return int(key)

    def set_mark(self, session: int, key: int) -> None:
        _WORD.pack_into(self._map, _MARKS_AT + session * _WORD.size, key)

    def next_refusal(self) -> int:
        """A number for an answer without an event, never given out before."""
        (count,) = _WORD.unpack_from(self._map, _REFUSALS_AT)
        _WORD.pack_into(self._map, _REFUSALS_AT, count + 1)
        return int(count) + 1

    def flush(self) -> None:
        """What was noted so far is on the disk when this returns."""
        self._map.flush()

    def close(self) -> None:
        self._map.close()


@dataclass(frozen=True, slots=True)
class Stored:
    """The newest reports in a session's store.

    `key` is that of the last ExecutionReport on an event, 0 when there is none. An
    OrderCancelReject has no ExecID: the ClOrdIDs of those behind that report are `refused`. A
    ClOrdID is used once, so that a refusal is known again by it.
    """

    key: int = 0
    refused: frozenset[str] = frozenset()


def sync_store(store_dir: Path, session_name: str) -> None:
    """A session's QuickFIX store is on the disk when this returns, each number with its message."""
    for kind in ("seqnums", "header", "body"):
        descriptor = os.open(store_dir / f"{session_name}.{kind}", os.O_RDONLY)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def last_stored(store_dir: Path, session_name: str) -> Stored:
    """What the end of a session's QuickFIX store holds.

    `session_name` is as QuickFIX names its files. A message whose sequence number was not yet used
    up when the process died does not count: its number will be given to another.
    """
    base = store_dir / session_name
    refused: set[str] = set()
    try:
        next_sender = int((base.parent / f"{base.name}.seqnums").read_bytes().split(b":")[0])
        with open(base.parent / f"{base.name}.header", "rb") as index:
            start = max(0, index.seek(0, os.SEEK_END) - TAIL_BYTES)
            index.seek(start)
            tail = index.read()
            entries = _entries(tail[tail.find(b" ") :] if start else tail)
        with open(base.parent / f"{base.name}.body", "rb") as body:
            for seq in sorted((s for s in entries if s < next_sender), reverse=True):
                offset, size = entries[seq]
                body.seek(offset)
                message = body.read(size)
                found = _EXEC_ID.search(message)
                if found and found[1] != b"0":
                    return Stored(int(found[1]) * 4 + int(found[2] or 0), frozenset(refused))
                if change := _REFUSED_CHANGE.search(message):
                    refused.add(change[1].decode("utf-8", "replace"))
    except (FileNotFoundError, ValueError):
        return Stored()
    return Stored(0, frozenset(refused))


def _entries(index: bytes) -> dict[int, tuple[int, int]]:
    """Where each sequence number's message lies; a number written twice means the later one."""
    found: dict[int, tuple[int, int]] = {}
    position = 0
    while match := _ENTRY.search(index, position):
        found[int(match[1])] = (int(match[2]), int(match[3]))
        position = match.end() - 1
    return found

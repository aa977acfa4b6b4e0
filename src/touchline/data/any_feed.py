"""A reader for a file of market data, by what the file itself says."""

from __future__ import annotations

from datetime import date

from touchline.data.databento import read_databento
from touchline.data.itch import is_capture, read_itch
from touchline.data.lobster import read_lobster
from touchline.data.reader import Path, Reader, Source
from touchline.data.tables import read_csv, read_parquet
from touchline.errors import FeedError

FORMS = ("itch", "lobster", "databento", "csv", "parquet")
_ZSTD = b"\x28\xb5\x2f\xfd"
_START = 4096
_LOBSTER = frozenset(b"0123456789.,-\r\n")


def open_feed(
    path: Path,
    form: str | None = None,
    *,
    day: date | str | None = None,
    skip: bool = False,
) -> Reader:
    """The reader of a file; `form` is one of FORMS, and without it the file's start says which.

    `day` and `skip` as of read_itch. Raises FeedError for a file that begins as none of them.
    """
    form = form or form_of(path)
    if form == "itch":
        return read_itch(path, day=day, skip=skip)
    if form == "lobster":
        return read_lobster(path, day=day)
    if form == "databento":
        return read_databento(path)
    if form == "csv":
        return read_csv(path)
    if form == "parquet":
        return read_parquet(path)
    raise FeedError(path, 0, f"form {form!r} is none of {', '.join(FORMS)}")


def form_of(path: Path) -> str:
    """Which of FORMS a file is, by its first bytes."""
    with Source(path) as source:
        start = source.peek(_START)
    if not start:
        raise FeedError(path, 0, "it is empty")
    if start[:4] == b"PAR1":
        return "parquet"
    if start[:3] == b"DBN" or start[:4] == _ZSTD:
        return "databento"
    # A message of ITCH has a length below 256 before it, and its type behind.
    if is_capture(start) or start[0] == 0:
        return "itch"
    line = start.partition(b"\n")[0]
    if line.count(b",") == 5 and set(line) <= _LOBSTER:
        return "lobster"
    if b"instrument_id" in line and b"action" in line:
        return "databento"
    if line.isascii() and b"," in line:
        return "csv"
    raise FeedError(path, 0, f"it begins as none of {', '.join(FORMS)}; --form says which it is")

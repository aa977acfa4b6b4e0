"""The history: captured events in SQL, for who has the files and nothing else of the venue.

   from touchline.data import history

   with history.open("data") as past:                      # a venue's data_dir
       for symbol, volume in past.query("SELECT symbol, sum(qty) FROM trades GROUP BY ALL"):
           ...
       frame = past.query("FROM orders").df()              # or .pl(), .arrow(), .batches()

A DuckDB in memory shows the files that the manifest lists at the moment of a question. Nothing is
written, no database file is opened, and rows come in batches. What is missing or damaged is named
instead of left out. Needs the extra `analytics`. A History belongs to one thread.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from touchline.data.captured import (
    EVENTS,
    CaptureDamaged,
    Check,
    Entry,
    Fault,
    capture_dir_of,
    captured_seq,
    entries_of,
    find_faults,
    lock_for_reading,
)
from touchline.data.history_views import create_views, sizes_in
from touchline.errors import TouchlineError
from touchline.runtime.closing import Closing

_ROWS = 4096
_MEMORY = "50%"


def _needed(name: str) -> Any:
    """A library of the extra; TouchlineError that names the extra when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise TouchlineError(
            f'the history needs {name}: pip install "touchline[analytics]"'
        ) from error


class Answer(Closing):
    """The rows of one question, read as they are asked for: iterate, or take them all at once.

    Files stay as they are until the last row has been read or the answer is closed.
    """

    def __init__(
        self, past: History, cursor: Any, sql: str, parameters: Sequence[Any], lock: int
    ) -> None:
        self._past = past
        self._cursor = cursor
        self._sql, self._parameters = sql, list(parameters)
        self._lock = -1  # until all is well: who raises has given nothing away
        self._asked = past.guarded(lambda: cursor.sql(sql, params=self._parameters))
        self.columns: list[str] = [str(name) for name in self._asked.columns]
        self.types: list[str] = [str(kind) for kind in self._asked.types]
        self._lock = lock

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Row by row, in memory a few thousand."""
        try:
            # Executed so, DuckDB computes the rows as they are fetched; a relation holds them all.
            self._past.guarded(lambda: self._cursor.execute(self._sql, self._parameters))
            while rows := self._past.guarded(lambda: self._cursor.fetchmany(_ROWS)):
                yield from rows
        finally:
            self.close()

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return list(self)

    def batches(self, rows: int = 65_536) -> Any:
        """A pyarrow.RecordBatchReader of batches of at most `rows`; close the answer after it."""
        _needed("pyarrow")
        return self._past.guarded(lambda: self._asked.to_arrow_reader(rows))

    def arrow(self) -> Any:
        """All rows as a pyarrow.Table."""
        _needed("pyarrow")
        return self._whole(lambda: self._asked.to_arrow_table())

    def df(self) -> Any:
        """All rows as a pandas.DataFrame."""
        _needed("pandas")
        return self._whole(lambda: self._asked.df())

    def pl(self) -> Any:
        """All rows as a polars.DataFrame."""
        return _needed("polars").from_arrow(self.arrow())

    def _whole(self, fetch: Any) -> Any:
        try:
            return self._past.guarded(fetch)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the files. Harmless when repeated."""
        self._cursor.close()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def __del__(self) -> None:
        self.close()


class History(Closing):
    """Captured events, opened by `open`."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        skip_damaged: bool = False,
        check: Check = "changed",
    ) -> None:
        if check not in ("changed", "all"):
            raise ValueError(f"check={check!r}; allowed are 'changed' and 'all'")
        self._duckdb = _needed("duckdb")
        self.directory: Path = capture_dir_of(directory)
        self._skip_damaged = skip_damaged
        self._check: Check = check
        self._shown: list[Entry] = []
        self._root = -1
        self._connection: Any = None
        self._spill: Any = None
        self.faults: tuple[Fault, ...] = ()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """The answer to one statement that only reads; `?` in it stand for `parameters`.

        Raises CaptureDamaged when events are missing or damaged, unless `skip_damaged`: then
        `faults` tells what the answer lacks. Raises TouchlineError when nothing has been captured
        yet, when `sql` does more than read, and with DuckDB's message when it fails.
        """
        lock = lock_for_reading(self.directory)
        try:
            self._refresh()
            self.guarded(lambda: self._refuse_writing(sql))
            return Answer(self, self._connection.cursor(), sql, parameters, lock)
        except BaseException:
            if lock >= 0:
                os.close(lock)
            raise

    def touch(self, symbol: str) -> Any:
        """The best bid and offer of an instrument, a pyarrow.Table of a row for each change.

        Columns: `seq` and `ts_ns` of the event it is the state after; `bid_px` and `ask_px` in
        currency, `bid_qty` and `ask_qty` in units, null where a side is empty. `symbol` is its
        name, or its number as text. Raises TouchlineError for one that has no events.
        """
        known = "SELECT 1 FROM events WHERE coalesce(symbol, instrument::VARCHAR) = ? LIMIT 1"
        if not self.query(known, [symbol]).rows():
            raise TouchlineError(f"symbol={symbol!r}: nothing has been captured of it")
        return self.query(
            "SELECT seq, ts_ns, bid_px, bid_qty, ask_px, ask_qty FROM touch WHERE symbol = ? "
            "ORDER BY seq",
            [symbol],
        ).arrow()

    def _refresh(self) -> None:
        """Have the views show what the manifest lists now."""
        captured = captured_seq(self.directory)
        entries = entries_of(self.directory)
        faults = find_faults(self.directory, entries, captured, self._check)
        if faults and not self._skip_damaged:
            raise CaptureDamaged(faults)
        damaged = {fault.path for fault in faults}
        events = self.directory / EVENTS
        shown = [entry for entry in entries if events / entry.name not in damaged]
        if not shown:
            raise TouchlineError(
                f"nothing has been captured yet in {events}; "
                "start the venue with `touchline run` and trade first"
            )
        self.faults = tuple(faults)
        if self._connection is None:
            self._connect(events)
        if shown != self._shown:
            # Named by a descriptor, a directory may be called what it likes: no letter of its
            # name means anything to DuckDB.
            paths = [f"/proc/self/fd/{self._root}/{entry.name}" for entry in shown]
            self.guarded(
                lambda: create_views(self._connection, paths, sizes_in(self._connection, paths[-1]))
            )
            self._shown = shown

    def _connect(self, events: Path) -> None:
        self._root = os.open(events, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._spill = tempfile.TemporaryDirectory(prefix="touchline-history-")
        self._connection = self._duckdb.connect(
            ":memory:",
            config={
                "memory_limit": _MEMORY,
                "temp_directory": self._spill.name,
                "autoinstall_known_extensions": "false",
            },
        )

    def _refuse_writing(self, sql: str) -> None:
        kinds = [s.type for s in self._duckdb.extract_statements(sql)]
        if kinds != [self._duckdb.StatementType.SELECT]:
            raise TouchlineError(
                "a query is one statement that only reads, "
                "such as SELECT, FROM, DESCRIBE or SUMMARIZE"
            )

    def guarded(self, call: Any) -> Any:
        """The result of a call of DuckDB; its complaint as a TouchlineError with real paths."""
        try:
            return call()
        except self._duckdb.Error as error:
            text = str(error).replace(f"/proc/self/fd/{self._root}", str(self.directory / EVENTS))
            if "Too many open files" in text:
                text += (
                    "\n`touchline capture compact` merges small files; a program may raise its "
                    "limit with resource.setrlimit(resource.RLIMIT_NOFILE, ...)"
                )
            raise TouchlineError(text) from error

    def close(self) -> None:
        """Let go of DuckDB and the directory. Harmless when repeated."""
        if self._connection is not None:
            self._connection.close()
            self._spill.cleanup()
            os.close(self._root)
        self._connection, self._shown, self._root = None, [], -1


def open(
    directory: str | os.PathLike[str], *, skip_damaged: bool = False, check: Check = "changed"
) -> History:
    """The history in a venue's data_dir, or in its capture's directory.

    With `skip_damaged` a question is answered from the files that are good, and `faults` of the
    History tells what is left out. check="all" reads every file before each question and compares
    it with its sum; otherwise only those whose time of change is not what was written.
    """
    return History(directory, skip_damaged=skip_damaged, check=check)


def query(directory: str | os.PathLike[str], sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and all rows of one question; see History.query."""
    with open(directory) as past:
        answer = past.query(sql)
        return answer.columns, answer.rows()

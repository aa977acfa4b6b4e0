"""Market data in tables: CSV with named columns, and Parquet, as arrays of RECORD.

Numbers are taken exactly: a price with more than nine decimals, a time that is none, a column that
holds something else is refused with its line and byte. Parquet needs pyarrow, which comes with
touchline[analytics].
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import Side
from touchline.data.reader import BATCH, PIECE_BYTES, Path, Reader, Records, Source
from touchline.errors import FeedError
from touchline.study.market_record import RECORD, RecordType
from touchline.study.table import EMPTY, LINE_MAX, Table

Column = NDArray[np.int64]

# What each field of a record is in a table.
FIELDS = {
    "ts_ns": "time",
    "seq": "integer",
    "order_ref": "integer",
    "new_ref": "integer",
    "price": "decimal",
    "qty": "integer",
    "instrument": "integer",
    "symbol": "symbol",
    "type": "letter",
    "side": "letter",
    "code": "letter",
    "flags": "integer",
}
SIDES: Mapping[str, int] = {
    "1": Side.BUY, "2": Side.SELL, "B": Side.BUY, "S": Side.SELL, "b": Side.BUY, "s": Side.SELL,
    "N": 0,
}  # fmt: skip
TYPES: Mapping[str, int] = {chr(kind): kind for kind in RecordType}


class TextTable:
    """Rows of a CSV file as columns of whole numbers, a piece at a time.

    `kinds` says by the number of its column what is wanted; `skipped` bytes of the file, the lines
    of a header, were read before.
    """

    def __init__(
        self, source: Source, kinds: list[str], names: list[str], *, lines: int, symbols_max: int
    ) -> None:
        self._source = source
        self._names = names
        self._lines = lines
        self._before = source.offset
        self._table = Table(kinds, symbols_max)
        self.wanted = [name for name, kind in zip(names, kinds, strict=True) if kind != "skip"]

    def rows(self, batch: int) -> Iterator[tuple[int, dict[str, Column]]]:
        """(number of rows before, columns by name), each of up to `batch` rows."""
        rest = b""
        last = False
        done = 0
        while not last:
            piece = self._source.read(PIECE_BYTES)
            last = not piece
            data = rest + piece if rest else piece
            at, view = 0, memoryview(data)
            while True:
                values, used = self._table.read(view[at:], last, batch)
                at += used
                if len(values):
                    yield done, {name: values[:, i] for i, name in enumerate(self.wanted)}
                    done += len(values)
                self._check()
                if not used:
                    break
            rest = data[at:]

    def symbols(self, first: int) -> list[str]:
        """The symbols that have numbers, from this one on."""
        return self._table.symbols(first)

    def _check(self) -> None:
        if self._table.fault is None:
            return
        line, column, offset, detail = self._table.fault
        named = repr(self._names[column]) if column < len(self._names) else "past the last"
        where = f"line {line + self._lines}, column {named}"
        raise FeedError(self._source.path, self._before + offset, detail, where)


def header(source: Source) -> list[str]:
    """The names in the first line of a CSV file, which is taken off. Raises FeedError."""
    start = source.peek(LINE_MAX)
    line, end, _ = start.partition(b"\n")
    if not end and len(start) >= LINE_MAX:
        raise FeedError(source.path, 0, "the first line is longer than any can be")
    source.read(len(line) + len(end))
    try:
        names = next(csv.reader([line.decode("utf-8-sig")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise FeedError(source.path, 0, f"the first line is no header: {error}") from error
    names = [name.strip() for name in names]
    if not names or len(set(names)) < len(names):
        raise FeedError(source.path, 0, "the first line does not name each column once")
    return names


def read_csv(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    kind: RecordType = RecordType.TRADE,
    types: Mapping[str, int] = TYPES,
    sides: Mapping[str, int] = SIDES,
    batch: int = BATCH,
) -> CsvReader:
    """Records of a CSV file whose first line names its columns.

    `columns` says which column has a field of RECORD, `{"ts_ns": "time", "price": "last"}`; without
    it columns called as fields are taken. `types` and `sides` say what the letters of those columns
    mean; without a type column every record is of `kind`. Prices are decimal numbers, times
    nanoseconds or ISO 8601 in UTC; a symbol becomes the number of its instrument, in the order that
    they come. Without a seq column rows are numbered from 1.
    """
    return CsvReader(path, columns, kind=kind, types=types, sides=sides, batch=batch)


class CsvReader(Reader):
    """Arrays of RECORD from CSV; see read_csv."""

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, str] | None,
        *,
        kind: RecordType,
        types: Mapping[str, int],
        sides: Mapping[str, int],
        batch: int,
    ) -> None:
        super().__init__(path, batch=batch)
        self._source = Source(path)
        names = header(self._source)
        self._columns = chosen(self.path, columns, names)
        at = {column: field for field, column in self._columns.items()}
        kinds = [FIELDS[at[name]] if name in at else "skip" for name in names]
        self._table = TextTable(self._source, kinds, names, lines=1, symbols_max=65_536)
        self._making = Making(self.path, kind, types, sides)

    def pieces(self) -> Iterator[Records]:
        """The arrays of the file. Raises FeedError where it holds what it can not."""
        with self._source:
            for before, found in self._table.rows(self.batch):
                fields = {field: found[column] for field, column in self._columns.items()}
                for number, symbol in enumerate(
                    self._table.symbols(len(self.symbols)), len(self.symbols)
                ):
                    self.symbols[number] = symbol
                yield self._making.records(before, fields)


def chosen(path: str, columns: Mapping[str, str] | None, names: list[str]) -> dict[str, str]:
    """Which column has which field. Raises FeedError for one that is not there."""
    if columns is None:
        columns = {name: name for name in names if name in FIELDS}
    for field, column in columns.items():
        if field not in FIELDS:
            raise FeedError(path, 0, f"a record has no field {field!r}; it has {', '.join(FIELDS)}")
        if column not in names:
            raise FeedError(path, 0, f"there is no column {column!r}; there are {', '.join(names)}")
    if not columns:
        raise FeedError(path, 0, f"none of its columns is a field: {', '.join(names)}")
    return dict(columns)


class Making:
    """Columns of numbers made into records, each value looked at."""

    def __init__(
        self, path: str, kind: int, types: Mapping[str, int], sides: Mapping[str, int]
    ) -> None:
        self._path = path
        self._kind = kind
        self._types = _letters(types)
        self._sides = _letters(sides)

    def records(self, before: int, fields: Mapping[str, Column]) -> Records:
        """Rows `before` and on as records. Raises FeedError with the row of the first fault."""
        made = np.zeros(len(next(iter(fields.values()))), RECORD)
        made["type"] = self._kind
        if "seq" not in fields:
            made["seq"] = np.arange(before + 1, before + 1 + len(made))
        for field, values in fields.items():
            to = "instrument" if field == "symbol" else field
            made[to] = self._checked(before, field, values)
        return made

    def _checked(self, before: int, field: str, values: Column) -> NDArray[Any]:
        if field == "type":
            return self._mapped(before, field, values, self._types)
        if field == "side":
            return self._mapped(before, field, values, self._sides)
        empty = values == EMPTY
        if field in ("price", "qty", "ts_ns", "instrument", "symbol"):
            self._refuse(before, field, empty & (field not in ("price", "qty")), values)
        taken = np.where(empty, 0, values)
        most = {"instrument": 0xFFFFFFFF, "flags": 255, "code": 255}.get(field)
        if field not in ("price", "qty", "ts_ns"):
            wrong = (taken < 0) if most is None else (taken < 0) | (taken > most)
            self._refuse(before, field, wrong, values)
        return taken

    def _mapped(
        self, before: int, field: str, values: Column, table: NDArray[np.int64]
    ) -> NDArray[Any]:
        letters = np.where((values < 0) | (values > 255), 0, values)
        mapped = table[letters]
        self._refuse(before, field, mapped < 0, values)
        return cast(NDArray[Any], mapped)

    def _refuse(self, before: int, field: str, wrong: NDArray[Any], values: Column) -> None:
        if not wrong.any():
            return
        first = int(np.flatnonzero(wrong)[0])
        value = int(values[first])
        letter = field in ("type", "side") and 0 <= value < 256
        shown = "nothing" if value == EMPTY else repr(chr(value)) if letter else value
        raise FeedError(
            self._path, 0, f"{shown} is no {field} that a record has", f"row {before + first + 1}"
        )


def _letters(meanings: Mapping[str, int]) -> NDArray[np.int64]:
    """What each byte means; -1: nothing. Nothing written there means 0 where "" is not mapped."""
    table = np.full(256, -1, np.int64)
    table[0] = meanings.get("", 0)
    for letter, value in meanings.items():
        if letter:
            table[ord(letter)] = value
    return table


def read_parquet(
    path: Path,
    columns: Mapping[str, str] | None = None,
    *,
    kind: RecordType = RecordType.TRADE,
    types: Mapping[str, int] = TYPES,
    sides: Mapping[str, int] = SIDES,
    decimals: int | None = None,
    batch: int = BATCH,
) -> ParquetReader:
    """Records of a Parquet file; arguments as of read_csv.

    Prices are decimals or whole numbers. A float is neither: `decimals` says to how many it is to
    be rounded, and without it the column is refused. Needs pyarrow.
    """
    reader = ParquetReader(path, batch=batch)
    reader.columns = None if columns is None else dict(columns)
    reader.making = Making(reader.path, kind, types, sides)
    reader.decimals = decimals
    return reader


class ParquetReader(Reader):
    """Arrays of RECORD from Parquet; see read_parquet."""

    columns: dict[str, str] | None
    making: Making
    decimals: int | None

    def pieces(self) -> Iterator[Records]:
        """The arrays of the file. Raises FeedError where it holds what it can not."""
        from touchline.data import arrow_columns

        numbers: dict[str, int] = {}
        done = 0
        for names, batch in arrow_columns.batches(self.path, self.batch):
            columns = chosen(self.path, self.columns, names)
            fields = {}
            for field, column in columns.items():
                as_numbers: Callable[..., Column] = arrow_columns.AS[FIELDS[field]]
                try:
                    fields[field] = as_numbers(batch.column(column), numbers, self.decimals)
                except ValueError as error:
                    where = f"column {column!r} from row {done + 1}"
                    raise FeedError(self.path, 0, str(error), where) from error
            self.symbols |= {number: name for name, number in numbers.items()}
            yield self.making.records(done, fields)
            done += batch.num_rows

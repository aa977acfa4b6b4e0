"""Databento's market by order: CSV, and DBN plain or in Zstandard, as market records.

Layout from Databento's "MBO (market by order)" schema and "Databento Binary Encoding" pages
(databento.com/docs). The numbers of instruments become numbers from 0 as they come; `numbers` has
which is which. An order's trade (T) is a TRADE, its fill (F) changes no book and is OTHER: the
cancel or modify that follows does.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import Side
from touchline.data.reader import BATCH, PIECE_BYTES, Path, Reader, Records, Source
from touchline.data.tables import TextTable, header
from touchline.errors import FeedError
from touchline.study.market_record import PRICE_SCALE, RECORD, RecordFlag, RecordType
from touchline.study.table import EMPTY, LINE_MAX

_WANTED = {
    "ts_event": "time", "instrument_id": "integer", "action": "letter", "side": "letter",
    "price": "integer", "size": "integer", "order_id": "integer", "flags": "integer",
    "sequence": "integer",
}  # fmt: skip
_ACTIONS = {
    "A": RecordType.ADD, "C": RecordType.CANCEL, "M": RecordType.MODIFY, "R": RecordType.CLEAR,
    "T": RecordType.TRADE, "F": RecordType.OTHER, "N": RecordType.OTHER,
}  # fmt: skip
_UNDEFINED_PRICE = (1 << 63) - 1
_LAST, _SNAPSHOT = 128, 32  # bits of flags
_MBO_TYPE = 0xA0
_METADATA_MAX = 1 << 26
_ZSTD = b"\x28\xb5\x2f\xfd"

# A record of DBN's schema mbo.
MBO = np.dtype([
    ("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"),
    ("ts_event", "<u8"), ("order_id", "<u8"), ("price", "<i8"), ("size", "<u4"), ("flags", "u1"),
    ("channel_id", "u1"), ("action", "u1"), ("side", "u1"), ("ts_recv", "<u8"),
    ("ts_in_delta", "<i4"), ("sequence", "<u4"),
])  # fmt: skip


def read_databento(path: Path, *, batch: int = BATCH) -> DatabentoReader:
    """Records of a Databento file of the schema mbo: CSV (plain, gzip) or DBN (plain, Zstandard).

    Prices in CSV may be decimals ("pretty") or whole billionths. Symbols come from a CSV's column
    `symbol`, and of DBN from its metadata where databento-dbn is installed. Zstandard needs
    pyarrow.
    """
    return DatabentoReader(path, batch=batch)


class DatabentoReader(Reader):
    """Arrays of RECORD from Databento; see read_databento."""

    def __init__(self, path: Path, *, batch: int) -> None:
        super().__init__(path, batch=batch)
        self._source = Source(path)
        self.numbers: dict[int, int] = {}
        self._names: dict[int, str] = {}

    def pieces(self) -> Iterator[Records]:
        """The arrays of the file. Raises FeedError where it holds what it can not."""
        with self._source as source:
            start = source.peek(4)
            if start == _ZSTD:
                source.unpack("zstd")
                start = source.peek(4)
            rows = self._dbn() if start[:3] == b"DBN" else self._csv()
            for before, found in rows:
                yield self._records(before, found)

    def _csv(self) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        source = self._source
        names = header(source)
        missing = [name for name in _WANTED if name not in names]
        if missing:
            raise FeedError(self.path, 0, f"it has no column {', '.join(missing)}")
        kinds = [_WANTED.get(name, "skip") for name in names]
        row = source.peek(LINE_MAX).partition(b"\n")[0].split(b",")
        at = names.index("price")
        if len(row) > at and (b"." in row[at] or not row[at]):
            kinds[at] = "decimal"
        if "symbol" in names:
            kinds[names.index("symbol")] = "symbol"
        table = TextTable(source, kinds, names, lines=1, symbols_max=1 << 20)
        for before, found in table.rows(self.batch):
            for name in _WANTED.keys() - {"price"}:
                wrong = found[name] == EMPTY
                if wrong.any():
                    row_at = before + int(np.flatnonzero(wrong)[0]) + 1
                    raise FeedError(self.path, 0, f"nothing stands in {name}", f"row {row_at}")
            if "symbol" in found:
                self._named(found["instrument_id"], found["symbol"], table.symbols(0))
            yield before, found

    def _named(self, ids: NDArray[np.int64], symbols: NDArray[np.int64], texts: list[str]) -> None:
        _, first = np.unique(ids, return_index=True)
        for number, symbol in zip(ids[first].tolist(), symbols[first].tolist(), strict=True):
            if symbol != EMPTY:
                self._names[number] = texts[symbol]

    def _dbn(self) -> Iterator[tuple[int, NDArray[Any]]]:
        source = self._source
        head = source.read(8)
        size = int.from_bytes(head[4:8], "little")
        if len(head) < 8 or not 1 <= head[3] <= 3 or size > _METADATA_MAX:
            raise FeedError(self.path, 0, "it is not DBN of version 1 to 3")
        metadata = source.read(size)
        self._named_by(head + metadata)
        before, rest = 0, b""
        while piece := source.read(PIECE_BYTES // MBO.itemsize * MBO.itemsize):
            data = rest + piece
            whole = len(data) // MBO.itemsize
            found = np.frombuffer(data, MBO, whole)
            wrong = (found["rtype"] != _MBO_TYPE) | (found["length"] != MBO.itemsize // 4)
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                offset = 8 + size + (before + at) * MBO.itemsize
                raise FeedError(
                    self.path, offset, f"a record of type {int(found['rtype'][at])} is none of mbo"
                )
            for at in range(0, whole, self.batch):
                yield before + at, found[at : at + self.batch]
            before += whole
            rest = data[whole * MBO.itemsize :]
        if rest:
            raise FeedError(
                self.path, 8 + size + before * MBO.itemsize, "the file ends within a record"
            )

    def _named_by(self, metadata: bytes) -> None:
        try:
            library = importlib.import_module("databento_dbn")
        except ModuleNotFoundError:
            return
        try:
            mappings = library.Metadata.decode(metadata).mappings
        except Exception as error:
            raise FeedError(self.path, 0, f"its metadata is none: {error}") from error
        for raw, intervals in mappings.items():
            for interval in intervals:
                number = interval["symbol"]
                if str(number).isdigit():
                    self._names[int(number)] = raw

    def _records(self, before: int, found: Any) -> Records:
        action, side, ids = found["action"], found["side"], found["instrument_id"]
        made = np.zeros(len(action), RECORD)
        kind = _ACTION_TYPES[self._letter(before, "action", action)]
        self._refuse(before, "action", kind == 0, action)
        resting = _SIDES[self._letter(before, "side", side)]
        self._refuse(before, "side", resting == 255, side)
        trade = kind == RecordType.TRADE
        made["type"] = kind
        # A trade's side is the aggressor's, a record's that of the order it took.
        taken = int(Side.BUY) + int(Side.SELL) - resting
        made["side"] = np.where(trade & (resting != 0), taken, resting)
        made["code"] = np.where(kind == RecordType.OTHER, action, 0)
        made["ts_ns"] = found["ts_event"]
        made["seq"] = found["sequence"]
        made["order_ref"] = found["order_id"]
        made["price"] = np.where(found["price"] == EMPTY, _UNDEFINED_PRICE, found["price"])
        made["qty"] = found["size"]
        made["flags"] = self._flags(found["flags"])
        made["instrument"] = self._numbered(before, ids)
        return made

    def _flags(self, flags: NDArray[Any]) -> NDArray[Any]:
        last = np.where(flags & _LAST, int(RecordFlag.LAST), 0)
        return last | np.where(flags & _SNAPSHOT, int(RecordFlag.SNAPSHOT), 0)

    def _letter(self, before: int, name: str, values: NDArray[Any]) -> NDArray[Any]:
        self._refuse(before, name, (values < 0) | (values > 255), values)
        return values

    def _numbered(self, before: int, ids: NDArray[Any]) -> NDArray[Any]:
        """Numbers from 0 for Databento's, those that are new in their order."""
        self._refuse(before, "instrument_id", (ids < 0) | (ids > 0xFFFFFFFF), ids)
        unique, first, member = np.unique(ids, return_index=True, return_inverse=True)
        for at in np.argsort(first).tolist():
            number = int(unique[at])
            if number not in self.numbers:
                self.numbers[number] = len(self.numbers)
            if number in self._names:
                self.symbols[self.numbers[number]] = self._names[number]
        mapped = np.array([self.numbers[number] for number in unique.tolist()], np.int64)
        return mapped[member]

    def _refuse(
        self, before: int, name: str, wrong: NDArray[np.bool_], values: NDArray[Any]
    ) -> None:
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            detail = f"{int(values[first])} is no {name} of Databento's"
            raise FeedError(self.path, 0, detail, f"row {before + first + 1}")


def _by_letter(meanings: dict[str, int], nothing: int) -> NDArray[np.uint8]:
    table = np.full(256, nothing, np.uint8)
    for letter, value in meanings.items():
        table[ord(letter)] = value
    return table


_ACTION_TYPES = _by_letter({letter: int(kind) for letter, kind in _ACTIONS.items()}, 0)
_SIDES = _by_letter({"B": int(Side.BUY), "A": int(Side.SELL), "N": 0}, 255)
assert PRICE_SCALE == 1_000_000_000  # as Databento's

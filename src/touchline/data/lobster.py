"""LOBSTER's message and order book files as market records.

Layout from LOBSTER's "Data Structure" page (lobsterdata.com): a message is time in seconds since
midnight, type, order id, size, price times 10,000, direction; a row of the order book is ask price,
ask size, bid price, bid size of each level, the best first.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
from numpy.typing import NDArray

from touchline.core.arguments import checked_whole
from touchline.core.messages import Side
from touchline.data.itch import NASDAQ_ZONE
from touchline.data.reader import BATCH, Path, Reader, Records, Source
from touchline.data.tables import TextTable
from touchline.data.zones import midnight_ns
from touchline.errors import FeedError
from touchline.study.market_record import PRICE_SCALE, RECORD, RecordFlag, RecordType
from touchline.study.table import EMPTY

_NAMES = ["time", "type", "order_ref", "qty", "price", "direction"]
_KINDS = ["decimal", "integer", "integer", "integer", "integer", "integer"]
_PRICE = PRICE_SCALE // 10_000
_NO_PRICE = 9_999_999_999  # written where a level has nobody, and its negative
_TYPES = np.array([
    0, RecordType.ADD, RecordType.CANCEL, RecordType.DELETE, RecordType.EXECUTE, RecordType.TRADE,
    RecordType.CROSS, RecordType.TRADING_ACTION,
])  # fmt: skip
_STATES = {-1: ord("H"), 0: ord("Q"), 1: ord("T")}  # of a halt, by what stands for the price


def read_lobster(
    path: Path,
    *,
    day: date | str | None = None,
    zone: str = NASDAQ_ZONE,
    instrument: int = 0,
    symbol: str = "",
    batch: int = BATCH,
) -> LobsterReader:
    """Records of a LOBSTER message file, plain or gzip.

    Times as of read_itch. All records are of `instrument`, which `symbol` names. The orders that
    rested before the file begins are not in it, so books count unknown orders.
    """
    base_ns = 0 if day is None else midnight_ns(day, zone)
    checked_whole(instrument, "instrument", 0, 0xFFFFFFFF)
    reader = LobsterReader(path, base_ns, instrument, batch=batch)
    if symbol:
        reader.symbols[instrument] = symbol
    return reader


class LobsterReader(Reader):
    """Arrays of RECORD from a LOBSTER message file; see read_lobster."""

    def __init__(self, path: Path, base_ns: int, instrument: int, *, batch: int) -> None:
        super().__init__(path, batch=batch)
        self._base_ns = base_ns
        self._instrument = instrument
        self._source = Source(path)

    def pieces(self) -> Iterator[Records]:
        """The arrays of the file. Raises FeedError where it holds what it can not."""
        with self._source as source:
            table = TextTable(source, _KINDS, _NAMES, lines=0, symbols_max=1)
            for before, found in table.rows(self.batch):
                yield self._records(before, found)

    def _records(self, before: int, found: dict[str, NDArray[np.int64]]) -> Records:
        kind, direction, price = found["type"], found["direction"], found["price"]
        self._refuse(before, "type", (kind < 1) | (kind > 7), kind)
        self._refuse(before, "direction", np.abs(direction) != 1, direction)
        for name in ("time", "order_ref", "qty", "price"):
            self._refuse(before, name, found[name] == EMPTY, found[name])
        self._refuse(before, "price", np.abs(price) > _NO_PRICE, price)
        made = np.zeros(len(kind), RECORD)
        made["ts_ns"] = found["time"] + self._base_ns
        made["seq"] = np.arange(before + 1, before + 1 + len(made))
        made["order_ref"] = np.maximum(found["order_ref"], 0)
        made["qty"] = found["qty"]
        made["instrument"] = self._instrument
        made["type"] = _TYPES[kind]
        made["side"] = np.where(direction == 1, int(Side.BUY), int(Side.SELL))
        made["price"] = price * _PRICE
        made["flags"][kind == 4] = RecordFlag.PRICED
        made["flags"][kind == 5] = RecordFlag.HIDDEN
        self._halts(before, made, kind == 7, price)
        return made

    def _halts(
        self, before: int, made: Records, halts: NDArray[np.bool_], price: NDArray[np.int64]
    ) -> None:
        """A halt's price says what the state is, and it has no side and no quantity."""
        if not halts.any():
            return
        self._refuse(before, "price", halts & ~np.isin(price, list(_STATES)), price)
        for value, state in _STATES.items():
            made["code"][halts & (price == value)] = state
        for field in ("price", "qty", "side", "order_ref"):
            made[field][halts] = 0

    def _refuse(
        self, before: int, name: str, wrong: NDArray[np.bool_], values: NDArray[np.int64]
    ) -> None:
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            value = "nothing" if values[first] == EMPTY else int(values[first])
            detail = f"{value} is no {name} of LOBSTER's"
            raise FeedError(self.path, 0, detail, f"row {before + first + 1}")


def read_lobster_book(
    path: Path, levels: int, *, batch: int = BATCH
) -> Iterator[NDArray[np.int64]]:
    """Rows of a LOBSTER order book file: arrays of shape (n, levels, 4), n up to `batch`.

    Ask price, ask quantity, bid price, bid quantity of each level, prices in 1 / PRICE_SCALE; a
    level where nobody is has quantity and price 0. Raises FeedError as read_lobster does.
    """
    checked_whole(levels, "levels", 1, 100)
    names = [
        f"{side}_{what}_{level + 1}"
        for level in range(levels)
        for side in ("ask", "bid")
        for what in ("price", "qty")
    ]
    with Source(path) as source:
        table = TextTable(source, ["integer"] * len(names), names, lines=0, symbols_max=1)
        for _, found in table.rows(batch):
            rows = np.stack([found[name] for name in names], axis=1).reshape(-1, levels, 2, 2)
            nobody = np.abs(rows[..., 0]) >= _NO_PRICE
            rows[..., 0] *= _PRICE
            rows[nobody] = 0
            yield rows.reshape(-1, levels, 4)

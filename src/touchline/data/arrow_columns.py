"""Columns of Arrow as the whole numbers that records are made of. Needs pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.errors import FeedError
from touchline.study.market_record import PRICE_SCALE
from touchline.study.table import EMPTY

Column = NDArray[np.int64]

_DECIMALS = 9
_INT64 = 1 << 63


def batches(path: str, rows: int) -> Iterator[tuple[list[str], Any]]:
    """(names of columns, a record batch) of a Parquet file. Raises FeedError, ImportError."""
    arrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows):
                if batch.num_rows:
                    yield list(batch.schema.names), batch
    except arrow.ArrowException as error:
        raise FeedError(path, 0, f"it is no whole Parquet file: {error}") from error


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ImportError("Parquet needs pyarrow: pip install touchline[analytics]") from error
    return pyarrow, pyarrow.parquet


def _filled(column: Any) -> Column:
    """A column of int64 as numpy, EMPTY where it says nothing."""
    found: Column = column.fill_null(EMPTY).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _integer(column: Any, numbers: dict[str, int], decimals: int | None) -> Column:
    arrow, _ = _pyarrow()
    if not arrow.types.is_integer(column.type):
        raise ValueError(f"{column.type} is not a type of whole numbers")
    return _filled(_cast(column, arrow.int64()))


def _cast(column: Any, to: Any) -> Any:
    arrow, _ = _pyarrow()
    try:
        return column.cast(to)
    except arrow.ArrowInvalid as error:
        raise ValueError(f"{column.type}: {error}") from error


def _decimal(column: Any, numbers: dict[str, int], decimals: int | None) -> Column:
    arrow, _ = _pyarrow()
    if arrow.types.is_floating(column.type):
        return _rounded(column, decimals)
    if arrow.types.is_integer(column.type):
        whole = _filled(_cast(column, arrow.int64()))
        wide = np.abs(np.where(whole == EMPTY, 0, whole)) > (_INT64 - 1) // PRICE_SCALE
        if wide.any():
            raise ValueError(f"{int(whole[wide][0])} is too large for a price")
        return np.where(whole == EMPTY, EMPTY, whole * PRICE_SCALE)
    if not arrow.types.is_decimal(column.type):
        raise ValueError(f"{column.type} is not a type of prices")
    exact = _cast(column, arrow.decimal128(38, _DECIMALS))
    return _halves(exact)


def _halves(exact: Any) -> Column:
    """Decimals of 128 bits, nine of them behind the point, as the 64 bits that they must fit."""
    data = np.frombuffer(exact.buffers()[1], np.int64)
    pairs = data.reshape(-1, 2)[exact.offset : exact.offset + len(exact)]
    empty = exact.is_null().to_numpy(zero_copy_only=False)
    wide = ((pairs[:, 0] >> 63) != pairs[:, 1]) & ~empty
    if wide.any():
        raise ValueError(f"{exact[int(np.flatnonzero(wide)[0])]} is too large for a price")
    return np.where(empty, EMPTY, pairs[:, 0])


def _rounded(column: Any, decimals: int | None) -> Column:
    if decimals is None:
        raise ValueError(f"{column.type} is not exact: decimals= says to how many it is rounded")
    if not 0 <= decimals <= _DECIMALS:
        raise ValueError(f"decimals {decimals} is not 0 to {_DECIMALS}")
    empty = column.is_null().to_numpy(zero_copy_only=False)
    values = np.nan_to_num(column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64))
    scaled = np.rint(values * 10.0**decimals)
    step = 10 ** (_DECIMALS - decimals)
    if (np.abs(scaled) >= min(2.0**53, _INT64 / step)).any():
        raise ValueError(f"a value is too large to be exact with {decimals} decimals")
    return np.where(empty, EMPTY, scaled.astype(np.int64) * step)


def _time(column: Any, numbers: dict[str, int], decimals: int | None) -> Column:
    arrow, _ = _pyarrow()
    if arrow.types.is_timestamp(column.type):
        return _filled(_cast(_cast(column, arrow.timestamp("ns", column.type.tz)), arrow.int64()))
    return _integer(column, numbers, decimals)


def _letter(column: Any, numbers: dict[str, int], decimals: int | None) -> Column:
    arrow, _ = _pyarrow()
    if arrow.types.is_integer(column.type):
        return _integer(column, numbers, decimals)
    coded, texts = _coded(column)
    letters = np.full(len(texts) + 1, EMPTY, np.int64)
    for i, text in enumerate(texts):
        if len(text) != 1:
            raise ValueError(f"{text!r} is not one character")
        letters[i] = ord(text)
    return letters[coded]


def _symbol(column: Any, numbers: dict[str, int], decimals: int | None) -> Column:
    coded, texts = _coded(column)
    found = np.full(len(texts) + 1, EMPTY, np.int64)
    for i, text in enumerate(texts):
        found[i] = numbers.setdefault(text, len(numbers))
    return found[coded]


def _coded(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """Which of the texts each row has; the one behind the last where it says nothing."""
    arrow, _ = _pyarrow()
    if not arrow.types.is_dictionary(column.type):
        column = _cast(column, arrow.string()).dictionary_encode()
    texts = [str(text) for text in column.dictionary.to_pylist()]
    found = column.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return found.astype(np.int64), texts


AS = {
    "integer": _integer,
    "decimal": _decimal,
    "time": _time,
    "letter": _letter,
    "symbol": _symbol,
}

"""Market records, quotes, trades and depth as pandas tables, in one call."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import Side
from touchline.study.books import DEPTH, PRINT, QUOTE, RESTING
from touchline.study.market_record import PRICE_SCALE, RECORD, RecordType

_PRICES = ("price", "bid_price", "ask_price")
_SIDES = {int(side): side.name for side in Side}
_TYPES = {int(kind): kind.name for kind in RecordType}
_STATES = {0: "NORMAL", 1: "LOCKED", 2: "CROSSED"}
_KINDS = (RECORD, QUOTE, PRINT, DEPTH, RESTING)


def to_frame(
    rows: NDArray[np.void],
    *,
    symbols: Mapping[int, str] | None = None,
    numbers: Literal["float", "integer"] = "float",
) -> Any:
    """An array of RECORD, QUOTE, PRINT, DEPTH or RESTING as a pandas.DataFrame.

    Prices are the nearest floats, or with `numbers="integer"` whole numbers in 1 / PRICE_SCALE.
    Types, sides and states are categories of their names, and `symbols` (a reader has them) adds
    the column `symbol`. Raises TypeError for another dtype.
    """
    if numbers not in ("float", "integer"):
        raise ValueError(f"numbers {numbers!r} is neither 'float' nor 'integer'")
    if rows.dtype not in _KINDS:
        raise TypeError(f"rows of dtype {rows.dtype} are none of RECORD, QUOTE, PRINT, DEPTH")
    pandas = _pandas()
    made: dict[str, Any] = {}
    for name in rows.dtype.names or ():
        values = np.ascontiguousarray(rows[name])
        if name in _PRICES and numbers == "float":
            made[name] = values / PRICE_SCALE
        elif name in ("type", "side", "state"):
            names = {"type": _TYPES, "side": _SIDES, "state": _STATES}[name]
            made[name] = _named(pandas, values, names)
        elif name == "symbol":
            continue
        else:
            made[name] = values
    if symbols is not None and "instrument" in made:
        made["symbol"] = _named(pandas, made["instrument"], symbols)
    return pandas.DataFrame(made)


def _named(pandas: Any, values: NDArray[Any], names: Mapping[int, str]) -> Any:
    """Numbers as a categorical of their names; none where there is no name."""
    texts = sorted(set(names.values()))
    place = {text: i for i, text in enumerate(texts)}
    unique, member = np.unique(values, return_inverse=True)
    codes = np.array([place[names[n]] if n in names else -1 for n in unique.tolist()], np.int32)
    codes = codes[member] if len(unique) else np.zeros(0, np.int32)
    return pandas.Categorical.from_codes(codes, categories=texts)


def _pandas() -> Any:
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise ImportError("tables need pandas: pip install pandas") from error

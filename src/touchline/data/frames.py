"""What happened as a table people compute with: Arrow, pandas or polars, one call each.

    frames.to_pandas(market)                  the market's trades
    frames.to_pandas(events, names=market)    arrays of EVENT, COMMAND or ORDER, names and prices
    frames.to_pandas(report.fills)            Fill, Trade, Level or OpenOrder, as a market gives

Enums are dictionary columns of their names, times timestamps in UTC nanoseconds, order numbers
uint64, and what a record does not have is null: a trade has no limit, a refusal no price. pyarrow
makes the tables; it, pandas and polars are imported when a call needs them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import Side
from touchline.data import columns
from touchline.data.columns import Column
from touchline.instruments import EXACT, Instrument
from touchline.market import Fill, Level, Market, OpenOrder, Report, Trade

Numbers = Literal["decimal", "float", "integer"]
Source = Market | Report | NDArray[np.void] | Sequence[Fill | Trade | Level | OpenOrder]

_INSTALL = {
    "pyarrow": "pip install touchline[analytics]",
    "pandas": "pip install pandas",
    "polars": "pip install polars",
}
_INT64_MAX = (1 << 63) - 1
_ROWS = (Fill, Trade, Level, OpenOrder)
# The columns of rows that are numbers of orders or events.
_IDS = ("seq", "order_id", "contra_order_id")


class Named(Protocol):
    """Whoever knows what instruments and accounts are called: a Market does."""

    @property
    def instruments(self) -> Sequence[Instrument]: ...
    @property
    def accounts(self) -> Sequence[str]: ...


class NamesOf:
    """Names from elsewhere: instruments, and account names by number."""

    def __init__(
        self, instruments: Sequence[Instrument], accounts: Sequence[str] | Mapping[int, str] = ()
    ) -> None:
        self.instruments = instruments
        named = accounts if isinstance(accounts, Mapping) else dict(enumerate(accounts))
        self.accounts = [named.get(i, str(i)) for i in range(max(named, default=-1) + 1)]


def to_arrow(
    source: Source,
    *,
    names: Named | None = None,
    numbers: Numbers | None = None,
    kind: type | None = None,
) -> Any:
    """`source` as a pyarrow.Table.

    A Market is its trades, a Report the events of its request. Of an array of EVENT, COMMAND or
    ORDER, `names` (a Market, or NamesOf) gives `symbol`, `account_name` and `contra_account_name`,
    and turns ticks and lots into prices and quantities: `numbers` "decimal" (the default), "float"
    or "integer", ticks and lots as they are and the default without `names`. The columns `value`
    and `limit` are in the units that the reason says, and stay integers.
    Of a sequence without rows, `kind` says what they would have been; Fill when it is not given.

    Raises TypeError for another source, ValueError for other `numbers` and for names without an
    instrument that has orders, ImportError that says what to install.
    """
    if numbers not in (None, "decimal", "float", "integer"):
        raise ValueError(f"numbers {numbers!r} is none of 'decimal', 'float', 'integer'")
    arrow = _imported("pyarrow")
    if isinstance(source, Market):
        found, names = columns.of_trades(source.trade_events()), names or source
    elif isinstance(source, Report):
        listing = source.listing
        names = names or _NamesAt(listing.instrument, listing.account_names)
        found = columns.of_events(source.events)
    elif isinstance(source, np.ndarray):
        found = columns.of_records(source)
    else:
        return _rows(arrow, source, numbers or "decimal", kind)
    scale = _Scale(arrow, found, names, numbers or ("decimal" if names else "integer"))
    made = {}
    for name, column in found.items():
        made[name] = scale.made(column)
        if names is not None:
            made |= scale.named(name, column)
    return arrow.table(made)


def to_pandas(
    source: Source,
    *,
    names: Named | None = None,
    numbers: Numbers | None = None,
    kind: type | None = None,
) -> Any:
    """`source` as a pandas.DataFrame; arguments as of to_arrow.

    Integers are pandas' own that know null (UInt64 for order numbers, never float64), names are
    categories, times datetime64[ns, UTC], decimals Arrow's.
    """
    pandas, arrow = _imported("pandas"), _imported("pyarrow")
    table = to_arrow(source, names=names, numbers=numbers, kind=kind)
    integers = {
        getattr(arrow, name.lower())(): getattr(pandas, f"{name}Dtype")()
        for name in ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    } | {arrow.bool_(): pandas.BooleanDtype()}

    def mapped(kind_of: Any) -> Any:
        if arrow.types.is_decimal(kind_of):
            return pandas.ArrowDtype(kind_of)
        return integers.get(kind_of)

    return table.to_pandas(types_mapper=mapped)


def to_polars(
    source: Source,
    *,
    names: Named | None = None,
    numbers: Numbers | None = None,
    kind: type | None = None,
) -> Any:
    """`source` as a polars.DataFrame; arguments as of to_arrow."""
    polars = _imported("polars")
    return polars.from_arrow(to_arrow(source, names=names, numbers=numbers, kind=kind))


class _NamesAt:
    """The one instrument of a report, in its place among others that have no name."""

    def __init__(self, instrument: Instrument, accounts: Sequence[str]) -> None:
        self.instruments = [instrument]
        self.accounts = accounts


class _Scale:
    """What the columns of one source are made with."""

    def __init__(
        self, arrow: Any, found: Mapping[str, Column], names: Named | None, numbers: str
    ) -> None:
        self.arrow, self.numbers = arrow, numbers
        self.symbols: dict[int, str] = {}
        self.accounts: dict[int, str] = {}
        self.sizes: dict[str, dict[int, Decimal]] = {columns.PRICE: {}, columns.QTY: {}}
        if names is None:
            if numbers != "integer":
                raise ValueError(f"numbers {numbers!r} need names, such as names=market")
        else:
            for instrument in names.instruments:
                self.symbols[instrument.index] = instrument.symbol
                self.sizes[columns.PRICE][instrument.index] = instrument.tick_size
                self.sizes[columns.QTY][instrument.index] = instrument.lot_size
            self.accounts = dict(enumerate(names.accounts))
        self.owner = found["instrument"]

    def named(self, name: str, column: Column) -> dict[str, Any]:
        """The names that belong to a column of numbers, under theirs."""
        if name == "instrument":
            return {"symbol": self.made(_named(column, self.symbols))}
        if name in ("account", "contra_account"):
            return {f"{name}_name": self.made(_named(column, self.accounts))}
        return {}

    def made(self, column: Column) -> Any:
        arrow, values = self.arrow, np.ascontiguousarray(column.values)
        nothing = None if column.valid is None else ~column.valid
        if column.kind in (columns.PRICE, columns.QTY) and self.numbers != "integer":
            return self._scaled(column)
        if column.kind == columns.NAME:
            return self._dictionary(column)
        if column.kind == columns.TEXT:
            decoded = [text.decode("utf-8", errors="replace") for text in values.tolist()]
            return arrow.array(decoded, arrow.string(), mask=nothing)
        made = arrow.array(values, mask=nothing)
        return made.cast(arrow.timestamp("ns", tz="UTC")) if column.kind == columns.TIME else made

    def _dictionary(self, column: Column) -> Any:
        """A dictionary of all the names there are, so that tables of one kind have one type."""
        arrow, numbers = self.arrow, np.fromiter(column.names, np.int64, len(column.names))
        order = np.argsort(numbers)
        values = column.values.astype(np.int64)
        at = np.searchsorted(numbers, values, sorter=order)
        known = at < len(numbers)
        index = np.zeros(len(values), np.int32)
        index[known] = order[at[known]]
        known[known] = numbers[index[known]] == values[known]
        valid = known if column.valid is None else known & column.valid
        words = arrow.array(list(column.names.values()), arrow.string())
        return arrow.DictionaryArray.from_arrays(arrow.array(index, mask=~valid), words)

    def _scaled(self, column: Column) -> Any:
        """Ticks or lots in units: the size of each row's own instrument times the number."""
        sizes, owner = self.sizes[column.kind], self.owner.values
        valid = np.ones(len(owner), bool) if column.valid is None else column.valid
        strangers = set(np.unique(owner[valid]).tolist()) - sizes.keys()
        if strangers:
            raise ValueError(f"names has no instrument {min(strangers)}, whose orders are here")
        decimals = max((_decimals(size) for size in sizes.values()), default=0)
        factors = {n: int(EXACT.scaleb(size, decimals)) for n, size in sizes.items()}
        values = np.where(valid, column.values, 0)
        most = int(np.abs(values).max(initial=0)) * max(factors.values(), default=1)
        units: NDArray[np.int64] | list[int]
        if most > _INT64_MAX:
            units = [int(v) * factors.get(int(n), 0) for v, n in zip(values, owner, strict=True)]
        else:
            table = np.zeros(max(factors, default=0) + 1, np.int64)
            table[list(factors)] = list(factors.values())
            units = values * table[np.where(valid, owner, 0)]
        return _units(self.arrow, units, valid, decimals, self.numbers)


def _named(column: Column, names: Mapping[int, str]) -> Column:
    return Column(columns.NAME, column.values, column.valid, names)


def _decimals(size: Decimal) -> int:
    """How many decimals a number of such units has."""
    return max(0, -int(size.as_tuple().exponent))


def _units(
    arrow: Any, units: NDArray[np.int64] | list[int], valid: NDArray[Any], decimals: int, how: str
) -> Any:
    """Whole numbers of 10^-decimals as decimals or floats, the nearest there is."""
    if how == "float":
        exact = isinstance(units, np.ndarray) and np.abs(units).max(initial=0) < 1 << 53
        if exact and decimals <= 22:
            return arrow.array(np.asarray(units, np.float64) / 10.0**decimals, mask=~valid)
        return arrow.array(np.array([int(u) / 10**decimals for u in units], float), mask=~valid)
    if isinstance(units, np.ndarray):
        kind = arrow.decimal128(38, decimals)
        halves = np.stack([units, units >> 63], axis=1).astype("<i8")
        bits = np.packbits(valid, bitorder="little").tobytes()
        memory = [arrow.py_buffer(bits), arrow.py_buffer(halves.tobytes())]
        return arrow.Array.from_buffers(kind, len(units), memory)
    digits = max((len(str(abs(u))) for u in units), default=1)
    kind = arrow.decimal128(38, decimals) if digits <= 38 else arrow.decimal256(76, decimals)
    made = [EXACT.scaleb(Decimal(unit), -decimals) for unit in units]
    return arrow.array([m if v else None for m, v in zip(made, valid, strict=True)], kind)


def _rows(arrow: Any, rows: Sequence[Any], numbers: str, kind: type | None) -> Any:
    """The tuples of a market as a table, its columns their fields."""
    if numbers == "integer":
        raise ValueError("numbers 'integer' need an array or a Market; these are prices already")
    if not isinstance(rows, list | tuple):
        raise TypeError(f"{type(rows).__name__} is no Market, Report, array of records or sequence")
    wanted: Any = type(rows[0]) if len(rows) else kind or Fill
    if wanted not in _ROWS or any(type(row) is not wanted for row in rows):
        raise TypeError("rows are all Fill, all Trade, all Level or all OpenOrder")
    made = {}
    for at, name in enumerate(wanted._fields):
        column = _row_column(arrow, name, [row[at] for row in rows], numbers)
        made["transact_time" if name == "ts_ns" else name] = column
    return arrow.table(made)


def _row_column(arrow: Any, name: str, values: Sequence[Any], numbers: str) -> Any:
    if name in _IDS:
        return arrow.array(values, arrow.uint64())
    if name == "ts_ns":
        return arrow.array(values, arrow.int64()).cast(arrow.timestamp("ns", tz="UTC"))
    if name == "orders":
        return arrow.array(values, arrow.uint32())
    if name == "side":
        words = arrow.array([side.name for side in Side], arrow.string())
        index = arrow.array([list(Side).index(side) for side in values], arrow.int32())
        return arrow.DictionaryArray.from_arrays(index, words)
    if name in ("symbol", "account", "contra_account"):
        return arrow.array(values, arrow.string()).dictionary_encode()
    decimals = max((_decimals(value) for value in values), default=0)
    units = [int(EXACT.scaleb(value, decimals)) for value in values]
    return _units(arrow, units, np.ones(len(units), bool), decimals, numbers)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"frames need {name}: {_INSTALL[name]}", name=name) from error

"""Events as an Arrow table: the columns of the captured Parquet files, with names people read.

Codes become dictionary columns of names; ticks and lots stay whole numbers, with the size of a tick
and a lot of each instrument in the schema's metadata; a field that an event of its kind does not
have is null. Pure functions. docs/capture.md describes every column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from touchline.core.messages import (
    ACCOUNT_ALL,
    EVENT_REFUSAL,
    INSTRUMENT_ALL,
    LIMITS,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    OrdType,
    Reason,
    Side,
    TimeInForce,
    TradingStatus,
)
from touchline.data.captured_columns import COLUMNS, LAYOUT_VERSION, fraction
from touchline.instruments import Instrument

METADATA_KEY = b"touchline"
DAY_NS = 86_400_000_000_000
Fields = Mapping[str, NDArray[Any]]
_PIECE = 2048

_NAME = pa.dictionary(pa.int32(), pa.string())
_TYPES = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "uint64": pa.uint64(),
    "uint8": pa.uint8(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "date32": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "name": _NAME,
}
# What pandas makes of a column that may be null, so that no integer becomes a float.
_PANDAS = {"int64": "Int64", "int32": "Int32", "bool": "boolean"}

_ENTRY_PAGE = 256
_STATUSES = {int(status): status.name for status in TradingStatus} | {
    _ENTRY_PAGE + int(status): status.name for status in EntryStatus
}


def _codes(*codes: IntEnum) -> NDArray[np.bool_]:
    """Which codes are among these, by code: a column of codes indexes it."""
    among = np.zeros(256, np.bool_)
    among[list(codes)] = True
    return among


_AUCTION_TYPES = (ExecType.INDICATIVE, ExecType.UNCROSSED)
_REFUSED = _codes(ExecType.REJECTED, ExecType.CANCEL_REJECTED)
_OF_ORDERS = _codes(
    ExecType.NEW, ExecType.TRADE, ExecType.CANCELED, ExecType.EXPIRED, ExecType.REPLACED,
    ExecType.RESTATED, ExecType.TRIGGERED, ExecType.DECREMENTED,
)  # fmt: skip
_INSTRUMENT_LIMIT = _codes(*(limit for limit in Limit if not LIMITS[limit].of_account))
_AUCTION = _codes(*_AUCTION_TYPES)
_SECURITY_ONLY = _codes(
    ExecType.SECURITY_DEFINITION, ExecType.SECURITY_STATUS, ExecType.ALLOCATION, *_AUCTION_TYPES,
)  # fmt: skip
_ACCOUNT_ONLY = _codes(ExecType.ACCOUNT, ExecType.ACCOUNT_STATUS, ExecType.SELF_TRADE)
_NEITHER = _codes(ExecType.VENUE_STATUS, ExecType.CHECKPOINT, ExecType.CLOCK)
_VALUED = _codes(ExecType.SELF_TRADE, ExecType.ALLOCATION, ExecType.CHECKPOINT, ExecType.CLOCK)
_ENTRY = _codes(ExecType.ACCOUNT_STATUS, ExecType.VENUE_STATUS)
_TELLS_BOTH = _codes(ExecType.TRADE, ExecType.DECREMENTED)


def schema(instruments: Mapping[int, Instrument]) -> pa.Schema:
    """The columns, with what a tick and a lot are worth in the metadata."""
    sizes = [
        {
            "instrument": number,
            "symbol": instrument.symbol,
            "tick_size": f"{instrument.tick_size:f}",
            "lot_size": f"{instrument.lot_size:f}",
            "currency": instrument.currency,
        }
        for number, instrument in sorted(instruments.items())
    ]
    text = json.dumps({"version": LAYOUT_VERSION, "instruments": sizes})
    return pa.schema(_FIELDS, metadata={METADATA_KEY: text.encode(), b"pandas": _pandas()})


def _field(name: str, form: str, comment: str) -> pa.Field:
    kind = _TYPES[form.rstrip("?")]
    return pa.field(name, kind, nullable=form.endswith("?"), metadata={"comment": comment})


def _pandas() -> bytes:
    """What pandas reads about types: without it a null makes floats of a column of integers."""
    columns = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": form.rstrip("?"),
            "numpy_type": _PANDAS[form.rstrip("?")],
            "metadata": None,
        }
        for name, form, _ in COLUMNS
        if form.endswith("?") and form.rstrip("?") in _PANDAS
    ]
    return json.dumps(
        {"index_columns": [], "column_indexes": [], "columns": columns, "pandas_version": "2.0.0"}
    ).encode()


_FIELDS = [_field(*column) for column in COLUMNS]


def table(
    events: NDArray[np.void],
    touches: NDArray[np.void],
    instruments: Mapping[int, Instrument],
    accounts: Mapping[int, str],
) -> pa.Table:
    """A batch of events as rows, with the touch after each, shape and order alike, dtype TOUCH.

    Numbers without a name have a null name.
    """
    fields = {**_fields(events), "limit": events.view(EVENT_REFUSAL)["limit"]}
    columns = (
        _times(fields)
        | _identities(fields, {n: i.symbol for n, i in instruments.items()}, accounts)
        | _amounts(fields, instruments)
        | _verdicts(fields)
        | _touches(_fields(touches))
    )
    wanted = schema(instruments)
    return pa.Table.from_arrays([columns[name] for name in wanted.names], schema=wanted)


def _fields(records: NDArray[np.void]) -> Fields:
    """Every field of the records as an array of its own, by its name and its title.

    In pieces that stay in a cache: a pass over all of the records for each field would read each
    line of memory as often as it has fields.
    """
    kinds: Mapping[str, Any] = records.dtype.fields or {}
    found = {name: np.empty(len(records), kinds[name][0]) for name in records.dtype.names or ()}
    for low in range(0, len(records), _PIECE):
        piece = records[low : low + _PIECE]
        for name, column in found.items():
            column[low : low + _PIECE] = piece[name]
    at = {kinds[name][1]: column for name, column in found.items()}
    return {name: at[offset] for name, (_, offset, *_) in kinds.items()}


def _times(events: Fields) -> dict[str, pa.Array]:
    """The time as the engine has it, and as people read it."""
    ts_ns = events["ts_ns"]
    return {
        "seq": _numbers(events["seq"], pa.int64()),
        "ts_ns": _numbers(ts_ns, pa.int64()),
        "transact_time": _numbers(ts_ns // 1000, pa.int64()).cast(_TYPES["timestamp"]),
        "date": _numbers((ts_ns // DAY_NS).astype(np.int32), pa.int32()).cast(pa.date32()),
    }


def _identities(
    events: Fields, symbols: Mapping[int, str], accounts: Mapping[int, str]
) -> dict[str, pa.Array]:
    """When, what, and about which instrument, order and account."""
    kind = events["exec_type"]
    trade = _TELLS_BOTH[kind]
    # What an event is not about stays null, though the command answered may carry a number.
    neither = _NEITHER[kind]
    all_instruments = events["instrument"] == INSTRUMENT_ALL
    all_accounts = (events["account"] == ACCOUNT_ALL) | (
        (kind == ExecType.LIMIT) & _INSTRUMENT_LIMIT[events["reason"]]
    )
    instrument = ~(neither | _ACCOUNT_ONLY[kind] | all_instruments)
    account = ~(neither | _SECURITY_ONLY[kind] | all_accounts)
    # The two ids share a place in the record; 0 is no order, so that no null makes them floats.
    contra = np.where(trade, events["contra_order_id"], 0).astype(np.uint64)
    client = np.where(trade, 0, events["cl_ord_id"]).astype(np.uint64)
    return {
        "exec_type": _names(kind, ExecType),
        "instrument": _numbers(events["instrument"], pa.int32(), instrument),
        "symbol": _named(events["instrument"], symbols, instrument),
        "order_id": _numbers(np.where(_AUCTION[kind], 0, events["order_id"]), pa.uint64()),
        "cl_ord_id": _numbers(client, pa.uint64()),
        "contra_order_id": _numbers(contra, pa.uint64()),
        "account": _numbers(events["account"], pa.int64(), account),
        "account_name": _named(events["account"], accounts, account),
        "contra_account": _numbers(events["contra_account"], pa.int64(), trade),
        "contra_account_name": _named(events["contra_account"], accounts, trade),
    }


def _amounts(events: Fields, instruments: Mapping[int, Instrument]) -> dict[str, pa.Array]:
    """Sides, prices and quantities. MASS_CANCELED counts orders in `qty`."""
    number = events["instrument"]
    ticks = _scaled(events["price"], number, {n: i.tick_size for n, i in instruments.items()})
    kind = events["exec_type"]
    # Of an auction the volume, eight bytes, and the surplus, which is where an order's id is.
    auction = _AUCTION[kind]
    volume, surplus = events["limit"], events["order_id"].astype(np.int64)
    qty = np.where(auction, volume, events["qty"])
    lots = _scaled(qty, number, {n: i.lot_size for n, i in instruments.items()})
    order = _OF_ORDERS[kind] | auction
    # A market order has no price but that of its trades.
    priced = order & (events["price"] != 0)
    return {
        "side": _names(events["side"], Side),
        "ord_type": _names(events["ord_type"], OrdType),
        "time_in_force": _names(events["time_in_force"], TimeInForce),
        "price": _numbers(events["price"], pa.int64(), priced),
        "price_in_currency": _numbers(ticks, pa.float64(), priced),
        "qty_in_units": _numbers(lots, pa.float64(), order),
        "qty": _numbers(qty, pa.int64(), order | (kind == ExecType.MASS_CANCELED)),
        "leaves_qty": _numbers(np.where(auction, surplus, events["leaves_qty"]), pa.int64(), order),
    }


def _verdicts(events: Fields) -> dict[str, pa.Array]:
    """Why not, and what administrative events have set."""
    kind, reason, flags = events["exec_type"], events["reason"], events["flags"]
    refused = _REFUSED[kind]
    limit = kind == ExecType.LIMIT
    trading = kind == ExecType.SECURITY_STATUS
    entry = _ENTRY[kind]
    # The two kinds of status share numbers, so those of entry are looked up one page on.
    status = events["qty"] + np.where(entry, _ENTRY_PAGE, 0)
    return {
        "reason": _names(np.where(limit | (kind == ExecType.ALLOCATION), 0, reason), Reason),
        "value": _numbers(events["value"], pa.int64(), refused | limit | _VALUED[kind]),
        "limit": _numbers(events["limit"], pa.int64(), refused),
        "field": _names(np.where(limit, reason, 0), Limit),
        "status": _named(status, _STATUSES, trading | entry),
        "maker_done": _bit(flags, Flag.MAKER_DONE, _TELLS_BOTH[kind]),
        "priority_kept": _bit(flags, Flag.PRIORITY_KEPT, kind == ExecType.REPLACED),
        "flags": _numbers(flags, pa.uint8()),
    }


def _touches(touches: Fields) -> dict[str, pa.Array]:
    """The best bid and offer where an event changed it; a side without orders is null."""
    changed = touches["changed"] != 0
    columns = {"touch_changed": pa.array(changed, pa.bool_())}
    for side in ("bid", "ask"):
        qty = touches[f"{side}_qty"].astype(np.int64)
        held = changed & (qty > 0)
        columns[f"{side}_price"] = _numbers(touches[f"{side}_price"], pa.int64(), held)
        columns[f"{side}_qty"] = _numbers(qty, pa.int64(), held)
    return columns


def _numbers(values: Any, form: Any, valid: Any = None) -> pa.Array:
    """A column of numbers, null where not valid."""
    mask = None if valid is None else ~valid
    return pa.array(np.ascontiguousarray(values), form, mask=mask, from_pandas=False)


def _scaled(
    values: NDArray[np.int64], numbers: NDArray[np.int64], sizes: Mapping[int, Decimal]
) -> NDArray[np.float64]:
    """Whole numbers times the size of each one's instrument, the nearest float to the exact number.

    A size is a whole number over a power of ten, and one division of exact numbers rounds once.
    """
    factors = np.ones(max(sizes, default=0) + 2)
    divisors = np.ones(len(factors))
    for number, size in sizes.items():
        whole, divisors[number] = fraction(size)
        factors[number] = whole
    places = np.minimum(numbers, len(factors) - 1)
    found: NDArray[np.float64] = values * factors[places] / divisors[places]
    return found


def _bit(flags: Any, flag: Flag, valid: Any) -> pa.Array:
    return pa.array(flags & int(flag) != 0, pa.bool_(), mask=~valid)


def _names(codes: Any, names: type[IntEnum]) -> pa.Array:
    """A column of an enum's names; 0 is null, and a code without a name is its number."""
    seen = np.zeros(256, np.bool_)
    seen[codes] = True
    present = np.flatnonzero(seen)
    known = {int(member): member.name for member in names}
    places = np.zeros(256, np.int32)
    places[present] = np.arange(len(present))
    dictionary = pa.array([known.get(code, str(code)) for code in present.tolist()], pa.string())
    indices = pa.array(places[codes], mask=codes == 0)
    return pa.DictionaryArray.from_arrays(indices, dictionary)


def _named(numbers: Any, names: Mapping[int, str], valid: Any) -> pa.Array:
    """A column of names given to numbers, null where not valid or without a name."""
    places = np.full(max(names, default=0) + 2, -1, np.int32)
    places[list(names)] = np.arange(len(names))
    found = places[np.minimum(numbers, len(places) - 1)]
    indices = pa.array(found, mask=~valid | (found < 0))
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(names.values()), pa.string()))

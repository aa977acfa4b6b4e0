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
_REFUSALS = (ExecType.REJECTED, ExecType.CANCEL_REJECTED)
_ORDER_TYPES = (
    ExecType.NEW, ExecType.TRADE, ExecType.CANCELED, ExecType.EXPIRED, ExecType.REPLACED,
    ExecType.RESTATED, ExecType.TRIGGERED, ExecType.DECREMENTED,
)  # fmt: skip
_INSTRUMENT_LIMITS = [limit for limit in Limit if not LIMITS[limit].of_account]
_AUCTION = (ExecType.INDICATIVE, ExecType.UNCROSSED)
_SECURITY_ONLY = (
    ExecType.SECURITY_DEFINITION, ExecType.SECURITY_STATUS, ExecType.ALLOCATION, *_AUCTION,
)  # fmt: skip
_ACCOUNT_ONLY = (ExecType.ACCOUNT, ExecType.ACCOUNT_STATUS, ExecType.SELF_TRADE)
_VALUED = (ExecType.SELF_TRADE, ExecType.ALLOCATION, ExecType.CHECKPOINT, ExecType.CLOCK)
_TELLS_BOTH = (ExecType.TRADE, ExecType.DECREMENTED)


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
    columns = (
        _times(events)
        | _identities(events, {n: i.symbol for n, i in instruments.items()}, accounts)
        | _amounts(events, instruments)
        | _verdicts(events)
        | _touches(touches)
    )
    wanted = schema(instruments)
    return pa.Table.from_arrays([columns[name] for name in wanted.names], schema=wanted)


def _times(events: NDArray[np.void]) -> dict[str, pa.Array]:
    """The time as the engine has it, and as people read it."""
    ts_ns = np.ascontiguousarray(events["ts_ns"])
    return {
        "seq": _numbers(events["seq"], pa.int64()),
        "ts_ns": _numbers(ts_ns, pa.int64()),
        "transact_time": _numbers(ts_ns // 1000, pa.int64()).cast(_TYPES["timestamp"]),
        "date": _numbers((ts_ns // DAY_NS).astype(np.int32), pa.int32()).cast(pa.date32()),
    }


def _identities(
    events: NDArray[np.void], symbols: Mapping[int, str], accounts: Mapping[int, str]
) -> dict[str, pa.Array]:
    """When, what, and about which instrument, order and account."""
    kind = events["exec_type"]
    trade = np.isin(kind, _TELLS_BOTH)
    # What an event is not about stays null, though the command answered may carry a number.
    neither = np.isin(kind, [ExecType.VENUE_STATUS, ExecType.CHECKPOINT, ExecType.CLOCK])
    all_instruments = events["instrument"] == INSTRUMENT_ALL
    all_accounts = (events["account"] == ACCOUNT_ALL) | (
        (kind == ExecType.LIMIT) & np.isin(events["reason"], _INSTRUMENT_LIMITS)
    )
    instrument = ~(neither | np.isin(kind, _ACCOUNT_ONLY) | all_instruments)
    account = ~(neither | np.isin(kind, _SECURITY_ONLY) | all_accounts)
    # The two ids share a place in the record; 0 is no order, so that no null makes them floats.
    contra = np.where(trade, events["contra_order_id"], 0).astype(np.uint64)
    client = np.where(trade, 0, events["cl_ord_id"]).astype(np.uint64)
    return {
        "exec_type": _names(kind, ExecType),
        "instrument": _numbers(events["instrument"], pa.int32(), instrument),
        "symbol": _named(events["instrument"], symbols, instrument),
        "order_id": _numbers(np.where(np.isin(kind, _AUCTION), 0, events["order_id"]), pa.uint64()),
        "cl_ord_id": _numbers(client, pa.uint64()),
        "contra_order_id": _numbers(contra, pa.uint64()),
        "account": _numbers(events["account"], pa.int64(), account),
        "account_name": _named(events["account"], accounts, account),
        "contra_account": _numbers(events["contra_account"], pa.int64(), trade),
        "contra_account_name": _named(events["contra_account"], accounts, trade),
    }


def _amounts(
    events: NDArray[np.void], instruments: Mapping[int, Instrument]
) -> dict[str, pa.Array]:
    """Sides, prices and quantities. MASS_CANCELED counts orders in `qty`."""
    number = events["instrument"]
    ticks = _scaled(events["price"], number, {n: i.tick_size for n, i in instruments.items()})
    kind = events["exec_type"]
    # Of an auction the volume, eight bytes, and the surplus, which is where an order's id is.
    auction = np.isin(kind, _AUCTION)
    volume, surplus = events.view(EVENT_REFUSAL)["limit"], events["order_id"].astype(np.int64)
    qty = np.where(auction, volume, events["qty"])
    lots = _scaled(qty, number, {n: i.lot_size for n, i in instruments.items()})
    order = np.isin(kind, _ORDER_TYPES) | auction
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


def _verdicts(events: NDArray[np.void]) -> dict[str, pa.Array]:
    """Why not, and what administrative events have set."""
    kind, reason, flags = events["exec_type"], events["reason"], events["flags"]
    refused = np.isin(kind, _REFUSALS)
    limit = kind == ExecType.LIMIT
    trading = kind == ExecType.SECURITY_STATUS
    entry = np.isin(kind, [ExecType.ACCOUNT_STATUS, ExecType.VENUE_STATUS])
    # The two kinds of status share numbers, so those of entry are looked up one page on.
    status = events["qty"] + np.where(entry, _ENTRY_PAGE, 0)
    return {
        "reason": _names(np.where(limit | (kind == ExecType.ALLOCATION), 0, reason), Reason),
        "value": _numbers(
            events["value"],
            pa.int64(),
            refused | limit | np.isin(kind, _VALUED),
        ),
        "limit": _numbers(events.view(EVENT_REFUSAL)["limit"], pa.int64(), refused),
        "field": _names(np.where(limit, reason, 0), Limit),
        "status": _named(status, _STATUSES, trading | entry),
        "maker_done": _bit(flags, Flag.MAKER_DONE, np.isin(kind, _TELLS_BOTH)),
        "priority_kept": _bit(flags, Flag.PRIORITY_KEPT, kind == ExecType.REPLACED),
        "flags": _numbers(flags, pa.uint8()),
    }


def _touches(touches: NDArray[np.void]) -> dict[str, pa.Array]:
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
    present = np.flatnonzero(np.bincount(codes, minlength=256))
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

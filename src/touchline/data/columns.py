"""Records of the engine as columns: each with what it means, and where it says nothing.

    EVENT, COMMAND, LEVEL, ORDER ─► dict of Column ─► touchline.data.frames ─► Arrow, pandas, polars

A record has fields that share a place, and fields that a record of its type does not use; here a
column holds one meaning and is valid where the record has it. Fields that share a place are read by
offset, from `_at` alone. numpy only; pure functions. docs/messages.md has every field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    ACCOUNT_ALL,
    COMMAND,
    COMMAND_TEXT,
    EVENT,
    EVENT_REFUSAL,
    EVENT_TRADE,
    INSTRUMENT_ALL,
    TEXT_BYTES,
    TEXT_LANES,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    MsgType,
    OrdType,
    Reason,
    Side,
    Text,
    TimeInForce,
    TradingStatus,
)

Array = NDArray[Any]

# Other readings of the same bytes.
_READINGS = ((EVENT_TRADE, EVENT), (EVENT_REFUSAL, EVENT), (COMMAND_TEXT, COMMAND))

# What the numbers of a column are; the last two need their row's instrument.
INTEGER, NAME, TIME, FLAG, TEXT = "integer", "name", "time", "flag", "text"
PRICE, QTY = "price", "qty"

_ENTRY_PAGE = 256
_STATUSES = {int(status): status.name for status in TradingStatus} | {
    _ENTRY_PAGE + int(status): status.name for status in EntryStatus
}
_ORDER = (
    ExecType.NEW, ExecType.TRADE, ExecType.CANCELED, ExecType.EXPIRED, ExecType.REPLACED,
    ExecType.RESTATED, ExecType.TRIGGERED, ExecType.DECREMENTED,
)  # fmt: skip
_AUCTION = (ExecType.INDICATIVE, ExecType.UNCROSSED)
_REFUSED = (ExecType.REJECTED, ExecType.CANCEL_REJECTED)
_VALUED = (*_REFUSED, ExecType.LIMIT, ExecType.SELF_TRADE, ExecType.CHECKPOINT, ExecType.CLOCK)
_NEITHER = (ExecType.VENUE_STATUS, ExecType.CHECKPOINT, ExecType.CLOCK)
_NO_INSTRUMENT = (ExecType.ACCOUNT, ExecType.ACCOUNT_STATUS, ExecType.SELF_TRADE, *_NEITHER)
_NO_ACCOUNT = (
    ExecType.SECURITY_DEFINITION, ExecType.SECURITY_STATUS, ExecType.ALLOCATION, *_AUCTION,
    *_NEITHER,
)  # fmt: skip
_ENTRY_EVENTS = (ExecType.ACCOUNT_STATUS, ExecType.VENUE_STATUS)


@dataclass(frozen=True, slots=True)
class Column:
    """Numbers, shape (n,); `valid` is False where the record has no such thing, None: never.

    A NAME's numbers are keys of `names`; one that is not there has no name.
    """

    kind: str
    values: Array
    valid: Array | None = None
    names: Mapping[int, str] = field(default_factory=dict)


def members(kind: Iterable[IntEnum]) -> dict[int, str]:
    return {int(member): member.name for member in kind}


def _at(records: Array, like: str, dtype: str) -> Array:
    """What lies where the field `like` begins, read as another type."""
    found = records.dtype.fields
    assert found is not None
    offset = found[like][1]
    raw = np.ascontiguousarray(records).view("u1").reshape(len(records), records.dtype.itemsize)
    size = np.dtype(dtype).itemsize
    return np.ascontiguousarray(raw[:, offset : offset + size]).view(dtype).reshape(len(records))


def _where(
    values: Array, valid: Array, kind: str = INTEGER, names: Mapping[int, str] | None = None
) -> Column:
    return Column(kind, values, valid, names or {})


def _coded(values: Array, kind: Iterable[IntEnum]) -> Column:
    """An enum; 0 is none of its members."""
    return Column(NAME, values, values != 0, members(kind))


def of_events(events: Array) -> dict[str, Column]:
    """EVENT as columns."""
    kinds, flags = events["exec_type"], events["flags"]
    instrument, account = events["instrument"], events["account"]
    order, refused = np.isin(kinds, _ORDER), np.isin(kinds, _REFUSED)
    trade = np.isin(kinds, (ExecType.TRADE, ExecType.DECREMENTED))  # both tell two orders
    limit = kinds == ExecType.LIMIT
    coded = limit | (kinds == ExecType.ALLOCATION)  # `reason` is none
    entry = np.isin(kinds, _ENTRY_EVENTS)
    status = entry | (kinds == ExecType.SECURITY_STATUS)
    second = _at(events, "cl_ord_id", "<u8")
    amount = _at(events, "price", "<i8")
    # Of an auction the volume, eight bytes, and the surplus, which is where an order's id is.
    auction = np.isin(kinds, _AUCTION)
    volume, surplus = _at(events, "qty", "<i8"), events["order_id"]
    qty = np.where(auction, volume, events["qty"].astype("<i8"))
    leaves = np.where(auction, surplus.astype("<i8"), events["leaves_qty"].astype("<i8"))
    priced = (order | auction) & (events["price"] != 0)
    return {
        "seq": Column(INTEGER, events["seq"]),
        "transact_time": Column(TIME, events["ts_ns"]),
        "exec_type": Column(NAME, kinds, None, members(ExecType)),
        "instrument": _where(
            instrument, (instrument != INSTRUMENT_ALL) & ~np.isin(kinds, _NO_INSTRUMENT)
        ),
        "account": _where(account, (account != ACCOUNT_ALL) & ~np.isin(kinds, _NO_ACCOUNT)),
        "order_id": _where(events["order_id"], (events["order_id"] != 0) & ~auction),
        "cl_ord_id": _where(second, ~trade),
        "contra_order_id": _where(second, trade),
        "contra_account": _where(events["contra_account"], trade),
        "side": _coded(events["side"], Side),
        "ord_type": _coded(events["ord_type"], OrdType),
        "time_in_force": _coded(events["time_in_force"], TimeInForce),
        "price": _where(amount, priced, PRICE),
        "qty": _where(qty, order | auction, QTY),
        "leaves_qty": _where(leaves, order | auction, QTY),
        "orders": _where(events["qty"], kinds == ExecType.MASS_CANCELED),
        "reason": _where(events["reason"], (events["reason"] != 0) & ~coded, NAME,
                         members(Reason)),
        "value": _where(amount, np.isin(kinds, _VALUED)),
        "limit": _where(_at(events, "qty", "<i8"), refused),
        "field": _where(events["reason"], limit, NAME, members(Limit)),
        "status": _where(events["qty"] + _ENTRY_PAGE * entry, status, NAME, _STATUSES),
        "maker_done": _where((flags & Flag.MAKER_DONE) != 0, trade, FLAG),
        "priority_kept": _where((flags & Flag.PRIORITY_KEPT) != 0, kinds == ExecType.REPLACED,
                                FLAG),
        "flags": Column(INTEGER, flags),
    }  # fmt: skip


def of_commands(commands: Array) -> dict[str, Column]:
    """COMMAND as columns."""
    kinds, fields = commands["type"], commands["field"]
    text, limit = kinds == MsgType.TEXT, kinds == MsgType.LIMIT
    order = np.isin(kinds, (MsgType.NEW_ORDER, MsgType.REPLACE))
    of_order = np.isin(kinds, (MsgType.CANCEL, MsgType.REPLACE))
    entry = np.isin(kinds, (MsgType.ACCOUNT_STATUS, MsgType.VENUE_STATUS))
    status = entry | (kinds == MsgType.SECURITY_STATUS)
    described = (kinds == MsgType.NEW_ORDER) | (kinds == MsgType.MASS_CANCEL)
    limited = (kinds == MsgType.NEW_ORDER) & (commands["ord_type"] == OrdType.MARKET)
    owners = {
        "instrument": _where(
            commands["instrument"], (commands["instrument"] != INSTRUMENT_ALL) & ~text & ~of_order
        ),
        "account": _where(commands["account"], (commands["account"] != ACCOUNT_ALL) & ~text),
    }
    sides, orders, tifs = commands["side"], commands["ord_type"], commands["time_in_force"]
    return {
        "seq": Column(INTEGER, commands["seq"]),
        "transact_time": Column(TIME, commands["ts_ns"]),
        "type": Column(NAME, kinds, None, members(MsgType)),
        **owners,
        "order_id": _where(commands["order_id"], of_order),
        "cl_ord_id": _where(commands["cl_ord_id"], ~text),
        "side": _where(sides, described & (sides != 0), NAME, members(Side)),
        "ord_type": _where(orders, kinds == MsgType.NEW_ORDER, NAME, members(OrdType)),
        "time_in_force": _where(tifs, described & (tifs != 0), NAME, members(TimeInForce)),
        "price": _where(commands["price"], order & ~limited, PRICE),
        "qty": _where(commands["qty"], order, QTY),
        "value": _where(commands["price"], limit | (kinds == MsgType.CLOCK)),
        "field": _where(
            fields + 256 * text.astype("<i4"), limit | text, NAME,
            members(Limit) | {256 + int(kind): kind.name for kind in Text},
        ),
        "status": _where(fields + _ENTRY_PAGE * entry.astype("<i4"), status, NAME, _STATUSES),
        "text": _where(_at(commands, "order_id", f"S{TEXT_BYTES}"), text, TEXT),
        "key": _where(_at(commands, "instrument", "<u4"), text),
        "lane": _where(
            sides % TEXT_LANES, text & np.isin(fields, (Text.CL_ORD_ID, Text.REQUEST_FIELD))
        ),
        "flags": Column(INTEGER, commands["flags"]),
    }  # fmt: skip


def of_orders(orders: Array) -> dict[str, Column]:
    """ORDER as columns."""
    return {
        "order_id": Column(INTEGER, orders["order_id"]),
        "instrument": Column(INTEGER, orders["instrument"]),
        "account": Column(INTEGER, orders["account"]),
        "side": _coded(orders["side"], Side),
        "time_in_force": _coded(orders["time_in_force"], TimeInForce),
        "price": Column(PRICE, orders["price"]),
        "order_qty": Column(QTY, orders["order_qty"].astype("<i8")),
        "leaves_qty": Column(QTY, orders["leaves_qty"].astype("<i8")),
    }


def of_trades(events: Array) -> dict[str, Column]:
    """The TRADEs of a market's tape as columns, named as touchline.market.Trade names them."""
    whole = of_events(events)
    renamed = {"price": "last_px", "qty": "last_qty"}
    wanted = ("seq", "transact_time", "instrument", "side", "price", "qty", "order_id", "account",
              "contra_order_id", "contra_account")  # fmt: skip
    return {renamed.get(name, name): whole[name] for name in wanted}


def of_records(records: Array) -> dict[str, Column]:
    """EVENT, COMMAND, their readings, or ORDER as columns; TypeError for anything else."""
    if records.ndim != 1:
        raise TypeError(f"records of shape {records.shape} are no one-dimensional array")
    reading = next((whole for other, whole in _READINGS if records.dtype == other), None)
    if reading is not None:
        records = np.ascontiguousarray(records).view(reading)
    names, readers = set(records.dtype.names or ()), (of_events, of_commands, of_orders)
    for reader, marks in zip(
        readers, ({"exec_type", "cl_ord_id"}, {"type", "checksum"}, {"order_qty"}), strict=True
    ):
        if marks <= names:
            return reader(records)
    raise TypeError(
        f"records of dtype {records.dtype} are none of EVENT, COMMAND ({EVENT.itemsize} and "
        f"{COMMAND.itemsize} bytes) and ORDER"
    )

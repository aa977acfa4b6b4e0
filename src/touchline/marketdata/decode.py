"""Market data as it comes from a socket, looked at before anything is believed.

Whatever is not what docs/marketdata.md describes is a TouchlineError that names it: another
service behind the address, another version, or bytes that somebody has changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import Side
from touchline.errors import TouchlineError
from touchline.instruments import Instrument
from touchline.marketdata.layout import (
    BBO,
    DEPTH,
    HEADER,
    HEARTBEAT_TOPIC,
    KINDS,
    RECORDS,
    STATISTICS,
    TRADE,
    VERSION,
    Kind,
    topic,
)

Records = NDArray[np.void]
_HEADER = Struct("<QQQqIHBB")  # the fields of HEADER, which tests compare
_PREFIXES = {kind: topic(kind) for kind in KINDS}
_U64_MAX = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `symbol` is "" for a heartbeat."""

    kind: Kind
    symbol: str
    epoch: int
    first_seq: int
    event_seq: int
    ts_ns: int
    records: Records


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One instrument as a snapshot tells it."""

    instrument: Instrument
    seqs: list[int]
    trading_status: int
    entry_status: int
    bbo: np.void
    last_trade: np.void | None
    statistics: np.void
    levels: Records


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the snapshot port; `error` is set when the request was refused."""

    request_id: object
    error: str | None
    epoch: int
    event_seq: int
    has_history: bool
    instruments: list[Snapshot]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer from history: what its first frame tells of it, and the other frames."""

    request_id: object
    error: str | None
    epoch: int
    facts: dict[str, int]
    frames: list[bytes]


def message(frames: list[bytes]) -> Message:
    """The message in these frames."""
    if len(frames) != 2 or len(frames[1]) < HEADER.itemsize:
        raise TouchlineError("a message came that is not touchline market data")
    name, payload = frames
    epoch, first_seq, event_seq, ts_ns, count, _, number, version = _HEADER.unpack_from(payload)
    if version != VERSION:
        raise TouchlineError(f"market data of version {version}, not {VERSION}")
    if number not in RECORDS:
        raise TouchlineError(f"market data of kind {number}, which version {VERSION} has not")
    kind = Kind(number)
    if len(payload) != HEADER.itemsize + count * RECORDS[kind].itemsize:
        raise TouchlineError(
            f"a message of {len(payload)} bytes that says it holds {count} {kind.name} records"
        )
    symbol = _symbol(name, kind)
    records = np.frombuffer(payload, RECORDS[kind], count, HEADER.itemsize)
    return Message(kind, symbol, epoch, first_seq, event_seq, ts_ns, records)


def _symbol(name: bytes, kind: Kind) -> str:
    if kind == Kind.HEARTBEAT:
        if name != HEARTBEAT_TOPIC:
            raise TouchlineError(f"a heartbeat in topic {name[:64]!r}")
        return ""
    prefix = _PREFIXES[kind]
    try:
        symbol = name[len(prefix) : -1].decode()
    except UnicodeDecodeError:
        symbol = ""
    if not symbol or not name.startswith(prefix) or not name.endswith(b"/"):
        raise TouchlineError(f"{kind.name} records in topic {name[:64]!r}")
    return symbol


def _head(frames: list[bytes], address: str) -> dict[str, Any]:
    try:
        head = json.loads(frames[0])
    except (ValueError, RecursionError) as error:
        raise TouchlineError(f"{address}: not an answer of a snapshot port") from error
    if not isinstance(head, dict) or head.get("version") != VERSION:
        version = head.get("version") if isinstance(head, dict) else None
        raise TouchlineError(f"{address}: version {version}, not {VERSION}")
    return head


def request_id(frames: list[bytes], address: str) -> object:
    """Which request an answer is to."""
    return _head(frames, address).get("id")


def answer(frames: list[bytes], address: str) -> Answer:
    """The answer from history in these frames, which came from `address`."""
    head = _head(frames, address)
    if "error" in head:
        return Answer(head.get("id"), str(head["error"]), 0, {}, [])
    facts = head.get("history") or head.get("bars")
    try:
        if not isinstance(facts, dict):
            raise TypeError("it is no history")
        numbers = {str(key): _number(int(value)) for key, value in facts.items()}
        return Answer(head.get("id"), None, _number(head["epoch"]), numbers, frames[1:])
    except (KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__} {error}"
        raise TouchlineError(f"{address}: history that cannot be read: {what}") from error


def reply(frames: list[bytes], address: str) -> Reply:
    """The answer in these frames, which came from the snapshot port at `address`."""
    head = _head(frames, address)
    if "error" in head:
        return Reply(head.get("id"), str(head["error"]), 0, 0, False, [])
    try:
        states = head["instruments"]
        if not isinstance(states, list) or len(states) != len(frames) - 1:
            raise ValueError(f"{len(frames) - 1} frames of levels for another number of books")
        return Reply(
            head.get("id"),
            None,
            _number(head["epoch"]),
            _number(head["event_seq"]),
            head.get("history") is True,
            [_snapshot(state, levels) for state, levels in zip(states, frames[1:], strict=True)],
        )
    except (KeyError, TypeError, ValueError, OverflowError, InvalidOperation) as error:
        what = f"{type(error).__name__} {error}"
        raise TouchlineError(f"{address}: a snapshot that cannot be read: {what}") from error


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _U64_MAX:
        raise ValueError(f"{value!r:.40} is not a number from 0 to 2^64 - 1")
    return value


def _positive(text: Any) -> Decimal:
    number = Decimal(text) if isinstance(text, str) else Decimal(0)
    if not number.is_finite() or number <= 0:
        raise ValueError(f"{text!r:.40} is not a positive number as text")
    return number


def _record(values: Any, layout: np.dtype[np.void]) -> np.void:
    row = [_number(value) for value in values]
    if layout.names is None or len(row) != len(layout.names):
        raise ValueError(f"{len(row)} numbers in a record of another length")
    made: np.void = np.array([tuple(row)], layout)[0]
    return made


def _snapshot(state: dict[str, Any], frame: bytes) -> Snapshot:
    seqs = [_number(seq) for seq in state["seqs"]]
    if len(seqs) != len(KINDS):
        raise ValueError(f"{len(seqs)} numbers of {len(KINDS)} topics")
    symbol, currency = state["symbol"], state["currency"]
    if not isinstance(symbol, str) or not isinstance(currency, str):
        raise TypeError("symbol and currency are texts")
    levels = np.frombuffer(frame, DEPTH)
    if not np.isin(levels["side"], [int(Side.BUY), int(Side.SELL)]).all():
        raise ValueError("a level that is neither a bid nor an ask")
    last_trade = state["last_trade"]
    sizes = _positive(state["tick_size"]), _positive(state["lot_size"])
    return Snapshot(
        Instrument(_number(state["instrument"]), symbol, *sizes, currency),
        seqs,
        _number(state["trading_status"]),
        _number(state["entry_status"]),
        _record(state["bbo"], BBO),
        None if last_trade is None else _record(last_trade, TRADE),
        _record(state["statistics"], STATISTICS),
        levels,
    )

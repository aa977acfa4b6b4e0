"""What was published before: records by number, and prices by the interval, for whoever asks.

Both come from the archive that the mirror fills as it follows the journal. One answer is at most
1 MiB of records, or looks at 200,000 trades; whoever wants more asks on from where it ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.marketdata.layout import BAR, HEADER, RECORDS, STATISTICS, TRADE, VERSION, Kind
from touchline.marketdata.mirror import MESSAGE_BYTES_MAX, Mirror

ANSWER_BYTES_MAX = 1 << 20
TRADES_MAX = 200_000  # that one answer looks at
TRADES_A_SLICE = 20_000
BARS_MAX = 10_000  # in one answer
_HEADER = Struct("<QQQqIHBB")
_SECOND_NS = 1_000_000_000
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Range:
    """Records `first` to `last` of one kind and instrument."""

    number: int
    kind: Kind
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of `seconds` of one instrument's trades, from a time on and before another."""

    number: int
    seconds: int
    from_ns: int
    until_ns: int


Built = tuple[dict[str, Any], list[bytes]]  # what the first frame tells of it, the other frames


def build_range(mirror: Mirror, wanted: Range) -> Iterator[Built | None]:
    """Slices of work, None each, and at last the answer."""
    if wanted.kind == Kind.STATISTICS:
        yield _newest_statistics(mirror, wanted.number)
        return
    oldest, newest = mirror.kept(wanted.number, wanted.kind)
    first, last = max(wanted.first, oldest), min(wanted.last, newest)
    size = RECORDS[wanted.kind].itemsize
    room = (MESSAGE_BYTES_MAX - HEADER.itemsize) // size
    last = min(last, first + ANSWER_BYTES_MAX // MESSAGE_BYTES_MAX * room - 1)
    frames, at = [], first
    while at <= last:
        records = mirror.history(wanted.number, wanted.kind, at, min(room, last - at + 1))
        count = len(records) // size
        if count == 0:  # its page was used again between two slices
            break
        frames.append(_message(mirror.epoch, wanted, at, records, count))
        at += count
        if len(frames) % 64 == 0:
            yield None
    facts = {"oldest": oldest, "newest": newest, "first": first, "last": at - 1}
    yield facts, frames


def _newest_statistics(mirror: Mirror, number: int) -> Built:
    """The newest record, whatever number was asked for: it tells all that those before it did."""
    state = mirror.state(number)
    seq = state.seqs[Kind.STATISTICS]
    record = np.array([state.statistics], STATISTICS).tobytes()
    wanted = Range(number, Kind.STATISTICS, seq, seq)
    facts = {"oldest": seq, "newest": seq, "first": seq, "last": seq}
    return facts, [_message(mirror.epoch, wanted, seq, record, 1)]


def _message(epoch: int, wanted: Range, first: int, records: bytes, count: int) -> bytes:
    """Records as they are published: behind a header that tells of the last of them."""
    last = np.frombuffer(records, RECORDS[wanted.kind])[-1]
    event_seq, ts_ns = int(last["event_seq"]), int(last["ts_ns"])
    head = _HEADER.pack(epoch, first, event_seq, ts_ns, count, wanted.number, wanted.kind, VERSION)
    return head + records


def build_bars(mirror: Mirror, wanted: Bars) -> Iterator[Built | None]:
    """Slices of work, None each, and at last the answer. A bar that is begun is told whole."""
    interval = wanted.seconds * _SECOND_NS
    from_ns = wanted.from_ns // interval * interval
    until_ns = min(wanted.until_ns, from_ns + BARS_MAX * interval)
    oldest, newest = mirror.kept(wanted.number, Kind.TRADES)
    at = mirror.since(wanted.number, Kind.TRADES, from_ns)
    complete = oldest == 1 or at > oldest  # are all trades of the first bar there?
    parts: list[NDArray[np.void]] = []
    looked, done = 0, False
    while at <= newest and not done and looked < TRADES_MAX:
        slice_end = looked + TRADES_A_SLICE
        while at <= newest and looked < slice_end and not done:
            trades = np.frombuffer(
                mirror.history(wanted.number, Kind.TRADES, at, min(128, slice_end - looked)), TRADE
            )
            if not len(trades):
                break
            fresh = trades[: np.searchsorted(trades["ts_ns"], until_ns)]
            done = len(fresh) < len(trades)
            parts.append(fresh)
            at += len(fresh)
            looked += len(trades)
        if not len(trades):
            break
        yield None
    bars = bars_of(np.concatenate(parts) if parts else np.zeros(0, TRADE), interval)
    if at <= newest and not done and len(bars):
        # More trades than one answer looks at: the last bar may lack some; the next answer has it.
        if len(bars) == 1:
            yield {"error": f"a bar of {wanted.seconds} s has more than {TRADES_MAX} trades"}, []
            return
        until_ns = int(bars["start_ns"][-1])
        bars = bars[:-1]
    facts = {"from_ns": from_ns, "until_ns": until_ns, "complete": complete, "bars": len(bars)}
    yield facts, [bars.tobytes()]


def bars_of(trades: NDArray[np.void], interval_ns: int) -> NDArray[np.void]:
    """Trades in order of time as bars, those without a trade left out; shape (n,), dtype BAR."""
    if not len(trades):
        return np.zeros(0, BAR)
    starts = trades["ts_ns"] // interval_ns * interval_ns
    at = np.flatnonzero(np.r_[True, starts[1:] != starts[:-1]])
    ends = np.r_[at[1:], len(trades)] - 1
    bars = np.zeros(len(at), BAR)
    price, qty = trades["price"], trades["qty"].astype(np.uint64)
    bars["start_ns"], bars["trades"] = starts[at], np.diff(np.r_[at, len(trades)])
    bars["open_price"], bars["close_price"] = price[at], price[ends]
    bars["high_price"] = np.maximum.reduceat(price, at)
    bars["low_price"] = np.minimum.reduceat(price, at)
    bars["volume"] = np.add.reduceat(qty, at)
    value = price.astype(np.uint64) * qty  # below 2^62
    low = np.add.reduceat(value & _LOW, at)
    high = np.add.reduceat(value >> _HALF, at) + (low >> _HALF)
    bars["turnover"] = (high << _HALF) | (low & _LOW)
    bars["turnover_high"] = high >> _HALF
    return bars


def head_frame(
    request_id: int | str | None, mirror: Mirror, name: str, facts: dict[str, Any]
) -> bytes:
    """The first frame of an answer."""
    head = {
        "version": VERSION, "id": request_id, "epoch": mirror.epoch,
        "event_seq": mirror.event_seq, "ts_ns": mirror.ts_ns, name: facts,
    }  # fmt: skip
    return json.dumps(head).encode()

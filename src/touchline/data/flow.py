"""Seeded synthetic order flow, the same bytes on every machine, for benchmarks and tests alike.

A flow is an array of commands plus, for each cancel and replace, the index of the command that
entered the order it means: order ids are the engine's to give, so `resolve` fills them in by
running the flow once. Only raw generator bits, integers and single IEEE operations are used,
because a library's logarithms and distributions may differ between machines and releases.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    COMMAND,
    EVENT,
    LANE_API,
    LIMITS,
    PRICE_MAX,
    ExecType,
    Limit,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)

Records = NDArray[Any]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

# How far the mid price falls from its highest to its lowest point. A mid price of any volatility is
# stretched to this swing, so that the volatility itself is no parameter.
SWINGS = {"static": 0.0, "normal": 0.02, "swing-25": 0.25, "swing-40": 0.40, "flash-crash": 0.60}

START_TICKS = 33_504
DAY_NS = 23_400_000_000_000
LIFE_MEDIAN_NS = 431_000
DISTANCE_EXPONENT = 2.23
DISTANCE_HUMP_TICKS = 9
DISTANCE_TICKS_MAX = 512
INSTRUMENT_LIMITS = (
    (Limit.PRICE_MAX, 4 * START_TICKS),
    (Limit.QTY_MAX, 1_000),
    (Limit.REFERENCE_PRICE, START_TICKS),
    (Limit.PRICE_COLLAR, 4 * START_TICKS),
)
WIDE_LIMIT = 1 << 50
FILE_MAGIC = 0x31574F4C464C54  # "TLFLOW1" in the file's first bytes


class Stepper(Protocol):
    """What a flow needs of an engine: the core, or the reference model behind the same method."""

    def submit(self, commands: Records) -> Records: ...


@dataclass(frozen=True)
class Flow:
    """`setup` lists instruments and accounts; `refs[i]` is the command whose order `i` means.

    The first `warm` commands fill the book before anything is timed.
    """

    name: str
    setup: Records
    commands: Records
    refs: Integers
    warm: int = 0

    def sha256(self) -> str:
        """Of every byte that matters: the same on every machine for the same arguments."""
        digest = hashlib.sha256()
        for part in (self.setup, self.commands, self.refs.astype("<i8")):
            digest.update(part.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Expected:
    """What an engine must produce: the number of events of setup and flow, and their `fold` sum."""

    events: int
    event_hash: int


def generate(
    name: str,
    orders: int,
    seed: int,
    *,
    instruments: int = 1,
    accounts: int = 8,
    limits: bool = False,
) -> Flow:
    """A flow of `orders` new orders and what becomes of them, about twice as many commands.

    With several instruments an order's instrument is drawn by Zipf's law. With `limits` every limit
    is set, wide enough to refuse nothing. Raises KeyError on an unknown name, ValueError on a size
    below 1.
    """
    if min(orders, instruments, accounts) < 1:
        raise ValueError("a flow needs at least one order, one instrument and one account")
    bits = Bits(seed)
    entries = _entries(SWINGS[name], orders, bits, instruments, accounts)
    followers = _followers(entries, bits)
    parts = [entries, *followers]
    owners = np.concatenate([numbers for _, numbers in parts])
    commands = np.concatenate([rows for rows, _ in parts])
    order = np.argsort(commands["ts_ns"], kind="stable")
    commands = commands[order]
    owners = owners[order]
    refs = np.full(len(commands), -1, np.int64)
    is_entry = commands["type"] == MsgType.NEW_ORDER
    entered_at = np.empty(orders, np.int64)
    entered_at[owners[is_entry]] = np.flatnonzero(is_entry)
    refs[~is_entry] = entered_at[owners[~is_entry]]
    setup = setup_commands(instruments, accounts, limits)
    return Flow(name, setup, numbered(commands), refs)


def numbered(commands: Records) -> Records:
    """The commands with the cl_ord_ids of one sender and, where there is none, a time."""
    rows = commands.copy()
    places = np.arange(len(rows))
    rows["cl_ord_id"] = (LANE_API << 32) + 1 + places.astype(np.uint64)
    rows["ts_ns"] = np.where(rows["ts_ns"] > 0, rows["ts_ns"], 1 + places)
    return rows


def setup_commands(instruments: int, accounts: int, limits: bool) -> Records:
    """The commands that list instruments 0.. and open accounts 0.., with wide limits if asked."""
    rows = [(MsgType.SECURITY_DEFINITION, instrument, 0, 0, 0) for instrument in range(instruments)]
    rows += [(MsgType.ACCOUNT, 0, account, 0, 0) for account in range(accounts)]
    for instrument in range(instruments if limits else 0):
        rows += [(MsgType.LIMIT, instrument, 0, *limit) for limit in INSTRUMENT_LIMITS]
        rows += [
            (MsgType.LIMIT, instrument, account, field, WIDE_LIMIT)
            for account in range(accounts)
            for field in (limit for limit in Limit if LIMITS[limit].of_account)
        ]
    setup = np.zeros(len(rows), COMMAND)
    for column, field_name in enumerate(("type", "instrument", "account", "field", "price")):
        setup[field_name] = [row[column] for row in rows]
    return setup


def resolve(flow: Flow, engine: Stepper) -> Records:
    """The flow's commands with the order ids that a fresh `engine` of equal capacities gives out.

    Runs setup and flow through it one command at a time. A cancel or replace of an order that was
    refused keeps order id 0, which no order has.
    """
    commands = flow.commands.copy()
    engine.submit(flow.setup)
    order_ids = commands["order_id"]
    entered: dict[int, int] = {}
    refs: list[int] = flow.refs.tolist()
    for index, ref in enumerate(refs):
        if ref >= 0:
            order_ids[index] = entered[ref]
        events = engine.submit(commands[index : index + 1])
        if ref < 0:
            first = events[0]
            entered[index] = int(first["order_id"]) if first["exec_type"] == ExecType.NEW else 0
    return commands


def fold(events: Records) -> int:
    """A 64-bit sum over events that depends on every byte, and on their order through `seq`."""
    words = np.ascontiguousarray(events).view(np.uint64).reshape(-1, EVENT.itemsize // 8)
    mixed = np.zeros(len(events), np.uint64)
    for column in range(words.shape[1]):
        mixed = (mixed ^ words[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return int(np.add.reduce(mixed, dtype=np.uint64))


def expect(setup: Records, commands: Records, engine: Stepper, batch: int = 4096) -> Expected:
    """Run resolved commands through a fresh engine in batches; its event count and their sum."""
    events = 0
    event_hash = 0
    for part in (setup, commands):
        for start in range(0, len(part), batch):
            answer = engine.submit(np.ascontiguousarray(part[start : start + batch]))
            events += len(answer)
            event_hash += fold(answer)
    return Expected(events, event_hash % (1 << 64))


def write_file(
    path: Path,
    flow: Flow,
    commands: Records,
    expected: Expected,
    capacities: tuple[int, int, int, int, int],
    state_hash: int,
) -> None:
    """The flow as a C program reads it: ten u64, then setup and commands as raw records.

    The ten: magic, setup count, count of timed commands, the five engine capacities in the order of
    EngineCapacities, count of warm-up commands, zero. After the records a trailer of three u64:
    events, event hash, state hash.
    """
    counts = (len(flow.setup), len(commands) - flow.warm)
    head = np.array([FILE_MAGIC, *counts, *capacities, flow.warm, 0], dtype="<u8")
    tail = np.array([expected.events, expected.event_hash, state_hash], dtype="<u8")
    with path.open("wb") as file:
        for part in (head, flow.setup, commands, tail):
            file.write(part.tobytes())


class Bits:
    """Raw output of PCG64, whose stream is fixed for good, and what integers make of it."""

    def __init__(self, seed: int) -> None:
        self._source = np.random.PCG64(seed)

    def raw32(self, count: int) -> Integers:
        raw = np.asarray(self._source.random_raw(count), dtype=np.uint64)
        return (raw >> np.uint64(32)).astype(np.int64)

    def below(self, bound: int, count: int) -> Integers:
        return (self.raw32(count) * bound) >> 32

    def chance(self, percent: int, count: int) -> NDArray[np.bool_]:
        return self.below(100, count) < percent

    def table(self, weights: Floats, count: int) -> Integers:
        """Indices drawn with the given weights."""
        cumulative = np.cumsum(weights)
        thresholds = np.floor(cumulative / cumulative[-1] * 2.0**32).astype(np.int64)
        thresholds[-1] = 1 << 32
        return np.searchsorted(thresholds, self.raw32(count), side="right").astype(np.int64)


def _log2(values: Floats) -> Floats:
    """Base-2 logarithm to about 1e-12, by operations that round alike everywhere."""
    mantissa, exponent = np.frexp(values)
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    series = np.zeros_like(ratio)
    for odd in range(27, 0, -2):
        series = series * square + 1.0 / odd
    return np.asarray(exponent + series * ratio * 2.885390081777927)


def _exp2(values: Floats) -> Floats:
    """Power of two to about 1e-12, by operations that round alike everywhere."""
    whole = np.floor(values)
    rest = (values - whole) * 0.6931471805599453
    series = np.ones_like(rest)
    for term in range(16, 0, -1):
        series = series * rest / term + 1.0
    return np.asarray(np.ldexp(series, whole.astype(np.int32)))


def _mid_prices(swing: float, steps: int, bits: Bits) -> Floats:
    """A geometric random walk of `steps` from START_TICKS, stretched to fall by `swing`."""
    step = bits.raw32(4 * steps).reshape(4, steps).sum(axis=0) - (1 << 33)
    step[0] = 0
    walk = np.cumsum(step).astype(np.float64)
    span = float(walk.max() - walk.min())
    if swing == 0.0 or span == 0.0:
        return np.full(steps, float(START_TICKS))
    fall = -float(_log2(np.array([1.0 - swing]))[0])
    return START_TICKS * _exp2(walk * (fall / span))


def _distances(count: int, bits: Bits) -> Integers:
    """Ticks from the mid: one in ten by a power law, the rest in a hump of standard deviation 1."""
    ticks = np.arange(1, DISTANCE_TICKS_MAX + 1, dtype=np.float64)
    tail = _exp2(-DISTANCE_EXPONENT * _log2(ticks))
    away = ticks - DISTANCE_HUMP_TICKS
    hump = _exp2(np.maximum(-0.7213475204444817 * away * away, -1000.0))
    weights = tail / np.cumsum(tail)[-1] * 0.1 + hump / np.cumsum(hump)[-1] * 0.9
    return bits.table(weights, count) + 1


def _entries(
    swing: float, orders: int, bits: Bits, instruments: int, accounts: int
) -> tuple[Records, Integers]:
    """The new orders in arrival order, and the number of each before the shuffle."""
    mid = _mid_prices(swing, orders, bits)
    distance = _distances(orders, bits)
    is_buy = np.arange(orders) < orders // 2
    bid = np.floor(mid).astype(np.int64) - distance
    ask = np.ceil(mid).astype(np.int64) + distance
    entries = np.zeros(orders, COMMAND)
    entries["type"] = MsgType.NEW_ORDER
    entries["ord_type"] = OrdType.LIMIT
    entries["side"] = np.where(is_buy, int(Side.BUY), int(Side.SELL))
    entries["price"] = np.clip(np.where(is_buy, bid, ask), 1, PRICE_MAX)
    entries["qty"] = bits.below(100, orders) + 1
    is_ioc = bits.chance(15, orders)
    entries["time_in_force"] = np.where(is_ioc, int(TimeInForce.IOC), int(TimeInForce.DAY))
    entries["account"] = bits.below(accounts, orders)
    if instruments > 1:
        rank = np.arange(1, instruments + 1, dtype=np.float64)
        entries["instrument"] = bits.table(1.0 / rank, orders)
    shuffled = np.argsort(bits.raw32(orders), kind="stable")
    entries = entries[shuffled]
    entries["ts_ns"] = 1 + np.arange(orders, dtype=np.int64) * (DAY_NS // orders)
    return entries, np.arange(orders, dtype=np.int64)


def _followers(entries: tuple[Records, Integers], bits: Bits) -> list[tuple[Records, Integers]]:
    """Replaces, cancels, and 2 % each of cancels sent twice and replaces sent too late."""
    new_orders, numbers = entries
    count = len(new_orders)
    uniform = (bits.raw32(count) + 1).astype(np.float64) / 2.0**32
    life = np.floor(-_log2(uniform) * LIFE_MEDIAN_NS).astype(np.int64)
    rests = new_orders["time_in_force"] != TimeInForce.IOC
    replaced = rests & bits.chance(20, count)
    canceled = rests & bits.chance(95, count)
    moved = np.where(bits.chance(80, count), bits.below(2, count) * 2 - 1, 0)
    replace_after = (life * bits.below(1 << 16, count)) >> 16
    twice = canceled & bits.chance(2, count)
    late = replaced & canceled & bits.chance(2, count)

    def follow(chosen: NDArray[np.bool_], kind: MsgType, after: Integers) -> Records:
        rows = new_orders[chosen].copy()
        rows["type"] = kind
        rows["ts_ns"] += after[chosen]
        for field in ("ord_type", "time_in_force", "side", "instrument"):
            rows[field] = 0
        if kind == MsgType.REPLACE:
            rows["price"] = np.clip(rows["price"] + moved[chosen], 1, PRICE_MAX)
            rows["qty"] += 1
        else:
            rows["price"] = 0
            rows["qty"] = 0
        return rows

    return [
        (follow(replaced, MsgType.REPLACE, replace_after), numbers[replaced]),
        (follow(canceled, MsgType.CANCEL, life), numbers[canceled]),
        (follow(twice, MsgType.CANCEL, life + 1), numbers[twice]),
        (follow(late, MsgType.REPLACE, life + 1), numbers[late]),
    ]

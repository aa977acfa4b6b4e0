"""Seeded flows of other shapes than a day's: wide, deep, mixed with special orders, a burst of
trades, a storm of cancels.

They follow the rules of flow.py, from which they take everything random: raw generator bits and
integers alone, so the same bytes on every machine. Each begins with `warm` commands that fill the
book and that nobody times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    COMMAND,
    PRICE_MAX,
    Flag,
    Limit,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)
from touchline.data.flow import (
    START_TICKS,
    Bits,
    Flow,
    Integers,
    Records,
    generate,
    numbered,
    setup_commands,
)

ACCOUNTS = 8
WIDE_FACTOR = 1_500
DEEP_LEVELS = 4_096
BURST_LEVELS = 64
STORM_LEVELS = 512


def wide(orders: int, seed: int, *, factor: int = WIDE_FACTOR) -> Flow:
    """`normal` with each tick made `factor` and orders scattered within them.

    1,500 make a million of the 690 ticks that nearly all its prices lie in.
    """
    narrow = generate("normal", orders, seed)
    commands = narrow.commands.copy()
    inside = Bits(seed).below(factor, len(commands))
    # A replace keeps its order's place within the tick, so that it stays the same price as often.
    meant = np.where(narrow.refs >= 0, narrow.refs, np.arange(len(commands)))
    priced = commands["price"] > 0
    scattered = commands["price"] * factor + inside[meant]
    commands["price"] = np.where(priced, np.minimum(scattered, PRICE_MAX), 0)
    return Flow("wide", narrow.setup, commands, narrow.refs)


def mixed(orders: int, seed: int) -> Flow:
    """`normal` with three in ten of its orders special: icebergs that show a quarter, hidden ones,
    post-only that slide, stops with a limit two ticks behind, market to limit.
    """
    plain = generate("normal", orders, seed)
    commands = plain.commands.copy()
    bits = Bits(seed)
    kind = np.where(_may_have_terms(commands), bits.below(100, len(commands)), 100)
    away = 1 + bits.below(8, len(commands))
    buy = commands["side"] == Side.BUY
    flags = [Flag.SPECIAL, Flag.HIDDEN, Flag.POST_ONLY | Flag.SLIDE, Flag.SPECIAL, Flag.SPECIAL]
    ends = np.cumsum([10, 8, 6, 4, 2])
    iceberg, hidden, post_only, stop, to_limit = (
        (kind >= end - count) & (kind < end)
        for end, count in zip(ends, [10, 8, 6, 4, 2], strict=True)
    )
    for chosen, flag in zip((iceberg, hidden, post_only, stop, to_limit), flags, strict=True):
        commands["flags"][chosen] = flag | Flag.SPECIAL
    shown = np.maximum(commands["qty"] // 4, 1).astype(np.uint64)
    commands["order_id"][iceberg] = shown[iceberg] << np.uint64(32)
    stop_price = np.where(buy, commands["price"] + away, commands["price"] - away)
    commands["order_id"][stop] = np.clip(stop_price, 3, PRICE_MAX - 2)[stop].astype(np.uint64)
    behind = np.where(buy, stop_price + 2, stop_price - 2)
    commands["price"][stop] = np.clip(behind, 1, PRICE_MAX)[stop]
    commands["ord_type"][stop] = OrdType.STOP_LIMIT
    commands["ord_type"][to_limit] = OrdType.MARKET_TO_LIMIT
    commands["price"][to_limit] = 0
    return Flow("mixed", _with_reference_price(plain.setup), commands, plain.refs)


def _may_have_terms(commands: Records) -> NDArray[np.bool_]:
    rests: NDArray[np.bool_] = np.isin(
        commands["time_in_force"], (TimeInForce.DAY, TimeInForce.GTC)
    )
    limited = commands["ord_type"] == OrdType.LIMIT
    entered = commands["type"] == MsgType.NEW_ORDER
    chosen: NDArray[np.bool_] = entered & limited & rests
    return chosen


def _with_reference_price(setup: Records) -> Records:
    """An order that waits needs one: rule 8.3."""
    priced = np.zeros(1, COMMAND)
    priced["type"], priced["field"] = MsgType.LIMIT, Limit.REFERENCE_PRICE
    priced["price"] = START_TICKS
    return np.concatenate([setup, priced])


def deep(orders: int, seed: int, *, resting: int = 1_000_000) -> Flow:
    """`resting` orders over 4,096 levels a side; then, turn by turn, a cancel of one of them, in
    random order, and a new order anywhere in the book, one in ten of them taking from the touch.

    When all of the first are gone the new ones are canceled, so the book keeps its depth.
    """
    bits = Bits(seed)
    warm = _passive(resting, DEEP_LEVELS, bits)
    entered = _passive(orders, DEEP_LEVELS, bits)
    takes = bits.chance(10, orders)
    _make_aggressive(entered, takes, 1 + bits.below(2, orders))
    number = np.arange(orders)
    old = number < resting
    shuffled = np.argsort(bits.raw32(resting), kind="stable")
    canceled = np.where(old, shuffled[number % resting], 2 * number - resting + 1)
    accounts = np.where(old, warm["account"][shuffled[number % resting]],
                        entered["account"][np.maximum(number - resting, 0)])  # fmt: skip
    cancels = _cancels(accounts)
    return _assemble("deep", warm, [(cancels, canceled), (entered, np.full(orders, -1))])


def burst(orders: int, seed: int, *, resting: int = 20_000) -> Flow:
    """Three passive orders and then one that sweeps up to 32 levels: mostly trades."""
    bits = Bits(seed)
    warm = _passive(resting, BURST_LEVELS, bits)
    entered = _passive(orders, BURST_LEVELS, bits)
    takes = np.arange(orders) % 4 == 3
    _make_aggressive(entered, takes, 1 + bits.below(32, orders))
    entered["qty"] = np.where(takes, 1 + bits.below(400, orders), entered["qty"])
    return _assemble("burst", warm, [(entered, np.full(orders, -1))])


def cancel_storm(orders: int, seed: int) -> Flow:
    """Every order of a full book canceled, in random order, one in fifty of them twice."""
    bits = Bits(seed)
    warm = _passive(orders, STORM_LEVELS, bits)
    canceled = np.argsort(bits.raw32(orders), kind="stable")
    twice = bits.chance(2, orders)
    targets = np.repeat(canceled, 1 + twice.astype(np.int64))
    return _assemble("cancel-storm", warm, [(_cancels(warm["account"][targets]), targets)])


SHAPES = {
    "wide": wide,
    "mixed": mixed,
    "deep": deep,
    "burst": burst,
    "cancel-storm": cancel_storm,
}


def _passive(count: int, levels: int, bits: Bits) -> Records:
    """Orders that rest on their own side of START_TICKS, up to `levels` ticks away."""
    side = bits.below(2, count)
    away = 1 + bits.below(levels, count)
    rows = np.zeros(count, COMMAND)
    rows["type"] = MsgType.NEW_ORDER
    rows["ord_type"] = OrdType.LIMIT
    rows["time_in_force"] = TimeInForce.DAY
    rows["side"] = np.where(side == 0, int(Side.BUY), int(Side.SELL))
    rows["price"] = START_TICKS + np.where(side == 0, -away, away)
    rows["qty"] = 1 + bits.below(100, count)
    rows["account"] = bits.below(ACCOUNTS, count)
    return rows


def _make_aggressive(rows: Records, chosen: np.ndarray, ticks: Integers) -> None:
    """Turn the chosen orders into immediate ones priced `ticks` past the middle."""
    past = START_TICKS + np.where(rows["side"] == Side.BUY, ticks, -ticks)
    rows["price"] = np.where(chosen, past, rows["price"])
    rows["time_in_force"] = np.where(chosen, int(TimeInForce.IOC), rows["time_in_force"])


def _cancels(accounts: Records) -> Records:
    rows = np.zeros(len(accounts), COMMAND)
    rows["type"] = MsgType.CANCEL
    rows["account"] = accounts
    return rows


def _assemble(name: str, warm: Records, streams: list[tuple[Records, Integers]]) -> Flow:
    """The warm-up, then the streams turn by turn; each row with the command it refers to or -1."""
    turns = np.concatenate([np.arange(len(rows)) for rows, _ in streams])
    order = np.argsort(turns, kind="stable")
    rows = b"".join(part.tobytes() for part in (warm, *(rows for rows, _ in streams)))
    commands = np.frombuffer(rows, COMMAND)
    order = np.concatenate([np.arange(len(warm)), len(warm) + order])
    refs = np.concatenate([np.full(len(warm), -1), *(refs for _, refs in streams)])
    commands = numbered(commands[order])
    return Flow(name, setup_commands(1, ACCOUNTS, False), commands, refs[order], warm=len(warm))

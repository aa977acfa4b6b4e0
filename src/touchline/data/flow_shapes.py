"""Seeded flows of other shapes than a day's: wide, deep, a burst of trades, a storm of cancels.

They follow the rules of flow.py, from which they take everything random: raw generator bits and
integers alone, so the same bytes on every machine. Each begins with `warm` commands that fill the
book and that nobody times.
"""

from __future__ import annotations

import numpy as np

from touchline.core.messages import COMMAND, PRICE_MAX, MsgType, OrdType, Side, TimeInForce
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


SHAPES = {"wide": wide, "deep": deep, "burst": burst, "cancel-storm": cancel_storm}


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

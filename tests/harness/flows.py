"""Seeded commands for tests of the parts around the core."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from harness.commands import ACCOUNTS, SYMBOLS, commands, joined, new_order, text
from harness.commands import opening as listed
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    LANE_API,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
    make_commands,
)

PLAIN_TIMES = [TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]  # no terms
LIMITS = EngineCapacities(instruments_max=8, accounts_max=8, orders_max=4096, price_blocks_max=256)


def mixed_flow(seed: int, count: int, *, lane: int = LANE_API, first: int = 1) -> np.ndarray:
    """Commands numbered from `first` on: two names, a listing, accounts, then orders, cancels,
    replaces, some of which mean orders that are there and some that are not."""
    rng = np.random.default_rng([seed, lane, first])
    commands = np.zeros(count, COMMAND)
    commands["type"] = rng.choice(
        [MsgType.NEW_ORDER, MsgType.CANCEL, MsgType.REPLACE], count, p=[0.7, 0.2, 0.1]
    )
    commands["cl_ord_id"] = (lane << 32) | np.arange(first, first + count, dtype=np.uint64)
    commands["order_id"] = (rng.integers(1, 4, count) << 32) | rng.integers(0, 100, count)
    commands["account"] = rng.integers(0, 3, count)
    commands["side"] = rng.choice([Side.BUY, Side.SELL], count)
    commands["ord_type"] = OrdType.LIMIT
    commands["time_in_force"] = rng.choice([TimeInForce.DAY, TimeInForce.IOC], count, p=[0.8, 0.2])
    commands["price"] = rng.integers(90, 110, count)
    commands["qty"] = rng.integers(0, 50, count)
    if first == 1:
        prelude = min(count, 5)
        commands[:prelude] = opening(lane)[:prelude]
    return commands


def opening(lane: int) -> np.ndarray:
    first = lane << 32
    return make_commands(
        [
            text(Text.SYMBOL, 0, "AAA"),
            text(Text.ACCOUNT, 0, "ACC1"),
            {"type": MsgType.SECURITY_DEFINITION, "cl_ord_id": first + 3},
            {"type": MsgType.ACCOUNT, "account": 0, "cl_ord_id": first + 4},
            {"type": MsgType.ACCOUNT, "account": 1, "cl_ord_id": first + 5},
        ]
    )


def order_flow(seed: int, count: int) -> NDArray[np.void]:
    """Orders of every kind on all instruments, cancels and replaces, and some that are refused.

    Order ids are the engine's to give: an engine of the same capacities runs along to know them.
    """
    rng = random.Random(seed)
    twin = Engine(**LIMITS._asdict())
    twin.submit(listed())
    made = []
    for _ in range(count):
        resting = twin.orders(rng.randrange(len(SYMBOLS)), rng.choice(list(Side)))
        if len(resting) and rng.random() < 0.4:
            order = rng.choice(resting)
            row = {
                "type": rng.choice((MsgType.CANCEL, MsgType.REPLACE)),
                "order_id": order["order_id"],
                "account": order["account"],
                "price": rng.choice((order["price"], rng.randint(90, 110))),
                "qty": rng.randint(1, 20),
            }
        else:
            market = rng.random() < 0.1
            row = new_order(
                instrument=rng.randrange(len(SYMBOLS)),
                account=rng.randrange(len(ACCOUNTS)),
                side=rng.choice(list(Side)),
                ord_type=OrdType.MARKET if market else OrdType.LIMIT,
                time_in_force=rng.choice(PLAIN_TIMES),
                price=0 if market else rng.randint(90, 110),
                qty=rng.randint(0, 20),
            )
        command = commands([row])
        twin.submit(command)
        made.append(command)
    return joined(made)

"""Commands for tests, from rows of what matters: names, listings, an opening, orders."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    COMMAND,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
    make_commands,
)

SYMBOLS = ("AA", "AAA", "BBB")
ACCOUNTS = ("ACC1", "ACC2")


def commands(rows: list[dict[str, Any]]) -> NDArray[np.void]:
    return make_commands(rows)


def joined(
    parts: Iterable[NDArray[np.void]], nothing: np.dtype[np.void] = COMMAND
) -> NDArray[np.void]:
    """Commands or events one after the other, of parts each of which may be a view until the next
    comes; when there are no parts, none of the dtype `nothing`."""
    kept = [part.copy() for part in parts] or [np.empty(0, nothing)]
    return np.concatenate(kept, dtype=kept[0].dtype)


def text(kind: Text, key: int, value: str) -> dict[str, Any]:
    return {"type": MsgType.TEXT, "field": kind, "key": key, "text": value.encode()}


def listing(number: int, symbol: str, tick_size: str, lot_size: str = "1") -> list[dict[str, Any]]:
    return [
        text(Text.SYMBOL, number, symbol),
        text(Text.TICK_SIZE, number, tick_size),
        text(Text.LOT_SIZE, number, lot_size),
        text(Text.CURRENCY, number, "USD"),
        {"type": MsgType.SECURITY_DEFINITION, "instrument": number},
    ]


def opening() -> NDArray[np.void]:
    """Three instruments and two accounts."""
    rows = []
    for number, symbol in enumerate(SYMBOLS):
        rows += listing(number, symbol, "0.01", "10")
    for number, name in enumerate(ACCOUNTS):
        rows += [text(Text.ACCOUNT, number, name), {"type": MsgType.ACCOUNT, "account": number}]
    return commands(rows)


def new_order(**values: Any) -> dict[str, Any]:
    """A buy limit order for 1 at 100, but for what is given."""
    return {
        "type": MsgType.NEW_ORDER,
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "side": Side.BUY,
        "price": 100,
        "qty": 1,
    } | values

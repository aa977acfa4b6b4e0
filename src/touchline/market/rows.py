"""The plain values a market answers with: one tuple with names for each kind of thing.

Prices and quantities are Decimals, in the decimals of the instrument's tick and lot.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import NamedTuple

from touchline.core.messages import Side


class OrdStatus(enum.IntEnum):
    """What has become of an order: OrdStatus(39), each value its FIX character."""

    NEW = ord("0")
    PARTIALLY_FILLED = ord("1")
    FILLED = ord("2")
    CANCELED = ord("4")
    REJECTED = ord("8")


class Fill(NamedTuple):
    """One trade of an order: LastPx(31), LastQty(32), and the resting order it met."""

    last_px: Decimal
    last_qty: Decimal
    contra_order_id: int
    contra_account: str


class Trade(NamedTuple):
    """One trade of the market; `order_id`, `account` and `side` are the taker's.

    The contra order and account are the maker's. `seq` is the event's number and `ts_ns` the
    market's time, UTC nanoseconds, when it traded.
    """

    seq: int
    ts_ns: int
    symbol: str
    side: Side
    last_px: Decimal
    last_qty: Decimal
    order_id: int
    account: str
    contra_order_id: int
    contra_account: str


class Level(NamedTuple):
    """One price of a side of the book, and what rests there."""

    price: Decimal
    qty: Decimal
    orders: int


class OpenOrder(NamedTuple):
    """An order in the book."""

    order_id: int
    symbol: str
    account: str
    side: Side
    price: Decimal
    order_qty: Decimal
    leaves_qty: Decimal


class Position(NamedTuple):
    """What an account holds of an instrument, and its orders in the book on either side."""

    net: Decimal
    open_buy: Decimal
    open_sell: Decimal

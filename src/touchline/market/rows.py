"""The plain values a market answers with: one tuple with names for each kind of thing.

Prices and quantities are Decimals, in the decimals of the instrument's tick and lot.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import NamedTuple

from touchline.core.messages import Allocation, Side
from touchline.instruments import Instrument, Number


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


class AuctionPrice(NamedTuple):
    """What an auction comes to: the price, what trades there, and what then finds nobody.

    Without a price `price` and, without a surplus, `side` are None.
    """

    price: Decimal | None
    volume: Decimal
    surplus: Decimal
    side: Side | None


def _whole(number: Number) -> int:
    exact = Decimal(str(number))
    if exact != exact.to_integral_value():
        raise ValueError(f"{number} is no whole number of per cent")
    return int(exact)


class AllocationStep(NamedTuple):
    """A step of how an instrument shares out its trades: section 11 of docs/rules.md.

    `amount`: of TOP at most so much, of PRO_RATA to orders of so much at least, both a quantity; of
    FIFO and MARKET_MAKER per cent. `least`, of TOP and PRO_RATA: a quantity. `account`: of
    MARKET_MAKER. What a kind has not is None.
    """

    kind: Allocation
    amount: Number | None = None
    least: Number | None = None
    account: str | None = None

    def fields(self, instrument: Instrument) -> dict[str, int]:
        """Of the ALLOCATION command, but for instrument, number and account."""
        in_lots = self.kind in (Allocation.TOP, Allocation.PRO_RATA)
        units = instrument.to_lots if in_lots else _whole
        amount = 0 if self.amount is None else units(self.amount)
        least = 0 if self.least is None else units(self.least)
        return {"field": int(self.kind), "qty": amount, "price": least}


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

"""A market in this process for studies: names, decimal prices, one object for each answer.

    Market ── symbol, account, decimals ──► Engine ── events, copied ──► Report, read when asked

It adds no rule: what trades and what is refused is docs/rules.md, and a refusal is a Report, not an
exception. The market owns its engine, which `engine` gives for everything not here; docs/quants.md
says when to use which. One thread at a time may use a market and its reports.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.engine import Answer, Engine
from touchline.engine_listing import Listing
from touchline.instruments import Instrument
from touchline.messages import (
    COMMAND,
    ExecType,
    MsgType,
    Reason,
    Side,
    TimeInForce,
    reason_text,
)

Number = str | Decimal | int

# As a plain integer: a member of an enum is looked up twice each time it is named.
_BUY, _SELL = int(Side.BUY), int(Side.SELL)
_REFUSALS = (ExecType.REJECTED, ExecType.CANCEL_REJECTED)


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


class Level(NamedTuple):
    """One price of a side of the book, and what rests there."""

    price: Decimal
    qty: Decimal
    orders: int


class Position(NamedTuple):
    """What an account holds of an instrument, and its orders in the book on either side."""

    net: Decimal
    open_buy: Decimal
    open_sell: Decimal


class OpenOrder(NamedTuple):
    """An order in the book."""

    order_id: int
    symbol: str
    account: str
    side: Side
    price: Decimal
    order_qty: Decimal
    leaves_qty: Decimal


class Report(Answer):
    """What became of one request; holds the events and works out what is asked for.

    It does not change afterwards: a resting order that trades later is told in the reports of the
    orders that meet it, in `Market.open_orders` and in `Market.position`.
    """

    __slots__ = ()

    @property
    def instrument(self) -> Instrument:
        """The instrument the request was for."""
        listing: Listing[Report] = self.context
        return listing.instrument

    @property
    def account(self) -> str:
        """The name of the account the request was for."""
        listing: Listing[Report] = self.context
        return listing.account_names[self.account_number]

    @property
    def accepted(self) -> bool:
        """False when the request was refused and nothing has changed."""
        return self.exec_type not in _REFUSALS

    @property
    def text(self) -> str:
        """Why the request was refused, or why what was left of the order was canceled; or ""."""
        last = self.events[-1]
        reason = Reason(last["reason"])
        if self.accepted:
            return reason_text(reason)
        return reason_text(reason, int(last["value"]), int(last["limit"]))

    @property
    def fills(self) -> list[Fill]:
        """The trades of this request in order; empty when it met nothing."""
        listing: Listing[Report] = self.context
        to_price, to_qty = listing.instrument.to_price, listing.instrument.to_qty
        return [
            Fill(to_price(price), to_qty(qty), contra_order_id, listing.account_names[contra])
            for price, qty, contra_order_id, contra in self.trades
        ]

    @property
    def filled_qty(self) -> Decimal:
        """What this request has traded."""
        return self.instrument.to_qty(sum(qty for _, qty, _, _ in self.trades))

    @property
    def avg_px(self) -> Decimal | None:
        """AvgPx(6) of this request's trades; None when there are none."""
        trades = self.trades
        if not trades:
            return None
        value = sum(price * qty for price, qty, _, _ in trades)
        return self.instrument.to_price(value) / sum(qty for _, qty, _, _ in trades)

    @property
    def leaves_qty(self) -> Decimal:
        """LeavesQty(151): what is left of the order in the book."""
        return self.instrument.to_qty(self.leaves_lots if self.accepted else 0)

    @property
    def ord_status(self) -> OrdStatus:
        """OrdStatus(39) after this request; REJECTED of one that was refused."""
        if not self.accepted:
            return OrdStatus.REJECTED
        if self.last_exec_type == ExecType.CANCELED:
            return OrdStatus.CANCELED
        if self.leaves_lots == 0:
            return OrdStatus.FILLED
        executed = self.order_lots > self.leaves_lots
        return OrdStatus.PARTIALLY_FILLED if executed else OrdStatus.NEW

    def __repr__(self) -> str:
        what = f"{self.ord_status.name} {self.instrument.symbol} filled {self.filled_qty}"
        why = f": {self.text}" if self.text else ""
        return f"<Report {self.order_id} {what} leaves {self.leaves_qty}{why}>"


class Market:
    """Instruments, accounts and orders by name, over an engine of its own.

    Arguments are the limits of EngineLimits: `Market(orders_max=1_000_000)`. A price or quantity is
    text, Decimal or int, never float, and a whole number of ticks or lots, else PriceError or
    QtyError. A name that is not known is a LookupError.
    """

    def __init__(self, **limits: int) -> None:
        self.engine = Engine(**limits)
        self._listings: dict[str, Listing[Report]] = {}
        self._accounts: dict[str, int] = {}
        self._account_names: list[str] = []

    def list_instrument(
        self, symbol: str, tick_size: Number, lot_size: Number = 1, currency: str = ""
    ) -> Instrument:
        """List an instrument; ValueError when its name is taken or the engine has no place."""
        tick, lot = Decimal(tick_size), Decimal(lot_size)
        if symbol in self._listings or not (tick > 0 and lot > 0):
            raise ValueError(f"{symbol!r} is listed already, or its tick or lot is not positive")
        instrument = Instrument(len(self._listings), symbol, tick, lot, currency)
        self._administer(MsgType.SECURITY_DEFINITION, instrument=instrument.index)
        self._listings[symbol] = Listing(
            self.engine, instrument, self._accounts, self._account_names, Report
        )
        return instrument

    def open_account(self, name: str) -> None:
        """Open an account; ValueError when its name is taken or the engine has no place."""
        if name in self._accounts:
            raise ValueError(f"account {name!r} is open already")
        self._administer(MsgType.ACCOUNT, account=len(self._accounts))
        self._accounts[name] = len(self._accounts)
        self._account_names.append(name)

    def buy(
        self,
        symbol: str,
        qty: Number,
        price: Number | None = None,
        *,
        account: str,
        time_in_force: int = TimeInForce.DAY,
    ) -> Report:
        """Enter an order to buy, a market order when no price is given."""
        try:
            listing = self._listings[symbol]
        except KeyError:
            listing = self._listing(symbol)
        return listing.enter(_BUY, qty, price, account, time_in_force)

    def sell(
        self,
        symbol: str,
        qty: Number,
        price: Number | None = None,
        *,
        account: str,
        time_in_force: int = TimeInForce.DAY,
    ) -> Report:
        """Enter an order to sell, a market order when no price is given."""
        try:
            listing = self._listings[symbol]
        except KeyError:
            listing = self._listing(symbol)
        return listing.enter(_SELL, qty, price, account, time_in_force)

    def cancel(self, order: Report | OpenOrder) -> Report:
        """Cancel an order, named by the report that entered it or as open_orders gave it."""
        if isinstance(order, Report):
            listing: Listing[Report] = order.context
            return listing.cancel(order.order_id, order.account_number)
        return self._listing(order.symbol).cancel(order.order_id, self._account(order.account))

    def replace(self, order: Report | OpenOrder, qty: Number, price: Number) -> Report:
        """Change an order's total quantity, executed included, and its price.

        The order keeps its order_id. Rules 4.2 to 4.5 say when it keeps its place.
        """
        if isinstance(order, Report):
            listing: Listing[Report] = order.context
            return listing.replace(order.order_id, order.account_number, qty, price)
        owner = self._account(order.account)
        return self._listing(order.symbol).replace(order.order_id, owner, qty, price)

    def best_bid(self, symbol: str) -> Decimal | None:
        """The highest price somebody buys at, None when nobody does."""
        return self._price(symbol, self.engine.best_bid)

    def best_ask(self, symbol: str) -> Decimal | None:
        """The lowest price somebody sells at, None when nobody does."""
        return self._price(symbol, self.engine.best_ask)

    def depth(self, symbol: str, side: Side, levels_max: int = 10) -> list[Level]:
        """Price levels from the best outwards."""
        instrument = self._listing(symbol).instrument
        levels = self.engine.depth(instrument.index, side, levels_max).tolist()
        return [
            Level(instrument.to_price(price), instrument.to_qty(qty), orders)
            for price, qty, orders in levels
        ]

    def open_orders(self, symbol: str, side: Side) -> list[OpenOrder]:
        """Orders in the book, best price first, oldest first within a price."""
        listing = self._listing(symbol)
        to_price, to_qty = listing.instrument.to_price, listing.instrument.to_qty
        return [
            OpenOrder(
                int(order["order_id"]),
                symbol,
                listing.account_names[order["account"]],
                side,
                to_price(order["price"]),
                to_qty(order["order_qty"]),
                to_qty(order["leaves_qty"]),
            )
            for order in self.engine.orders(listing.instrument.index, side)
        ]

    def position(self, account: str, symbol: str) -> Position:
        """Net position and open quantities, zeros where the account never traded it."""
        instrument = self._listing(symbol).instrument
        lots = self.engine.position(self._account(account), instrument.index)
        return Position(*map(instrument.to_qty, lots))

    def _listing(self, symbol: str) -> Listing[Report]:
        if symbol not in self._listings:
            raise LookupError(f"no instrument {symbol!r} is listed")
        return self._listings[symbol]

    def _account(self, name: str) -> int:
        if name not in self._accounts:
            raise LookupError(f"no account {name!r} is open")
        return self._accounts[name]

    def _price(self, symbol: str, best: Callable[[int], int]) -> Decimal | None:
        instrument = self._listing(symbol).instrument
        ticks = best(instrument.index)
        return instrument.to_price(ticks) if ticks else None

    def _administer(self, kind: MsgType, **fields: int) -> None:
        command: NDArray[Any] = np.zeros(1, COMMAND)
        command["type"] = kind
        for name, value in fields.items():
            command[name] = value
        event = self.engine.submit(command)[0]
        if event["exec_type"] == ExecType.REJECTED:
            reason = Reason(event["reason"])
            raise ValueError(reason_text(reason, int(event["value"]), int(event["limit"])))

"""A market in this process for studies: names, decimal prices, one object for each answer.

    Market ── symbol, account, decimals ──► Engine ── events, copied ──► Report, read when asked

It adds no rule: what trades and what is refused is docs/rules.md, and a refusal is a Report, not an
exception. The market owns its engine, which `engine` gives for everything not here; docs/quants.md
says when to use which. One thread at a time may use a market and its reports. Set-up and queries
are here; the calls that run for every order are compiled, in touchline.market.entry.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, MsgType, Reason, Side, reason_text, refusals
from touchline.instruments import Instrument
from touchline.market.entry import Number, OpenOrder, OrderEntry
from touchline.market.listing import Listing


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


class Market(OrderEntry):
    """Instruments, accounts and orders by name, over an engine of its own.

    Arguments are an engine's capacities: `Market(orders_max=1_000_000)`. A price or quantity is
    text, Decimal or int, never float, and a whole number of ticks or lots, else PriceError or
    QtyError. A name that is not known is a LookupError.
    """

    def __init__(self, **capacities: int) -> None:
        super().__init__(Engine(**capacities))

    def list_instrument(
        self, symbol: str, tick_size: Number, lot_size: Number = 1, currency: str = ""
    ) -> Instrument:
        """List an instrument; ValueError when its name is taken or the engine has no place."""
        tick, lot = Decimal(tick_size), Decimal(lot_size)
        if symbol in self._listings or not (tick > 0 and lot > 0):
            raise ValueError(f"{symbol!r} is listed already, or its tick or lot is not positive")
        instrument = Instrument(len(self._listings), symbol, tick, lot, currency)
        self._administer(MsgType.SECURITY_DEFINITION, instrument=instrument.index)
        self._listings[symbol] = Listing(self.engine, instrument, self._account_names)
        return instrument

    def open_account(self, name: str) -> None:
        """Open an account; ValueError when its name is taken or the engine has no place."""
        if name in self._accounts:
            raise ValueError(f"account {name!r} is open already")
        self._administer(MsgType.ACCOUNT, account=len(self._accounts))
        self._accounts[name] = len(self._accounts)
        self._account_names.append(name)

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

    def _price(self, symbol: str, best: Callable[[int], int]) -> Decimal | None:
        instrument = self._listing(symbol).instrument
        ticks = best(instrument.index)
        return instrument.to_price(ticks) if ticks else None

    def _administer(self, kind: MsgType, **fields: int) -> None:
        command: NDArray[Any] = np.zeros(1, COMMAND)
        command["type"] = kind
        for name, value in fields.items():
            command[name] = value
        for event in refusals(self.engine.submit(command)):
            reason = Reason(event["reason"])
            raise ValueError(reason_text(reason, int(event["value"]), int(event["limit"])))

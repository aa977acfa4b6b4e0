"""A market in this process for studies: names, decimal prices, one object for each answer.

    Market ── symbol, account, decimals ──► Engine ── events, copied ──► Report, read when asked
                                              └─ trades, replaces ──► Record, for who asks later

It adds no rule: what trades and what is refused is docs/rules.md, and a refusal is a Report, not an
exception. The market owns its engine, which `engine` gives for everything not here; docs/quants.md
says when to use which. One thread at a time may use a market and its reports. Set-up, snapshots and
the tape are here; the calls that run at every step are compiled, in touchline.market.entry.
"""

from __future__ import annotations

import copy
import copyreg
import unicodedata
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from touchline.core.arguments import checked_whole
from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    Allocation,
    ExecType,
    MsgType,
    Reason,
    SelfTrade,
    Side,
    TradingStatus,
    reason_text,
    refusals,
)
from touchline.instruments import Instrument, Number
from touchline.market.entry import OrderEntry, _side_of
from touchline.market.listing import Listing
from touchline.market.record import Record
from touchline.market.rows import AllocationStep, AuctionPrice, OpenOrder, Trade
from touchline.market.snapshot import TS_NS_MAX, Contents, pack, unpack

_SIDES = {int(side): side for side in Side}


class Market(OrderEntry):
    """Instruments, accounts and orders by name, over an engine of its own.

    Arguments are an engine's capacities: `Market(orders_max=1_000_000)`. A price or quantity is
    text, Decimal, a whole number of any kind or a fraction, never a float, and a whole number of
    ticks or lots, else PriceError or QtyError. A name that is not known is a LookupError. A copy, a
    deep copy and a pickle are markets of their own; reports copied together with their market
    belong to the copy.
    """

    def __init__(self, **capacities: int) -> None:
        super().__init__(Engine(**capacities))

    def list_instrument(
        self, symbol: str, tick_size: Number, lot_size: Number = 1, currency: str = ""
    ) -> Instrument:
        """List an instrument, or nothing at all.

        Sizes are as Instrument takes them, else PriceError or QtyError. ValueError when the name is
        taken or empty, or all the engine's places are.
        """
        _check_name("symbol", symbol)
        if currency != "":
            _check_name("currency", currency)
        if symbol in self._listings:
            raise ValueError(f"{symbol!r} is listed already")
        number = len(self._listings)
        _check_room("instruments", number, self.engine.capacities.instruments_max)
        instrument = Instrument(number, symbol, tick_size, lot_size, currency)
        listing = Listing(self._record, instrument, self._account_names)
        self._administer(MsgType.SECURITY_DEFINITION, instrument=number)
        self._listings[symbol] = listing
        return instrument

    def open_account(self, name: str) -> None:
        """Open an account; ValueError when the name is taken or empty, or all places are."""
        _check_name("account", name)
        if name in self._accounts:
            raise ValueError(f"account {name!r} is open already")
        number = len(self._accounts)
        _check_room("accounts", number, self.engine.capacities.accounts_max)
        self._administer(MsgType.ACCOUNT, account=number)
        self._accounts[name] = number
        self._account_names.append(name)

    @property
    def instruments(self) -> list[Instrument]:
        """The instruments listed, by their numbers."""
        return [listing.instrument for listing in self._listings.values()]

    @property
    def accounts(self) -> list[str]:
        """The names of the accounts that are open, by their numbers."""
        return list(self._account_names)

    @property
    def ts_ns(self) -> int:
        """The market's time in UTC nanoseconds: what requests are stamped with, at first 0.

        It is the study's to set; ValueError for a time before the one it has.
        """
        return self._record.ts_ns

    @ts_ns.setter
    def ts_ns(self, value: int) -> None:
        wanted = value if type(value) is int else checked_whole(value, "ts_ns", -TS_NS_MAX)
        if not self._record.ts_ns <= wanted <= TS_NS_MAX:
            raise ValueError(f"ts_ns {wanted} is outside {self._record.ts_ns} to {TS_NS_MAX}")
        self._record.ts_ns = wanted

    def open_orders(self, symbol: str, side: Side | str) -> list[OpenOrder]:
        """Orders in the book, best price first, oldest first within a price; sides as of depth."""
        listing = self._listing(symbol)
        which = _side_of(side)
        orders = self.engine.orders(listing.instrument.index, which)
        columns = [orders[name].tolist() for name in ("order_id", "account", "price")]
        quantities = [orders[name].tolist() for name in ("order_qty", "leaves_qty")]
        return [
            OpenOrder(
                order_id,
                symbol,
                listing.account_names[account],
                _SIDES[which],
                listing.price(price),
                listing.qty(order_qty),
                listing.qty(leaves_qty),
            )
            for order_id, account, price, order_qty, leaves_qty in zip(
                *columns, *quantities, strict=True
            )
        ]

    def trades(self, symbol: str | None = None, after: int = 0) -> list[Trade]:
        """The market's trades, oldest first: of one instrument or of all, those after a `seq`.

        `market.trades(after=known[-1].seq)` gives what is new.
        """
        events = self._record.trades_after(after)
        if symbol is not None:
            events = events[events["instrument"] == self._listing(symbol).instrument.index]
        listings = list(self._listings.values())
        names = self._account_names
        for what, numbers, known in (
            ("instrument", events["instrument"], len(listings)),
            ("account", events["account"], len(names)),
            ("account", events["contra_account"], len(names)),
        ):
            if numbers.max(initial=0) >= max(known, 1):
                raise LookupError(f"{what} {numbers.max()} has no name in this market")
        columns = (
            "seq", "ts_ns", "instrument", "side", "price", "qty",
            "order_id", "account", "contra_order_id", "contra_account",
        )  # fmt: skip
        return [
            Trade(
                seq,
                ts_ns,
                listings[number].instrument.symbol,
                _SIDES[side],
                listings[number].price(price),
                listings[number].qty(qty),
                order_id,
                names[account],
                contra_order_id,
                names[contra_account],
            )
            for seq, ts_ns, number, side, price, qty, order_id, account, contra_order_id,
            contra_account in zip(*(events[name].tolist() for name in columns), strict=True)
        ]  # fmt: skip

    def trade_events(self, after: int = 0) -> NDArray[np.void]:
        """The trades after a `seq` as the engine told them, shape (n,), dtype EVENT. A copy."""
        return self._record.trades_after(after)

    def submit(self, commands: NDArray[np.void]) -> NDArray[np.void]:
        """Engine.submit, with its trades on the market's tape and in its reports.

        What is submitted to `engine` itself trades as well, and is on no tape.
        """
        events = self.engine.submit(commands)
        self._record.take(events.tobytes())
        return events

    def set_phase(
        self,
        symbol: str,
        phase: TradingStatus,
        *,
        ends_ns: int = 0,
        window_ns: int = 0,
        seed: int = 0,
    ) -> AuctionPrice | None:
        """Into another trading phase (section 9 of docs/rules.md), at the market's time.

        An auction does not end before `ends_ns`, UTC nanoseconds, and a part of `window_ns` that
        `seed` draws. What it would come to now, or has come to when this ends a call; None where
        there is neither. An auction's own phase again asks what it would come to. Its trades are on
        the tape. ValueError, and no change, when the engine refuses it.
        """
        listing = self._listing(symbol)
        events = self._said(
            MsgType.SECURITY_STATUS,
            instrument=listing.instrument.index,
            field=TradingStatus(phase),
            price=checked_whole(ends_ns, "ends_ns", 0),
            qty=checked_whole(window_ns, "window_ns", 0),
            order_id=checked_whole(seed, "seed", 0),
        )
        told = events[np.isin(events["exec_type"], (ExecType.INDICATIVE, ExecType.UNCROSSED))]
        if not len(told):
            return None
        price, side = int(told["price"][-1]), int(told["side"][-1])
        volume = int(told["qty"][-1]) | int(told["leaves_qty"][-1]) << 32
        return AuctionPrice(
            listing.price(price) if price else None,
            listing.qty(volume),
            listing.qty(int(told["order_id"][-1])),
            _SIDES.get(side),
        )

    def set_self_trade(self, account: str, mode: SelfTrade, group: int = 0) -> None:
        """What becomes of two orders of the account, or of its group's accounts, that would trade
        with each other: section 10 of docs/rules.md. ValueError for a group that can not be."""
        self._administer(
            MsgType.SELF_TRADE,
            account=self._account(account),
            field=SelfTrade(mode),
            price=checked_whole(group, "group", 0),
        )

    def set_allocation(self, symbol: str, steps: Sequence[AllocationStep]) -> None:
        """How trades of an instrument are shared out: section 11 of docs/rules.md.

        No steps: first in, first out. That is what it is, too, after a step that the engine
        refuses, which raises ValueError; but nothing changes while the instrument has orders.
        """
        instrument = self._listing(symbol).instrument
        plain = [AllocationStep(Allocation.FIFO, 100)]
        rows = [
            step.fields(instrument)
            | {"account": 0 if step.account is None else self._account(step.account)}
            for step in steps or plain
        ]
        for number, fields in enumerate(rows):
            try:
                self._administer(
                    MsgType.ALLOCATION, instrument=instrument.index, side=number, **fields
                )
            except ValueError:
                if number:
                    self.set_allocation(symbol, plain)
                raise

    def snapshot(self) -> bytes:
        """The whole market: names, sizes, accounts, time, tape, and the engine's state."""
        data, digest = pack(
            self.engine.capacities._asdict(),
            self.ts_ns,
            self.instruments,
            self._account_names,
            self._record.dump(),
            self.engine.snapshot(),
        )
        self._record.note_snapshot(digest)
        return data

    def restore(self, data: bytes) -> None:
        """Become the market of a snapshot; ValueError, and no change, when it does not fit.

        Reports of what was done after the snapshot are no longer of this market, nor, when another
        market took the snapshot, are those before it. `open_order` names their orders.
        """
        contents = unpack(data)
        own = self.engine.capacities._asdict()
        for name, value in contents.capacities.items():
            if own.get(name) != value:
                raise ValueError(
                    f"a snapshot of a market with {name} {value}; this one has {own.get(name)}, "
                    "and Market.from_snapshot makes one that fits"
                )
        self.engine.restore(contents.engine)
        self._record.load(contents.record)
        self._record.ts_ns = contents.ts_ns
        self._record.begin_epoch(contents.digest)
        self._name(contents)

    @classmethod
    def from_snapshot(cls, data: bytes) -> Self:
        """A market made of a snapshot, with the capacities of the one that took it.

        A derived class's constructor is not run.
        """
        contents = unpack(data)
        made = cls.__new__(cls)
        record = Record(Engine(**contents.capacities))
        record.engine.restore(contents.engine)
        record.load(contents.record)
        record.ts_ns = contents.ts_ns
        made._be(record, {}, [])
        made._name(contents)
        return made

    def _name(self, contents: Contents) -> None:
        """Take over the names of a snapshot, whose state the engine has."""
        names = list(contents.account_names)
        listings = {
            instrument.symbol: Listing(self._record, instrument, names)
            for instrument in contents.instruments
        }
        self._be(self._record, listings, names)

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self._record, self._listings, self._account_names, vars(self))
        return copyreg.__newobj__, (type(self),), state  # type: ignore[attr-defined]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *parts, attributes = state
        self._be(*parts)
        vars(self).update(attributes)

    def __copy__(self) -> Self:
        made = type(self).__new__(type(self))
        made._be(*copy.deepcopy((self._record, self._listings, self._account_names)))
        vars(made).update(vars(self))
        return made

    def _administer(self, kind: MsgType, **fields: int) -> None:
        self._said(kind, **fields)

    def _said(self, kind: MsgType, **fields: int) -> NDArray[np.void]:
        """What the engine says to one command; ValueError for a refusal."""
        command: NDArray[Any] = np.zeros(1, COMMAND)
        command["type"], command["ts_ns"] = kind, self.ts_ns
        for name, value in fields.items():
            command[name] = value
        events = self.submit(command)
        for event in refusals(events):
            reason = Reason(event["reason"])
            raise ValueError(reason_text(reason, int(event["value"]), int(event["limit"])))
        return events


def _check_name(what: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{what} {name!r} is no text")
    if not name:
        raise ValueError(f"{what} is empty")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise ValueError(f"{what} {name!r} holds what is no character to print")


def _check_room(what: str, used: int, room: int) -> None:
    if used >= room:
        raise ValueError(
            f"all {room} places for {what} are taken; a Market with a larger {what}_max has more"
        )

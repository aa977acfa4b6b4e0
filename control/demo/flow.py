"""What a demonstration client decides to send: makers quote around a wandering mid, takers trade.

Pure decisions from a seed: `next_request` says what to send at a moment, `take` learns from what
came back. No sockets and no clock; demo_client.py owns both and calls from one thread.
Some requests are wrong on purpose, one kind after another, so that refusals are seen as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle

from touchline.instruments import EXACT

BUY, SELL = "1", "2"
MARKET, LIMIT = "1", "2"
DAY, GTC, IOC, FOK = "0", "1", "3", "4"
STEPS_A_SECOND = 10
LEVELS = 4
BAD_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument as a client knows it."""

    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    mid: int
    """Ticks around which the walk starts."""

    def price(self, ticks: int) -> str:
        return f"{EXACT.multiply(ticks, self.tick_size):f}"

    def qty(self, lots: int) -> str:
        return f"{EXACT.multiply(lots, self.lot_size):f}"


@dataclass(frozen=True, slots=True)
class Request:
    """One FIX message to send: its MsgType and body fields by tag, ClOrdID among them."""

    msg_type: str
    fields: dict[int, str]


@dataclass(slots=True)
class Working:
    """An order of ours as we last heard of it; `pending` while a request about it is open."""

    listing: Listing
    side: str
    price: int
    qty: int
    cl_ord_id: str
    order_id: str = ""
    level: int = -1
    pending: bool = True


def walk(listing: Listing, seed: int, steps: int) -> list[int]:
    """The mid of an instrument at each step, in ticks; every client that knows the seed agrees."""
    rng = random.Random(f"{seed}/{listing.symbol}")
    mids, mid = [], listing.mid
    for _ in range(steps):
        mid += rng.choice((-2, -1, 0, 0, 1, 2)) + (1 if mid < listing.mid - 40 else 0)
        mids.append(mid)
    return mids


class Behaviour:
    """The orders of one client: which to send next, and what became of those sent.

    ClOrdIDs are `tag` and a number; the tag makes them new in a venue that has seen this client.
    """

    def __init__(
        self,
        comp_id: str,
        listings: list[Listing],
        *,
        tag: str,
        seed: int,
        maker: bool,
        seconds: float,
    ) -> None:
        self.tag = tag
        self._listings = listings
        self._maker = maker
        self._rng = random.Random(f"{seed}/{comp_id}")
        steps = int(seconds * STEPS_A_SECOND) + 2 * STEPS_A_SECOND
        self._mids = {item.symbol: walk(item, seed, steps) for item in listings}
        self._sent = 0
        self._slots: dict[tuple[str, str, int], Working] = {}
        self._requests: dict[str, Working] = {}
        self._orders: dict[str, Working] = {}
        self._resting: list[Working] = []
        self._bad = cycle(BAD_REQUESTS)

    def next_request(self, elapsed_s: float) -> Request:
        """What to send `elapsed_s` seconds after the start."""
        if self._rng.random() < BAD_SHARE:
            return next(self._bad)(self, self._rng.choice(self._listings), elapsed_s)
        if self._maker:
            return self._quote(elapsed_s)
        return self._trade(elapsed_s)

    def fence(self) -> Request:
        """A harmless last order: when it is answered, all earlier events have been reported."""
        listing = self._listings[0]
        return self._new(listing, BUY, listing.mid * 9 // 10, 1, time_in_force=IOC)

    def numbered(self, fields: Mapping[int, str]) -> Request:
        """An order that is none of the flow's, under a ClOrdID of its own."""
        return Request("D", {11: self.next_id(), **fields})

    def take(self, report: Mapping[int, str]) -> None:
        """Learn from an ExecutionReport or OrderCancelReject, given as fields by tag."""
        order = self._orders.get(report.get(37, "")) or self._requests.get(report.get(11, ""))
        self._requests.pop(report.get(11, ""), None)
        if order is None:
            return
        if report[35] == "9":
            order.pending = False
            if report.get(39) in ("2", "4", "8", "C"):
                self._forget(order)
            return
        order.order_id = report.get(37, "")
        self._orders[order.order_id] = order
        kind = report.get(150)
        if kind in ("0", "5"):
            order.cl_ord_id = report[11]
            order.pending = False
        if kind in ("4", "8", "C") or Decimal(report.get(151, "0")) == 0:
            self._forget(order)

    def _forget(self, order: Working) -> None:
        self._orders.pop(order.order_id, None)
        slot = (order.listing.symbol, order.side, order.level)
        if self._slots.get(slot) is order:
            del self._slots[slot]
        if order in self._resting:
            self._resting.remove(order)

    def mid(self, listing: Listing, elapsed_s: float) -> int:
        mids = self._mids[listing.symbol]
        return mids[min(int(elapsed_s * STEPS_A_SECOND), len(mids) - 1)]

    def next_id(self) -> str:
        self._sent += 1
        return f"{self.tag}-{self._sent}"

    def _new(
        self,
        listing: Listing,
        side: str,
        price: int,
        qty: int,
        *,
        ord_type: str = LIMIT,
        time_in_force: str = DAY,
    ) -> Request:
        fields = {
            11: self.next_id(),
            21: "1",
            55: listing.symbol,
            54: side,
            38: listing.qty(qty),
            40: ord_type,
            59: time_in_force,
        }
        if ord_type == LIMIT:
            fields[44] = listing.price(price)
        return Request("D", fields)

    def _rest(self, listing: Listing, side: str, price: int, qty: int, level: int) -> Request:
        """A new order that is meant to rest, remembered until it is gone."""
        time_in_force = GTC if self._rng.random() < 0.3 else DAY
        request = self._new(listing, side, price, qty, time_in_force=time_in_force)
        order = Working(listing, side, price, qty, request.fields[11], level=level)
        self._requests[order.cl_ord_id] = order
        if level >= 0:
            self._slots[listing.symbol, side, level] = order
        else:
            self._resting.append(order)
        return request

    def _cancel(self, order: Working) -> Request:
        return self._change(order, "F", {})

    def _replace(self, order: Working, price: int, qty: int) -> Request:
        order.price, order.qty = price, qty
        listing = order.listing
        return self._change(
            order, "G", {21: "1", 40: LIMIT, 44: listing.price(price), 38: listing.qty(qty)}
        )

    def _change(self, order: Working, msg_type: str, extra: dict[int, str]) -> Request:
        order.pending = True
        request_id = self.next_id()
        self._requests[request_id] = order
        fields = {11: request_id, 41: order.cl_ord_id, 55: order.listing.symbol, 54: order.side}
        return Request(msg_type, {38: order.listing.qty(order.qty), **fields, **extra})

    def _quote(self, elapsed_s: float) -> Request:
        """A maker's step: fill an empty slot of the ladder, or move, shrink or pull an order."""
        rng = self._rng
        for _ in range(8):
            listing, side = rng.choice(self._listings), rng.choice((BUY, SELL))
            level = rng.randrange(LEVELS)
            order = self._slots.get((listing.symbol, side, level))
            if order is None or (order.order_id and not order.pending):
                break
        else:
            return self.fence()
        away = 1 + 2 * level + rng.randrange(2)
        mid = self.mid(listing, elapsed_s)
        price = mid - away if side == BUY else mid + away
        if order is None:
            return self._rest(listing, side, price, rng.randint(5, 40), level)
        if rng.random() < 0.15:
            return self._cancel(order)
        if price == order.price:
            return self._replace(order, price, max(1, order.qty - rng.randint(1, 3)))
        return self._replace(order, price, rng.randint(5, 40))

    def _trade(self, elapsed_s: float) -> Request:
        """A taker's step: cross the spread now, or rest a little and change one's mind."""
        rng = self._rng
        listing, side = rng.choice(self._listings), rng.choice((BUY, SELL))
        mid = self.mid(listing, elapsed_s)
        through = rng.randint(1, 6)
        price = mid + through if side == BUY else mid - through
        roll = rng.random()
        if roll < 0.40:
            return self._new(listing, side, price, rng.randint(1, 25), time_in_force=IOC)
        if roll < 0.50:
            return self._new(listing, side, price, rng.randint(1, 50), time_in_force=FOK)
        if roll < 0.60:
            return self._new(listing, side, 0, rng.randint(1, 15), ord_type=MARKET)
        settled = [order for order in self._resting if order.order_id and not order.pending]
        if settled and (roll < 0.80 or len(self._resting) > 40):
            return self._cancel(rng.choice(settled))
        passive = mid - 2 if side == BUY else mid + 2
        return self._rest(listing, side, rng.choice((price, passive)), rng.randint(1, 20), -1)


BadRequest = Callable[[Behaviour, Listing, float], Request]


def _wrong(tag: int, value: str | None) -> BadRequest:
    """A resting order with one field changed, or left out when the value is None."""

    def make(flow: Behaviour, listing: Listing, elapsed_s: float) -> Request:
        price = flow.mid(listing, elapsed_s) - 3
        request = flow._new(listing, BUY, price, 1)
        if value is None:
            del request.fields[tag]
        else:
            request.fields[tag] = value
        return request

    return make


def _off_tick(flow: Behaviour, listing: Listing, elapsed_s: float) -> Request:
    request = flow._new(listing, BUY, flow.mid(listing, elapsed_s), 1)
    half_tick = EXACT.multiply(listing.tick_size, Decimal("0.5"))
    request.fields[44] = f"{EXACT.add(Decimal(request.fields[44]), half_tick):f}"
    return request


def _past_the_collar(flow: Behaviour, listing: Listing, elapsed_s: float) -> Request:
    return flow._new(listing, BUY, flow.mid(listing, elapsed_s) + 2500, 1)


def _too_large(flow: Behaviour, listing: Listing, elapsed_s: float) -> Request:
    return flow._new(listing, SELL, flow.mid(listing, elapsed_s), 750)


def _too_valuable(flow: Behaviour, listing: Listing, elapsed_s: float) -> Request:
    return flow._new(listing, BUY, flow.mid(listing, elapsed_s), 490)


def _duplicate(flow: Behaviour, listing: Listing, elapsed_s: float) -> Request:
    request = flow._new(listing, BUY, flow.mid(listing, elapsed_s) - 3, 1)
    request.fields[11] = f"{flow.tag}-1"
    return request


def _unknown_order(flow: Behaviour, listing: Listing, _: float) -> Request:
    fields = {
        11: flow.next_id(),
        41: f"{flow.tag}-none",
        55: listing.symbol,
        54: BUY,
        38: listing.qty(1),
    }
    return Request("F", fields)


BAD_REQUESTS: tuple[BadRequest, ...] = (
    _off_tick,
    _wrong(55, "ZZZ"),
    _too_large,
    _unknown_order,
    _past_the_collar,
    _too_valuable,
    _wrong(1, "NOBODY"),
    _wrong(38, "0"),
    _wrong(44, "-1"),
    _wrong(54, None),
    _duplicate,
)

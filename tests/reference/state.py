"""What the reference remembers, the limits of section 5 and the hash of section 7 of docs/rules.md.

Plain values in dicts and lists; tests/reference/engine.py is the only one to change them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from touchline.core.messages import (
    LIMIT_UNSET,
    PRICE_MAX,
    QTY_MAX,
    Allocation,
    ContingencyType,
    EntryStatus,
    Flag,
    OrdType,
    Reason,
    SelfTrade,
    Side,
    TermsFlag,
    TimeInForce,
    TradingStatus,
)


class Capacities(NamedTuple):
    """How much of everything there is room for."""

    instruments_max: int = 16
    accounts_max: int = 64
    orders_max: int = 65536
    positions_max: int = 1024
    price_blocks_max: int = 4096


NO_PREVENTION = (SelfTrade.ALLOWED, 0)  # of an account that nothing has been said of: 10.1
NET_MIN, NET_MAX = -(1 << 63), (1 << 63) - 1


@dataclass(eq=False)
class Order:
    order_id: int
    account: int
    instrument: int
    side: int
    ord_type: int
    time_in_force: int
    price: int
    order_qty: int
    leaves_qty: int
    # Section 8: the terms of a special order; of any other all zero.
    flags: int = 0
    stop_price: int = 0
    display_qty: int = 0
    waiting: bool = False  # for its stop price
    # Section 9: both are special as long as they are.
    collected: bool = False  # in a call phase
    parked: bool = False  # until the closing auction
    shown_qty: int = 0  # lots in the book for all to see; of an order that is not special, all
    expire_ns: int = 0  # 8.10
    min_qty: int = 0  # 8.11
    all_or_none: bool = False  # 8.12
    trail: int = 0  # 8.13: ticks or basis points
    trail_flags: int = 0  # TRAIL_BASIS_POINTS: the latter
    # Section 12
    contingency: int = 0
    partner: "Order | None" = None
    parent: "Order | None" = None
    children: list["Order"] = field(default_factory=list)
    child: bool = False  # another's trades release it, or have
    held: bool = False  # not yet
    released: bool = False  # it meets the book as soon as the instrument trades
    less: int = 0  # lots it loses by what its partner has traded
    stands: bool = False  # in one of the queues

    def follow(self, last: int) -> None:
        """8.13: its stop price follows a price, never back."""
        if not self.trail:
            return
        part = bool(self.trail_flags)
        distance = -(-last * self.trail // 10_000) if part else self.trail
        if self.side == Side.BUY:
            self.stop_price = min(self.stop_price, last + distance)
        else:
            self.stop_price = max(self.stop_price, last - distance)

    @property
    def linked(self) -> int:
        """7.2"""
        return self.child | self.held << 1 | self.released << 2 | self.contingency << 4

    @property
    def executed_qty(self) -> int:
        return self.order_qty - self.leaves_qty

    @property
    def special(self) -> bool:
        return bool(self.flags & Flag.SPECIAL)

    @property
    def hidden(self) -> bool:
        return bool(self.flags & Flag.HIDDEN)

    @property
    def at_market(self) -> bool:
        """Has it no limit price (yet)?"""
        return self.price == 0

    @property
    def call_key(self) -> int:
        """9.3: where it is in its side of a call, less being better; 0: at the market."""
        if self.at_market:
            return 0
        return (1 << 30) - self.price if self.side == Side.BUY else self.price

    @property
    def chain(self) -> int:
        """8.7: events more than one that it can cause in a command that is another order's."""
        parts = -(-self.order_qty // self.display_qty) if self.display_qty else 1
        stop = bool(self.stop_price)
        meets = 2 if stop or self.child else 1 if self.all_or_none else 0
        updated = 2 if self.child or self.contingency in UPDATES else 0
        return 2 * (parts - 1) + stop + self.child + meets + updated


# Phases by what they do: section 9.
CALLS = (TradingStatus.PRE_OPEN, TradingStatus.OPENING_AUCTION,
         TradingStatus.VOLATILITY_AUCTION, TradingStatus.CLOSING_AUCTION)  # fmt: skip
AUCTIONS = CALLS[1:]  # these publish what they would come to
RESTING_TIMES = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD)
FOR_AUCTIONS = (TimeInForce.AT_OPEN, TimeInForce.AT_CLOSE, TimeInForce.AUCTION)

# Order types by what they do: section 8.
LIMITED = (OrdType.LIMIT, OrdType.STOP_LIMIT, OrdType.LIMIT_IF_TOUCHED)
STOPS = (OrdType.STOP, OrdType.STOP_LIMIT)
TOUCHES = (OrdType.MARKET_IF_TOUCHED, OrdType.LIMIT_IF_TOUCHED)


UPDATES = (ContingencyType.OUO_ABSOLUTE, ContingencyType.OUO_PROPORTIONAL)


def lots_lost(order: Order, lots: int, qty: int, before: int) -> int:
    """12.3: of so many that it has, when its partner has traded `qty` of `before`."""
    if order.contingency == ContingencyType.OUO_ABSOLUTE:
        return min(qty, lots)
    if order.contingency == ContingencyType.OUO_PROPORTIONAL:
        return lots * qty // before
    return lots


def two_sides() -> dict[int, list[Order]]:
    return {Side.BUY: [], Side.SELL: []}


class Step(NamedTuple):
    """11.1"""

    kind: int
    account: int
    least: int
    amount: int


@dataclass
class Instrument:
    """6.1; `book` holds the resting orders of each side, the best price first, the oldest first;
    so do the others: what rests unseen, and what waits for a stop price, first to be met first."""

    number: int
    status: int = TradingStatus.READY_TO_TRADE
    price_min: int = 1
    price_max: int = PRICE_MAX
    qty_max: int = QTY_MAX
    price_collar: int = LIMIT_UNSET
    reference_price: int = 0
    ends_ns: int = 0  # 9.6: no auction ends before; 0: whenever it is told to
    book: dict[int, list[Order]] = field(default_factory=two_sides)
    hidden: dict[int, list[Order]] = field(default_factory=two_sides)
    stops: dict[int, list[Order]] = field(default_factory=two_sides)
    touches: dict[int, list[Order]] = field(default_factory=two_sides)
    all_or_none: dict[int, list[Order]] = field(default_factory=two_sides)
    call: dict[int, list[Order]] = field(default_factory=two_sides)
    parked: dict[int, list[Order]] = field(default_factory=two_sides)
    held: dict[int, list[Order]] = field(default_factory=two_sides)  # 12.5: released ones first
    trailing: dict[int, list[Order]] = field(default_factory=two_sides)  # 8.13: oldest first

    steps: list[Step] = field(default_factory=list)  # 11.1
    top: dict[int, int] = field(default_factory=lambda: {Side.BUY: 0, Side.SELL: 0})  # 11.3

    def shares_out(self) -> bool:
        """11.1"""
        alone = len(self.steps) == 1 and self.steps[0].kind == Allocation.FIFO
        return bool(self.steps) and not (alone and self.steps[0].amount == 100)

    def apart(self) -> list[list[Order]]:
        """8, 9: what is open but not in the book, in the order in which it is told of."""
        places = (self.hidden, self.stops, self.touches, self.all_or_none, self.call, self.parked,
                  self.held, self.trailing)  # fmt: skip
        return [lists[side] for lists in places for side in Side]

    def goes_special(self) -> bool:
        """8.2, 9: does any order go the way of special ones there?"""
        phase = self.status in CALLS or self.status == TradingStatus.CLOSING_PRICE
        return phase or self.shares_out() or self.has_special()

    def has_special(self) -> bool:
        return any(order.special for queue in [*self.book.values(), *self.apart()]
                   for order in queue)  # fmt: skip


class SentTerms(NamedTuple):
    """8.9: what a lane's last TERMS said."""

    cl_ord_id: int = 0
    expire_ns: int = 0
    min_qty: int = 0
    flags: int = 0
    contingency: int = 0
    cl_ord_link_id: int = 0
    trail: int = 0

    @property
    def whole(self) -> bool:
        return bool(self.flags & TermsFlag.ALL_OR_NONE)


@dataclass
class LastLinked:
    """12.1: a lane's last linked order, which its next may name."""

    cl_ord_id: int
    order: Order
    as_parent: bool
    filled: bool = False  # it has ended, and all of it has traded


@dataclass
class Position:
    """What an account has and may have in one instrument; `open_qty` is what rests in the book."""

    net: int = 0
    open_qty: dict[int, int] = field(default_factory=lambda: {Side.BUY: 0, Side.SELL: 0})
    order_qty_max: int = LIMIT_UNSET
    order_value_max: int = LIMIT_UNSET
    position_max: int = LIMIT_UNSET

    def trade(self, side: int, qty: int) -> None:
        """5.7"""
        net = self.net + (qty if side == Side.BUY else -qty)
        self.net = max(NET_MIN, min(net, NET_MAX))


class Refused(Exception):
    """1.3"""

    def __init__(self, reason: Reason, value: int, limit: int) -> None:
        super().__init__(reason, value, limit)
        self.reason, self.value, self.limit = reason, value, limit


def require(allowed: bool, reason: Reason, value: int = 0, limit: int = 0) -> None:
    if not allowed:
        raise Refused(reason, value, limit)


def as_good_as(side: int, price: int, other: int) -> bool:
    """To buy for more, or to sell for less, is the better offer to the other side."""
    return price >= other if side == Side.BUY else price <= other


@dataclass
class State:
    event_seq: int = 0
    venue_status: int = EntryStatus.OPEN
    instruments: dict[int, Instrument] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)  # number: entry status
    self_trades: dict[int, tuple[int, int]] = field(default_factory=dict)  # 10.1: mode, group
    positions: dict[tuple[int, int], Position] = field(default_factory=dict)
    open_orders: dict[int, Order] = field(default_factory=dict)
    generations: list[int] = field(default_factory=list)  # of every slot ever used
    free_slots: list[int] = field(default_factory=list)  # a stack; its top is the end
    terms: dict[int, SentTerms] = field(default_factory=dict)  # by lane
    last_linked: dict[int, LastLinked] = field(default_factory=dict)  # by lane


# Section 5: limits


def check_limits(instrument: Instrument, position: Position, order: Order, given_up: int) -> None:
    """5.6; `given_up` is what a replaced order has open until now."""
    most = position.order_qty_max
    require(order.order_qty <= most, Reason.ORDER_QTY_MAX, order.order_qty, most)  # 5.1
    check_collar(instrument, order)
    most = position.order_value_max
    value = price_to_value_at(instrument, order) * order.order_qty
    require(value <= most, Reason.ORDER_VALUE_MAX, value, most)
    most = position.position_max
    held = position.net if order.side == Side.BUY else -position.net
    reached = held + position.open_qty[order.side] - given_up + order.leaves_qty
    within = reached <= most or most == LIMIT_UNSET
    require(within, Reason.POSITION_MAX, min(reached, NET_MAX), most)  # 5.5, 5.7


def check_collar(instrument: Instrument, order: Order) -> None:
    """5.2"""
    collar, reference = instrument.price_collar, instrument.reference_price
    if collar == LIMIT_UNSET:
        return
    require(reference != 0, Reason.NO_REFERENCE_PRICE, 0, collar)
    if not order.at_market and not order.waiting:  # 8.3
        low, high = reference - collar, reference + collar
        require(order.price >= low, Reason.PRICE_COLLAR, order.price, low)
        require(order.price <= high, Reason.PRICE_COLLAR, order.price, high)


def protection_price(instrument: Instrument, side: int) -> int:
    """5.3"""
    collar, reference = instrument.price_collar, instrument.reference_price
    if collar == LIMIT_UNSET:
        return instrument.price_max if side == Side.BUY else instrument.price_min
    if side == Side.BUY:
        return min(reference + collar, instrument.price_max)
    return max(reference - collar, instrument.price_min)


def price_to_value_at(instrument: Instrument, order: Order) -> int:
    """5.4"""
    if not order.at_market:
        return order.price
    protection = protection_price(instrument, order.side)
    if order.side == Side.BUY:
        return max(protection, order.stop_price)  # 8.3
    bids = instrument.book[Side.BUY] + instrument.hidden[Side.BUY]
    best_bid = max((bid.price for bid in bids), default=0)
    return max(instrument.reference_price, best_bid, protection, order.stop_price)


# Section 7: state hash

U64 = (1 << 64) - 1


def mix(h: int, *values: int) -> int:
    for value in values:
        h = (h ^ (value & U64)) * 0x9E3779B97F4A7C15 & U64
        h ^= h >> 29
    return h


def state_hash(state: State) -> int:
    h = mix(0x746F7563686C696E, state.event_seq, state.venue_status)  # 7.1
    for number, instrument in sorted(state.instruments.items()):  # 7.2
        h = mix(h, number, instrument.status, instrument.price_min, instrument.price_max)
        h = mix(h, instrument.qty_max, instrument.price_collar, instrument.reference_price)
        h = mix(h, instrument.ends_ns) if instrument.ends_ns else h
        for side in (Side.BUY, Side.SELL):
            h = hash_queue(h, instrument.book[side])
        if instrument.has_special():
            for queue in instrument.apart():
                h = hash_queue(h, queue)
        if instrument.shares_out():
            for step in instrument.steps:
                h = mix(h, *step)
            for order_id in instrument.top.values():
                h = mix(h, order_id if order_id in state.open_orders else 0)
    for number, status in sorted(state.accounts.items()):  # 7.3
        h = mix(h, number, status)
        if any(state.self_trades.get(number, NO_PREVENTION)):
            h = mix(h, *state.self_trades[number])
    h = mix(h, sum(position_hash(*place) for place in state.positions.items()))  # 7.4
    h = mix(h, len(state.generations))  # 7.5
    for slot in reversed(state.free_slots):
        h = mix(h, slot, state.generations[slot])
    for lane, terms in sorted(state.terms.items()):  # 7.6
        if any(terms):
            more = terms.min_qty | terms.flags << 32 | terms.contingency << 40
            h = mix(h, lane, terms.cl_ord_id, terms.expire_ns, more, terms.cl_ord_link_id,
                    terms.trail)  # fmt: skip
    for lane, last in sorted(state.last_linked.items()):
        h = mix(h, lane, last.cl_ord_id, last.order.order_id, last.filled)
    return h


def hash_queue(h: int, queue: list[Order]) -> int:
    for order in queue:
        h = mix(h, order.order_id, order.price, order.leaves_qty, order.order_qty, order.account,
                order.time_in_force)  # fmt: skip
        if order.special:
            place = order.waiting | order.all_or_none << 1
            place |= order.collected << 2 | order.parked << 3
            what = order.ord_type | order.flags << 8 | place << 16 | order.linked << 24
            what |= order.trail << 32 | bool(order.trail_flags) << 63
            h = mix(h, what, order.stop_price, order.display_qty, order.expire_ns,
                    order.shown_qty)  # fmt: skip
            if order.linked:
                first = order.children[0] if order.children else None
                for other in (order.partner, order.parent, first):
                    h = mix(h, other.order_id if other else 0)
    return mix(h, 0)


def position_hash(place: tuple[int, int], position: Position) -> int:
    """7.4"""
    account, instrument = place
    return mix(0, account, instrument, position.net, position.open_qty[Side.BUY],
               position.open_qty[Side.SELL], position.order_qty_max, position.order_value_max,
               position.position_max)  # fmt: skip

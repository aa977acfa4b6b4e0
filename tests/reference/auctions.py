"""Section 9 of docs/rules.md: trading phases, what each takes, and the auctions among them.

The sixth of seven layers: Answers, Administration, Places, Linked, Matching, Auctions, Reference.
"""

from typing import NamedTuple

from reference.matching import Matching
from reference.state import (
    AUCTIONS,
    CALLS,
    RESTING_TIMES,
    Instrument,
    Order,
    Refused,
    as_good_as,
    mix,
    require,
)
from touchline.core.messages import (
    ExecType,
    Flag,
    OrdType,
    Reason,
    Side,
    TimeInForce,
    TradingStatus,
)

INT64_MAX = (1 << 63) - 1
UNCROSSES = (TradingStatus.READY_TO_TRADE, TradingStatus.CLOSING_PRICE, TradingStatus.CLOSED)
NOBODY = Order(0, 0, 0, 0, 0, 0, 0, 0, 0)


class Crossing(NamedTuple):
    """What an auction comes to at a price: lots to buy there or above, to sell there or below."""

    price: int
    bought: int
    sold: int

    @property
    def volume(self) -> int:
        return min(self.bought, self.sold)

    @property
    def surplus(self) -> int:
        """Above 0 to buy, below 0 to sell."""
        return self.bought - self.sold


class Auctions(Matching):
    # 9.1: from phase to phase

    def security_status(self) -> None:
        cmd, status = self.cmd, self.cmd.field
        at = self.listed_instrument(cmd.instrument)
        require(status in set(TradingStatus), Reason.INVALID_FIELD, status)
        if status != at.status:
            self.check_change(at, status)
        self.expire_due()
        if status in AUCTIONS and status == at.status:
            self.tell(ExecType.INDICATIVE, self.crossing(at))
            return
        if status != at.status:
            at.ends_ns = self.drawn_end() if status in AUCTIONS else 0
        at.status = status
        self.own = NOBODY
        self.report_administration(qty=status)
        if status in CALLS:
            self.collect_all(at)
        elif status in UNCROSSES and (at.call[Side.BUY] or at.call[Side.SELL]):
            self.uncross(at)
        self.work_off_triggers(at)
        if status in AUCTIONS:
            self.tell(ExecType.INDICATIVE, self.crossing(at))

    def check_change(self, at: Instrument, status: int) -> None:
        cmd = self.cmd
        if status != TradingStatus.HALTED and at.ends_ns:
            require(cmd.ts_ns >= at.ends_ns, Reason.TOO_EARLY, cmd.ts_ns)
        if status in AUCTIONS:
            require(cmd.price >= 0, Reason.INVALID_LIMIT, cmd.price, 0)
            require(cmd.qty >= 0, Reason.INVALID_LIMIT, cmd.qty, 0)
            latest = INT64_MAX - cmd.qty
            require(cmd.price <= latest, Reason.INVALID_LIMIT, cmd.price, latest)

    def drawn_end(self) -> int:
        """9.6"""
        cmd = self.cmd
        return cmd.price + mix(0, cmd.order_id, cmd.instrument) % (cmd.qty + 1)

    # 9.2: what a phase takes

    def check_phase(self, at: Instrument, order: Order) -> None:
        time, taken = order.time_in_force, True
        if at.status in CALLS:
            opening = at.status in (TradingStatus.PRE_OPEN, TradingStatus.OPENING_AUCTION)
            taken = time not in (TimeInForce.IOC, TimeInForce.FOK)
            taken &= not (order.flags & Flag.POST_ONLY or order.all_or_none or order.min_qty)
            taken &= opening or time != TimeInForce.AT_OPEN
        elif at.status == TradingStatus.CLOSING_PRICE:
            taken = time in (*RESTING_TIMES, TimeInForce.IOC)
            taken &= order.ord_type == OrdType.LIMIT and not order.special
        else:
            taken = time not in (TimeInForce.AT_OPEN, TimeInForce.AUCTION)
        require(taken, Reason.NOT_IN_PHASE, at.status)

    def check_closing_price(self, at: Instrument, order: Order) -> None:
        """9.7"""
        if at.status != TradingStatus.CLOSING_PRICE:
            return
        closing = at.reference_price
        require(closing != 0, Reason.NO_REFERENCE_PRICE)
        require(order.price == closing, Reason.NOT_CLOSING_PRICE, order.price, closing)
        best = self.best_opposite(at, order)
        better = best is not None and as_good_as(order.side, closing, best.price)
        if best is not None and better:
            require(best.price == closing, Reason.NOT_CLOSING_PRICE, best.price, closing)

    def assign_place(self, at: Instrument, order: Order) -> None:
        """9.3: what is collected, or waits for the closing auction, is special for so long."""
        at_close = order.time_in_force == TimeInForce.AT_CLOSE
        order.parked = at_close and at.status != TradingStatus.CLOSING_AUCTION
        order.collected = at.status in CALLS and not order.parked and not order.waiting
        if order.held:
            order.parked = order.collected = False
        if order.parked or order.collected:
            order.flags |= Flag.SPECIAL

    # 9.3: collected

    def collect_all(self, at: Instrument) -> None:
        for queue in [*at.book.values(), *at.hidden.values()]:
            for order in list(queue):
                shown = not order.hidden
                self.leave(order)
                order.collected = True
                order.flags |= Flag.SPECIAL
                if self.stands(at, order) and shown:
                    self.restate(order)
        if at.status == TradingStatus.CLOSING_AUCTION:
            for queue in at.parked.values():
                for order in list(queue):
                    self.leave(order)
                    order.parked, order.collected = False, True
                    self.stands(at, order)

    def stands(self, at: Instrument, order: Order) -> bool:
        """Of an order that has left its place: has it found the other?"""
        try:
            self.check_level_place(at, order, order.price)
        except Refused:
            self.take_off(order, ExecType.CANCELED, Reason.LEVELS_FULL)
            return False
        self.rest(at, order)
        return True

    # 9.4: the price

    def crossing_at(self, at: Instrument, price: int) -> Crossing:
        bought, sold = (
            sum(order.leaves_qty for order in at.call[side]
                if order.at_market or as_good_as(side, order.price, price))
            for side in (Side.BUY, Side.SELL)
        )  # fmt: skip
        return Crossing(price, bought, sold)

    def crossing(self, at: Instrument) -> Crossing:
        """Most volume, least surplus, the side that presses, the reference price."""
        prices = {order.price for queue in at.call.values() for order in queue} - {0}
        prices = prices or {at.reference_price} - {0}
        found = [self.crossing_at(at, price) for price in sorted(prices)]
        volume = max((crossing.volume for crossing in found), default=0)
        if volume == 0:
            return Crossing(0, 0, 0)
        found = [crossing for crossing in found if crossing.volume == volume]
        least = min(abs(crossing.surplus) for crossing in found)
        found = [crossing for crossing in found if abs(crossing.surplus) == least]
        if all(crossing.surplus > 0 for crossing in found):
            return found[-1]
        if all(crossing.surplus < 0 for crossing in found):
            return found[0]
        price = max(found[0].price, min(at.reference_price, found[-1].price))
        return self.crossing_at(at, price)

    def tell(self, exec_type: int, crossing: Crossing) -> None:
        surplus = crossing.surplus
        side = 0 if surplus == 0 else Side.BUY if surplus > 0 else Side.SELL
        self.report(exec_type, cl_ord_id=self.cmd.cl_ord_id, instrument=self.cmd.instrument,
                    account=self.cmd.account, price=crossing.price, limit=crossing.volume,
                    order_id=abs(surplus), side=side)  # fmt: skip

    # 9.5: the uncross

    def uncross(self, at: Instrument) -> None:
        crossing = self.crossing(at)
        self.tell(ExecType.UNCROSSED, crossing)
        left = crossing.volume
        lose: list[Order] = []
        while left > 0:
            left -= self.cross(at, crossing.price, left, lose)
        for order in lose:
            self.settle(order)
        for queue in at.call.values():
            for order in list(queue):
                self.let_go(at, order, crossing.price)
        self.traded_at = [crossing.price] if crossing.volume else []

    def cross(self, at: Instrument, price: int, left: int, lose: list[Order]) -> int:
        """The first of either side trade, at the one price; 12.3: their partners lose by it."""
        buy, sell = at.call[Side.BUY][0], at.call[Side.SELL][0]
        qty = min(buy.leaves_qty, sell.leaves_qty, left)
        for order in (sell, buy):
            noted = order.partner is None or order.partner.less > 0
            self.note_traded(order, qty)
            if order.partner is not None and not noted and order.partner.less:
                lose.append(order.partner)
        for order in (buy, sell):
            order.leaves_qty -= qty
            self.position_of(order).open_qty[order.side] -= qty
            self.position_of(order).trade(order.side, qty)
        at.reference_price = price
        self.report(
            ExecType.TRADE,
            order_id=buy.order_id,
            contra_order_id=sell.order_id,
            price=price,
            qty=qty,
            leaves_qty=buy.leaves_qty,
            account=buy.account,
            contra_account=sell.account,
            instrument=buy.instrument,
            side=buy.side,
            ord_type=buy.ord_type,
            time_in_force=buy.time_in_force,
            flags=Flag.HIDDEN | (Flag.MAKER_DONE if sell.leaves_qty == 0 else 0),
        )
        for order in (sell, buy):
            if order.leaves_qty == 0:
                at.call[order.side].remove(order)
                order.stands = False
                self.end(order)
        return qty

    def let_go(self, at: Instrument, order: Order, price: int) -> None:
        """What the uncross has left of an order: into the book, or off."""
        self.leave(order)
        if order.ord_type == OrdType.MARKET_TO_LIMIT and order.at_market:
            order.price = price
        if order.at_market:
            self.take_off(order, ExecType.CANCELED, Reason.MARKET_REMAINDER)
            return
        if order.time_in_force not in RESTING_TIMES:
            self.take_off(order, ExecType.CANCELED, Reason.AUCTION_REMAINDER)
            return
        order.collected = False
        if not self.stands(at, order):
            return
        without_terms = order.flags == Flag.SPECIAL and not (order.display_qty or order.expire_ns)
        if without_terms and order.ord_type == OrdType.LIMIT and not order.linked:
            order.flags = 0
        if not order.hidden:
            self.restate(order)

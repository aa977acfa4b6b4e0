"""Section 3 of docs/rules.md, and what section 8 adds to it: how an order meets the book.

The fifth of seven layers: Answers, Administration, Places, Linked, Matching, Auctions, Reference.
"""

from itertools import chain

from reference.linked import Linked, lots_lost, slot_of
from reference.state import (
    NO_PREVENTION,
    STOPS,
    Capacities,
    Instrument,
    Order,
    Refused,
    as_good_as,
    check_collar,
    protection_price,
)
from touchline.core.messages import (
    Allocation,
    ExecType,
    Flag,
    OrdType,
    Reason,
    SelfTrade,
    Side,
    TimeInForce,
    TradingStatus,
)

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}


class Matching(Linked):
    def __init__(self, capacities: Capacities) -> None:
        super().__init__(capacities)
        self.traded_at: list[int] = []  # prices of trades since triggers were looked for

    # Meeting the book

    def makers(self, instrument: Instrument, side: int) -> list[Order]:
        """8.5, 8.12: at one price what is shown, then what is hidden, then what trades whole."""
        queues = (instrument.book[side], instrument.hidden[side], instrument.all_or_none[side])
        falling = -1 if side == Side.BUY else 1
        return sorted(chain(*queues), key=lambda order: falling * order.price)  # stable

    def next_maker(self, instrument: Instrument, side: int, lots: int) -> Order | None:
        """8.12: who trades whole is passed by where the lots are too few."""
        for maker in self.makers(instrument, side):
            if not maker.all_or_none or maker.leaves_qty <= lots:
                return maker
        return None

    def available(self, instrument: Instrument, taker: Order, limit: int) -> int:
        """3.5, 8.11, 8.12, 10.6: lots it would trade; played through, part by part, undone."""
        side, left = OPPOSITE[Side(taker.side)], taker.leaves_qty
        queue = [(maker, maker.leaves_qty if maker.hidden else maker.shown_qty)
                 for maker in self.makers(instrument, side)
                 if as_good_as(taker.side, limit, maker.price)]  # fmt: skip
        if instrument.shares_out():  # 11.5: its owner's before all others
            best_first = -1 if side == Side.BUY else 1
            queue.sort(
                key=lambda part: (
                    part[0].price * best_first,
                    part[0].hidden,
                    not part[0].hidden and not self.is_self_trade(taker, part[0]),
                )
            )
        unseen = {maker.order_id: maker.leaves_qty - shown for maker, shown in queue}
        traded: dict[int, int] = {}  # 12.3: by whom its partner loses some
        while queue and left > 0:
            maker, shown = queue.pop(0)
            if maker.all_or_none and maker.leaves_qty > left:
                continue
            if self.is_self_trade(taker, maker):
                mode = self.state.self_trades[taker.account][0]
                if mode == SelfTrade.DECREMENT_BOTH or self.ends_by_meeting(taker, left, maker)[0]:
                    break
                continue
            other = maker.partner
            if other is not None and traded.get(other.order_id):
                shown -= lots_lost(maker, shown, traded[other.order_id], other.leaves_qty)
            traded[maker.order_id] = min(left, shown)
            left -= min(left, shown)
            part = min(maker.display_qty, unseen[maker.order_id])
            if part:
                unseen[maker.order_id] -= part
                behind = [at for at, (other, _) in enumerate(queue)
                          if other.price == maker.price and not other.hidden]  # fmt: skip
                queue.insert(behind[-1] + 1 if behind else 0, (maker, part))
        return taker.leaves_qty - left

    def best_opposite(self, instrument: Instrument, order: Order) -> Order | None:
        return self.next_maker(instrument, OPPOSITE[Side(order.side)], 0)

    def limit_price(self, instrument: Instrument, taker: Order) -> int:
        """3.3, 8.6"""
        if not taker.at_market:
            return taker.price
        limit = protection_price(instrument, taker.side)
        best = self.next_maker(instrument, OPPOSITE[Side(taker.side)], taker.leaves_qty)
        to_limit = taker.ord_type == OrdType.MARKET_TO_LIMIT and best is not None
        if best and to_limit and as_good_as(taker.side, limit, best.price):
            taker.price = best.price
            return taker.price
        return limit

    def meet_book(self, instrument: Instrument, taker: Order, told: bool) -> None:
        """`told`: 8.2, an event says where it rests. 12.3: then what its partner loses is told."""
        partner = taker.partner
        self.meet_makers(instrument, taker, told)
        self.settle(partner)

    def meet_makers(self, instrument: Instrument, taker: Order, told: bool) -> None:
        limit = self.limit_price(instrument, taker)
        side = OPPOSITE[Side(taker.side)]
        whole = taker.time_in_force == TimeInForce.FOK or taker.all_or_none
        needed = taker.leaves_qty if whole else taker.min_qty
        taker.min_qty = 0
        if self.available(instrument, taker, limit) < needed:
            self.not_at_once(instrument, taker, told)
            return
        alone = taker.flags & Flag.POST_ONLY or instrument.status != TradingStatus.READY_TO_TRADE
        while taker.leaves_qty > 0:  # 3.1
            maker = self.next_maker(instrument, side, 0 if alone else taker.leaves_qty)
            if maker is None or not as_good_as(taker.side, limit, maker.price):
                break
            if maker is taker.partner:
                self.cancel_linked(maker)
                continue
            if instrument.shares_out() and not maker.hidden:
                if not self.meet_level(instrument, taker, maker.price):
                    return
                continue
            if not self.is_self_trade(taker, maker):
                self.trade(instrument, taker, maker)
            elif not self.prevent(instrument, taker, maker):
                return
        if taker.leaves_qty == 0:
            self.end(taker)
        elif taker.time_in_force == TimeInForce.IOC:  # 3.4
            self.take_off(taker, ExecType.CANCELED, Reason.IOC_REMAINDER)
        elif taker.at_market:
            self.take_off(taker, ExecType.CANCELED, Reason.MARKET_REMAINDER)
        else:
            self.rest_or_end(instrument, taker, told)

    def not_at_once(self, instrument: Instrument, taker: Order, told: bool) -> None:
        """3.5, 8.11, 8.12"""
        if taker.all_or_none:
            self.rest_or_end(instrument, taker, told)
        elif taker.time_in_force == TimeInForce.FOK:
            self.take_off(taker, ExecType.CANCELED, Reason.FOK_UNFILLED)
        else:
            self.take_off(taker, ExecType.CANCELED, Reason.MIN_QTY)

    # Allocation: section 11

    def meet_level(self, instrument: Instrument, taker: Order, price: int) -> bool:
        """11.2, 11.5: does the order that comes go on?"""
        book = instrument.book[OPPOSITE[Side(taker.side)]]
        makers = [maker for maker in book if maker.price == price]
        for maker in makers:
            if self.is_self_trade(taker, maker):
                return self.prevent(instrument, taker, maker)
        for maker, qty in zip(makers, self.shares(instrument, taker, makers), strict=True):
            if qty:
                self.trade(instrument, taker, maker, qty)
        return True

    def shares(self, instrument: Instrument, taker: Order, makers: list[Order]) -> list[int]:
        """11.2 to 11.4: what each gets of the order that comes."""
        shares, left, base = [0] * len(makers), taker.leaves_qty, 0

        def give(chosen: list[int], most: int) -> None:
            nonlocal left
            for at in chosen:
                qty = min(makers[at].shown_qty - shares[at], most, left)
                shares[at] += qty
                left -= qty
                most -= qty

        everybody = list(range(len(makers)))
        for number, (kind, account, least, amount) in enumerate(instrument.steps):
            if left == 0:
                break
            if kind == Allocation.FIFO:
                give(everybody, left * amount // 100)
            elif kind == Allocation.TOP:
                top = instrument.top[makers[0].side]
                give([at for at in everybody
                      if makers[at].order_id == top and makers[at].shown_qty >= least],
                     amount)  # fmt: skip
            elif kind == Allocation.MARKET_MAKER:
                if number == 0 or instrument.steps[number - 1].kind != kind:
                    base = left
                give([at for at in everybody if makers[at].account == account],
                     base * amount // 100)  # fmt: skip
            elif kind == Allocation.PRO_RATA:
                rooms = [maker.shown_qty - share
                         for maker, share in zip(makers, shares, strict=True)]  # fmt: skip
                sharers = [at for at in everybody if rooms[at] >= amount]
                total, wanted = sum(rooms[at] for at in sharers), left
                for at in sharers:
                    part = rooms[at] * wanted // total
                    give([at], part if part >= least else 0)
            else:
                for at in everybody:
                    give([at], 1 if shares[at] == 0 else 0)
        give(everybody, left)
        return shares

    def rest_or_end(self, instrument: Instrument, taker: Order, told: bool) -> None:
        """3.4, 8.6: who was not sure of a place when it came may find none."""
        try:
            self.check_level_place(instrument, taker, taker.price)
        except Refused:
            self.take_off(taker, ExecType.CANCELED, Reason.LEVELS_FULL)
            return
        self.rest(instrument, taker)
        if told and not taker.hidden:
            self.restate(taker)

    def trade(
        self, instrument: Instrument, taker: Order, maker: Order, share: int | None = None
    ) -> None:
        """3.1, 3.2, 3.7"""
        qty = share or self.standing_qty(taker, maker)
        self.position_of(maker).trade(maker.side, qty)
        self.position_of(taker).trade(taker.side, qty)
        instrument.reference_price = maker.price
        self.traded_at.append(maker.price)
        partner = maker.partner
        self.note_traded(maker, qty)
        self.note_traded(taker, qty)
        self.take(instrument, taker, maker, qty, ExecType.TRADE)
        self.settle(partner)

    def standing_qty(self, taker: Order, maker: Order) -> int:
        """Of an iceberg, as much as it shows: 8.4."""
        return min(taker.leaves_qty, maker.leaves_qty if maker.hidden else maker.shown_qty)

    def take(
        self, instrument: Instrument, taker: Order, maker: Order, qty: int, exec_type: int
    ) -> None:
        """3.2, 8.4, 8.5: so many lots less of both, in one event."""
        taker.leaves_qty -= qty
        maker.leaves_qty -= qty
        maker.shown_qty -= 0 if maker.hidden else qty
        self.position_of(maker).open_qty[maker.side] -= qty
        done = Flag.MAKER_DONE if maker.leaves_qty == 0 else 0
        self.report(
            exec_type,
            order_id=taker.order_id,
            contra_order_id=maker.order_id,
            price=maker.price,
            qty=qty,
            leaves_qty=taker.leaves_qty,
            account=taker.account,
            contra_account=maker.account,
            instrument=taker.instrument,
            side=taker.side,
            ord_type=taker.ord_type,
            time_in_force=taker.time_in_force,
            reason=Reason.NONE if exec_type == ExecType.TRADE else Reason.SELF_TRADE,
            flags=done | (maker.flags & Flag.HIDDEN),
        )
        if maker.leaves_qty == 0:
            self.queue_of(instrument, maker).remove(maker)
            self.end(maker)
        elif maker.shown_qty == 0 and not maker.hidden:
            self.leave(maker)
            self.rest(instrument, maker, next_part=True)
            self.restate(maker)

    # Self-trade prevention: section 10

    def is_self_trade(self, taker: Order, maker: Order) -> bool:
        """10.1, 10.2"""
        mode, group = self.state.self_trades.get(taker.account, NO_PREVENTION)
        other_group = self.state.self_trades.get(maker.account, NO_PREVENTION)[1]
        one = taker.account == maker.account or (group != 0 and group == other_group)
        return one and mode != SelfTrade.ALLOWED

    def ends_by_meeting(self, taker: Order, left: int, maker: Order) -> tuple[bool, bool]:
        """10.3: does the order that comes, which has so much left, and does the maker?"""
        mode = self.state.self_trades[taker.account][0]
        smaller = mode == SelfTrade.CANCEL_SMALLER
        return (
            mode in (SelfTrade.CANCEL_AGGRESSOR, SelfTrade.CANCEL_BOTH)
            or (smaller and left <= maker.leaves_qty),
            mode in (SelfTrade.CANCEL_RESTING, SelfTrade.CANCEL_BOTH)
            or (smaller and maker.leaves_qty <= left),
        )

    def prevent(self, instrument: Instrument, taker: Order, maker: Order) -> bool:
        """10.3 to 10.5; does the order that comes go on?"""
        if self.state.self_trades[taker.account][0] == SelfTrade.DECREMENT_BOTH:
            qty = self.standing_qty(taker, maker)
            taker.order_qty -= qty
            maker.order_qty -= qty
            self.take(instrument, taker, maker, qty, ExecType.DECREMENTED)
            return True
        taker_ends, maker_ends = self.ends_by_meeting(taker, taker.leaves_qty, maker)
        if maker_ends:
            self.leave(maker)
            self.take_off(maker, ExecType.CANCELED, Reason.SELF_TRADE)
        if taker_ends:
            self.take_off(taker, ExecType.CANCELED, Reason.SELF_TRADE)
        return not taker_ends

    # Past their time

    def expire_due(self) -> int:
        """8.10"""
        expired = 0
        due = [order for order in self.state.open_orders.values()
               if order.expire_ns and order.expire_ns <= self.cmd.ts_ns]  # fmt: skip
        for order in sorted(due, key=lambda order: (order.expire_ns, slot_of(order))):
            if order.order_id not in self.state.open_orders:  # 12.4: with its parent
                continue
            self.leave(order)
            self.report_order(ExecType.EXPIRED, order, qty=order.leaves_qty, cl_ord_id=0)
            self.end(order)
            expired += 1
        return expired

    # Waiting and triggers: 8.3

    def met(self, order: Order, low: int, high: int) -> bool:
        """Has a price between these met the order's stop price?"""
        upwards = (order.side == Side.BUY) == (order.ord_type in STOPS)
        return high >= order.stop_price if upwards else low <= order.stop_price

    def trigger(self, order: Order) -> None:
        order.waiting = False
        self.report_order(ExecType.TRIGGERED, order, qty=order.order_qty,
                          leaves_qty=order.leaves_qty)  # fmt: skip

    def triggered_now(self, instrument: Instrument) -> list[Order]:
        """Who was released, and whom the trades since the last look have triggered."""
        prices, self.traded_at = self.traded_at, []
        found = self.released_now(instrument)
        if not prices:
            return found
        trailing = self.trail(instrument, prices)
        for lists in (instrument.stops, instrument.touches):
            for side in Side:
                while lists[side] and self.met(lists[side][0], min(prices), max(prices)):
                    found.append(lists[side][0])
                    self.leave(lists[side][0])
                    self.trigger(found[-1])
        for order in trailing:
            found.append(order)
            self.leave(order)
            self.trigger(order)
        return found

    def trail(self, instrument: Instrument, prices: list[int]) -> list[Order]:
        """8.13: all that trail follow price by price; those that one of them has met."""
        waiting = [order for side in Side for order in instrument.trailing[side]]
        met: list[Order] = []
        for price in prices:
            for order in waiting:
                if order in met:
                    continue
                if self.met(order, price, price):
                    met.append(order)
                else:
                    order.follow(price)
        return [order for order in waiting if order in met]

    def still_waits(self, instrument: Instrument, order: Order) -> bool:
        """12.5: of one that was released; has the last price met its stop price?"""
        last = instrument.reference_price
        if not order.waiting:
            return False
        if last:
            order.follow(last)
        if last and self.met(order, last, last):
            self.trigger(order)
            return False
        try:
            self.check_level_place(instrument, order, order.price)
        except Refused:
            self.take_off(order, ExecType.CANCELED, Reason.LEVELS_FULL)
            return True
        self.rest(instrument, order)
        return True

    def meet_after_trigger(self, instrument: Instrument, order: Order) -> None:
        if order.less and not self.lessen(order):
            return
        if self.still_waits(instrument, order):
            return
        if not order.at_market:
            try:
                check_collar(instrument, order)
            except Refused:
                self.take_off(order, ExecType.CANCELED, Reason.PRICE_COLLAR)
                return
        self.meet_book(instrument, order, told=True)

    def work_off_triggers(self, instrument: Instrument) -> None:
        """8.3, 8.12: then those that wait to trade whole, the first that can, until none can."""
        if instrument.status != TradingStatus.READY_TO_TRADE:  # 9.8
            self.traded_at = []
            return
        self.work_off_queue(instrument)
        while order := self.able(instrument):
            self.leave(order)
            self.meet_book(instrument, order, told=True)
            self.work_off_queue(instrument)

    def able(self, instrument: Instrument) -> Order | None:
        """8.12"""
        for order in chain(*(instrument.all_or_none[side] for side in Side)):
            if self.available(instrument, order, order.price) == order.leaves_qty:
                return order
        return None

    def work_off_queue(self, instrument: Instrument) -> None:
        """A queue, worked off to its end."""
        queue = self.triggered_now(instrument)
        while queue:
            self.meet_after_trigger(instrument, queue.pop(0))
            queue += self.triggered_now(instrument)

"""The specification in plain Python: docs/rules.md, rule by rule, with lists for books.

It knows nothing of the C core and nothing of speed; the core is right when it answers every
sequence of commands with the same events and the same state hash. Each part names the rule it
states. Here are new orders, cancel and replace; section 3 is in matching.py, sections 5 and 7 in
state.py, section 1 in answers.py, section 6 in administration.py, section 12 in linked.py, section
8 where it belongs.
"""

from dataclasses import replace
from itertools import groupby

from reference.administration import lane_of
from reference.auctions import Auctions
from reference.linked import slot_of
from reference.matching import OPPOSITE
from reference.state import (
    CALLS,
    FOR_AUCTIONS,
    LIMITED,
    NO_PREVENTION,
    RESTING_TIMES,
    STOPS,
    TOUCHES,
    Capacities,
    Instrument,
    Order,
    Position,
    Refused,
    SentTerms,
    as_good_as,
    check_limits,
    require,
    state_hash,
)
from touchline.core.messages import (
    ACCOUNT_ALL,
    ALL_OR_NONE_MAX,
    DISPLAY_PARTS_MAX,
    INSTRUMENT_ALL,
    PRICE_MAX,
    TRAIL_BASIS_POINTS_MAX,
    TRAILING_MAX,
    EntryStatus,
    ExecType,
    Flag,
    More,
    OrdType,
    Reason,
    SelfTrade,
    Side,
    TermsFlag,
    TimeInForce,
    TradingStatus,
)

__all__ = ["Capacities", "Reference"]

PLAIN_TYPES = (OrdType.MARKET, OrdType.LIMIT)
PLAIN_TIMES = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)


class Reference(Auctions):
    # Section 2: new orders

    def new_order(self) -> None:
        cmd = self.cmd
        instrument = self.listed_instrument(cmd.instrument)
        self.check_account_open(cmd.account)
        require(cmd.side in set(Side), Reason.INVALID_SIDE)
        special = bool(cmd.flags & Flag.SPECIAL)
        require(cmd.ord_type in (set(OrdType) if special else PLAIN_TYPES),
                Reason.INVALID_ORD_TYPE)  # fmt: skip
        for_auction = cmd.time_in_force in FOR_AUCTIONS
        require(for_auction or cmd.time_in_force in (set(TimeInForce) if special else PLAIN_TIMES),
                Reason.INVALID_TIME_IN_FORCE)  # fmt: skip
        order = Order(0, cmd.account, cmd.instrument, cmd.side, cmd.ord_type, cmd.time_in_force,
                      cmd.price, cmd.qty, cmd.qty)  # fmt: skip
        if special:
            self.take_terms(order)
            waits = order.waiting or order.all_or_none or self.sent.contingency
            require(not (waits and instrument.shares_out()), Reason.NOT_ALLOCATED)  # 11.2
        told = self.is_told(instrument, order)
        if told:
            self.expire_due()
        if special:
            self.find_linked(order, self.sent)
        self.check_entry(instrument, cmd.account)
        self.check_phase(instrument, order)
        self.check_qty_and_price(instrument, order.ord_type in LIMITED, cmd.qty, cmd.price)
        self.check_closing_price(instrument, order)
        if special:
            self.check_terms(instrument, order)
        self.assign_place(instrument, order)
        place = (order.account, order.instrument)
        check_limits(instrument, self.state.positions.get(place, Position()), order, given_up=0)
        self.check_slot_free()
        self.check_chain(order)
        self.check_places_for_terms(instrument, order)
        self.check_position_place(cmd.account, cmd.instrument)
        apart = order.waiting or order.collected or order.parked or order.held
        if apart or (not order.at_market and order.time_in_force in RESTING_TIMES):
            self.check_level_place(instrument, order, order.price)
        self.enter(instrument, order, told)

    def enter(self, instrument: Instrument, order: Order, told: bool) -> None:
        """2, 8.2"""
        order.order_id = self.take_slot()
        self.state.open_orders[order.order_id] = self.own = order
        self.state.positions.setdefault((order.account, order.instrument), Position())
        self.report_order(ExecType.NEW, order, qty=order.order_qty, leaves_qty=order.leaves_qty,
                          flags=Flag.SPECIAL if told else 0)  # fmt: skip
        self.link(order)
        reference = instrument.reference_price
        apart = order.collected or order.parked or order.held
        if apart or (order.waiting and instrument.status in CALLS):
            self.rest(instrument, order)
        elif not order.waiting:
            self.meet_book(instrument, order, told)
        elif self.met(order, reference, reference):
            self.trigger(order)
            self.meet_after_trigger(instrument, order)
        else:
            self.rest(instrument, order)
        self.work_off_triggers(instrument)

    def is_told(self, instrument: Instrument, order: Order) -> bool:
        """8.2: is it an event of its own that says where the order stands?"""
        prevents = self.state.self_trades.get(order.account, NO_PREVENTION)[0]
        for_auction = order.time_in_force in FOR_AUCTIONS
        special = order.special or for_auction or instrument.goes_special()
        return special or prevents != SelfTrade.ALLOWED

    def check_entry(self, instrument: Instrument, account: int) -> None:
        """2.2"""
        require(self.state.venue_status != EntryStatus.BLOCKED, Reason.VENUE_KILLED)
        require(instrument.status != TradingStatus.HALTED, Reason.HALTED)
        require(instrument.status != TradingStatus.CLOSED, Reason.CLOSED)
        require(self.state.accounts[account] != EntryStatus.BLOCKED, Reason.ACCOUNT_BLOCKED)

    def check_qty_and_price(self, at: Instrument, limited: bool, qty: int, price: int) -> None:
        """2.3, 2.4"""
        require(1 <= qty <= at.qty_max, Reason.INVALID_QTY, qty, at.qty_max)
        if limited:
            self.check_price(at, price)
        else:
            require(price == 0, Reason.MARKET_WITH_PRICE, price)

    def check_price(self, at: Instrument, price: int) -> None:
        """2.4"""
        require(price >= at.price_min, Reason.PRICE_BELOW_MIN, price, at.price_min)
        require(price <= at.price_max, Reason.PRICE_ABOVE_MAX, price, at.price_max)

    def check_slot_free(self) -> None:
        """2.6"""
        slots = self.capacities.orders_max
        require(len(self.state.open_orders) < slots, Reason.ORDERS_FULL, limit=slots)

    # Section 8: special orders

    def take_terms(self, order: Order) -> None:
        """8.1"""
        cmd = self.cmd
        order.flags = cmd.flags & (Flag.POST_ONLY | Flag.SLIDE | Flag.HIDDEN | Flag.SPECIAL)
        order.stop_price, order.display_qty = cmd.order_id & 0xFFFFFFFF, cmd.order_id >> 32
        order.waiting = order.ord_type in (*STOPS, *TOUCHES)
        rests = order.time_in_force in RESTING_TIMES
        post_only, slide = cmd.flags & Flag.POST_ONLY, cmd.flags & Flag.SLIDE
        limited = order.ord_type in LIMITED or order.ord_type == OrdType.MARKET_TO_LIMIT
        fits = (
            order.waiting == bool(order.stop_price)
            and (rests or not (order.waiting or order.display_qty or order.hidden or post_only))
            and (rests or order.ord_type != OrdType.MARKET_TO_LIMIT)
            and (limited or not (order.display_qty or order.hidden))
            and not (order.display_qty and order.hidden)
            and (order.ord_type == OrdType.LIMIT or not post_only)
            and (bool(post_only) or not slide)
        )
        require(fits, Reason.INVALID_TERMS)
        self.take_more_terms(order)

    def take_more_terms(self, order: Order) -> None:
        """8.9 to 8.12"""
        cmd, sent = self.cmd, SentTerms()
        if cmd.field == More.TERMS:
            sent = self.state.terms.get(lane_of(cmd), sent)
            require(sent.cl_ord_id == cmd.cl_ord_id, Reason.INVALID_TERMS)
        rests = order.time_in_force in RESTING_TIMES
        whole = bool(sent.flags & TermsFlag.ALL_OR_NONE)
        post_only = cmd.flags & Flag.POST_ONLY
        fits = (
            cmd.field in set(More)
            and sent.flags <= TermsFlag.ALL_OR_NONE | TermsFlag.TRAIL_BASIS_POINTS
            and self.trail_fits(order, sent)
            and (order.time_in_force == TimeInForce.GTD) == bool(sent.expire_ns)
            and not (sent.min_qty and (order.waiting or post_only or whole))
            and (not sent.min_qty or sent.min_qty <= cmd.qty)
            and (not whole or (order.ord_type == OrdType.LIMIT and rests and not post_only))
            and not (whole and order.display_qty)
            and self.link_fits(order, sent)
        )
        require(fits, Reason.INVALID_TERMS)
        late = sent.expire_ns and sent.expire_ns <= cmd.ts_ns
        require(not late, Reason.EXPIRE_TIME, sent.expire_ns, cmd.ts_ns)
        self.sent = sent
        order.trail, order.trail_flags = sent.trail, sent.flags & TermsFlag.TRAIL_BASIS_POINTS
        order.expire_ns, order.min_qty, order.all_or_none = sent.expire_ns, sent.min_qty, whole
        order.flags |= Flag.HIDDEN if whole else 0

    def trail_fits(self, order: Order, sent: SentTerms) -> bool:
        """8.13"""
        part = bool(sent.flags & TermsFlag.TRAIL_BASIS_POINTS)
        if not sent.trail:
            return not part
        most = TRAIL_BASIS_POINTS_MAX if part else PRICE_MAX
        return sent.trail <= most and order.ord_type in STOPS

    def check_places_for_terms(self, instrument: Instrument, order: Order) -> None:
        """8.10, 8.12"""
        most = self.capacities.orders_max // 2 + 64
        expire = sum(bool(other.expire_ns) for other in self.state.open_orders.values())
        require(not order.expire_ns or expire < most, Reason.EXPIRIES_FULL, limit=most)
        wait = sum(map(len, instrument.all_or_none.values()))
        has_place = not order.all_or_none or wait < ALL_OR_NONE_MAX
        require(has_place, Reason.ALL_OR_NONE_FULL, limit=ALL_OR_NONE_MAX)
        trail = sum(bool(other.trail) and other.instrument == order.instrument
                    for other in self.state.open_orders.values())  # fmt: skip
        has_place = not order.trail or trail < TRAILING_MAX
        require(has_place, Reason.TRAILING_FULL, limit=TRAILING_MAX)

    def expire(self) -> None:
        """8.10"""
        self.report_administration(qty=self.expire_due())

    def check_terms(self, instrument: Instrument, order: Order) -> None:
        """8.3, 8.4, 8.6: after 2.4"""
        if order.waiting:
            self.check_price(instrument, order.stop_price)
            require(instrument.reference_price != 0, Reason.NO_REFERENCE_PRICE)
            order.follow(instrument.reference_price)
        if order.display_qty:
            self.check_display(order, order.order_qty)
        if order.flags & Flag.POST_ONLY:
            order.price = self.post_only_price(instrument, order, order.price)

    def check_display(self, order: Order, qty: int) -> None:
        """8.4"""
        least = -(-qty // DISPLAY_PARTS_MAX)
        require(order.display_qty >= least, Reason.DISPLAY_QTY, order.display_qty, least)

    def post_only_price(self, instrument: Instrument, order: Order, price: int) -> int:
        """8.6"""
        best = self.next_maker(instrument, OPPOSITE[Side(order.side)], 0)
        if best is None or not as_good_as(order.side, price, best.price):
            return price
        slid = best.price - 1 if order.side == Side.BUY else best.price + 1
        within = instrument.price_min <= slid <= instrument.price_max
        require(bool(order.flags & Flag.SLIDE) and within, Reason.WOULD_TRADE, price, best.price)
        return slid

    def check_chain(self, order: Order) -> None:
        """8.7"""
        most = self.capacities.orders_max // 2 + 64
        taken = sum(other.chain for other in self.state.open_orders.values() if other is not order)
        require(taken + order.chain <= most, Reason.CHAIN_FULL, limit=most)

    # Section 4: cancel and replace

    def open_order(self) -> Order:
        order = self.state.open_orders.get(self.cmd.order_id)
        if order is None or order.account != self.cmd.account:
            raise Refused(Reason.UNKNOWN_ORDER, 0, 0)
        return order

    def cancel(self) -> None:
        """4.1"""
        order = self.open_order()
        if order.special:
            self.expire_due()
            order = self.open_order()
        self.leave(order)
        self.take_off(order, ExecType.CANCELED, Reason.NONE)

    def replace(self) -> None:
        """4.2 to 4.5, 8.8"""
        order, price, qty = self.open_order(), self.cmd.price, self.cmd.qty
        instrument = self.state.instruments[order.instrument]
        told = self.is_told(instrument, order)
        if told:
            self.expire_due()
            order = self.open_order()
        self.check_entry(instrument, order.account)
        phase = instrument.status
        require(phase != TradingStatus.CLOSING_PRICE, Reason.NOT_IN_PHASE, phase)
        self.check_qty_and_price(instrument, not order.at_market, qty, price)
        if order.display_qty:
            self.check_display(order, qty)
        if order.flags & Flag.POST_ONLY and price != order.price:
            price = self.post_only_price(instrument, order, price)
        leaves_qty = max(qty - order.executed_qty, 0)
        wanted = replace(order, price=price, order_qty=qty, leaves_qty=leaves_qty)
        if price != order.price or qty > order.order_qty:
            check_limits(instrument, self.position_of(order), wanted, order.leaves_qty)
        if order.special:
            wanted.order_id = order.order_id
            self.check_chain_of_replace(order, wanted)
        if price != order.price and not (order.waiting or order.held):
            self.check_level_place(instrument, wanted, price)
        self.change(instrument, order, wanted, told)

    def check_chain_of_replace(self, order: Order, wanted: Order) -> None:
        """8.7"""
        most = self.capacities.orders_max // 2 + 64
        taken = sum(other.chain for other in self.state.open_orders.values() if other is not order)
        require(taken + wanted.chain <= most, Reason.CHAIN_FULL, limit=most)

    def change(self, instrument: Instrument, order: Order, wanted: Order, told: bool) -> None:
        """4.3 to 4.5, 8.8"""
        self.own = order
        complete = wanted.leaves_qty == 0
        smaller = wanted.price == order.price and wanted.order_qty < order.order_qty
        waits = order.waiting or order.held
        keeps_place = waits or (smaller and not complete and not order.all_or_none)
        if keeps_place:
            position = self.position_of(order)
            position.open_qty[order.side] -= order.leaves_qty - wanted.leaves_qty
            order.shown_qty = min(order.shown_qty, wanted.leaves_qty)
        else:
            self.leave(order)
        order.price = wanted.price
        order.order_qty = order.executed_qty if complete else wanted.order_qty
        order.leaves_qty = wanted.leaves_qty
        flags = Flag.PRIORITY_KEPT if keeps_place else Flag.SPECIAL if told else 0
        self.report_order(ExecType.REPLACED, order, qty=order.order_qty,
                          leaves_qty=order.leaves_qty, flags=flags)  # fmt: skip
        if complete:
            self.end(order)
            if order.contingency:
                self.work_off_triggers(instrument)
        elif keeps_place:
            return
        elif order.collected or order.parked:
            self.rest(instrument, order)
        else:
            self.meet_book(instrument, order, told)
            self.work_off_triggers(instrument)

    def mass_cancel(self) -> None:
        """4.6"""
        cmd = self.cmd
        if cmd.instrument != INSTRUMENT_ALL:
            self.listed_instrument(cmd.instrument)
        if cmd.account != ACCOUNT_ALL:
            self.check_account_open(cmd.account)
        require(cmd.side in {0, *Side}, Reason.INVALID_SIDE)
        require(cmd.time_in_force in {0, *TimeInForce}, Reason.INVALID_TIME_IN_FORCE)
        orders = sorted(self.state.open_orders.values(), key=slot_of)
        if cmd.instrument != INSTRUMENT_ALL and cmd.account == ACCOUNT_ALL:
            at = self.state.instruments[cmd.instrument]
            orders = [order for queue in [*at.book.values(), *at.apart()] for order in queue]
        chosen = [
            order
            for order in orders
            if cmd.instrument in (INSTRUMENT_ALL, order.instrument)
            and cmd.account in (ACCOUNT_ALL, order.account)
            and cmd.side in (0, order.side)
            and cmd.time_in_force in (0, order.time_in_force)
        ]
        expire = bool(cmd.flags & Flag.EXPIRE)
        gone = 0
        for order in chosen:
            if order.order_id not in self.state.open_orders:  # 12.4
                continue
            gone += 1
            self.leave(order)
            if expire:
                self.take_off(order, ExecType.EXPIRED, Reason.NONE)
            else:
                self.take_off(order, ExecType.CANCELED, Reason.MASS_CANCEL)
        self.report(
            ExecType.MASS_CANCELED,
            qty=gone,
            cl_ord_id=cmd.cl_ord_id,
            account=cmd.account,
            instrument=cmd.instrument,
            side=cmd.side,
            time_in_force=cmd.time_in_force,
        )

    # What a caller may ask

    def state_hash(self) -> int:
        return state_hash(self.state)

    def orders(self, instrument: int, side: int) -> list[Order]:
        """The resting orders, the best price first, the oldest first."""
        return self.state.instruments[instrument].book[side]

    def depth(self, instrument: int, side: int) -> list[tuple[int, int, int]]:
        """Price, lots and number of orders of each level, from the best outwards."""
        levels = []
        for price, orders in groupby(self.orders(instrument, side), key=lambda order: order.price):
            leaves = [order.shown_qty for order in orders]
            levels.append((price, sum(leaves), len(leaves)))
        return levels

    def position(self, account: int, instrument: int) -> tuple[int, int, int]:
        """Net, open to buy, open to sell."""
        position = self.state.positions.get((account, instrument), Position())
        return position.net, position.open_qty[Side.BUY], position.open_qty[Side.SELL]

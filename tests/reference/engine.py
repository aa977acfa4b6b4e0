"""The specification in plain Python: docs/rules.md, rule by rule, with lists for books.

It knows nothing of the C core and nothing of speed; the core is right when it answers every
sequence of commands with the same events and the same state hash. Each part names the rule it
states. Here are new orders, matching, cancel and replace; sections 5 and 7 are in state.py,
section 1 in answers.py, section 6 in administration.py.
"""

from itertools import groupby

from reference.administration import Administration
from reference.state import (
    Capacities,
    Instrument,
    Order,
    Position,
    Refused,
    as_good_as,
    check_limits,
    protection_price,
    require,
    state_hash,
)
from touchline.core.messages import (
    ACCOUNT_ALL,
    BLOCK_LEVELS,
    INSTRUMENT_ALL,
    EntryStatus,
    ExecType,
    Flag,
    OrdType,
    Reason,
    Side,
    TimeInForce,
    TradingStatus,
)

__all__ = ["Capacities", "Reference"]

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
RESTING_TIMES = (TimeInForce.DAY, TimeInForce.GTC)


def slot_of(order: Order) -> int:
    """1.4"""
    return order.order_id & 0xFFFFFFFF


class Reference(Administration):
    # Section 2: new orders

    def new_order(self) -> None:
        cmd = self.cmd
        instrument = self.listed_instrument(cmd.instrument)
        self.check_account_open(cmd.account)
        require(cmd.side in set(Side), Reason.INVALID_SIDE)
        require(cmd.ord_type in set(OrdType), Reason.INVALID_ORD_TYPE)
        require(cmd.time_in_force in set(TimeInForce), Reason.INVALID_TIME_IN_FORCE)
        order = Order(0, cmd.account, cmd.instrument, cmd.side, cmd.ord_type, cmd.time_in_force,
                      cmd.price, cmd.qty, cmd.qty)  # fmt: skip
        self.check_entry(instrument, cmd.account)
        self.check_qty_and_price(instrument, cmd.ord_type, cmd.qty, cmd.price)
        place = (order.account, order.instrument)
        check_limits(instrument, self.state.positions.get(place, Position()), order, given_up=0)
        self.check_slot_free()
        self.check_position_place(cmd.account, cmd.instrument)
        if order.ord_type == OrdType.LIMIT and order.time_in_force in RESTING_TIMES:
            self.check_level_place(instrument, order.price)
        order.order_id = self.take_slot()
        self.state.open_orders[order.order_id] = order
        self.state.positions.setdefault(place, Position())
        self.report_order(ExecType.NEW, order, qty=order.order_qty, leaves_qty=order.leaves_qty)
        self.meet_book(instrument, order)

    def check_entry(self, instrument: Instrument, account: int) -> None:
        """2.2"""
        require(self.state.venue_status != EntryStatus.BLOCKED, Reason.VENUE_KILLED)
        require(instrument.status != TradingStatus.HALTED, Reason.HALTED)
        require(self.state.accounts[account] != EntryStatus.BLOCKED, Reason.ACCOUNT_BLOCKED)

    def check_qty_and_price(self, at: Instrument, ord_type: int, qty: int, price: int) -> None:
        """2.3, 2.4"""
        require(1 <= qty <= at.qty_max, Reason.INVALID_QTY, qty, at.qty_max)
        if ord_type == OrdType.LIMIT:
            require(price >= at.price_min, Reason.PRICE_BELOW_MIN, price, at.price_min)
            require(price <= at.price_max, Reason.PRICE_ABOVE_MAX, price, at.price_max)
        else:
            require(price == 0, Reason.MARKET_WITH_PRICE, price)

    def check_slot_free(self) -> None:
        """2.6"""
        slots = self.capacities.orders_max
        require(len(self.state.open_orders) < slots, Reason.ORDERS_FULL, limit=slots)

    def check_level_place(self, instrument: Instrument, price: int) -> None:
        """2.7"""
        taken = {(order.instrument, order.price // BLOCK_LEVELS)
                 for order in self.state.open_orders.values()}  # fmt: skip
        has_place = (instrument.number, price // BLOCK_LEVELS) in taken
        places = self.capacities.price_blocks_max
        require(has_place or len(taken) < places, Reason.LEVELS_FULL, limit=places)

    # Section 3: meeting the book

    def meet_book(self, instrument: Instrument, taker: Order) -> None:
        limit_price = taker.price
        if taker.ord_type == OrdType.MARKET:
            limit_price = protection_price(instrument, taker.side)  # 3.3
        makers = instrument.book[OPPOSITE[Side(taker.side)]]
        within = [maker for maker in makers if as_good_as(taker.side, limit_price, maker.price)]
        available = sum(maker.leaves_qty for maker in within)
        if taker.time_in_force == TimeInForce.FOK and available < taker.leaves_qty:  # 3.5
            self.take_off(taker, ExecType.CANCELED, Reason.FOK_UNFILLED)
            return
        for maker in within:  # 3.1
            if taker.leaves_qty > 0:
                self.trade(instrument, taker, maker)
        if taker.leaves_qty == 0:
            self.end(taker)
        elif taker.time_in_force == TimeInForce.IOC:  # 3.4
            self.take_off(taker, ExecType.CANCELED, Reason.IOC_REMAINDER)
        elif taker.ord_type == OrdType.MARKET:
            self.take_off(taker, ExecType.CANCELED, Reason.MARKET_REMAINDER)
        else:
            self.rest(instrument, taker)

    def trade(self, instrument: Instrument, taker: Order, maker: Order) -> None:
        """3.1, 3.2, 3.7"""
        qty = min(taker.leaves_qty, maker.leaves_qty)
        taker.leaves_qty -= qty
        maker.leaves_qty -= qty
        maker_position = self.state.positions[maker.account, maker.instrument]
        taker_position = self.state.positions[taker.account, taker.instrument]
        maker_position.open_qty[maker.side] -= qty
        maker_position.trade(maker.side, qty)
        taker_position.trade(taker.side, qty)
        instrument.reference_price = maker.price
        self.report(
            ExecType.TRADE,
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
            flags=Flag.MAKER_DONE if maker.leaves_qty == 0 else 0,
        )
        if maker.leaves_qty == 0:
            instrument.book[maker.side].remove(maker)
            self.end(maker)

    def position_of(self, order: Order) -> Position:
        return self.state.positions[order.account, order.instrument]

    def rest(self, instrument: Instrument, order: Order) -> None:
        """3.4: behind every order at as good a price or a better one."""
        queue = instrument.book[order.side]
        ahead = [other for other in queue if as_good_as(order.side, other.price, order.price)]
        queue.insert(len(ahead), order)
        self.position_of(order).open_qty[order.side] += order.leaves_qty

    def leave(self, order: Order) -> None:
        """Out of the book, whether to end or to meet it again."""
        self.state.instruments[order.instrument].book[order.side].remove(order)
        self.position_of(order).open_qty[order.side] -= order.leaves_qty

    def take_off(self, order: Order, exec_type: int, reason: Reason) -> None:
        """3.4, 4.1: what is left of an order that does not rest (any more) is reported and ends."""
        self.report_order(exec_type, order, qty=order.leaves_qty, reason=reason)
        self.end(order)

    # Section 4: cancel and replace

    def open_order(self) -> Order:
        order = self.state.open_orders.get(self.cmd.order_id)
        if order is None or order.account != self.cmd.account:
            raise Refused(Reason.UNKNOWN_ORDER, 0, 0)
        return order

    def cancel(self) -> None:
        """4.1"""
        order = self.open_order()
        self.leave(order)
        self.take_off(order, ExecType.CANCELED, Reason.NONE)

    def replace(self) -> None:
        """4.2 to 4.5"""
        order, price, qty = self.open_order(), self.cmd.price, self.cmd.qty
        instrument = self.state.instruments[order.instrument]
        self.check_entry(instrument, order.account)
        self.check_qty_and_price(instrument, OrdType.LIMIT, qty, price)
        leaves_qty = max(qty - order.executed_qty, 0)
        if price != order.price or qty > order.order_qty:
            wanted = Order(0, order.account, order.instrument, order.side, OrdType.LIMIT,
                           order.time_in_force, price, qty, leaves_qty)  # fmt: skip
            check_limits(instrument, self.position_of(order), wanted, order.leaves_qty)
        if price != order.price:
            self.check_level_place(instrument, price)
        complete = leaves_qty == 0
        keeps_place = price == order.price and qty < order.order_qty and not complete
        if keeps_place:
            given_up = order.leaves_qty - leaves_qty
            self.position_of(order).open_qty[order.side] -= given_up
        else:
            self.leave(order)
        order.price = price
        order.order_qty = order.executed_qty if complete else qty
        order.leaves_qty = leaves_qty
        flags = Flag.PRIORITY_KEPT if keeps_place else 0
        self.report_order(ExecType.REPLACED, order, qty=order.order_qty, leaves_qty=leaves_qty,
                          flags=flags)  # fmt: skip
        if complete:
            self.end(order)
        elif not keeps_place:
            self.meet_book(instrument, order)

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
            book = self.state.instruments[cmd.instrument].book
            orders = book[Side.BUY] + book[Side.SELL]
        chosen = [
            order
            for order in orders
            if cmd.instrument in (INSTRUMENT_ALL, order.instrument)
            and cmd.account in (ACCOUNT_ALL, order.account)
            and cmd.side in (0, order.side)
            and cmd.time_in_force in (0, order.time_in_force)
        ]
        expire = bool(cmd.flags & Flag.EXPIRE)
        for order in chosen:
            self.leave(order)
            if expire:
                self.take_off(order, ExecType.EXPIRED, Reason.NONE)
            else:
                self.take_off(order, ExecType.CANCELED, Reason.MASS_CANCEL)
        self.report(
            ExecType.MASS_CANCELED,
            qty=len(chosen),
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
            leaves = [order.leaves_qty for order in orders]
            levels.append((price, sum(leaves), len(leaves)))
        return levels

    def position(self, account: int, instrument: int) -> tuple[int, int, int]:
        """Net, open to buy, open to sell."""
        position = self.state.positions.get((account, instrument), Position())
        return position.net, position.open_qty[Side.BUY], position.open_qty[Side.SELL]

"""Where orders stand: the queues of sections 3, 8, 9 and 12 of docs/rules.md, and their blocks.

The third of seven layers: Answers, Administration, Places, Linked, Matching, Auctions, Reference.
"""

from dataclasses import replace

from reference.administration import Administration
from reference.state import STOPS, Instrument, Order, Position, as_good_as, require
from touchline.core.messages import BLOCK_LEVELS, ExecType, Reason, Side


class Places(Administration):
    def queue_of(self, instrument: Instrument, order: Order) -> list[Order]:
        if order.held:
            lists = instrument.held
        elif order.waiting and order.trail:
            lists = instrument.trailing
        elif order.waiting:
            lists = instrument.stops if order.ord_type in STOPS else instrument.touches
        elif order.all_or_none:
            lists = instrument.all_or_none
        elif order.collected or order.parked:
            lists = instrument.call if order.collected else instrument.parked
        else:
            lists = instrument.hidden if order.hidden else instrument.book
        return lists[order.side]

    def check_level_place(self, instrument: Instrument, order: Order, price: int) -> None:
        """2.7, 8.3: each of the places where orders of an instrument lie has blocks of its own."""

        def block(at: Instrument, order: Order, price: int) -> tuple[int, str, int, int]:
            if order.held:
                return at.number, "held", order.side, 0
            if order.waiting and order.trail:
                return at.number, "trailing", order.side, 0
            if order.all_or_none:
                return at.number, "all or none", order.side, price // BLOCK_LEVELS
            if order.collected or order.parked:
                key = replace(order, price=price).call_key
                return at.number, f"call {order.collected}", order.side, key // BLOCK_LEVELS
            if not order.waiting:
                return at.number, "hidden" if order.hidden else "book", 0, price // BLOCK_LEVELS
            kind = "stops" if order.ord_type in STOPS else "touches"
            return at.number, kind, order.side, order.stop_price // BLOCK_LEVELS

        taken = {
            block(at, resting, resting.price)
            for at in self.state.instruments.values()
            for queue in [*at.book.values(), *at.apart()]
            for resting in queue
        }
        places = self.capacities.price_blocks_max
        has_place = block(instrument, order, price) in taken
        require(has_place or len(taken) < places, Reason.LEVELS_FULL, limit=places)

    def position_of(self, order: Order) -> Position:
        return self.state.positions[order.account, order.instrument]

    def rest(self, instrument: Instrument, order: Order, *, next_part: bool = False) -> None:
        """3.4: behind every order at as good a price or a better one. 8.3, 8.4, 8.5."""
        queue = self.queue_of(instrument, order)
        if queue is instrument.book[order.side] and instrument.shares_out():
            better = not queue or not as_good_as(order.side, queue[0].price, order.price)
            self.note_top(instrument, order, better and not next_part)
        order.stands = True
        if order.held:
            ahead = [other for other in queue if other.released or not order.released]
        elif order.waiting and order.trail:
            ahead = queue
        elif order.waiting:
            first_low = (order.side == Side.BUY) == (order.ord_type in STOPS)
            ahead = [other for other in queue
                     if other.stop_price == order.stop_price
                     or (other.stop_price < order.stop_price) == first_low]  # fmt: skip
        elif order.collected or order.parked:
            ahead = [other for other in queue if other.call_key <= order.call_key]
        else:
            ahead = [other for other in queue if as_good_as(order.side, other.price, order.price)]
            order.shown_qty = 0 if order.hidden else order.leaves_qty
            if order.display_qty and not order.hidden:
                order.shown_qty = min(order.display_qty, order.leaves_qty)
        queue.insert(len(ahead), order)
        self.position_of(order).open_qty[order.side] += order.leaves_qty

    def leave(self, order: Order) -> None:
        """Out of the book, whether to end or to meet it again."""
        self.queue_of(self.state.instruments[order.instrument], order).remove(order)
        self.position_of(order).open_qty[order.side] -= order.leaves_qty
        order.shown_qty = 0
        order.stands = False

    def take_off(self, order: Order, exec_type: int, reason: Reason) -> None:
        """3.4, 4.1: what is left of an order that does not rest (any more) is reported and ends."""
        self.report_order(exec_type, order, qty=order.leaves_qty, reason=reason)
        self.end(order)

    def restate(self, order: Order) -> None:
        """8.2"""
        self.report_order(ExecType.RESTATED, order, qty=order.shown_qty,
                          leaves_qty=order.leaves_qty)  # fmt: skip

    def note_top(self, instrument: Instrument, order: Order, better: bool) -> None:
        """11.3"""
        if better:
            instrument.top[order.side] = order.order_id
        elif instrument.top[order.side] == order.order_id:
            instrument.top[order.side] = 0

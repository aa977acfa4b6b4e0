"""Section 12 of docs/rules.md: orders that cancel, update or release each other.

The fourth of seven layers: Answers, Administration, Places, Linked, Matching, Auctions, Reference.
"""

from reference.administration import lane_of
from reference.places import Places
from reference.state import (
    RESTING_TIMES,
    Instrument,
    LastLinked,
    Order,
    SentTerms,
    lots_lost,
    require,
)
from touchline.core.messages import (
    ContingencyType,
    ExecType,
    Flag,
    OrdType,
    Reason,
    Side,
)

__all__ = ["Linked", "lots_lost", "slot_of"]


def slot_of(order: Order) -> int:
    """1.4"""
    return order.order_id & 0xFFFFFFFF


class Linked(Places):
    # Coming in

    def link_fits(self, order: Order, sent: SentTerms) -> bool:
        """12.1, 12.2: does it go with the order's other terms?"""
        if sent.contingency == ContingencyType.NONE:
            return sent.cl_ord_link_id == 0
        if sent.contingency not in set(ContingencyType):
            return False
        triggers = sent.contingency == ContingencyType.OTO
        if triggers and sent.cl_ord_link_id == 0:
            return True
        rests = order.time_in_force in RESTING_TIMES
        if not rests or order.display_qty or sent.min_qty or sent.whole:
            return False
        if triggers:
            return not order.flags & Flag.POST_ONLY
        return order.ord_type == OrdType.LIMIT or order.waiting

    def find_linked(self, order: Order, sent: SentTerms) -> None:
        """12.1, 12.2: with whom it is."""
        order.contingency = sent.contingency
        if not sent.cl_ord_link_id:
            return
        last = self.state.last_linked.get(lane_of(self.cmd))
        known = last is not None and last.cl_ord_id == sent.cl_ord_link_id
        require(known, Reason.NOT_LINKED)
        assert last is not None
        other = last.order
        whose = (order.account, order.instrument)
        require((other.account, other.instrument) == whose, Reason.NOT_LINKED)
        is_open = self.state.open_orders.get(other.order_id) is other
        if sent.contingency == ContingencyType.OTO:
            require(last.as_parent and (is_open or last.filled), Reason.NOT_LINKED)
            order.child = order.held = True
            order.parent, order.released = (other, False) if is_open else (None, True)
            return
        alone = is_open and other.partner is None and other.executed_qty == 0
        alike = other.child or other.contingency == sent.contingency
        require(alone and alike, Reason.NOT_LINKED)
        order.partner = other
        if other.child:
            order.child = order.held = True
            order.parent = other.parent
            order.released = not other.held or other.released

    def link(self, order: Order) -> None:
        """The order has been accepted."""
        if not order.contingency:
            return
        if order.partner:
            order.partner.partner, order.partner.contingency = order, order.contingency
        if order.parent:
            order.parent.children.append(order)
        as_parent = order.contingency == ContingencyType.OTO and not order.child
        last = LastLinked(self.cmd.cl_ord_id, order, as_parent)
        self.state.last_linked[lane_of(self.cmd)] = last

    # One cancels or updates the other

    def note_traded(self, order: Order, qty: int) -> None:
        """12.3: what its partner loses by it; before the order has less itself."""
        partner = order.partner
        if partner is not None:
            rest = max(partner.leaves_qty - partner.less, 0)
            partner.less += lots_lost(partner, rest, qty, order.leaves_qty)

    def settle(self, order: Order | None) -> None:
        """12.3: who stands loses at once, who is to meet the book at its turn."""
        if order is not None and order.less and order.stands:
            self.lessen(order)

    def lessen(self, order: Order) -> bool:
        """12.3: is anything left of it?"""
        less, order.less = order.less, 0
        if less >= order.leaves_qty:
            self.cancel_linked(order)
            return False
        if order.stands:
            self.position_of(order).open_qty[order.side] -= less
        order.order_qty -= less
        order.leaves_qty -= less
        order.shown_qty = min(order.shown_qty, order.leaves_qty)
        self.report_order(ExecType.REPLACED, order, qty=order.order_qty, cl_ord_id=0,
                          leaves_qty=order.leaves_qty, reason=Reason.LINKED,
                          flags=Flag.PRIORITY_KEPT)  # fmt: skip
        return True

    def cancel_linked(self, order: Order) -> None:
        if order.stands:
            self.leave(order)
        self.report_order(ExecType.CANCELED, order, qty=order.leaves_qty, cl_ord_id=0,
                          reason=Reason.LINKED)  # fmt: skip
        self.end(order)

    # One triggers the other

    def end(self, order: Order) -> None:
        """1.4, 12.4: it takes itself out of all links, and its children with it or lets them go."""
        super().end(order)
        filled = order.leaves_qty == 0 and order.order_qty > 0
        for last in self.state.last_linked.values():
            if last.order is order:
                last.filled = filled
        if order.partner is not None:
            order.partner.partner = None
        if order.parent is not None:
            order.parent.children.remove(order)
        order.partner = order.parent = None
        order.less = 0
        for child in list(order.children):
            child.parent = None
            if filled:
                self.leave(child)
                child.released = True
                self.rest(self.state.instruments[child.instrument], child)
            else:
                self.cancel_linked(child)

    def released_now(self, instrument: Instrument) -> list[Order]:
        """12.5: out of the places where they were held."""
        found = []
        for side in Side:
            queue = instrument.held[side]
            while queue and queue[0].released:
                order = queue[0]
                self.leave(order)
                order.held = order.released = False
                self.report_order(ExecType.TRIGGERED, order, qty=order.order_qty,
                                  leaves_qty=order.leaves_qty)  # fmt: skip
                found.append(order)
        return found

# cython: language_level=3, nonecheck=True
"""What became of a request to a market, in names and decimals.

A Report copies the events of its request, which never change, and works out what is asked for. What
has become of the order since then it asks of the engine and of the market's record.
"""

import numpy as np

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from touchline.core.engine cimport Engine, tl_engine_event_seq, tl_engine_order
from touchline.core.messages cimport (
    TL_EXEC_TYPE_CANCELED, TL_EXEC_TYPE_CANCEL_REJECTED, TL_EXEC_TYPE_DECREMENTED,
    TL_EXEC_TYPE_EXPIRED, TL_EXEC_TYPE_NEW, TL_EXEC_TYPE_REJECTED, TL_EXEC_TYPE_REPLACED,
    TL_EXEC_TYPE_TRADE, tl_order_view,
)
from touchline.market.listing cimport row
from touchline.market.record cimport order_sum

from touchline.core.messages import EVENT, Reason, reason_text
from touchline.market.rows import Fill, OrdStatus

# Which of a market's capacities a refusal for want of room means.
cdef dict _capacities = {
    Reason.ORDERS_FULL: "orders_max",
    Reason.POSITIONS_FULL: "positions_max",
    Reason.LEVELS_FULL: "price_blocks_max",
}
cdef object _fill = Fill
cdef object _new = OrdStatus.NEW
cdef object _partially_filled = OrdStatus.PARTIALLY_FILLED
cdef object _filled = OrdStatus.FILLED
cdef object _canceled = OrdStatus.CANCELED
cdef object _rejected = OrdStatus.REJECTED


cdef struct order_now:
    # An order in lots, and in ticks times lots; `value_known` when all its trades are.
    int64_t order_qty
    int64_t leaves_qty
    int64_t cum_qty
    int64_t value
    bint value_known


cdef inline Py_ssize_t rest_count(Report report) noexcept:
    """Events after the first."""
    if report.rest is None:
        return 0
    return PyBytes_GET_SIZE(report.rest) // <Py_ssize_t>sizeof(tl_event)


cdef inline const tl_event *rest_at(Report report, Py_ssize_t i) noexcept:
    return <const tl_event *>PyBytes_AS_STRING(report.rest) + i


cdef inline const tl_event *last_of(Report report) noexcept:
    if report.rest is None:
        return &report.first
    return rest_at(report, rest_count(report) - 1)


cdef inline const tl_event *last_of_order(Report report) noexcept:
    """What was said last of the request's own order, among those that it moved."""
    cdef Py_ssize_t i = rest_count(report)
    while i > 0:
        i -= 1
        if rest_at(report, i).order_id == report.first.order_id:
            return rest_at(report, i)
    return &report.first


cdef inline bint accepted(Report report) noexcept:
    return (report.first.exec_type != TL_EXEC_TYPE_REJECTED
            and report.first.exec_type != TL_EXEC_TYPE_CANCEL_REJECTED)


cdef void of_request(Report report, order_now *now) noexcept:
    """The order as the request left it, as far as its own events tell."""
    cdef const tl_event *event
    cdef Py_ssize_t i
    cdef bint traded, less
    cdef uint64_t own = report.first.order_id
    now.order_qty = report.first.qty
    now.leaves_qty = report.first.leaves_qty
    now.cum_qty = now.value = 0
    now.value_known = report.first.exec_type == TL_EXEC_TYPE_NEW
    if report.first.exec_type == TL_EXEC_TYPE_REPLACED:
        now.cum_qty = report.first.qty - report.first.leaves_qty
    for i in range(rest_count(report)):
        event = rest_at(report, i)
        traded = event.exec_type == TL_EXEC_TYPE_TRADE
        less = event.exec_type == TL_EXEC_TYPE_DECREMENTED
        if event.order_id == own:
            now.leaves_qty = event.leaves_qty
        elif (traded or less) and event.contra_order_id == own:
            now.leaves_qty -= event.qty
        else:
            continue
        if less:
            now.order_qty -= event.qty
        if event.exec_type == TL_EXEC_TYPE_REPLACED:  # rule 12.3: its partner has traded
            now.order_qty = event.qty
        if traded:
            now.cum_qty += event.qty
            now.value += event.price * event.qty


cdef int order_of(Report report, order_now *now) except -1:
    """The order as it is now; of a report that a restore took back, as its request left it."""
    cdef Listing listing = report.listing
    cdef Engine engine = listing.record.engine
    cdef uint64_t order_id = report.first.order_id
    cdef tl_order_view view
    cdef order_sum *known
    of_request(report, now)
    if not listing.record.knows(listing.epoch, report.first.seq):
        return 0
    if now.value_known and tl_engine_event_seq(engine.engine) == last_of(report).seq:
        return 0
    known = listing.record.sum_of(order_id)
    now.value = known.value
    if tl_engine_order(engine.engine, order_id, &view):
        now.order_qty = view.order_qty
        now.leaves_qty = view.leaves_qty
        now.cum_qty = now.order_qty - now.leaves_qty
        now.value_known = now.cum_qty == known.cum_qty
        return 0
    now.leaves_qty = 0
    now.cum_qty = known.cum_qty
    now.value_known = True
    if report.first.exec_type == TL_EXEC_TYPE_CANCELED:
        # The event's quantity is what was taken off.
        now.order_qty = now.cum_qty + report.first.qty
    elif known.order_qty > 0:
        now.order_qty = known.order_qty
    return 0


cdef Report report_of(Listing listing):
    """A report of what the engine answered last."""
    cdef Report made = Report.__new__(Report)
    cdef Engine engine = listing.record.engine
    cdef const tl_event *answer = engine.sink.slots
    cdef Py_ssize_t after = <Py_ssize_t>engine.sink.next - 1
    while after > 0 and answer.exec_type == TL_EXEC_TYPE_EXPIRED:  # other orders: rule 8.10
        answer += 1
        after -= 1
    made.listing = listing
    made.first = answer[0]
    if after > 0:
        made.rest = PyBytes_FromStringAndSize(<char *>(answer + 1), after * sizeof(tl_event))
    return made


def _report_of(Listing listing not None, bytes events not None):
    """A Report out of its parts, as a pickle has them."""
    cdef Report made = Report.__new__(Report)
    cdef Py_ssize_t size = sizeof(tl_event)
    if PyBytes_GET_SIZE(events) < size or PyBytes_GET_SIZE(events) % size != 0:
        raise ValueError(f"{len(events)} bytes are not whole events of {size}")
    made.listing = listing
    memcpy(&made.first, PyBytes_AS_STRING(events), size)
    if PyBytes_GET_SIZE(events) > size:
        made.rest = events[size:]
    return made


@cython.no_gc
@cython.final
cdef class Report:
    """What became of one request, and of its order since then.

    `trades`, `fills`, `filled_qty`, `text` and `events` tell of the request, and stay what they
    were. `ord_status`, `order_qty`, `cum_qty`, `leaves_qty` and `avg_px` tell of the order as it is
    when they are read: a resting order that others trade with becomes PARTIALLY_FILLED and FILLED.
    A report belongs to the market that made it.
    """

    def __init__(self):
        raise TypeError("a Report is made by a Market")

    def __reduce__(self):
        if self.listing is None:
            raise TypeError("a Report is made by a Market")
        data = PyBytes_FromStringAndSize(<char *>&self.first, sizeof(tl_event))
        return _report_of, (self.listing, data + (self.rest or b""))

    @property
    def instrument(self):
        """The instrument the request was for."""
        return self.listing.instrument

    @property
    def account(self):
        """The name of the account the request was for."""
        return self.listing.account_names[self.first.account]

    @property
    def count(self):
        """The number of events of the request."""
        return 1 + rest_count(self)

    @property
    def order_id(self):
        """Of the order entered, replaced or canceled; 0 when it was refused."""
        return self.first.order_id

    @property
    def account_number(self):
        """The number of the account the request was for."""
        return self.first.account

    @property
    def exec_type(self):
        """Of the first event, as an int: what the engine said to the request itself."""
        return self.first.exec_type

    @property
    def accepted(self):
        """False when the request was refused and nothing has changed."""
        return accepted(self)

    @property
    def text(self):
        """Why the request was refused, or why what was left of the order was canceled; or ""."""
        cdef const tl_event *last = last_of_order(self)
        reason = Reason(last.reason)
        if accepted(self):
            return reason_text(reason)
        more = _capacities.get(reason)
        larger = f"; a Market with a larger {more} has more" if more else ""
        return reason_text(reason, last.value, last.limit) + larger

    @property
    def trades(self):
        """(price, qty, contra_order_id, contra_account) of each trade of the request's order, all
        integers; not of the orders that it triggered."""
        cdef Py_ssize_t i
        cdef const tl_event *event
        found = []
        for i in range(rest_count(self)):
            event = rest_at(self, i)
            if event.exec_type == TL_EXEC_TYPE_TRADE and event.order_id == self.first.order_id:
                found.append((event.price, event.qty, event.contra_order_id,
                              event.contra_account))
        return found

    @property
    def fills(self):
        """The trades of this request in order, as Fill; empty when it met nothing."""
        cdef Py_ssize_t i
        cdef const tl_event *event
        cdef Listing listing
        found = []
        if self.rest is None:
            return found
        listing = self.listing
        for i in range(rest_count(self)):
            event = rest_at(self, i)
            if event.exec_type == TL_EXEC_TYPE_TRADE and event.order_id == self.first.order_id:
                found.append(row(_fill, (
                    listing.price_of(event.price), listing.qty_of(event.qty),
                    event.contra_order_id, listing.account_names[event.contra_account],
                )))
        return found

    @property
    def events(self):
        """All events of the request, shape (n,), dtype EVENT; the caller's own."""
        data = PyBytes_FromStringAndSize(<char *>&self.first, sizeof(tl_event))
        if self.rest is not None:
            data += self.rest
        return np.frombuffer(data, EVENT, self.count)

    @property
    def filled_qty(self):
        """What this request has traded."""
        cdef order_now request
        of_request(self, &request)
        if self.first.exec_type == TL_EXEC_TYPE_REPLACED:
            request.cum_qty -= self.first.qty - self.first.leaves_qty
        return self.listing.qty_of(request.cum_qty)

    @property
    def order_qty(self):
        """OrderQty(38) of the order now; 0 of a request that was refused."""
        cdef order_now now
        if not accepted(self):
            return self.listing.qty_of(0)
        order_of(self, &now)
        return self.listing.qty_of(now.order_qty)

    @property
    def cum_qty(self):
        """CumQty(14): what the order has traded until now; 0 of a request that was refused."""
        cdef order_now now
        if not accepted(self):
            return self.listing.qty_of(0)
        order_of(self, &now)
        return self.listing.qty_of(now.cum_qty)

    @property
    def leaves_qty(self):
        """LeavesQty(151): what is left of the order in the book now."""
        cdef order_now now
        if not accepted(self):
            return self.listing.qty_of(0)
        order_of(self, &now)
        return self.listing.qty_of(now.leaves_qty)

    @property
    def avg_px(self):
        """AvgPx(6) of the order's trades until now; None when there are none.

        LookupError when some were made past the market, by its engine, and are not on its record.
        """
        cdef order_now now
        if not accepted(self):
            return None
        order_of(self, &now)
        if not now.value_known:
            raise LookupError(f"not all trades of order {self.order_id} are on the market's record")
        if now.cum_qty == 0:
            return None
        return self.listing.instrument.to_avg_px(now.value, now.cum_qty)

    @property
    def ord_status(self):
        """OrdStatus(39) of the order now; REJECTED of a request that was refused."""
        cdef order_now now
        if not accepted(self):
            return _rejected
        order_of(self, &now)
        if now.leaves_qty > 0:
            return _partially_filled if now.cum_qty > 0 else _new
        return _filled if 0 < now.order_qty <= now.cum_qty else _canceled

    def __repr__(self):
        if self.listing is None:
            return "<Report of no market>"
        symbol, filled, leaves = self.instrument.symbol, self.cum_qty, self.leaves_qty
        why = f": {self.text}" if self.text else ""
        what = f"{self.ord_status.name} {symbol} filled {filled:f} leaves {leaves:f}{why}"
        return f"<Report {self.order_id} {what}>"

# cython: language_level=3
"""What an engine answered to one command, kept: in integers, or as a market's report.

Both classes are in one file because Cython leaves the garbage collector out of a class only when
it sees all its bases.
"""

import enum
from decimal import Decimal
from typing import NamedTuple

import numpy as np

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from touchline.core.messages cimport (
    TL_EXEC_TYPE_CANCELED, TL_EXEC_TYPE_CANCEL_REJECTED, TL_EXEC_TYPE_REJECTED, TL_EXEC_TYPE_TRADE,
)

from touchline.core.messages import EVENT, EVENT_REFUSAL, Reason, reason_text


class OrdStatus(enum.IntEnum):
    """What has become of an order: OrdStatus(39), each value its FIX character."""

    NEW = ord("0")
    PARTIALLY_FILLED = ord("1")
    FILLED = ord("2")
    CANCELED = ord("4")
    REJECTED = ord("8")


class Fill(NamedTuple):
    """One trade of an order: LastPx(31), LastQty(32), and the resting order it met."""

    last_px: Decimal
    last_qty: Decimal
    contra_order_id: int
    contra_account: str


cdef inline Py_ssize_t rest_count(Answer answer) noexcept:
    """Events after the first."""
    if answer.rest is None:
        return 0
    return PyBytes_GET_SIZE(answer.rest) // <Py_ssize_t>sizeof(tl_event)


cdef inline const tl_event *last_of(Answer answer) noexcept:
    if answer.rest is None:
        return &answer.first
    return <tl_event *>PyBytes_AS_STRING(answer.rest) + rest_count(answer) - 1


@cython.no_gc
cdef class Answer:
    """The events of one command, copied: what Engine.events() shows until the next call.

    Engine.answer makes one; `context` is whatever its caller gave. Prices in ticks, quantities in
    lots. A class of Python derived from it should have `__slots__ = ()`, which keeps it light. The
    garbage collector does not look into it, so its context must not hold it.
    """

    def __init__(self):
        raise TypeError("an Answer is made by Engine.answer")

    def __reduce__(self):
        return _kept_again, (type(self), self.context, self.events.tobytes()), self.__getstate__()

    @property
    def count(self):
        """The number of events."""
        return (self.first.seq != 0) + rest_count(self)

    @property
    def order_id(self):
        """Of the order entered, replaced or canceled; 0 when it was refused."""
        return self.first.order_id

    @property
    def account_number(self):
        """The number of the account the command was for."""
        return self.first.account

    @property
    def exec_type(self):
        """Of the first event, as an int: what the engine said to the command itself."""
        return self.first.exec_type

    @property
    def last_exec_type(self):
        """Of the last event, as an int: what it came to in the end."""
        return last_of(self).exec_type

    @property
    def order_lots(self):
        """The order's quantity as the first event has it."""
        return self.first.qty

    @property
    def leaves_lots(self):
        """What is left of the order after the last event."""
        return last_of(self).leaves_qty

    @property
    def trades(self):
        """(price, qty, contra_order_id, contra_account) of each trade, all integers."""
        cdef Py_ssize_t i
        cdef const tl_event *event
        found = []
        for i in range(rest_count(self)):
            event = <const tl_event *>PyBytes_AS_STRING(self.rest) + i
            if event.exec_type == TL_EXEC_TYPE_TRADE:
                found.append((event.price, event.qty, event.contra_order_id,
                              event.contra_account))
        return found

    @property
    def events(self):
        """All events, shape (n,), dtype EVENT; the caller's own."""
        data = PyBytes_FromStringAndSize(<char *>&self.first, sizeof(tl_event))
        if self.rest is not None:
            data += self.rest
        return np.frombuffer(data, EVENT, self.count)


@cython.no_gc
cdef class Report(Answer):
    """What became of one request; holds the events and works out what is asked for.

    It does not change afterwards: a resting order that trades later is told in the reports of the
    orders that meet it, in `Market.open_orders` and in `Market.position`. The context is the
    request's touchline.market.listing.Listing.
    """

    @property
    def instrument(self):
        """The instrument the request was for."""
        return self.context.instrument

    @property
    def account(self):
        """The name of the account the request was for."""
        return self.context.account_names[self.account_number]

    @property
    def accepted(self):
        """False when the request was refused and nothing has changed."""
        return self.first.exec_type not in (TL_EXEC_TYPE_REJECTED, TL_EXEC_TYPE_CANCEL_REJECTED)

    @property
    def text(self):
        """Why the request was refused, or why what was left of the order was canceled; or ""."""
        last = self.events.view(EVENT_REFUSAL)[-1]
        reason = Reason(last["reason"])
        if self.accepted:
            return reason_text(reason)
        return reason_text(reason, int(last["value"]), int(last["limit"]))

    @property
    def fills(self):
        """The trades of this request in order; empty when it met nothing."""
        to_price, to_qty = self.instrument.to_price, self.instrument.to_qty
        names = self.context.account_names
        return [
            Fill(to_price(price), to_qty(qty), contra_order_id, names[contra])
            for price, qty, contra_order_id, contra in self.trades
        ]

    @property
    def filled_qty(self):
        """What this request has traded."""
        return self.instrument.to_qty(sum([qty for _, qty, _, _ in self.trades]))

    @property
    def avg_px(self):
        """AvgPx(6) of this request's trades; None when there are none."""
        trades = self.trades
        if not trades:
            return None
        value = sum([price * qty for price, qty, _, _ in trades])
        return self.instrument.to_price(value) / sum([qty for _, qty, _, _ in trades])

    @property
    def leaves_qty(self):
        """LeavesQty(151): what is left of the order in the book."""
        return self.instrument.to_qty(self.leaves_lots if self.accepted else 0)

    @property
    def ord_status(self):
        """OrdStatus(39) after this request; REJECTED of one that was refused."""
        if not self.accepted:
            return OrdStatus.REJECTED
        if self.last_exec_type == TL_EXEC_TYPE_CANCELED:
            return OrdStatus.CANCELED
        if self.leaves_lots == 0:
            return OrdStatus.FILLED
        executed = self.order_lots > self.leaves_lots
        return OrdStatus.PARTIALLY_FILLED if executed else OrdStatus.NEW

    def __repr__(self):
        if self.context is None:
            return "<Report of nothing>"
        what = f"{self.ord_status.name} {self.instrument.symbol} filled {self.filled_qty}"
        why = f": {self.text}" if self.text else ""
        return f"<Report {self.order_id} {what} leaves {self.leaves_qty}{why}>"


def _kept_again(kind, context, events):
    """An answer from what its pickle holds; ValueError for one that is damaged."""
    if not (isinstance(kind, type) and issubclass(kind, Answer)):
        raise ValueError(f"a pickled answer is of class {kind!r}, which is no Answer")
    if not isinstance(events, bytes) or len(events) % sizeof(tl_event) != 0:
        raise ValueError("a pickled answer is damaged: it holds no whole number of events")
    made_up = kind.__new__(kind)
    if not isinstance(made_up, Answer):
        raise ValueError(f"a pickled answer's class made {made_up!r}, which is no Answer")
    cdef Answer made = <Answer>made_up
    made.context = context
    if events:
        memcpy(&made.first, PyBytes_AS_STRING(events), sizeof(tl_event))
    if len(events) > <Py_ssize_t>sizeof(tl_event):
        made.rest = events[sizeof(tl_event):]
    return made

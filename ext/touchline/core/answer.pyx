# cython: language_level=3
"""What an engine answered to one command, kept in integers."""

import numpy as np

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from touchline.core.messages cimport TL_EXEC_TYPE_TRADE

from touchline.core.messages import EVENT


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

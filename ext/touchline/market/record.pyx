# cython: language_level=3
"""What happened in a market, kept for whoever asks later: its trades and replaced orders.

    request ─► engine ─► events ─► Record ◄─ Report: what has become of my order?
                                     └────── Market.trades

64 bytes for each trade and replaced order, appended; nothing is worked out until somebody asks.
The sums by order are then brought up to date: one look at each event, whoever asks how often.
It also knows the market's time, and which reports speak of the market as it is now: a restore takes
back what happened after the snapshot, and begins a new epoch. One thread at a time.
"""

import numpy as np

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from touchline.core.arguments cimport natural
from touchline.core.messages cimport TL_EXEC_TYPE_REPLACED, TL_EXEC_TYPE_TRADE

from touchline.core.messages import EVENT

# The sum that an order without trades and replaces has.
cdef order_sum _nothing
memset(&_nothing, 0, sizeof(_nothing))


cdef inline size_t place_of(uint64_t order_id, size_t room) noexcept nogil:
    """Where the search for an order begins; `room` is a power of two."""
    cdef uint64_t mixed = order_id * <uint64_t>0x9E3779B97F4A7C15
    return <size_t>(mixed >> 32) & (room - 1)


cdef inline order_sum *find(order_sum *sums, size_t room, uint64_t order_id) noexcept nogil:
    """The order's sum, or the empty one where it belongs."""
    cdef size_t at = place_of(order_id, room)
    while sums[at].order_id != 0 and sums[at].order_id != order_id:
        at = (at + 1) & (room - 1)
    return &sums[at]


def _record_of(capacities, snapshot, state, events):
    """A Record out of its parts, as a pickle has them."""
    cdef Record record = Record(Engine(**capacities))
    record.engine.restore(snapshot)
    record.load(events)
    record.ts_ns, record.epoch, record.limits, record.taken = state
    return record


cdef class Record:
    """The trades and replaced orders of the market over `engine`."""

    def __cinit__(self, Engine engine not None):
        self.engine = engine
        self.limits = {}
        self.taken = {}

    def __dealloc__(self):
        free(self.events)
        free(self.sums)

    def __reduce__(self):
        state = (self.ts_ns, self.epoch, dict(self.limits), dict(self.taken))
        return _record_of, (self.engine.capacities._asdict(), self.engine.snapshot(), state,
                            self.dump())

    cdef int make_room(self, size_t more) except -1:
        """Memory for so many more events; MemoryError when there is none."""
        cdef size_t room = max(self.room, <size_t>1024)
        cdef void *moved
        if self.room - self.count >= more:
            return 0
        while room - self.count < more:
            room *= 2
        moved = realloc(self.events, room * sizeof(tl_event))
        if moved is NULL:
            raise MemoryError("no memory for the market's record of trades")
        self.events = <tl_event *>moved
        self.room = room
        return 0

    cdef void keep(self, const tl_event *events, size_t count) noexcept nogil:
        """Keep what of the events is to be kept; there is room."""
        cdef size_t i
        for i in range(count):
            if events[i].exec_type in (TL_EXEC_TYPE_TRADE, TL_EXEC_TYPE_REPLACED):
                self.events[self.count] = events[i]
                self.count += 1

    cdef order_sum *sum_of(self, uint64_t order_id) except NULL:
        """What the record knows of an order: until the next call, and not to be changed."""
        cdef const tl_event *event
        cdef order_sum *found
        while self.summed < self.count:
            if 2 * (self.sums_used + 2) > self.sums_room:
                self.grow()
            event = &self.events[self.summed]
            found = self.entry(event.order_id)
            if event.exec_type == TL_EXEC_TYPE_REPLACED:
                found.order_qty = event.qty
            else:
                found.cum_qty += event.qty
                found.value += event.price * event.qty
                found = self.entry(event.contra_order_id)
                found.cum_qty += event.qty
                found.value += event.price * event.qty
            self.summed += 1
        if self.sums_room == 0:
            return &_nothing
        found = find(self.sums, self.sums_room, order_id)
        return found if found.order_id != 0 else &_nothing

    cdef order_sum *entry(self, uint64_t order_id) noexcept:
        cdef order_sum *found = find(self.sums, self.sums_room, order_id)
        if found.order_id == 0:
            found.order_id = order_id
            self.sums_used += 1
        return found

    cdef int grow(self) except -1:
        cdef size_t room = 2 * self.sums_room if self.sums_room > 0 else 256
        cdef order_sum *sums = <order_sum *>calloc(room, sizeof(order_sum))
        cdef size_t i
        if sums is NULL:
            raise MemoryError("no memory for the sums of the market's orders")
        for i in range(self.sums_room):
            if self.sums[i].order_id != 0:
                find(sums, room, self.sums[i].order_id)[0] = self.sums[i]
        free(self.sums)
        self.sums = sums
        self.sums_room = room
        return 0

    cdef bint knows(self, int64_t epoch, uint64_t seq):
        """Is what happened in this epoch at this event's number part of how the market is now?"""
        if epoch == self.epoch:
            return True
        limit = self.limits.get(epoch)
        return limit is not None and seq <= <uint64_t>limit

    def trades_after(self, number):
        """The kept events with a higher seq, oldest first, shape (n,), dtype EVENT. A copy."""
        cdef uint64_t after = natural(number, "after")
        cdef size_t low = 0
        cdef size_t high = self.count
        cdef size_t middle
        while low < high:
            middle = (low + high) // 2
            if self.events[middle].seq <= after:
                low = middle + 1
            else:
                high = middle
        kept = np.empty(self.count - low, EVENT)
        cdef unsigned char[::1] memory
        if self.count > low:
            memory = kept.view("u1")
            memcpy(&memory[0], &self.events[low], (self.count - low) * sizeof(tl_event))
        return kept[kept["exec_type"] == TL_EXEC_TYPE_TRADE]

    def take(self, bytes events not None):
        """Keep what of these events, raw records one after the other, is to be kept."""
        cdef size_t count = <size_t>PyBytes_GET_SIZE(events) // sizeof(tl_event)
        self.make_room(count)
        self.keep(<const tl_event *>PyBytes_AS_STRING(events), count)

    def dump(self):
        """What is kept, as bytes."""
        return PyBytes_FromStringAndSize(<char *>self.events,
                                         <Py_ssize_t>(self.count * sizeof(tl_event)))

    def load(self, bytes events not None):
        """Be what `dump` gave."""
        self.count = self.summed = self.sums_used = 0
        if self.sums_room > 0:
            memset(self.sums, 0, self.sums_room * sizeof(order_sum))
        self.take(events)

    def note_snapshot(self, bytes digest not None):
        """A snapshot was taken: what is known now will be known when it is restored."""
        self.taken[digest] = self.limits | {self.epoch: self.engine.event_seq}

    def begin_epoch(self, bytes digest not None):
        """A snapshot has been restored: of what was before, only what it knew is still true."""
        self.limits = self.taken.get(digest, {})
        self.epoch += 1

"""A market's record for Cython: its engine, its time, and what happened to its orders."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from touchline.core.engine cimport Engine
from touchline.core.messages cimport tl_event


cdef struct order_sum:
    # What the record knows of one order.
    uint64_t order_id
    int64_t value
    uint32_t cum_qty
    uint32_t order_qty


cdef class Record:
    cdef readonly Engine engine
    # UTC nanoseconds that the next requests are stamped with.
    cdef public int64_t ts_ns
    cdef readonly int64_t epoch
    cdef dict limits
    cdef dict taken
    cdef tl_event *events
    cdef size_t count
    cdef size_t room
    cdef order_sum *sums
    cdef size_t sums_used
    cdef size_t sums_room
    cdef size_t summed

    cdef int make_room(self, size_t more) except -1
    cdef void keep(self, const tl_event *events, size_t count) noexcept nogil
    cdef order_sum *sum_of(self, uint64_t order_id) except NULL
    cdef order_sum *entry(self, uint64_t order_id) noexcept
    cdef int grow(self) except -1
    cdef bint knows(self, int64_t epoch, uint64_t seq)

# cython: language_level=3
"""The venue's events as ITCH 5.0, for Python: commands and events in, blocks of messages out.

An ItchFeed belongs to one thread at a time. touchline.data.export writes files with it.
"""

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_FromStringAndSize

from touchline.core.arguments cimport check, whole

from touchline.core.messages import COMMAND, EVENT
from touchline.errors import ImpossibleEvent

cnp.import_array()


cdef int check_rows(cnp.ndarray rows, object dtype, str name) except -1:
    if rows.dtype != dtype or rows.ndim != 1 or not cnp.PyArray_IS_C_CONTIGUOUS(rows):
        raise ValueError(f"{name} must be a one-dimensional contiguous array of their dtype")
    return 0


cdef class ItchFeed:
    """The messages of an engine of these capacities; times are counted from `midnight_ns` of a day.

    Raises TypeError or OverflowError for a number that is none or out of range, ValueError outside
    the engine's bounds, MemoryError.
    """

    def __cinit__(self, *, instruments_max, orders_max, price_blocks_max, midnight_ns=0):
        cdef tl_itch_feed_config config
        config.instruments_max = <uint32_t>whole(instruments_max, "instruments_max", 1, 0xFFFFFFFF)
        config.orders_max = <uint32_t>whole(orders_max, "orders_max", 1, 0xFFFFFFFF)
        config.price_blocks_max = <uint32_t>whole(price_blocks_max, "price_blocks_max", 1,
                                                  0xFFFFFFFF)
        config.midnight_ns = whole(midnight_ns, "midnight_ns", 0, 86_400_000_000_000)
        check(tl_itch_feed_open(&self.feed, &config), "no memory for a feed of these capacities")

    def __dealloc__(self):
        tl_itch_feed_close(self.feed)

    def commands(self, cnp.ndarray commands not None):
        """The journal's commands, in order and before the events they cause: array of COMMAND."""
        check_rows(commands, COMMAND, "commands")
        cdef const tl_command *first = <const tl_command *>cnp.PyArray_DATA(commands)
        cdef Py_ssize_t i
        for i in range(cnp.PyArray_SIZE(commands)):
            check(tl_itch_feed_command(self.feed, &first[i]), "no memory for names")

    def apply(self, cnp.ndarray events not None):
        """Let events happen, an array of EVENT: their messages, each with its length before it.

        Raises ImpossibleEvent for one that can not follow those before it.
        """
        check_rows(events, EVENT, "events")
        cdef const tl_event *first = <const tl_event *>cnp.PyArray_DATA(events)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(events)
        cdef size_t done = 0
        cdef size_t made
        cdef tl_itch_blocks blocks
        cdef tl_itch_feed_stop stop
        found = []
        while done < count:
            with nogil:
                made = tl_itch_feed_apply(self.feed, first + done, count - done, &blocks, &stop)
            done += made
            found.append(PyBytes_FromStringAndSize(<const char *>blocks.bytes,
                                                   <Py_ssize_t>blocks.size))
            if done < count and (stop != TL_ITCH_FEED_STOP_FULL or not made):
                raise ImpossibleEvent(first[done].seq,
                                      tl_itch_feed_stop_text(self.feed, stop).decode())
        return b"".join(found)

    def untold(self, instrument):
        """Why an instrument that has been listed has no messages; None when it has."""
        cdef tl_stock_fault fault = TL_STOCK_FAULT_NONE
        tl_itch_feed_stock(self.feed, <uint16_t>whole(instrument, "instrument", 0, 65535), &fault)
        return None if fault == TL_STOCK_FAULT_NONE else tl_stock_fault_text(fault).decode()

    @property
    def count(self):
        """How many messages there were."""
        return tl_itch_feed_count(self.feed)

    @property
    def unshown(self):
        """How many orders were not shown, because ITCH has no room for their price or shares."""
        return tl_itch_feed_unshown(self.feed)

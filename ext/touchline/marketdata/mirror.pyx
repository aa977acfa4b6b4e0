# cython: language_level=3, boundscheck=False, wraparound=False
"""The mirror for Python: batches of events in, messages ready to be sent out.

A Mirror belongs to one thread at a time. Prices are ticks, quantities lots.
"""

import os
from typing import NamedTuple

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

from touchline.core.arguments cimport check
from touchline.core.capacities cimport capacity

from touchline.core.capacities import EngineCapacities
from touchline.core.messages import EVENT
from touchline.errors import ImpossibleEvent

cnp.import_array()

# Held here because a look-up by name costs as much as an event.
cdef object _event = EVENT
_USUAL = EngineCapacities()

MESSAGE_BYTES_MAX: int = TL_PUBLISHED_MESSAGE_MAX  # of a header and its records, heartbeats apart


# The best bid and offer after an event, prices in ticks and quantities in lots.
TOUCH = np.dtype(
    {
        "names": ["bid_price", "ask_price", "bid_qty", "ask_qty", "changed"],
        "formats": ["<i8", "<i8", "<u8", "<u8", "u1"],
        "itemsize": sizeof(tl_touch),
    }
)


cdef int check_events(cnp.ndarray events) except -1:
    descr = <object>cnp.PyArray_DESCR(events)
    if (descr is not _event and descr != _event) or cnp.PyArray_NDIM(events) != 1:
        raise ValueError("events must be a one-dimensional array of dtype EVENT")
    if not cnp.PyArray_IS_C_CONTIGUOUS(events):
        raise ValueError("events must be contiguous")
    return 0


class BookState(NamedTuple):
    """One instrument but its levels; `seqs` by Kind, the others as in their records."""

    seqs: tuple
    trading_status: int
    bbo: tuple
    last_trade: tuple | None
    statistics: tuple
    levels: int
    changed_seq: int  # the last event that made a record of it


cdef class Mirror:
    """Every book as the events so far have left it, and the published records they make.

    For the events of an engine of these capacities. Raises TypeError for one that is no whole
    number, ValueError outside the engine's bounds, MemoryError when there is no memory.
    """

    def __cinit__(self, *, instruments_max=_USUAL.instruments_max, orders_max=_USUAL.orders_max,
                  price_blocks_max=_USUAL.price_blocks_max):
        self.instruments_max = capacity(instruments_max, "instruments_max")
        check(tl_mirror_open(&self.mirror, self.instruments_max,
                             capacity(orders_max, "orders_max"),
                             capacity(price_blocks_max, "price_blocks_max")),
              "no memory for a mirror of these capacities")

    def __dealloc__(self):
        tl_mirror_close(self.mirror)
        tl_archive_close(self.archive)

    def keep(self, directory, bytes_max):
        """Keep every record that is made from now on in a file without a name in `directory`.

        At most `bytes_max` bytes; beyond them the oldest records go. Call it once, before the
        first event. Raises OSError when the file can not be made, ValueError for another size
        than 64 KiB to 4 TiB.
        """
        path = os.fsencode(directory)
        if not TL_ARCHIVE_BYTES_MIN <= bytes_max <= TL_ARCHIVE_BYTES_MAX:
            raise ValueError(f"bytes_max is {bytes_max}; from {TL_ARCHIVE_BYTES_MIN} on is wanted")
        if self.archive != NULL or tl_mirror_event_seq(self.mirror) != 0:
            raise ValueError("records are kept from the first event on, by one call")
        cdef int rc = tl_archive_open(&self.archive, path, self.instruments_max, bytes_max)
        if rc != 0:
            raise OSError(-rc, os.strerror(-rc), directory)
        tl_mirror_keep(self.mirror, self.archive)

    cdef int check_kept(self, unsigned instrument, unsigned kind) except -1:
        if self.archive == NULL:
            raise ValueError("no records are kept")
        if instrument >= self.instruments_max or kind >= TL_PUBLISHED_STREAMS:
            raise ValueError(f"instrument {instrument} has no records of kind {kind}")
        return 0

    def kept(self, unsigned instrument, unsigned kind):
        """The numbers of the oldest and newest record kept; oldest is newest + 1 for none.

        Raises ValueError when nothing is kept, or for a kind whose records are not numbered.
        """
        self.check_kept(instrument, kind)
        cdef uint64_t oldest, newest
        tl_archive_range(self.archive, <uint16_t>instrument, kind, &oldest, &newest)
        return oldest, newest

    def since(self, unsigned instrument, unsigned kind, int64_t ts_ns):
        """The number of the first record kept that is not older than `ts_ns`; newest + 1 for none.
        """
        self.check_kept(instrument, kind)
        return tl_archive_since(self.archive, <uint16_t>instrument, kind, ts_ns)

    def history(self, unsigned instrument, unsigned kind, uint64_t first, uint32_t records_max):
        """Records as bytes from number `first` on: at most `records_max`, fewer where they lie
        apart, none for a number that is not kept."""
        self.check_kept(instrument, kind)
        cdef size_t size = tl_archive_record_bytes(kind)
        cdef uint32_t room = min(records_max, <uint32_t>TL_PUBLISHED_MESSAGE_MAX)
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(room * size))
        cdef size_t count = tl_archive_read(self.archive, <uint16_t>instrument, kind, first, room,
                                            PyBytes_AS_STRING(data))
        return data[:count * size]

    def apply(self, cnp.ndarray events not None):
        """Let events happen, shape (n,), dtype EVENT; returns how many did.

        Fewer than n when there is no more room for records (never of 65,536 events or less, but
        for turns of the kill switch): take the messages, and go on with the rest. Records of the
        call before that nobody took are gone; their numbers stay used. Raises ImpossibleEvent for
        an event that cannot follow those before it; those are done then, and it is not. Raises
        ValueError for another shape or dtype.
        """
        check_events(events)
        cdef const tl_event *first = <const tl_event *>cnp.PyArray_DATA(events)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(events)
        cdef size_t done
        with nogil:
            done = tl_mirror_apply(self.mirror, first, count)
        if tl_mirror_fault(self.mirror) != TL_MIRROR_NONE:
            self.raise_fault(first[done].seq)
        return done

    def follow(self, cnp.ndarray events not None):
        """Let events happen, and the touch after each: shape (n,), dtype TOUCH, the caller's own.

        It is that of the event's instrument, 0 where a side is empty; `changed` is 1 where the
        event made it another one. No records wait afterwards. Raises as apply() does.
        """
        check_events(events)
        cdef const tl_event *first = <const tl_event *>cnp.PyArray_DATA(events)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(events)
        cdef size_t done
        cdef cnp.ndarray touches = np.zeros(count, dtype=TOUCH)
        cdef tl_touch *to = <tl_touch *>cnp.PyArray_DATA(touches)
        with nogil:
            done = tl_mirror_follow(self.mirror, first, count, to)
        if done < count:
            self.raise_fault(first[done].seq)
        return touches

    cdef object raise_fault(self, uint64_t seq):
        text = tl_mirror_fault_text(tl_mirror_fault(self.mirror)).decode()
        raise ImpossibleEvent(seq, text)

    def messages(self, object topics not None):
        """The messages of what was applied last, as [(topic, payload)], by instrument and kind.

        `topics[number]` gives an instrument's five topics, by Kind. Each payload is a HEADER and
        its records, at most 4,096 bytes. Messages are given once.
        """
        cdef tl_mirror_message message
        cdef int number = -1
        cdef list found = []
        cdef tuple names = None
        while tl_mirror_next_message(self.mirror, &message):
            if message.instrument != number:
                number = message.instrument
                names = topics[number]
            found.append((names[message.kind],
                          PyBytes_FromStringAndSize(<const char *>message.bytes,
                                                    <Py_ssize_t>message.count)))
        return found

    def discard(self):
        """The records that wait are numbered, but nobody wants them."""
        tl_mirror_discard(self.mirror)

    def heartbeat(self):
        """The payload of a heartbeat: a HEADER, and a HEARTBEAT record per listed instrument."""
        cdef size_t room = tl_mirror_instruments(self.mirror)
        cdef size_t count = sizeof(tl_published_header) + room * sizeof(tl_published_heartbeat)
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>count)
        cdef char *to = PyBytes_AS_STRING(data)
        tl_mirror_heartbeat(self.mirror, <tl_published_header *>to,
                            <tl_published_heartbeat *>(to + sizeof(tl_published_header)), room)
        return data

    def numbers(self):
        """The numbers of the listed instruments, in order."""
        cdef tl_mirror_view view
        cdef uint32_t number
        found = []
        for number in range(self.instruments_max):
            if tl_mirror_look(self.mirror, <uint16_t>number, &view):
                found.append(number)
        return found

    def state(self, uint16_t instrument):
        """The BookState of one instrument. Raises KeyError when it is not listed."""
        cdef tl_mirror_view view
        if not tl_mirror_look(self.mirror, instrument, &view):
            raise KeyError(instrument)
        cdef tl_published_bbo bbo = view.bbo
        cdef tl_published_trade trade = view.last_trade
        last = None
        if trade.event_seq:
            last = (trade.event_seq, trade.ts_ns, trade.price, trade.qty, trade.side)
        cdef tl_published_statistics day = view.statistics
        seqs = (view.seqs[0], view.seqs[1], view.seqs[2], view.seqs[3], view.seqs[4])
        statistics = (day.event_seq, day.ts_ns, day.open_price, day.high_price, day.low_price,
                      day.last_price, day.volume, day.turnover, day.turnover_high, day.trades,
                      day.open_ns)
        touch = (bbo.event_seq, bbo.ts_ns, bbo.bid_price, bbo.ask_price, bbo.bid_qty, bbo.ask_qty,
                 bbo.bid_orders, bbo.ask_orders)
        return BookState(seqs, view.trading_status, touch, last, statistics, view.levels,
                         view.changed_seq)

    def levels(self, uint16_t instrument, size_t levels_max=0):
        """Levels as DEPTH records in bytes, bids before asks, each the best first.

        All of them, or at most `levels_max` of each side. Raises KeyError when it is not listed.
        """
        cdef tl_mirror_view view
        if not tl_mirror_look(self.mirror, instrument, &view):
            raise KeyError(instrument)
        cdef size_t room = view.levels
        if levels_max != 0 and levels_max < room:
            room = min(2 * levels_max, view.levels)
        cdef size_t a_side = room if levels_max == 0 else min(levels_max, room)
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(room * sizeof(tl_published_depth)))
        cdef tl_published_depth *to = <tl_published_depth *>PyBytes_AS_STRING(data)
        cdef size_t count
        with nogil:
            count = tl_mirror_side(self.mirror, instrument, TL_SIDE_BUY, to, a_side)
            count += tl_mirror_side(self.mirror, instrument, TL_SIDE_SELL, to + count,
                                    min(a_side, room - count))
        return data[:count * sizeof(tl_published_depth)]

    @property
    def event_seq(self):
        """The last event applied, 0 before the first."""
        return tl_mirror_event_seq(self.mirror)

    @property
    def ts_ns(self):
        """Its time."""
        return tl_mirror_ts_ns(self.mirror)

    @property
    def epoch(self):
        """The time of the journal's first event: tells journals apart."""
        return tl_mirror_epoch(self.mirror)

    @property
    def entry_status(self):
        """The EntryStatus of the venue."""
        return tl_mirror_entry_status(self.mirror)

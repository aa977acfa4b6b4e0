# cython: language_level=3
"""Recorded feeds for Python: bytes of a file in pieces, arrays of RECORD out.

touchline.data.itch reads files with it.
"""

from typing import NamedTuple

import numpy as np

cimport numpy as cnp

from touchline.core.arguments cimport natural, whole

from touchline.study.market_record import RECORD

cnp.import_array()

PIECE_MIN = TL_FEED_PIECE_MIN


class FeedCounts(NamedTuple):
    """What a feed had so far; `skipped` messages were at fault, the first at `first_skipped`."""

    messages: int
    unknown: int
    missing: int
    gaps: int
    duplicates: int
    datagrams: int
    passed: int
    sessions: int
    skipped: int
    first_skipped: int


cdef class Feed:
    """A feed in pieces. `pcap`: packets instead of messages; see feed.h for the others.

    Raises TypeError or OverflowError for a number that is none or out of range.
    """

    def __cinit__(self, *, pcap=False, base_ns=0, port=0, skip=False):
        self.feed = tl_feed_open(
            TL_FEED_PCAP if pcap else TL_FEED_BINARYFILE,
            whole(base_ns, "base_ns", 0, 1 << 62), <uint16_t>whole(port, "port", 0, 65535), skip)
        if self.feed is NULL:
            raise MemoryError("no memory for a feed")

    def __dealloc__(self):
        tl_feed_close(self.feed)

    def read(self, const unsigned char[::1] data, room):
        """(records, used): at most `room` records of the bytes, and how many bytes are done with.

        The rest is to be given again, with more behind it.
        """
        cdef cnp.ndarray records = np.empty(whole(room, "room", 1, 1 << 24), RECORD)
        cdef tl_market_record *to = <tl_market_record *>cnp.PyArray_DATA(records)
        cdef size_t most = <size_t>cnp.PyArray_SIZE(records)
        cdef const uint8_t *bytes = &data[0] if data.shape[0] else NULL
        cdef size_t size = <size_t>data.shape[0]
        cdef size_t used = 0
        cdef size_t count = 0
        if size:
            with nogil:
                count = tl_feed_read(self.feed, bytes, size, to, most, &used)
        return (records if count == most else records[:count].copy()), used

    def messages(self, const unsigned char[::1] data, room):
        """(blocks, used): as read(), the messages themselves, each with its length (u16) before it.

        Those that read() would skip are not among them.
        """
        if self.copies is None:
            self.copies = bytearray(TL_FEED_COPY_MIN + (1 << 20))
        cdef unsigned char[::1] view = self.copies
        tl_feed_copy_to(self.feed, &view[0], <size_t>view.shape[0])
        try:
            _, used = self.read(data, room)
            return bytes(self.copies[:tl_feed_copied(self.feed)]), used
        finally:
            tl_feed_copy_to(self.feed, NULL, 0)

    def number(self, following, *, lost=False):
        """The next message's number, where the bytes do not say it. Those from the one expected to
        there count as missing when they are `lost`."""
        tl_feed_number(self.feed, natural(following, "following"), lost)

    def end(self, left):
        """No more bytes come, and so many were not used: a fault, unless there are none."""
        tl_feed_end(self.feed, <size_t>whole(left, "left", 0, 1 << 62))

    @property
    def fault(self):
        """(byte of the file, what is wrong), or None."""
        cdef uint64_t offset
        cdef int fault = tl_feed_fault_now(self.feed, &offset)
        return None if fault == TL_FEED_NONE_FAULT else (offset, tl_feed_fault_text(fault).decode())

    @property
    def counts(self):
        """FeedCounts."""
        cdef tl_feed_counts now
        cdef uint64_t first
        tl_feed_counts_now(self.feed, &now)
        cdef uint64_t skipped = tl_feed_skipped(self.feed, &first)
        return FeedCounts(now.messages, now.unknown, now.missing, now.gaps, now.duplicates,
                          now.datagrams, now.passed, now.sessions, skipped, first)

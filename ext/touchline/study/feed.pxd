"""Recorded feeds for Cython: the C interface of feed.h, and who owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from touchline.study.market_record cimport tl_market_record


cdef extern from "touchline/study/feed.h" nogil:
    enum: TL_FEED_PIECE_MIN
    enum: TL_FEED_COPY_MIN
    enum: TL_FEED_BINARYFILE
    enum: TL_FEED_PCAP
    enum: TL_FEED_NONE_FAULT

    ctypedef struct tl_feed_counts:
        uint64_t messages
        uint64_t unknown
        uint64_t missing
        uint64_t gaps
        uint64_t duplicates
        uint64_t datagrams
        uint64_t passed
        uint64_t sessions

    ctypedef struct tl_feed:
        pass

    tl_feed *tl_feed_open(int format, int64_t base_ns, uint16_t port, bint skip)
    void tl_feed_close(tl_feed *feed)
    size_t tl_feed_read(tl_feed *feed, const uint8_t *bytes, size_t size,
                        tl_market_record *records, size_t room, size_t *used)
    void tl_feed_copy_to(tl_feed *feed, uint8_t *to, size_t room)
    size_t tl_feed_copied(const tl_feed *feed)
    void tl_feed_number(tl_feed *feed, uint64_t next, bint lost)
    void tl_feed_end(tl_feed *feed, size_t left)
    int tl_feed_fault_now(const tl_feed *feed, uint64_t *offset)
    const char *tl_feed_fault_text(int fault)
    void tl_feed_counts_now(const tl_feed *feed, tl_feed_counts *counts)
    uint64_t tl_feed_skipped(const tl_feed *feed, uint64_t *first)


cdef class Feed:
    cdef tl_feed *feed
    cdef object copies

"""The venue's events as ITCH 5.0, for Cython: the C interface of itch_feed.h, and who owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from touchline.core.messages cimport tl_command, tl_event


cdef extern from "touchline/wire/itch_feed.h" nogil:
    ctypedef struct tl_stock:
        pass

    ctypedef enum tl_stock_fault:
        TL_STOCK_FAULT_NONE

    const char *tl_stock_fault_text(tl_stock_fault fault)

    ctypedef struct tl_itch_feed:
        pass

    ctypedef struct tl_itch_feed_config:
        uint32_t instruments_max
        uint32_t orders_max
        uint32_t price_blocks_max
        int64_t midnight_ns

    ctypedef struct tl_itch_blocks:
        const uint8_t *bytes
        size_t size
        uint64_t first
        uint64_t count

    ctypedef enum tl_itch_feed_stop:
        TL_ITCH_FEED_STOP_NONE
        TL_ITCH_FEED_STOP_FULL

    int tl_itch_feed_open(tl_itch_feed **feed, const tl_itch_feed_config *config)
    void tl_itch_feed_close(tl_itch_feed *feed)
    int tl_itch_feed_command(tl_itch_feed *feed, const tl_command *cmd)
    size_t tl_itch_feed_apply(tl_itch_feed *feed, const tl_event *events, size_t count,
                              tl_itch_blocks *blocks, tl_itch_feed_stop *stop)
    const char *tl_itch_feed_stop_text(const tl_itch_feed *feed, tl_itch_feed_stop stop)
    const tl_stock *tl_itch_feed_stock(const tl_itch_feed *feed, uint16_t instrument,
                                       tl_stock_fault *fault)
    uint64_t tl_itch_feed_unshown(const tl_itch_feed *feed)
    uint64_t tl_itch_feed_count(const tl_itch_feed *feed)


cdef class ItchFeed:
    cdef tl_itch_feed *feed

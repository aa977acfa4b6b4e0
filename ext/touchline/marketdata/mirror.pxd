"""The mirror for Cython: the C interface of mirror.h, and the extension type that owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from touchline.core.messages cimport TL_SIDE_BUY, TL_SIDE_SELL, tl_event


cdef extern from "touchline/marketdata/archive.h" nogil:
    enum: TL_ARCHIVE_BYTES_MIN
    uint64_t TL_ARCHIVE_BYTES_MAX

    ctypedef struct tl_archive:
        pass

    int tl_archive_open(tl_archive **archive, const char *directory, uint32_t instruments_max,
                        uint64_t bytes_max)
    void tl_archive_close(tl_archive *archive)
    void tl_archive_range(const tl_archive *archive, uint16_t instrument, unsigned kind,
                          uint64_t *oldest, uint64_t *newest)
    size_t tl_archive_read(const tl_archive *archive, uint16_t instrument, unsigned kind,
                           uint64_t first, size_t room, void *to)
    uint64_t tl_archive_since(const tl_archive *archive, uint16_t instrument, unsigned kind,
                              int64_t ts_ns)
    size_t tl_archive_record_bytes(unsigned kind)


cdef extern from "touchline/marketdata/mirror.h" nogil:
    enum: TL_PUBLISHED_VERSION
    enum: TL_PUBLISHED_STREAMS
    enum: TL_PUBLISHED_KINDS
    uint32_t TL_PUBLISHED_MESSAGE_MAX
    uint32_t TL_MIRROR_EVENTS_MAX
    enum: TL_MIRROR_NONE

    ctypedef struct tl_published_header:
        uint32_t count

    ctypedef struct tl_published_trade:
        uint64_t event_seq
        int64_t ts_ns
        int64_t price
        uint32_t qty
        uint8_t side

    ctypedef struct tl_published_bbo:
        uint64_t event_seq
        int64_t ts_ns
        int64_t bid_price
        int64_t ask_price
        uint64_t bid_qty
        uint64_t ask_qty
        uint32_t bid_orders
        uint32_t ask_orders

    ctypedef struct tl_published_depth:
        pass

    ctypedef struct tl_published_statistics:
        uint64_t event_seq
        int64_t ts_ns
        int64_t open_price
        int64_t high_price
        int64_t low_price
        int64_t last_price
        uint64_t volume
        uint64_t turnover
        uint64_t turnover_high
        uint64_t trades
        int64_t open_ns

    ctypedef struct tl_published_heartbeat:
        pass

    ctypedef struct tl_touch:
        int64_t bid_price
        int64_t ask_price
        uint64_t bid_qty
        uint64_t ask_qty
        uint8_t changed

    ctypedef struct tl_mirror:
        pass

    ctypedef struct tl_mirror_message:
        const uint8_t *bytes
        size_t count
        uint16_t instrument
        uint8_t kind

    ctypedef struct tl_mirror_view:
        uint64_t seqs[5]
        tl_published_bbo bbo
        tl_published_trade last_trade
        tl_published_statistics statistics
        size_t levels
        uint64_t changed_seq
        uint8_t trading_status

    void tl_mirror_keep(tl_mirror *mirror, tl_archive *archive)
    int tl_mirror_open(tl_mirror **mirror, uint32_t instruments_max, uint32_t orders_max,
                       uint32_t price_blocks_max)
    void tl_mirror_close(tl_mirror *mirror)
    size_t tl_mirror_apply(tl_mirror *mirror, const tl_event *events, size_t count)
    size_t tl_mirror_follow(tl_mirror *mirror, const tl_event *events, size_t count,
                            tl_touch *touches)
    int tl_mirror_fault(const tl_mirror *mirror)
    const char *tl_mirror_fault_text(int fault)
    bint tl_mirror_next_message(tl_mirror *mirror, tl_mirror_message *message)
    void tl_mirror_discard(tl_mirror *mirror)
    uint64_t tl_mirror_event_seq(const tl_mirror *mirror)
    int64_t tl_mirror_ts_ns(const tl_mirror *mirror)
    uint64_t tl_mirror_epoch(const tl_mirror *mirror)
    uint8_t tl_mirror_entry_status(const tl_mirror *mirror)
    uint32_t tl_mirror_instruments(const tl_mirror *mirror)
    bint tl_mirror_look(const tl_mirror *mirror, uint16_t instrument, tl_mirror_view *view)
    size_t tl_mirror_levels(const tl_mirror *mirror, uint16_t instrument,
                            tl_published_depth *levels, size_t room)
    size_t tl_mirror_side(const tl_mirror *mirror, uint16_t instrument, uint8_t side,
                          tl_published_depth *levels, size_t room)
    size_t tl_mirror_heartbeat(const tl_mirror *mirror, tl_published_header *header,
                               tl_published_heartbeat *records, size_t room)


cdef class Mirror:
    cdef tl_mirror *mirror
    cdef tl_archive *archive
    cdef uint32_t instruments_max
    cdef int check_kept(self, unsigned instrument, unsigned kind) except -1
    cdef object raise_fault(self, uint64_t seq)

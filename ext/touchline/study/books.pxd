"""Books from market records, for Cython: the C interface of books.h, and who owns them."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from touchline.study.market_record cimport tl_market_record


cdef extern from "touchline/study/books.h" nogil:
    enum: TL_BOOKS_FAULT_COUNT
    uint32_t TL_BOOKS_INSTRUMENTS_MAX
    uint32_t TL_BOOKS_ORDERS_MAX

    ctypedef struct tl_quote:
        int64_t ts_ns
        uint64_t seq
        int64_t bid_price
        int64_t ask_price
        int64_t bid_qty
        int64_t ask_qty
        uint32_t bid_orders
        uint32_t ask_orders
        uint32_t instrument
        uint8_t changed
        uint8_t state

    ctypedef struct tl_print:
        int64_t ts_ns
        uint64_t seq
        uint64_t match
        uint64_t order_ref
        int64_t price
        int64_t qty
        uint32_t instrument
        uint8_t type
        uint8_t side
        uint8_t code
        uint8_t flags

    ctypedef struct tl_depth_row:
        int64_t price
        int64_t qty
        uint32_t orders

    ctypedef struct tl_resting:
        uint64_t order_ref
        int64_t price
        int64_t qty
        uint32_t instrument
        uint8_t side

    ctypedef struct tl_books_counts:
        uint64_t records
        uint64_t faults[10]
        uint64_t locked
        uint64_t crossed
        uint32_t orders
        uint32_t levels

    ctypedef struct tl_books_out:
        tl_quote *quotes
        tl_print *prints
        size_t quotes_count
        size_t prints_count
        bint every

    ctypedef struct tl_books:
        pass

    int tl_books_open(tl_books **books, uint32_t instruments_max, uint32_t orders_max,
                      uint64_t seed)
    void tl_books_close(tl_books *books)
    int tl_books_apply(tl_books *books, const tl_market_record *records, size_t count,
                       tl_books_out *out)
    void tl_books_counts_now(const tl_books *books, tl_books_counts *counts)
    const char *tl_books_fault_name(int fault)
    const char *tl_books_fault_text(int fault)
    void tl_books_touch(const tl_books *books, uint32_t instrument, tl_quote *quote)
    size_t tl_books_depth(const tl_books *books, uint32_t instrument, uint8_t side,
                          tl_depth_row *rows, size_t room)
    size_t tl_books_orders(const tl_books *books, uint32_t instrument, uint8_t side,
                           tl_resting *rows, size_t room)
    void tl_books_side(const tl_books *books, uint32_t instrument, uint8_t side, size_t *levels,
                       size_t *orders)
    bint tl_books_order(const tl_books *books, uint32_t instrument, uint64_t order_ref,
                        tl_resting *resting)


cdef class Books:
    cdef tl_books *books
    cdef size_t run(self, object records, object quotes, object prints, bint every) except *

# cython: language_level=3, boundscheck=False, wraparound=False
"""Books from market records, for Python: batches of RECORD in; quotes, trades and depth out.

Prices are in 1 / PRICE_SCALE. A Books belongs to one thread at a time; it runs without the GIL.
"""

from typing import NamedTuple

import numpy as np

cimport numpy as cnp

from touchline.core.arguments cimport check, natural, side_of, whole
from touchline.study.market_record cimport records_of

cnp.import_array()

_QUANTITIES = ["<i8", "<u8", "<i8", "<i8", "<i8", "<i8", "<u4", "<u4", "<u4", "u1", "u1"]

# The best bid and offer of a record's instrument after it; quantity 0 where a side is empty.
QUOTE = np.dtype({
    "names": ["ts_ns", "seq", "bid_price", "ask_price", "bid_qty", "ask_qty", "bid_orders",
              "ask_orders", "instrument", "changed", "state"],
    "formats": _QUANTITIES,
    "itemsize": sizeof(tl_quote),
})
# A trade; `side` is who took, 0 where it is not known.
PRINT = np.dtype({
    "names": ["ts_ns", "seq", "match", "order_ref", "price", "qty", "instrument", "type", "side",
              "code", "flags"],
    "formats": ["<i8", "<u8", "<u8", "<u8", "<i8", "<i8", "<u4", "u1", "u1", "u1", "u1"],
    "itemsize": sizeof(tl_print),
})
DEPTH = np.dtype({
    "names": ["price", "qty", "orders"],
    "formats": ["<i8", "<i8", "<u4"],
    "itemsize": sizeof(tl_depth_row),
})
RESTING = np.dtype({
    "names": ["order_ref", "price", "qty", "instrument", "side"],
    "formats": ["<u8", "<i8", "<i8", "<u4", "u1"],
    "itemsize": sizeof(tl_resting),
})
FAULTS = {tl_books_fault_name(i).decode(): tl_books_fault_text(i).decode()
          for i in range(TL_BOOKS_FAULT_COUNT)}


class BooksCounts(NamedTuple):
    """What came so far: `faults` by name, those that happened; and what rests now."""

    records: int
    faults: dict
    locked: int
    crossed: int
    orders: int
    levels: int


cdef class Books:
    """Every instrument's orders and levels as market records leave them.

    Instruments have numbers below `instruments_max`. Memory grows with the orders that rest, up to
    `orders_max`; a record that finds no room is counted. Raises TypeError for a bound that is no
    whole number, OverflowError for one out of range.
    """

    def __cinit__(self, *, instruments_max=65536, orders_max=1 << 24):
        check(tl_books_open(
            &self.books,
            <uint32_t>whole(instruments_max, "instruments_max", 1, TL_BOOKS_INSTRUMENTS_MAX),
            <uint32_t>whole(orders_max, "orders_max", 1, TL_BOOKS_ORDERS_MAX),
            # Another one in each process, so that nobody can write references that collide.
            <uint64_t>(hash("touchline.study.books") & 0xFFFFFFFFFFFFFFFF),
        ), "no memory for books")

    def __dealloc__(self):
        tl_books_close(self.books)

    def __reduce__(self):
        raise TypeError("books can not be pickled or copied: apply the records again")

    cdef size_t run(self, object records, object quotes, object prints, bint every) except *:
        cdef const tl_market_record *first = records_of(records)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(records)
        cdef tl_books_out out
        cdef int failed
        out.quotes = NULL if quotes is None else <tl_quote *>cnp.PyArray_DATA(quotes)
        out.prints = NULL if prints is None else <tl_print *>cnp.PyArray_DATA(prints)
        out.quotes_count = out.prints_count = 0
        out.every = every
        with nogil:
            failed = tl_books_apply(self.books, first, count, &out)
        check(failed, "no memory for the orders of these books")
        # Both in one number: a batch has fewer than 2^32 records.
        return out.quotes_count | out.prints_count << 32

    def apply(self, records not None):
        """Let records happen: an array of RECORD, contiguous, shape (n,).

        What makes no sense is counted (`counts`), never raised. Raises ValueError for another dtype
        or shape, MemoryError when the machine has no memory; the books are whole then.
        """
        self.run(records, None, None, False)

    def follow(self, records not None):
        """Let records happen, and the touch after each: shape (n,), dtype QUOTE."""
        quotes = np.empty(len(records), QUOTE)
        self.run(records, quotes, None, True)
        return quotes

    def quotes(self, records not None):
        """Let records happen, and the touch where it changed: shape (m,), dtype QUOTE."""
        quotes = np.empty(len(records), QUOTE)
        cdef size_t made = self.run(records, quotes, None, False)
        return quotes[:made & 0xFFFFFFFF].copy()

    def trades(self, records not None):
        """Let records happen, and the trades among them: shape (m,), dtype PRINT."""
        prints = np.empty(len(records), PRINT)
        cdef size_t made = self.run(records, None, prints, False)
        return prints[:made >> 32].copy()

    def quotes_and_trades(self, records not None):
        """Let records happen: the touch where it changed, and the trades."""
        quotes = np.empty(len(records), QUOTE)
        prints = np.empty(len(records), PRINT)
        cdef size_t made = self.run(records, quotes, prints, False)
        return quotes[:made & 0xFFFFFFFF].copy(), prints[:made >> 32].copy()

    def touch(self, instrument):
        """The best bid and offer now, one QUOTE; time and number are 0."""
        quote = np.zeros(1, QUOTE)
        tl_books_touch(self.books, <uint32_t>whole(instrument, "instrument", 0, 0xFFFFFFFF),
                       <tl_quote *>cnp.PyArray_DATA(quote))
        return quote[0]

    def depth(self, instrument, side, levels_max=10):
        """Levels of a side from the best outwards: shape (n,), dtype DEPTH."""
        cdef uint32_t of = <uint32_t>whole(instrument, "instrument", 0, 0xFFFFFFFF)
        cdef uint8_t which = <uint8_t>side_of(side)
        cdef size_t room = <size_t>whole(levels_max, "levels_max", 0, 0xFFFFFFFF)
        cdef size_t levels, orders
        tl_books_side(self.books, of, which, &levels, &orders)
        rows = np.zeros(min(room, levels), DEPTH)
        tl_books_depth(self.books, of, which, <tl_depth_row *>cnp.PyArray_DATA(rows), len(rows))
        return rows

    def orders(self, instrument, side):
        """Orders of a side as they stand in line: shape (n,), dtype RESTING."""
        cdef uint32_t of = <uint32_t>whole(instrument, "instrument", 0, 0xFFFFFFFF)
        cdef uint8_t which = <uint8_t>side_of(side)
        cdef size_t levels, orders
        tl_books_side(self.books, of, which, &levels, &orders)
        rows = np.zeros(orders, RESTING)
        tl_books_orders(self.books, of, which, <tl_resting *>cnp.PyArray_DATA(rows), orders)
        return rows

    def order(self, instrument, order_ref):
        """One order, a RESTING, or None when it does not rest."""
        row = np.zeros(1, RESTING)
        found = tl_books_order(
            self.books, <uint32_t>whole(instrument, "instrument", 0, 0xFFFFFFFF),
            natural(order_ref, "order_ref"), <tl_resting *>cnp.PyArray_DATA(row))
        return row[0] if found else None

    @property
    def counts(self):
        """BooksCounts: records, faults by name, how often a book became locked or crossed."""
        cdef tl_books_counts now
        tl_books_counts_now(self.books, &now)
        faults = {name: now.faults[i] for i, name in enumerate(FAULTS) if now.faults[i]}
        return BooksCounts(now.records, faults, now.locked, now.crossed, now.orders, now.levels)

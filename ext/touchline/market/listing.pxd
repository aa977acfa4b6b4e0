"""A market's listing for Cython: names and decimals in front of an engine."""

from libc.stdint cimport int64_t, uint8_t, uint16_t

from touchline.market.record cimport Record


cdef enum:
    # Prices and quantities remembered as Decimals, by the last bits of their ticks or lots.
    DECIMALS_KEPT = 256


cdef struct unit_size:
    # A tick or a lot: mantissa x 10^exponent; a mantissa of 0 when it is too long for 64 bits.
    int64_t mantissa
    int exponent


cdef class Listing:
    cdef readonly Record record
    cdef readonly object instrument
    cdef readonly list account_names
    cdef readonly int64_t epoch
    cdef object to_ticks
    cdef object to_lots
    cdef object tick_size
    cdef object lot_size
    cdef unit_size tick
    cdef unit_size lot
    cdef uint16_t number
    cdef list prices
    cdef list quantities
    cdef int64_t prices_of[DECIMALS_KEPT]
    cdef int64_t quantities_of[DECIMALS_KEPT]

    cdef int64_t ticks_of(self, price) except? -1
    cdef int64_t lots_of(self, qty) except? -1
    cdef object price_of(self, int64_t ticks)
    cdef object qty_of(self, int64_t lots)


cdef object row(kind, tuple values)
cdef uint8_t side_of(side) except 0

"""A market's listing for Cython: names and decimals in front of an engine."""

from libc.stdint cimport int64_t, uint16_t

from touchline.core.engine cimport Engine


cdef struct unit_size:
    # A tick or a lot: mantissa x 10^exponent; a mantissa of 0 when it is too long for 64 bits.
    int64_t mantissa
    int exponent


cdef class Listing:
    cdef readonly Engine engine
    cdef readonly object instrument
    cdef readonly list account_names
    cdef object to_ticks
    cdef object to_lots
    cdef unit_size tick
    cdef unit_size lot
    cdef uint16_t number

    cdef int64_t ticks_of(self, price) except? -1
    cdef int64_t lots_of(self, qty) except? -1

"""A market's listing for Cython: names and decimals in front of an engine."""

from libc.stdint cimport int64_t, uint16_t, uint32_t

from touchline.engine cimport Answer, Engine


cdef class Listing:
    cdef readonly Engine engine
    cdef readonly object instrument
    cdef readonly dict accounts
    cdef readonly list account_names
    cdef object kind
    cdef object to_ticks
    cdef object to_lots
    cdef dict ticks
    cdef dict lots
    cdef Py_ssize_t remembered_max
    cdef uint16_t number

    cdef int64_t units(self, dict known, object convert, object number) except? -1
    cdef uint32_t owner(self, object account) except? 0xFFFFFFFF

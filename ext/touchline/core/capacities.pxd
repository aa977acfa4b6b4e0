"""The core's list of capacities, and the check of one, for Cython."""

from libc.stdint cimport uint32_t, uint64_t


cdef extern from "touchline/core/engine.h" nogil:
    ctypedef struct tl_engine_capacities:
        uint32_t instruments_max
        uint32_t accounts_max
        uint32_t orders_max
        uint32_t positions_max
        uint32_t price_blocks_max

    ctypedef struct tl_capacity:
        const char *name
        uint32_t usual
        uint32_t lowest
        uint32_t highest
        const char *counts

    const tl_capacity tl_capacities[]
    const int tl_capacities_count


cdef uint32_t capacity(object value, str name) except 0
cdef int capacities_of(object values, tl_engine_capacities *out) except -1

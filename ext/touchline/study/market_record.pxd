"""Market records for Cython: the C struct of market_record.h, and an array of them as a pointer."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from numpy cimport ndarray


cdef extern from "touchline/study/market_record.h" nogil:
    int64_t TL_PRICE_SCALE
    enum: TL_RECORD_SYMBOL_BYTES

    ctypedef struct tl_market_record:
        int64_t ts_ns
        uint64_t seq
        uint64_t order_ref
        uint64_t new_ref
        int64_t price
        int64_t qty
        uint32_t instrument
        uint8_t type
        uint8_t side
        uint8_t code
        uint8_t flags
        char symbol[8]

    ctypedef struct tl_record_constant:
        const char *set
        const char *name
        int value

    const tl_record_constant tl_record_constants[]
    const int tl_record_constants_count


cdef const tl_market_record *records_of(ndarray records) except NULL

"""The list of terms for Cython: the C interface of fix_terms.h."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t


cdef extern from "touchline/wire/fix_terms.h" nogil:
    enum: TL_FIX_TEXT_MAX

    enum tl_fix_term:
        TL_FIX_TERM_UNLISTED
        TL_FIX_TERM_FRAME
        TL_FIX_TERM_USED
        TL_FIX_TERM_RULED
        TL_FIX_TERM_HARMLESS
        TL_FIX_TERM_REFUSED

    tl_fix_term tl_fix_term_of(uint32_t tag)

    ctypedef struct tl_fix_name:
        uint8_t size
        char *text
    ctypedef struct tl_fix_instrument:
        tl_fix_name symbol
        tl_fix_name currency
    bint tl_fix_term_refused(uint32_t tag, const char *value, size_t size,
                             const tl_fix_instrument *instrument, char *text)

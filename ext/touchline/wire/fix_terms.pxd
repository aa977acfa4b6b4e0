"""The list of terms for Cython: the C interface of fix_terms.h."""

from libc.stdint cimport uint32_t


cdef extern from "touchline/wire/fix_terms.h" nogil:
    enum tl_fix_term:
        TL_FIX_TERM_UNLISTED
        TL_FIX_TERM_FRAME
        TL_FIX_TERM_USED
        TL_FIX_TERM_RULED
        TL_FIX_TERM_HARMLESS
        TL_FIX_TERM_REFUSED

    tl_fix_term tl_fix_term_of(uint32_t tag)

"""One FIX message for Cython: the C interface of fix_message.h, as far as the shell needs it."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "touchline/wire/fix_message.h" nogil:
    enum: TL_FIX_MESSAGE_MAX

    ctypedef struct tl_fix_dialect:
        uint64_t ord_rej_reasons[2]
        uint64_t cxl_rej_reasons[2]
    const tl_fix_dialect *tl_fix_dialect_find(const char *begin_string, const char *appl_ver_id)

    ctypedef enum tl_fix_framing:
        TL_FIX_FRAME_MORE
        TL_FIX_FRAME_WHOLE
        TL_FIX_FRAME_TOO_LONG
    ctypedef struct tl_fix_frame:
        tl_fix_framing framing
        size_t skip
        size_t size
    tl_fix_frame tl_fix_find_message(const char *bytes, size_t count, size_t message_max)

    ctypedef struct tl_fix_field:
        uint32_t tag
        uint32_t at
        uint32_t size
        uint32_t depth
    ctypedef struct tl_fix_message:
        const char *bytes
        uint32_t count
        tl_fix_field *fields
    int tl_fix_parse(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                     size_t size)

    ctypedef struct tl_fix_verdict:
        int reason
        int business
        uint32_t ref_tag
        const char *text
    tl_fix_verdict tl_fix_check(const tl_fix_message *message, const tl_fix_dialect *dialect)

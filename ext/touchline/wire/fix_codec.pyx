# cython: language_level=3, boundscheck=False, wraparound=False
"""The FIX codec for tests and tools: a message is held against its dictionary, as it is served."""

from typing import NamedTuple

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "touchline/wire/fix_message.h" nogil:
    ctypedef struct tl_fix_dialect:
        uint64_t ord_rej_reasons[2]
        uint64_t cxl_rej_reasons[2]
    ctypedef enum tl_fix_framing:
        TL_FIX_FRAME_WHOLE
    ctypedef struct tl_fix_frame:
        tl_fix_framing framing
        size_t skip, size
    ctypedef struct tl_fix_message:
        pass
    ctypedef struct tl_fix_verdict:
        int reason, business
        uint32_t ref_tag
        const char *text
    const size_t TL_FIX_MESSAGE_MAX
    const tl_fix_dialect *tl_fix_dialect_find(const char *begin_string, const char *appl_ver_id)
    tl_fix_frame tl_fix_find_message(const char *bytes, size_t count, size_t message_max)
    int tl_fix_parse(tl_fix_message *message, const tl_fix_dialect *dialect, const char *bytes,
                     size_t size)
    tl_fix_verdict tl_fix_check(const tl_fix_message *message, const tl_fix_dialect *dialect)

cdef tl_fix_message held  # one at a time: the GIL is kept


class Verdict(NamedTuple):
    """What a message comes to.

    `reason`: SessionRejectReason(373), -1 if it is well formed. `business`:
    BusinessRejectReason(380), 0 if there is none; `ref_tag`: RefTagID(371), 0 likewise.
    """

    reason: int
    business: int
    ref_tag: int
    text: str


cdef const tl_fix_dialect *dialect_of(begin_string) except NULL:
    name = begin_string.encode()
    cdef const tl_fix_dialect *dialect = tl_fix_dialect_find(name, b"9")
    if dialect is NULL:
        raise ValueError(f"no such version: {begin_string}")
    return dialect


cdef set bits_of(const uint64_t *words):
    return {n for n in range(128) if words[n // 64] >> n % 64 & 1}


def reasons(begin_string):
    """The OrdRejReasons(103) and CxlRejReasons(102) that the version knows."""
    cdef const tl_fix_dialect *dialect = dialect_of(begin_string)
    return bits_of(dialect.ord_rej_reasons), bits_of(dialect.cxl_rej_reasons)


def check(begin_string, bytes message):
    """The verdict on the first message in `message`, None if there is none of that version."""
    cdef const tl_fix_dialect *dialect = dialect_of(begin_string)
    cdef const char *text = message
    cdef tl_fix_frame frame = tl_fix_find_message(text, len(message), TL_FIX_MESSAGE_MAX)
    if frame.framing != TL_FIX_FRAME_WHOLE:
        return None
    if tl_fix_parse(&held, dialect, text + frame.skip, frame.size) != 0:
        return None
    cdef tl_fix_verdict verdict = tl_fix_check(&held, dialect)
    return Verdict(verdict.reason, verdict.business, verdict.ref_tag,
                   "" if verdict.text is NULL else verdict.text.decode())

# cython: language_level=3, boundscheck=False, wraparound=False
"""One FIX message for Python: split and held against its dictionary, as the acceptor does it."""

from typing import NamedTuple

from libc.stdlib cimport calloc, free
from libc.string cimport strlen

MESSAGE_MAX = TL_FIX_MESSAGE_MAX


class Field(NamedTuple):
    """One field as it stands; `depth`: in how many repeating groups it lies."""

    tag: int
    value: bytes
    depth: int


class Verdict(NamedTuple):
    """What the venue's codec says: `reason` is SessionRejectReason(373), -1 for a message that is
    well formed; `business` BusinessRejectReason(380), 0 for none; `ref_tag` RefTagID(371), 0 for
    none."""

    reason: int
    business: int
    ref_tag: int
    text: str


class Examined(NamedTuple):
    """A message's fields up to the first that can not be read, and what it comes to."""

    fields: list
    verdict: Verdict


def framed(data, message_max=MESSAGE_MAX):
    """(skip, size) of the first message in `data` whose length and checksum are right; None: there
    is none in it."""
    cdef bytes given = bytes(data)
    cdef const char *first = given
    cdef size_t most = max(0, min(int(message_max), MESSAGE_MAX))
    cdef tl_fix_frame found = tl_fix_find_message(first, len(given), most)
    if found.framing != TL_FIX_FRAME_WHOLE:
        return None
    return found.skip, found.size


def examine(message, begin_string):
    """Split a message of that version and check it, its framing apart; None when it does not even
    begin as one of that version. ValueError for a version that is not spoken here."""
    cdef bytes given = bytes(message)
    cdef bytes version = begin_string.encode()
    cdef const char *first = given
    cdef const tl_fix_dialect *dialect = tl_fix_dialect_find(version, b"9")
    cdef uint32_t at
    cdef tl_fix_field *field
    if dialect == NULL:
        raise ValueError(f"{begin_string!r} is not spoken here")
    cdef tl_fix_message *split = <tl_fix_message *>calloc(1, sizeof(tl_fix_message))
    if split == NULL:
        raise MemoryError("a message")
    try:
        if tl_fix_parse(split, dialect, first, len(given)) != 0:
            return None
        fields = []
        for at in range(split.count):
            field = &split.fields[at]
            fields.append(Field(field.tag, given[field.at:field.at + field.size], field.depth))
        return Examined(fields, _verdict(tl_fix_check(split, dialect)))
    finally:
        free(split)


cdef object _verdict(tl_fix_verdict said):
    text = "" if said.text == NULL else said.text[:strlen(said.text)].decode()
    return Verdict(said.reason, said.business, said.ref_tag, text)


def reasons(begin_string):
    """The OrdRejReasons(103) and CxlRejReasons(102) that the version knows."""
    cdef bytes version = begin_string.encode()
    cdef const tl_fix_dialect *dialect = tl_fix_dialect_find(version, b"9")
    if dialect == NULL:
        raise ValueError(f"{begin_string!r} is not spoken here")
    return _bits(dialect.ord_rej_reasons), _bits(dialect.cxl_rej_reasons)


cdef set _bits(const uint64_t *words):
    return {n for n in range(128) if words[n // 64] >> n % 64 & 1}

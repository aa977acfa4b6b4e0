# cython: language_level=3
"""What is made of a tag of an order: the list in C, for the gateway of the engine quickfix and for
the pages that are written of it."""

from libc.stdint cimport UINT32_MAX
from libc.string cimport memcpy, memset, strlen

from touchline.core.arguments cimport whole

from touchline.core.messages import TEXT_BYTES

_TERMS = {
    TL_FIX_TERM_UNLISTED: "unlisted",
    TL_FIX_TERM_FRAME: "frame",
    TL_FIX_TERM_USED: "used",
    TL_FIX_TERM_RULED: "ruled",
    TL_FIX_TERM_HARMLESS: "harmless",
    TL_FIX_TERM_REFUSED: "refused",
}


def term_of(tag):
    """How the desk takes a tag of D, F and G.

    "used"; "ruled": it passes or not by its value; "harmless"; "refused"; "unlisted", which is
    refused too; "frame": of header or trailer.
    """
    return _TERMS[tl_fix_term_of(<uint32_t>whole(tag, "tag", 0, UINT32_MAX))]


def refusal(tag, value, symbol, currency):
    """Why a request with this field, `value` its bytes, can not be carried out; "": it can.

    `symbol` and `currency` are the instrument's. ValueError for names longer than the venue has.
    """
    cdef tl_fix_instrument instrument
    cdef char text[TL_FIX_TEXT_MAX]
    cdef bytes given = bytes(value)
    memset(&instrument, 0, sizeof(instrument))
    _set_name(&instrument.symbol, symbol.encode())
    _set_name(&instrument.currency, currency.encode())
    if not tl_fix_term_refused(<uint32_t>whole(tag, "tag", 0, UINT32_MAX), given, len(given),
                               &instrument, text):
        return ""
    return text[:strlen(text)].decode()


cdef int _set_name(tl_fix_name *name, bytes text) except -1:
    if len(text) > TEXT_BYTES:
        raise ValueError(f"{text!r} is longer than {TEXT_BYTES} bytes")
    memcpy(name.text, <const char *>text, len(text))
    name.size = <uint8_t>len(text)
    return 0

# cython: language_level=3
"""What the desk makes of a tag of an order: the list in C, for the pages that are written of it."""

from libc.stdint cimport UINT32_MAX

from touchline.core.arguments cimport whole

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

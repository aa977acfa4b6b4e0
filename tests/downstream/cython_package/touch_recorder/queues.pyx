# cython: language_level=3
"""Reads the queues of a touchline.core.book.Book through its C structs."""

cimport touchline.core.book as book
from libc.stdint cimport uint32_t


def queue_at_best(book.Book resting not None, side):
    """Lots of each order at the best price of a side, oldest first."""
    cdef uint32_t level = resting.book.best[book.tl_side_index(side)].level
    cdef uint32_t slot
    lots = []
    if level == book.TL_NONE:
        return lots
    slot = book.tl_level_head(&resting.shelf, level)
    while slot != book.TL_NONE:
        lots.append(resting.shelf.orders[slot].leaves_qty)
        slot = resting.shelf.orders[slot].next
    return lots

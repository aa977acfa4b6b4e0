"""Arrays that a shell hands out: a part of one without its memory, and a larger one."""

import numpy as np

from libc.stdint cimport uint32_t, uint64_t
from numpy cimport dtype, ndarray


cdef inline object first_of(object views, uint32_t count):
    """The first `count` of them, without keeping memory alive that is mostly empty."""
    return views[:count] if 2 * count > len(views) else views[:count].copy()


cdef inline ndarray larger_array(ndarray block, uint64_t held, uint64_t size):
    """Another array of `size` records that begins with the first `held` of this one."""
    grown = np.empty(size, dtype=block.dtype)
    grown[:held] = block[:held]
    return grown


cdef inline ndarray buffer_for(dtype kind, uint64_t longest):
    """Room for the longest answer of one command, so many events, twice: a batch stops when the
    next might not fit."""
    cdef uint64_t slots = 4096
    while slots < 2 * longest:
        slots *= 2
    return np.zeros(slots, dtype=kind)

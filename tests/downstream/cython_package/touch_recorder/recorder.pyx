# cython: language_level=3
"""The touch after every command, taken inside the loop that steps them, without the GIL."""

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t

from touchline.core.engine cimport Engine, tl_engine_best, tl_engine_step
from touchline.core.messages cimport TL_SIDE_BUY, TL_SIDE_SELL, tl_command

cnp.import_array()


def touch_after_each(Engine engine not None, cnp.ndarray commands not None):
    """(bid, ask) of instrument 0 in ticks after each command, shape (n, 2)."""
    touches = np.zeros((commands.shape[0], 2), np.int64)
    cdef const tl_command *cmds = <const tl_command *>cnp.PyArray_DATA(commands)
    cdef int64_t *out = <int64_t *>cnp.PyArray_DATA(touches)
    cdef Py_ssize_t i
    cdef Py_ssize_t count = commands.shape[0]
    with nogil:
        for i in range(count):
            engine.sink.next = 0
            tl_engine_step(engine.engine, &cmds[i], &engine.sink)
            out[2 * i] = tl_engine_best(engine.engine, 0, TL_SIDE_BUY)
            out[2 * i + 1] = tl_engine_best(engine.engine, 0, TL_SIDE_SELL)
    return touches

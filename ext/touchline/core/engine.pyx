# cython: language_level=3, boundscheck=False, wraparound=False
"""An engine owned by Python: commands in, events out, both as numpy arrays of 64-byte records.

The engine is one thread's at a time. Batches run without the GIL. Rules: docs/rules.md.
At the end the C functions' addresses, for code that numba and the like compile in this process.
"""

import errno
import os
from typing import NamedTuple

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.type cimport PyType_Check, PyType_IsSubtype
from libc.stdint cimport uintptr_t
from libc.string cimport memset

from touchline.core.messages cimport (
    TL_MSG_TYPE_CANCEL, TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_REPLACE,
)

from touchline.core.messages import COMMAND, EVENT, LEVEL, ORDER

cdef extern from *:
    # numpy's own, which its .pxd leaves out. It keeps the reference to `descr` that it is given.
    object PyArray_NewFromDescr(PyTypeObject *subtype, cnp.dtype descr, int nd,
                                const cnp.npy_intp *dims, const cnp.npy_intp *strides,
                                void *data, int flags, PyObject *obj)

cnp.import_array()

# A name that is cimported is none of Python's; here it is one of both.
globals()["Answer"] = Answer

# Held here because a look-up by name costs as much as a command.
cdef object _command = COMMAND
cdef cnp.dtype _event = EVENT
cdef tuple _nothing = ()


class EngineCapacities(NamedTuple):
    """How much an engine can hold; a full pool refuses cleanly. Bounds in engine.h."""

    instruments_max: int = 16
    accounts_max: int = 64
    orders_max: int = 65536
    positions_max: int = 1024
    price_blocks_max: int = 4096


class CapacityRange(NamedTuple):
    """The least and the most an engine may be opened with, and what is counted."""

    lowest: int
    highest: int
    counts: str


CAPACITIES = {
    tl_capacities[i].name.decode(): CapacityRange(
        tl_capacities[i].lowest, tl_capacities[i].highest, tl_capacities[i].counts.decode()
    )
    for i in range(tl_capacities_count)
}


cdef int check(int code, what) except -1:
    if code == -errno.ENOMEM:
        raise MemoryError(what)
    if code < 0:
        raise ValueError(what)
    return 0


cdef class Engine:
    """Order books, matching and risk of one shard.

    Parameters are the fields of EngineCapacities. Raises ValueError for capacities out of bounds,
    MemoryError when the region can not be allocated.
    """

    def __cinit__(self, *, uint32_t instruments_max=16, uint32_t accounts_max=64,
                  uint32_t orders_max=65536, uint32_t positions_max=1024,
                  uint32_t price_blocks_max=4096):
        cdef tl_engine_capacities capacities
        capacities.instruments_max = instruments_max
        capacities.accounts_max = accounts_max
        capacities.orders_max = orders_max
        capacities.positions_max = positions_max
        capacities.price_blocks_max = price_blocks_max
        check(tl_engine_open(&self.engine, &capacities),
              "engine capacities out of bounds, or too large for this machine's memory")
        # Room for the longest answer of one command, twice: a batch stops when the next might not
        # fit.
        cdef uint64_t slots = 4096
        while slots < 2 * (<uint64_t>orders_max + 3):
            slots *= 2
        self.room = slots
        self.buffer = np.zeros(slots, dtype=EVENT)
        self.sink.slots = <tl_event *>cnp.PyArray_DATA(self.buffer)
        self.sink.mask = slots - 1
        self.sink.next = 0

    def __dealloc__(self):
        tl_engine_close(self.engine)

    cdef object events_view(self):
        cdef cnp.npy_intp count = <cnp.npy_intp>self.sink.next
        Py_INCREF(_event)
        view = PyArray_NewFromDescr(<PyTypeObject *>cnp.ndarray, _event, 1, &count, NULL,
                                    self.sink.slots, cnp.NPY_ARRAY_CARRAY, NULL)
        cnp.set_array_base(view, self.buffer)
        return view

    def events(self):
        """The events of the last call, shape (n,), dtype EVENT. Valid until the next call."""
        return self.events_view()

    cdef Answer keep(self, object kind, object context):
        """`kind` is Answer or derived from it; whoever calls has made sure."""
        cdef Answer made = (<PyTypeObject *>kind).tp_new(kind, <PyObject *>_nothing, NULL)
        made.context = context
        if self.sink.next > 0:
            made.first = self.sink.slots[0]
        if self.sink.next > 1:
            made.rest = PyBytes_FromStringAndSize(<char *>&self.sink.slots[1],
                                                  (self.sink.next - 1) * sizeof(tl_event))
        return made

    def answer(self, kind=None, context=None):
        """The events of the last call, kept in an Answer or in `kind`, a class derived from it.

        Raises TypeError for another class.
        """
        if kind is None:
            kind = Answer
        if not PyType_Check(kind) or not PyType_IsSubtype(kind, Answer):
            raise TypeError(f"{kind!r} is no kind of Answer")
        return self.keep(kind, context)

    def submit(self, cnp.ndarray commands not None):
        """Do the commands in order; returns their events, shape (n,), dtype EVENT.

        `commands`: shape (n,), dtype COMMAND, contiguous. The result is a view that the next call
        overwrites; copy to keep. Raises ValueError for another shape or dtype.
        """
        descr = <object>cnp.PyArray_DESCR(commands)
        if (descr is not _command and descr != _command) or cnp.PyArray_NDIM(commands) != 1:
            raise ValueError("commands must be a one-dimensional array of dtype COMMAND")
        if not cnp.PyArray_IS_C_CONTIGUOUS(commands):
            raise ValueError("commands must be contiguous")
        cdef const tl_command *cmds = <const tl_command *>cnp.PyArray_DATA(commands)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(commands)
        cdef size_t done = 0
        self.sink.next = 0
        with nogil:
            done = tl_engine_step_batch(self.engine, cmds, count, &self.sink, self.room)
        if done == count:
            return self.events_view()
        return self._submit_rest(commands, done)

    def _submit_rest(self, cnp.ndarray commands, size_t done):
        """The events outgrew the buffer: go on piece by piece and join the pieces."""
        cdef const tl_command *cmds = <const tl_command *>cnp.PyArray_DATA(commands)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(commands)
        parts = [self.events_view().copy()]
        while done < count:
            self.sink.next = 0
            with nogil:
                done += tl_engine_step_batch(self.engine, cmds + done, count - done, &self.sink,
                                             self.room)
            parts.append(self.events_view().copy())
        # As bytes: numpy would lay out records with overlapping fields anew.
        return np.frombuffer(b"".join(parts), dtype=EVENT)

    cdef int step(self, const tl_command *cmd) except -1:
        self.sink.next = 0
        tl_engine_step(self.engine, cmd, &self.sink)
        return <int>self.sink.next

    def new_order(self, uint16_t instrument, uint32_t account, uint8_t side, uint8_t ord_type,
                  uint8_t time_in_force, int64_t price, int64_t qty, uint64_t cl_ord_id=0,
                  int64_t ts_ns=0):
        """Enter an order: price in ticks (0 for a market order), qty in lots.

        Returns the number of events; events() holds them, the first being NEW or REJECTED.
        """
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_NEW_ORDER
        cmd.instrument = instrument
        cmd.account = account
        cmd.side = side
        cmd.ord_type = ord_type
        cmd.time_in_force = time_in_force
        cmd.price = price
        cmd.qty = qty
        cmd.cl_ord_id = cl_ord_id
        cmd.ts_ns = ts_ns
        return self.step(&cmd)

    def cancel(self, uint64_t order_id, uint32_t account, uint64_t cl_ord_id=0, int64_t ts_ns=0):
        """Cancel an open order of `account`. Returns the number of events (1)."""
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_CANCEL
        cmd.order_id = order_id
        cmd.account = account
        cmd.cl_ord_id = cl_ord_id
        cmd.ts_ns = ts_ns
        return self.step(&cmd)

    def replace(self, uint64_t order_id, uint32_t account, int64_t price, int64_t qty,
                uint64_t cl_ord_id=0, int64_t ts_ns=0):
        """Change price (ticks) and total quantity (lots) of an open order.

        Returns the number of events.
        """
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_REPLACE
        cmd.order_id = order_id
        cmd.account = account
        cmd.price = price
        cmd.qty = qty
        cmd.cl_ord_id = cl_ord_id
        cmd.ts_ns = ts_ns
        return self.step(&cmd)

    @property
    def address(self):
        """Of the tl_engine, for the functions of function_pointers(); valid while this lives."""
        return <uintptr_t>self.engine

    def event_sink(self):
        """The tl_event_sink as three u64: address of the slots, mask, next; not a copy.

        Whoever steps by address sets next to 0 first; events() then shows what was written.
        """
        cdef cnp.npy_intp words = sizeof(tl_event_sink) // sizeof(uint64_t)
        sink = cnp.PyArray_SimpleNewFromData(1, &words, cnp.NPY_UINT64, &self.sink)
        cnp.set_array_base(sink, self)
        return sink

    def event_slots(self):
        """All the memory for events, dtype EVENT, of which events() shows the first; not a copy."""
        return self.buffer

    def best_bid(self, uint16_t instrument):
        """Price of the best bid in ticks, 0 when there is none."""
        return tl_engine_best(self.engine, instrument, c"1")

    def best_ask(self, uint16_t instrument):
        """Price of the best offer in ticks, 0 when there is none."""
        return tl_engine_best(self.engine, instrument, c"2")

    def depth(self, uint16_t instrument, uint8_t side, uint32_t levels_max=10):
        """Price levels from the best outwards, shape (n,), n <= levels_max, dtype LEVEL. A copy."""
        cdef uint32_t room = min(levels_max, tl_engine_orders_open(self.engine))
        views = np.zeros(room, dtype=LEVEL)
        n = tl_engine_depth(self.engine, instrument, side,
                            <tl_level_view *>cnp.PyArray_DATA(views), room)
        return views[:n]

    def orders(self, uint16_t instrument, uint8_t side):
        """Resting orders, best price first, oldest first within a price; dtype ORDER. A copy."""
        cdef uint32_t room = tl_engine_orders_open(self.engine)
        views = np.zeros(room, dtype=ORDER)
        n = tl_engine_orders(self.engine, instrument, side,
                             <tl_order_view *>cnp.PyArray_DATA(views), room)
        return views[:n]

    def position(self, uint32_t account, uint16_t instrument):
        """(net, open buy, open sell) in lots; zeros where the account never traded it."""
        cdef int64_t position[3]
        tl_engine_position(self.engine, account, instrument, position)
        return (position[0], position[1], position[2])

    def state_hash(self):
        """64-bit hash of the whole state, unsigned. Section 7 of docs/rules.md."""
        return tl_engine_hash(self.engine)

    @property
    def event_seq(self):
        """The number of events so far."""
        return tl_engine_event_seq(self.engine)

    @property
    def orders_open(self):
        """The number of orders resting in all books."""
        return tl_engine_orders_open(self.engine)

    @property
    def capacities(self):
        """The EngineCapacities this engine was opened with."""
        cdef const tl_engine_capacities *capacities = tl_engine_get_capacities(self.engine)
        return EngineCapacities(capacities.instruments_max, capacities.accounts_max,
                                capacities.orders_max, capacities.positions_max,
                                capacities.price_blocks_max)

    def snapshot(self):
        """The whole state as bytes."""
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>tl_engine_snapshot_bytes(self.engine))
        tl_engine_snapshot(self.engine, PyBytes_AS_STRING(data))
        return data

    def restore(self, bytes data not None):
        """Take over a snapshot of an engine of equal capacities; else, or damaged, ValueError."""
        check(tl_engine_restore(self.engine, PyBytes_AS_STRING(data), len(data)),
              "not a whole snapshot of an engine with these capacities")


def function_pointers():
    """Addresses of engine.h's functions by name; touchline.core.pointers knows their signatures."""
    return {
        "tl_engine_step": <uintptr_t>&tl_engine_step,
        "tl_engine_step_batch": <uintptr_t>&tl_engine_step_batch,
        "tl_engine_events_bound": <uintptr_t>&tl_engine_events_bound,
        "tl_engine_event_seq": <uintptr_t>&tl_engine_event_seq,
        "tl_engine_hash": <uintptr_t>&tl_engine_hash,
        "tl_engine_best": <uintptr_t>&tl_engine_best,
        "tl_engine_depth": <uintptr_t>&tl_engine_depth,
        "tl_engine_orders": <uintptr_t>&tl_engine_orders,
        "tl_engine_orders_open": <uintptr_t>&tl_engine_orders_open,
        "tl_engine_position": <uintptr_t>&tl_engine_position,
    }

# cython: language_level=3, boundscheck=False, wraparound=False
"""An engine owned by Python: commands in, events out, both as numpy arrays of 64-byte records.

The engine is one thread's at a time. Batches run without the GIL. Rules: docs/rules.md.
"""

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from cpython.type cimport PyType_Check, PyType_IsSubtype
from libc.stdint cimport INT64_MAX, INT64_MIN, uintptr_t
from libc.string cimport memcpy, memset

from touchline.core.arguments cimport check, natural, same_layout, side_of, whole
from touchline.core.arrays cimport buffer_for, first_of, larger_array
from touchline.core.capacities cimport capacities_of, tl_engine_capacities
from touchline.core.messages cimport (
    TL_ACCOUNT_ALL, TL_FLAG_SPECIAL, TL_INSTRUMENT_ALL, TL_MSG_TYPE_CANCEL, TL_MSG_TYPE_NEW_ORDER,
    TL_MSG_TYPE_REPLACE, TL_ORD_TYPE_LIMIT, terms_before, tl_level_view, tl_order_view,
    tl_orders_filter,
)

from touchline.core.capacities import EngineCapacities, opened_again, raised
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
_USUAL = EngineCapacities()


cdef class Engine:
    """Order books, matching and risk of one shard.

    Parameters are the fields of EngineCapacities. Raises ValueError for capacities out of bounds,
    MemoryError when the region can not be allocated. A copy, and what a pickle gives back, is an
    engine of equal capacities and state, and goes on by itself; a pickle is as large as a
    snapshot. A forked child has a copy too.

    One thread at a time: RuntimeError for a second one that calls while another is in submit.
    Numbers are whole or refused with TypeError; OverflowError for one out of its field's range.
    """

    def __cinit__(self, *, instruments_max=_USUAL.instruments_max,
                  accounts_max=_USUAL.accounts_max, orders_max=_USUAL.orders_max,
                  positions_max=_USUAL.positions_max, price_blocks_max=_USUAL.price_blocks_max):
        cdef tl_engine_capacities capacities
        capacities_of(EngineCapacities(instruments_max, accounts_max, orders_max, positions_max,
                                       price_blocks_max), &capacities)
        check(tl_engine_open(&self.engine, &capacities),
              "engine capacities are too large for this machine's memory")
        self.take(buffer_for(_event, tl_sink_slots_of(&capacities)))

    cdef int take(self, cnp.ndarray buffer) except -1:
        """Write events there from now on; those of the last call are gone."""
        self.room = <uint64_t>cnp.PyArray_SIZE(buffer)
        self.buffer = buffer
        self.block = None
        self.sink.slots = <tl_event *>cnp.PyArray_DATA(buffer)
        self.sink.mask = self.room - 1
        self.sink.next = 0
        return 0

    def __dealloc__(self):
        tl_engine_close(self.engine)

    def __reduce__(self):
        self.check_idle()
        held = type(self), tuple(self.capacities), self.snapshot()
        return opened_again, held, self.__getstate__()

    cdef int check_idle(self) except -1:
        if self.busy:
            raise RuntimeError("an engine is one thread's at a time, and another is in submit")
        return 0

    cdef const tl_event *shown(self, uint64_t *count) except NULL:
        """The events of the last call: in the buffer, or in a block of their own behind it."""
        self.check_idle()
        if self.sink.next <= self.room:
            self.block = None
            count[0] = self.sink.next
            return self.sink.slots
        count[0] = self.sink.next - self.room
        if self.block is None or count[0] > <uint64_t>cnp.PyArray_SIZE(self.block):
            raise ValueError(f"event_sink: next is {self.sink.next}, of {self.room} slots")
        return <const tl_event *>cnp.PyArray_DATA(self.block)

    cdef object events_view(self):
        cdef uint64_t found = 0
        cdef const tl_event *first = self.shown(&found)
        cdef cnp.npy_intp count = <cnp.npy_intp>found
        Py_INCREF(_event)
        view = PyArray_NewFromDescr(<PyTypeObject *>cnp.ndarray, _event, 1, &count, NULL,
                                    <void *>first, cnp.NPY_ARRAY_CARRAY, NULL)
        cnp.set_array_base(view, self.buffer if self.block is None else self.block)
        return view

    def events(self):
        """The events of the last call, shape (n,), dtype EVENT. Valid until the next call."""
        return self.events_view()

    cdef Answer keep(self, object kind, object context):
        """`kind` is Answer or derived from it; whoever calls has made sure."""
        # First, as it may be a program's own code, which may call this engine.
        made_up = (<PyTypeObject *>kind).tp_new(kind, <PyObject *>_nothing, NULL)
        if type(made_up) is not kind and not isinstance(made_up, Answer):
            raise TypeError(f"{kind!r} made {made_up!r}, which is no Answer")
        cdef Answer made = <Answer>made_up
        cdef uint64_t count = self.sink.next
        cdef const tl_event *first = self.sink.slots
        if self.busy or self.block is not None or count > self.room:
            first = self.shown(&count)
        made.context = context
        if count > 0:
            made.first = first[0]
        else:
            memset(&made.first, 0, sizeof(tl_event))
        if count <= 1:
            if made.rest is not None:
                made.rest = None
        else:
            made.rest = PyBytes_FromStringAndSize(<const char *>&first[1],
                                                  (count - 1) * sizeof(tl_event))
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

    cdef const tl_command *commands_of(self, cnp.ndarray commands) except? NULL:
        """The commands in the array; the engine stands still while they are looked at."""
        self.check_idle()
        descr = <object>cnp.PyArray_DESCR(commands)
        if cnp.PyArray_NDIM(commands) != 1 or (
                descr is not _command and not same_layout(descr, _command)):
            raise ValueError("commands must be a one-dimensional array of dtype COMMAND")
        if not cnp.PyArray_IS_C_CONTIGUOUS(commands):
            raise ValueError("commands must be contiguous")
        return <const tl_command *>cnp.PyArray_DATA(commands)

    cdef size_t step_some(self, const tl_command *cmds, size_t count, tl_event_sink *sink,
                          uint64_t room) noexcept:
        """Do commands while their events surely fit; returns how many. Others may run meanwhile."""
        cdef size_t done
        self.busy = True
        with nogil:
            done = tl_engine_step_batch(self.engine, cmds, count, sink, room)
        self.busy = False
        return done

    def submit(self, cnp.ndarray commands not None):
        """Do the commands in order; returns their events, shape (n,), dtype EVENT.

        `commands`: shape (n,), dtype COMMAND, contiguous. The result is a view that the next call
        overwrites; copy to keep. Events beyond the engine's own buffer, which has event_slots(),
        take memory of their own: 64 bytes each, up to twice that while it grows, until the next
        call. submit_in_pieces needs none. Raises ValueError for another shape or dtype, MemoryError
        with the number of commands done when there is not enough; events() shows theirs.
        """
        cdef const tl_command *cmds = self.commands_of(commands)
        cdef size_t count = <size_t>cnp.PyArray_SIZE(commands)
        self.sink.next = 0
        self.block = None
        cdef size_t done = self.step_some(cmds, count, &self.sink, self.room)
        if done < count:
            self.submit_rest(cmds, count, done)
        return self.events_view()

    cdef int submit_rest(self, const tl_command *cmds, size_t count, size_t done) except -1:
        """The events outgrew the buffer: they go on into a block, made as large as it will take."""
        cdef uint64_t held = self.sink.next
        cdef uint64_t size = 0, wanted
        cdef tl_event_sink sink
        cdef cnp.ndarray block = self.buffer
        sink.mask = 0xFFFFFFFFFFFFFFFF
        try:
            while done < count:
                if size < held + self.room:
                    # As many events for each command to come as there were so far, and some more.
                    wanted = held + <uint64_t>(1.05 * held / (done or 1) * (count - done))
                    size = max(wanted, held + held // 2) + self.room
                    block = larger_array(block, held, size)
                sink.slots = <tl_event *>cnp.PyArray_DATA(block) + held
                sink.next = 0
                done += self.step_some(cmds + done, count - done, &sink, size - held)
                held += sink.next
        except MemoryError:
            raise MemoryError(f"no memory for more events after {done} of {count} commands")
        finally:
            if block is not self.buffer:
                self.block = block
                self.sink.next = self.room + held
        return 0

    def submit_in_pieces(self, cnp.ndarray commands not None):
        """Do the commands in order and hand over their events piece by piece.

        An iterator of arrays as submit returns, each valid until the next, together the same
        events. Takes no memory but the engine's buffer. The commands are done as the iterator goes
        on; what it has not come to is not done. Raises as submit, before the first command.
        """
        self.commands_of(commands)
        return _pieces(self, commands)

    cdef size_t submit_piece(self, cnp.ndarray commands, size_t done) except? 0:
        """Do commands from number `done` on; returns how many are done now."""
        cdef const tl_command *cmds = self.commands_of(commands)
        self.sink.next = 0
        self.block = None
        return done + self.step_some(cmds + done, <size_t>cnp.PyArray_SIZE(commands) - done,
                                     &self.sink, self.room)

    cdef int step(self, const tl_command *cmd) except -1:
        if self.busy:
            self.check_idle()
        self.sink.next = 0
        tl_engine_step(self.engine, cmd, &self.sink)
        return <int>self.sink.next

    def new_order(self, instrument, account, side, ord_type, time_in_force, price, qty,
                  cl_ord_id=0, ts_ns=0, *, stop_price=0, display_qty=0, flags=0, field=0,
                  contingency=0, cl_ord_link_id=0, trail=0, terms_flags=0):
        """Enter an order: price in ticks (0 for a market order), qty in lots.

        stop_price (ticks), display_qty (lots), flags, field (1: TERMS came before): section 8 of
        docs/rules.md; contingency, cl_ord_link_id: section 12; trail, terms_flags: 8.13; these are
        sent in TERMS. Returns the number of events(): EXPIRED ones, then NEW or REJECTED.
        """
        cdef tl_command cmd, terms
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_NEW_ORDER
        cmd.instrument = <uint16_t>whole(instrument, "instrument", 0, 0xFFFF)
        cmd.account = <uint32_t>whole(account, "account", 0, 0xFFFFFFFF)
        cmd.side = <uint8_t>whole(side, "side", 0, 0xFF)
        cmd.ord_type = <uint8_t>whole(ord_type, "ord_type", 0, 0xFF)
        cmd.time_in_force = <uint8_t>whole(time_in_force, "time_in_force", 0, 0xFF)
        cmd.price = whole(price, "price", INT64_MIN, INT64_MAX)
        cmd.qty = whole(qty, "qty", INT64_MIN, INT64_MAX)
        cmd.cl_ord_id = natural(cl_ord_id, "cl_ord_id")
        cmd.ts_ns = whole(ts_ns, "ts_ns", INT64_MIN, INT64_MAX)
        cmd.stop_price = <uint32_t>whole(stop_price, "stop_price", 0, 0xFFFFFFFF)
        cmd.display_qty = <uint32_t>whole(display_qty, "display_qty", 0, 0xFFFFFFFF)
        cmd.flags = <uint8_t>whole(flags, "flags", 0, 0xFF)
        cmd.field = <uint8_t>whole(field, "field", 0, 0xFF)
        if terms_before(&cmd, &terms, contingency, cl_ord_link_id, trail, terms_flags):
            self.step(&terms)
        if cmd.order_id or cmd.flags or cmd.field or cmd.ord_type > TL_ORD_TYPE_LIMIT:
            cmd.flags |= TL_FLAG_SPECIAL
        return self.step(&cmd)

    def cancel(self, order_id, account, cl_ord_id=0, ts_ns=0):
        """Cancel an open order of `account`. Returns the number of events (1)."""
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_CANCEL
        cmd.order_id = natural(order_id, "order_id")
        cmd.account = <uint32_t>whole(account, "account", 0, 0xFFFFFFFF)
        cmd.cl_ord_id = natural(cl_ord_id, "cl_ord_id")
        cmd.ts_ns = whole(ts_ns, "ts_ns", INT64_MIN, INT64_MAX)
        return self.step(&cmd)

    def replace(self, order_id, account, price, qty, cl_ord_id=0, ts_ns=0):
        """Change price (ticks) and total quantity (lots) of an open order; the number of events."""
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_REPLACE
        cmd.order_id = natural(order_id, "order_id")
        cmd.account = <uint32_t>whole(account, "account", 0, 0xFFFFFFFF)
        cmd.price = whole(price, "price", INT64_MIN, INT64_MAX)
        cmd.qty = whole(qty, "qty", INT64_MIN, INT64_MAX)
        cmd.cl_ord_id = natural(cl_ord_id, "cl_ord_id")
        cmd.ts_ns = whole(ts_ns, "ts_ns", INT64_MIN, INT64_MAX)
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

    def best_bid(self, instrument):
        """Price of the best bid in ticks, 0 when there is none."""
        return self.best(instrument, c"1")

    def best_ask(self, instrument):
        """Price of the best offer in ticks, 0 when there is none."""
        return self.best(instrument, c"2")

    cdef int64_t best(self, object instrument, uint8_t side) except? -1:
        cdef uint16_t number = <uint16_t>whole(instrument, "instrument", 0, 0xFFFF)
        self.check_idle()
        return tl_engine_best(self.engine, number, side)

    def depth(self, instrument, side, levels_max=10):
        """Price levels from the best outwards, n <= levels_max, dtype LEVEL; as orders."""
        cdef uint16_t number = <uint16_t>whole(instrument, "instrument", 0, 0xFFFF)
        cdef uint8_t side_number = <uint8_t>side_of(side)
        cdef uint32_t room = <uint32_t>whole(levels_max, "levels_max", 0, 0xFFFFFFFF)
        self.check_idle()
        room = min(room, tl_engine_orders_open(self.engine))
        views = np.zeros(room, dtype=LEVEL)
        n = tl_engine_depth(self.engine, number, side_number,
                            <tl_level_view *>cnp.PyArray_DATA(views), room)
        return views[:n]

    def orders(self, instrument, side, orders_max=None):
        """Resting orders, best price first, oldest first within a price; dtype ORDER. A copy.

        At most `orders_max` of them; None: all. ValueError for a side that is none.
        """
        cdef uint16_t number = <uint16_t>whole(instrument, "instrument", 0, 0xFFFF)
        cdef uint8_t side_number = <uint8_t>side_of(side)
        self.check_idle()
        cdef uint32_t room = tl_engine_orders_open(self.engine)
        if orders_max is not None:
            room = min(<uint32_t>whole(orders_max, "orders_max", 0, 0xFFFFFFFF), room)
        views = np.empty(room, dtype=ORDER)
        n = tl_engine_orders(self.engine, number, side_number,
                             <tl_order_view *>cnp.PyArray_DATA(views), room)
        return first_of(views, n)

    def open_orders(self, *, instrument=None, account=None, side=None):
        """Open orders of an instrument, an account, a side, by slot; dtype ORDER. A copy.

        None means any. Costs a look at every place that ever held an order; ValueError as orders.
        """
        cdef tl_orders_filter wanted
        cdef uint32_t slot = 0
        cdef uint32_t room = tl_engine_orders_open(self.engine)
        wanted.instrument = <uint32_t>(TL_INSTRUMENT_ALL if instrument is None else
                                       whole(instrument, "instrument", 0, TL_INSTRUMENT_ALL - 1))
        wanted.account = <uint32_t>(TL_ACCOUNT_ALL if account is None else
                                    whole(account, "account", 0, TL_ACCOUNT_ALL - 1))
        wanted.side = wanted.time_in_force = 0
        if side is not None:
            wanted.side = <uint8_t>side_of(side)
        self.check_idle()
        views = np.empty(room, dtype=ORDER)
        n = tl_engine_orders_scan(self.engine, &wanted, &slot,
                                  <tl_order_view *>cnp.PyArray_DATA(views), room)
        return first_of(views, n)

    def order(self, order_id):
        """An open order, a record of dtype ORDER, a copy; None when it is not open."""
        cdef uint64_t number = natural(order_id, "order_id")
        self.check_idle()
        views = np.empty(1, dtype=ORDER)
        if not tl_engine_order(self.engine, number, <tl_order_view *>cnp.PyArray_DATA(views)):
            return None
        return views[0]

    def qty_at(self, instrument, side, price):
        """Lots that rest at a price of a side, 0 where none do; ValueError for no side."""
        return self.level(instrument, side, price).qty

    def orders_at(self, instrument, side, price):
        """How many orders rest at a price of a side. ValueError for a side that is none."""
        return self.level(instrument, side, price).orders

    cdef tl_level_view level(self, object instrument, object side, object price) except *:
        cdef tl_level_view level
        cdef uint16_t number = <uint16_t>whole(instrument, "instrument", 0, 0xFFFF)
        cdef uint8_t side_number = <uint8_t>side_of(side)
        cdef int64_t ticks = whole(price, "price", INT64_MIN, INT64_MAX)
        self.check_idle()
        tl_engine_level(self.engine, number, side_number, ticks, &level)
        return level

    def ahead(self, order_id):
        """Lots at the order's price that trade before it does; ValueError when it is not open.

        Costs a step for each order ahead of it or behind it, whichever are fewer.
        """
        return self.before(order_id).qty

    def orders_ahead(self, order_id):
        """How many orders at the order's price trade before it does. As ahead."""
        return self.before(order_id).orders

    cdef tl_level_view before(self, object order_id) except *:
        cdef tl_level_view level
        cdef uint64_t number = natural(order_id, "order_id")
        self.check_idle()
        if not tl_engine_ahead(self.engine, number, &level):
            raise ValueError(f"no order {order_id} is open")
        return level

    def position(self, account, instrument):
        """(net, open buy, open sell) in lots; zeros where the account never traded it."""
        cdef int64_t position[3]
        cdef uint32_t whose = <uint32_t>whole(account, "account", 0, 0xFFFFFFFF)
        cdef uint16_t number = <uint16_t>whole(instrument, "instrument", 0, 0xFFFF)
        self.check_idle()
        tl_engine_position(self.engine, whose, number, position)
        return (position[0], position[1], position[2])

    def state_hash(self):
        """64-bit hash of the whole state, unsigned. Section 7 of docs/rules.md."""
        self.check_idle()
        return tl_engine_hash(self.engine)

    @property
    def event_seq(self):
        """The number of events so far."""
        self.check_idle()
        return tl_engine_event_seq(self.engine)

    @property
    def orders_open(self):
        """The number of orders resting in all books."""
        self.check_idle()
        return tl_engine_orders_open(self.engine)

    @property
    def capacities(self):
        """The EngineCapacities this engine was opened with, or has grown to."""
        cdef const tl_engine_capacities *capacities = tl_engine_get_capacities(self.engine)
        return EngineCapacities(
            capacities.instruments_max, capacities.accounts_max, capacities.orders_max,
            capacities.positions_max, capacities.price_blocks_max)

    def grow(self, *, instruments_max=None, accounts_max=None, orders_max=None,
             positions_max=None, price_blocks_max=None):
        """Make room for more between two commands; the parameters are those of Engine.

        What is not named stays. What was refused stays refused; events() shows nothing then, and
        event_slots() is other memory. Raises ValueError for less than there is or out of bounds,
        MemoryError when both sizes do not fit at once; nothing has changed then.
        """
        cdef tl_engine_capacities larger
        self.check_idle()
        capacities_of(raised(self.capacities, EngineCapacities(
            instruments_max, accounts_max, orders_max, positions_max, price_blocks_max)), &larger)
        buffer = buffer_for(_event, tl_sink_slots_of(&larger))
        check(tl_engine_grow(self.engine, &larger),
              "engine capacities are too large for this machine's memory")
        self.take(buffer)

    def snapshot(self):
        """The whole state as bytes."""
        self.check_idle()
        data = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>tl_engine_snapshot_bytes(self.engine))
        tl_engine_snapshot(self.engine, PyBytes_AS_STRING(data))
        return data

    def restore(self, data):
        """Take over a snapshot of an engine of equal capacities; else, or damaged, ValueError.

        `data`: bytes, or another object that gives its bytes, such as a memoryview.
        """
        cdef bytes taken = data if type(data) is bytes else memoryview(data).tobytes()
        self.check_idle()
        check(tl_engine_restore(self.engine, PyBytes_AS_STRING(taken), len(taken)),
              f"the {len(taken)} bytes are not a whole snapshot of an engine with these capacities")
        self.sink.next = 0


def _pieces(Engine engine, cnp.ndarray commands):
    cdef size_t done = 0
    while done < <size_t>cnp.PyArray_SIZE(commands):
        done = engine.submit_piece(commands, done)
        yield engine.events_view()

"""The engine for Cython: the C interface of engine.h, and the extension type that owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from numpy cimport ndarray

from touchline.core.answer cimport Answer
from touchline.core.capacities cimport tl_engine_capacities
from touchline.core.messages cimport (
    tl_command, tl_event, tl_level_view, tl_order_view, tl_orders_filter,
)


cdef extern from "touchline/core/engine.h" nogil:

    ctypedef struct tl_event_sink:
        tl_event *slots
        uint64_t mask
        uint64_t next

    ctypedef struct tl_engine:
        pass

    int tl_engine_open(tl_engine **engine, const tl_engine_capacities *capacities)
    void tl_engine_close(tl_engine *engine)
    int tl_engine_grow(tl_engine *engine, const tl_engine_capacities *larger)
    void tl_engine_step(tl_engine *engine, const tl_command *cmd, tl_event_sink *sink)
    uint64_t tl_engine_events_bound(const tl_engine *engine)
    size_t tl_engine_step_batch(tl_engine *engine, const tl_command *cmds, size_t count,
                                tl_event_sink *sink, uint64_t room)
    const tl_engine_capacities *tl_engine_get_capacities(const tl_engine *engine)
    uint64_t tl_engine_event_seq(const tl_engine *engine)
    uint64_t tl_engine_hash(const tl_engine *engine)
    int64_t tl_engine_best(const tl_engine *engine, uint16_t instrument, uint8_t side)
    uint32_t tl_engine_depth(const tl_engine *engine, uint16_t instrument, uint8_t side,
                             tl_level_view *views, uint32_t views_max)
    uint32_t tl_engine_orders(const tl_engine *engine, uint16_t instrument, uint8_t side,
                              tl_order_view *views, uint32_t views_max)
    int tl_engine_order(const tl_engine *engine, uint64_t order_id, tl_order_view *view)
    uint32_t tl_engine_orders_open(const tl_engine *engine)
    uint64_t tl_engine_sink_slots(const tl_engine *engine)
    uint64_t tl_sink_slots_of(const tl_engine_capacities *capacities)
    uint32_t tl_engine_level(const tl_engine *engine, uint16_t instrument, uint8_t side,
                             int64_t price, tl_level_view *view)
    int tl_engine_order(const tl_engine *engine, uint64_t order_id, tl_order_view *view)
    int tl_engine_ahead(const tl_engine *engine, uint64_t order_id, tl_level_view *ahead)
    uint32_t tl_engine_orders_scan(const tl_engine *engine, const tl_orders_filter *filter,
                                   uint32_t *slot, tl_order_view *views, uint32_t views_max)
    void tl_engine_position(const tl_engine *engine, uint32_t account, uint16_t instrument,
                            int64_t *position)
    size_t tl_engine_snapshot_bytes(const tl_engine *engine)
    void tl_engine_snapshot(const tl_engine *engine, void *data)
    int tl_engine_restore(tl_engine *engine, const void *data, size_t count)


cdef class Engine:
    cdef tl_engine *engine
    cdef tl_event_sink sink
    cdef uint64_t room       # slots of the buffer
    cdef ndarray buffer
    # The events of the last submit when they outgrew the buffer; sink.next is then room + how many.
    cdef ndarray block
    cdef bint busy           # in submit, without the GIL

    cdef int take(self, ndarray buffer) except -1
    cdef int check_idle(self) except -1
    cdef const tl_event *shown(self, uint64_t *count) except NULL
    cdef object events_view(self)
    cdef const tl_command *commands_of(self, ndarray commands) except? NULL
    cdef size_t step_some(self, const tl_command *cmds, size_t count, tl_event_sink *sink,
                          uint64_t room) noexcept
    cdef int submit_rest(self, const tl_command *cmds, size_t count, size_t done) except -1
    cdef size_t submit_piece(self, ndarray commands, size_t done) except? 0
    cdef int64_t best(self, object instrument, uint8_t side) except? -1
    cdef tl_level_view level(self, object instrument, object side, object price) except *
    cdef tl_level_view before(self, object order_id) except *
    cdef int step(self, const tl_command *cmd) except -1
    cdef Answer keep(self, object kind, object context)

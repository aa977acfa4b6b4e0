"""The bus for Cython: the C interface of bus.h, and the extension types over it."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from touchline.core.messages cimport tl_command, tl_event
from touchline.runtime.owned cimport Owned


cdef extern from "touchline/runtime/bus.h" nogil:
    ctypedef struct tl_bus_geometry:
        uint32_t lanes
        uint32_t lane_slots
        uint32_t event_slots

    ctypedef struct tl_bus:
        int owner

    ctypedef struct tl_lane:
        uint32_t number
        int fd

    ctypedef struct tl_event_reader:
        const tl_bus *bus
        uint64_t next

    ctypedef struct tl_bus_status:
        uint64_t events
        uint64_t commands
        uint64_t journal_bytes
        uint64_t batches
        uint64_t journal_id
        uint64_t oldest_event
        uint64_t waiting
        uint64_t recovered
        uint64_t recover_total
        int64_t heartbeat_ns
        int64_t started_ns
        int64_t clock_step_ns
        uint64_t clock_refusals
        uint32_t state
        uint32_t pid
        uint32_t error
        uint32_t detached
        char error_text[256]
        char torn_text[256]

    int tl_bus_create(tl_bus **out, const char *path, const tl_bus_geometry *geometry)
    int tl_bus_attach(tl_bus **out, const char *path)
    void tl_bus_release(tl_bus *bus)
    void tl_bus_close(tl_bus *bus)
    void tl_bus_detach(tl_bus *bus)
    uint64_t tl_bus_retire(tl_bus *bus)
    int tl_bus_linked(const tl_bus *bus, const char *path)
    uint64_t tl_lane_sent(const tl_lane *lane)
    uint64_t tl_lane_journaled(const tl_lane *lane)
    int tl_bus_engine_alive(const tl_bus *bus)
    void tl_bus_status_read(const tl_bus *bus, tl_bus_status *out)
    const char *tl_bus_error_text(int error)
    int tl_lane_open(tl_lane *lane, const tl_bus *bus, uint32_t number, int shared)
    void tl_lane_close(tl_lane *lane)
    int tl_lane_send(tl_lane *lane, const tl_command *cmds, size_t count, int64_t timeout_ns,
                     size_t *sent)
    uint64_t tl_lane_ids(tl_lane *lane, uint32_t count)
    int64_t tl_event_reader_read(tl_event_reader *reader, tl_event *out, size_t max)
    int64_t tl_event_reader_follow(tl_event_reader *reader, tl_event *out, size_t max)
    int tl_event_reader_look(const tl_event_reader *reader)
    int tl_event_reader_wait(const tl_event_reader *reader, int64_t timeout_ns)


cdef class Bus(Owned):
    cdef tl_bus *bus
    cdef readonly str path
    cdef bint closed
    cdef bint engaged  # a runner, or a measurement in its place, works on it

    cdef int check_made(self) except -1
    cdef int check_open(self) except -1
    cdef int read_status(self, tl_bus_status *status) except -1
    cdef int engage(self) except -1
    cdef void disengage(self) noexcept


cdef class Lane(Owned):
    cdef tl_lane lane
    cdef readonly Bus bus
    cdef bint is_open
    cdef bint busy
    cdef size_t sent_last_count

    cdef int check_made(self) except -1
    cdef int check_open(self) except -1
    cdef int send_rest(self, const tl_command *cmds, size_t count, int64_t left_ns) except 1
    cdef int fail(self, int code, size_t sent, size_t count) except -1


cdef class EventReader(Owned):
    cdef tl_event_reader reader
    cdef readonly Bus bus
    cdef bint busy

    cdef int check_idle(self) except -1
    cdef uint64_t room(self) except 0

"""Who listens to a MoldUDP64 feed, for Cython: the C interface, and who owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from touchline.wire.port cimport tl_port_fault, tl_port_options


cdef extern from "touchline/wire/moldudp64_listener.h" nogil:
    enum: TL_MOLDUDP64_HEARD_LINES
    enum: TL_MOLDUDP64_FAULT_KINDS
    enum: TL_MOLDUDP64_FAULT_NONE
    enum: TL_MOLDUDP64_FAULT_DUPLICATE

    ctypedef int tl_moldudp64_fault
    const char *tl_moldudp64_fault_text(tl_moldudp64_fault fault)

    ctypedef enum tl_moldudp64_kind:
        TL_MOLDUDP64_NOTHING
        TL_MOLDUDP64_MESSAGE
        TL_MOLDUDP64_LOST
        TL_MOLDUDP64_ENDED

    ctypedef struct tl_moldudp64_receiver_config:
        uint32_t window
        uint32_t message_max
        uint64_t ahead_max
        int64_t patience_ns
        int64_t retry_ns
        uint32_t tries_max
        uint16_t request_max

    ctypedef struct tl_moldudp64_receiver:
        char session[10]
        uint64_t expected
        uint64_t told
        uint64_t packets[4]
        uint64_t messages[4]
        uint64_t faults[4][13]
        uint64_t requests
        uint64_t lost

    ctypedef struct tl_moldudp64_listener_config:
        uint32_t lines
        tl_port_options line[TL_MOLDUDP64_HEARD_LINES]
        const char *requests
        char session[10]
        uint64_t next
        tl_moldudp64_receiver_config receiver

    ctypedef struct tl_moldudp64_heard:
        tl_moldudp64_kind kind
        uint64_t first
        uint64_t last
        size_t size
        int64_t utc_ns

    ctypedef struct tl_moldudp64_listener:
        pass

    int tl_moldudp64_listener_open(tl_moldudp64_listener **out,
                                   const tl_moldudp64_listener_config *config,
                                   tl_port_fault *fault)
    void tl_moldudp64_listener_close(tl_moldudp64_listener *listener)
    int tl_moldudp64_hear(tl_moldudp64_listener *listener, uint8_t *out, size_t room,
                          int timeout_ms, tl_moldudp64_heard *heard)
    const tl_moldudp64_receiver *tl_moldudp64_listener_receiver(
        const tl_moldudp64_listener *listener)
    uint64_t tl_moldudp64_listener_dropped(tl_moldudp64_listener *listener, uint32_t line)


cdef class Listener:
    cdef tl_moldudp64_listener *listener
    cdef uint8_t *room
    cdef uint32_t lines
    cdef uint32_t sources
    cdef tl_moldudp64_listener *held(self) except NULL

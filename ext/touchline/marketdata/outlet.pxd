"""The outlet for Cython: the C interface of outlet.h, and the extension type over it."""

from libc.stddef cimport size_t
from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

from touchline.core.messages cimport tl_event
from touchline.marketdata.mirror cimport Mirror, tl_mirror


cdef extern from "touchline/marketdata/outlet.h" nogil:
    enum: TL_TOPIC_MAX
    enum: TL_OUTLET_UNNAMED
    ctypedef struct tl_zmq:
        int (*send)(void *socket, const void *data, size_t count, int flags)
        int (*setsockopt)(void *socket, int option, const void *value, size_t size)
        int (*error)()

    ctypedef struct tl_outlet:
        pass

    int tl_outlet_open(tl_outlet **outlet, const tl_zmq *zmq, void *socket,
                       uint32_t instruments_max)
    void tl_outlet_close(tl_outlet *outlet)
    int tl_outlet_name(tl_outlet *outlet, uint16_t instrument, unsigned kind, const void *topic,
                       size_t size)
    int tl_outlet_publish(tl_outlet *outlet, tl_mirror *mirror)
    uint16_t tl_outlet_unnamed(const tl_outlet *outlet)
    int tl_outlet_send(tl_outlet *outlet, const void *topic, size_t topic_size,
                       const void *payload, size_t size)
    uint64_t tl_outlet_sent(const tl_outlet *outlet)
    uint64_t tl_outlet_dropped(const tl_outlet *outlet)


cdef class Outlet:
    cdef tl_outlet *outlet
    cdef object socket
    cdef Mirror mirror
    cdef object topics
    cdef tl_event *events
    cdef size_t events_max

    cdef int check_open(self) except -1
    cdef int publish_all(self) except -1

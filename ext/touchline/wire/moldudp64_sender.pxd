"""Who sends a MoldUDP64 feed, for Cython: the C interface, and who owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from touchline.wire.port cimport (
    tl_port_address,
    tl_port_address_text,
    tl_port_fault,
    tl_port_options,
)


cdef extern from "touchline/wire/moldudp64_sender.h" nogil:
    enum: TL_MOLDUDP64_SENT_LINES
    enum: TL_MOLDUDP64_HEAD
    enum: TL_MOLDUDP64_PAYLOAD

    ctypedef struct tl_moldudp64_builder:
        uint32_t count

    void tl_moldudp64_begin(tl_moldudp64_builder *builder, uint8_t *out, size_t room,
                            const char *session, uint64_t number)
    size_t tl_moldudp64_pack(tl_moldudp64_builder *builder, const uint8_t *blocks, size_t size)
    size_t tl_moldudp64_finish(tl_moldudp64_builder *builder)

    ctypedef struct tl_moldudp64_sender_config:
        uint32_t lines
        tl_port_options line[TL_MOLDUDP64_SENT_LINES]
        const char *requests
        char session[10]
        uint64_t next
        size_t packet_max
        double speed
        uint64_t per_s
        size_t time_at
        uint64_t messages_max
        uint64_t bytes_max
        uint32_t answers_per_s

    ctypedef struct tl_moldudp64_sender_status:
        uint64_t messages
        uint64_t packets
        uint64_t requests
        uint64_t answered
        uint64_t lost[TL_MOLDUDP64_SENT_LINES]

    ctypedef struct tl_moldudp64_sender:
        pass

    int tl_moldudp64_sender_open(tl_moldudp64_sender **out,
                                 const tl_moldudp64_sender_config *config, tl_port_fault *fault)
    void tl_moldudp64_sender_close(tl_moldudp64_sender *sender)
    int tl_moldudp64_sender_send(tl_moldudp64_sender *sender, const uint8_t *blocks, size_t size,
                                 int timeout_ms, size_t *used)
    int tl_moldudp64_sender_serve(tl_moldudp64_sender *sender, bint ended, int timeout_ms)
    tl_moldudp64_sender_status tl_moldudp64_sender_now(const tl_moldudp64_sender *sender)
    const tl_port_address *tl_moldudp64_sender_requests(const tl_moldudp64_sender *sender)


cdef class Sender:
    cdef tl_moldudp64_sender *sender
    cdef tl_moldudp64_sender *held(self) except NULL

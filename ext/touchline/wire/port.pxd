"""Ports for Cython: the C interface of port.h."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "touchline/wire/port.h" nogil:
    enum:
        TL_PORT_ADDRESS_BYTES
        TL_PORT_FAULT_BYTES
        TL_PORT_FACTS_MAX
        TL_PORT_CUT

    ctypedef struct tl_port:
        pass

    ctypedef struct tl_port_address:
        uint8_t family
        uint16_t port

    ctypedef struct tl_port_fault:
        int error
        char text[TL_PORT_FAULT_BYTES]

    ctypedef struct tl_port_fact:
        const char *name
        int64_t asked
        int64_t got
        int error

    ctypedef struct tl_port_facts:
        uint32_t count
        tl_port_fact fact[TL_PORT_FACTS_MAX]

    ctypedef struct tl_port_tuning:
        uint32_t busy_poll_us
        uint32_t busy_poll_budget
        bint prefer_busy_poll
        uint8_t stamps
        uint32_t receive_bytes
        uint32_t send_bytes

    ctypedef struct tl_port_options:
        const char *local
        const char *to
        const char *source
        const char *interface
        uint32_t batch
        uint32_t size_max
        uint8_t ttl
        bint loop
        bint connected
        bint segments
        tl_port_tuning tuning

    ctypedef struct tl_port_xdp_options:
        tl_port_options common
        const char *gateway
        uint32_t queue
        uint32_t frames
        uint8_t mode
        bint zero_copy
        bint send_only

    ctypedef struct tl_port_datagram:
        const uint8_t *bytes
        uint32_t size
        uint16_t flags
        uint16_t stamp
        int64_t rx_ns
        tl_port_address source "from"

    ctypedef struct tl_port_packet:
        const void *bytes
        const tl_port_address *to
        uint32_t size

    ctypedef struct tl_port_sent:
        uint32_t number
        uint32_t stamp
        int64_t tx_ns

    ctypedef struct tl_port_counts:
        uint64_t received
        uint64_t sent
        uint64_t cut
        uint64_t lost
        uint64_t malformed
        uint64_t unreached
        uint64_t fill_empty
        uint64_t ring_full
        uint64_t arp
        uint64_t unresolved

    int tl_port_address_read(tl_port_address *address, const char *text)
    const char *tl_port_address_text(const tl_port_address *address, char *text)
    int tl_port_udp_open(tl_port **out, const tl_port_options *options, tl_port_fault *fault)
    int tl_port_xdp_open(tl_port **out, const tl_port_xdp_options *options, tl_port_fault *fault)
    int tl_port_poll(tl_port *port, tl_port_datagram *out, uint32_t max, int timeout_ms)
    int tl_port_send(tl_port *port, const tl_port_packet *packets, uint32_t count)
    int tl_port_sent_stamps(tl_port *port, tl_port_sent *out, uint32_t max)
    void tl_port_close(tl_port *port)
    int tl_port_fd(const tl_port *port)
    const tl_port_address *tl_port_local(const tl_port *port)
    const tl_port_facts *tl_port_what_was_got(const tl_port *port)
    tl_port_counts tl_port_counted(tl_port *port)


cdef class Port:
    cdef tl_port *port
    cdef tl_port_datagram *batch
    cdef tl_port_packet *packets
    cdef uint32_t room
    cdef tl_port *held(self) except NULL
    cdef object datagram(self, int i)

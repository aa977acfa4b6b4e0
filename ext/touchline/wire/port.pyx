# cython: language_level=3
"""Ports for Python: datagrams over UDP sockets or AF_XDP, as bytes.

For tests, tools and `touchline doctor`; a program in a hurry holds a port in C.
"""

import os
from typing import NamedTuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN
from libc.stdint cimport INT32_MAX, UINT32_MAX
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from touchline.core.arguments cimport whole

_STAMPS = ("none", "software", "hardware")
_MODES = ("any", "driver", "generic")


class Datagram(NamedTuple):
    """What came: from whom, when (UTC; 0 where nobody stamped), by whose clock, and whether cut."""

    data: bytes
    source: str
    rx_ns: int
    stamp: str
    cut: bool


class Sent(NamedTuple):
    """When the datagram with this number went; they are counted from 0."""

    number: int
    tx_ns: int
    stamp: str


class Fact(NamedTuple):
    """What was asked against what was got; `refusal` is the system's reason, or empty."""

    asked: int
    got: int
    refusal: str


cdef uint8_t index_of(tuple names, object value, str what) except 255:
    if value not in names:
        raise ValueError(f"{what} is {value!r}; allowed are {', '.join(names)}")
    return <uint8_t>names.index(value)


cdef object encoded(object text):
    return None if text is None else os.fsencode(text)


cdef const char *pointer(bytes text) except? NULL:
    return NULL if text is None else PyBytes_AS_STRING(text)


cdef int read_tuning(tl_port_tuning *tuning, object busy_poll_us, object stamps,
                     object receive_bytes) except -1:
    tuning.busy_poll_us = <uint32_t>whole(busy_poll_us, "busy_poll_us", 0, INT32_MAX)
    tuning.prefer_busy_poll = tuning.busy_poll_us > 0
    tuning.stamps = index_of(_STAMPS, stamps, "stamps")
    tuning.receive_bytes = <uint32_t>whole(receive_bytes, "receive_bytes", 0, INT32_MAX)
    return 0


cdef object opened(tl_port *port, int rc, tl_port_fault *fault, uint32_t batch):
    """The object that owns the port, or the exception for what failed."""
    if rc != 0:
        raise OSError(-rc, os.strerror(-rc), fault.text.decode(errors="replace"))
    cdef Port self = Port.__new__(Port)
    self.port = port
    self.room = batch
    self.batch = <tl_port_datagram *>calloc(batch, sizeof(tl_port_datagram))
    self.packets = <tl_port_packet *>calloc(batch, sizeof(tl_port_packet))
    if self.batch == NULL or self.packets == NULL:
        raise MemoryError
    return self


def open_udp(local, *, to=None, source=None, interface=None, batch=64, size_max=2048, ttl=1,
             loop=False, connected=False, segments=False, busy_poll_us=0, stamps="none",
             receive_bytes=0):
    """A UDP socket that receives at `local`, "192.0.2.1:5000"; of a group it becomes a member.

    The options are those of tl_port_options in port.h; `stamps` is 'none', 'software' or
    'hardware'. Raises OSError with what failed, and where, as its file name.
    """
    cdef tl_port *port = NULL
    cdef tl_port_options options
    cdef tl_port_fault fault
    texts = [encoded(text) for text in (local, to, source, interface)]
    memset(&options, 0, sizeof(options))
    options.local, options.to = pointer(texts[0]), pointer(texts[1])
    options.source, options.interface = pointer(texts[2]), pointer(texts[3])
    options.batch = <uint32_t>whole(batch, "batch", 1, UINT32_MAX)
    options.size_max = <uint32_t>whole(size_max, "size_max", 1, UINT32_MAX)
    options.ttl = <uint8_t>whole(ttl, "ttl", 1, 255)
    options.loop, options.connected, options.segments = loop, connected, segments
    read_tuning(&options.tuning, busy_poll_us, stamps, receive_bytes)
    cdef int rc = tl_port_udp_open(&port, &options, &fault)
    return opened(port, rc, &fault, options.batch)


def open_xdp(interface, local, *, to=None, queue=0, frames=1024, batch=64, size_max=2048, ttl=64,
             gateway=None, mode="any", zero_copy=False, send_only=False, busy_poll_us=0):
    """An AF_XDP socket on an interface's queue, for the UDP datagrams to `local` alone.

    The options are those of tl_port_xdp_options in port.h; `mode` is 'any', 'driver' or
    'generic'. Raises OSError with what failed, and where, as its file name.
    """
    cdef tl_port *port = NULL
    cdef tl_port_xdp_options options
    cdef tl_port_fault fault
    texts = [encoded(text) for text in (local, to, interface, gateway)]
    memset(&options, 0, sizeof(options))
    options.common.local, options.common.to = pointer(texts[0]), pointer(texts[1])
    options.common.interface, options.gateway = pointer(texts[2]), pointer(texts[3])
    options.common.batch = <uint32_t>whole(batch, "batch", 1, UINT32_MAX)
    options.common.size_max = <uint32_t>whole(size_max, "size_max", 1, UINT32_MAX)
    options.common.ttl = <uint8_t>whole(ttl, "ttl", 1, 255)
    options.queue = <uint32_t>whole(queue, "queue", 0, UINT32_MAX)
    options.frames = <uint32_t>whole(frames, "frames", 1, UINT32_MAX)
    options.mode = index_of(_MODES, mode, "mode")
    options.zero_copy, options.send_only = zero_copy, send_only
    read_tuning(&options.common.tuning, busy_poll_us, "none", 0)
    cdef int rc = tl_port_xdp_open(&port, &options, &fault)
    return opened(port, rc, &fault, options.common.batch)


cdef class Port:
    """A port, made by open_udp or open_xdp; for one thread. Closed at the end of a `with`."""

    def __init__(self):
        raise TypeError("a Port is made by open_udp or open_xdp")

    def __dealloc__(self):
        tl_port_close(self.port)
        free(self.batch)
        free(self.packets)

    cdef tl_port *held(self) except NULL:
        if self.port == NULL:
            raise ValueError("the port is closed")
        return self.port

    def close(self):
        """Close it; what it attached is gone then. May be called again."""
        tl_port_close(self.port)
        self.port = NULL

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.close()

    def poll(self, timeout_ms=0):
        """What has come, at most a batch: list[Datagram].

        Waits so many milliseconds for the first; it may be back sooner with nothing.
        """
        cdef tl_port *port = self.held()
        cdef int timeout = <int>whole(timeout_ms, "timeout_ms", 0, INT32_MAX)
        cdef int count
        with nogil:
            count = tl_port_poll(port, self.batch, self.room, timeout)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return [self.datagram(i) for i in range(count)]

    cdef object datagram(self, int i):
        cdef char text[TL_PORT_ADDRESS_BYTES]
        cdef tl_port_datagram *one = &self.batch[i]
        data = PyBytes_FromStringAndSize(<const char *>one.bytes, one.size)
        source = tl_port_address_text(&one.source, text).decode()
        return Datagram(data, source, one.rx_ns, _STAMPS[one.stamp], one.flags & TL_PORT_CUT != 0)

    def send(self, datagrams, to=None):
        """Send bytes objects, at most a batch, to `to` or where the port's `to` says.

        How many went; 0 when there is no room, or the way is not known, right now.
        """
        cdef tl_port *port = self.held()
        cdef tl_port_address address
        cdef uint32_t count = 0
        cdef list kept = list(datagrams)[: self.room]
        if to is not None and tl_port_address_read(&address, <bytes>os.fsencode(to)) != 0:
            raise ValueError(f"to is {to!r}, not an address with a port")
        for data in kept:
            if not isinstance(data, bytes):
                raise TypeError("a datagram is bytes")
            self.packets[count].bytes = PyBytes_AS_STRING(data)
            self.packets[count].size = <uint32_t>PyBytes_GET_SIZE(data)
            self.packets[count].to = NULL if to is None else &address
            count += 1
        cdef int sent = tl_port_send(port, self.packets, count)
        if sent < 0 and sent != -EAGAIN:
            raise OSError(-sent, os.strerror(-sent))
        return max(sent, 0)

    def sent_stamps(self):
        """When earlier datagrams went, as far as that is known by now: list[Sent]."""
        cdef tl_port_sent sent[64]
        cdef int count = tl_port_sent_stamps(self.held(), sent, 64)
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        return [
            Sent(sent[i].number, sent[i].tx_ns, _STAMPS[sent[i].stamp]) for i in range(count)
        ]

    def fileno(self):
        """The socket's descriptor."""
        return tl_port_fd(self.held())

    @property
    def local(self):
        """Where it receives, with the port that the system chose."""
        cdef char text[TL_PORT_ADDRESS_BYTES]
        return tl_port_address_text(tl_port_local(self.held()), text).decode()

    @property
    def facts(self):
        """What was asked against what was got, by name: dict[str, Fact]."""
        cdef const tl_port_facts *facts = tl_port_what_was_got(self.held())
        found = {}
        for i in range(facts.count):
            error = facts.fact[i].error
            found[facts.fact[i].name.decode()] = Fact(
                facts.fact[i].asked, facts.fact[i].got, os.strerror(-error) if error else ""
            )
        return found

    @property
    def counts(self):
        """What came, went and was lost since it was opened, by name: dict[str, int]."""
        return tl_port_counted(self.held())

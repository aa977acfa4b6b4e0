# cython: language_level=3
"""Who sends a MoldUDP64 feed, for Python: messages in, packets on lines out.

touchline.data.resend gives it the messages of a file.
"""

import errno
import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy, memset

from touchline.core.arguments cimport natural, seconds_in_ns, whole

PAYLOAD_MAX = TL_MOLDUDP64_PAYLOAD
cdef size_t ITCH_TIME = 5  # where all messages of ITCH have their time
cdef double LONGEST_S = 3600.0


cdef bytes encoded(object text):
    return None if text is None else os.fsencode(text)


cdef const char *pointer(bytes text) except? NULL:
    return NULL if text is None else PyBytes_AS_STRING(text)


cdef bytes session_name(object session):
    cdef bytes name = encoded(session)
    if not 1 <= len(name) <= 10:
        raise ValueError(f"session {session!r} does not have one to ten characters")
    return name.ljust(10)


def packets(const unsigned char[::1] blocks, session, first, payload_max=1472):
    """Packets of MoldUDP64 with these messages, of which each has its length (u16) before it.

    The first has number `first`. Raises ValueError for a message that no packet holds, and bytes
    that are no whole messages.
    """
    cdef size_t room = <size_t>whole(payload_max, "payload_max", 84, 65535)
    cdef uint64_t number = natural(first, "first")
    cdef bytes name = session_name(session)
    cdef bytearray out = bytearray(room)
    cdef unsigned char[::1] view = out
    cdef size_t size = <size_t>blocks.shape[0]
    cdef size_t at = 0
    cdef size_t taken
    cdef tl_moldudp64_builder builder
    found = []
    while at < size:
        tl_moldudp64_begin(&builder, &view[0], room, PyBytes_AS_STRING(name), number)
        taken = tl_moldudp64_pack(&builder, &blocks[at], size - at)
        if taken == 0:
            raise ValueError(f"byte {at}: no whole message that a packet of {room} bytes holds")
        number += builder.count
        at += taken
        found.append(PyBytes_FromStringAndSize(
            <const char *>&view[0], <Py_ssize_t>tl_moldudp64_finish(&builder)))
    return found


cdef class Sender:
    """One or two lines, "233.54.12.1:26400", to which messages of ITCH are sent.

    `requests` is where what was lost may be asked for, out of the last `messages_max` (a power of
    two) in `bytes_max` bytes. `speed` is that of their times, 0 without regard to them; `per_s`
    bounds the messages a second, 0 does not. `session`: one to ten characters; `first`: the
    number of the first message. Raises OSError with what failed, and where; TypeError, ValueError,
    OverflowError for arguments.
    """

    def __cinit__(self, lines, *, requests=None, session="REPLAY", first=1, interface=None, ttl=1,
                  loop=True, payload_max=1472, speed=1.0, per_s=0, messages_max=1 << 20,
                  bytes_max=1 << 26, answers_per_s=10_000):
        cdef tl_moldudp64_sender_config config
        cdef tl_port_fault fault
        cdef uint32_t i
        cdef bytes name = session_name(session)
        kept = [encoded(text) for text in (requests, interface, *lines)]
        memset(&config, 0, sizeof(config))
        memset(&fault, 0, sizeof(fault))
        if not 3 <= len(kept) <= 2 + TL_MOLDUDP64_SENT_LINES:
            raise ValueError(f"{len(kept) - 2} lines; one or two are wanted")
        if not 0 <= speed < 1e12:
            raise ValueError(f"speed {speed!r} is not from 0 to 1e12")
        config.lines = len(kept) - 2
        for i in range(config.lines):
            config.line[i].to = pointer(kept[2 + i])
            config.line[i].interface = pointer(kept[1])
            config.line[i].ttl = <uint8_t>whole(ttl, "ttl", 1, 255)
            config.line[i].loop = loop
        config.requests = pointer(kept[0])
        memcpy(config.session, <const char *>name, 10)
        config.next = natural(first, "first")
        config.packet_max = <size_t>whole(payload_max, "payload_max", 84, 65507)
        config.speed = speed
        config.per_s = natural(per_s, "per_s")
        config.time_at = ITCH_TIME
        config.messages_max = <uint64_t>whole(messages_max, "messages_max", 1, 1 << 32)
        config.bytes_max = <uint64_t>whole(bytes_max, "bytes_max", 65537, 1 << 40)
        config.answers_per_s = <uint32_t>whole(answers_per_s, "answers_per_s", 1, 1 << 30)
        cdef int code = tl_moldudp64_sender_open(&self.sender, &config, &fault)
        if code == -errno.ENOMEM:
            raise MemoryError("no memory for a sender")
        if code == -errno.EINVAL and not fault.text[0]:
            raise ValueError("first is 0, or messages_max is no power of two")
        if code != 0:
            raise OSError(-code, os.strerror(-code), fault.text.decode(errors="replace"))

    def __dealloc__(self):
        tl_moldudp64_sender_close(self.sender)

    cdef tl_moldudp64_sender *held(self) except NULL:
        if self.sender == NULL:
            raise ValueError("the sender is closed")
        return self.sender

    def send(self, const unsigned char[::1] blocks, timeout_s=0.05):
        """Send what is due of messages that each have their length (u16) before them; answer who
        asks. How many bytes of them went when all are sent or so many seconds have passed.

        Raises OSError; EMSGSIZE for a message that no packet holds.
        """
        cdef tl_moldudp64_sender *sender = self.held()
        cdef size_t size = <size_t>blocks.shape[0]
        cdef const uint8_t *bytes = &blocks[0] if size else NULL
        cdef int timeout_ms = <int>(seconds_in_ns(timeout_s, "timeout_s", LONGEST_S) // 1_000_000)
        cdef size_t used = 0
        cdef int code
        with nogil:
            code = tl_moldudp64_sender_send(sender, bytes, size, timeout_ms, &used)
        if code != 0:
            raise OSError(-code, os.strerror(-code))
        return used

    def serve(self, timeout_s=0.05, *, ended=False):
        """Answer who asks for so many seconds; with `ended` the session's end is told meanwhile."""
        cdef tl_moldudp64_sender *sender = self.held()
        cdef int timeout_ms = <int>(seconds_in_ns(timeout_s, "timeout_s", LONGEST_S) // 1_000_000)
        cdef bint over = ended
        with nogil:
            tl_moldudp64_sender_serve(sender, over, timeout_ms)

    @property
    def counts(self):
        """What went: messages, packets, those that a line did not take; requests, answers."""
        cdef tl_moldudp64_sender_status now = tl_moldudp64_sender_now(self.held())
        return {"messages": now.messages, "packets": now.packets, "requests": now.requests,
                "answered": now.answered, "lost_a": now.lost[0], "lost_b": now.lost[1]}

    @property
    def requests(self):
        """Where requests come in, with the port that the system chose; None: nowhere."""
        cdef char text[72]
        cdef const tl_port_address *address = tl_moldudp64_sender_requests(self.held())
        return None if address == NULL else tl_port_address_text(address, text).decode()

    def close(self):
        """Close its lines. May be called again."""
        tl_moldudp64_sender_close(self.sender)
        self.sender = NULL

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.close()

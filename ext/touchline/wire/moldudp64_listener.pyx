# cython: language_level=3
"""Who listens to a MoldUDP64 feed, for Python: its messages in order, as bytes.

touchline.data.live makes records of them.
"""

import errno
import os
from typing import NamedTuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from touchline.core.arguments cimport natural, seconds_in_ns, whole

cdef size_t ROOM = 1 << 20
cdef double LONGEST_S = 3600.0


class Heard(NamedTuple):
    """What came: `kind` is 'messages', 'lost' (numbers `first` to `last` will not come), 'ended',
    'nothing'. `data`: the messages, each with its length (u16) before it; `utc_ns`: when."""

    kind: str
    first: int
    last: int
    data: bytes
    utc_ns: int


_KINDS = {
    TL_MOLDUDP64_NOTHING: "nothing",
    TL_MOLDUDP64_MESSAGE: "messages",
    TL_MOLDUDP64_LOST: "lost",
    TL_MOLDUDP64_ENDED: "ended",
}


cdef const char *pointer(bytes text) except? NULL:
    return NULL if text is None else PyBytes_AS_STRING(text)


cdef bytes encoded(object text):
    return None if text is None else os.fsencode(text)


cdef class Listener:
    """The lines of a feed, "233.54.12.1:26400", one or two, as one stream.

    `requests` is where what is missing is asked for; `session` of ten characters at most, else the
    first packet's; `start` the first message wanted, 0: from the first packet on. `interface` and
    `source` as of a port. `window` is how many messages are kept that came early, `message_max` how
    long such a one may be; a gap is asked for after `patience_s`, again each `retry_s`, and given
    up after `tries_max`. Raises OSError with what failed, and where; TypeError, ValueError,
    OverflowError for arguments.
    """

    def __cinit__(self, lines, *, requests=None, session=None, start=0, interface=None,
                  source=None, window=1 << 16, message_max=256, ahead_max=1 << 32,
                  patience_s=0.002, retry_s=0.02, tries_max=50, receive_bytes=1 << 23):
        cdef tl_moldudp64_listener_config config
        cdef tl_port_fault fault
        cdef uint32_t i
        cdef bytes name = encoded(session or "")
        kept = [encoded(text) for text in (requests, interface, source, *lines)]
        memset(&config, 0, sizeof(config))
        memset(&fault, 0, sizeof(fault))
        if not 4 <= len(kept) <= 3 + TL_MOLDUDP64_HEARD_LINES:
            raise ValueError(f"{len(kept) - 3} lines; one or two are wanted")
        if len(name) > 10:
            raise ValueError(f"session {session!r} has more than ten characters")
        config.lines = len(kept) - 3
        for i in range(config.lines):
            config.line[i].local = pointer(kept[3 + i])
            config.line[i].interface = pointer(kept[1])
            config.line[i].source = pointer(kept[2])
            config.line[i].tuning.receive_bytes = <uint32_t>whole(
                receive_bytes, "receive_bytes", 0, 1 << 30)
        config.requests = pointer(kept[0])
        if name:
            name = name.ljust(10)
            memcpy(config.session, <const char *>name, 10)
        config.next = natural(start, "start")
        config.receiver.window = <uint32_t>whole(window, "window", 1, 1 << 24)
        config.receiver.message_max = <uint32_t>whole(message_max, "message_max", 1, 65535)
        config.receiver.ahead_max = natural(ahead_max, "ahead_max")
        config.receiver.patience_ns = seconds_in_ns(patience_s, "patience_s", LONGEST_S)
        config.receiver.retry_ns = seconds_in_ns(retry_s, "retry_s", LONGEST_S)
        # Where nobody can be asked, a gap is given up when its time has come.
        config.receiver.tries_max = (
            1 if requests is None else <uint32_t>whole(tries_max, "tries_max", 1, 1 << 30))
        config.receiver.request_max = 65534
        self.lines = config.lines
        self.sources = config.lines + (requests is not None)
        self.room = <uint8_t *>malloc(ROOM)
        if self.room == NULL:
            raise MemoryError("no memory for a listener")
        cdef int code = tl_moldudp64_listener_open(&self.listener, &config, &fault)
        if code == -errno.ENOMEM:
            raise MemoryError("no memory for a listener")
        if code == -errno.EINVAL and not fault.text[0]:
            raise ValueError(f"window {window} is no power of two")
        if code != 0:
            raise OSError(-code, os.strerror(-code), fault.text.decode(errors="replace"))

    def __dealloc__(self):
        tl_moldudp64_listener_close(self.listener)
        free(self.room)

    cdef tl_moldudp64_listener *held(self) except NULL:
        if self.listener == NULL:
            raise ValueError("the listener is closed")
        return self.listener

    def hear(self, timeout_s=0.05):
        """What comes next, as Heard; 'nothing' after so many seconds, or sooner. Raises OSError."""
        cdef tl_moldudp64_listener *listener = self.held()
        cdef tl_moldudp64_heard heard
        cdef int timeout_ms = <int>(seconds_in_ns(timeout_s, "timeout_s", LONGEST_S) // 1_000_000)
        cdef int code
        with nogil:
            code = tl_moldudp64_hear(listener, self.room, ROOM, timeout_ms, &heard)
        if code != 0:
            raise OSError(-code, os.strerror(-code))
        data = PyBytes_FromStringAndSize(<const char *>self.room, <Py_ssize_t>heard.size)
        return Heard(_KINDS[heard.kind], heard.first, heard.last, data, heard.utc_ns)

    @property
    def session(self):
        """Its name, empty until it is known."""
        cdef const tl_moldudp64_receiver *receiver = tl_moldudp64_listener_receiver(self.held())
        return bytes(receiver.session[:10]).rstrip(b"\0 ").decode("ascii", "replace")

    @property
    def expected(self):
        """The number of the message that comes next; 0: not known yet."""
        return tl_moldudp64_listener_receiver(self.held()).expected

    @property
    def counts(self):
        """What came since it was opened, by name: dict[str, int].

        Of each line, `a`, `b` and the answers `r`: packets, messages that came there first, packets
        for which the system had no room (dropped), and those at fault by the fault; and `requests`,
        `lost` messages.
        """
        cdef tl_moldudp64_listener *listener = self.held()
        cdef const tl_moldudp64_receiver *receiver = tl_moldudp64_listener_receiver(listener)
        cdef uint32_t i
        cdef int fault
        found = {"requests": receiver.requests, "lost": receiver.lost}
        for i in range(self.sources):
            name = "ab"[i] if i < self.lines else "r"
            found[f"{name} packets"] = receiver.packets[i]
            found[f"{name} messages"] = receiver.messages[i]
            found[f"{name} dropped"] = tl_moldudp64_listener_dropped(listener, i)
            for fault in range(TL_MOLDUDP64_FAULT_NONE + 1, TL_MOLDUDP64_FAULT_KINDS):
                if receiver.faults[i][fault] and fault != TL_MOLDUDP64_FAULT_DUPLICATE:
                    text = tl_moldudp64_fault_text(fault).decode()
                    found[f"{name}: {text}"] = receiver.faults[i][fault]
        return found

    def close(self):
        """Stop listening. May be called again."""
        tl_moldudp64_listener_close(self.listener)
        self.listener = NULL

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.close()

# cython: language_level=3, boundscheck=False, wraparound=False
"""The outlet for Python: a mirror's messages into a PUB socket, without Python for each of them."""

import ctypes
import os

from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc

from touchline.core.arguments cimport check
from touchline.marketdata.mirror cimport (
    TL_MIRROR_NONE,
    TL_PUBLISHED_KINDS,
    tl_mirror,
    tl_mirror_apply,
    tl_mirror_discard,
    tl_mirror_fault,
)
from touchline.runtime.bus cimport EventReader, tl_event_reader_read

from touchline.errors import TouchlineError

EVENTS_MAX = 4096


cdef void *function(object library, str name) except NULL:
    """The address of a function in a loaded library."""
    return <void *><size_t>ctypes.cast(getattr(library, name), ctypes.c_void_p).value


cdef class Outlet:
    """The messages of a mirror into a PUB socket of pyzmq's, with XPUB_NODROP set.

    `topics[number]` gives an instrument's five topics, by Kind; it is asked once. `library` is a
    path of what holds ZeroMQ's functions: the file of pyzmq's own extension. The socket must stay
    open as long as this is used, in one thread. Raises OSError or TouchlineError for a library that
    has none, MemoryError.
    """

    def __cinit__(self, object socket not None, Mirror mirror not None, object topics not None,
                  str library not None):
        cdef tl_zmq zmq
        loaded = ctypes.CDLL(library)
        try:
            zmq.send = <int (*)(void *, const void *, size_t, int) noexcept>function(
                loaded, "zmq_send")
            zmq.setsockopt = <int (*)(void *, int, const void *, size_t) noexcept>function(
                loaded, "zmq_setsockopt")
            zmq.error = <int (*)() noexcept>function(loaded, "zmq_errno")
        except AttributeError as error:
            raise TouchlineError(f"{library} is no ZeroMQ: {error}") from error
        self.socket, self.mirror, self.topics = socket, mirror, topics
        self.events_max = EVENTS_MAX
        self.events = <tl_event *>malloc(self.events_max * sizeof(tl_event))
        if self.events == NULL:
            raise MemoryError
        check(tl_outlet_open(&self.outlet, &zmq, <void *><size_t>socket.underlying,
                             mirror.instruments_max), "no memory for the topics")

    def __dealloc__(self):
        tl_outlet_close(self.outlet)
        free(self.events)

    cdef int check_open(self) except -1:
        if self.socket.closed:
            raise TouchlineError("the socket of this outlet is closed")
        return 0

    cdef int publish_all(self) except -1:
        cdef int rc
        cdef unsigned kind
        cdef uint16_t number
        while True:
            with nogil:
                rc = tl_outlet_publish(self.outlet, self.mirror.mirror)
            if rc == 0:
                return 0
            if rc != TL_OUTLET_UNNAMED:
                raise OSError(-rc, os.strerror(-rc))
            number = tl_outlet_unnamed(self.outlet)
            for kind, name in enumerate(self.topics[number]):
                if kind >= TL_PUBLISHED_KINDS or tl_outlet_name(
                        self.outlet, number, kind, <const char *>name, len(name)) != 0:
                    raise ValueError(f"{name!r} can be no topic of instrument {number}")

    def publish(self):
        """Send every message that waits in the mirror. Raises OSError of the socket."""
        self.check_open()
        self.publish_all()

    def follow(self, EventReader reader not None, size_t batch, size_t turns,
               bint silent=False):
        """Apply and publish what the ring holds: `turns` batches of up to `batch` events at most.

        With `silent` nothing is sent, and the records keep their numbers.

        Returns how many events there were; 0 also when the reader was lapped or its bus is over,
        which its read() then tells. Raises ImpossibleEvent as Mirror.apply does, and OSError.
        """
        cdef tl_mirror *mirror = self.mirror.mirror
        cdef size_t total = 0, done
        cdef int64_t count = 0
        cdef int rc = 0
        if not 1 <= batch <= self.events_max:
            raise ValueError(f"batch is {batch}; 1 to {self.events_max} is wanted")
        reader.check_idle()
        self.check_open()
        while turns > 0:
            turns -= 1
            with nogil:
                count = tl_event_reader_read(&reader.reader, self.events, batch)
                done = 0
                if count > 0:
                    done = tl_mirror_apply(mirror, self.events, <size_t>count)
                    if silent:
                        tl_mirror_discard(mirror)
                    else:
                        rc = tl_outlet_publish(self.outlet, mirror)
            if count <= 0:
                break
            if rc != 0:
                self.publish_all()
            while done < <size_t>count:  # it had no more room for records
                if tl_mirror_fault(mirror) != TL_MIRROR_NONE:
                    self.mirror.raise_fault(self.events[done].seq)
                done += tl_mirror_apply(mirror, self.events + done, <size_t>count - done)
                if not silent:
                    self.publish_all()
            total += <size_t>count
        return total

    def send(self, bytes topic not None, bytes payload not None):
        """One message to every subscriber that has room for it; never waits. Raises OSError."""
        self.check_open()
        cdef int rc = tl_outlet_send(self.outlet, <const char *>topic, len(topic),
                                     <const char *>payload, len(payload))
        if rc != 0:
            raise OSError(-rc, os.strerror(-rc))

    def send_all(self, list messages not None):
        """Send (topic, payload) pairs that are there already, as `send` does each of them: what a
        bare socket costs, for who measures this one."""
        cdef bytes topic, payload
        cdef int rc
        self.check_open()
        for topic, payload in messages:
            rc = tl_outlet_send(self.outlet, <const char *>topic, len(topic),
                                <const char *>payload, len(payload))
            if rc != 0:
                raise OSError(-rc, os.strerror(-rc))

    @property
    def sent(self):
        """Messages so far."""
        return tl_outlet_sent(self.outlet)

    @property
    def dropped(self):
        """How often a subscriber's room was used up."""
        return tl_outlet_dropped(self.outlet)

# cython: language_level=3, boundscheck=False, wraparound=False
"""The bus for Python: commands in through lanes, events out of the ring, as numpy arrays.

A Bus may be used by several threads; a Lane and an EventReader belong to one thread at a time and
keep the bus's memory mapped for as long as they live.
"""

import errno
import os

import numpy as np

cimport numpy as cnp

from touchline.errors import Lapped
from touchline.core.messages import COMMAND, EVENT, LANE_ADMIN

cnp.import_array()

_STATES = ("starting", "running", "stopped", "failed", "draining")
_NO_EVENTS = np.empty(0, dtype=EVENT)
_NO_EVENTS.flags.writeable = False


cdef object os_error(int code, path):
    """The exception for -errno: our own text where ring.h has one, else the system's."""
    cdef const char *text = tl_bus_error_text(-code)
    if code == -errno.ENOMEM:
        return MemoryError(path)
    return OSError(-code, text.decode() if text != NULL else os.strerror(-code), path)


cdef int64_t in_ns(double seconds) except -1:
    if not 0 <= seconds <= 1e9:
        raise ValueError(f"timeout_s {seconds} is not between 0 and 1e9")
    return <int64_t>(seconds * 1e9)


cdef class Bus:
    """One venue's shared memory. Made by Bus.create (the engine) or Bus.attach (everybody else)."""

    def __init__(self):
        raise TypeError("use Bus.create or Bus.attach")

    def __dealloc__(self):
        tl_bus_close(self.bus)

    @staticmethod
    def create(path, *, uint32_t lanes=4, uint32_t lane_slots=16384, uint32_t event_slots=131072):
        """Create the bus at `path`, mode 0600, or take over the file of an engine that is gone.

        Slots are powers of two. A file of the same geometry is used again, so that attached
        processes go on. Raises OSError: EBUSY while another engine lives, ENOSPC, EINVAL.
        """
        cdef tl_bus_geometry geometry
        cdef Bus self = Bus.__new__(Bus)
        self.path = os.fspath(path)
        geometry.lanes = lanes
        geometry.lane_slots = lane_slots
        geometry.event_slots = event_slots
        cdef int code = tl_bus_create(&self.bus, os.fsencode(self.path), &geometry)
        if code != 0:
            raise os_error(code, self.path)
        return self

    @staticmethod
    def attach(path):
        """Attach to the bus at `path`. Raises OSError: ENOENT when there is none, EAGAIN while it
        is being created, EMEDIUMTYPE, EPROTONOSUPPORT or EBADMSG when the file is none of ours."""
        cdef Bus self = Bus.__new__(Bus)
        self.path = os.fspath(path)
        cdef int code = tl_bus_attach(&self.bus, os.fsencode(self.path))
        if code != 0:
            raise os_error(code, self.path)
        return self

    cdef int check_open(self) except -1:
        if self.closed:
            raise ValueError("the bus is closed")
        return 0

    def lane(self, uint32_t number):
        """The sending end of lane `number`, this process's alone until it is closed.

        Lane 0 is the operators': any number of processes hold it and take turns, send by send.
        Raises OSError EADDRINUSE when another live holder has the lane, ECHRNG for no such lane.
        """
        cdef Lane lane = Lane.__new__(Lane)
        self.check_open()
        cdef int code = tl_lane_open(&lane.lane, self.bus, number, number == <uint32_t>LANE_ADMIN)
        if code != 0:
            raise os_error(code, self.path)
        lane.is_open = True
        lane.bus = self
        return lane

    def events(self, next_seq=None):
        """A reader of the events from number `next_seq` on; None: from the next one published."""
        cdef EventReader reader = EventReader.__new__(EventReader)
        self.check_open()
        reader.bus = self
        reader.reader.bus = self.bus
        reader.reader.next = self.newest_event + 1 if next_seq is None else next_seq
        if reader.reader.next == 0:
            raise ValueError("events are numbered from 1")
        return reader

    @property
    def newest_event(self):
        """Number of the newest published event; 0 before the first."""
        cdef tl_bus_status status
        tl_bus_status_read(self.bus, &status)
        return status.events

    @property
    def oldest_event(self):
        """Number of the oldest event that the ring surely still holds."""
        cdef tl_bus_status status
        tl_bus_status_read(self.bus, &status)
        return status.oldest_event

    @property
    def detached(self):
        """True once this file was replaced or removed: attach again."""
        cdef tl_bus_status status
        tl_bus_status_read(self.bus, &status)
        return status.detached != 0

    def status(self):
        """What the engine says of itself; `alive` is the system's word on whether it lives."""
        cdef tl_bus_status status
        self.check_open()
        tl_bus_status_read(self.bus, &status)
        return {
            "state": _STATES[status.state],
            "alive": tl_bus_engine_alive(self.bus) != 0,
            "pid": status.pid,
            "heartbeat_ns": status.heartbeat_ns,
            "started_ns": status.started_ns,
            "commands": status.commands,
            "waiting": status.waiting,
            "recovered": status.recovered,
            "recover_total": status.recover_total,
            "events": status.events,
            "oldest_event": status.oldest_event,
            "batches": status.batches,
            "journal_bytes": status.journal_bytes,
            "journal_id": status.journal_id,
            "errno": status.error,
            "error": status.error_text.decode(errors="replace"),
            "torn": status.torn_text.decode(errors="replace"),
        }

    def close(self):
        """Let go of the file; the owner's claim on it ends. Harmless when repeated."""
        if not self.closed:
            self.closed = True
            tl_bus_release(self.bus)

    def unlink(self):
        """Remove the file and tell everybody attached that it is over."""
        named = self.closed or self.linked
        tl_bus_detach(self.bus)
        try:
            if named:  # else another file has taken the name
                os.unlink(self.path)
        except FileNotFoundError:
            pass

    def retire(self):
        """Remove the file as unlink() does, unless commands wait in it; how many wait."""
        cdef uint64_t waiting = tl_bus_retire(self.bus)
        if waiting == 0:
            self.unlink()
        return waiting

    @property
    def linked(self):
        """True while `path` names this very file; False once somebody removed or replaced it."""
        return tl_bus_linked(self.bus, os.fsencode(self.path)) != 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


cdef class Lane:
    """The sending end of one lane. Made by Bus.lane."""

    def __init__(self):
        raise TypeError("use Bus.lane")

    def __dealloc__(self):
        if self.is_open:
            tl_lane_close(&self.lane)

    @property
    def number(self):
        """Which lane this is: the upper half of the cl_ord_ids sent here."""
        return self.lane.number

    @property
    def sent(self):
        """How many commands this lane was ever sent, by whomever."""
        return tl_lane_sent(&self.lane)

    @property
    def journaled(self):
        """How many of `sent` the engine has journaled and done; survives the engine's restart."""
        return tl_lane_journaled(&self.lane)

    def cl_ord_ids(self, uint32_t count=1):
        """The first of `count` consecutive cl_ord_ids that no sender on this lane has had.

        Raises OSError EAGAIN before the engine has recovered, since the journal knows which have
        been used, EOVERFLOW when the lane's numbers are used up.
        """
        cdef tl_bus_status status
        self.check_open()
        tl_bus_status_read(self.bus.bus, &status)
        if status.journal_id == 0:
            raise OSError(errno.EAGAIN, "the engine has not recovered yet", self.bus.path)
        cdef uint64_t first = tl_lane_ids(&self.lane, count)
        if first == 0:
            raise OSError(errno.EOVERFLOW, "the lane's cl_ord_ids are used up", self.bus.path)
        return first

    cdef int check_open(self) except -1:
        if not self.is_open:
            raise ValueError("the lane is closed")
        if self.busy:
            raise RuntimeError("a lane belongs to one thread at a time")
        return 0

    def send(self, cnp.ndarray commands not None, double timeout_s=1.0):
        """Send commands, shape (n,), dtype COMMAND, in order; waits while the lane is full.

        `seq`, `ts_ns` and `checksum` are ignored. The engine sees up to 64 commands all or none,
        also should this process die. Raises TimeoutError when the engine does not take them in
        time (the message says how many went in), OSError EADDRINUSE when another process keeps a
        shared lane, ESHUTDOWN when the venue is stopping, ESTALE when the bus is over. What went
        in is done, by this engine or by the next: compare `sent` and `journaled`.
        """
        if commands.dtype != COMMAND or commands.ndim != 1:
            raise ValueError("commands must be a one-dimensional array of dtype COMMAND")
        if not cnp.PyArray_IS_C_CONTIGUOUS(commands):
            raise ValueError("commands must be contiguous")
        self.check_open()
        cdef const tl_command *cmds = <const tl_command *>cnp.PyArray_DATA(commands)
        cdef size_t count = <size_t>commands.shape[0]
        cdef size_t sent = 0, more = 0
        cdef int64_t timeout_ns = in_ns(timeout_s)
        # There is room nearly always: try without giving up the GIL first.
        cdef int code = tl_lane_send(&self.lane, cmds, count, 0, &sent)
        if code == -errno.ETIMEDOUT or code == -errno.EADDRINUSE:
            self.busy = True
            with nogil:
                code = tl_lane_send(&self.lane, cmds + sent, count - sent, timeout_ns, &more)
            self.busy = False
            sent += more
        if code != 0:
            self.fail(code, sent, count)

    cdef int fail(self, int code, size_t sent, size_t count) except -1:
        if code != -errno.ETIMEDOUT:
            raise os_error(code, self.bus.path)
        cdef tl_bus_status status
        tl_bus_status_read(self.bus.bus, &status)
        raise TimeoutError(
            errno.ETIMEDOUT,
            f"lane {self.lane.number} is full: the engine ({_STATES[status.state]}, process "
            f"{status.pid}) took {sent} of {count} commands",
            self.bus.path,
        )

    def close(self):
        """Give the lane back. Harmless when repeated."""
        if self.is_open:
            self.check_open()
            self.is_open = False
            tl_lane_close(&self.lane)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


cdef class EventReader:
    """A cursor in the event ring. Made by Bus.events."""

    def __init__(self):
        raise TypeError("use Bus.events")

    @property
    def next_seq(self):
        """Number of the event that comes next."""
        return self.reader.next

    def read(self, size_t max=4096):
        """The next events, shape (n,), n <= max, dtype EVENT, the caller's own; none yet: n = 0.

        Raises Lapped when the ring has gone past `next_seq`; the cursor stays where it was. Raises
        OSError ESTALE when the bus is over and nothing is left to read.
        """
        cdef int there = tl_event_reader_look(&self.reader)
        if there == 0 or max == 0:
            return _NO_EVENTS
        if there < 0:
            raise os_error(there, self.bus.path)
        cdef uint64_t published = self.bus.newest_event
        cdef size_t room = 64
        if published >= self.reader.next + room:
            room = <size_t>(published - self.reader.next + 1)
        if room > max:
            room = max
        cdef cnp.ndarray out = np.empty(room, dtype=EVENT)
        cdef int64_t count = tl_event_reader_read(&self.reader,
                                                  <tl_event *>cnp.PyArray_DATA(out), room)
        if count == -errno.EOVERFLOW:
            raise Lapped(self.reader.next, self.bus.oldest_event)
        if count < 0:
            raise os_error(<int>count, self.bus.path)
        return out if <size_t>count == room else out[:count]

    def wait(self, double timeout_s=1.0):
        """Sleep until the next event is there or the reader is lapped: True; at the timeout: False.

        Raises OSError ESTALE when the bus is over.
        """
        cdef int64_t timeout_ns = in_ns(timeout_s)
        cdef int there
        with nogil:
            there = tl_event_reader_wait(&self.reader, timeout_ns)
        if there < 0:
            raise os_error(there, self.bus.path)
        return there != 0

# cython: language_level=3, boundscheck=False, wraparound=False
"""The bus for Python: commands in through lanes, events out of the ring, as numpy arrays.

A Bus may be used by several threads; a Lane and an EventReader belong to one thread at a time and
keep the bus's memory mapped for as long as they live. All belong to the process that made them. A
call that waits hears signals within 50 ms.
"""

import errno
import os

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT64_MAX
from posix.unistd cimport close as close_fd

from touchline.core.arguments cimport natural, path_bytes, same_layout, seconds_in_ns, whole

from touchline.errors import Lapped
from touchline.core.messages import COMMAND, EVENT, LANE_ADMIN

cnp.import_array()

_STATES = ("starting", "running", "stopped", "failed", "draining")
_NO_EVENTS = np.empty(0, dtype=EVENT)
_NO_EVENTS.flags.writeable = False


cdef object os_error(int code, path):
    """The exception for -errno: our own text where bus.h has one, else the system's."""
    cdef const char *text = tl_bus_error_text(-code)
    if code == -errno.ENOMEM:
        return MemoryError(path)
    return OSError(-code, text.decode() if text != NULL else os.strerror(-code), path)


cdef int64_t SLICE_NS = 50_000_000  # a wait looks for signals this often


cdef class Bus(Owned):
    """One venue's shared memory. Made by Bus.create (the engine) or Bus.attach (everybody else)."""

    def __init__(self):
        raise TypeError("use Bus.create or Bus.attach")

    def __dealloc__(self):
        tl_bus_close(self.bus)

    cdef void abandon(self) noexcept:
        # Not the owner any more, so that closing does not take the parent's lock away.
        if self.bus != NULL:
            self.bus.owner = 0
            tl_bus_close(self.bus)
            self.bus = NULL

    @staticmethod
    def create(path, *, lanes=4, lane_slots=16384, event_slots=131072):
        """Create the bus at `path`, mode 0600, or take over the file of an engine that is gone.

        Slots are powers of two. A file of the same geometry is used again, so that attached
        processes go on. Raises OSError: EBUSY while another engine lives, ENOSPC, EINVAL.
        """
        cdef tl_bus_geometry geometry
        cdef Bus self = Bus.__new__(Bus)
        cdef bytes taken = path_bytes(path, "path")
        self.path = os.fsdecode(taken)
        geometry.lanes = <uint32_t>whole(lanes, "lanes", 0, 0xFFFFFFFF)
        geometry.lane_slots = <uint32_t>whole(lane_slots, "lane_slots", 0, 0xFFFFFFFF)
        geometry.event_slots = <uint32_t>whole(event_slots, "event_slots", 0, 0xFFFFFFFF)
        cdef int code = tl_bus_create(&self.bus, taken, &geometry)
        if code != 0:
            raise os_error(code, self.path)
        return self

    @staticmethod
    def attach(path):
        """Attach to the bus at `path`. Raises OSError: ENOENT when there is none, EAGAIN while it
        is being created, EMEDIUMTYPE, EPROTONOSUPPORT or EBADMSG when the file is none of ours."""
        cdef Bus self = Bus.__new__(Bus)
        cdef bytes taken = path_bytes(path, "path")
        self.path = os.fsdecode(taken)
        cdef int code = tl_bus_attach(&self.bus, taken)
        if code != 0:
            raise os_error(code, self.path)
        return self

    cdef int check_made(self) except -1:
        self.check_here()
        if self.bus == NULL:
            raise ValueError("this Bus was made by neither Bus.create nor Bus.attach")
        return 0

    cdef int read_status(self, tl_bus_status *status) except -1:
        self.check_made()
        tl_bus_status_read(self.bus, status)
        return 0

    cdef int engage(self) except -1:
        """Become the engine of this bus: one in a process. disengage() ends it."""
        self.check_open()
        if not self.bus.owner:
            raise ValueError("the engine needs a bus made by Bus.create")
        if self.engaged:
            raise RuntimeError("the bus has an engine already")
        self.engaged = True
        return 0

    cdef void disengage(self) noexcept:
        self.engaged = False
        if self.closed:
            tl_bus_release(self.bus)

    cdef int check_open(self) except -1:
        self.check_made()
        if self.closed:
            raise ValueError("the bus is closed")
        return 0

    def lane(self, number):
        """The sending end of lane `number`, this process's alone until it is closed.

        Lane 0 is the operators': any number of processes hold it and take turns, send by send.
        Raises OSError EADDRINUSE when another live holder has the lane, ECHRNG for no such lane.
        """
        cdef Lane lane = Lane.__new__(Lane)
        cdef uint32_t wanted = <uint32_t>whole(number, "number", 0, 0xFFFFFFFF)
        self.check_open()
        cdef int code = tl_lane_open(&lane.lane, self.bus, wanted, wanted == <uint32_t>LANE_ADMIN)
        if code != 0:
            raise os_error(code, self.path)
        lane.is_open = True
        lane.bus = self
        return lane

    def events(self, next_seq=None):
        """A reader of the events from number `next_seq` on; None: from the next one published."""
        cdef EventReader reader = EventReader.__new__(EventReader)
        self.check_open()
        cdef uint64_t first = 0
        if next_seq is None:
            first = self.newest_event + 1
        else:
            first = natural(next_seq, "next_seq")
        if first == 0:
            raise ValueError("next_seq is 0: events are numbered from 1")
        reader.bus = self
        reader.reader.bus = self.bus
        reader.reader.next = first
        return reader

    @property
    def newest_event(self):
        """Number of the newest published event; 0 before the first."""
        cdef tl_bus_status status
        self.read_status(&status)
        return status.events

    @property
    def oldest_event(self):
        """Number of the oldest event that the ring surely still holds."""
        cdef tl_bus_status status
        self.read_status(&status)
        return status.oldest_event

    @property
    def detached(self):
        """True once this file was replaced or removed: attach again."""
        cdef tl_bus_status status
        self.read_status(&status)
        return status.detached != 0

    def status(self):
        """What the engine says of itself; `alive` is the system's word on whether it lives.

        `clock_step_ns`: by how much the host's clock is ahead of the stamps (behind: below 0) after
        a step that is not believed, 0 while it is believed; `clock_refusals`: how many such steps.
        """
        cdef tl_bus_status status
        self.check_open()
        tl_bus_status_read(self.bus, &status)
        return {
            "state": state_name(status.state),
            "alive": tl_bus_engine_alive(self.bus) != 0,
            "pid": status.pid,
            "heartbeat_ns": status.heartbeat_ns,
            "started_ns": status.started_ns,
            "clock_step_ns": status.clock_step_ns,
            "clock_refusals": status.clock_refusals,
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
        """Let go of the file; the owner's claim on it ends. Harmless when repeated.

        While a Runner is open on it the claim stays, and ends with the runner.
        """
        if not self.closed and self.bus != NULL:
            self.closed = True
            if not self.engaged:
                tl_bus_release(self.bus)

    def unlink(self):
        """Remove the file and tell everybody attached that it is over."""
        self.check_made()
        named = self.closed or self.linked
        tl_bus_detach(self.bus)
        try:
            if named:  # else another file has taken the name
                os.unlink(self.path)
        except FileNotFoundError:
            pass

    def retire(self):
        """Remove the file as unlink() does, unless commands wait in it; how many wait."""
        self.check_made()
        cdef uint64_t waiting = tl_bus_retire(self.bus)
        if waiting == 0:
            self.unlink()
        return waiting

    @property
    def linked(self):
        """True while `path` names this very file; False once somebody removed or replaced it."""
        self.check_made()
        return tl_bus_linked(self.bus, os.fsencode(self.path)) != 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


cdef str state_name(uint32_t state):
    return _STATES[state] if state < len(_STATES) else f"unknown ({state})"


cdef class Lane(Owned):
    """The sending end of one lane. Made by Bus.lane."""

    def __init__(self):
        raise TypeError("use Bus.lane")

    def __dealloc__(self):
        if self.is_open:
            tl_lane_close(&self.lane)

    cdef void abandon(self) noexcept:
        # The descriptor alone: the lock is the open file's, which is the parent's too.
        if self.is_open:
            self.is_open = False
            close_fd(self.lane.fd)

    @property
    def number(self):
        """Which lane this is: the upper half of the cl_ord_ids sent here."""
        self.check_made()
        return self.lane.number

    @property
    def sent(self):
        """How many commands this lane was ever sent, by whomever."""
        self.check_made()
        return tl_lane_sent(&self.lane)

    @property
    def sent_last(self):
        """How many commands of the last send went in, also when it raised."""
        self.check_made()
        return self.sent_last_count

    @property
    def journaled(self):
        """How many of `sent` the engine has journaled and done; survives the engine's restart."""
        self.check_made()
        return tl_lane_journaled(&self.lane)

    def cl_ord_ids(self, count=1):
        """The first of `count` consecutive cl_ord_ids that no sender on this lane has had.

        Raises OSError EAGAIN before the engine has recovered, since the journal knows which have
        been used, EOVERFLOW when the lane's numbers are used up.
        """
        cdef tl_bus_status status
        cdef uint32_t wanted = <uint32_t>whole(count, "count", 0, 0xFFFFFFFF)
        if wanted == 0:
            raise ValueError("count is 0: ask for 1 or more")
        self.check_open()
        tl_bus_status_read(self.bus.bus, &status)
        if status.journal_id == 0:
            raise OSError(errno.EAGAIN, "the engine has not recovered yet", self.bus.path)
        cdef uint64_t first = tl_lane_ids(&self.lane, wanted)
        if first == 0:
            raise OSError(errno.EOVERFLOW, "the lane's cl_ord_ids are used up", self.bus.path)
        return first

    cdef int check_made(self) except -1:
        self.check_here()
        if self.bus is None:
            raise ValueError("this Lane was not made by Bus.lane")
        return 0

    cdef int check_open(self) except -1:
        self.check_made()
        if not self.is_open:
            raise ValueError("the lane is closed")
        if self.busy:
            raise RuntimeError("a lane belongs to one thread at a time")
        return 0

    def send(self, cnp.ndarray commands not None, timeout_s=1.0):
        """Send commands, shape (n,), dtype COMMAND, in order; waits while the lane is full.

        `seq`, `ts_ns` and `checksum` are ignored. The engine sees up to 64 commands all or none,
        also should this process die. Raises TimeoutError when the engine does not take them in
        time, OSError EADDRINUSE when another process keeps a shared lane, ESHUTDOWN when the venue
        is stopping, ESTALE when the bus is over, and whatever a signal's handler raises while it
        waits: KeyboardInterrupt for Ctrl-C. `sent_last` and the exception's notes tell how many
        went in; the lane can be used on. What went in is done, by this engine or by the next:
        compare `sent` and `journaled`.
        """
        if not same_layout(commands.dtype, COMMAND) or commands.ndim != 1:
            raise ValueError("commands must be a one-dimensional array of dtype COMMAND")
        if not cnp.PyArray_IS_C_CONTIGUOUS(commands):
            raise ValueError("commands must be contiguous")
        cdef int64_t timeout_ns = seconds_in_ns(timeout_s, "timeout_s", 1e9)
        self.check_open()
        cdef const tl_command *cmds = <const tl_command *>cnp.PyArray_DATA(commands)
        cdef size_t count = <size_t>commands.shape[0]
        # There is room nearly always: try without giving up the GIL first.
        self.sent_last_count = 0
        cdef int code = tl_lane_send(&self.lane, cmds, count, 0, &self.sent_last_count)
        if code == -errno.ETIMEDOUT or code == -errno.EADDRINUSE:
            self.busy = True
            try:
                code = self.send_rest(cmds, count, timeout_ns)
            except BaseException as error:
                error.add_note(
                    f"lane {self.lane.number}: {self.sent_last_count} of {count} commands went in")
                raise
            finally:
                self.busy = False
        if code != 0:
            self.fail(code, self.sent_last_count, count)

    cdef int send_rest(self, const tl_command *cmds, size_t count, int64_t left_ns) except 1:
        """Send what is left, looking for signals between short waits."""
        cdef size_t more
        cdef int64_t slice_ns
        cdef int code
        while True:
            slice_ns = min(left_ns, SLICE_NS)
            more = 0
            with nogil:
                code = tl_lane_send(&self.lane, cmds + self.sent_last_count,
                                    count - self.sent_last_count, slice_ns, &more)
            self.sent_last_count += more
            left_ns -= slice_ns
            PyErr_CheckSignals()
            if left_ns <= 0 or (code != -errno.ETIMEDOUT and code != -errno.EADDRINUSE):
                return code

    cdef int fail(self, int code, size_t sent, size_t count) except -1:
        if code != -errno.ETIMEDOUT:
            raise os_error(code, self.bus.path)
        cdef tl_bus_status status
        tl_bus_status_read(self.bus.bus, &status)
        raise TimeoutError(
            errno.ETIMEDOUT,
            f"lane {self.lane.number} is full: the engine ({state_name(status.state)}, process "
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


cdef class EventReader(Owned):
    """A cursor in the event ring. Made by Bus.events."""

    def __init__(self):
        raise TypeError("use Bus.events")

    cdef int check_idle(self) except -1:
        self.check_here()
        if self.bus is None:
            raise ValueError("this EventReader was not made by Bus.events")
        if self.busy:
            raise RuntimeError("an event reader belongs to one thread at a time")
        return 0

    @property
    def next_seq(self):
        """Number of the event that comes next."""
        self.check_idle()
        return self.reader.next

    def read(self, max=4096):
        """The next events, shape (n,), n <= max, dtype EVENT, the caller's own; none yet: n = 0.

        Raises Lapped when the ring has gone past `next_seq`; the cursor stays where it was. Raises
        OSError ESTALE when the bus is over and nothing is left to read.
        """
        cdef uint64_t most = <uint64_t>whole(max, "max", 0, INT64_MAX)
        self.check_idle()
        cdef int there = tl_event_reader_look(&self.reader)
        if there == 0 or most == 0:
            return _NO_EVENTS
        if there < 0:
            raise os_error(there, self.bus.path)
        cdef uint64_t room = self.room()
        if room > most:
            room = most
        cdef cnp.ndarray out = np.empty(room, dtype=EVENT)
        cdef int64_t count = tl_event_reader_read(&self.reader,
                                                  <tl_event *>cnp.PyArray_DATA(out), room)
        if count == -errno.EOVERFLOW:
            raise Lapped(self.reader.next, self.bus.oldest_event)
        if count < 0:
            raise os_error(<int>count, self.bus.path)
        return out if <uint64_t>count == room else out[:count]

    cdef uint64_t room(self) except 0:
        """How many events to make room for: those published, as far as the ring can hold them."""
        cdef tl_bus_status status
        cdef uint64_t held, there
        self.bus.read_status(&status)
        held = status.events - status.oldest_event + 1
        there = status.events - self.reader.next + 1
        if status.events < self.reader.next or there < 64:
            return 64
        return there if there < held else held

    def wait(self, timeout_s=1.0):
        """Sleep until the next event is there or the reader is lapped: True; at the timeout: False.

        Raises OSError ESTALE when the bus is over, and whatever a signal's handler raises.
        """
        cdef int64_t left_ns = seconds_in_ns(timeout_s, "timeout_s", 1e9)
        cdef int64_t slice_ns
        cdef int there = 0
        self.check_idle()
        self.busy = True
        try:
            while True:
                slice_ns = min(left_ns, SLICE_NS)
                with nogil:
                    there = tl_event_reader_wait(&self.reader, slice_ns)
                left_ns -= slice_ns
                PyErr_CheckSignals()
                if there != 0 or left_ns <= 0:
                    break
        finally:
            self.busy = False
        if there < 0:
            raise os_error(there, self.bus.path)
        return there != 0

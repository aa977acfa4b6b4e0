# cython: language_level=3, boundscheck=False, wraparound=False
"""The engine thread for Python: recover, run without the GIL, stop."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from libc.stdint cimport INT32_MAX, INT64_MAX, int64_t

from touchline.core.arguments cimport path_bytes, whole
from touchline.runtime.journal cimport journal_error

from touchline.core.capacities import EngineCapacities

_WAITS = ("spin", "yield", "park")
_SYNCS = ("none", "batch")
_PROGRAMS = ("administer", "trade")
cdef int64_t SECOND_NS = 1_000_000_000
cdef int64_t MILLISECOND_NS = 1_000_000


class Recovery(NamedTuple):
    """What Runner.open found: so many commands gave so many events and this state.

    `torn`: what was cut from the journal's tail. `overlooked`: how many commands no lane may send,
    as an older journal may hold them, `overlooked_first` the seq of the first; what they say of
    names and numbers is passed over.
    """

    commands: int
    events: int
    state_hash: int
    torn: str | None
    overlooked: int
    overlooked_first: int


cdef class Runner(Owned):
    """The engine of one venue: reads the bus's lanes, writes the journal and the event ring.

    `bus` was made by Bus.create. `wait`: 'spin', 'yield' or 'park' while no command is there.
    `sync`: 'none' survives a killed process, 'batch' also a power failure: no event is seen before
    its command is on the disk. `cpu`: the processor run() keeps to. `programs`: what lanes but the
    operators' may do, 'administer' or only 'trade'; docs/messages.md, "What a lane may send".
    `clock_step_max_s`: how far the host's clock may step and be believed; `clock_gap_max_days`: how
    far it may be ahead of the journal's newest stamp at the start. `indicative_ms`: how often each
    auction is told of while it lasts (rule 9.1); 0: when it is asked for. Raises ValueError for
    another setting.
    """

    def __cinit__(self, journal_dir, Bus bus not None, capacities, *, wait="park", sync="none",
                  segment_bytes=64 << 20, cpu=None, programs="administer",
                  clock_step_max_s=60, clock_gap_max_days=366, indicative_ms=0):
        if wait not in _WAITS:
            raise ValueError(f"wait is {wait!r}; allowed are {', '.join(_WAITS)}")
        if sync not in _SYNCS:
            raise ValueError(f"sync is {sync!r}; allowed are {', '.join(_SYNCS)}")
        if programs not in _PROGRAMS:
            raise ValueError(f"programs is {programs!r}; allowed are {', '.join(_PROGRAMS)}")
        bus.check_open()
        if not bus.bus.owner:
            raise ValueError("the runner needs a bus made by Bus.create")
        self.bus = bus
        self.journal_dir = path_bytes(journal_dir, "journal_dir")
        self.config.bus = bus.bus
        self.config.journal_dir = self.journal_dir
        self.take_capacities(capacities)
        self.config.wait = _WAITS.index(wait)
        self.config.sync_batch = _SYNCS.index(sync)
        self.config.segment_bytes = <uint64_t>whole(segment_bytes, "segment_bytes", 0, INT64_MAX)
        self.config.programs_trade = _PROGRAMS.index(programs)
        self.config.clock_step_max_ns = SECOND_NS * <int64_t>whole(
            clock_step_max_s, "clock_step_max_s", 1, 86400)
        self.config.clock_gap_max_ns = 86400 * SECOND_NS * <int64_t>whole(
            clock_gap_max_days, "clock_gap_max_days", 1, 36525)
        self.config.indicative_every_ns = MILLISECOND_NS * <int64_t>whole(
            indicative_ms, "indicative_ms", 0, 86_400_000)
        self.config.cpu = -1 if cpu is None else <int32_t>whole(cpu, "cpu", 0, INT32_MAX)

    cdef int take_capacities(self, object capacities) except -1:
        cdef tl_engine_capacities taken
        cdef size_t i
        names = EngineCapacities._fields
        if not isinstance(capacities, tuple) or len(capacities) != len(names):
            raise TypeError(f"capacities are {capacities!r}; EngineCapacities are wanted")
        for i in range(sizeof(taken) // sizeof(uint32_t)):
            (<uint32_t *>&taken)[i] = <uint32_t>whole(capacities[i], names[i], 0, 0xFFFFFFFF)
        self.config.capacities = taken
        return 0

    def __dealloc__(self):
        if self.runner != NULL and self.bus is not None:
            self.bus.disengage()
        tl_runner_close(self.runner)

    cdef void abandon(self) noexcept:
        # Its journal's thread did not come along, so closing would wait for ever: only forget it.
        self.runner = NULL
        self.running = False

    def open(self):
        """Recover: replay the journal, or begin one; returns a Recovery.

        Raises JournalCorrupt for damage that is no torn tail, ConfigError when the journal was
        written with larger capacities, OSError: EBUSY while another engine writes it, ENOSPC.
        """
        cdef tl_journal_fault fault
        cdef tl_runner_recovery recovery
        cdef int code
        self.check_here()
        if self.runner != NULL:
            raise RuntimeError("the runner is open already")
        os.makedirs(os.path.dirname(os.path.abspath(self.journal_dir)), exist_ok=True)
        self.bus.engage()
        with nogil:
            code = tl_runner_open(&self.runner, &self.config, &recovery, &fault)
        if code != 0:
            self.runner = NULL
            self.bus.disengage()
            raise journal_error(&fault)
        if self.stop_early:
            tl_runner_stop(self.runner)
        torn = (<bytes>recovery.torn).decode(errors="replace")
        return Recovery(recovery.commands, recovery.events, recovery.state_hash, torn or None,
                        recovery.overlooked, recovery.overlooked_first)

    cdef int check_idle(self) except -1:
        self.check_here()
        if self.runner == NULL:
            raise RuntimeError("the runner is not open")
        if self.running:
            raise RuntimeError("the runner is running")
        return 0

    def run(self):
        """Work without the GIL until stop(): in the calling thread.

        The main thread is the one that hears signals; when it calls, a thread of its own works and
        the main thread listens. What a signal's handler raises, KeyboardInterrupt for Ctrl-C, stops
        the runner in order and is raised then. Raises OSError when the journal fails; nothing of
        the batch at hand has been published then.
        """
        if threading.current_thread() is not threading.main_thread():
            self.work()
            return
        self.check_idle()
        with ThreadPoolExecutor(1, "engine") as thread:
            done = thread.submit(_work, self)
            try:
                done.result()
            finally:
                if not done.done():
                    self.stop()

    cdef int work(self) except -1:
        cdef tl_journal_fault fault
        cdef int code
        self.check_idle()
        self.running = True
        with nogil:
            code = tl_runner_run(self.runner, &fault)
        self.running = False
        if code != 0:
            raise journal_error(&fault)
        return 0

    def stop(self):
        """Let run() return after the batch at hand. From any thread; before run() too."""
        self.check_here()
        if self.runner == NULL:
            self.stop_early = True
        else:
            tl_runner_stop(self.runner)

    def state_hash(self):
        """The engine's state as one number; not while running."""
        self.check_idle()
        return tl_runner_hash(self.runner)

    def close(self):
        """Close engine and journal; the bus stays. Harmless when repeated."""
        if self.runner != NULL:
            self.check_idle()
            tl_runner_close(self.runner)
            self.runner = NULL
            self.bus.disengage()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def _work(Runner runner not None):
    runner.work()

# cython: language_level=3, boundscheck=False, wraparound=False
"""The engine thread for Python: recover, run without the GIL, stop."""

import os
from typing import NamedTuple

from touchline.runtime.journal cimport journal_error

_WAITS = ("spin", "yield", "park")
_SYNCS = ("none", "batch")
_PROGRAMS = ("administer", "trade")


class Recovery(NamedTuple):
    """What Runner.open found: so many commands gave so many events and this state."""

    commands: int
    events: int
    state_hash: int
    torn: str | None


cdef class Runner:
    """The engine of one venue: reads the bus's lanes, writes the journal and the event ring.

    `bus` was made by Bus.create. `wait`: 'spin', 'yield' or 'park' while no command is there.
    `sync`: 'none' survives a killed process, 'batch' also a power failure: no event is seen before
    its command is on the disk. `cpu`: the processor run() keeps to. `programs`: what lanes but the
    operators' may do, 'administer' or only 'trade'; docs/messages.md, "What a lane may send".
    Raises ValueError for another setting.
    """

    def __cinit__(self, journal_dir, Bus bus not None, capacities, *, wait="park", sync="none",
                  uint64_t segment_bytes=64 << 20, cpu=None, programs="administer"):
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
        self.journal_dir = os.fsencode(journal_dir)
        self.config.bus = bus.bus
        self.config.journal_dir = self.journal_dir
        (self.config.capacities.instruments_max, self.config.capacities.accounts_max,
         self.config.capacities.orders_max, self.config.capacities.positions_max,
         self.config.capacities.price_blocks_max) = capacities
        self.config.wait = _WAITS.index(wait)
        self.config.sync_batch = _SYNCS.index(sync)
        self.config.segment_bytes = segment_bytes
        self.config.programs_trade = _PROGRAMS.index(programs)
        self.config.cpu = -1 if cpu is None else cpu

    def __dealloc__(self):
        tl_runner_close(self.runner)

    def open(self):
        """Recover: replay the journal, or begin one; returns a Recovery.

        Raises JournalCorrupt for damage that is no torn tail, ConfigError when the journal was
        written with other capacities, OSError: EBUSY while another engine writes it, ENOSPC.
        """
        cdef tl_journal_fault fault
        cdef tl_runner_recovery recovery
        cdef int code
        if self.runner != NULL:
            raise RuntimeError("the runner is open already")
        os.makedirs(os.path.dirname(os.path.abspath(self.journal_dir)), exist_ok=True)
        with nogil:
            code = tl_runner_open(&self.runner, &self.config, &recovery, &fault)
        if code != 0:
            raise journal_error(&fault)
        if self.stop_early:
            tl_runner_stop(self.runner)
        torn = (<bytes>recovery.torn).decode(errors="replace")
        return Recovery(recovery.commands, recovery.events, recovery.state_hash, torn or None)

    cdef int check_idle(self) except -1:
        if self.runner == NULL:
            raise RuntimeError("the runner is not open")
        if self.running:
            raise RuntimeError("the runner is running")
        return 0

    def run(self):
        """Work in the calling thread, without the GIL, until stop().

        A thread that runs this handles no signals: keep the main thread for them. Raises OSError
        when the journal fails; nothing of the batch at hand has been published then.
        """
        cdef tl_journal_fault fault
        cdef int code
        self.check_idle()
        self.running = True
        with nogil:
            code = tl_runner_run(self.runner, &fault)
        self.running = False
        if code != 0:
            raise journal_error(&fault)

    def stop(self):
        """Let run() return after the batch at hand. From any thread; before run() too."""
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

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

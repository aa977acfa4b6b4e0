"""The runner for Cython: the C interface of runner.h, and the extension type that owns one."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from touchline.core.engine cimport tl_engine_capacities
from touchline.runtime.journal cimport tl_journal_fault
from touchline.runtime.bus cimport Bus, tl_bus
from touchline.runtime.owned cimport Owned


cdef extern from "touchline/runtime/runner.h" nogil:
    ctypedef struct tl_runner_config:
        tl_bus *bus
        const char *journal_dir
        tl_engine_capacities capacities
        uint32_t wait
        uint32_t sync_batch
        int32_t cpu
        uint64_t segment_bytes
        uint32_t programs_trade
        int64_t clock_step_max_ns
        int64_t clock_gap_max_ns
        int64_t indicative_every_ns

    ctypedef struct tl_runner_recovery:
        uint64_t commands
        uint64_t events
        uint64_t state_hash
        uint64_t overlooked
        uint64_t overlooked_first
        char torn[256]

    ctypedef struct tl_runner:
        pass

    int tl_runner_open(tl_runner **out, const tl_runner_config *config,
                       tl_runner_recovery *recovery, tl_journal_fault *fault)
    void tl_runner_close(tl_runner *runner)
    int tl_runner_run(tl_runner *runner, tl_journal_fault *fault)
    void tl_runner_stop(tl_runner *runner)
    uint64_t tl_runner_hash(const tl_runner *runner)


cdef class Runner(Owned):
    cdef tl_runner *runner
    cdef tl_runner_config config
    cdef readonly Bus bus
    cdef bytes journal_dir
    cdef bint running
    cdef bint stop_early

    cdef int take_capacities(self, object capacities) except -1
    cdef int work(self) except -1
    cdef int check_idle(self) except -1

# cython: language_level=3, boundscheck=False, wraparound=False
"""What this machine costs, for Python: samples in nanoseconds as numpy arrays.

Everything runs without the GIL and ends after `budget_s` at the latest. Ctrl-C is heard within a
second.
"""

import os
from typing import NamedTuple

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT32_MAX
from libc.string cimport memset

from touchline.core.arguments cimport seconds_in_ns, whole

cnp.import_array()

cdef int64_t SLICE_NS = 1_000_000_000  # a measurement looks for signals this often

_CLOCKS = {
    "monotonic": TL_MEASURE_MONOTONIC,
    "realtime": TL_MEASURE_REALTIME,
    "tsc": TL_MEASURE_TSC,
    "syscall": TL_MEASURE_SYSCALL,
}


class Jitter(NamedTuple):
    """Gaps between two readings of the clock in a loop that does nothing else.

    `p50_ns` … are of all gaps; `over_…` counts the gaps above so much; `lost_ns` is the time in
    gaps of more than a microsecond, of `elapsed_ns` in all.
    """

    loops: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    p9999_ns: int
    max_ns: int
    over_1us: int
    over_10us: int
    over_100us: int
    over_1ms: int
    lost_ns: int
    elapsed_ns: int


cdef int64_t in_ns(object budget_s) except -1:
    cdef int64_t budget_ns = seconds_in_ns(budget_s, "budget_s", 60)
    if budget_ns == 0:
        raise ValueError(f"budget_s {budget_s!r} is not above 0")
    return budget_ns


cdef int32_t place(object cpu, str name) except -2:
    """A processor's number; -1 for any."""
    return -1 if cpu is None else <int32_t>whole(cpu, name, 0, INT32_MAX)


cdef int64_t sample_count(object samples_max) except -1:
    return whole(samples_max, "samples_max", 1, 100_000_000)


cdef int64_t taken(int64_t answer) except -1:
    """How many samples, or the exception for -errno."""
    PyErr_CheckSignals()
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))
    return answer


def clock_cost(clock, budget_s=0.05):
    """Nanoseconds of one reading, the mean of a thousand, up to a thousand times: float64.

    `clock`: 'monotonic', 'realtime', 'tsc' or, to compare with, 'syscall'. Empty when the
    processor has no such counter.
    """
    cdef cnp.ndarray out = np.zeros(1000, dtype=np.float64)
    cdef double *data = <double *>cnp.PyArray_DATA(out)
    if clock not in _CLOCKS:
        raise ValueError(f"clock is {clock!r}; allowed are {', '.join(_CLOCKS)}")
    cdef tl_measure_clock_kind kind = _CLOCKS[clock]
    cdef int64_t budget_ns = in_ns(budget_s)
    cdef size_t count
    with nogil:
        count = tl_measure_clock_cost(kind, data, 1000, 1000, budget_ns)
    return out[:count].copy()


def ring_round_trip(Bus bus not None, *, bint park=False, near=None, far=None,
                    samples_max=100_000, budget_s=0.5):
    """Nanoseconds from sending a command to holding the event that answers it: uint32.

    A thread answers as the engine would, without matching. `bus` is one just made by Bus.create
    for this alone. With `park` the answering thread is asleep when a command comes, else both
    spin. `near`, `far`: the CPUs of the asking and the answering thread. Raises OSError.
    """
    cdef cnp.ndarray out = np.zeros(sample_count(samples_max), dtype=np.uint32)
    cdef uint32_t *data = <uint32_t *>cnp.PyArray_DATA(out)
    cdef tl_measure_places places
    cdef int64_t budget_ns = in_ns(budget_s)
    cdef int64_t more, count = 0, most = cnp.PyArray_SIZE(out)
    places.near_cpu = place(near, "near")
    places.far_cpu = place(far, "far")
    bus.check_open()
    if not bus.bus.owner or bus.newest_event != 0:
        raise ValueError("the measurement needs a bus of its own, just made by Bus.create")
    bus.engage()
    try:
        while count < most and budget_ns > 0:
            with nogil:
                more = tl_measure_ring(bus.bus, &places, park, data + count, most - count,
                                       min(budget_ns, SLICE_NS))
            count += taken(more)
            budget_ns -= SLICE_NS
    finally:
        bus.disengage()
    return out[:count].copy()


def loopback_round_trip(*, bint spin=False, near=None, far=None, samples_max=100_000,
                        budget_s=0.5):
    """Nanoseconds of 64 bytes over TCP to 127.0.0.1 and back: uint32.

    With `spin` nobody sleeps in the kernel. `near`, `far` as in ring_round_trip. Raises OSError.
    """
    cdef cnp.ndarray out = np.zeros(sample_count(samples_max), dtype=np.uint32)
    cdef uint32_t *data = <uint32_t *>cnp.PyArray_DATA(out)
    cdef tl_measure_places places
    cdef int64_t budget_ns = in_ns(budget_s)
    cdef int64_t more, count = 0, most = cnp.PyArray_SIZE(out)
    places.near_cpu = place(near, "near")
    places.far_cpu = place(far, "far")
    while count < most and budget_ns > 0:
        with nogil:
            more = tl_measure_loopback(&places, spin, data + count, most - count,
                                       min(budget_ns, SLICE_NS))
        count += taken(more)
        budget_ns -= SLICE_NS
    return out[:count].copy()


def jitter(*, cpu=None, budget_s=1.0):
    """Spin for `budget_s` on `cpu` and tell how long the loop was held up; returns a Jitter."""
    cdef tl_measure_jitter found
    cdef int32_t where = place(cpu, "cpu")
    cdef int64_t budget_ns = in_ns(budget_s)
    cdef int code
    # Written here, so that the first counts do not meet a page fault.
    memset(&found, 0, sizeof(found))
    while budget_ns > 0:
        with nogil:
            code = tl_measure_jitter_run(&found, where, min(budget_ns, SLICE_NS))
        taken(code)
        budget_ns -= SLICE_NS
    quantiles = [tl_measure_jitter_quantile(&found, share) for share in (0.5, 0.99, 0.999, 0.9999)]
    return Jitter(found.loops, *quantiles, found.max_ns, found.over_1us, found.over_10us,
                  found.over_100us, found.over_1ms, found.lost_ns, found.elapsed_ns)

"""The measurements for Cython: the C interface of measure.h."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from touchline.runtime.bus cimport Bus, tl_bus


cdef extern from "touchline/measure/measure.h" nogil:
    ctypedef struct tl_measure_places:
        int32_t near_cpu
        int32_t far_cpu

    ctypedef struct tl_measure_jitter:
        uint64_t loops
        uint64_t over_1us
        uint64_t over_10us
        uint64_t over_100us
        uint64_t over_1ms
        int64_t max_ns
        int64_t lost_ns
        int64_t elapsed_ns

    enum tl_measure_clock_kind "tl_measure_clock":
        TL_MEASURE_MONOTONIC
        TL_MEASURE_REALTIME
        TL_MEASURE_TSC
        TL_MEASURE_SYSCALL

    size_t tl_measure_clock_cost(tl_measure_clock_kind clock, double *out, size_t rounds,
                                 uint32_t calls, int64_t budget_ns)
    int64_t tl_measure_ring(tl_bus *bus, const tl_measure_places *places, int park,
                            uint32_t *out_ns, size_t max, int64_t budget_ns)
    int64_t tl_measure_loopback(const tl_measure_places *places, int spin, uint32_t *out_ns,
                                size_t max, int64_t budget_ns)
    int tl_measure_jitter_run(tl_measure_jitter *out, int32_t cpu, int64_t budget_ns)
    int64_t tl_measure_jitter_quantile(const tl_measure_jitter *jitter, double share)

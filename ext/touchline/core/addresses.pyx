# cython: language_level=3
"""The C functions' addresses, for code that numba and the like compile in this process."""

from libc.stdint cimport uintptr_t

from touchline.core.engine cimport (
    tl_engine_step,
    tl_engine_step_batch,
    tl_engine_events_bound,
    tl_engine_event_seq,
    tl_engine_hash,
    tl_engine_best,
    tl_engine_depth,
    tl_engine_orders,
    tl_engine_orders_open,
    tl_engine_orders_scan,
    tl_engine_level,
    tl_engine_order,
    tl_engine_ahead,
    tl_engine_sink_slots,
    tl_engine_position,
)


def function_pointers():
    """Addresses of engine.h's functions by name; touchline.core.pointers knows their signatures."""
    return {
        "tl_engine_step": <uintptr_t>&tl_engine_step,
        "tl_engine_step_batch": <uintptr_t>&tl_engine_step_batch,
        "tl_engine_events_bound": <uintptr_t>&tl_engine_events_bound,
        "tl_engine_event_seq": <uintptr_t>&tl_engine_event_seq,
        "tl_engine_hash": <uintptr_t>&tl_engine_hash,
        "tl_engine_best": <uintptr_t>&tl_engine_best,
        "tl_engine_depth": <uintptr_t>&tl_engine_depth,
        "tl_engine_orders": <uintptr_t>&tl_engine_orders,
        "tl_engine_orders_open": <uintptr_t>&tl_engine_orders_open,
        "tl_engine_orders_scan": <uintptr_t>&tl_engine_orders_scan,
        "tl_engine_level": <uintptr_t>&tl_engine_level,
        "tl_engine_order": <uintptr_t>&tl_engine_order,
        "tl_engine_ahead": <uintptr_t>&tl_engine_ahead,
        "tl_engine_sink_slots": <uintptr_t>&tl_engine_sink_slots,
        "tl_engine_position": <uintptr_t>&tl_engine_position,
    }

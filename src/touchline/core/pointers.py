"""The core's C functions for code compiled in this process: numba, ctypes, cffi.

    step = function("tl_engine_step")
    step(engine.address, commands.ctypes.data, engine.event_sink().ctypes.data)

An address is a plain integer. Nothing is checked: a wrong address ends the process. The engine, the
commands and the sink must outlive the call, and one thread at a time may step. docs/quants.md.
"""

from __future__ import annotations

import ctypes
from typing import Any

from touchline.core.addresses import function_pointers

ADDRESS = ctypes.c_size_t

# As engine.h declares them: what is returned, then the parameters.
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "tl_engine_step": (None, ADDRESS, ADDRESS, ADDRESS),
    "tl_engine_step_batch": (
        ctypes.c_size_t, ADDRESS, ADDRESS, ctypes.c_size_t, ADDRESS, ctypes.c_uint64,
    ),
    "tl_engine_events_bound": (ctypes.c_uint64, ADDRESS),
    "tl_engine_event_seq": (ctypes.c_uint64, ADDRESS),
    "tl_engine_hash": (ctypes.c_uint64, ADDRESS),
    "tl_engine_best": (ctypes.c_int64, ADDRESS, ctypes.c_uint16, ctypes.c_uint8),
    "tl_engine_depth": (
        ctypes.c_uint32, ADDRESS, ctypes.c_uint16, ctypes.c_uint8, ADDRESS, ctypes.c_uint32,
    ),
    "tl_engine_orders": (
        ctypes.c_uint32, ADDRESS, ctypes.c_uint16, ctypes.c_uint8, ADDRESS, ctypes.c_uint32,
    ),
    "tl_engine_orders_open": (ctypes.c_uint32, ADDRESS),
    "tl_engine_orders_scan": (
        ctypes.c_uint32, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ctypes.c_uint32,
    ),
    "tl_engine_level": (
        ctypes.c_uint32, ADDRESS, ctypes.c_uint16, ctypes.c_uint8, ctypes.c_int64, ADDRESS,
    ),
    "tl_engine_order": (ctypes.c_int, ADDRESS, ctypes.c_uint64, ADDRESS),
    "tl_engine_ahead": (ctypes.c_int, ADDRESS, ctypes.c_uint64, ADDRESS),
    "tl_engine_sink_slots": (ctypes.c_uint64, ADDRESS),
    "tl_engine_position": (None, ADDRESS, ctypes.c_uint32, ctypes.c_uint16, ADDRESS),
}  # fmt: skip


def function(name: str) -> Any:
    """The C function as ctypes calls it and numba compiles it; KeyError for another name."""
    returned, *parameters = SIGNATURES[name]
    return ctypes.CFUNCTYPE(returned, *parameters)(function_pointers()[name])

"""A host's clock that stepped and is not believed, in words."""

from __future__ import annotations

from typing import Any

_UNITS = (("days", 86_400.0), ("hours", 3_600.0), ("s", 1.0))


def step_words(step_ns: int) -> str:
    """How far and which way: "3650.0 days ahead of"."""
    seconds = abs(step_ns) / 1e9
    unit, size = next((pair for pair in _UNITS if seconds >= 2 * pair[1]), _UNITS[-1])
    return f"{seconds / size:.1f} {unit} {'behind' if step_ns < 0 else 'ahead of'}"


def stepped(engine: dict[str, Any]) -> list[str]:
    """What is to be said of an engine's clock, given what its bus says; mostly nothing."""
    step_ns = int(engine.get("clock_step_ns", 0))
    if not step_ns:
        return []
    return [
        f"the host's clock stepped and is not believed: it is {step_words(step_ns)} the events' "
        f"time, which goes on without it; set the clock, or if it is right, "
        f"`touchline clock accept`"
    ]

"""What this machine costs: clocks, the ring between two processors, pauses, loopback."""

from touchline.measure.measure import (
    Jitter,
    clock_cost,
    jitter,
    loopback_round_trip,
    ring_round_trip,
)

__all__ = ["Jitter", "clock_cost", "jitter", "loopback_round_trip", "ring_round_trip"]

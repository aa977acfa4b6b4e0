from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.runtime.bus import Bus

class Jitter(NamedTuple):
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

def clock_cost(
    clock: Literal["monotonic", "realtime", "tsc", "syscall"], budget_s: float = 0.05
) -> NDArray[np.float64]: ...
def ring_round_trip(
    bus: Bus,
    *,
    park: bool = False,
    near: int | None = None,
    far: int | None = None,
    samples_max: int = 100000,
    budget_s: float = 0.5,
) -> NDArray[np.uint32]: ...
def loopback_round_trip(
    *,
    spin: bool = False,
    near: int | None = None,
    far: int | None = None,
    samples_max: int = 100000,
    budget_s: float = 0.5,
) -> NDArray[np.uint32]: ...
def jitter(*, cpu: int | None = None, budget_s: float = 1.0) -> Jitter: ...

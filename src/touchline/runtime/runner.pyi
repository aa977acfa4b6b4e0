from os import PathLike
from types import TracebackType
from typing import Literal, NamedTuple, Self

from touchline.core.capacities import EngineCapacities
from touchline.runtime.bus import Bus
from touchline.runtime.owned import Owned

class Recovery(NamedTuple):
    commands: int
    events: int
    state_hash: int
    torn: str | None
    overlooked: int
    overlooked_first: int

class Runner(Owned):
    bus: Bus
    def __init__(
        self,
        journal_dir: str | bytes | PathLike[str],
        bus: Bus,
        capacities: EngineCapacities,
        *,
        wait: Literal["spin", "yield", "park"] = "park",
        sync: Literal["none", "batch"] = "none",
        segment_bytes: int = 67108864,
        cpu: int | None = None,
        programs: Literal["administer", "trade"] = "administer",
        clock_step_max_s: int = 60,
        clock_gap_max_days: int = 366,
        indicative_ms: int = 0,
    ) -> None: ...
    def open(self) -> Recovery: ...
    def run(self) -> None: ...
    def stop(self) -> None: ...
    def state_hash(self) -> int: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

from os import PathLike
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import EngineCapacities
from touchline.runtime.owned import Owned

class JournalReader(Owned):
    def __init__(self, directory: str | bytes | PathLike[str]) -> None: ...
    @property
    def capacities(self) -> EngineCapacities: ...
    @property
    def journal_id(self) -> int: ...
    @property
    def next_seq(self) -> int: ...
    def read(self, max: int = 4096) -> NDArray[np.void]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

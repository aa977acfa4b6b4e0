from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

EMPTY: int
LINE_MAX: int
KINDS: dict[str, int]

class Table:
    def __init__(self, kinds: Sequence[str], symbols_max: int = 65536) -> None: ...
    def read(
        self, data: bytes | memoryview, last: bool, room: int
    ) -> tuple[NDArray[np.int64], int]: ...
    @property
    def fault(self) -> tuple[int, int, int, str] | None: ...
    def symbols(self, first: int = 0) -> list[str]: ...

__test__: dict[str, Any]

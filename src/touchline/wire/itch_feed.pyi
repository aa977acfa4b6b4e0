from typing import Any

import numpy as np
from numpy.typing import NDArray

class ItchFeed:
    def __init__(
        self,
        *,
        instruments_max: int,
        orders_max: int,
        price_blocks_max: int,
        midnight_ns: int = 0,
    ) -> None: ...
    def commands(self, commands: NDArray[np.void]) -> None: ...
    def apply(self, events: NDArray[np.void]) -> bytes: ...
    def untold(self, instrument: int) -> str | None: ...
    @property
    def count(self) -> int: ...
    @property
    def unshown(self) -> int: ...

__test__: dict[str, Any]

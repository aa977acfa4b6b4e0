from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MESSAGE_BYTES_MAX: int
TOUCH: np.dtype[np.void]

class BookState(NamedTuple):
    seqs: tuple[int, int, int, int, int]
    trading_status: int
    bbo: tuple[int, int, int, int, int, int, int, int]
    last_trade: tuple[int, int, int, int, int] | None
    statistics: tuple[int, int, int, int, int, int, int, int, int, int, int]
    levels: int

class Mirror:
    def __init__(
        self,
        *,
        instruments_max: int = 16,
        orders_max: int = 65536,
        price_blocks_max: int = 4096,
    ) -> None: ...
    def apply(self, events: NDArray[np.void]) -> int: ...
    def follow(self, events: NDArray[np.void]) -> NDArray[np.void]: ...
    def messages(
        self, topics: Mapping[int, tuple[bytes, bytes, bytes, bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]: ...
    def discard(self) -> None: ...
    def heartbeat(self) -> bytes: ...
    def numbers(self) -> list[int]: ...
    def state(self, instrument: int) -> BookState: ...
    def levels(self, instrument: int) -> bytes: ...
    @property
    def event_seq(self) -> int: ...
    @property
    def ts_ns(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def entry_status(self) -> int: ...

__test__: dict[str, Any]

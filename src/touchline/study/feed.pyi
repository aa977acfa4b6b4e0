from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PIECE_MIN: int

class FeedCounts(NamedTuple):
    messages: int
    unknown: int
    missing: int
    gaps: int
    duplicates: int
    datagrams: int
    passed: int
    sessions: int
    skipped: int
    first_skipped: int

class Feed:
    def __init__(
        self, *, pcap: bool = False, base_ns: int = 0, port: int = 0, skip: bool = False
    ) -> None: ...
    def read(self, data: bytes | memoryview, room: int) -> tuple[NDArray[np.void], int]: ...
    def messages(self, data: bytes | memoryview, room: int) -> tuple[bytes, int]: ...
    def number(self, following: int, *, lost: bool = False) -> None: ...
    def end(self, left: int) -> None: ...
    @property
    def fault(self) -> tuple[int, str] | None: ...
    @property
    def counts(self) -> FeedCounts: ...

__test__: dict[str, Any]

from collections.abc import Iterable
from typing import Any, NamedTuple, Self

class Heard(NamedTuple):
    kind: str
    first: int
    last: int
    data: bytes
    utc_ns: int

class Listener:
    def __init__(
        self,
        lines: Iterable[str],
        *,
        requests: str | None = None,
        session: str | None = None,
        start: int = 0,
        interface: str | None = None,
        source: str | None = None,
        window: int = 1 << 16,
        message_max: int = 256,
        ahead_max: int = 1 << 32,
        patience_s: float = 0.002,
        retry_s: float = 0.02,
        tries_max: int = 50,
        receive_bytes: int = 1 << 23,
    ) -> None: ...
    def hear(self, timeout_s: float = 0.05) -> Heard: ...
    @property
    def session(self) -> str: ...
    @property
    def expected(self) -> int: ...
    @property
    def counts(self) -> dict[str, int]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *details: object) -> None: ...

__test__: dict[str, Any]

from collections.abc import Iterable
from typing import Any, Self

PAYLOAD_MAX: int

def packets(
    blocks: bytes | memoryview, session: str, first: int, payload_max: int = 1472
) -> list[bytes]: ...

class Sender:
    def __init__(
        self,
        lines: Iterable[str],
        *,
        requests: str | None = None,
        session: str = "REPLAY",
        first: int = 1,
        interface: str | None = None,
        ttl: int = 1,
        loop: bool = True,
        payload_max: int = 1472,
        speed: float = 1.0,
        per_s: int = 0,
        messages_max: int = 1 << 20,
        bytes_max: int = 1 << 26,
        answers_per_s: int = 10_000,
    ) -> None: ...
    def send(self, blocks: bytes | memoryview, timeout_s: float = 0.05) -> int: ...
    def serve(self, timeout_s: float = 0.05, *, ended: bool = False) -> None: ...
    @property
    def counts(self) -> dict[str, int]: ...
    @property
    def requests(self) -> str | None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *details: object) -> None: ...

__test__: dict[str, Any]

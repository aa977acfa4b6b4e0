from collections.abc import Mapping
from typing import Any

from touchline.marketdata.mirror import Mirror
from touchline.runtime.bus import EventReader

EVENTS_MAX: int

class Outlet:
    def __init__(
        self,
        socket: Any,
        mirror: Mirror,
        topics: Mapping[int, tuple[bytes, bytes, bytes, bytes, bytes]],
        library: str,
    ) -> None: ...
    def publish(self) -> None: ...
    def follow(self, reader: EventReader, batch: int, turns: int, silent: bool = False) -> int: ...
    def send(self, topic: bytes, payload: bytes) -> None: ...
    def send_all(self, messages: list[tuple[bytes, bytes]]) -> None: ...
    @property
    def sent(self) -> int: ...
    @property
    def dropped(self) -> int: ...

__test__: dict[str, Any]

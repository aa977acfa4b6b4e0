from collections.abc import Iterable
from typing import Literal, NamedTuple, Self

class Datagram(NamedTuple):
    data: bytes
    source: str
    rx_ns: int
    stamp: str
    cut: bool

class Sent(NamedTuple):
    number: int
    tx_ns: int
    stamp: str

class Fact(NamedTuple):
    asked: int
    got: int
    refusal: str

def open_udp(
    local: str,
    *,
    to: str | None = None,
    source: str | None = None,
    interface: str | None = None,
    batch: int = 64,
    size_max: int = 2048,
    ttl: int = 1,
    loop: bool = False,
    connected: bool = False,
    segments: bool = False,
    busy_poll_us: int = 0,
    stamps: Literal["none", "software", "hardware"] = "none",
    receive_bytes: int = 0,
) -> Port: ...
def open_xdp(
    interface: str,
    local: str,
    *,
    to: str | None = None,
    queue: int = 0,
    frames: int = 1024,
    batch: int = 64,
    size_max: int = 2048,
    ttl: int = 64,
    gateway: str | None = None,
    mode: Literal["any", "driver", "generic"] = "any",
    zero_copy: bool = False,
    send_only: bool = False,
    busy_poll_us: int = 0,
) -> Port: ...

class Port:
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *details: object) -> None: ...
    def poll(self, timeout_ms: int = 0) -> list[Datagram]: ...
    def send(self, datagrams: Iterable[bytes], to: str | None = None) -> int: ...
    def sent_stamps(self) -> list[Sent]: ...
    def fileno(self) -> int: ...
    @property
    def local(self) -> str: ...
    @property
    def facts(self) -> dict[str, Fact]: ...
    @property
    def counts(self) -> dict[str, int]: ...

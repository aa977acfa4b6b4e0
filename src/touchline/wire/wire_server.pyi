from collections.abc import Sequence
from os import PathLike
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from touchline.runtime.bus import Bus, Lane
from touchline.runtime.owned import Owned

CANCEL_ON: tuple[str, ...]
LOOPS: tuple[str, ...]
STAMPS: tuple[str, ...]
SUPPLY_MAX: int

class WireQuestion(NamedTuple):
    loop: int
    conn: int
    username: str
    password: str
    address: str
    port: int

class WireSession(NamedTuple):
    on: bool
    length: int
    next: int
    received: int

class WireServer(Owned):
    bus: Bus
    lane: Lane
    def __init__(
        self,
        bus: Bus,
        lane: Lane,
        *,
        ouch: str,
        session: str,
        directory: str | bytes | PathLike[str],
        instruments_max: int,
        accounts_max: int,
        orders_max: int,
        sessions_max: int,
        connections_max: int,
        newcomers_max: int = 64,
        login_s: float = 5.0,
        spool_bytes: int = 1 << 32,
        busy_poll_us: int = 0,
        spin: bool = False,
        stamps: str = "off",
        interface: str | None = None,
    ) -> None: ...
    def open_feed(
        self,
        *,
        session: str,
        directory: str | bytes | PathLike[str],
        lines: Sequence[str],
        instruments_max: int,
        orders_max: int,
        price_blocks_max: int,
        interface: str | None = None,
        ttl: int = 1,
        packet_max: int = 1472,
        spool_bytes: int = 1 << 36,
        spin: bool = False,
    ) -> None: ...
    def open_recovery(
        self,
        *,
        directory: str | bytes | PathLike[str],
        stocks_max: int,
        orders_max: int,
        requests: str | None = None,
        glimpse: str | None = None,
        requests_per_s: int = 1000,
        packet_max: int = 1472,
        login_s: float = 5.0,
        stay_s: float = 60.0,
        spool_bytes: int = 1 << 32,
    ) -> None: ...
    def session(
        self,
        number: int,
        firms: Sequence[tuple[str, int]],
        *,
        throttle: int = 0,
        cancel_on: str = "off",
        cancel_grace_s: float = 0,
    ) -> None: ...
    def replay(self, commands: NDArray[np.void], events: NDArray[np.void]) -> None: ...
    def stock_fault(self, instrument: int) -> str | None: ...
    def run_orders(self, next_event: int) -> None: ...
    def run_feed(self, next_event: int) -> None: ...
    def run_recovery(self) -> None: ...
    def stop(self) -> None: ...
    def question(self, timeout_s: float = 0.1) -> WireQuestion | None: ...
    def verdict(self, question: WireQuestion, session: int | None = None) -> None: ...
    @property
    def wants_names(self) -> bool: ...
    def names(self, commands: NDArray[np.void]) -> None: ...
    def lapped(self, loop: str) -> int: ...
    def supply(self, loop: str, events: NDArray[np.void]) -> bool: ...
    @property
    def address(self) -> str: ...
    def session_status(self, number: int) -> WireSession | None: ...
    def status(self) -> dict[str, dict[str, int]]: ...
    def latency(self) -> dict[str, Any]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

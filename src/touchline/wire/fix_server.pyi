from collections.abc import Collection
from os import PathLike
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from touchline.core.capacities import EngineCapacities
from touchline.marketdata.mirror import Mirror
from touchline.runtime.bus import Bus, Lane
from touchline.runtime.owned import Owned
from touchline.wire.fix_facts import Marks as Marks
from touchline.wire.fix_facts import Question as Question
from touchline.wire.fix_facts import ServerStatus as ServerStatus
from touchline.wire.fix_facts import SessionStatus as SessionStatus

STATES: tuple[str, ...]
CLIENTS: tuple[str, ...]
CANCEL_ON: tuple[str, ...]
CL_ORD_ID_SCOPES: tuple[str, ...]
BOOKS_STATES: tuple[str, ...]
PERMISSIONS: tuple[str, ...]
USUAL_PERMISSIONS: tuple[str, ...]

class Tls(Owned):
    certificate: str
    def __init__(
        self,
        certificate: str | bytes | PathLike[str],
        key: str | bytes | PathLike[str],
        *,
        client_ca: str | bytes | PathLike[str] | None = None,
        client: str = "any",
        tls_1_2: bool = False,
    ) -> None: ...
    def reload(self) -> None: ...

class FixServer(Owned):
    bus: Bus
    lane: Lane
    store_dir: str
    sessions_max: int
    def __init__(
        self,
        store_dir: str | bytes | PathLike[str],
        bus: Bus,
        lane: Lane,
        *,
        sessions_max: int,
        message_max: int,
        logon_max: int,
        newcomers_max: int,
        logon_s: float,
        segment_bytes: int = 16777216,
        keep_bytes: int = 0,
        durable: bool = False,
        instruments_max: int = 1,
        accounts_max: int = 1,
        orders_max: int = 1,
        books: EngineCapacities | None = None,
        answer_s: float = 0.5,
        spin: bool = False,
        log_dir: str | bytes | PathLike[str] | None = None,
        log_rotate_bytes: int = 67108864,
        log_keep: int = 8,
        relay_to: bytes | None = None,
    ) -> None: ...
    def marks(self, session: int) -> Marks: ...
    def bus_lost(self) -> None: ...
    def session(
        self,
        number: int,
        comp_id: str,
        begin_string: str,
        venue_comp_id: str,
        accounts: list[int] | NDArray[np.uint32],
        *,
        enabled: bool = True,
        heartbeat_max_s: int = 30,
        tolerance_s: int = 120,
        decimals: int = 3,
        mark: int | None = None,
        permissions: Collection[str] = ("orders", "market-data", "trade-capture"),
        cancel_on: str = "off",
        cancel_grace_s: int = 0,
        throttle: int = 0,
        pending_reports: bool = False,
        cl_ord_id_scope: str = "ever",
    ) -> None: ...
    def names(self, texts: NDArray[np.void], *, complete: bool) -> None: ...
    def replay(self, commands: NDArray[np.void], events: NDArray[np.void]) -> None: ...
    def listen(self, fd: int, tls: Tls | None = None) -> None: ...
    def run(self, next_event: int) -> None: ...
    def stop(self) -> None: ...
    def wake(self) -> None: ...
    def reset(self, session: int, next_out: int, next_in: int) -> None: ...
    def news(self, session: int, text: str, *, urgent: bool = False) -> None: ...
    def question(self, timeout_s: float = 0.1) -> Question | None: ...
    def verdict(self, ticket: int, refusal: str | None = None) -> None: ...
    @property
    def wants_names(self) -> bool: ...
    def available(self, available: bool) -> None: ...
    def take_books(self, books: Mirror) -> None: ...
    @property
    def books_state(self) -> str: ...
    @property
    def market_fault(self) -> str | None: ...
    @property
    def lapped(self) -> int: ...
    def supply(self, events: NDArray[np.void]) -> bool: ...
    @staticmethod
    def utc_s() -> float: ...
    @staticmethod
    def monotonic_s() -> float: ...
    def status(self) -> ServerStatus: ...
    def session_status(self, session: int) -> SessionStatus | None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def renumber(
    store_dir: str | bytes | PathLike[str],
    session: int,
    sessions_max: int,
    segment_bytes: int,
    next_out: int | None = None,
    next_in: int | None = None,
) -> tuple[int, int]: ...

from collections.abc import Iterator
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from touchline.core import answer
from touchline.core.capacities import EngineCapacities

Answer = answer.Answer
_Kept = TypeVar("_Kept", bound=Answer)

class Engine:
    def __init__(
        self,
        *,
        instruments_max: int = 16,
        accounts_max: int = 64,
        orders_max: int = 65536,
        positions_max: int = 1024,
        price_blocks_max: int = 4096,
    ) -> None: ...
    def events(self) -> NDArray[np.void]: ...
    @overload
    def answer(self, kind: type[_Kept], context: object = None) -> _Kept: ...
    @overload
    def answer(self, kind: None = None, context: object = None) -> Answer: ...
    def submit(self, commands: NDArray[np.void]) -> NDArray[np.void]: ...
    def submit_in_pieces(self, commands: NDArray[np.void]) -> Iterator[NDArray[np.void]]: ...
    def new_order(
        self,
        instrument: int,
        account: int,
        side: int,
        ord_type: int,
        time_in_force: int,
        price: int,
        qty: int,
        cl_ord_id: int = 0,
        ts_ns: int = 0,
        *,
        stop_price: int = 0,
        display_qty: int = 0,
        flags: int = 0,
        field: int = 0,
        contingency: int = 0,
        cl_ord_link_id: int = 0,
        trail: int = 0,
        terms_flags: int = 0,
    ) -> int: ...
    def cancel(self, order_id: int, account: int, cl_ord_id: int = 0, ts_ns: int = 0) -> int: ...
    def replace(
        self,
        order_id: int,
        account: int,
        price: int,
        qty: int,
        cl_ord_id: int = 0,
        ts_ns: int = 0,
    ) -> int: ...
    @property
    def address(self) -> int: ...
    def event_sink(self) -> NDArray[np.uint64]: ...
    def event_slots(self) -> NDArray[np.void]: ...
    def best_bid(self, instrument: int) -> int: ...
    def best_ask(self, instrument: int) -> int: ...
    def depth(self, instrument: int, side: int, levels_max: int = 10) -> NDArray[np.void]: ...
    def orders(
        self, instrument: int, side: int, orders_max: int | None = None
    ) -> NDArray[np.void]: ...
    def open_orders(
        self,
        *,
        instrument: int | None = None,
        account: int | None = None,
        side: int | None = None,
    ) -> NDArray[np.void]: ...
    def order(self, order_id: int) -> np.void | None: ...
    def qty_at(self, instrument: int, side: int, price: int) -> int: ...
    def orders_at(self, instrument: int, side: int, price: int) -> int: ...
    def ahead(self, order_id: int) -> int: ...
    def orders_ahead(self, order_id: int) -> int: ...
    def position(self, account: int, instrument: int) -> tuple[int, int, int]: ...
    def state_hash(self) -> int: ...
    @property
    def event_seq(self) -> int: ...
    @property
    def orders_open(self) -> int: ...
    @property
    def capacities(self) -> EngineCapacities: ...
    def grow(
        self,
        *,
        instruments_max: int | None = None,
        accounts_max: int | None = None,
        orders_max: int | None = None,
        positions_max: int | None = None,
        price_blocks_max: int | None = None,
    ) -> None: ...
    def snapshot(self) -> bytes: ...
    def restore(self, data: bytes | bytearray | memoryview) -> None: ...

__test__: dict[str, Any]

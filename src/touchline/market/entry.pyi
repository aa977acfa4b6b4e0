from decimal import Decimal
from typing import Any, NamedTuple

from touchline.core.answer import Report
from touchline.core.engine import Engine
from touchline.core.messages import Side, TimeInForce
from touchline.market.listing import Listing

Number = str | Decimal | int

class OpenOrder(NamedTuple):
    order_id: int
    symbol: str
    account: str
    side: Side
    price: Decimal
    order_qty: Decimal
    leaves_qty: Decimal

class OrderEntry:
    def __init__(self, engine: Engine) -> None: ...
    @property
    def engine(self) -> Engine: ...
    def buy(
        self,
        symbol: str,
        qty: Number,
        price: Number | None = None,
        *,
        account: str,
        time_in_force: int = TimeInForce.DAY,
    ) -> Report: ...
    def sell(
        self,
        symbol: str,
        qty: Number,
        price: Number | None = None,
        *,
        account: str,
        time_in_force: int = TimeInForce.DAY,
    ) -> Report: ...
    def cancel(self, order: Report | OpenOrder) -> Report: ...
    def replace(self, order: Report | OpenOrder, qty: Number, price: Number) -> Report: ...
    @property
    def _listings(self) -> dict[str, Listing]: ...
    @property
    def _accounts(self) -> dict[str, int]: ...
    @property
    def _account_names(self) -> list[str]: ...
    def _listing(self, symbol: str) -> Listing: ...
    def _account(self, name: str) -> int: ...

__test__: dict[str, Any]

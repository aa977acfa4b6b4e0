from decimal import Decimal
from typing import Any

from touchline.core.engine import Engine
from touchline.core.messages import Side, TimeInForce
from touchline.instruments import Number
from touchline.market.listing import Listing
from touchline.market.record import Record
from touchline.market.report import Report
from touchline.market.rows import Level, OpenOrder, Position

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
        stop_price: Number | None = None,
        touched_price: Number | None = None,
        display_qty: Number | None = None,
        hidden: bool = False,
        post_only: bool = False,
        slide: bool = False,
        to_limit: bool = False,
        min_qty: Number | None = None,
        all_or_none: bool = False,
        expire_ns: int | None = None,
        cl_ord_id: int = 0,
        contingency: int | None = None,
        cl_ord_link_id: int | None = None,
        trail: Number | None = None,
        trail_percent: Number | None = None,
    ) -> Report: ...
    def sell(
        self,
        symbol: str,
        qty: Number,
        price: Number | None = None,
        *,
        account: str,
        time_in_force: int = TimeInForce.DAY,
        stop_price: Number | None = None,
        touched_price: Number | None = None,
        display_qty: Number | None = None,
        hidden: bool = False,
        post_only: bool = False,
        slide: bool = False,
        to_limit: bool = False,
        min_qty: Number | None = None,
        all_or_none: bool = False,
        expire_ns: int | None = None,
        cl_ord_id: int = 0,
        contingency: int | None = None,
        cl_ord_link_id: int | None = None,
        trail: Number | None = None,
        trail_percent: Number | None = None,
    ) -> Report: ...
    def cancel(self, order: Report | OpenOrder) -> Report: ...
    def replace(self, order: Report | OpenOrder, qty: Number, price: Number) -> Report: ...
    def best_bid(self, symbol: str) -> Decimal | None: ...
    def best_ask(self, symbol: str) -> Decimal | None: ...
    def depth(self, symbol: str, side: Side | str, levels_max: int = 10) -> list[Level]: ...
    def open_order(self, order: Report | OpenOrder | int) -> OpenOrder: ...
    def position(self, account: str, symbol: str) -> Position: ...
    @property
    def _record(self) -> Record: ...
    @property
    def _listings(self) -> dict[str, Listing]: ...
    @property
    def _accounts(self) -> dict[str, int]: ...
    @property
    def _account_names(self) -> list[str]: ...
    def _be(
        self, record: Record, listings: dict[str, Listing], account_names: list[str]
    ) -> None: ...
    def _listing(self, symbol: str) -> Listing: ...
    def _account(self, name: str) -> int: ...

def _side_of(side: Side | str) -> int: ...

__test__: dict[str, Any]

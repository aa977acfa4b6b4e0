from decimal import Decimal
from typing import Any, Generic, TypeVar

from touchline.engine import Answer, Engine
from touchline.instruments import Instrument

_Kept = TypeVar("_Kept", bound=Answer)

class Listing(Generic[_Kept]):
    def __init__(
        self,
        engine: Engine,
        instrument: Instrument,
        accounts: dict[str, int],
        account_names: list[str],
        kind: type[_Kept],
    ) -> None: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def instrument(self) -> Instrument: ...
    @property
    def accounts(self) -> dict[str, int]: ...
    @property
    def account_names(self) -> list[str]: ...
    def ticks(self, price: str | Decimal | int) -> int: ...
    def enter(
        self,
        side: int,
        qty: str | Decimal | int,
        price: str | Decimal | int | None,
        account: str,
        time_in_force: int,
    ) -> _Kept: ...
    def cancel(self, order_id: int, account_number: int) -> _Kept: ...
    def replace(
        self,
        order_id: int,
        account_number: int,
        qty: str | Decimal | int,
        price: str | Decimal | int,
    ) -> _Kept: ...

__test__: dict[str, Any]

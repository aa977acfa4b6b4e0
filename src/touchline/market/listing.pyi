from decimal import Decimal
from typing import Any

from touchline.core.engine import Engine
from touchline.instruments import Instrument

class Listing:
    def __init__(
        self, engine: Engine, instrument: Instrument, account_names: list[str]
    ) -> None: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def instrument(self) -> Instrument: ...
    @property
    def account_names(self) -> list[str]: ...
    def ticks(self, price: str | Decimal | int) -> int: ...
    def lots(self, qty: str | Decimal | int) -> int: ...

__test__: dict[str, Any]

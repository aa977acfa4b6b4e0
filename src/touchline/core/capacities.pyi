from typing import Any, NamedTuple

class EngineCapacities(NamedTuple):
    instruments_max: int = 16
    accounts_max: int = 64
    orders_max: int = 65536
    positions_max: int = 1024
    price_blocks_max: int = 4096

class CapacityRange(NamedTuple):
    lowest: int
    highest: int
    counts: str

CAPACITIES: dict[str, CapacityRange]

def raised(now: EngineCapacities, named: Any) -> EngineCapacities: ...
def opened_again(kind: Any, capacities: Any, snapshot: Any) -> Any: ...

__test__: dict[str, Any]

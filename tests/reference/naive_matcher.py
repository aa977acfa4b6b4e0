"""The plainest matcher there is: a list of resting orders, sorted anew for every order that comes.

It knows ids, sides, prices and quantities only, shares no line with the core or the reference, and
says what recorded scripts and published reports must say.
"""

from dataclasses import dataclass


@dataclass
class Resting:
    id: int
    is_buy: bool
    price: int
    qty: int
    arrival: int


@dataclass(frozen=True)
class Fill:
    maker_id: int
    qty: int
    price: int

    def __str__(self) -> str:
        return f"{self.maker_id}:{self.qty}:{self.price}"


class NaiveMatcher:
    def __init__(self) -> None:
        self.resting: dict[int, Resting] = {}
        self._arrivals = 0

    def enter(self, id: int, is_buy: bool, price: int, qty: int, rests: bool) -> list[Fill]:
        """Match an order, rest what is left of it if it may rest; its fills."""
        makers = [
            maker
            for maker in self.resting.values()
            if maker.is_buy != is_buy and (maker.price <= price if is_buy else maker.price >= price)
        ]
        makers.sort(key=lambda maker: (maker.price if is_buy else -maker.price, maker.arrival))
        fills = []
        for maker in makers:
            if qty == 0:
                break
            traded = min(qty, maker.qty)
            fills.append(Fill(maker.id, traded, maker.price))
            qty -= traded
            self.take(maker.id, traded)
        if rests and qty > 0:
            self._arrivals += 1
            self.resting[id] = Resting(id, is_buy, price, qty, self._arrivals)
        return fills

    def take(self, id: int, qty: int) -> None:
        """Take quantity off a resting order, which keeps its place."""
        self.resting[id].qty -= qty
        if self.resting[id].qty == 0:
            del self.resting[id]

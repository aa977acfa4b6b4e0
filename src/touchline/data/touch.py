"""The best bid and offer after every event, folded from captured events alone.

   orders: OrderID → side, price, open lots      levels: a side's lots by price
   heap of a side's prices, best first; a price whose level is empty is dropped when it comes up

For markouts and spreads: no journal, no engine and no book is needed. A state in which bid and ask
cross is the middle of a command, an order on its way through the book, and is left out. Some
microseconds an event, memory for the orders that are open. A Touch belongs to one instrument.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from touchline.errors import TouchlineError

# What a fold reads of each event, in this order.
SQL = (
    "SELECT seq, ts_ns, exec_type, order_id, contra_order_id, side, time_in_force, price, qty, "
    "leaves_qty FROM events WHERE coalesce(symbol, instrument::VARCHAR) = ? AND "
    "exec_type IN ('NEW', 'REPLACED', 'TRADE', 'CANCELED', 'EXPIRED') ORDER BY seq"
)
# seq, ts_ns, then price in ticks and lots of the best bid, and of the best offer; None for none.
Quote = tuple[int, int, int | None, int | None, int | None, int | None]
_RESTING = ("DAY", "GTC")
_BUY, _SELL = "BUY", "SELL"


class Touch:
    """One instrument's open orders, and the best of each side."""

    def __init__(self) -> None:
        self._orders: dict[int, tuple[str, int, int]] = {}
        self._levels: dict[str, dict[int, int]] = {_BUY: {}, _SELL: {}}
        self._heaps: dict[str, list[int]] = {_BUY: [], _SELL: []}

    def fold(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Quote]:
        """The quotes after the events in `rows`, columns as in SQL, where they have changed."""
        before: tuple[int | None, ...] = (None, None, None, None)
        for seq, ts_ns, kind, order_id, maker_id, side, in_force, price, qty, leaves in rows:
            if kind == "TRADE":
                self._trade(order_id, maker_id, qty, leaves)
            elif kind == "NEW":
                if in_force in _RESTING and price is not None:
                    self._rest(order_id, side, price, leaves)
            elif kind == "REPLACED":
                self._remove(order_id)
                self._rest(order_id, side, price, leaves)
            else:
                self._remove(order_id)
            bid, ask = self._best(_BUY), self._best(_SELL)
            if bid is not None and ask is not None and bid >= ask:
                continue
            now = (bid, self._lots(_BUY, bid), ask, self._lots(_SELL, ask))
            if now != before:
                before = now
                yield (seq, ts_ns, *now)

    def _trade(self, taker_id: int, maker_id: int, qty: int, taker_leaves: int) -> None:
        if taker_id in self._orders:
            side, price, _ = self._orders[taker_id]
            self._remove(taker_id)
            self._rest(taker_id, side, price, taker_leaves)
        if maker_id not in self._orders:
            raise TouchlineError(
                f"order {maker_id} has traded and was never entered: events before are missing"
            )
        side, price, lots = self._orders[maker_id]
        self._remove(maker_id)
        self._rest(maker_id, side, price, lots - qty)

    def _rest(self, order_id: int, side: str, price: int, lots: int) -> None:
        if not lots:
            return
        self._orders[order_id] = side, price, lots
        level = self._levels[side]
        if price not in level:
            level[price] = 0
            heapq.heappush(self._heaps[side], -price if side == _BUY else price)
        level[price] += lots

    def _remove(self, order_id: int) -> None:
        order = self._orders.pop(order_id, None)
        if order is not None:
            side, price, lots = order
            self._levels[side][price] -= lots

    def _best(self, side: str) -> int | None:
        heap, level = self._heaps[side], self._levels[side]
        while heap:
            price = -heap[0] if side == _BUY else heap[0]
            if level[price]:
                return price
            heapq.heappop(heap)
            del level[price]
        return None

    def _lots(self, side: str, price: int | None) -> int | None:
        return None if price is None else self._levels[side][price]

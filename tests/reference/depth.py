"""What is published, the plain way: the reference that touchline.marketdata.mirror must equal.

   events ──► Mirror.apply ──► InstrumentDepth (bids, asks, status, last trade)
                                  └─► rows of the four topics, numbered from the first event on

Levels are sums in dictionaries and no order stands in a queue. The rows an event makes depend on
the events before it and on nothing else. An order that may rest is held back until it cannot trade
any more: the mirror is never crossed, even when a batch ends in the middle of a command.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    ACCOUNT_ALL,
    INSTRUMENT_ALL,
    EntryStatus,
    ExecType,
    Flag,
    OrdType,
    Reason,
    Side,
    TimeInForce,
    TradingStatus,
)

# What an event does to a mirror, found for a whole batch at once.
ADD, TRADE, TAKE_OFF, MOVE, KEEP, STATUS, STATE, END_OF_DAY = range(1, 9)

_EMPTY = 1 << 62  # the key of a side without levels: worse than any price
_SIDE_SHIFT = 32  # rows carry two small numbers in one 64-bit cell
_HEAP_SPARE = 64
# Plain numbers, because an operation on an enum's member costs more than the rest of an event.
_BUY = int(Side.BUY)
_MAKER_DONE = int(Flag.MAKER_DONE)
_HIDDEN = int(Flag.HIDDEN)
_SPECIAL = int(Flag.SPECIAL)


def _table(pairs: dict[int, int]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for value, action in pairs.items():
        table[value] = action
    return table


_ACTIONS = _table(
    {
        ExecType.NEW: ADD,
        ExecType.TRADE: TRADE,
        ExecType.CANCELED: TAKE_OFF,
        ExecType.EXPIRED: TAKE_OFF,
        ExecType.REPLACED: MOVE,
        ExecType.RESTATED: STATE,
        ExecType.SECURITY_DEFINITION: STATUS,
        ExecType.SECURITY_STATUS: STATUS,
        ExecType.VENUE_STATUS: STATUS,
        ExecType.MASS_CANCELED: END_OF_DAY,
    }
)
_NEVER_RESTED = _table(
    {Reason.IOC_REMAINDER: 1, Reason.FOK_UNFILLED: 1, Reason.MARKET_REMAINDER: 1}
)
_MAY_REST = _table({TimeInForce.DAY: 1, TimeInForce.GTC: 1})


def actions(events: NDArray[np.void]) -> NDArray[np.uint8]:
    """What each event does to a mirror, 0 for nothing. Rules 3.4, 4.1 and 4.3 in docs/rules.md."""
    found: NDArray[np.uint8] = _ACTIONS[events["exec_type"]]
    rests = (events["ord_type"] == OrdType.LIMIT) & (_MAY_REST[events["time_in_force"]] == 1)
    rests &= events["flags"] & Flag.SPECIAL == 0
    found[(found == ADD) & ~rests] = 0
    found[(found == TAKE_OFF) & (_NEVER_RESTED[events["reason"]] == 1)] = 0
    day = (events["time_in_force"] == TimeInForce.DAY) & (events["account"] == ACCOUNT_ALL)
    found[(found == END_OF_DAY) & ~(day & (events["side"] == 0))] = 0
    found[(found == MOVE) & (events["flags"] & Flag.PRIORITY_KEPT != 0)] = KEEP
    return found


class Statistics:
    """What an instrument's trades come to since its day began."""

    def __init__(self) -> None:
        self.changes = 0
        self.told = 0
        self.seq = self.ts_ns = self.open_ns = 0
        self.trades: list[tuple[int, int]] = []  # price, qty

    def begin(self, seq: int, ts_ns: int) -> None:
        self.trades = []
        self.open_ns = ts_ns
        self._changed(seq, ts_ns)

    def trade(self, seq: int, ts_ns: int, price: int, qty: int) -> None:
        self.trades.append((price, qty))
        self._changed(seq, ts_ns)

    def _changed(self, seq: int, ts_ns: int) -> None:
        self.seq, self.ts_ns = seq, ts_ns
        self.changes += 1

    def record(self) -> tuple[int, ...]:
        """In the order of a STATISTICS record."""
        prices = [price for price, _ in self.trades] or [0]
        turnover = sum(price * qty for price, qty in self.trades)
        return (
            self.seq, self.ts_ns, prices[0], max(prices), min(prices), prices[-1],
            sum(qty for _, qty in self.trades), turnover & (1 << 64) - 1, turnover >> 64,
            len(self.trades), self.open_ns,
        )  # fmt: skip


class SideDepth:
    """One side of one book: levels by price, and the best of them without a search.

    A key is a price whose order is from the best outwards: the price of an ask, minus the price of
    a bid. The heap may hold keys of levels that are gone; they are dropped when they come up.
    """

    __slots__ = ("_heap", "best", "levels", "opposite", "rows", "side_bits", "sign", "top")

    def __init__(self, side: Side, rows: list[int]) -> None:
        self.sign = -1 if side == Side.BUY else 1
        self.side_bits = int(side) << _SIDE_SHIFT
        self.levels: dict[int, list[int]] = {}  # price: [qty, orders]
        self.best = _EMPTY  # a key
        self.top = [0, 0]  # the level of `best`
        self.rows = rows
        self.opposite = self
        self._heap: list[int] = []

    @property
    def best_price(self) -> int:
        """In ticks, 0 when the side is empty."""
        return self.best * self.sign if self.levels else 0

    def crosses(self, price: int) -> bool:
        """Would an order of this side at `price` trade now?"""
        return self.opposite.best + price * self.sign <= 0

    def add(self, seq: int, ts_ns: int, price: int, qty: int) -> bool:
        """One more order rests. Says whether the best level is another or has changed."""
        level = self.levels.get(price)
        key = price * self.sign
        if level is None:
            level = self.levels[price] = [qty, 1]
            heappush(self._heap, key)
            if key < self.best:
                self.best, self.top = key, level
        else:
            level[0] += qty
            level[1] += 1
        self.rows += (seq, ts_ns, price, level[0], level[1] | self.side_bits)
        return key == self.best

    def reduce(self, seq: int, ts_ns: int, price: int, qty: int, orders: int) -> bool:
        """Lots, and perhaps an order, leave a level. Says the same of the best level as `add`."""
        level = self.levels[price]
        level[0] -= qty
        level[1] -= orders
        key = price * self.sign
        touched = key == self.best
        if level[1] == 0:
            assert level[0] == 0, f"{level[0]} lots at price {price} belong to no order"
            del self.levels[price]
            if len(self._heap) > 2 * len(self.levels) + _HEAP_SPARE:
                self._drop_gone()
            if touched:
                self._find_best()
        self.rows += (seq, ts_ns, price, level[0], level[1] | self.side_bits)
        return touched

    def _find_best(self) -> None:
        heap, levels, sign = self._heap, self.levels, self.sign
        while heap and heap[0] * sign not in levels:
            heappop(heap)
        self.best = heap[0] if heap else _EMPTY
        self.top = levels[heap[0] * sign] if heap else [0, 0]

    def _drop_gone(self) -> None:
        """Levels that never become the best would stay in the heap for ever."""
        self._heap = [price * self.sign for price in self.levels]
        heapify(self._heap)

    def best_outwards(self) -> list[tuple[int, int, int]]:
        """All levels as (price, qty, orders), the best first."""
        prices = sorted(self.levels, reverse=self.sign < 0)
        return [(price, *self.levels[price]) for price in prices]  # type: ignore[misc]


class InstrumentDepth:
    """One instrument: both sides, status, last trade, and the rows made since the last `clear`.

    Rows are flat lists of 64-bit cells; their layouts are the dtypes in touchline.marketdata.
    """

    __slots__ = (
        "asks", "bbo", "bids", "depth", "last_trade", "sent", "statistics", "statuses",
        "trades", "trading_status",
    )  # fmt: skip

    def __init__(self) -> None:
        self.trades: list[int] = []
        self.bbo: list[int] = []
        self.depth: list[int] = []
        self.statuses: list[int] = []
        self.bids = SideDepth(Side.BUY, self.depth)
        self.asks = SideDepth(Side.SELL, self.depth)
        self.bids.opposite, self.asks.opposite = self.asks, self.bids
        self.trading_status = 0
        self.last_trade: tuple[int, int, int, int] | None = None
        self.statistics = Statistics()
        self.sent = [0, 0, 0, 0]  # rows of each kind that came before those held now

    def add_bbo(self, seq: int, ts_ns: int) -> None:
        bids, asks = self.bids, self.asks
        bid, ask = bids.top, asks.top
        self.bbo += (
            seq, ts_ns, bids.best_price, asks.best_price, bid[0], ask[0],
            bid[1] | ask[1] << _SIDE_SHIFT,
        )  # fmt: skip

    def add_trade(self, seq: int, ts_ns: int, price: int, qty: int, side: int) -> None:
        row = (seq, ts_ns, price, qty | side << _SIDE_SHIFT)
        self.trades += row
        self.last_trade = row
        self.statistics.trade(seq, ts_ns, price, qty)

    def rows(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """The rows held, in the order of marketdata.Kind: trades, bbo, depth, status."""
        return self.trades, self.bbo, self.depth, self.statuses

    def clear(self, cells: tuple[int, ...]) -> None:
        """Forget the rows held, and count them. `cells` says how many make a row of each kind."""
        for kind, rows in enumerate(self.rows()):
            self.sent[kind] += len(rows) // cells[kind]
            rows.clear()


class Mirror:
    """Every book as the events so far have left it."""

    def __init__(self) -> None:
        self.instruments: dict[int, InstrumentDepth] = {}
        self.event_seq = 0
        self.ts_ns = 0
        self.epoch = 0  # the time of the journal's first event: tells journals apart
        self.entry_status = int(EntryStatus.OPEN)
        self._orders: dict[int, tuple[int, int]] = {}  # resting order_id: price, OrderQty
        self._stated: dict[int, tuple[int, int]] = {}  # order_id: price, lots shown; rule 8.2
        self._taker: tuple[int, SideDepth, int] | None = None  # may rest: order_id, side, price

    def apply(self, events: NDArray[np.void]) -> set[int]:
        """Let a batch happen. The events must follow those before without a gap.

        Returns the numbers of the instruments that have rows now.
        """
        if not len(events):
            return set()
        first = int(events["seq"][0])
        assert first == self.event_seq + 1, f"event {first} follows {self.event_seq}"
        if first == 1:
            self.epoch = int(events["ts_ns"][0])
        kinds = actions(events)
        chosen = events[kinds != 0]
        columns = (
            "seq", "ts_ns", "order_id", "contra_order_id", "price", "qty", "leaves_qty",
            "instrument", "side", "flags",
        )  # fmt: skip
        cells = (chosen[name].tolist() for name in columns)
        for row in zip(kinds[kinds != 0].tolist(), *cells, strict=True):
            if row[0] == STATUS:
                self._set_status(chosen, row[1])
            elif row[0] == END_OF_DAY:
                self._end_day(int(row[8]), row[1], row[2])
            else:
                self._change(*row)
        self.event_seq = int(events["seq"][-1])
        self.ts_ns = int(events["ts_ns"][-1])
        return self._with_rows(chosen)

    def _end_day(self, instrument: int, seq: int, ts_ns: int) -> None:
        for number, book in self.instruments.items():
            if instrument in (INSTRUMENT_ALL, number):
                book.statistics.begin(seq, ts_ns)

    def _with_rows(self, chosen: NDArray[np.void]) -> set[int]:
        numbers = set(np.unique(chosen["instrument"]).tolist())
        if np.isin(chosen["exec_type"], (ExecType.VENUE_STATUS, ExecType.MASS_CANCELED)).any():
            numbers |= self.instruments.keys()
        return {number for number in numbers if number in self.instruments}

    def _change(
        self, action: int, seq: int, ts_ns: int, order_id: int, contra_order_id: int,
        price: int, qty: int, leaves_qty: int, instrument: int, side: int, flags: int,
    ) -> None:  # fmt: skip
        """One event about an order."""
        book = self.instruments[instrument]
        own = book.bids if side == _BUY else book.asks
        if action == TRADE and flags & _HIDDEN:
            book.add_trade(seq, ts_ns, price, qty, side)
            touched = False
        elif action == TRADE and contra_order_id in self._stated:
            touched = self._trade_stated(own.opposite, seq, ts_ns, contra_order_id, qty,
                                         bool(flags & _MAKER_DONE))  # fmt: skip
            book.add_trade(seq, ts_ns, price, qty, side)
            touched |= self._after_trade(seq, ts_ns, order_id, leaves_qty)
        elif action == STATE:
            touched = self._withdraw(own, seq, ts_ns, order_id)
            self._stated[order_id] = price, qty
            touched |= own.add(seq, ts_ns, price, qty)
        elif order_id in self._stated or (flags & _SPECIAL and order_id not in self._orders):
            touched = self._change_stated(action, own, seq, ts_ns, order_id, leaves_qty)
        elif action == TRADE:
            done = flags & _MAKER_DONE
            if done:
                del self._orders[contra_order_id]
            touched = own.opposite.reduce(seq, ts_ns, price, qty, done)
            book.add_trade(seq, ts_ns, price, qty, side)
            touched |= self._after_trade(seq, ts_ns, order_id, leaves_qty)
        elif action == ADD:
            self._orders[order_id] = price, qty
            touched = self._meet_book(own, seq, ts_ns, order_id, price, qty)
        elif action == TAKE_OFF:
            del self._orders[order_id]
            touched = own.reduce(seq, ts_ns, price, qty, 1)
        else:
            old_price, old_order_qty = self._orders[order_id]
            if flags & _SPECIAL:
                leaves_left, leaves_qty = leaves_qty, 0
            else:
                leaves_left = leaves_qty
            # What was open of the order: its old OrderQty less what had been executed by then.
            open_qty = old_order_qty - (qty - leaves_left)
            self._orders[order_id] = price, qty
            if action == KEEP:
                touched = own.reduce(seq, ts_ns, price, open_qty - leaves_qty, 0)
            else:
                touched = own.reduce(seq, ts_ns, old_price, open_qty, 1)
                if leaves_qty == 0:
                    del self._orders[order_id]
                else:
                    touched |= self._meet_book(own, seq, ts_ns, order_id, price, leaves_qty)
        if touched:
            book.add_bbo(seq, ts_ns)

    def _withdraw(self, own: SideDepth, seq: int, ts_ns: int, order_id: int) -> bool:
        """What is shown of an order that was stated leaves the book."""
        price, shown = self._stated.pop(order_id, (0, 0))
        return own.reduce(seq, ts_ns, price, shown, 1) if shown else False

    def _trade_stated(
        self, makers: SideDepth, seq: int, ts_ns: int, order_id: int, qty: int, done: bool
    ) -> bool:
        """8.2, 8.4: the part shown may be gone and the order not."""
        price, shown = self._stated.pop(order_id)
        if not done:
            self._stated[order_id] = price, shown - qty
        return makers.reduce(seq, ts_ns, price, qty, shown == qty)

    def _change_stated(
        self, action: int, own: SideDepth, seq: int, ts_ns: int, order_id: int, leaves_qty: int
    ) -> bool:
        """An order that was stated, or that is not shown, is taken off, moved or made smaller."""
        if action in (TAKE_OFF, MOVE):
            return self._withdraw(own, seq, ts_ns, order_id)
        price, shown = self._stated.get(order_id, (0, 0))
        if leaves_qty >= shown:
            return False
        self._stated[order_id] = price, leaves_qty
        return own.reduce(seq, ts_ns, price, shown - leaves_qty, 0)

    def _meet_book(
        self, own: SideDepth, seq: int, ts_ns: int, order_id: int, price: int, qty: int
    ) -> bool:
        """An order that may rest rests now, or when its trades have been seen."""
        assert self._taker is None, f"event {seq} came before the trades of another order"
        if own.crosses(price):
            self._taker = order_id, own, price
            return False
        return own.add(seq, ts_ns, price, qty)

    def _after_trade(self, seq: int, ts_ns: int, order_id: int, leaves_qty: int) -> bool:
        """What the taker has left rests when nothing it could trade with is left."""
        if self._taker is None:
            return False
        taker_id, own, price = self._taker
        assert taker_id == order_id, f"event {seq} is a trade of an order not expected to trade"
        if leaves_qty == 0:
            self._taker = None
            del self._orders[order_id]
        elif not own.crosses(price):
            self._taker = None
            return own.add(seq, ts_ns, price, leaves_qty)
        return False

    def _set_status(self, events: NDArray[np.void], seq: int) -> None:
        """An instrument is listed, halted or resumed, or the venue's kill switch is turned."""
        event = events[np.searchsorted(events["seq"], np.uint64(seq))]
        ts_ns, number = int(event["ts_ns"]), int(event["instrument"])
        if event["exec_type"] == ExecType.VENUE_STATUS:
            self.entry_status = int(event["qty"])
            changed = list(self.instruments.values())
        else:
            listed = event["exec_type"] == ExecType.SECURITY_DEFINITION
            book = InstrumentDepth() if listed else self.instruments[number]
            if listed:
                book.statistics.begin(seq, ts_ns)
            book.trading_status = int(TradingStatus.READY_TO_TRADE) if listed else int(event["qty"])
            self.instruments[number] = book
            changed = [book]
        for book in changed:
            cell = book.trading_status | self.entry_status << 8
            book.statuses += (seq, ts_ns, cell)

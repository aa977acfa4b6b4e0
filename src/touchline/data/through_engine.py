"""Orders of others as commands: market records through an engine of ours.

    ADD ─► a limit order      EXECUTE ─► an immediate order from the other side, at that price
    CANCEL ─► a replace to less     DELETE ─► a cancel     REPLACE, MODIFY ─► a cancel and an order

What trades is the engine's to say, by price and time alone: an order that meets another on entry
trades, and an execution takes whoever stands first, which is counted where it is somebody else.
Prices become ticks of `tick`; a price off tick or out of range is counted and its order left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    PRICE_MAX,
    QTY_MAX,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)
from touchline.data.reader import Records
from touchline.study.market_record import PRICE_SCALE, RecordType

_LIMIT, _DAY, _IOC = int(OrdType.LIMIT), int(TimeInForce.DAY), int(TimeInForce.IOC)
_OTHER = {int(Side.BUY): int(Side.SELL), int(Side.SELL): int(Side.BUY)}
_MAKER, _TAKER = 0, 1


@dataclass
class Counts:
    """What became of the records. `unfit`: no order of ours can be so; `unknown`: of orders that
    do not rest; `early`: orders that traded on entry; `others`: executions that took another."""

    records: int = 0
    commands: int = 0
    trades: int = 0
    unfit: int = 0
    unknown: int = 0
    early: int = 0
    others: int = 0
    refused: int = 0


@dataclass
class Through:
    """An engine that records drive. `engine` is its state: depth, orders, state hash."""

    tick: int = PRICE_SCALE // 10_000
    instruments_max: int = 1024
    orders_max: int = 1 << 20
    price_blocks_max: int = 1 << 18
    counts: Counts = field(default_factory=Counts)
    numbers: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(
            instruments_max=self.instruments_max,
            accounts_max=2,
            orders_max=self.orders_max,
            positions_max=2 * self.instruments_max,
            price_blocks_max=self.price_blocks_max,
        )
        self._ids: dict[tuple[int, int], int] = {}
        self._do(type=MsgType.ACCOUNT, account=_MAKER)
        self._do(type=MsgType.ACCOUNT, account=_TAKER)

    def apply(self, records: Records) -> None:
        """Let records happen."""
        does = {
            int(RecordType.ADD): self._add,
            int(RecordType.EXECUTE): self._execute,
            int(RecordType.CANCEL): self._cancel,
            int(RecordType.DELETE): self._delete,
            int(RecordType.REPLACE): self._replace,
            int(RecordType.MODIFY): self._replace,
        }
        self.counts.records += len(records)
        for record in records[np.isin(records["type"], list(does))]:
            does[int(record["type"])](record)

    def _do(self, **fields: int) -> None:
        command = np.zeros(1, COMMAND)
        for name, value in fields.items():
            command[name] = value
        self.engine.submit(command)

    def _number(self, locate: int) -> int | None:
        """Our number of an instrument, which is listed when it first comes."""
        if locate not in self.numbers:
            if len(self.numbers) == self.instruments_max:
                return None
            self.numbers[locate] = len(self.numbers)
            self._do(type=MsgType.SECURITY_DEFINITION, instrument=self.numbers[locate])
        return self.numbers[locate]

    def _enter(self, record: Any, ref: int, side: int) -> None:
        number = self._number(int(record["instrument"]))
        price, off = divmod(int(record["price"]), self.tick)
        qty = int(record["qty"])
        fit = off == 0 and 1 <= price <= PRICE_MAX and 1 <= qty <= QTY_MAX and side in _OTHER
        if number is None or not fit:
            self.counts.unfit += 1
            return
        self.counts.commands += 1
        self.engine.new_order(
            number, _MAKER, side, _LIMIT, _DAY, price, qty, 0, int(record["ts_ns"])
        )
        answer = self.engine.answer()
        if not answer.order_id:
            self.counts.refused += 1
            return
        self.counts.trades += len(answer.trades)
        self.counts.early += bool(answer.trades)
        if answer.leaves_lots:
            self._ids[int(record["instrument"]), ref] = answer.order_id

    def _resting(self, record: Any) -> Any:
        """The order a record means, as it rests; None, and counted, when it does not."""
        key = int(record["instrument"]), int(record["order_ref"])
        order_id = self._ids.get(key)
        order = None if order_id is None else self.engine.order(order_id)
        if order is None:
            self._ids.pop(key, None)
            self.counts.unknown += 1
        return order

    def _add(self, record: Any) -> None:
        self._enter(record, int(record["order_ref"]), int(record["side"]))

    def _execute(self, record: Any) -> None:
        order = self._resting(record)
        if order is None:
            return
        qty = int(record["qty"])
        if not 1 <= qty <= QTY_MAX:
            self.counts.unfit += 1
            return
        self.counts.commands += 1
        side = _OTHER[int(order["side"])]
        self.engine.new_order(
            int(order["instrument"]), _TAKER, side, _LIMIT, _IOC, int(order["price"]), qty, 0,
            int(record["ts_ns"]),
        )  # fmt: skip
        trades = self.engine.answer().trades
        self.counts.trades += len(trades)
        self.counts.others += any(trade[2] != int(order["order_id"]) for trade in trades)

    def _cancel(self, record: Any) -> None:
        order = self._resting(record)
        if order is None:
            return
        left = int(order["leaves_qty"]) - int(record["qty"])
        if left <= 0:
            self._end(record, int(order["order_id"]))
            return
        self.counts.commands += 1
        qty = int(order["order_qty"]) - int(record["qty"])
        self.engine.replace(int(order["order_id"]), _MAKER, int(order["price"]), qty)

    def _delete(self, record: Any) -> None:
        order = self._resting(record)
        if order is not None:
            self._end(record, int(order["order_id"]))

    def _end(self, record: Any, order_id: int) -> None:
        self.counts.commands += 1
        self.engine.cancel(order_id, _MAKER)
        self._ids.pop((int(record["instrument"]), int(record["order_ref"])), None)

    def _replace(self, record: Any) -> None:
        order = self._resting(record)
        if order is None:
            return
        self._end(record, int(order["order_id"]))
        modified = int(record["type"]) == RecordType.MODIFY
        ref = int(record["order_ref"] if modified else record["new_ref"])
        self._enter(record, ref, int(order["side"]))

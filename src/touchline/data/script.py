"""Recorded order flow as a script: run it through the engine and check the fills it names.

A script is CSV, plain or gzip, with the columns `row,kind,op,id,side,price,qty,fills`. Each line
is one operation on one instrument: A rests a limit order, X takes quantity off a resting order, M
is an immediate-or-cancel order and L a limit order whose rest stays, both with their exact fills.
Side is 1 for buy and -1 for sell; prices are ticks. The engine is opened for the script alone.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    PRICE_MAX,
    QTY_MAX,
    ExecType,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)
from touchline.errors import TouchlineError

COLUMNS = ["row", "kind", "op", "id", "side", "price", "qty", "fills"]
SIDES = {"1": Side.BUY, "-1": Side.SELL}
TICKS_PER_BLOCK = 32


class ScriptError(TouchlineError):
    """A script that can not be read or makes no sense; the text names file and line."""


class Operation(NamedTuple):
    """One line: `fills` is as written, `maker_id:qty:price` joined by `;`."""

    line: int
    op: str
    id: int
    side: Side
    price: int
    qty: int
    fills: str


@dataclass(frozen=True)
class Mismatch:
    """What the script says must happen at a line, and what the engine did."""

    line: int
    op: str
    id: int
    expected: str
    got: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.op} {self.id}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class ScriptResult:
    """Counts by operation, the M and L lines that were right, and everything that was not."""

    path: Path
    operations: dict[str, int]
    right: int
    mismatches: tuple[Mismatch, ...]
    events: int
    state_hash: int

    @property
    def checked(self) -> int:
        """Lines whose fills are named: M and L."""
        return self.operations["M"] + self.operations["L"]

    @property
    def ok(self) -> bool:
        return not self.mismatches


def run_script(path: str | Path) -> ScriptResult:
    """Run the script at `path` from an empty book.

    Raises ScriptError on a file that is not a script, a malformed line, an A or L whose id still
    rests, or an X of an id that no line entered or with another side or price than the order's.
    What the engine does otherwise than the script says is a Mismatch, not an exception.
    """
    path = Path(path)
    operations = list(read_script(path))
    player = _Player(path, operations)
    counts = dict.fromkeys("AXML", 0)
    mismatches: list[Mismatch] = []
    right = 0
    for operation in operations:
        counts[operation.op] += 1
        expected, got = player.play(operation)
        if expected != got:
            mismatches.append(Mismatch(operation.line, operation.op, operation.id, expected, got))
        elif operation.op in "ML":
            right += 1
    return ScriptResult(
        path, counts, right, tuple(mismatches), player.engine.event_seq, player.engine.state_hash()
    )


def read_script(path: Path) -> Iterator[Operation]:
    """The operations of a script, each line checked by itself. Raises ScriptError."""
    try:
        with _open_text(path) as file:
            yield from _parse(path, file)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as e:
        reason = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        raise ScriptError(f"{path}: {reason}") from e


def _open_text(path: Path) -> TextIOWrapper:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _parse(path: Path, file: Iterable[str]) -> Iterator[Operation]:
    rows = csv.reader(file)
    header = next(rows, None)
    if header != COLUMNS:
        raise ScriptError(f"{path}: line 1: expected the columns {','.join(COLUMNS)}")
    for row in rows:
        line = rows.line_num
        if len(row) != len(COLUMNS):
            raise ScriptError(f"{path}: line {line}: {len(row)} columns, expected {len(COLUMNS)}")
        try:
            yield _operation(line, row)
        except ValueError as e:
            raise ScriptError(f"{path}: line {line}: {e}") from e


def _operation(line: int, row: list[str]) -> Operation:
    _, _, op, order_id, side, price, qty, fills = row
    if op not in ("A", "X", "M", "L"):
        raise ValueError(f"op {op!r} is none of A, X, M, L")
    if side not in SIDES:
        raise ValueError(f"side {side!r} is neither 1 (buy) nor -1 (sell)")
    if fills and op in "AX":
        raise ValueError(f"an {op} line names fills, {fills!r}")
    for fill in fills.split(";") if fills else ():
        parts = fill.split(":")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError(f"fill {fill!r} is not maker_id:qty:price")
    return Operation(
        line,
        op,
        _number("id", order_id, 0, (1 << 63) - 1),
        SIDES[side],
        _number("price", price, 1, PRICE_MAX),
        _number("qty", qty, 1, QTY_MAX),
        fills,
    )


def _number(column: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise ValueError(f"{column} {text!r} is not a whole number from {least} to {most}")
    return int(text)


@dataclass
class _Resting:
    """An order of the script in the book; `order_qty` counts executed lots too."""

    order_id: int
    side: Side
    price: int
    order_qty: int
    leaves_qty: int


class _Player:
    """The engine, and which order of it is which id of the script."""

    def __init__(self, path: Path, operations: list[Operation]) -> None:
        entering = [operation for operation in operations if operation.op != "X"]
        blocks = {operation.price // TICKS_PER_BLOCK for operation in entering}
        self.engine = Engine(
            instruments_max=1,
            accounts_max=1,
            orders_max=max(64, len(entering)),
            positions_max=1,
            price_blocks_max=max(64, 2 * len(blocks)),
        )
        self._path = path
        self._resting: dict[int, _Resting] = {}
        self._ids: dict[int, int] = {}
        self._entered: set[int] = set()
        self._submit(type=MsgType.SECURITY_DEFINITION)
        self._submit(type=MsgType.ACCOUNT)

    def play(self, operation: Operation) -> tuple[str, str]:
        """What must happen and what happened, as text that is equal when it is the same."""
        if operation.op == "X":
            return self._take(operation)
        if operation.op != "M" and operation.id in self._resting:
            raise self._error(operation, f"order {operation.id} rests already")
        return operation.fills, self._enter(operation)

    def _error(self, operation: Operation, text: str) -> ScriptError:
        return ScriptError(f"{self._path}: line {operation.line}: {text}")

    def _submit(self, **fields: int) -> NDArray[Any]:
        command = np.zeros(1, COMMAND)
        for name, value in fields.items():
            command[name] = value
        return self.engine.submit(command)

    def _enter(self, operation: Operation) -> str:
        stays = operation.op != "M"
        events = self._submit(
            type=MsgType.NEW_ORDER,
            side=operation.side,
            ord_type=OrdType.LIMIT,
            time_in_force=TimeInForce.DAY if stays else TimeInForce.IOC,
            price=operation.price,
            qty=operation.qty,
        )
        if events["exec_type"][0] != ExecType.NEW:
            return f"refusal {int(events['reason'][0])}"
        trades = events[events["exec_type"] == ExecType.TRADE]
        fills = [self._filled(trade) for trade in trades]
        leaves_qty = operation.qty - int(trades["qty"].sum())
        if stays:
            self._entered.add(operation.id)
        if stays and leaves_qty > 0:
            order_id = int(events["order_id"][0])
            self._ids[order_id] = operation.id
            self._resting[operation.id] = _Resting(
                order_id, operation.side, operation.price, operation.qty, leaves_qty
            )
        return ";".join(fills)

    def _filled(self, trade: np.void) -> str:
        """Take a trade off its maker; the fill as the script writes it."""
        order_id = int(trade["contra_order_id"])
        maker_id = self._ids[order_id]
        maker = self._resting[maker_id]
        maker.leaves_qty -= int(trade["qty"])
        if maker.leaves_qty == 0:
            self._forget(maker_id)
        return f"{maker_id}:{int(trade['qty'])}:{int(trade['price'])}"

    def _forget(self, script_id: int) -> None:
        del self._ids[self._resting.pop(script_id).order_id]

    def _take(self, operation: Operation) -> tuple[str, str]:
        if operation.id not in self._entered:
            raise self._error(operation, f"no line before enters order {operation.id}")
        expected = f"{operation.qty} taken off"
        resting = self._resting.get(operation.id)
        if resting is None:
            return expected, "an order that rests no more"
        if (resting.side, resting.price) != (operation.side, operation.price):
            raise self._error(operation, f"order {operation.id} has another side or price")
        if resting.leaves_qty < operation.qty:
            return expected, f"an order with {resting.leaves_qty} left"
        if resting.leaves_qty == operation.qty:
            events = self._submit(type=MsgType.CANCEL, order_id=resting.order_id)
            self._forget(operation.id)
            return expected, f"{int(events['qty'][0])} taken off"
        resting.order_qty -= operation.qty
        resting.leaves_qty -= operation.qty
        events = self._submit(
            type=MsgType.REPLACE,
            order_id=resting.order_id,
            price=resting.price,
            qty=resting.order_qty,
        )
        taken = operation.qty + resting.leaves_qty - int(events["leaves_qty"][0])
        return expected, f"{taken} taken off"

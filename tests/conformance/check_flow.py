"""Run published matching flows through the engine and compare the complete reports byte for byte.

`PYTHONPATH=tests python -m conformance.check_flow DIR` reads every NAME.bin.xz of DIR, 40-byte
records of new orders, cancels and modifies, and the NAME.reports.txt.gz beside it, which every
correct engine reproduces. A modify there means cancel and enter again at the new price and
quantity; here it is a REPLACE whose OrderQty is the executed lots plus that quantity. Exit code 0
when all are equal.
"""

from __future__ import annotations

import gzip
import itertools
import lzma
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, ExecType, Flag, MsgType, OrdType, Side, TimeInForce

HEADER = np.dtype([("magic", "<u8"), ("version", "<u4"), ("count", "<u4")])
RECORD = np.dtype(
    [
        ("type", "u1"),
        ("side", "u1"),
        ("ioc", "u1"),
        ("_pad", "u1"),
        ("qty", "<u4"),
        ("seq", "<u8"),
        ("order_id", "<u8"),
        ("price", "<i8"),
        ("_reserved", "<i8"),
    ]
)
NEW, CANCEL, MODIFY = 0, 1, 2
ORDER_ACK, TRADE, CANCEL_ACK, MODIFY_ACK, CANCEL_REJECT, MODIFY_REJECT = range(6)

Report = tuple[int, str]


class FlowError(Exception):
    """A flow that can not be read, or that asks for what the engine does otherwise."""


class Converter:
    """Their records to our commands, our events to their report lines; ids mapped both ways."""

    def __init__(self, orders_max: int) -> None:
        self.engine = Engine(instruments_max=1, accounts_max=1, orders_max=orders_max)
        self._order_ids: dict[int, int] = {}
        self._their_ids: dict[int, int] = {}
        self._executed: dict[int, int] = {}
        for kind in (MsgType.SECURITY_DEFINITION, MsgType.ACCOUNT):
            self._submit(type=kind)

    def reports(self, record: np.void) -> list[str]:
        """The report lines of one record, by type and otherwise in the order they came about."""
        kind = int(record["type"])
        if kind == NEW:
            lines = self._new(record)
        elif kind in (CANCEL, MODIFY):
            lines = self._change(kind, record)
        else:
            raise FlowError(f"record {int(record['seq'])}: unknown type {kind}")
        return [text for _, text in sorted(lines, key=lambda line: line[0])]

    def _submit(self, **fields: int) -> NDArray[Any]:
        command = np.zeros(1, COMMAND)
        for name, value in fields.items():
            command[name] = value
        return self.engine.submit(command)

    def _new(self, record: np.void) -> list[Report]:
        their_id = int(record["order_id"])
        events = self._submit(
            type=MsgType.NEW_ORDER,
            side=Side.SELL if record["side"] else Side.BUY,
            ord_type=OrdType.LIMIT,
            time_in_force=TimeInForce.IOC if record["ioc"] else TimeInForce.DAY,
            price=int(record["price"]),
            qty=int(record["qty"]),
        )
        if events["exec_type"][0] != ExecType.NEW:
            raise FlowError(f"record {int(record['seq'])}: refused, {int(events['reason'][0])}")
        order_id = int(events["order_id"][0])
        self._order_ids[their_id] = order_id
        self._their_ids[order_id] = their_id
        self._executed[their_id] = 0
        return self._lines(record, events)

    def _change(self, kind: int, record: np.void) -> list[Report]:
        their_id = int(record["order_id"])
        events = self._submit(
            type=MsgType.CANCEL if kind == CANCEL else MsgType.REPLACE,
            order_id=self._order_ids.get(their_id, 0),
            price=int(record["price"]),
            qty=int(record["qty"]) + self._executed.get(their_id, 0),
        )
        if events["flags"][0] & Flag.PRIORITY_KEPT:
            raise FlowError(f"record {int(record['seq'])}: a modify that keeps its place here")
        return self._lines(record, events)

    def _lines(self, record: np.void, events: NDArray[Any]) -> list[Report]:
        seq = int(record["seq"])
        their_id = int(record["order_id"])
        lines: list[Report] = []
        for event in events:
            exec_type = int(event["exec_type"])
            side = int(event["side"] == Side.SELL)
            price, qty = int(event["price"]), int(event["qty"])
            if exec_type == ExecType.NEW:
                lines.append((ORDER_ACK, f"0,{seq},{side},{their_id},{price},{qty}"))
            elif exec_type == ExecType.TRADE:
                maker = self._their_ids[int(event["contra_order_id"])]
                taker = self._their_ids[int(event["order_id"])]
                self._executed[maker] += qty
                self._executed[taker] += qty
                lines.append((TRADE, f"1,{seq},{price},{qty},{maker},{taker}"))
            elif exec_type == ExecType.CANCELED:
                lines.append((CANCEL_ACK, f"2,{seq},{side},{their_id},{price}"))
            elif exec_type == ExecType.REPLACED:
                leaves_qty = int(event["leaves_qty"])
                lines.append((MODIFY_ACK, f"3,{seq},{side},{their_id},{price},{leaves_qty}"))
            elif exec_type == ExecType.CANCEL_REJECTED:
                kind = MODIFY_REJECT if event["flags"] & Flag.REPLACE else CANCEL_REJECT
                lines.append((kind, f"{kind},{seq},{their_id}"))
            else:
                raise FlowError(f"record {seq}: event {exec_type} has no report")
        return lines


def read_flow(path: Path) -> NDArray[Any]:
    """The records of a NAME.bin.xz."""
    data = lzma.decompress(path.read_bytes())
    if len(data) < HEADER.itemsize:
        raise FlowError(f"{path}: no header")
    count = int(np.frombuffer(data, HEADER, 1)["count"][0])
    if len(data) != HEADER.itemsize + count * RECORD.itemsize:
        raise FlowError(f"{path}: {len(data)} bytes do not hold {count} records")
    return np.frombuffer(data, RECORD, offset=HEADER.itemsize)


def first_difference(ours: bytes, theirs: bytes) -> str:
    """Where two report files part, or nothing when they are equal."""
    if ours == theirs:
        return ""
    pairs = itertools.zip_longest(ours.splitlines(), theirs.splitlines(), fillvalue=b"(end)")
    for number, (mine, wanted) in enumerate(pairs, 1):
        if mine != wanted:
            return f"line {number}: expected {wanted.decode()}, got {mine.decode()}"
    return "white space at the end"


def check(path: Path) -> tuple[int, str]:
    """Run one flow; the number of report lines and the first difference, if any."""
    records = read_flow(path)
    converter = Converter(orders_max=max(64, int((records["type"] == NEW).sum())))
    lines = [line for record in records for line in converter.reports(record)]
    ours = "\n".join(lines).encode()
    name = path.name.removesuffix(".bin.xz")
    theirs = gzip.decompress(path.with_name(f"{name}.reports.txt.gz").read_bytes())
    return len(lines), first_difference(ours, theirs)


def main(arguments: list[str]) -> int:
    """Print a line for each flow of the directory; 0 when all are equal, 1 if not, 2 on misuse."""
    if len(arguments) != 1:
        print("usage: check_flow.py DIR", file=sys.stderr)
        return 2
    paths = sorted(Path(arguments[0]).glob("*.bin.xz"))
    if not paths:
        print(f"{arguments[0]}: no *.bin.xz there", file=sys.stderr)
        return 2
    wrong = 0
    for path in paths:
        try:
            count, difference = check(path)
        except (FlowError, OSError, lzma.LZMAError) as e:
            count, difference = 0, str(e)
        wrong += bool(difference)
        print(f"{path.name}: {difference or f'{count} reports, byte for byte equal'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

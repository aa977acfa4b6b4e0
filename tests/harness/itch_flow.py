"""A day of ITCH 5.0 by a seed: its messages as bytes, and the book they make in plain Python.

Written from Nasdaq's specification, apart from the code under test. Files of it are made by
`binary_file` and `capture`.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

START_NS = 34_200_000_000_000
DAY = "2019-12-30"


def message(kind: str, locate: int, ts_ns: int, body: bytes = b"") -> bytes:
    """A message with its head: type, locate, tracking number, time of day."""
    return kind.encode() + struct.pack(">HH", locate, 0) + ts_ns.to_bytes(6, "big") + body


def stock(locate: int) -> bytes:
    return f"S{locate:03d}".encode().ljust(8)


@dataclass
class Order:
    locate: int
    side: str
    price: int
    qty: int


@dataclass
class PlainBooks:
    """Orders by reference, in the order they came; levels are counted when they are asked for."""

    orders: dict[int, Order] = field(default_factory=dict)

    def depth(self, locate: int, side: str) -> list[tuple[int, int, int]]:
        """(price, quantity, orders) of each level, the best first."""
        levels: dict[int, tuple[int, int]] = {}
        for order in self.orders.values():
            if (order.locate, order.side) == (locate, side):
                qty, count = levels.get(order.price, (0, 0))
                levels[order.price] = (qty + order.qty, count + 1)
        best_first = sorted(levels, reverse=side == "B")
        return [(price, *levels[price]) for price in best_first]

    def take(self, ref: int, qty: int) -> None:
        self.orders[ref].qty -= qty
        if self.orders[ref].qty == 0:
            del self.orders[ref]


class Flow:
    """Messages one after another; `books` is as the last one left it."""

    def __init__(self, seed: int, stocks: int = 3) -> None:
        self._random = random.Random(seed)
        self._stocks = stocks
        self._refs = 0
        self._matches = 0
        self._ts_ns = START_NS
        self.books = PlainBooks()
        self.trades: list[tuple[int, int, int]] = []  # locate, price, qty of executions

    def messages(self, count: int) -> list[bytes]:
        """The start of the day, `count` random messages, its end."""
        made = [message("S", 0, self._ts_ns, b"O")]
        for locate in range(1, self._stocks + 1):
            body = stock(locate) + b"QN" + struct.pack(">I", 100) + b"NCZ PNN1N" + bytes(4) + b"N"
            made.append(message("R", locate, self._ts_ns, body))
            made.append(message("H", locate, self._ts_ns, stock(locate) + b"T     "))
        made += [self._next() for _ in range(count)]
        made.append(message("S", 0, self._ts_ns, b"C"))
        return made

    def _next(self) -> bytes:
        self._ts_ns += self._random.randrange(1, 5_000)
        orders = self.books.orders
        if not orders or self._random.random() < (0.5 if len(orders) < 300 else 0.3):
            return self._add()
        ref = self._random.choice(list(orders)[-200:])
        return self._random.choice(
            [self._delete, self._delete, self._cancel, self._execute, self._execute_at,
             self._replace, self._trade]
        )(ref)  # fmt: skip

    def _price(self, side: str) -> int:
        away = int(self._random.paretovariate(1.5) * 100)
        return 1_000_000 + (away if side == "S" else -min(away, 900_000))

    def _add(self) -> bytes:
        self._refs += 1
        side = self._random.choice("BS")
        order = Order(self._random.randrange(1, self._stocks + 1), side, self._price(side), 0)
        order.qty = self._random.randrange(1, 500)
        self.books.orders[self._refs] = order
        body = struct.pack(">Q", self._refs) + side.encode() + struct.pack(">I", order.qty)
        body += stock(order.locate) + struct.pack(">I", order.price)
        if self._random.random() < 0.2:
            return message("F", order.locate, self._ts_ns, body + b"ABCD")
        return message("A", order.locate, self._ts_ns, body)

    def _delete(self, ref: int) -> bytes:
        order = self.books.orders.pop(ref)
        return message("D", order.locate, self._ts_ns, struct.pack(">Q", ref))

    def _part(self, ref: int) -> tuple[Order, int]:
        order = self.books.orders[ref]
        qty = self._random.randrange(1, order.qty + 1)
        self.books.take(ref, qty)
        return order, qty

    def _cancel(self, ref: int) -> bytes:
        order = self.books.orders[ref]
        if order.qty == 1:
            return self._delete(ref)
        qty = self._random.randrange(1, order.qty)
        self.books.take(ref, qty)
        return message("X", order.locate, self._ts_ns, struct.pack(">QI", ref, qty))

    def _execute(self, ref: int) -> bytes:
        order, qty = self._part(ref)
        self._matches += 1
        self.trades.append((order.locate, order.price, qty))
        body = struct.pack(">QIQ", ref, qty, self._matches)
        return message("E", order.locate, self._ts_ns, body)

    def _execute_at(self, ref: int) -> bytes:
        order, qty = self._part(ref)
        self._matches += 1
        price = order.price + 50
        self.trades.append((order.locate, price, qty))
        body = struct.pack(">QIQ", ref, qty, self._matches) + b"Y" + struct.pack(">I", price)
        return message("C", order.locate, self._ts_ns, body)

    def _replace(self, ref: int) -> bytes:
        old = self.books.orders.pop(ref)
        self._refs += 1
        new = Order(old.locate, old.side, self._price(old.side), self._random.randrange(1, 500))
        self.books.orders[self._refs] = new
        body = struct.pack(">QQII", ref, self._refs, new.qty, new.price)
        return message("U", old.locate, self._ts_ns, body)

    def _trade(self, ref: int) -> bytes:
        order = self.books.orders[ref]
        self._matches += 1
        body = struct.pack(">Q", 0) + b"B" + struct.pack(">I", 7) + stock(order.locate)
        body += struct.pack(">IQ", order.price, self._matches)
        self.trades.append((order.locate, order.price, 7))
        return message("P", order.locate, self._ts_ns, body)


def blocks(messages: Iterable[bytes]) -> bytes:
    """Each message with its length before it."""
    return b"".join(len(one).to_bytes(2, "big") + one for one in messages)


def datagrams(messages: Sequence[bytes], each: int, first: int = 1) -> list[bytes]:
    """MoldUDP64: session, number of the first message, how many, the messages."""
    return [
        b"TESTDAY001" + struct.pack(">QH", first + at, len(messages[at : at + each]))
        + blocks(messages[at : at + each])
        for at in range(0, len(messages), each)
    ]  # fmt: skip


def frame(payload: bytes, port: int = 26400, vlan: bool = False) -> bytes:
    """Ethernet, IPv4 and UDP around it; checksums are left 0."""
    udp = struct.pack(">HHHH", 12345, port, 8 + len(payload), 0) + payload
    ip = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0, b"\n\0\0\1", b"\xe9\0\0\1"
    )
    tag = b"\x81\0\0\5" if vlan else b""
    return bytes(12) + tag + b"\x08\0" + ip + udp


def pcap(frames: Iterable[bytes], order: str = "<") -> bytes:
    head = struct.pack(order + "IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(
        struct.pack(order + "IIII", 0, 0, len(one), len(one)) + one for one in frames
    )


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(order + "II", kind, size) + body + struct.pack(order + "I", size)


def pcapng(frames: Iterable[bytes], order: str = "<") -> bytes:
    made = _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    made += _block(order, 1, struct.pack(order + "HHI", 1, 0, 65535))
    for one in frames:
        head = struct.pack(order + "IIIII", 0, 0, 0, len(one), len(one))
        made += _block(order, 6, head + one)
    return made

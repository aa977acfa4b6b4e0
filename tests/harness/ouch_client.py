"""A client of OUCH over SoupBinTCP that shares nothing with what it tests: plain Python, and the
layouts as the specifications have them. It blocks, and is for tests alone."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from harness.waiting import DEADLINE_S

ENTER = struct.Struct(">cIcI8sQccccc14sH")
ACCEPTED = struct.Struct(">cQIcI8sQccQcccc14sH")
EXECUTED = struct.Struct(">cQIIQcQH")
CANCELED = struct.Struct(">cQIIc")
REJECTED = struct.Struct(">cQIH14s")


class Packet(NamedTuple):
    kind: bytes
    payload: bytes


class LoginRefused(Exception):
    """The server answered a login by J; the reason."""


class Stream:
    """One connection of SoupBinTCP. `next` is the number of the message that comes next."""

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session = ""
        self.next = 0
        self._bytes = bytearray()
        self._beat = time.monotonic()

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        self.socket.sendall(struct.pack(">Hc", len(payload) + 1, kind) + payload)

    def packet(self) -> Packet:
        """The next packet, heartbeats too. Raises EOFError at the end of the connection."""
        while len(self._bytes) < 2 or len(self._bytes) < 2 + self._length():
            chunk = self.socket.recv(1 << 16)
            if not chunk:
                raise EOFError
            self._bytes += chunk
        size = 2 + self._length()
        kind, payload = bytes(self._bytes[2:3]), bytes(self._bytes[3:size])
        del self._bytes[:size]
        return Packet(kind, payload)

    def _length(self) -> int:
        return int.from_bytes(self._bytes[:2], "big")

    def log_in(self, username: str, password: str, *, number: int = 0, session: str = "") -> None:
        """Log in and wait for the answer. Raises LoginRefused."""
        self.send(
            b"L",
            f"{username:<6}{password:<10}{session:>10}{number:>20}".encode(),
        )
        while (answer := self.packet()).kind == b"H":
            pass
        if answer.kind == b"J":
            raise LoginRefused(answer.payload.decode())
        assert answer.kind == b"A", answer
        self.session = answer.payload[:10].decode().strip()
        self.next = int(answer.payload[10:])

    def beat(self) -> None:
        """A heartbeat, if one is due."""
        if time.monotonic() - self._beat > 1.0:
            self._beat = time.monotonic()
            self.send(b"R")

    def farewell(self) -> str:
        """The debug packet that says why the connection closes, which it then does."""
        kind, payload = self.packet()
        assert kind == b"+", kind
        try:
            raise AssertionError(self.packet())
        except (EOFError, ConnectionError):
            return payload.decode()

    def message(self) -> bytes:
        """The next sequenced message."""
        while True:
            self.beat()
            kind, payload = self.packet()
            if kind == b"S":
                self.next += 1
                return payload
            if kind == b"Z":
                raise EOFError
            assert kind == b"H", kind

    def messages(self, count: int) -> list[bytes]:
        return [self.message() for _ in range(count)]

    def until(self, last: Callable[[bytes], bool]) -> list[bytes]:
        """Messages up to the one that is the last."""
        got = [self.message()]
        while not last(got[-1]):
            got.append(self.message())
        return got

    def close(self) -> None:
        self.socket.close()


class OuchClient(Stream):
    """Enters orders. Prices are in ten-thousandths, quantities in shares."""

    def enter(
        self,
        number: int,
        side: str,
        quantity: int,
        price: int,
        *,
        symbol: str = "AAA",
        time_in_force: str = "0",
        cl_ord_id: str = "",
    ) -> None:
        self.send(
            b"U",
            ENTER.pack(
                b"O",
                number,
                side.encode(),
                quantity,
                symbol.encode().ljust(8),
                price,
                time_in_force.encode(),
                b"Y",
                b"A",
                b"N",
                b"N",
                cl_ord_id.encode().ljust(14),
                0,
            ),
        )

    def answer(self) -> bytes:
        """The next message that is an answer; a stream begins with a system event."""
        while (message := self.message())[:1] == b"S":
            pass
        return message

    def answers(self, count: int) -> list[bytes]:
        return [self.answer() for _ in range(count)]

    def cancel(self, number: int, quantity: int = 0) -> None:
        self.send(b"U", struct.pack(">cII", b"X", number, quantity))


def number_of(message: bytes) -> int:
    """UserRefNum of an answer."""
    return int.from_bytes(message[9:13], "big")

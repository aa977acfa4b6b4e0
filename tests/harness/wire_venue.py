"""`touchline run` with the binary protocols alone, and who listens to its feed."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import time
from pathlib import Path

from harness.ouch_client import OuchClient
from harness.venue import WholeVenue
from harness.waiting import DEADLINE_S, free_ports, until
from touchline.control.supervisor.state import read_state

USERS = ("ALPHA", "BETA")


def write_config(directory: Path, *, wire: str = "", session: str = "") -> Path:
    """AAA with a tick of 0.01, users ALPHA and BETA with an account each; a feed to loopback."""
    ouch, glimpse, rerequest, line_a, line_b = free_ports(5)
    path = directory / "touchline.toml"
    path.write_text(
        f"""\
[venue]
name = "wire{os.getpid()}-{directory.name[-20:]}"

[engine]
orders_max = 65536
segment_mb = 1

[fix]
enabled = false

[publish]
enabled = false

[capture]
enabled = false

[wire]
enabled = true
ouch_port = {ouch}
glimpse_port = {glimpse}
rerequest_port = {rerequest}
feed_a = "127.0.0.1:{line_a}"
feed_b = "127.0.0.1:{line_b}"
login_timeout_s = 1.0
newcomers_max = 8
{wire}

[[instruments]]
symbol = "AAA"
tick_size = "0.01"

[[accounts]]
name = "ACC1"

[[accounts]]
name = "ACC2"
"""
        + "".join(
            f"""
[[wire_sessions]]
username = "{user}"
password = "secret"
firms = {{ FRM{i} = "ACC{i}" }}
{session}
"""
            for i, user in enumerate(USERS, 1)
        )
    )
    return path


class WireVenue(WholeVenue):
    """A whole venue whose users speak OUCH."""

    def client(self, user: str = "ALPHA", *, number: int = 0) -> OuchClient:
        """A client that is logged in."""
        made = OuchClient(self.config.wire.ouch_port)
        made.log_in(user, "secret", number=number)
        return made

    def kill_wire(self) -> None:
        """Kill the part and wait for its successor."""
        pid = self.part("wire")["pid"]
        os.kill(pid, signal.SIGKILL)

        def is_back() -> bool:
            state = read_state(self.config)
            part = state["parts"]["wire"] if state else {}
            return bool(part and part["ready"] and part["pid"] not in (None, pid))

        until(is_back, "the part is back")


def request(session: str, number: int, count: int) -> bytes:
    """A request of MoldUDP64."""
    return struct.pack(">10sQH", session.encode(), number, count)


class Listener:
    """Both lines of a feed, with a loss of its own; what is missing is asked for.

    `messages` are those that came in order from the first on.
    """

    def __init__(self, venue: WireVenue, *, loss: float, seed: int) -> None:
        wire = venue.config.wire
        self.messages: list[bytes] = []
        self.asked = self.lost = 0
        self._early: dict[int, bytes] = {}
        self._random = random.Random(seed)
        self._loss = loss
        self._told = 0  # the highest number that is known to have been sent
        self._session = ""
        self._server = (wire.host, wire.rerequest_port)
        self._lines = [_bound(line) for line in (wire.feed_a, wire.feed_b) if line is not None]
        self._ask = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ask.bind((wire.host, 0))
        for one in (*self._lines, self._ask):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            one.setblocking(False)

    def begin_at(self, number: int, before: list[bytes]) -> None:
        """Go on at this number; `before` stands for what came before it."""
        self.messages = before
        assert len(before) == number - 1

    def listen(self, until_number: int) -> None:
        """Until message `until_number` has come."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.messages) < until_number:
            heard = sum(self._hear(line, self._loss) for line in self._lines)
            heard += self._hear(self._ask, 0.0)
            if not heard:
                self._request(until_number)
                time.sleep(0.002)
            assert time.monotonic() < deadline, f"{len(self.messages)} of {until_number}"

    def _hear(self, line: socket.socket, loss: float) -> int:
        heard = 0
        while heard < 64:
            try:
                packet = line.recv(2048)
            except BlockingIOError:
                break
            heard += 1
            if self._random.random() < loss:
                self.lost += 1
                continue
            self._take(packet)
        return heard

    def _take(self, packet: bytes) -> None:
        session, number, count = struct.unpack_from(">10sQH", packet)
        self._session = session.decode()
        at = 20
        for i in range(count):
            size = int.from_bytes(packet[at : at + 2], "big")
            if number + i > len(self.messages):
                self._early[number + i] = packet[at + 2 : at + 2 + size]
            at += 2 + size
        assert at == len(packet)
        self._told = max(self._told, number + count - 1)
        while (message := self._early.pop(len(self.messages) + 1, None)) is not None:
            self.messages.append(message)

    def _request(self, until_number: int) -> None:
        if not self._session:
            return
        first = len(self.messages) + 1
        self.asked += 1
        self._ask.sendto(request(self._session, first, until_number - first + 1), self._server)

    def close(self) -> None:
        for one in (*self._lines, self._ask):
            one.close()


def _bound(line: str) -> socket.socket:
    host, _, port = line.rpartition(":")
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, int(port)))
    return made


class Book:
    """A book rebuilt from ITCH, by the plainest means: open orders by reference number."""

    def __init__(self) -> None:
        self.orders: dict[int, tuple[str, int, int]] = {}  # side, shares, price

    def take(self, message: bytes) -> None:
        kind = message[:1]
        if kind not in b"AFECXDU":
            return
        ref = int.from_bytes(message[11:19], "big")
        if kind in b"AF":
            side, shares, _, price = struct.unpack_from(">cI8sI", message, 19)
            assert ref not in self.orders
            self.orders[ref] = (side.decode(), shares, price)
        elif kind in b"ECX":
            side, shares, price = self.orders[ref]
            left = shares - int.from_bytes(message[19:23], "big")
            assert left >= 0
            self.orders[ref] = (side, left, price)
            if not left:
                del self.orders[ref]
        elif kind == b"D":
            del self.orders[ref]
        else:
            fresh, shares, price = struct.unpack_from(">QII", message, 19)
            side, _, _ = self.orders.pop(ref)
            self.orders[fresh] = (side, shares, price)

    def depth(self, side: str) -> list[tuple[int, int, int]]:
        """(price, shares, orders) of a side, the best first."""
        levels: dict[int, tuple[int, int]] = {}
        for of, shares, price in self.orders.values():
            if of == side:
                total, count = levels.get(price, (0, 0))
                levels[price] = (total + shares, count + 1)
        ranked = sorted(levels.items(), reverse=side == "B")
        return [(price, *rest) for price, rest in ranked]

"""The broker's side of a FIX connection, for who checks a venue: framing, numbers, and no more.

It knows so little of FIX that it can also send what is wrong. What it is sent is not trusted
either: a message has a largest size and a time by which it must be whole.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

from touchline.runtime.closing import Closing

SOH = "\x01"
TIMEOUT_S = 10.0
BYTES_MAX = 1 << 20

Message = dict[str, str]


def framed(begin_string: str, body: str) -> bytes:
    """A message with the right length and checksum around its body."""
    data = body.encode("utf-8", "surrogateescape")
    head = f"8={begin_string}{SOH}9={len(data)}{SOH}".encode()
    return head + data + f"10={sum(head + data) % 256:03d}{SOH}".encode()


def utc_now() -> str:
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())


def utc_in(seconds: float) -> str:
    """The time that will then be, as utc_now says it."""
    then_ms = int((time.time() + seconds) * 1000)
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(then_ms // 1000)) + f".{then_ms % 1000:03d}"


def an_hour_ago() -> str:
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(time.time() - 3600))


class Closed(Exception):
    """The venue has closed the connection, or what it sends can not be read on."""


class Unexpected(AssertionError):
    """The venue has sent something else than it should."""


class Connection(Closing):
    """One connection. `next_seq` is the MsgSeqNum(34) that send() uses.

    `on_wire` is told of each message, whether it was sent, and its bytes.
    """

    def __init__(
        self,
        address: tuple[str, int],
        comp_ids: tuple[str, str],
        begin_string: str = "FIX.4.4",
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        source: str = "",
        timeout_s: float = TIMEOUT_S,
        on_wire: Callable[[bool, bytes], None] | None = None,
    ) -> None:
        self.comp_id, self.target = comp_ids
        self.begin_string = begin_string
        self.next_seq = 1
        self._on_wire = on_wire
        self._timeout_s = timeout_s
        self._buffer = b""
        from_ = (source, 0) if source else None
        self._socket = socket.create_connection(address, timeout_s, from_)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=server_name)

    def close(self) -> None:
        self._socket.close()

    def end_sending(self) -> None:
        """Nothing more will come; what is told can still be read."""
        self._socket.shutdown(socket.SHUT_WR)

    def send_bytes(self, data: bytes) -> None:
        if self._on_wire is not None:
            self._on_wire(True, data)
        self._socket.sendall(data)

    def message(self, msg_type: str, *fields: str, seq: int | None = None) -> bytes:
        """A message in order, counted."""
        if seq is None:
            seq, self.next_seq = self.next_seq, self.next_seq + 1
        header = (
            f"35={msg_type}",
            f"34={seq}",
            f"49={self.comp_id}",
            f"56={self.target}",
            f"52={utc_now()}",
        )
        return framed(self.begin_string, SOH.join((*header, *fields)) + SOH)

    def send(self, msg_type: str, *fields: str, seq: int | None = None) -> None:
        self.send_bytes(self.message(msg_type, *fields, seq=seq))

    def logon(self, *fields: str, reset: bool = True) -> Message:
        """Log on; what the venue answered."""
        self.send("A", "98=0", "108=30", *(["141=Y"] if reset else []), *fields)
        return self.receive()

    def receive(self) -> Message:
        """The next message, of each tag its first field; Closed when there will be none."""
        return dict(self.receive_fields()[::-1])

    def receive_fields(self) -> list[tuple[str, str]]:
        """Tags and values of the next message, in order: for repeating groups."""
        deadline = time.monotonic() + self._timeout_s
        while (end := self._end()) is None:
            self._buffer += self._more(deadline)
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        if self._on_wire is not None:
            self._on_wire(False, raw)
        pairs = raw.decode("utf-8", "surrogateescape").split(SOH)[:-1]
        if broken := [pair for pair in pairs if "=" not in pair]:
            raise Closed(f"{self.comp_id}: {broken[0]!r} is no field, in {raw[:200]!r}")
        return [(tag, value) for tag, _, value in (pair.partition("=") for pair in pairs)]

    def _more(self, deadline: float) -> bytes:
        if len(self._buffer) >= BYTES_MAX:
            raise Closed(f"{self.comp_id}: a message of more than {BYTES_MAX} bytes")
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{self.comp_id}: no whole message in {self._timeout_s:g} s")
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(f"{self.comp_id}: closed with {self._buffer[:200]!r} unread")
        return data

    def application(self) -> Message:
        """The next message that is no Heartbeat or TestRequest; these are answered."""
        while (message := self.receive()).get("35") in ("0", "1"):
            if message["35"] == "1":
                self.send("0", f"112={message.get('112', '')}")
        return message

    def nothing_more(self, mark: str) -> None:
        """Unexpected when the venue has sent anything that was not received yet."""
        self.send("1", f"112={mark}")
        answer = self.receive()
        if (answer.get("35"), answer.get("112")) != ("0", mark):
            raise Unexpected(f"nothing more should have come, but: {answer}")

    def _end(self) -> int | None:
        at = self._buffer.find(b"\x0110=")
        end = self._buffer.find(b"\x01", at + 1) if at >= 0 else -1
        return end + 1 if end >= 0 else None

"""A FIX client that knows nothing of FIX beyond framing, so that it can also send what is wrong."""

import socket
import ssl
import time
from types import TracebackType
from typing import Self

SOH = "\x01"
TIMEOUT_S = 10.0
VENUE = "TOUCHLINE"

Message = dict[str, str]


def framed(begin_string: str, body: str) -> bytes:
    """A message with the right length and checksum around its body."""
    data = body.encode("utf-8", "surrogateescape")
    head = f"8={begin_string}{SOH}9={len(data)}{SOH}".encode()
    return head + data + f"10={sum(head + data) % 256:03d}{SOH}".encode()


def utc_now() -> str:
    return time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())


class Closed(Exception):
    """The venue has closed the connection."""


class FixClient:
    """One connection. `next_seq` is the MsgSeqNum(34) that send() uses."""

    def __init__(
        self,
        port: int,
        comp_id: str,
        begin_string: str = "FIX.4.4",
        tls: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.comp_id = comp_id
        self.begin_string = begin_string
        self.next_seq = 1
        self._buffer = b""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s, (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname="localhost")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def message(self, msg_type: str, *fields: str, seq: int | None = None) -> bytes:
        """A message in order, counted."""
        if seq is None:
            seq, self.next_seq = self.next_seq, self.next_seq + 1
        header = (
            f"35={msg_type}",
            f"34={seq}",
            f"49={self.comp_id}",
            f"56={VENUE}",
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
        """The next message; Closed when there is none and will be none."""
        while (end := self._end()) is None:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(f"{self.comp_id}: closed with {self._buffer!r} unread")
            self._buffer += data
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        text = raw.decode("utf-8", "surrogateescape")
        return dict(pair.split("=", 1) for pair in text.split(SOH)[-2::-1])

    def expect(self, **fields: str) -> Message:
        """The next message that is no heartbeat, which must have these: `_35="8"`."""
        message = self.application()
        wanted = {tag.removeprefix("_"): value for tag, value in fields.items()}
        found = {tag: message.get(tag) for tag in wanted}
        assert found == wanted, message
        return message

    def application(self) -> Message:
        while (message := self.receive())["35"] in "01":
            if message["35"] == "1":
                self.send("0", f"112={message['112']}")
        return message

    def nothing_more(self, mark: str) -> None:
        """Fails when the venue has sent anything that was not received yet."""
        self.send("1", f"112={mark}")
        answer = self.receive()
        assert (answer["35"], answer.get("112")) == ("0", mark), answer

    def _end(self) -> int | None:
        at = self._buffer.find(b"\x0110=")
        end = self._buffer.find(b"\x01", at + 1) if at >= 0 else -1
        return end + 1 if end >= 0 else None

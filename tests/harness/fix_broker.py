"""A counterparty over real sockets that goes on where it was, however often the venue dies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from harness.fix_client import Closed, FixClient, Message, utc_now


class Listening(Protocol):
    """A venue, or whatever knows the port."""

    @property
    def port(self) -> int: ...


class Broker:
    """A counterparty that remembers its sequence numbers and everything it was ever told.

    It behaves as the standard asks: what comes again with PossDupFlag is known already, a gap is
    asked for, and its own messages are sent again on request.
    """

    def __init__(self, venue: Listening, comp_id: str, begin_string: str = "FIX.4.4") -> None:
        self.venue, self.comp_id, self.begin_string = venue, comp_id, begin_string
        self.next_in, self.next_out = 1, 1
        self.told: list[Message] = []
        self._sent: dict[int, tuple[str, tuple[str, ...]]] = {}
        self._client: FixClient | None = None
        self._gap = False

    @property
    def client(self) -> FixClient:
        assert self._client is not None
        return self._client

    def connect(self) -> None:
        self._client = FixClient(self.venue.port, self.comp_id, self.begin_string)
        self._gap = False
        self._send("A", ("98=0", "108=30"))
        if (answer := self._take()) == "5":
            raise Closed
        assert answer in ("A", "gap"), answer

    def disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def send(self, msg_type: str, *fields: str) -> None:
        self._sent[self.next_out] = (msg_type, fields)
        self._send(msg_type, fields)

    def send_all(self, msg_type: str, requests: Iterable[tuple[str, ...]]) -> None:
        """Several at once, in one piece."""
        data = b""
        for fields in requests:
            self._sent[self.next_out] = (msg_type, fields)
            data += self.client.message(msg_type, *fields, seq=self.next_out)
            self.next_out += 1
        self.client.send_bytes(data)

    def catch_up(self) -> None:
        """Receive until the venue has answered a test request, and nothing is missing."""
        missing = True
        while missing:
            mark = f"mark{self.next_out}"
            self._send("1", (f"112={mark}",))
            while self._take() != mark:
                pass
            missing = self._gap

    def wait_for(self, count: int) -> None:
        """Receive until `count` application messages have come in all."""
        while len(self.told) < count:
            self._take()

    def _send(self, msg_type: str, fields: tuple[str, ...], seq: int | None = None) -> None:
        if seq is None:
            seq, self.next_out = self.next_out, self.next_out + 1
        self.client.send_bytes(self.client.message(msg_type, *fields, seq=seq))

    def _take(self) -> str:
        """Handle one message; its type, or what a heartbeat answers."""
        message = self.client.receive()
        seq, msg_type = int(message["34"]), message["35"]
        if msg_type == "2":
            self._resend(int(message["7"]))
        if msg_type == "4":
            assert message.get("123") == "Y"
            self.next_in = max(self.next_in, int(message["36"]))
            self._gap = False
        elif seq > self.next_in:
            if not self._gap:
                self._gap = True
                self._send("2", (f"7={self.next_in}", "16=0"))
            msg_type = "gap"
        elif seq == self.next_in:
            self.next_in += 1
            self._gap = False
            if msg_type not in "0125A":
                self.told.append(message)
        else:
            assert message.get("43") == "Y", message
        return message.get("112", msg_type)

    def _resend(self, begin: int) -> None:
        """Send again what the venue did not get, as a possible duplicate."""
        for seq in range(begin, self.next_out):
            if seq in self._sent:
                msg_type, fields = self._sent[seq]
                again = ("43=Y", f"122={utc_now()}", *fields)
                self._send(msg_type, again, seq=seq)
            else:
                self._send("4", ("43=Y", f"122={utc_now()}", "123=Y", f"36={seq + 1}"), seq=seq)

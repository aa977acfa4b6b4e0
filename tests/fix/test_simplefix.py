"""A broker whose codec is simplefix: what it writes is taken, what it is told it can read."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import simplefix

from harness.fix_client import utc_now
from harness.fix_venue import PartsVenue, running_venue

SESSIONS = (("FIX.4.4", "BROKER1"), ("FIX.4.2", "OLD1"))


class Broker:
    """One connection, its messages made and read by simplefix alone."""

    def __init__(self, port: int, begin_string: str, comp_id: str) -> None:
        self.begin_string, self.comp_id, self.next_out = begin_string, comp_id, 1
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.parser = simplefix.FixParser()

    def send(self, msg_type: str, *pairs: tuple[int, object], data: bytes = b"") -> None:
        message = simplefix.FixMessage()
        message.append_pair(8, self.begin_string)
        message.append_pair(35, msg_type, header=True)
        message.append_pair(34, self.next_out, header=True)
        message.append_pair(49, self.comp_id, header=True)
        message.append_pair(56, "TOUCHLINE", header=True)
        message.append_utc_timestamp(52, precision=6, header=True)
        for tag, value in pairs:
            message.append_pair(tag, value)
        if data:
            message.append_data(354, 355, data)
        self.next_out += 1
        self.socket.sendall(message.encode())

    def receive(self) -> dict[int, str]:
        while (message := self.parser.get_message()) is None:
            data = self.socket.recv(4096)
            assert data, "closed"
            self.parser.append_buffer(data)
        raw = message.encode(raw=True)  # as it came, whatever its length and checksum
        assert message.get(9) == b"%d" % (raw.index(b"\x0110=") + 1 - raw.index(b"\x0135=") - 1)
        assert message.get(10) == b"%03d" % (sum(raw[: raw.rindex(b"10=")]) % 256)
        return {int(tag): value.decode() for tag, value in message.pairs}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PartsVenue]:
    with running_venue(tmp_path_factory.mktemp("simplefix")) as venue:
        yield venue


def order(cl_ord_id: str, side: int, price: str) -> tuple[tuple[int, object], ...]:
    return ((11, cl_ord_id), (21, 1), (55, "S03"), (54, side), (60, utc_now()), (38, 20), (40, 2),
            (44, price))  # fmt: skip


@pytest.mark.parametrize(("begin_string", "comp_id"), SESSIONS)
def test_simplefix_trades(venue: PartsVenue, begin_string: str, comp_id: str) -> None:
    broker = Broker(venue.port, begin_string, comp_id)
    broker.send("A", (98, 0), (108, 30), (141, "Y"))
    assert broker.receive()[35] == "A"
    # A data field may hold what looks like the end of a message.
    broker.send("D", *order("buy", 1, "10.05"), data=b"a\x0110=000\x018=FIX.4.4\x01")
    broker.send("D", *order("sell", 2, "10.00"))
    told = [broker.receive() for _ in range(4)]
    assert [(m[11], m[150], m[151]) for m in told[:1]] == [("buy", "0", "20")]
    assert sorted(m[11] for m in told if m[39] == "2") == ["buy", "sell"]
    assert {m[31] for m in told if m[39] == "2"} == {"10.05"}
    broker.send("F", (41, "buy"), (11, "late"), (55, "S03"), (54, 1), (60, utc_now()))
    refusal = broker.receive()
    assert (refusal[35], refusal[39], refusal[102]) == ("9", "2", "0")
    broker.send("1", (112, "still there"))
    assert broker.receive()[112] == "still there"
    broker.send("5")
    assert broker.receive()[35] == "5"
    broker.socket.close()

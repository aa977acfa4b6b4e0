"""Brokers with QuickFIX: what the venue sends must pass an independent engine and its dictionary.

Scenarios of the FIX 4.4 Order State Change Matrices are named by their number there.
"""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.fix_client import utc_now
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import DEADLINE_S

INITIATOR = Path(__file__).parents[1] / "harness/fix_initiator.py"
PAIRS = {"FIX.4.4": ("BROKER1", "BROKER2"), "FIX.4.2": ("OLD1", "OLD2")}
Message = dict[str, str]


class Initiator:
    """A broker's process."""

    def __init__(self, venue: PartsVenue, comp_id: str, begin_string: str, directory: Path) -> None:
        self.begin_string = begin_string
        arguments = [str(venue.port), comp_id, begin_string, str(directory / comp_id)]
        password = ["secret"] if comp_id == "OLD2" else []
        self._process = subprocess.Popen(
            [sys.executable, str(INITIATOR), *arguments, *password],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def send(self, msg_type: str, *fields: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([msg_type, *fields]) + "\n")
        self._process.stdin.flush()

    def receive(self) -> Message:
        message: Message = json.loads(self._lines.get(timeout=DEADLINE_S))
        assert "refused" not in message, message
        return message

    def expect(self, *states: str) -> list[Message]:
        """The next messages, whose MsgType, ExecType and OrdStatus are "8 0 0" and so on."""
        messages = [self.receive() for _ in states]
        found = [" ".join(m[t] for t in ("35", "150", "39") if t in m) for m in messages]
        assert found == list(states)
        return messages

    def order(self, cl_ord_id: str, side: str, qty: int, price: str, *more: str) -> None:
        self.send(
            "D",
            *f"11={cl_ord_id}|21=1|55=S00|54={side}|38={qty}|40=2|44={price}".split("|"),
            f"60={utc_now()}",
            *more,
        )

    def change(self, msg_type: str, cl_ord_id: str, orig: str, side: str, *more: str) -> None:
        extra = ("21=1", "40=2") if msg_type == "G" else ()
        fields = f"11={cl_ord_id}|41={orig}|55=S00|54={side}|60={utc_now()}".split("|")
        self.send(msg_type, *fields, *extra, *more)

    def close(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path_factory.mktemp("venue"), engine) as venue:
        yield venue


@pytest.fixture(scope="module", params=PAIRS)
def brokers(
    request: pytest.FixtureRequest, venue: PartsVenue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Initiator, Initiator]]:
    directory = tmp_path_factory.mktemp("brokers")
    pair = [Initiator(venue, name, request.param, directory) for name in PAIRS[request.param]]
    try:
        for broker in pair:
            assert broker.receive() == {"35": "A"}
        yield pair[0], pair[1]
    finally:
        for broker in pair:
            broker.close()


Brokers = tuple[Initiator, Initiator]


def states(broker: Initiator, *wanted: str) -> tuple[str, ...]:
    """States as FIX 4.4 names them, as the broker's version does."""
    if broker.begin_string == "FIX.4.4":
        return wanted
    other = {"8 F 1": "8 1 1", "8 F 2": "8 2 2", "8 5 0": "8 5 5", "8 I 0": "8 5 5"}
    return tuple(other.get(state, state) for state in wanted)


def test_a1_orders_fill_each_other_in_part_and_in_full(brokers: Brokers) -> None:
    buyer, seller = brokers
    seller.order("a1-s1", "2", 30, "10.00")
    seller.expect("8 0 0")
    buyer.order("a1-b1", "1", 100, "10.00")
    first, second = buyer.expect("8 0 0", *states(buyer, "8 F 1"))
    assert (second["32"], second["31"], second["14"], second["151"]) == ("30", "10.00", "30", "70")
    assert first["37"] == second["37"]
    seller.expect(*states(seller, "8 F 2"))
    seller.order("a1-s2", "2", 70, "9.00")
    seller.expect("8 0 0", *states(seller, "8 F 2"))
    (last,) = buyer.expect(*states(buyer, "8 F 2"))
    assert (last["14"], last["151"], last["6"]) == ("100", "0", "10.00")


def test_b1_a_cancel_of_an_unfilled_a_partly_filled_and_a_filled_order(brokers: Brokers) -> None:
    buyer, seller = brokers
    buyer.order("b1-a", "1", 100, "10.00")
    buyer.expect("8 0 0")
    buyer.change("F", "b1-ac", "b1-a", "1", "38=100")
    buyer.expect("8 4 4")
    buyer.order("b1-b", "1", 100, "10.00")
    seller.order("b1-s", "2", 40, "10.00")
    seller.expect("8 0 0", *states(seller, "8 F 2"))
    buyer.expect("8 0 0", *states(buyer, "8 F 1"))
    buyer.change("F", "b1-bc", "b1-b", "1", "38=100")
    (canceled,) = buyer.expect("8 4 4")
    assert (canceled["14"], canceled["151"]) == ("40", "0")
    seller.change("F", "b1-sc", "b1-s", "2", "38=40")
    (rejected,) = seller.expect("9 2")
    assert (rejected["434"], rejected["102"]) == ("1", "0")


def test_c_and_d_replaces_before_and_after_fills(brokers: Brokers) -> None:
    buyer, seller = brokers
    buyer.order("c-a", "1", 100, "10.00")
    buyer.expect("8 0 0")
    buyer.change("G", "c-b", "c-a", "1", "38=200", "44=10.05")
    buyer.expect(*states(buyer, "8 5 0"))
    seller.order("c-s", "2", 50, "10.00")
    seller.expect("8 0 0", *states(seller, "8 F 2"))
    (traded,) = buyer.expect(*states(buyer, "8 F 1"))
    assert (traded["11"], traded["31"]) == ("c-b", "10.05")
    buyer.change("G", "c-c", "c-b", "1", "38=100", "44=10.05")
    buyer.expect("8 5 1")
    buyer.change("G", "c-d", "c-c", "1", "38=50", "44=10.05")
    buyer.expect("8 5 2")
    buyer.change("G", "c-e", "c-d", "1", "38=500", "44=10.05")
    (rejected,) = buyer.expect("9 2")
    assert (rejected["434"], rejected["102"]) == ("2", "0")


def test_refusals_status_and_immediate_orders(brokers: Brokers) -> None:
    buyer, _ = brokers
    buyer.order("g-a", "1", 100, "10.00", "59=3")
    buyer.expect("8 0 0", "8 4 4")
    buyer.order("g-b", "1", 100, "10.00", "59=4")
    buyer.expect("8 0 0", "8 4 4")
    buyer.order("g-c", "1", 0, "10.00")
    buyer.order("g-d", "1", 100, "10.01")
    (quantity, price) = sorted((buyer.receive(), buyer.receive()), key=lambda m: m["11"])
    assert (quantity["39"], price["39"]) == ("8", "8")
    buyer.order("g-a", "1", 100, "10.00")
    (duplicate,) = buyer.expect("8 8 8")
    assert duplicate["103"] == "6"
    buyer.change("F", "g-e", "g-never", "1", "38=100")
    (unknown,) = buyer.expect("9 8")
    assert unknown["102"] == "1"
    buyer.send("H", "11=g-never", "55=S00", "54=1")
    assert buyer.receive()["103"] == "5"
    buyer.send("B", "148=headline", "33=1")
    assert buyer.receive()["35"] in "j3"


def test_initiators_come_back_after_a_killed_venue(venue: PartsVenue, brokers: Brokers) -> None:
    """Both parts die at once; QuickFIX reconnects, numbers go on, the order is still there."""
    buyer, seller = brokers
    buyer.order("k-a", "1", 100, "10.00")
    buyer.expect("8 0 0")
    venue.end("gateway", 9)
    venue.end("engine", 9)
    venue.launch("engine")
    venue.launch("gateway")
    assert [venue.said(part) for part in ("engine", "gateway")] == ["ready", "ready"]
    for broker in brokers:
        while (message := broker.receive()) != {"35": "A"}:
            assert message == {"35": "5"}  # once for every attempt to connect
    seller.order("k-s", "2", 100, "10.00")
    seller.expect("8 0 0", *states(seller, "8 F 2"))
    (filled,) = buyer.expect(*states(buyer, "8 F 2"))
    assert (filled["11"], filled["14"]) == ("k-a", "100")

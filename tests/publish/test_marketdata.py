"""What a subscriber does when a publisher is silent, foreign or of another version."""

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import zmq

from harness import sources
from touchline.core.messages import Side
from touchline.errors import TouchlineError
from touchline.instruments import Instrument
from touchline.marketdata import (
    DEPTH,
    HEADER,
    HEARTBEAT_TOPIC,
    RECORDS,
    VERSION,
    Book,
    Kind,
    Subscriber,
    topic,
)

EPOCH = 77


class Wire:
    """Both sockets of a publisher, to put exactly what a test wants on the wire."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self.pub = context.socket(zmq.PUB)
        self.router = context.socket(zmq.ROUTER)
        self.addresses = [
            f"tcp://127.0.0.1:{s.bind_to_random_port('tcp://127.0.0.1')}"
            for s in (self.pub, self.router)
        ]

    def send(self, kind: Kind, symbol: str, first_seq: int, *rows: tuple[int, ...]) -> None:
        header = np.zeros(1, HEADER)
        header["epoch"], header["first_seq"], header["count"] = EPOCH, first_seq, len(rows)
        header["kind"], header["version"] = kind, VERSION
        header["event_seq"] = first_seq
        name = HEARTBEAT_TOPIC if kind == Kind.HEARTBEAT else topic(kind, symbol)
        payload = header.tobytes() + np.array(list(rows), RECORDS[kind]).tobytes()
        self.pub.send_multipart([name, payload])

    def subscriber(self, *symbols: str, timeout_s: float = 10.0) -> Subscriber:
        """A subscriber to empty books, past the moment from which it gets what is sent."""
        answering = threading.Thread(target=self.answer, args=(symbols or ("AAA",),))
        answering.start()
        found = Subscriber(
            self.addresses[0], self.addresses[1], symbols or None, timeout_s=timeout_s
        )
        answering.join()
        while not found.poll(0.05):
            self.send(Kind.HEARTBEAT, "", 0)
        return found

    def answer(self, symbols: tuple[str, ...], **changes: Any) -> None:
        identity, request = self.router.recv_multipart()
        states = [
            {
                "symbol": symbol, "instrument": number, "tick_size": "0.01", "lot_size": "1",
                "currency": "USD", "seqs": [0] * 5, "statistics": [0] * 11, "trading_status": 17,
                "entry_status": 1, "bbo": [0] * 8, "last_trade": None,
            }
            for number, symbol in enumerate(symbols)
        ]  # fmt: skip
        head = {
            "version": VERSION, "id": json.loads(request)["id"], "epoch": EPOCH,
            "event_seq": 0, "ts_ns": 0, "instruments": states,
        } | changes  # fmt: skip
        self.router.send_multipart([identity, json.dumps(head).encode(), *(b"" for _ in symbols)])


@pytest.fixture
def wire() -> Iterator[Wire]:
    context: zmq.Context[Any] = zmq.Context()
    yield Wire(context)
    context.destroy(linger=0)


def records(subscriber: Subscriber, count: int) -> list[tuple[str, int]]:
    """Symbol and event of the next records, heartbeats apart."""
    found: list[tuple[str, int]] = []
    for update in subscriber:
        if update.kind != Kind.HEARTBEAT:
            found += [(update.symbol, int(seq)) for seq in update.records["event_seq"]]
        if len(found) >= count:
            return found
    raise AssertionError("a subscriber goes on for ever")


def test_records_that_a_snapshot_holds_already_are_dropped(wire: Wire) -> None:
    with wire.subscriber() as subscriber:
        first, second, third = ((seq, 0, 100, seq, 1, Side.BUY) for seq in (1, 2, 3))
        wire.send(Kind.DEPTH, "AAA", 1, first, second)
        wire.send(Kind.DEPTH, "AAA", 1, first, second)
        wire.send(Kind.DEPTH, "AAA", 2, second, third)
        assert records(subscriber, 3) == [("AAA", 1), ("AAA", 2), ("AAA", 3)]
        assert subscriber.book("AAA").bids == {100: (3, 1)}
        assert subscriber.resyncs == 0


def test_a_subscription_does_not_bring_the_instrument_with_the_longer_name(wire: Wire) -> None:
    with wire.subscriber("A") as subscriber:
        for symbol in ("AA", "A/B", "A"):
            wire.send(Kind.DEPTH, symbol, 1, (1, 0, 100, 1, 1, Side.BUY))
        assert records(subscriber, 1) == [("A", 1)]
        assert subscriber.symbols == ["A"]
        assert subscriber.resyncs == 0


def test_a_gap_without_a_snapshot_is_an_error_until_there_is_one(wire: Wire) -> None:
    with wire.subscriber(timeout_s=0.1) as subscriber:
        lost = (2, 0, 100, 1, 1, Side.BUY)
        wire.send(Kind.DEPTH, "AAA", 2, lost)
        with pytest.raises(TimeoutError, match=r"no snapshot from tcp.*is the publisher running"):
            records(subscriber, 1)
        wire.router.recv_multipart()  # the request that got no answer
        answering = threading.Thread(target=wire.answer, args=(("AAA",),), kwargs={"event_seq": 9})
        answering.start()
        subscriber._timeout_ms = 10_000
        heartbeat = (0, 0, 0, 2, 0, 0)
        wire.send(Kind.HEARTBEAT, "", 0, heartbeat)
        while not subscriber.event_seq:
            subscriber.poll(0.05)
        answering.join()
        assert subscriber.event_seq == 9
        assert subscriber.resyncs == 2


def test_no_publisher_is_an_error_that_says_so() -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as unused:
        port = unused.bind_to_random_port("tcp://127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    with pytest.raises(TimeoutError, match=f"no snapshot from {address} within 0.05 s"):
        Subscriber(address, address, timeout_s=0.05)


def test_another_version_is_refused(wire: Wire) -> None:
    answering = threading.Thread(target=wire.answer, args=(("AAA",),), kwargs={"version": 9})
    answering.start()
    with pytest.raises(TouchlineError, match="version 9, not 2"):
        Subscriber(wire.addresses[0], wire.addresses[1], timeout_s=10)
    answering.join()


@pytest.mark.parametrize("payload", [b"", b"hello", bytes(40), bytes(39) + b"\x09"])
def test_messages_of_something_else_are_refused(wire: Wire, payload: bytes) -> None:
    with wire.subscriber() as subscriber:
        wire.pub.send_multipart([topic(Kind.DEPTH, "AAA"), payload])
        with pytest.raises(TouchlineError, match=r"not touchline market data|of version"):
            records(subscriber, 1)


def test_levels_are_ordered_from_the_best_outwards() -> None:
    book = Book(Instrument(0, "AAA", Decimal("0.01"), Decimal(1)))
    book.bids.update({99: (5, 1), 101: (7, 2), 100: (1, 1)})
    book.asks.update({104: (5, 1), 102: (7, 2), 103: (1, 1)})
    assert book.levels(Side.BUY)["price"].tolist() == [101, 100, 99]
    assert book.levels(Side.SELL, 2).tolist() == [(102, 7, 2), (103, 1, 1)]
    assert (book.best_bid, book.best_ask) == (101, 102)


def test_records_are_packed_little_endian_without_overlaps() -> None:
    sizes = {kind.name: layout.itemsize for kind, layout in RECORDS.items()}
    assert sizes == {
        "TRADES": 32,
        "BBO": 56,
        "DEPTH": 40,
        "STATUS": 24,
        "STATISTICS": 88,
        "HEARTBEAT": 48,
    }
    for layout in (HEADER, *RECORDS.values()):
        assert layout.fields is not None
        taken: set[int] = set()
        for field, offset in ((form[0], form[1]) for form in layout.fields.values()):
            assert field.byteorder in "<=|"
            place = set(range(offset, offset + field.itemsize))
            assert not taken & place
            taken |= place
        assert max(taken) < layout.itemsize
    assert DEPTH.names == ("event_seq", "ts_ns", "price", "qty", "orders", "side")


def test_a_subscriber_whose_publisher_is_gone_does_not_keep_its_program_from_ending() -> None:
    program = """
import gc, sys
sys.path[:0] = {path!r}
import pytest, zmq
from publish.test_marketdata import Wire
from touchline.marketdata import Subscriber

context = zmq.Context()
wire = Wire(context)
subscriber = wire.subscriber("AAA", timeout_s=0.05)
context.destroy(linger=0)
for _ in range(50):  # more requests than the socket holds
    with pytest.raises(TimeoutError, match="no snapshot"):
        subscriber._timeout_ms = 1
        subscriber._resync(["AAA"])
kept = subscriber if sys.argv[1] == "exit" else None
if sys.argv[1] == "cycle":
    subscriber.itself = subscriber
del subscriber
gc.collect()
print("over")
"""
    path = [str(sources.ROOT / "tests")]
    for how in ("drop", "cycle", "exit"):
        done = subprocess.run(
            [sys.executable, "-c", program.format(path=path), how],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert (done.stdout, done.stderr, done.returncode) == ("over\n", "", 0)


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), -1.0, 1e9, "1", None, True], ids=repr
)
def test_a_timeout_that_is_none_is_refused_by_name(wire: Wire, wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"^timeout_s "):
        Subscriber(wire.addresses[0], wire.addresses[1], timeout_s=wrong)
    with wire.subscriber("AAA") as subscriber:
        with pytest.raises((ValueError, TypeError), match=r"^timeout_s "):
            subscriber.poll(wrong)
        for none in (0, -1, 1.5):
            with pytest.raises((TypeError, OverflowError), match=r"^updates_max "):
                subscriber.poll(0, none)  # type: ignore[arg-type]
    with pytest.raises(TouchlineError, match="closed"):
        subscriber.poll(0)


def test_a_forked_child_or_another_process_makes_its_own_subscriber(wire: Wire) -> None:
    with wire.subscriber("AAA") as subscriber:
        with pytest.raises(TypeError, match="a Subscriber can not be copied"):
            pickle.dumps(subscriber)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                subscriber.poll(0)
            except TouchlineError as error:
                os.write(writer, str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert f"belongs to process {os.getpid()}" in os.read(reader, 1000).decode()
        os.close(reader)
        os.close(writer)
        subscriber.poll(0)

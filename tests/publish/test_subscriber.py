"""A Subscriber's own bounds: its sockets, its thread, its process, and what it believes."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S
from publish.publishing import assert_books_equal, follow, publishing, subscribe
from touchline.errors import TouchlineError
from touchline.marketdata import HEADER, HEARTBEAT_TOPIC, VERSION, Kind, Subscriber, decode, topic
from touchline.marketdata.address import tcp_address

STATE = {
    "symbol": "AAA", "instrument": 0, "tick_size": "0.01", "lot_size": "1", "currency": "USD",
    "seqs": [0] * 5, "trading_status": 17, "entry_status": 1, "bbo": [0] * 8,
    "last_trade": None, "statistics": [0] * 11,
}  # fmt: skip
HEAD = {"version": VERSION, "id": 1, "epoch": 7, "event_seq": 0, "ts_ns": 0, "instruments": [STATE]}


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def test_a_subscriber_that_is_dropped_when_its_publisher_has_gone_ends_at_once(
    venue: ThreadVenue,
) -> None:
    """In a process of its own, because what must not happen is that the process hangs."""
    with publishing(venue) as publisher:
        ends = publisher.publish_endpoint, publisher.snapshot_endpoint
        program = f"""
import sys
from touchline.marketdata import Subscriber
subscriber = Subscriber({ends[0]!r}, {ends[1]!r}, timeout_s=30)
print("joined", flush=True)
sys.stdin.readline()
subscriber._timeout_ms = 50
for _ in range(20):
    try:
        subscriber._take_snapshot(None)
    except TimeoutError:
        pass
del subscriber
print("dropped", flush=True)
"""
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "joined\n"
    out, _ = child.communicate("go on\n", timeout=DEADLINE_S)
    assert (out, child.returncode) == ("dropped\n", 0)


def test_a_closed_subscriber_says_so(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher:
        subscriber = subscribe(publisher)
        subscriber.close()
        subscriber.close()
        with pytest.raises(TouchlineError, match="this subscriber is closed"):
            subscriber.poll(0)
        with pytest.raises(TouchlineError, match="this subscriber is closed"):
            next(iter(subscriber))
        assert subscriber.symbols, "its books stay readable"


def in_thread(work: Any) -> BaseException | None:
    found: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=guarded, name="stranger")
    thread.start()
    thread.join(DEADLINE_S)
    return found[0] if found else None


def test_a_subscriber_in_another_thread_is_refused_by_name(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        for work in (lambda: subscriber.poll(0), subscriber.close):
            error = in_thread(work)
            assert isinstance(error, TouchlineError)
            assert "belongs to thread 'MainThread', not to 'stranger'" in str(error)
        follow(subscriber, venue.event_seq)


def test_a_subscriber_after_a_fork_is_refused_and_the_parents_goes_on(
    venue: ThreadVenue, seed: int
) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                subscriber.poll(0)
                text = "polled"
            except TouchlineError as error:
                text = str(error)
            subscriber.close()
            os.write(writing, text.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        assert "belongs to process" in text
        assert "make another after a fork" in text
        venue.send(order_flow(seed, 200))
        follow(subscriber, venue.event_seq)
        assert_books_equal(subscriber, venue.engine())


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
def test_market_data_over_ipv6(venue: ThreadVenue, seed: int) -> None:
    with publishing(venue, host="::1") as publisher:
        assert publisher.publish_endpoint.startswith("tcp://[::1]:")
        with subscribe(publisher) as subscriber:
            venue.send(order_flow(seed, 200))
            follow(subscriber, venue.event_seq)
            assert_books_equal(subscriber, venue.engine())


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "tcp://127.0.0.1:9"),
        ("::1", "tcp://[::1]:9"),
        ("[::1]", "tcp://[::1]:9"),
        ("fe80::1%lo", "tcp://[fe80::1%lo]:9"),
        ("feed.example", "tcp://feed.example:9"),
        ("*", "tcp://*:9"),
    ],
)
def test_an_address_has_the_brackets_it_needs(host: str, address: str) -> None:
    assert tcp_address(host, 9) == address


def test_a_subscriber_to_thousands_of_symbols_subscribes_to_kinds(
    venue: ThreadVenue, seed: int
) -> None:
    with publishing(venue) as publisher:
        subscriber = Subscriber(
            publisher.publish_endpoint,
            publisher.snapshot_endpoint,
            ["AAA", *["AAA"] * 5000],
            timeout_s=DEADLINE_S,
        )
        with subscriber:
            venue.send(order_flow(seed, 200))
            updates = follow(subscriber, venue.event_seq)
            assert {u.symbol for u in updates if u.symbol} == {"AAA"}
            assert_books_equal(subscriber, venue.engine())


def test_nothing_a_subscriber_holds_is_without_a_bound(venue: ThreadVenue) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        sockets: list[Any] = [subscriber._updates, subscriber._requests]
        for one in sockets:
            assert one.linger == 0
            assert 0 < one.rcvhwm <= 10_000
            assert 0 < one.sndhwm <= 10
            assert one.maxmsgsize > 0


def header(**values: int) -> bytes:
    made = np.zeros(1, HEADER)
    made["version"] = VERSION
    for name, value in values.items():
        made[name] = value
    return made.tobytes()


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"x"], "not touchline market data"),
        ([b"a", b"b", b"c"], "not touchline market data"),
        ([topic(Kind.DEPTH, "A"), header(kind=9)], "kind 9"),
        ([topic(Kind.DEPTH, "A"), header(kind=2, version=3)], "version 3, not 2"),
        ([topic(Kind.DEPTH, "A"), header(kind=2, count=1)], "says it holds 1 DEPTH records"),
        ([topic(Kind.DEPTH, "A"), header(kind=2, count=1 << 31)], "2147483648 DEPTH records"),
        ([topic(Kind.DEPTH, "A"), header(kind=2) + bytes(40)], "says it holds 0 DEPTH"),
        ([topic(Kind.BBO, "A"), header(kind=2)], "DEPTH records in topic b'bbo/A/'"),
        ([b"depth/\xff/", header(kind=2)], "DEPTH records in topic"),
        ([b"depth", header(kind=2)], "DEPTH records in topic"),
        ([b"depth/A/", header(kind=5)], "a heartbeat in topic"),
        ([HEARTBEAT_TOPIC, header(kind=2)], "DEPTH records in topic"),
    ],
)
def test_a_message_that_is_none_of_ours_is_refused_by_name(
    frames: list[bytes], reason: str
) -> None:
    with pytest.raises(TouchlineError, match=reason):
        decode.message(frames)


def test_a_header_is_read_as_its_layout_says() -> None:
    values = {name: number for number, name in enumerate(HEADER.names or (), 11)}
    made = np.zeros(1, HEADER)
    for name, value in values.items():
        made[name] = value
    assert decode._HEADER.size == HEADER.itemsize
    assert decode._HEADER.unpack(made.tobytes()) == tuple(values.values())


def changed(**values: Any) -> list[bytes]:
    return [json.dumps(HEAD | values).encode(), b""]


def state(**values: Any) -> list[bytes]:
    return changed(instruments=[STATE | values])


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"\xff"], "not an answer of a snapshot port"),
        ([b"[" * 100_000], "not an answer of a snapshot port"),
        ([b"[]"], "version None, not 2"),
        (changed(version=1), "version 1, not 2"),
        (changed(epoch=-1), "-1 is not a number from 0"),
        (changed(event_seq=1.5), "1.5 is not a number from 0"),
        (changed(event_seq=True), "True is not a number from 0"),
        (changed(instruments={}), "cannot be read"),
        (changed(instruments=[]), "1 frames of levels"),
        (changed(instruments=[7]), "cannot be read"),
        (state(seqs=[1, 2]), "2 numbers of 5 topics"),
        (state(seqs=["1", 2, 3, 4, 5]), "'1' is not a number from 0"),
        (state(tick_size="NaN"), "'NaN' is not a positive number"),
        (state(tick_size="x"), "cannot be read"),
        (state(lot_size=1), "1 is not a positive number"),
        (state(symbol=5), "symbol and currency are texts"),
        (state(bbo=[1]), "1 numbers in a record"),
        (state(statistics=[1] * 10), "10 numbers in a record"),
        (state(bbo=[1 << 64] * 8), "is not a number from 0"),
        (state(last_trade=[1, 2, 3, 1 << 40, 49]), "cannot be read"),
        ([json.dumps(HEAD).encode(), b"12345"], "cannot be read"),
        ([json.dumps(HEAD).encode(), bytes(40)], "neither a bid nor an ask"),
        ([b"{}"], "version None"),
        ([json.dumps({"version": VERSION, "id": 1}).encode()], "KeyError 'instruments'"),
    ],
)
def test_a_snapshot_that_is_none_of_ours_is_refused_by_name(
    frames: list[bytes], reason: str
) -> None:
    with pytest.raises(TouchlineError, match=reason):
        decode.reply(frames, "tcp://there")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("symbols", "AAA"), ("symbols", b"AAA"), ("symbols", ["AAA", 1]), ("publish", None),
     ("snapshot", 5557)],
)  # fmt: skip
def test_what_is_no_address_and_no_sequence_is_refused_by_name(name: str, wrong: object) -> None:
    arguments: dict[str, Any] = {name: wrong}
    with pytest.raises(TypeError, match=f"^{name} is .* wanted"):
        Subscriber(**arguments)


def test_answers_to_other_requests_without_an_end_are_a_timeout() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        port = router.bind_to_random_port("tcp://127.0.0.1")
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)

        def flood() -> None:
            asker, _ = router.recv_multipart()
            other = json.dumps(HEAD | {"id": 999}).encode()
            try:
                while True:
                    router.send_multipart([asker, other, b""])
            except zmq.ZMQError:
                return  # the asker has gone

        thread = threading.Thread(target=flood)
        thread.start()
        address = f"tcp://127.0.0.1:{port}"
        with pytest.raises(TimeoutError, match="no snapshot"):
            Subscriber(address, address, timeout_s=3.0)
        thread.join(DEADLINE_S)
        assert not thread.is_alive()

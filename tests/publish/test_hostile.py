"""Whoever connects to the publisher's ports holds nothing up and makes nothing grow."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import commands, new_order
from harness.flows import LIMITS, order_flow
from harness.venue import ThreadVenue
from harness.waiting import until
from publish import hostile
from publish.publishing import assert_books_equal, follow, publishing, subscribe
from touchline.control.publish import doorman, snapshots
from touchline.control.publish.publisher import Publisher
from touchline.control.publish.sockets import REQUEST_BYTES_MAX
from touchline.core.messages import Side


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


def resident_mib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmRSS")


def deep(venue: ThreadVenue, levels: int = 2000) -> None:
    """A book whose snapshot is 80 kB and more."""
    rows = [new_order(price=1 + n, side=Side.BUY) for n in range(levels // 2)]
    rows += [new_order(price=5000 + n, side=Side.SELL) for n in range(levels // 2)]
    venue.send(commands(rows))


def test_askers_who_do_not_read_get_one_answer_and_take_no_memory(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep(venue)
    with publishing(venue) as publisher, subscribe(publisher) as honest:
        follow(honest, venue.event_seq)
        service = publisher._snapshots
        before = resident_mib()
        peers = [hostile.greeted(publisher.snapshot_endpoint, b"DEALER") for _ in range(3)]
        asked = hostile.frame(b'{"id": 1}') * 1000
        for peer in peers:
            peer.sendall(asked)
        until(lambda: service.dropped > 100, "requests of those who do not read are dropped")
        for rows in (order_flow(seed, 600)[low : low + 30] for low in range(0, 600, 30)):
            venue.send(rows)
            follow(honest, venue.event_seq)
        assert honest.resyncs == 0
        assert_books_equal(honest, venue.engine())
        with subscribe(publisher) as late:
            follow(late, venue.event_seq)
        assert service.outstanding_bytes <= snapshots.OUTSTANDING_BYTES_MAX
        assert resident_mib() - before < 32
        for peer in peers:
            peer.close()


def test_answers_nobody_takes_are_bounded_in_all(
    venue: ThreadVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many small takers of memory, each within its own bound."""
    monkeypatch.setattr(snapshots, "OUTSTANDING_BYTES_MAX", 4 << 20)
    deep(venue, 4000)
    with publishing(venue) as publisher:
        service = publisher._snapshots
        peers: list[socket.socket] = []
        held: list[int] = []

        def dropped() -> bool:
            held.append(service.outstanding_bytes)
            return service.dropped > 0

        while not dropped() and len(peers) < 200:
            peer = hostile.greeted(publisher.snapshot_endpoint, b"DEALER")
            # Without room at its end nothing but the first bytes of an answer can leave.
            peer.sendall(hostile.frame(b'{"id": 1}') * 3)
            peers.append(peer)
        until(dropped, "answers beyond the bound are dropped")
        assert max(held) <= 4 << 20
        for peer in peers:
            peer.close()
        until(lambda: service.outstanding_bytes == 0, "what was held for them is free")
        with subscribe(publisher) as honest:
            follow(honest, venue.event_seq)


def test_a_subscriber_that_stays_away_costs_its_bound_and_is_counted(
    venue: ThreadVenue, seed: int
) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as honest:
        sleeper = hostile.greeted(publisher.publish_endpoint, b"SUB")
        sleeper.sendall(hostile.frame(b"\x01depth/") + hostile.frame(b"\x01bbo/"))
        before = resident_mib()
        rows = order_flow(seed, 4000)
        for _ in range(400):
            venue.send(rows)
            follow(honest, venue.event_seq)
            if publisher._outlet.dropped:
                break
        assert publisher._outlet.dropped == 1, "counted when it begins"
        venue.send(rows)
        follow(honest, venue.event_seq)
        assert resident_mib() - before < 64
        assert_books_equal(honest, venue.engine())
        sleeper.close()


@pytest.mark.parametrize("port", ["publish", "snapshot"])
def test_a_message_without_an_end_takes_no_memory(venue: ThreadVenue, port: str) -> None:
    with publishing(venue) as publisher:
        before = resident_mib()
        peer = hostile.greeted(
            getattr(publisher, f"{port}_endpoint"), b"SUB" if port == "publish" else b"DEALER"
        )
        assert hostile.say_on_and_on(peer, hostile.frame(b"12345678", more=True) * 500) < 64 << 20
        if port == "snapshot":  # the PUB port stops reading from such a peer by itself
            until(lambda: publisher._doormen[1].cut == 1, "it is cut off")
        peer.close()
        assert resident_mib() - before < 64
        with subscribe(publisher) as honest:
            follow(honest, venue.event_seq)


def test_subscriptions_without_an_end_are_cut_off(venue: ThreadVenue, seed: int) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as honest:
        peer = hostile.greeted(publisher.publish_endpoint, b"SUB")
        block = b"".join(hostile.frame(b"\x01" + b"%050d" % n) for n in range(2000))
        assert hostile.say_on_and_on(peer, block) < 64 << 20
        until(lambda: publisher._doormen[0].cut == 1, "it is cut off")
        peer.close()
        venue.send(order_flow(seed, 300))
        follow(honest, venue.event_seq)
        assert_books_equal(honest, venue.engine())


def test_more_connections_than_a_port_takes_are_cut_off(
    venue: ThreadVenue, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The PUB port keeps those it has; the snapshot port makes room, so nobody can hold it."""
    monkeypatch.setattr(doorman, "PEERS_MAX", 8)
    with publishing(venue) as publisher, subscribe(publisher) as honest:
        silent = []
        for port, one in zip(("publish", "snapshot"), publisher._doormen, strict=True):
            endpoint = getattr(publisher, f"{port}_endpoint")
            silent += [hostile.connected(endpoint) for _ in range(20)]
            until(lambda one=one: one.cut >= 12, "the others are cut off")  # type: ignore[misc]
        venue.send(order_flow(seed, 200))
        follow(honest, venue.event_seq)
        honest._take_snapshot(None)
        assert_books_equal(honest, venue.engine())
        for peer in silent:
            peer.close()


@pytest.mark.parametrize(
    "frames",
    [
        [b"x" * (REQUEST_BYTES_MAX + 1)],
        [b"", b"{}", b"", b"", b"", b""],
        [b"{}"] * 5000,
    ],
)
def test_a_request_beyond_its_bounds_is_dropped_and_counted(
    venue: ThreadVenue, frames: list[bytes]
) -> None:
    with publishing(venue) as publisher:
        peer = hostile.greeted(publisher.snapshot_endpoint, b"DEALER")
        *first, last = frames
        peer.sendall(b"".join(hostile.frame(part, more=True) for part in first))
        peer.sendall(hostile.frame(last))
        until(lambda: publisher._snapshots.dropped == 1, "the request is dropped")
        peer.sendall(hostile.frame(b'{"id": 5, "symbols": []}'))
        flags, size = hostile.exactly(peer, 2)
        assert flags == 0
        assert json.loads(hostile.exactly(peer, size))["id"] == 5
        peer.close()


@pytest.mark.parametrize("port", ["publish", "snapshot"])
@pytest.mark.parametrize(
    "said",
    [b"", b"\xff" * 4096, b"GET / HTTP/1.1\r\n\r\n", hostile.GREETING[:20], hostile.GREETING],
)
def test_half_a_handshake_holds_nothing_up(
    venue: ThreadVenue, port: str, said: bytes, seed: int
) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as honest:
        peers = [hostile.connected(getattr(publisher, f"{port}_endpoint")) for _ in range(5)]
        for peer in peers:
            peer.sendall(said)
        venue.send(order_flow(seed, 200))
        follow(honest, venue.event_seq)
        assert_books_equal(honest, venue.engine())
        with subscribe(publisher) as late:
            follow(late, venue.event_seq)
        for peer in peers:
            peer.close()


def test_a_peer_that_does_not_read_is_cut_off_and_its_answer_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("touchline.control.publish.sockets.STALLED_MS", 500)
    sizes = LIMITS._replace(orders_max=1 << 16, price_blocks_max=1 << 12)
    monkeypatch.setattr(ThreadVenue, "capacities", sizes)
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        deep(venue, 60_000 - 20_000)
        with publishing(venue) as publisher:
            peer = hostile.greeted(publisher.snapshot_endpoint, b"DEALER")
            peer.sendall(hostile.frame(b"{}"))
            service = publisher._snapshots
            until(lambda: service.answered == 1, "it has its answer on the way")
            until(lambda: service.outstanding_bytes == 0, "it is cut off")
            peer.close()


def publisher_state(path: Path) -> dict[str, object]:
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def test_the_publishers_state_is_in_a_file(venue: ThreadVenue, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "publish.json"
    head = venue.event_seq
    with publishing(venue, state_path=path) as publisher:
        until(path.exists, "the file is there from the start")
        assert publisher_state(path)["head"] == head
        venue.send(order_flow(seed, 300))
        with subscribe(publisher) as honest:
            follow(honest, venue.event_seq)
        until(lambda: publisher_state(path)["seq"] == venue.event_seq, "the file tells of it")
    told = publisher_state(path)
    assert told["ts_ns"] == venue.events()["ts_ns"][-1]
    assert (told["snapshots"], told["dropped"], told["error"]) == (1, 0, None)


def test_why_a_publisher_ended_is_in_its_file(venue: ThreadVenue, tmp_path: Path) -> None:
    path = tmp_path / "publish.json"

    def end(publisher: Publisher) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError), publishing(venue, state_path=path) as publisher:
        end(publisher)
    assert publisher_state(path)["error"] == "No space left on device"


def test_an_address_in_use_is_in_the_file(venue: ThreadVenue, tmp_path: Path) -> None:
    path = tmp_path / "publish.json"
    with publishing(venue) as publisher:
        port = publisher.publish_endpoint.rsplit(":", 1)[1]
        with pytest.raises(OSError), publishing(venue, (port, "*"), state_path=path):
            pass
    assert publisher_state(path)["error"] == (
        f"cannot publish on tcp://127.0.0.1:{port}: Address already in use"
    )


def test_a_directory_that_cannot_be_written_holds_nothing_up(
    venue: ThreadVenue, tmp_path: Path, seed: int
) -> None:
    missing = tmp_path / "not" / "there" / "publish.json"
    with publishing(venue, state_path=missing) as publisher, subscribe(publisher) as honest:
        venue.send(order_flow(seed, 100))
        follow(honest, venue.event_seq)


def test_requests_come_in_turn_however_many_one_asker_sends(venue: ThreadVenue) -> None:
    """A flood waits in its own socket while others are answered."""
    stop = threading.Event()
    with publishing(venue) as publisher:
        peer = hostile.greeted(publisher.snapshot_endpoint, b"DEALER")
        peer.settimeout(0.2)

        def flood() -> None:
            while not stop.is_set():
                try:
                    peer.sendall(hostile.frame(b"{") * 100)
                except OSError:
                    return

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for _ in range(5):
                with subscribe(publisher) as honest:
                    follow(honest, venue.event_seq)
        finally:
            stop.set()
            thread.join()
            peer.close()

"""The outlet: what C puts into a PUB socket is what the mirror's messages are, in any batches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
import zmq.backend.cython._zmq

from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S
from publish.publishing import follow, publishing, subscribe
from touchline.control.publish.listing import Listing
from touchline.control.publish.sockets import open_outlet
from touchline.errors import ImpossibleEvent, TouchlineError
from touchline.marketdata.mirror import Mirror
from touchline.marketdata.outlet import Outlet

LIBRARY = zmq.backend.cython._zmq.__file__
Sockets = tuple[zmq.Socket[Any], zmq.Socket[Any]]


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[ThreadVenue]:
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        yield venue


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    """A PUB socket, and a SUB socket that has joined it."""
    with zmq.Context() as context:
        pub, sub = context.socket(zmq.PUB), context.socket(zmq.SUB)
        pub.linger = sub.linger = 0
        pub.sndhwm = sub.rcvhwm = 0
        pub.setsockopt(zmq.XPUB_NODROP, 1)
        port = pub.bind_to_random_port("tcp://127.0.0.1")
        sub.subscribe(b"")
        sub.connect(f"tcp://127.0.0.1:{port}")
        while not sub.poll(50):
            pub.send(b"hello")
        while sub.poll(100):
            sub.recv()
        yield pub, sub
        pub.close()
        sub.close()


def received(sub: zmq.Socket[Any], count: int) -> list[tuple[bytes, bytes]]:
    found = []
    for _ in range(count):
        assert sub.poll(int(DEADLINE_S * 1000))
        topic, payload = sub.recv_multipart()
        found.append((topic, payload))
    return found


@pytest.mark.parametrize(("batch", "turns"), [(1, 1), (7, 100), (4096, 3)])
def test_what_goes_out_of_the_ring_is_what_the_mirror_tells(
    venue: ThreadVenue, sockets: Sockets, seed: int, batch: int, turns: int
) -> None:
    venue.send(order_flow(seed, 600))
    events, twin = venue.events(), Mirror()
    listing = Listing(venue.journal)
    wanted: list[tuple[bytes, bytes]] = []
    for low in range(0, len(events), batch):
        twin.apply(events[low : low + batch])
        wanted += twin.messages(listing)
    mirror = Mirror()
    outlet = open_outlet(sockets[0], mirror, listing)
    ring, done = venue.bus.events(1), 0
    while count := outlet.follow(ring, batch, turns):
        assert count <= batch * turns
        done += count
    assert (done, outlet.sent, outlet.dropped) == (len(events), len(wanted), 0)
    assert received(sockets[1], len(wanted)) == wanted
    assert mirror.heartbeat() == twin.heartbeat()
    listing.close()


def test_silent_events_are_counted_and_not_sent(
    venue: ThreadVenue, sockets: Sockets, seed: int
) -> None:
    venue.send(order_flow(seed, 300))
    mirror, twin, listing = Mirror(), Mirror(), Listing(venue.journal)
    outlet = open_outlet(sockets[0], mirror, listing)
    ring = venue.bus.events(1)
    while outlet.follow(ring, 100, 2, True):
        pass
    twin.apply(venue.events())
    assert (outlet.sent, mirror.heartbeat()) == (0, twin.heartbeat())
    outlet.send(b"last", b"one")
    assert received(sockets[1], 1) == [(b"last", b"one")]
    listing.close()


def test_an_event_that_cannot_be_is_named(venue: ThreadVenue, sockets: Sockets) -> None:
    listing = Listing(venue.journal)
    outlet = open_outlet(sockets[0], Mirror(), listing)
    with pytest.raises(ImpossibleEvent, match="it does not follow the event before it"):
        outlet.follow(venue.bus.events(2), 10, 1)
    listing.close()


def test_what_can_be_no_outlet_is_refused(venue: ThreadVenue, sockets: Sockets, seed: int) -> None:
    mirror = Mirror()
    with pytest.raises(OSError, match="no-such-library"):
        Outlet(sockets[0], mirror, {}, "no-such-library.so")
    with pytest.raises(TouchlineError, match=r"libc\.so\.6 is no ZeroMQ"):
        Outlet(sockets[0], mirror, {}, "libc.so.6")
    for topics in ({0: (b"",) * 5}, {0: (b"x" * 64,) * 5}, {0: (b"x",) * 6}):
        outlet = Outlet(sockets[0], Mirror(), topics, LIBRARY)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="can be no topic of instrument 0"):
            outlet.follow(venue.bus.events(1), 4096, 1)
    with pytest.raises(ValueError, match="batch is 0; 1 to 4096 is wanted"):
        Outlet(sockets[0], mirror, {}, LIBRARY).follow(venue.bus.events(1), 0, 1)


def test_a_socket_that_is_closed_is_an_error_and_no_crash(venue: ThreadVenue) -> None:
    with zmq.Context() as context:
        pub = context.socket(zmq.PUB)
        outlet = Outlet(pub, Mirror(), {}, LIBRARY)
        pub.close()
        with pytest.raises(TouchlineError, match="the socket of this outlet is closed"):
            outlet.send(b"a", b"b")


def test_a_publisher_in_full_flow_goes_the_way_of_c(venue: ThreadVenue, seed: int) -> None:
    with publishing(venue) as publisher, subscribe(publisher) as subscriber:
        follow(subscriber, venue.event_seq)
        for rows in np.array_split(order_flow(seed, 1500), 15):
            venue.send(rows)
            follow(subscriber, venue.event_seq)
        assert publisher._feed.ring() is not None
        assert subscriber.resyncs == 0

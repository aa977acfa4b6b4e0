"""Messages a second that the publisher sends, against a bare PUB socket sending the same ones.

   event ring ─► mirror ─► PUB ══ loopback ══► SUB in a process of its own
   the same messages, made beforehand, in a loop of C ─► PUB ══ loopback ══► SUB, likewise
   event ring ─► mirror, and nothing is sent

These run turn by turn in one process, all in C. `ratio` is that of the whole way to the bare
socket; `sending_ratio` leaves out what the mirror takes to keep the books, which no socket does
for anybody. The events come from the ring of an engine that has stopped,
so the publisher alone is timed, from its first read to its last send; small batches are the worst
it meets, large ones are what a backlog gives. The subscriber counts messages and records, and the
sum of what it got must be what was sent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from benchmarks.bench_recovery import shm_path
from benchmarks.common import ROOT, BenchError, Case, fail
from benchmarks.recording import EVENT_SLOTS, Recorded, recorded
from touchline.control.publish.listing import Listing
from touchline.control.publish.sockets import open_outlet
from touchline.control.supervisor.mirrors import mirror_of
from touchline.marketdata.layout import HEADER
from touchline.marketdata.mirror import Mirror
from touchline.marketdata.outlet import Outlet
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed

ORDERS = 20_000
BATCHES = (1, 16, 4096)  # events that the publisher finds at once
ROUNDS = 3
TURNS = 1_000
DEADLINE_S = 60
END = b"end"
Figures = dict[str, Any]
Message = tuple[bytes, bytes]

SUBSCRIBER = """\
import sys, zmq
with zmq.Context() as context, context.socket(zmq.SUB) as socket:
    socket.rcvhwm = 0
    socket.subscribe(b"")
    socket.connect(sys.argv[1])
    messages = size = 0
    while True:
        topic, payload = socket.recv_multipart()
        if topic == b"hello":
            print("joined", flush=True)
        elif topic == b"end":
            print(messages, size, flush=True)
            break
        else:
            messages += 1
            size += len(payload)
"""


@contextmanager
def subscribed(
    mirror: Mirror, listing: Listing
) -> Iterator[tuple[Outlet, Callable[[], tuple[int, int]]]]:
    """A PUB socket with one subscriber that has joined, and how to end and hear what it got."""
    with zmq.Context() as context, context.socket(zmq.PUB) as pub:
        pub.linger = 0
        pub.sndhwm = 0
        pub.setsockopt(zmq.XPUB_NODROP, 1)
        port = pub.bind_to_random_port("tcp://127.0.0.1")
        command = [sys.executable, "-c", SUBSCRIBER, f"tcp://127.0.0.1:{port}"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            join(pub, child)
            outlet = open_outlet(pub, mirror, listing)

            def end() -> tuple[int, int]:
                outlet.send(END, b"")
                out, _ = child.communicate(timeout=DEADLINE_S)
                messages, size = out.split()[-2:]
                return int(messages), int(size)

            try:
                yield outlet, end
            finally:
                child.kill()


def join(pub: Any, child: subprocess.Popen[str]) -> None:
    """Say hello until the subscriber has heard it."""
    poller = zmq.Poller()
    poller.register(child.stdout, zmq.POLLIN)
    for _ in range(DEADLINE_S * 20):
        pub.send_multipart((b"hello", b""))
        if poller.poll(50):
            assert child.stdout is not None
            if child.stdout.readline() != "joined\n":
                break
            return
    raise BenchError("the subscriber did not join")


def made(source: Recorded, batch: int) -> list[Message]:
    """The messages of every event, in batches of this size."""
    found: list[Message] = []
    mirror, listing = mirror_of(source.journal), Listing(source.journal)
    with EventFeed(source.bus.path, source.journal, 1) as feed:
        while len(events := feed.read(batch)):
            mirror.apply(events)
            found += mirror.messages(listing)
    return found


def publish(source: Recorded, batch: int, expected: list[Message]) -> float:
    """Seconds for all messages, as the publisher's step sends them."""
    mirror, listing = mirror_of(source.journal), Listing(source.journal)
    listing.learn([0])
    with subscribed(mirror, listing) as (outlet, end), Bus.attach(source.bus.path) as bus:
        ring = bus.events(1)
        start = time.perf_counter()
        while outlet.follow(ring, batch, TURNS):
            pass
        seconds = time.perf_counter() - start
        check(end(), expected)
    return seconds


def bare(source: Recorded, expected: list[Message]) -> float:
    """Seconds for the same messages, made beforehand."""
    mirror, listing = mirror_of(source.journal), Listing(source.journal)
    with subscribed(mirror, listing) as (outlet, end):
        start = time.perf_counter()
        outlet.send_all(expected)
        seconds = time.perf_counter() - start
        check(end(), expected)
    return seconds


def check(got: tuple[int, int], expected: list[Message]) -> None:
    wanted = len(expected), sum(len(payload) for _, payload in expected)
    if got != wanted:
        raise BenchError(f"the subscriber got {got} messages and bytes, not {wanted}")


def records_of(messages: list[Message]) -> int:
    return sum(int(np.frombuffer(payload, HEADER, 1)["count"][0]) for _, payload in messages)


def run_batch(source: Recorded, batch: int) -> Figures:
    """Publisher and bare socket in turn, the best of each."""
    messages = made(source, batch)
    rounds = [
        (publish(source, batch, messages), bare(source, messages), silent(source, batch))
        for _ in range(ROUNDS)
    ]
    published, least, kept = (min(seconds) for seconds in zip(*rounds, strict=True))
    return {
        "events_a_batch": batch,
        "messages": len(messages),
        "messages_per_s": round(len(messages) / published),
        "events_per_s": round(source.events / published),
        "records_per_s": round(records_of(messages) / published),
        "bare_messages_per_s": round(len(messages) / least),
        "ratio": round(least / published, 3),
        "sending_ratio": round(least / max(published - kept, 1e-9), 3),
        "us_per_message": round(published / len(messages) * 1e6, 2),
    }


def silent(source: Recorded, batch: int) -> float:
    """Seconds for the mirror to follow the ring in such batches, when nobody is told."""
    mirror, listing = mirror_of(source.journal), Listing(source.journal)
    with subscribed(mirror, listing) as (outlet, _), Bus.attach(source.bus.path) as bus:
        ring = bus.events(1)
        start = time.perf_counter()
        while outlet.follow(ring, batch, TURNS, True):
            pass
        return time.perf_counter() - start


def mirror_alone(source: Recorded) -> float:
    """Nanoseconds an event in the mirror, in the batches of a publisher that catches up."""
    mirror = mirror_of(source.journal)
    seconds = 0.0
    with EventFeed(source.bus.path, source.journal, 1) as feed:
        while len(events := feed.read(4096)):
            start = time.perf_counter()
            mirror.apply(events)
            mirror.discard()
            seconds += time.perf_counter() - start
    return seconds / source.events * 1e9


def bench(orders: int = ORDERS) -> Figures:
    """The flow `normal`, published in small and in large batches."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        case = Case("normal", "normal", orders)
        with recorded(case, Path(name), shm_path()) as source:
            if source.events > EVENT_SLOTS * 7 // 8:
                raise BenchError("the ring does not hold the flow")
            return {
                "events": source.events,
                "mirror_ns_per_event": round(mirror_alone(source), 1),
                "batches": [run_batch(source, batch) for batch in BATCHES],
                "verified": True,
            }


if __name__ == "__main__":
    try:
        print(json.dumps(bench(), indent=2))
    except BenchError as e:
        sys.exit(fail(e))

"""kill -9 of the engine at seeded moments: what was published stands, what was sent is done once.

The engine and the sender are processes of their own; this process watches every event through a
feed, as a downstream does, and compares what it saw with a clean replay of the journal.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.commands import joined
from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue
from harness.waiting import DEADLINE_S, until
from touchline.core.messages import EVENT, LANE_API
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import Replay
from touchline.runtime.runner import Runner


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path, event_slots=4096)
    yield venue
    venue.end()


def send_flow(bus_path: str, seed: int, first: int, count: int) -> None:
    """A sender process: everything in stretches of seeded length; full lanes are waited out."""
    rng = np.random.default_rng([seed, first])
    commands, at = mixed_flow(seed, count, first=first), 0
    with Bus.attach(bus_path).lane(LANE_API) as lane:
        while at < count:
            stretch = int(rng.integers(1, 200))
            lane.send(commands[at : at + stretch], timeout_s=DEADLINE_S)
            at += stretch


class Watcher(threading.Thread):
    """A downstream: keeps every event it is given, and when."""

    def __init__(self, venue: RuntimeVenue) -> None:
        super().__init__()
        self.feed = EventFeed(venue.bus_path, venue.journal)
        self.parts = [np.empty(0, EVENT)]
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set() or self.feed.wait(0.0):
            if self.feed.wait(0.05):
                self.parts.append(self.feed.read())

    def seen(self) -> np.ndarray:
        return joined(self.parts)


def kill_at_seeded_moments(
    venue: RuntimeVenue, rng: np.random.Generator, kills: int, count: int
) -> None:
    """Each engine lives until it has done some more commands, then a moment longer."""
    bus, done = venue.attach(), 0
    for _ in range(kills):
        done = min(done + int(rng.integers(1, count // kills)), count)
        until(lambda: bus.status()["commands"] >= done, f"{done} commands")  # noqa: B023
        moment = time.perf_counter() + float(rng.random()) * 0.002
        while time.perf_counter() < moment:
            pass
        venue.children[-1].kill()
        venue.children[-1].join()
        done = bus.status()["commands"]
        venue.start_engine()
        until(venue.is_up, "the next engine")
    bus.close()


@pytest.mark.parametrize(("sync", "kills", "count"), [("none", 10, 100_000), ("batch", 4, 8_000)])
def test_a_killed_engine_loses_nothing_and_repeats_nothing(
    venue: RuntimeVenue, seed: int, sync: str, kills: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    venue.sync = sync
    Bus.create(venue.bus_path, **venue.geometry).close()
    venue.start(send_flow, venue.bus_path, seed, 1, count)
    venue.start_engine()
    venue.attach().close()
    watcher = Watcher(venue)
    watcher.start()
    try:
        kill_at_seeded_moments(venue, rng, kills, count)
        with Bus.attach(venue.bus_path) as bus:
            until(lambda: bus.status()["commands"] >= count, f"all {count} commands")
            newest = bus.newest_event
            until(lambda: watcher.feed.next_seq > newest, "the watcher to have seen everything")
    finally:
        watcher.over.set()
        watcher.join()
    venue.children[-1].kill()
    venue.children[-1].join()
    check_journal(venue, mixed_flow(seed, count), watcher.seen())


def check_journal(venue: RuntimeVenue, sent: np.ndarray, seen: np.ndarray) -> None:
    with Replay(venue.journal) as source:
        pairs = [(commands, events.copy()) for commands, events in source]
        clean = source.result()
    kept = joined([commands for commands, _ in pairs])
    assert kept["seq"].tolist() == list(range(1, len(sent) + 1))
    assert (np.diff(kept["ts_ns"]) >= 0).all()
    assert seen.tobytes() == joined([events for _, events in pairs]).tobytes()
    for name in ("seq", "ts_ns", "checksum"):
        kept[name] = sent[name] = 0
    assert kept.tobytes() == sent.tobytes()
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16) as runner,
    ):
        assert runner.open()[:3] == clean


def test_a_killed_sender_leaves_the_lane_to_the_next(venue: RuntimeVenue, seed: int) -> None:
    """Each sender is killed in mid-flow; its commands stand in order up to where it was."""
    rng = np.random.default_rng(seed)
    with venue.running() as (bus, _):
        for _ in range(4):
            before = bus.status()["commands"]
            sender = venue.start(send_flow, venue.bus_path, seed, 1, 1_000_000)
            wanted = before + int(rng.integers(1000, 5000))
            until(lambda: bus.status()["commands"] >= wanted, f"{wanted} commands")  # noqa: B023
            sender.kill()
            sender.join()
            with bus.lane(LANE_API) as lane:
                lane.send(mixed_flow(seed, 1, first=2_000_000_000))
            until(lambda: bus.status()["waiting"] == 0, "the lane to be empty")
    with JournalReader(venue.journal) as reader:
        parts = []
        while len(commands := reader.read(1 << 20)):
            parts.append(commands)
    ids = joined(parts)["cl_ord_id"]
    last = np.uint64(LANE_API << 32 | 2_000_000_000)
    ends = np.flatnonzero(ids == last)
    assert len(ends) == 4
    sent = mixed_flow(seed, len(ids))["cl_ord_id"]
    begin = 0
    for end in ends.tolist():
        assert ids[begin:end].tolist() == sent[: end - begin].tolist()
        begin = end + 1

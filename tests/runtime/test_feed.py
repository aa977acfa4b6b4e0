"""The feed: contiguous and exactly once, whatever the ring, the engine and the reader do."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.commands import joined
from harness.flows import mixed_flow
from harness.venue import RuntimeVenue, wait_commands
from harness.waiting import DEADLINE_S
from touchline.core.messages import EVENT, LANE_API, MsgType, Text, make_commands
from touchline.errors import TouchlineError
from touchline.runtime.directory import Directory
from touchline.runtime.feed import EventFeed, pump
from touchline.runtime.replay import replay


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path, event_slots=256)
    yield venue
    venue.end()


def all_events(venue: RuntimeVenue) -> np.ndarray:
    return joined([np.empty(0, EVENT)] + [events.copy() for _, events in replay(venue.journal)])


def read_to(feed: EventFeed, newest: int, max_events: int = 4096) -> np.ndarray:
    parts = [np.empty(0, EVENT)]
    deadline = time.monotonic() + DEADLINE_S
    while feed.next_seq <= newest:
        assert time.monotonic() < deadline, f"the feed stands at {feed.next_seq} of {newest}"
        feed.wait(0.1)
        parts.append(feed.read(max_events))
        assert len(parts[-1]) <= max_events
    return joined(parts)


@pytest.mark.parametrize("max_events", [1, 50, 4096])
def test_a_lapped_feed_misses_nothing(venue: RuntimeVenue, seed: int, max_events: int) -> None:
    """The ring holds 256 events, and each stretch sends more than it or less."""
    rng = np.random.default_rng(seed)
    commands = mixed_flow(seed, 3000)
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        feed = EventFeed(venue.bus_path, venue.journal)
        parts, at, was_behind, was_level = [], 0, False, False
        while at < len(commands):
            stretch = int(rng.choice([3, 40, 600]))
            lane.send(commands[at : at + stretch], timeout_s=30.0)
            at += stretch
            wait_commands(bus, min(at, len(commands)))
            parts.append(feed.read(max_events))
            was_behind |= feed.behind
            parts.append(read_to(feed, bus.newest_event, max_events))
            was_level |= not feed.behind
        assert (was_behind, was_level) == (True, True)
        assert joined(parts).tobytes() == all_events(venue).tobytes()
        assert len(feed.read()) == 0
        feed.close()
        feed.close()
        for use in (feed.read, lambda: feed.wait(0)):
            with pytest.raises(ValueError, match="the feed is closed"):
                use()


def test_a_feed_begins_where_its_reader_ended(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 2000), timeout_s=30.0)
        wait_commands(bus, 2000)
        expected = all_events(venue)
        newest = bus.newest_event
        for first in (1, 2, newest - 300, newest - 100, newest, newest + 1):
            with EventFeed(venue.bus_path, venue.journal, first) as feed:
                assert read_to(feed, newest).tobytes() == expected[first - 1 :].tobytes()
                assert feed.next_seq == newest + 1
                assert not feed.wait(0.0)


def test_a_feed_follows_the_engine_to_a_new_bus(venue: RuntimeVenue, seed: int) -> None:
    commands = mixed_flow(seed, 2000)
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands[:1000], timeout_s=30.0)
        wait_commands(bus, 1000)
        feed = EventFeed(venue.bus_path, venue.journal)
        parts = [read_to(feed, bus.newest_event)]
        bus.unlink()
    assert not feed.wait(0.0)
    assert len(feed.read()) == 0
    venue.geometry["event_slots"] = 1024
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands[1000:], timeout_s=30.0)
        wait_commands(bus, 2000)
        parts.append(read_to(feed, bus.newest_event))
    assert joined(parts).tobytes() == all_events(venue).tobytes()


def test_a_feed_goes_on_through_a_restart_on_the_same_bus(venue: RuntimeVenue, seed: int) -> None:
    commands = mixed_flow(seed, 2000)
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands[:1000], timeout_s=30.0)
        wait_commands(bus, 1000)
        feed = EventFeed(venue.bus_path, venue.journal)
        parts = [feed.read(500)]
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands[1000:], timeout_s=30.0)
        wait_commands(bus, 2000)
        parts.append(read_to(feed, bus.newest_event))
    assert joined(parts).tobytes() == all_events(venue).tobytes()


def test_a_journal_too_short_for_the_reader_is_said(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 2000), timeout_s=30.0)
        wait_commands(bus, 2000)
        wanted = bus.newest_event - 400
    other = RuntimeVenue(venue.journal.parent / "other")
    other.journal.parent.mkdir()
    with other.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 10))
        wait_commands(bus, 10)
    with (
        EventFeed(venue.bus_path, other.journal, wanted) as feed,
        pytest.raises(TouchlineError, match=f"event {wanted} is wanted, but the journal"),
    ):
        feed.read()
    other.end()


def test_a_number_beyond_the_journal_is_said(venue: RuntimeVenue, seed: int) -> None:
    """As after a power failure took the journal's end, but not what a downstream made of it."""
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 100))
        wait_commands(bus, 100)
        wanted = bus.newest_event + 2
        with (
            EventFeed(venue.bus_path, venue.journal, wanted) as feed,
            pytest.raises(TouchlineError, match=f"event {wanted} is wanted, but the journal"),
        ):
            feed.read()
        with EventFeed(venue.bus_path, venue.journal, wanted - 1) as feed:
            assert len(feed.read()) == 0


def test_the_pump_hands_every_event_over(venue: RuntimeVenue, seed: int) -> None:
    class Collector:
        def __init__(self) -> None:
            self.parts: list[np.ndarray] = []
            self.next_seq = 1

        def consume(self, events: np.ndarray) -> None:
            assert int(events["seq"][0]) == self.next_seq
            self.next_seq += len(events)
            self.parts.append(events)

    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 2000), timeout_s=30.0)
        wait_commands(bus, 2000)
        collector = Collector()
        with EventFeed(venue.bus_path, venue.journal, collector.next_seq) as feed:
            handed = 0
            while count := pump(feed, collector, 700):
                handed += count
        assert handed == bus.newest_event
    assert joined(collector.parts).tobytes() == all_events(venue).tobytes()


def test_a_feed_needs_a_bus_and_a_number(venue: RuntimeVenue) -> None:
    with pytest.raises(FileNotFoundError):
        EventFeed(venue.bus_path, venue.journal)
    with pytest.raises(ValueError, match="numbered from 1"):
        EventFeed(venue.bus_path, venue.journal, 0)


def test_the_directory_knows_every_name(venue: RuntimeVenue) -> None:
    names = [
        (Text.SYMBOL, 0, "AAA"),
        (Text.TICK_SIZE, 0, "0.01"),
        (Text.LOT_SIZE, 1, "100"),
        (Text.CURRENCY, 0, "EUR"),
        (Text.ACCOUNT, 2, "Kontó"),
        (Text.SESSION, 1, "BROKER1"),
        (Text.CL_ORD_ID, 7, "not-a-name"),
        (Text.SYMBOL, 1, "B" * 36),
        (Text.SYMBOL, 1, "renamed"),
        (Text.SYMBOL, 2, "AAA"),
    ]
    commands = make_commands(
        {"type": MsgType.TEXT, "field": kind, "key": key, "text": text} for kind, key, text in names
    )
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands)
        wait_commands(bus, len(names))
    directory = Directory.read(venue.journal)
    assert directory == Directory(
        symbols={0: "AAA", 1: "B" * 36},
        ticks={0: "0.01"},
        lots={1: "100"},
        currencies={0: "EUR"},
        accounts={2: "Kontó"},
        sessions={1: "BROKER1"},
    )

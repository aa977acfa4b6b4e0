"""Bus, lanes, readers, runners and journals across fork, spawn and pickle: told, and harmless."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue, wait_commands
from touchline.core.messages import COMMAND, LANE_API, LANE_FIX
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import Replay
from touchline.runtime.runner import Runner

DEADLINE_S = 60.0


@pytest.fixture
def venue(tmp_path: Any) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def in_child(work: Callable[[], None]) -> None:
    """Do it in a forked child, and fail with its traceback."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(int(DEADLINE_S))
        try:
            work()
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        assert (status, told.read()) == (0, "")


def refused(name: str, use: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match=rf"this {name} belongs to process {os.getppid()}"):
        use()


def test_a_child_that_uses_what_it_inherited_is_told_so(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, runner), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 10))
        wait_commands(bus, 10)
        reader, journal = bus.events(1), JournalReader(venue.journal)

        def use_all() -> None:
            for name, use in (
                ("Lane", lambda: lane.send(mixed_flow(seed, 10, first=11))),
                ("Lane", lambda: lane.cl_ord_ids(1)),
                ("Lane", lambda: lane.number),
                ("Bus", lambda: bus.lane(LANE_FIX)),
                ("Bus", bus.events),
                ("Bus", bus.status),
                ("Bus", bus.unlink),
                ("Bus", bus.retire),
                ("Bus", lambda: bus.linked),
                ("Bus", lambda: bus.newest_event),
                ("EventReader", reader.read),
                ("EventReader", lambda: reader.wait(1.0)),
                ("JournalReader", journal.read),
                ("JournalReader", lambda: journal.capacities),
                ("Runner", runner.stop),
                ("Runner", runner.run),
                ("Runner", runner.state_hash),
            ):
                refused(name, use)

        in_child(use_all)
        lane.send(mixed_flow(seed, 10, first=11))
        wait_commands(bus, 20)
        assert len(reader.read()) > 0
        assert len(journal.read()) == 20
        journal.close()


def test_a_feed_and_a_replay_of_the_parent_are_refused_too(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 10))
        wait_commands(bus, 10)
        with EventFeed(venue.bus_path, venue.journal) as feed, Replay(venue.journal) as replay:

            def use_both() -> None:
                refused("EventReader", feed.read)
                refused("EventReader", feed.wait)
                refused("JournalReader", replay.next_batch)

            in_child(use_both)
            assert len(feed.read()) > 0
            assert replay.next_batch() is not None


@pytest.mark.parametrize("how", ["close", "drop", "exit"])
def test_a_child_that_lets_go_leaves_the_parent_its_lane_and_bus(
    venue: RuntimeVenue, seed: int, how: str
) -> None:
    held: dict[str, Any] = {}
    held["bus"] = Bus.create(venue.bus_path, **venue.geometry)
    held["lane"] = held["bus"].lane(LANE_API)
    held["reader"] = held["bus"].events()

    def let_go() -> None:
        if how == "close":
            for name in ("lane", "bus"):
                held[name].close()
        if how != "exit":
            held.clear()
            gc.collect()

    in_child(let_go)
    with pytest.raises(OSError, match="another live process sends on this lane"):
        held["bus"].lane(LANE_API)
    with pytest.raises(OSError) as busy:
        Bus.create(venue.bus_path, **venue.geometry)
    assert busy.value.errno == 16
    held["lane"].send(mixed_flow(seed, 10))
    assert held["bus"].status()["waiting"] == 10


def test_a_child_that_outlives_its_parent_holds_neither_lane_nor_bus(venue: RuntimeVenue) -> None:
    """Locks are the open file's: a child that kept the descriptors would keep them alive."""
    bus = Bus.create(venue.bus_path, **venue.geometry)
    lane = bus.lane(LANE_API)
    reader, writer = os.pipe()
    there, here = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.write(here, b"!")
        os.read(reader, 1)  # until the parent is done
        os._exit(0)
    try:
        assert os.read(there, 1) == b"!"
        lane.close()
        bus.close()
        with Bus.create(venue.bus_path, **venue.geometry) as again:
            again.lane(LANE_API).close()
        for number in os.listdir(f"/proc/{child}/fd"):
            with contextlib.suppress(FileNotFoundError):
                assert os.readlink(f"/proc/{child}/fd/{number}") != str(venue.bus_path)
        with open(f"/proc/{child}/maps") as maps:
            assert str(venue.bus_path) not in maps.read()
    finally:
        os.close(writer)
        os.waitpid(child, 0)
        for end in (reader, there, here):
            os.close(end)


def test_a_child_opens_its_own_and_every_command_of_both_arrives(
    venue: RuntimeVenue, seed: int
) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:

        def send_too() -> None:
            with Bus.attach(venue.bus_path) as own, own.lane(LANE_FIX) as other:
                other.send(mixed_flow(seed, 500, lane=LANE_FIX))

        in_child(send_too)
        lane.send(mixed_flow(seed, 500))
        wait_commands(bus, 1000)


def send_there(lane: Any) -> None:
    """What a spawned process would do with a lane."""
    lane.send(np.zeros(1, COMMAND))


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy", "spawn"])
def test_what_belongs_to_a_process_is_not_pickled_and_the_refusal_names_it(
    venue: RuntimeVenue, way: str
) -> None:
    with contextlib.ExitStack() as held:
        bus, runner = held.enter_context(venue.running())
        lane = held.enter_context(bus.lane(LANE_API))
        journal = held.enter_context(JournalReader(venue.journal))
        feed = held.enter_context(EventFeed(venue.bus_path, venue.journal))
        replay = held.enter_context(Replay(venue.journal))
        ways: dict[str, Callable[[Any], object]] = {
            "pickle": pickle.dumps,
            "copy": copy.copy,
            "deepcopy": copy.deepcopy,
            "spawn": lambda thing: venue.start(send_there, thing),
        }
        for thing in (bus, lane, bus.events(), runner, journal, feed, replay):
            with pytest.raises(TypeError, match=f"a {type(thing).__name__} can not be copied"):
                ways[way](thing)


def test_a_bus_has_one_engine_at_a_time(venue: RuntimeVenue) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        first = Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16)
        second = Runner(venue.journal.parent / "other", bus, SMALL, segment_bytes=1 << 16)
        first.open()
        with pytest.raises(RuntimeError, match="has an engine already"):
            second.open()
        first.close()
        second.open()
        second.close()
        third = Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16)
        third.open()
        del third
        gc.collect()
        with Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16) as fourth:
            fourth.open()


def test_a_process_pool_forks_while_the_engine_runs(venue: RuntimeVenue, seed: int) -> None:
    """multiprocessing's own children end by sys.exit, which drops all they inherited."""
    import multiprocessing

    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, range(-9, 0)) == list(range(9, 0, -1))
        lane.send(mixed_flow(seed, 100))
        wait_commands(bus, 100)
        deadline = time.monotonic() + DEADLINE_S
        while not bus.status()["alive"]:
            assert time.monotonic() < deadline

"""Ctrl-C while a call waits: heard at once, and everything is as consistent as before."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue
from touchline.core.messages import COMMAND, LANE_ADMIN, LANE_API
from touchline.measure import clock_cost, jitter, loopback_round_trip
from touchline.runtime.bus import Bus
from touchline.runtime.feed import EventFeed
from touchline.runtime.runner import Runner

LONG_S = 300.0  # longer than any test may take: only a signal ends the wait
WRONG = [
    float("nan"), float("inf"), -1.0, -1e-9, 1e12, "1", b"1", None, True, np.True_, 1j, [1],
]  # fmt: skip


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def interrupted(wait: Callable[[], object]) -> KeyboardInterrupt:
    """Send this process a real SIGINT once it waits; returns what the wait raised."""
    main = threading.main_thread().native_id
    done = threading.Event()

    def interrupt() -> None:
        # Asleep in the kernel, twice seen: it is in the wait, not on the way to it.
        seen = 0
        while seen < 2 and not done.is_set():
            with open(f"/proc/self/task/{main}/wchan") as asleep_in:
                seen = seen + 1 if "futex" in asleep_in.read() else 0
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.monotonic()
    helper.start()
    try:
        with pytest.raises(KeyboardInterrupt) as raised:
            wait()
    finally:
        done.set()
        helper.join()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < LONG_S / 2
    return raised.value


def test_ctrl_c_ends_the_wait_for_an_event(venue: RuntimeVenue) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        reader = bus.events()
        interrupted(lambda: reader.wait(LONG_S))
        assert reader.next_seq == 1
        assert not reader.wait(0)
        assert len(reader.read()) == 0


def test_ctrl_c_ends_the_wait_of_a_feed(venue: RuntimeVenue) -> None:
    with venue.running(), EventFeed(venue.bus_path, venue.journal) as feed:
        interrupted(lambda: feed.wait(LONG_S))
        assert feed.next_seq == 1
        assert not feed.wait(0)


def test_ctrl_c_ends_a_send_into_a_full_lane_and_says_what_went_in(
    venue: RuntimeVenue, seed: int
) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus, bus.lane(LANE_API) as lane:
        error = interrupted(lambda: lane.send(mixed_flow(seed, 1500), LONG_S))
        assert lane.sent_last == bus.status()["waiting"] == 1024
        assert error.__notes__ == ["lane 2: 1024 of 1500 commands went in"]
        with pytest.raises(TimeoutError, match="took 0 of 1 commands"):
            lane.send(mixed_flow(seed, 1), 0.01)
        assert lane.sent_last == 0


def test_ctrl_c_ends_a_runner_in_the_main_thread_in_order(venue: RuntimeVenue, seed: int) -> None:
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        Runner(venue.journal, bus, SMALL) as runner,
    ):
        runner.open()
        with bus.lane(LANE_API) as lane:
            lane.send(mixed_flow(seed, 500))
        interrupted(runner.run)
        assert bus.status()["waiting"] == 0
        done = runner.state_hash()
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        Runner(venue.journal, bus, SMALL) as runner,
    ):
        assert runner.open().state_hash == done


@pytest.mark.parametrize("measure", [jitter, loopback_round_trip], ids=lambda call: call.__name__)
def test_a_signal_is_heard_while_the_machine_is_measured(measure: Callable[..., object]) -> None:
    def hear(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            measure(budget_s=50)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_handler_of_the_programs_own_runs_and_the_wait_goes_on(venue: RuntimeVenue) -> None:
    heard: list[int] = []
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        reader = bus.events()
        before = signal.signal(signal.SIGALRM, lambda number, _: heard.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            while not heard:
                assert not reader.wait(0.2)
        finally:
            signal.signal(signal.SIGALRM, before)
    assert heard == [signal.SIGALRM]


def test_a_second_thread_at_a_waiting_reader_is_refused(venue: RuntimeVenue) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        reader = bus.events()
        thread = threading.Thread(target=lambda: ended.append(stale(reader)))
        ended: list[bool] = []
        thread.start()
        deadline = time.monotonic() + 60
        refusal = ""
        while not refusal:
            assert time.monotonic() < deadline
            try:
                reader.read()
            except RuntimeError as error:
                refusal = str(error)
        assert "one thread at a time" in refusal
        bus.unlink()
        thread.join()
        assert ended == [True]


def stale(reader: Any) -> bool:
    try:
        reader.wait(LONG_S)
    except OSError:
        return True
    return False


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_timeout_that_is_none_is_refused_by_name(venue: RuntimeVenue, wrong: Any) -> None:
    with venue.running() as (bus, _), contextlib.ExitStack() as held:
        lane = held.enter_context(bus.lane(LANE_ADMIN))
        feed = held.enter_context(EventFeed(venue.bus_path, venue.journal))
        calls: list[Callable[[], object]] = [
            lambda: bus.events().wait(wrong),
            lambda: lane.send(np.zeros(0, COMMAND), wrong),
            lambda: feed.wait(wrong),
        ]
        for call in calls:
            with pytest.raises((ValueError, TypeError), match=r"^timeout_s "):
                call()
    for measure in (lambda: jitter(budget_s=wrong), lambda: loopback_round_trip(budget_s=wrong)):
        with pytest.raises((ValueError, TypeError), match=r"^budget_s "):
            measure()
    with pytest.raises((ValueError, TypeError), match=r"^budget_s "):
        clock_cost("monotonic", wrong)

"""The bus between processes: who may send, who sees what, and what a stranger is told."""

import errno
import mmap
import os
import struct
import threading
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.commands import joined
from harness.flows import mixed_flow
from harness.venue import SMALL, SPAWN, RuntimeVenue, digest, wait_commands
from harness.waiting import until
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, COMMAND_TEXT, EVENT, LANE_ADMIN, LANE_API, MsgType
from touchline.errors import Lapped
from touchline.runtime.bus import Bus, EventReader, Lane
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import replay
from touchline.runtime.runner import Runner


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def read_all(bus_path: str, events: int, answer: Connection) -> None:
    """A reader process: every event from the first, each once; answers with their digest."""
    bus = Bus.attach(bus_path)
    reader = bus.events(1)
    answer.send("ready")
    parts = []
    while reader.next_seq <= events:
        if reader.wait(10.0):
            parts.append(reader.read())
    answer.send(digest(joined(parts)[:events]))


def hold_lane(bus_path: str, number: int, answer: Connection) -> None:
    with Bus.attach(bus_path).lane(number):
        answer.send("held")
        answer.recv()


def send_as_operator(bus_path: str, sends: int) -> None:
    """One of several processes on the operators' lane."""
    lane = Bus.attach(bus_path).lane(LANE_ADMIN)
    for _ in range(sends):
        command = np.zeros(1, COMMAND)
        command["type"] = MsgType.CANCEL
        command["cl_ord_id"] = lane.cl_ord_ids()
        lane.send(command, timeout_s=30.0)


def test_every_reader_process_sees_every_event_once(venue: RuntimeVenue, seed: int) -> None:
    commands = mixed_flow(seed, 20_000)
    with venue.running() as (bus, _):
        pipes = [SPAWN.Pipe() for _ in range(3)]
        # The number of events is known only afterwards; a clean run of the same flow tells it.
        events = len(expected_events(commands))
        for _, theirs in pipes:
            venue.start(read_all, venue.bus_path, events, theirs)
        for ours, _ in pipes:
            assert ours.recv() == "ready"
        with bus.lane(LANE_API) as lane:
            for at in range(0, len(commands), 500):
                lane.send(commands[at : at + 500], timeout_s=30.0)
        digests = [ours.recv() for ours, _ in pipes]
        assert bus.newest_event == events
    replayed = joined([events.copy() for _, events in replay(venue.journal)])
    assert digests == [digest(replayed)] * 3


def expected_events(commands: np.ndarray) -> np.ndarray:
    return Engine(**SMALL._asdict()).submit(commands)


def test_a_lane_belongs_to_one_process_until_it_dies(venue: RuntimeVenue) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        ours, theirs = SPAWN.Pipe()
        child = venue.start(hold_lane, venue.bus_path, LANE_API, theirs)
        assert ours.recv() == "held"
        with pytest.raises(OSError, match="another live process sends on this lane") as refused:
            bus.lane(LANE_API)
        assert refused.value.errno == errno.EADDRINUSE
        child.kill()
        child.join()
        bus.lane(LANE_API).close()


def test_operators_in_many_processes_share_their_lane(venue: RuntimeVenue) -> None:
    with venue.running() as (bus, _):
        children = [venue.start(send_as_operator, venue.bus_path, 200) for _ in range(3)]
        for child in children:
            child.join()
            assert child.exitcode == 0
        wait_commands(bus, 600)
    ids = np.concatenate([commands["cl_ord_id"].copy() for commands, _ in replay(venue.journal)])
    assert sorted(ids.tolist()) == list(range(1, 601))


def test_cl_ord_ids_go_on_after_those_in_the_journal(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 700))
        wait_commands(bus, 700)
    Path(venue.bus_path).unlink()
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        bus.lane(LANE_API) as lane,
        pytest.raises(OSError, match="not recovered yet"),
    ):
        lane.cl_ord_ids()
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        assert lane.cl_ord_ids(10) == LANE_API << 32 | 701
        assert lane.cl_ord_ids() == LANE_API << 32 | 711


def test_a_full_lane_says_so_and_keeps_what_went_in(venue: RuntimeVenue, seed: int) -> None:
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        bus.lane(LANE_API) as lane,
        pytest.raises(TimeoutError, match="took 1024 of 3000 commands"),
    ):
        lane.send(mixed_flow(seed, 3000), timeout_s=0.01)
    with venue.running() as (bus, _):
        wait_commands(bus, 1024)
        assert bus.status()["commands"] == 1024


def test_a_sleeping_reader_is_woken(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        reader, woken = bus.events(), []
        sleeper = threading.Thread(target=lambda: woken.append(reader.wait(60.0)))
        sleeper.start()
        lane.send(mixed_flow(seed, 10))
        sleeper.join()
        assert woken == [True]
        assert reader.read()["seq"].tolist() == [1, 2, 3, *range(4, bus.newest_event + 1)]


def test_a_lapped_reader_is_told_what_it_may_read(tmp_path: Path, seed: int) -> None:
    venue = RuntimeVenue(tmp_path, event_slots=64)
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        reader = bus.events(1)
        lane.send(mixed_flow(seed, 1000), timeout_s=30.0)
        wait_commands(bus, 1000)
        with pytest.raises(Lapped) as lapped:
            reader.read()
        assert (lapped.value.next_seq, lapped.value.oldest_seq) == (1, bus.oldest_event)
        events = bus.events(lapped.value.oldest_seq).read()
        assert events["seq"].tolist() == list(range(bus.oldest_event, bus.newest_event + 1))
        assert not bus.events().wait(0.0)
        assert len(bus.events().read()) == 0
    venue.end()


def test_the_status_tells_a_dead_engine_from_a_quiet_one(venue: RuntimeVenue) -> None:
    engine = venue.start_engine()
    with venue.attach() as bus:
        status = bus.status()
        assert (status["state"], status["alive"], status["pid"]) == ("running", True, engine.pid)
        engine.kill()
        engine.join()
        assert (bus.status()["state"], bus.status()["alive"]) == ("running", False)


def test_one_engine_owns_a_bus(venue: RuntimeVenue) -> None:
    venue.start_engine()
    venue.attach().close()
    with pytest.raises(OSError, match="another live engine owns this bus") as refused:
        Bus.create(venue.bus_path)
    assert refused.value.errno == errno.EBUSY
    assert os.stat(venue.bus_path).st_mode & 0o777 == 0o600


def test_readers_and_senders_of_a_replaced_bus_are_told(venue: RuntimeVenue) -> None:
    old = Bus.create(venue.bus_path, **venue.geometry)
    attached = Bus.attach(venue.bus_path)
    reader, lane = attached.events(1), attached.lane(LANE_API)
    old.close()
    with Bus.create(venue.bus_path, lanes=2, lane_slots=64, event_slots=64):
        for use in (reader.read, reader.wait, lambda: lane.send(np.zeros(1, COMMAND))):
            with pytest.raises(OSError, match="attach again") as stale:
                use()
            assert stale.value.errno == errno.ESTALE
        assert attached.detached


def test_no_bus_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Bus.attach(tmp_path / "none.bus")
    (tmp_path / "text.bus").write_text("not a bus at all" * 1000)
    with pytest.raises(OSError, match=r"not a touchline bus.*text\.bus"):
        Bus.attach(tmp_path / "text.bus")
    with pytest.raises(OSError, match="not a touchline bus"):
        Bus.create(tmp_path / "text.bus")
    with pytest.raises(OSError, match="a power of two"):
        Bus.create(tmp_path / "odd.bus", event_slots=1000)


def test_misuse_is_refused(venue: RuntimeVenue) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        lane = bus.lane(LANE_API)
        with pytest.raises(OSError, match="no such lane"):
            bus.lane(3)
        with pytest.raises(ValueError, match="dtype COMMAND"):
            lane.send(np.zeros(3))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="contiguous"):
            lane.send(np.zeros(6, COMMAND)[::2])
        with pytest.raises(ValueError, match="numbered from 1"):
            bus.events(0)
        lane.close()
        with pytest.raises(ValueError, match="closed"):
            lane.send(np.zeros(1, COMMAND))
        reader = bus.events()
    with pytest.raises(ValueError, match="closed"):
        bus.lane(LANE_API)
    assert len(reader.read()) == 0
    for made_elsewhere in (Bus, Lane, EventReader):
        with pytest.raises(TypeError):
            made_elsewhere()


@pytest.mark.parametrize("path", ["a\0b", b"a\0b", "/dev/shm/touchline-test\0.bus", ""], ids=repr)
def test_a_path_with_a_nul_is_refused_and_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str | bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    with Bus.create(tmp_path / "bus", lane_slots=64, event_slots=64) as bus:
        for use in (
            lambda: Bus.create(path),
            lambda: Bus.attach(path),
            lambda: JournalReader(path),
            lambda: Runner(path, bus, EngineCapacities()),
        ):
            with pytest.raises(ValueError, match=r"holds a NUL|is empty"):
                use()
    assert [found.name for found in tmp_path.iterdir()] == ["bus"]


@pytest.mark.parametrize("wrong", [1.0, 64.5, True, "64", None, [64]], ids=repr)
def test_a_number_that_is_not_whole_is_refused_by_name(venue: RuntimeVenue, wrong: Any) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus, bus.lane(LANE_API) as lane:
        lane_slots = bus.path + "2"
        for name, use in (
            ("lane_slots", lambda: Bus.create(lane_slots, lane_slots=wrong)),
            ("number", lambda: bus.lane(wrong)),
            ("count", lambda: lane.cl_ord_ids(wrong)),
            ("max", lambda: bus.events().read(wrong)),
            ("segment_bytes", lambda: Runner(venue.journal, bus, SMALL, segment_bytes=wrong)),
            ("orders_max", lambda: Runner(venue.journal, bus, SMALL._replace(orders_max=wrong))),
            (
                "clock_step_max_s",
                lambda: Runner(venue.journal, bus, SMALL, clock_step_max_s=wrong),
            ),
            (
                "clock_gap_max_days",
                lambda: Runner(venue.journal, bus, SMALL, clock_gap_max_days=wrong),
            ),
            ("indicative_ms", lambda: Runner(venue.journal, bus, SMALL, indicative_ms=wrong)),
        ):
            with pytest.raises(TypeError, match=f"{name} is .*a whole number is wanted"):
                use()
        if wrong is not None:
            with pytest.raises(TypeError, match="next_seq is "):
                bus.events(wrong)
            with pytest.raises(TypeError, match="cpu is "):
                Runner(venue.journal, bus, SMALL, cpu=wrong)
        for count in (-1, 1 << 32):
            with pytest.raises(OverflowError, match=f"count {count} is outside 0 to"):
                lane.cl_ord_ids(count)


def test_commands_of_a_dtype_laid_out_alike_are_sent(venue: RuntimeVenue, seed: int) -> None:
    fields: Mapping[str, Any] = COMMAND.fields or {}
    alike = np.dtype([((f"the {name}", name), fields[name][0]) for name in COMMAND.names or ()])
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 10).view(alike))
        wait_commands(bus, 10)
        with pytest.raises(ValueError, match="dtype COMMAND"):
            lane.send(mixed_flow(seed, 10).view(COMMAND_TEXT))


def test_no_number_is_given_out_twice_when_none_is_asked_for(venue: RuntimeVenue) -> None:
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        with pytest.raises(ValueError, match="count is 0"):
            lane.cl_ord_ids(0)
        assert lane.cl_ord_ids(2) + 2 == lane.cl_ord_ids()


def test_a_ring_that_says_it_is_full_of_events_takes_no_more_memory_than_it_has(
    venue: RuntimeVenue,
) -> None:
    """What another process writes into the header is not to be believed."""
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        reader = bus.events(1)
        with open(venue.bus_path, "r+b") as file:
            ring = mmap.mmap(file.fileno(), 0)
            first = len(ring) - venue.geometry["event_slots"] * EVENT.itemsize
            struct.pack_into("<Q", ring, first + EVENT.itemsize, 1)
            published = find_published(bus, ring, first)
            struct.pack_into("<Q", ring, published, 1 << 60)
            assert bus.newest_event == 1 << 60
            assert len(reader.read(1 << 62)) == 1
            ring.close()


def find_published(bus: Bus, ring: mmap.mmap, end: int) -> int:
    """Where in the header the number of the newest event stands: the word that changes it."""
    for at in range(0, min(end, 8192), 8):
        before = ring[at : at + 8]
        if before != bytes(8):
            continue
        struct.pack_into("<Q", ring, at, 12345)
        found = bus.newest_event == 12345
        ring[at : at + 8] = before
        if found:
            return at
    raise AssertionError("no such word")


def test_sends_from_two_threads_at_once_are_refused(venue: RuntimeVenue, seed: int) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus, bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 1024))
        failures: list[type[BaseException]] = []

        def send_into_full_lane() -> None:
            try:
                lane.send(mixed_flow(seed, 1), timeout_s=5.0)
            except (TimeoutError, RuntimeError, OSError) as error:
                failures.append(type(error))

        threads = [threading.Thread(target=send_into_full_lane) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(lambda: RuntimeError in failures, "the second thread to be refused")
        bus.unlink()
        for thread in threads:
            thread.join()
        assert sorted(failure.__name__ for failure in failures) == ["OSError", "RuntimeError"]


def send_until_refused(lane: Lane, seed: int) -> int:
    """Send in full flow until the venue says it is stopping; how many went in."""
    before, at = lane.sent, 1
    while True:
        try:
            lane.send(mixed_flow(seed, 64, first=at), timeout_s=30.0)
        except OSError as refused:
            if refused.errno != errno.ESHUTDOWN:
                raise
            return lane.sent - before
        at += 64


def test_an_orderly_stop_at_full_flow_loses_nothing_that_was_sent(
    venue: RuntimeVenue, seed: int
) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        runner = Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16)
        runner.open()
        engine = threading.Thread(target=runner.run)
        engine.start()
        counts: list[int] = []
        with bus.lane(LANE_API) as lane:
            sender = threading.Thread(target=lambda: counts.append(send_until_refused(lane, seed)))
            sender.start()
            wait_commands(bus, 5000)
            runner.stop()
            engine.join()
            sender.join()
            assert bus.status()["state"] == "stopped"
            waiting = bus.status()["waiting"]
            assert lane.sent == lane.journaled + waiting
            assert bus.retire() == waiting
            assert Path(venue.bus_path).exists() == bool(waiting)
        with JournalReader(venue.journal) as reader:
            while len(reader.read(1 << 20)):
                pass
            assert reader.next_seq - 1 + waiting == counts[0]
        runner.close()


def test_a_bus_in_which_commands_wait_is_never_removed(venue: RuntimeVenue, seed: int) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus, bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, 100))
        assert bus.retire() == 100
        assert not bus.detached
    with pytest.raises(OSError, match="commands wait in the bus") as refused:
        Bus.create(venue.bus_path, **(venue.geometry | {"lane_slots": 2048}))
    assert refused.value.errno == errno.ENOTEMPTY
    with venue.running() as (bus, _):
        wait_commands(bus, 100)
        assert bus.status()["recover_total"] == 0
    with venue.running() as (bus, _):
        assert (bus.status()["recovered"], bus.status()["recover_total"]) == (100, 100)
        until(lambda: bus.status()["state"] == "running", "the engine")
    with Bus.attach(venue.bus_path) as bus:
        assert bus.retire() == 0
    assert not Path(venue.bus_path).exists()


def test_closing_the_bus_under_an_open_runner_keeps_its_claim(venue: RuntimeVenue) -> None:
    bus = Bus.create(venue.bus_path, **venue.geometry)
    runner = Runner(venue.journal, bus, SMALL)
    runner.open()
    bus.close()
    with pytest.raises(OSError, match="another live engine") as refused:
        Bus.create(venue.bus_path, **venue.geometry)
    assert refused.value.errno == errno.EBUSY
    runner.close()
    Bus.create(venue.bus_path, **venue.geometry).close()


def test_a_bus_that_nobody_made_is_refused_and_ends_no_process() -> None:
    bus = Bus.__new__(Bus)
    for use in (bus.retire, bus.unlink, bus.status, lambda: bus.linked, lambda: bus.detached):
        with pytest.raises(ValueError, match=r"neither Bus\.create nor Bus\.attach"):
            use()


def test_a_bus_file_that_others_may_write_is_refused(venue: RuntimeVenue) -> None:
    Bus.create(venue.bus_path, **venue.geometry).close()
    path = Path(venue.bus_path)
    for mode in (0o666, 0o640, 0o604):
        path.chmod(mode)
        with pytest.raises(PermissionError, match="its mode lets others in"):
            Bus.attach(path)
        with pytest.raises(PermissionError, match="its mode lets others in"):
            Bus.create(path, **venue.geometry)
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(OSError, match="not a touchline bus"):
        Bus.attach(path)
    with pytest.raises(OSError, match="not a touchline bus"):
        Bus.create(path, **venue.geometry)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a touchline bus"):
        Bus.attach(path)


def test_a_bus_knows_whether_its_file_has_been_removed(venue: RuntimeVenue) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        assert bus.linked
        Path(venue.bus_path).unlink()
        assert not bus.linked
        with Bus.create(venue.bus_path, **venue.geometry) as other:
            bus.unlink()
            assert other.linked

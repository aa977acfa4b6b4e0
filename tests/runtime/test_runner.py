"""The engine thread from Python: recovery, settings, one writer, and a disk that is full."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue, wait_commands
from harness.waiting import until
from touchline.core.messages import LANE_API
from touchline.errors import ConfigError, JournalCorrupt
from touchline.runtime.bus import Bus
from touchline.runtime.replay import replay_all
from touchline.runtime.runner import Recovery, Runner


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


@contextmanager
def full_disk(directory: Path, size: str) -> Iterator[None]:
    """A file system of its own size on `directory`."""
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root; the file size limit is tested without")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def send(bus: Bus, seed: int, count: int) -> None:
    with bus.lane(LANE_API) as lane:
        lane.send(mixed_flow(seed, count), timeout_s=30.0)
    wait_commands(bus, count)


def test_a_restart_ends_at_the_same_state(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, runner):
        send(bus, seed, 5000)
        with pytest.raises(RuntimeError, match="running"):
            runner.state_hash()
        runner.stop()
        until(lambda: bus.status()["state"] == "stopped", "the engine to stop")
        events = bus.newest_event
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        runner = Runner(venue.journal, bus, SMALL)
        recovery = runner.open()
        assert recovery == Recovery(5000, events, runner.state_hash(), None, 0, 0)
        assert recovery[:3] == replay_all(venue.journal)
        assert bus.newest_event == events
        assert bus.status()["journal_bytes"] == 5000 * 64 + 6 * 4096
        runner.close()


@pytest.mark.parametrize(
    "settings", [{"wait": "spin"}, {"wait": "yield", "cpu": 0}, {"sync": "batch"}]
)
def test_every_setting_gives_the_same_state(
    venue: RuntimeVenue, seed: int, settings: dict[str, object]
) -> None:
    with venue.running(**settings) as (bus, _):
        send(bus, seed, 2000)
    expected = RuntimeVenue(venue.journal.parent / "expected")
    expected.journal.parent.mkdir()
    with expected.running() as (bus, _):
        send(bus, seed, 2000)
    assert replay_all(venue.journal) == replay_all(expected.journal)
    expected.end()


def test_recovery_cuts_a_torn_tail_and_says_so(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _):
        send(bus, seed, 100)
    segment = venue.journal / "00000001.tlj"
    content = bytearray(segment.read_bytes())
    content[4096 + 99 * 64 + 10] ^= 0xFF
    segment.write_bytes(content)
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        runner = Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16)
        recovery = runner.open()
        assert recovery.commands == 99
        assert recovery.torn is not None
        assert "torn tail at byte 10432 of 00000001.tlj; the last whole command is 99" in (
            recovery.torn
        )
        assert bus.status()["torn"] == recovery.torn
        runner.close()


def test_a_damaged_journal_is_refused_and_the_bus_says_why(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _):
        send(bus, seed, 100)
    segment = venue.journal / "00000001.tlj"
    content = bytearray(segment.read_bytes())
    content[4096 + 50 * 64 + 40] ^= 1
    segment.write_bytes(content)
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        with pytest.raises(JournalCorrupt) as damage:
            Runner(venue.journal, bus, SMALL).open()
        assert damage.value.seq == 51
        assert bus.status()["state"] == "failed"
        assert "bad checksum of the command" in bus.status()["error"]
        assert segment.read_bytes() == bytes(content)


def test_other_limits_are_refused_by_name(venue: RuntimeVenue, seed: int) -> None:
    with venue.running() as (bus, _):
        send(bus, seed, 10)
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        pytest.raises(
            ConfigError,
            match="orders_max 4096, which can be raised but not lowered to 99",
        ),
    ):
        Runner(venue.journal, bus, SMALL._replace(orders_max=99)).open()


def test_a_second_engine_on_the_journal_is_refused(venue: RuntimeVenue) -> None:
    venue.start_engine()
    venue.attach().close()
    other = RuntimeVenue(venue.journal.parent)
    with Bus.create(other.bus_path, **other.geometry) as bus:
        with pytest.raises(OSError, match="another engine writes this journal") as refused:
            Runner(venue.journal, bus, SMALL).open()
        assert refused.value.errno == errno.EBUSY
        assert refused.value.filename == str(venue.journal)
    other.end()


def test_a_full_disk_stops_the_engine_and_loses_nothing(
    venue: RuntimeVenue, tmp_path: Path, seed: int
) -> None:
    venue.journal = tmp_path / "disk" / "journal"
    with full_disk(tmp_path / "disk", "300k"):
        check_full_disk(venue, seed, errno.ENOSPC, lambda: filler_remove(tmp_path / "disk"))


def filler_remove(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)


FILE_SIZE_LIMITED = """
import resource, sys
from pathlib import Path
from harness.venue import RuntimeVenue
import errno, test_runner
venue = RuntimeVenue(Path(sys.argv[1]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
def limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, hard))
def lift():
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
try:
    test_runner.check_full_disk(venue, int(sys.argv[2]), errno.EFBIG, lift, limit)
finally:
    venue.end()
"""


def test_a_file_size_limit_stops_the_engine_and_loses_nothing(tmp_path: Path, seed: int) -> None:
    subprocess.run(
        [sys.executable, "-c", FILE_SIZE_LIMITED, str(tmp_path), str(seed)],
        check=True,
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parents[1]}:{Path(__file__).parent}"},
    )


def check_full_disk(
    venue: RuntimeVenue,
    seed: int,
    expected: int,
    make_room: Callable[[], None],
    take_room: Callable[[], None] = lambda: None,
) -> None:
    """Send until no segment can be made; then make room, restart, and see that all went through."""
    commands = mixed_flow(seed, 20_000)
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        runner = Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16)
        runner.open()
        take_room()
        sender = threading.Thread(target=send, args=(bus, seed, len(commands)))
        sender.start()
        with pytest.raises(OSError, match=r"\.tlj|cannot make the segment") as full:
            runner.run()
        assert full.value.errno == expected
        status = bus.status()
        assert (status["state"], status["errno"]) == ("failed", expected)
        assert "cannot make the segment" in status["error"]
        assert 0 < status["commands"] < len(commands)
        published = bus.newest_event
        state = runner.state_hash()
        runner.close()
        assert replay_all(venue.journal) == (status["commands"], published, state)
        make_room()
        runner = Runner(venue.journal, bus, SMALL, segment_bytes=1 << 16)
        assert runner.open() == Recovery(status["commands"], published, state, None, 0, 0)
        thread = threading.Thread(target=runner.run)
        thread.start()
        sender.join()
        runner.stop()
        thread.join()
        assert replay_all(venue.journal).commands == len(commands)
        runner.close()


def test_no_room_at_all_is_said_at_open(venue: RuntimeVenue, tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk", "32k"), Bus.create(venue.bus_path, **venue.geometry) as bus:
        with pytest.raises(OSError, match="cannot make the segment") as full:
            Runner(tmp_path / "disk" / "journal", bus, SMALL, segment_bytes=1 << 16).open()
        assert full.value.errno == errno.ENOSPC
        assert list((tmp_path / "disk" / "journal").iterdir()) == []


def test_settings_out_of_bounds_are_refused(venue: RuntimeVenue, tmp_path: Path) -> None:
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        with pytest.raises(ValueError, match="spin, yield, park"):
            Runner(venue.journal, bus, SMALL, wait="sleep")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="none, batch"):
            Runner(venue.journal, bus, SMALL, sync="all")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="segment_bytes 5000 is not a multiple"):
            Runner(venue.journal, bus, SMALL, segment_bytes=5000).open()
        with pytest.raises(ConfigError, match="orders_max 0 is outside 1 to 67108864"):
            Runner(venue.journal, bus, SMALL._replace(orders_max=0)).open()
        with (
            Bus.attach(venue.bus_path) as attached,
            pytest.raises(ValueError, match=r"Bus\.create"),
        ):
            Runner(venue.journal, attached, SMALL)
        with Runner(venue.journal, bus, SMALL, cpu=4096) as runner:
            with pytest.raises(RuntimeError, match="not open"):
                runner.run()
            runner.open()
            with pytest.raises(ConfigError, match=r"^cannot run on processor 4096"):
                runner.run()


def test_a_stop_before_run_holds(venue: RuntimeVenue) -> None:
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        Runner(venue.journal, bus, SMALL) as runner,
    ):
        runner.stop()
        runner.open()
        runner.run()
        assert bus.status()["state"] == "stopped"

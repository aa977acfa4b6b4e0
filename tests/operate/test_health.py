"""What the supervisor judges by: progress of a start, signs of life, the record of who runs."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from touchline.config import Config, load
from touchline.control.supervisor.health import Part
from touchline.control.supervisor.launch import Facts
from touchline.control.supervisor.part import channel
from touchline.control.supervisor.state import (
    PAGE_BYTES,
    AlreadyRunning,
    lock_path,
    only_one,
    process_start,
    read_state,
    state_path,
    write_state,
)
from touchline.control.supervisor.ticker import Ticker, beat, signs_of_life


class Told:
    """A part that says what it is told to say."""

    pid = 1

    def __init__(self) -> None:
        self.facts: list[Facts] = []

    def told(self) -> list[Facts]:
        facts, self.facts = self.facts, []
        return facts

    def exit_code(self) -> int | None:
        return None

    def reconfigure(self, config: Config) -> None: ...
    def ask_to_stop(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout_s: float) -> bool:
        return False


def started() -> tuple[Part, Told]:
    part, running = Part("gateway"), Told()
    part.begin(running, 100.0)
    return part, running


def test_a_start_that_moves_is_never_stuck_however_long_it_takes() -> None:
    part, running = started()
    for minute in range(60):
        now = 100.0 + 60 * minute
        running.facts = [{"progress": minute, "of": 60}]
        part.listen(now)
        assert not part.stuck(now + 59, 60)
        assert part.percent == 100 * minute // 60
    assert part.stuck(now + 60, 60)


def test_the_same_progress_told_again_is_no_progress() -> None:
    part, running = started()
    for now in (110.0, 130.0, 159.0):
        running.facts = [{"progress": 5, "of": 10}]
        part.listen(now)
    assert part.stuck(170.0, 60)
    assert not part.stuck(169.0, 60)


def test_a_ready_part_is_hung_when_its_signs_of_life_end_and_only_then() -> None:
    part, running = started()
    part.ready = True
    assert not part.hung(1000.0, 20)  # it has never given one
    running.facts = [{"beat": 1}]
    part.listen(1000.0)
    running.facts = [{"beat": 1}]
    part.listen(1010.0)
    assert not part.hung(1019.9, 20)
    assert part.hung(1020.0, 20)
    part.forgive(1020.0)
    assert not part.hung(1039.9, 20)
    assert part.facts(1030.0)["silent_s"] == 10.0


def test_what_is_done_more_than_expected_is_not_over_the_whole() -> None:
    part, running = started()
    running.facts = [{"progress": 7, "of": 0}]
    part.listen(101.0)
    assert part.percent == 100


def test_a_loop_gives_signs_of_life_where_it_comes_by() -> None:
    given: list[int] = []
    with signs_of_life(given.append), Ticker(3600) as ticker:
        beat()
        assert not ticker.due()
    beat()
    assert given == [1]  # at most one a second, and none outside


def test_what_a_part_tells_comes_whole_and_never_holds_it_back() -> None:
    reader, writer = os.pipe()
    tell = channel(writer)
    for number in range(20_000):  # far more than a pipe holds, and nobody reads
        tell({"beat": number})
    os.set_blocking(reader, False)
    lines = os.read(reader, 1 << 20).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["beat"] for line in lines] == list(range(len(lines)))
    names = ["x" * 36] * 3000
    thread = threading.Thread(target=tell, args=({"sessions": names},))
    thread.start()
    os.set_blocking(reader, True)
    content = b""
    while not content.endswith(b"\n"):
        content += os.read(reader, 65536)
    thread.join()
    assert json.loads(content)["sessions"] == names
    os.close(reader)
    os.close(writer)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(None, {"venue.data_dir": str(tmp_path), "venue.name": "nobody-runs-this"})


def record(pid: int, **more: object) -> dict[str, object]:
    return {"pid": pid, "pid_start": process_start(pid), "parts": {}, **more}


def test_a_record_counts_while_its_writer_lives_and_holds_the_lock(config: Config) -> None:
    with only_one(config):
        write_state(config, record(os.getpid(), n=1))
        assert (read_state(config) or {})["n"] == 1
        with pytest.raises(AlreadyRunning, match=f"already running, pid {os.getpid()}"):
            only_one(config).__enter__()
    assert read_state(config) is None


def test_a_record_left_over_is_not_believed_when_its_pid_lives_again(config: Config) -> None:
    """Also when somebody, not its writer, holds the lock."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        left_over = record(other.pid)
        assert left_over["pid_start"]
        with only_one(config):
            write_state(config, left_over)
            assert read_state(config) is not None
            write_state(config, left_over | {"pid_start": int(str(left_over["pid_start"])) - 1})
            assert read_state(config) is None
        other.communicate(b"\n")
    with only_one(config):
        write_state(config, left_over)
        assert read_state(config) is None


def test_whoever_asks_for_the_state_does_not_keep_a_venue_from_starting(config: Config) -> None:
    lock_path(config).touch()
    descriptor = os.open(lock_path(config), os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    timer = threading.Timer(0.02, os.close, (descriptor,))
    timer.start()
    with only_one(config):
        pass
    timer.join()


def test_a_record_is_written_over_in_place_and_grows_when_it_must(config: Config) -> None:
    with only_one(config):
        write_state(config, record(os.getpid(), n=1))
        before = state_path(config).stat()
        assert before.st_size == PAGE_BYTES
        assert before.st_mode & 0o777 == 0o600
        write_state(config, record(os.getpid(), n=2))
        assert state_path(config).stat().st_ino == before.st_ino
        assert (read_state(config) or {})["n"] == 2
        write_state(config, record(os.getpid(), n=3, text="x" * PAGE_BYTES))
        assert (read_state(config) or {})["n"] == 3
        state_path(config).write_bytes(b"{" * 100)
        assert read_state(config) is None

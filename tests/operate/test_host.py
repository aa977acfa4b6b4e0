"""The supervisor: parts come back, the venue stops in order, and what is wrong is said."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.venue import WholeVenue, outcome, whole_venue, write_config
from harness.waiting import DEADLINE_S, until
from touchline.config import load
from touchline.control.operate.verify import replay_whole
from touchline.control.supervisor.admin import Admin, NotRunning
from touchline.control.supervisor.state import read_state
from touchline.errors import TouchlineError
from touchline.runtime.journal import JournalReader

PARTS = ("engine", "gateway", "publisher", "capture")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeVenue]:
    """One venue for the tests that leave it running."""
    with whole_venue(write_config(tmp_path_factory.mktemp("host"))) as venue:
        venue.enter(990, 991, 992)
        yield venue


@pytest.mark.parametrize("name", PARTS)
def test_a_part_killed_comes_back_and_the_venue_goes_on(venue: WholeVenue, name: str) -> None:
    before = venue.part(name)
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: venue.part(name).get("restarts") == before["restarts"] + 1, "a restart")
    venue.await_open()
    assert venue.part(name)["pid"] != before["pid"]
    others = [part for part in PARTS if part != name]
    assert all(venue.part(part)["pid"] for part in others)
    venue.enter(993)
    with Admin(venue.config) as admin:
        seq, state_hash = admin.checkpoint()
    assert replay_whole(venue.config.journal_dir).checkpoints[seq] == state_hash
    how = "it recovers from the journal" if name == "engine" else "it resumes where it was"
    said = venue.facts(f"part died; {how}")
    assert any(f'name={name} ended="killed by SIGKILL"' in line for line in said)
    assert venue.part(name)["last_failure"] == "killed by SIGKILL"


def test_a_part_ended_by_a_signal_without_a_name_comes_back_too(venue: WholeVenue) -> None:
    before = venue.part("capture")
    os.kill(before["pid"], signal.SIGRTMIN + 1)
    until(lambda: venue.part("capture").get("restarts") == before["restarts"] + 1, "a restart")
    venue.await_open()
    assert venue.part("capture")["last_failure"] == f"killed by signal {signal.SIGRTMIN + 1}"


def test_a_second_venue_of_the_same_data_is_refused(venue: WholeVenue) -> None:
    code, errors = outcome(venue.path)
    assert code == 5
    assert f"is already running, pid {venue.popen.pid}" in errors
    assert "Traceback" not in errors


def test_a_second_venue_of_the_same_name_is_refused(venue: WholeVenue, tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace(load_name(path), venue.config.venue.name))
    code, errors = outcome(path)
    assert code == 5
    assert f"a venue called {venue.config.venue.name} is already running" in errors


def test_commands_do_not_reach_a_venue_of_the_same_name_with_other_data(
    venue: WholeVenue, tmp_path: Path
) -> None:
    path = write_config(tmp_path, engine_alone=True)
    other = f"pid {venue.part('engine')['pid']} is another venue called {venue.config.venue.name}"
    named_alike = path.read_text().replace(load_name(path), venue.config.venue.name)
    with whole_venue(path) as once:
        once.stop()
    path.write_text(named_alike)
    with pytest.raises(NotRunning, match=other):
        Admin(load(path))
    shutil.rmtree(load(path).venue.data_dir)
    with pytest.raises(NotRunning, match=other):
        Admin(load(path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_from_the_terminal_during_the_start_is_an_ordered_stop(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = write_config(tmp_path)
    log = tmp_path / "errors.log"
    with log.open("w") as errors:
        popen = subprocess.Popen(
            [sys.executable, "-m", "touchline.control.operate.cli", "--config", str(path), "run"],
            stderr=errors,
            start_new_session=True,
            # Under nohup the tests' own hang-ups are ignored, and those of their children.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        )
    until(lambda: "name=capture" in log.read_text(), "the last part is started")
    os.killpg(popen.pid, number)  # as a terminal does: to all of the foreground
    assert popen.wait(DEADLINE_S) == 0
    assert "Traceback" not in log.read_text()
    assert 'msg="venue stopped"' in log.read_text()
    assert not load(path).bus_path.exists()


def test_a_venue_runs_without_standard_descriptors(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    command = f"exec '{sys.executable}' -m touchline.control.operate.cli --config '{path}' run"
    with subprocess.Popen(["sh", "-c", f"{command} <&- >&- 2>&-"]) as popen:
        until(lambda: popen.poll() is not None or read_state(load(path)), "the venue opens")
        popen.terminate()
        assert popen.wait(DEADLINE_S) == 0
    log = load(path).log_dir / "touchline.log"
    assert "Traceback" not in log.read_text()


def test_an_engine_that_fails_at_its_first_step_says_why(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    path.write_text(path.read_text().replace("[engine]", "[engine]\ncpu = 9999"))
    code, errors = outcome(path)
    assert code == 5
    assert "touchline: cannot run on processor 9999" in errors


def load_name(path: Path) -> str:
    found = re.search(r'name = "(test[^"]*)"', path.read_text())
    assert found is not None
    return found[1]


def test_a_port_in_use_is_named_with_its_key(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    port = int(re.findall(r"pub_port = (\d+)", path.read_text())[0])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        code, errors = outcome(path)
    assert code == 5
    assert f"publish.pub_port: cannot listen on 127.0.0.1:{port}: Address already in use" in errors
    assert "Traceback" not in errors


def test_a_size_raised_in_the_file_is_taken_at_the_next_start(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    text = path.read_text()
    with whole_venue(path) as venue:
        venue.enter(990, 991, 992)
        small = venue.stop()
    path.write_text(text.replace("orders_max = 1024", "orders_max = 2048"))
    with whole_venue(path) as larger:
        assert f"state_hash={small['state_hash']}" in larger.facts("engine ready")[0]
        larger.enter(993)
        said = larger.stop()
    with JournalReader(larger.config.journal_dir) as journal:
        assert journal.capacities.orders_max == 1024
        assert journal.newest_capacities.orders_max == 2048
    replayed = replay_whole(larger.config.journal_dir)
    assert f"{replayed.state_hash:016x}" == said["state_hash"]
    path.write_text(text)
    code, errors = outcome(path)
    assert code == 5
    assert "orders_max 2048, which can be raised but not lowered to 1024" in errors


def test_stop_and_start_keep_orders_and_state_and_send_nothing_twice(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    with whole_venue(path) as venue:
        venue.enter(990, 991, 992)
        assert venue.config.bus_path.exists()
        said = venue.stop()
        assert not venue.config.bus_path.exists()
        assert not (venue.config.venue.data_dir / "run.json").exists()
    replayed = replay_whole(venue.config.journal_dir)
    assert f"{replayed.state_hash:016x}" == said["state_hash"]
    with whole_venue(path) as again:
        assert f"state_hash={said['state_hash']}" in again.facts("engine ready")[0]
        assert "commands=0" in again.facts("venue set up")[0]
        with Admin(again.config) as admin:
            assert admin.mass_cancel("AAA") == 3
        assert again.stop(signal.SIGINT)["state_hash"] != said["state_hash"]


def test_no_part_survives_a_killed_supervisor_and_the_next_takes_over(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    with whole_venue(path) as venue:
        venue.enter(990, 991)
        pids = [venue.part(name)["pid"] for name in PARTS]
        venue.popen.kill()
        venue.popen.wait()
        until(lambda: not any(_lives(pid) for pid in pids), "all parts are gone")
        assert venue.config.bus_path.exists()
        path.write_text(path.read_text().replace("enabled = true", "enabled = false"))
        with whole_venue(path) as again:
            assert again.facts("taking over the bus of a dead venue")
            with Admin(again.config) as admin:
                assert admin.mass_cancel() == 2


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_all_parts_can_run_as_threads_of_one_process(tmp_path: Path) -> None:
    with whole_venue(write_config(tmp_path), "--in-process") as venue:
        assert {venue.part(name)["pid"] for name in PARTS} == {venue.popen.pid}
        venue.enter(990)
        with Admin(venue.config) as admin:
            assert admin.mass_cancel() == 1
        said = venue.stop()
    replayed = replay_whole(venue.config.journal_dir)
    assert f"{replayed.state_hash:016x}" == said["state_hash"]


def test_a_damaged_journal_stops_the_start_and_says_where(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    with whole_venue(path) as venue:
        venue.enter(*range(900, 1000))
        venue.stop()
    segment = next(venue.config.journal_dir.glob("*.tlj"))
    content = bytearray(segment.read_bytes())
    content[4096 + 64 * 10 + 20] ^= 1
    segment.write_bytes(content)
    code, errors = outcome(path)
    assert code == 5
    assert f"{segment}: command 11 at byte {4096 + 640}" in errors
    assert "Traceback" not in errors


def test_another_tick_size_for_a_known_symbol_is_refused(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    with whole_venue(path) as venue:
        venue.stop()
    path.write_text(path.read_text().replace('tick_size = "0.01"', 'tick_size = "0.05"'))
    code, errors = outcome(path)
    assert code == 2
    assert "AAA: tick_size is 0.01 in the journal and 0.05 in the configuration" in errors
    path.write_text(path.read_text().replace("orders_max = 1024", "orders_max = 512"))
    code, errors = outcome(path)
    assert code == 5
    assert "orders_max 1024, which can be raised but not lowered to 512" in errors


def test_a_full_disk_under_the_journal_stops_the_venue_and_loses_nothing(tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    with whole_venue(path) as venue:
        # No file of the engine's may grow beyond this: the next journal segment is one too many.
        resource.prlimit(venue.part("engine")["pid"], resource.RLIMIT_FSIZE, (65536, 65536))
        seen = _trade_until_it_fails(venue)
        assert venue.popen.wait(30) == 5
        errors = venue.log.read_text()
    assert re.search(r"the engine had to stop: \S+\.tlj: .*`touchline run` again", errors)
    assert "Traceback" not in errors
    kept = replay_whole(venue.config.journal_dir)
    assert kept.events >= seen > 16_000
    with whole_venue(path) as again:
        assert f"events={kept.events} " in again.facts("engine ready")[0]


def _trade_until_it_fails(venue: WholeVenue) -> int:
    """Enter and cancel orders while the venue answers; the newest event that anybody saw."""
    seen = 0
    with contextlib.suppress(OSError, AssertionError, TouchlineError):
        for _ in range(200):
            venue.enter(*[900] * 200, qty=1)
            with Admin(venue.config) as admin:
                admin.mass_cancel()
                seen = admin.checkpoint()[0]
    return seen

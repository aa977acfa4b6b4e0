"""A venue in trouble: what status says of it, who is started again, and how a stop is hastened."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.venue import WholeVenue, outcome, whole_venue, write_config
from harness.waiting import DEADLINE_S, until
from touchline.config import load
from touchline.control.operate.cli import main
from touchline.control.supervisor.state import read_state


def configured(directory: Path, **supervisor: object) -> Path:
    """A configuration with settings of the supervisor's."""
    path = write_config(directory)
    lines = [f"{key} = {value}" for key, value in supervisor.items()]
    path.write_text("\n".join(["[supervisor]", *lines, "", path.read_text()]))
    return path


def status(venue: WholeVenue) -> tuple[int, dict[str, Any]]:
    """Exit code and facts of `touchline status`."""
    result = CliRunner().invoke(main, ["--config", str(venue.path), "status", "--json"])
    return result.exit_code, json.loads(result.stdout) if result.stdout else {}


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeVenue]:
    path = configured(tmp_path_factory.mktemp("status"), hung_s=5, disk_free_mb=0)
    with whole_venue(path) as venue:
        yield venue


@pytest.mark.parametrize(("name", "silent_s"), [("engine", 5), ("gateway", 5), ("capture", 20)])
def test_a_part_that_stands_still_is_started_again(
    venue: WholeVenue, name: str, silent_s: int
) -> None:
    until(lambda: venue.part(name)["silent_s"] is not None, "a first sign of life")
    before = venue.part(name)
    os.kill(before["pid"], signal.SIGSTOP)
    until(lambda: venue.part(name)["restarts"] == before["restarts"] + 1, "a restart")
    venue.await_open()
    assert venue.part(name)["pid"] != before["pid"]
    assert venue.part(name)["last_failure"] == f"gave no sign of life for {silent_s} s"
    venue.enter(990)
    until(lambda: status(venue)[0] == 0, "all is well again")


def test_a_part_that_is_down_and_what_it_said_make_the_venue_degraded(venue: WholeVenue) -> None:
    """The capture's directory is a file for a while."""
    directory = venue.config.capture_dir
    directory.rename(directory.with_name("aside"))
    directory.touch()
    try:
        os.kill(venue.part("capture")["pid"], signal.SIGKILL)

        def told() -> bool:
            code, facts = status(venue)
            return code == 6 and any(f"{directory}" in problem for problem in facts["problems"])

        until(told, "the reason is told")
    finally:
        directory.unlink()
        directory.with_name("aside").rename(directory)
    until(lambda: status(venue)[0] == 0, "all is well again")


def test_a_venue_opens_without_a_capture_that_can_not_be_and_says_so(tmp_path: Path) -> None:
    path = configured(tmp_path, disk_free_mb=0, tries_max=2)
    directory = load(path).capture_dir
    directory.parent.mkdir(parents=True)
    directory.touch()
    venue = WholeVenue(path)
    try:

        def told() -> bool:
            assert venue.popen.poll() is None, venue.log.read_text()
            code, facts = status(venue)
            return code == 6 and any(f"{directory}" in problem for problem in facts["problems"])

        until(told, "the venue is open and says what is missing")
        venue.enter(990)
        until(lambda: venue.part("capture")["restarts"] > 2, "it is tried again and again")
        venue.enter(990)
        directory.unlink()
        until(lambda: status(venue)[0] == 0, "all is well")
    finally:
        venue.end()


def test_what_a_follower_wrote_of_itself_is_shown_with_its_lag(venue: WholeVenue) -> None:
    file = venue.config.capture_dir / "state.json"
    os.kill(venue.part("capture")["pid"], signal.SIGSTOP)
    kept = file.read_bytes() if file.exists() else None
    try:
        venue.enter(990, 991)
        file.write_text(json.dumps({"seq": 1, "ts_ns": 1, "error": "a broken disk"}))
        code, facts = status(venue)
        assert code == 6
        assert "capture: a broken disk" in facts["problems"]
        assert facts["capture"]["behind"] == facts["events"] - 1
        assert facts["capture"]["lag_s"] > 0
    finally:
        if kept is None:
            file.unlink()
        else:
            file.write_bytes(kept)
        os.kill(venue.part("capture")["pid"], signal.SIGCONT)


def test_halts_blocks_and_the_kill_switch_are_shown(venue: WholeVenue) -> None:
    def call(*arguments: str) -> None:
        assert CliRunner().invoke(main, ["--config", str(venue.path), *arguments]).exit_code == 0

    def closed() -> dict[str, Any]:
        return dict(status(venue)[1]["closed"])

    call("halt", "AAA")
    call("block", "ACC2")
    call("kill")
    until(lambda: closed().get("killed") and closed()["halted"] == ["AAA"], "they are shown")
    assert closed()["blocked"] == ["ACC2"]
    text = CliRunner().invoke(main, ["--config", str(venue.path), "status"]).stdout
    assert re.search(r"kill switch +ON", text)
    for command in (("resume", "AAA"), ("unblock", "ACC2"), ("revive",)):
        call(*command)
    until(lambda: not any(closed()[key] for key in ("killed", "halted", "blocked")), "none is")


def test_a_supervisor_that_stands_still_is_told_of_at_once(venue: WholeVenue) -> None:
    os.kill(venue.popen.pid, signal.SIGSTOP)
    try:
        until(lambda: status(venue)[0] == 4, "status says that it hangs")
        assert "the supervisor has given no sign of life" in status(venue)[1]["problems"][0]
    finally:
        os.kill(venue.popen.pid, signal.SIGCONT)
    until(lambda: status(venue)[0] == 0, "all is well again")
    assert "hang" not in venue.log.read_text()


def begun(path: Path) -> tuple[subprocess.Popen[bytes], Path]:
    log = path.parent / "run.log"
    with log.open("w") as errors:
        command = [sys.executable, "-m", "touchline.control.operate.cli", "--config", str(path)]
        return subprocess.Popen([*command, "run"], stderr=errors), log


def kill_at_birth(log: Path, name: str, count: int) -> int:
    """Kill the `count`-th process of a part as soon as the log has it; its number."""

    def born() -> list[str]:
        return re.findall(rf'msg="part started" name={name} pid=(\d+)', log.read_text())

    until(lambda: len(born()) > count, f"{name} is started")
    pid = int(born()[count])
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("name", ["engine", "gateway", "publisher", "capture"])
def test_a_part_that_dies_while_it_starts_does_not_end_the_venue(tmp_path: Path, name: str) -> None:
    path = configured(tmp_path)
    popen, log = begun(path)
    try:
        kill_at_birth(log, name, 0)

        def is_open() -> bool:
            assert popen.poll() is None, log.read_text()
            state = read_state(load(path))
            return bool(
                state and state["open"] and all(p["ready"] for p in state["parts"].values())
            )

        until(is_open, "the venue opens")
        assert (read_state(load(path)) or {})["parts"][name]["restarts"] == 1
        popen.terminate()
        assert popen.wait(DEADLINE_S) == 0
    finally:
        popen.kill()
        popen.wait()


def test_a_part_that_never_comes_up_ends_the_venue_with_its_name(tmp_path: Path) -> None:
    path = configured(tmp_path, tries_max=3)
    popen, log = begun(path)
    try:
        for count in range(3):
            kill_at_birth(log, "gateway", count)
        assert popen.wait(DEADLINE_S) == 5
    finally:
        popen.kill()
        popen.wait()
    last = log.read_text().splitlines()[-1]
    assert last.startswith(
        "touchline: gateway came to its end 3 times while the venue was starting, "
        "the last time so: killed by SIGKILL"
    )
    assert "Traceback" not in log.read_text()


def test_a_start_is_told_with_an_exit_code_of_its_own(tmp_path: Path) -> None:
    """An engine that stands still before it is ready, given up for want of progress."""
    path = configured(tmp_path, no_progress_s=4, tries_max=1, disk_free_mb=0)
    popen, log = begun(path)
    try:
        pid = until(
            lambda: re.search(r"name=engine pid=(\d+)", log.read_text()), "the engine is started"
        )
        os.kill(int(pid[1]), signal.SIGSTOP)
        result = until(
            lambda: (
                (r := CliRunner().invoke(main, ["--config", str(path), "status"])).exit_code == 7
                and r
            ),
            "status says that it starts",
        )
        assert re.search(r"state +starting", result.stdout)
        assert popen.wait(DEADLINE_S) == 5
        assert "made no progress for 4 s while starting" in log.read_text()
    finally:
        popen.kill()
        popen.wait()


def test_a_second_signal_hastens_a_stop_and_a_third_ends_it(tmp_path: Path) -> None:
    path = configured(tmp_path, stop_s=3600, hung_s=3600)
    with whole_venue(path) as venue:
        gateway = venue.part("gateway")["pid"]
        os.kill(gateway, signal.SIGSTOP)
        venue.popen.send_signal(signal.SIGINT)
        until(lambda: venue.facts("venue stops"), "the stop has begun")
        venue.popen.send_signal(signal.SIGINT)
        until(lambda: venue.facts("part did not stop and is ended"), "the gateway is ended")
        assert venue.popen.wait(DEADLINE_S) == 0
        assert len(venue.facts("part did not stop and is ended")) == 1
    with whole_venue(path) as venue:
        for name in ("gateway", "engine", "capture"):
            os.kill(venue.part(name)["pid"], signal.SIGSTOP)
        until(lambda: venue.popen.poll() is not None or _again(venue), "the venue is gone")
        assert venue.popen.returncode == 0


def _again(venue: WholeVenue) -> bool:
    """Signals of one kind that are pending together count once: ask until it is gone."""
    venue.popen.send_signal(signal.SIGTERM)
    return False


def test_without_a_session_the_gateway_is_no_part_of_a_venue(tmp_path: Path) -> None:
    path = configured(tmp_path)
    path.write_text(path.read_text().partition("[[sessions]]")[0])
    code, errors = outcome(path)
    assert code == 2
    assert "sessions: none is configured; add [[sessions]], or fix.enabled=false" in errors


def test_what_a_venue_writes_nobody_else_may_read_whatever_the_umask(tmp_path: Path) -> None:
    path = configured(tmp_path)
    before = os.umask(0)
    try:
        with whole_venue(path) as venue:
            venue.enter(990)
            until(lambda: list(venue.config.capture_dir.rglob("*.parquet")), "a file is captured")
            data_dir = venue.config.venue.data_dir
            found = [data_dir, *data_dir.rglob("*"), venue.config.bus_path]
            assert len(found) > 20
            assert [file for file in found if file.exists() and file.stat().st_mode & 0o007] == []
    finally:
        os.umask(before)
    path.write_text(path.read_text() + 'password = "hunter2"\n')
    path.chmod(0o644)
    with whole_venue(path) as venue:
        assert f"{path} holds passwords and may be read by others" in venue.log.read_text()
        assert "hunter2" not in venue.log.read_text()

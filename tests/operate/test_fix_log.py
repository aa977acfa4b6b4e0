"""The message log as people read it: chosen by time, explained, followed over its rotation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.fix_client import FixClient, utc_now
from harness.venue import WholeVenue, whole_venue, write_config
from harness.waiting import until
from touchline.control.operate.cli import main
from touchline.control.operate.fix_log import LINE_MAX, MessageLog, NoLog, moment

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOURS = ["20260301-09:00:00.000000000", "20260301-10:00:00.000000000",
         "20260301-11:00:00.000000000"]  # fmt: skip


def lines(*numbers: int) -> str:
    return "".join(f"{HOURS[n]} > 8=FIX.4.4|9=5|35=0|10=163|\n" for n in numbers)


def configured(directory: Path) -> tuple[Path, Path]:
    """A configuration, and the directory of its message logs."""
    path = write_config(directory)
    logs = directory / "data" / "fix" / "log"
    logs.mkdir(parents=True)
    return path, logs


def at(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(path), "fix", "log", *arguments])


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeVenue]:
    path = write_config(tmp_path_factory.mktemp("fixlog"))
    path.write_text(path.read_text() + 'password = "hush-hush"\n')
    with whole_venue(path) as venue:
        yield venue


def test_what_a_session_said_is_shown_raw_pretty_and_as_json(venue: WholeVenue) -> None:
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon("554=hush-hush")
        client.send(
            "D", "11=L1", "55=AAA", "54=1", "38=1", "40=2", "44=10.00", f"60={utc_now()}"
        )  # fmt: skip
        client.expect(_35="8", _39="0")
    until(lambda: "150=0" in at(venue.path, "BROKER1").stdout, "it is written")
    text = at(venue.path, "BROKER1").stdout
    assert "hush" not in text
    assert "|554=***|" in text
    assert [line.split()[1] for line in text.splitlines()[:5]] == ["<", "-", ">", "<", ">"]
    shown = at(venue.path, "BROKER1", "--pretty").stdout
    assert "NewOrderSingle(D)" in shown
    assert "(buy)" in shown
    assert "hush" not in shown
    facts = [json.loads(x) for x in at(venue.path, "BROKER1", "--json").stdout.splitlines()]
    assert [f["direction"] for f in facts][:3] == ["<", "-", ">"]
    explained = json.loads(at(venue.path, "BROKER1", "--json", "--pretty").stdout.splitlines()[0])
    assert (explained["name"], explained["good"]) == ("Logon", True)
    assert at(venue.path, "BROKER1", "--until", "1h").stdout == ""
    assert at(venue.path, "BROKER1", "--since", "1h").stdout.startswith(text)
    other = CliRunner().invoke(main, ["--config", str(venue.path), "sessions", "log", "BROKER1"])
    assert other.stdout.startswith(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-02-28", "20260228-00:00:00.000000000"),
        ("2026-02-28T05:53:01.5", "20260228-05:53:01.500000000"),
        ("2026-02-28T05:53+02:00", "20260228-03:53:00.000000000"),
        ("05:53", "20260301-05:53:00.000000000"),
        ("90s", "20260301-11:58:30.000000000"),
        ("1.5h", "20260301-10:30:00.000000000"),
        ("2d", "20260227-12:00:00.000000000"),
    ],
)
def test_a_moment_is_read(text: str, wanted: str) -> None:
    assert moment(text, NOW) == wanted


@pytest.mark.parametrize("text", ["", "now", "25:00", "-5m", "5", "1e9s", "999999999d", "\0", "٣h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|all times"):
        moment(text, NOW)


def test_files_put_aside_come_first_and_the_time_chooses(tmp_path: Path) -> None:
    path, logs = configured(tmp_path)
    (logs / "BROKER1.log.2").write_text(lines(0))
    (logs / "BROKER1.log.1").write_text(lines(1))
    (logs / "BROKER1.log").write_text(lines(2) + "half a li")
    (logs / "BROKER10.log").write_text(lines(0))
    everything = lines(0, 1, 2) + "half a li\n"
    assert at(path, "BROKER1").stdout == everything
    chosen = at(path, "BROKER1", "--since", "2026-03-01T10:00", "--until", "2026-03-01T11:00")
    assert chosen.stdout == lines(1)
    assert at(path, "BROKER1", "--since", "soon").exit_code == 2


@pytest.mark.parametrize(
    "name",
    ["..", ".", "../log/BROKER1", "/etc/passwd", "BROKER1\n", "", "a" * 99, "NOBODY", "\x1b"],
)
def test_a_name_that_is_no_sessions_is_refused(tmp_path: Path, name: str) -> None:
    path, logs = configured(tmp_path)
    (logs / "BROKER1.log").write_text(lines(0))
    (logs / "..log").write_text(lines(0))
    result = at(path, "--", name)
    assert result.exit_code == 1
    assert "configured are BROKER1" in result.stderr
    assert "\x1b" not in result.stderr


def test_a_log_that_is_no_file_or_holds_odd_bytes_harms_nobody(tmp_path: Path) -> None:
    path, logs = configured(tmp_path)
    (logs / "BROKER1.log").write_bytes(b"\x1b[2J\xff\0\n" + b"y" * (LINE_MAX + 5) + b"\n")
    text = at(path, "BROKER1").stdout
    assert all(c.isprintable() or c == "\n" for c in text)
    (logs / "BROKER1.log").unlink()
    (logs / "BROKER1.log").symlink_to("/etc/hostname")
    assert at(path, "BROKER1").exit_code == 5
    (logs / "BROKER1.log").unlink()
    os.mkfifo(logs / "BROKER1.log")
    assert at(path, "BROKER1").exit_code == 1
    with pytest.raises(NoLog):
        MessageLog(logs, "BROKER2")


def followed(path: Path, *arguments: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "touchline.control.operate.cli", "--config", str(path)]
    return subprocess.Popen(
        [*program, "fix", "log", "BROKER1", "--follow", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def test_a_log_is_followed_over_its_rotation_until_somebody_ends_it(tmp_path: Path) -> None:
    path, logs = configured(tmp_path)
    log = logs / "BROKER1.log"
    log.write_text(lines(0))
    process = followed(path)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == lines(0)
        with log.open("a") as file:
            file.write(lines(1)[:20])
            file.flush()
            time.sleep(0.5)  # half a line is not shown
            file.write(lines(1)[20:])
        log.rename(logs / "BROKER1.log.1")
        with (logs / "BROKER1.log.1").open("a") as file:
            file.write(lines(2))
        log.write_text(lines(0))
        for number in (1, 2, 0):
            assert process.stdout.readline() == lines(number)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_following_ends_at_the_time_that_was_said(tmp_path: Path) -> None:
    path, logs = configured(tmp_path)
    (logs / "BROKER1.log").write_text(lines(0))
    result: Any = at(path, "BROKER1", "--follow", "--until", "1s")
    assert (result.exit_code, result.stdout) == (0, lines(0))

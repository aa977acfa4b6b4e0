"""Log lines: one a record, in either format, limited in rate, in files of a bounded size."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from touchline.config import LogSection
from touchline.control.supervisor.log import BURST, WINDOW_S, Limiter, SharedFile

SAY = """
import logging, sys
from pathlib import Path
from touchline.config import LogSection
from touchline.control.supervisor.log import open_log
open_log("test", Path(sys.argv[1]), LogSection(format=sys.argv[2], rotate_mb=1, keep=3))
log = logging.getLogger("x")
exec(sys.argv[3])
"""


def said(directory: Path, form: str, code: str) -> list[str]:
    """What a process with this log wrote to its file; the same went to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", SAY, str(directory), form, code],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    content = (directory / "touchline.log").read_text()
    assert content == done.stderr
    return content.splitlines()


def test_a_line_of_logfmt_begins_with_when_how_bad_who_and_what(tmp_path: Path) -> None:
    (line,) = said(tmp_path, "logfmt", "log.info('venue open', extra={'facts': {'pid': 7}})")
    assert line.startswith("ts=2")
    assert line.endswith('level=info part=test msg="venue open" pid=7')


def test_a_line_of_json_holds_the_same(tmp_path: Path) -> None:
    (line,) = said(tmp_path, "json", "log.warning('venue %s', 'open', extra={'facts': {'n': 7}})")
    facts = json.loads(line)
    assert list(facts) == ["ts", "level", "part", "msg", "n"]
    assert (facts["level"], facts["msg"], facts["n"]) == ("warning", "venue open", 7)


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_nothing_that_is_said_makes_two_lines_or_steers_a_terminal(
    tmp_path: Path, form: str
) -> None:
    code = "log.info('a\\nts=forged\\x1b[2J\\r', extra={'facts': {'b': 'c\\nd', 'e': '\\udcff'}})"
    code += "\ntry: 1 / 0\nexcept ZeroDivisionError: log.exception('failed')"
    lines = said(tmp_path, form, code)
    assert len(lines) == 2
    assert "\x1b" not in "".join(lines)
    assert "ZeroDivisionError" in lines[1]


def test_a_secret_is_never_written(tmp_path: Path) -> None:
    (line,) = said(tmp_path, "logfmt", "log.info('x', extra={'facts': {'password': 'hunter2'}})")
    assert line.endswith("password=***")


def test_a_flood_of_one_wording_becomes_some_lines_and_a_count(tmp_path: Path) -> None:
    code = "for n in range(5000): log.warning('connection %d refused', n)\nlog.warning('other')"
    lines = said(tmp_path, "logfmt", code)
    assert len(lines) == BURST + 1
    assert lines[-1].endswith("msg=other")


def test_what_was_left_out_is_told_when_the_window_is_over() -> None:
    limiter, key = Limiter(), ("x", "refused")
    admitted = [limiter.admit(key, 100.0 + n / 1000) for n in range(BURST + 70)]
    assert admitted == [0] * BURST + [None] * 70
    assert limiter.over(100.0 + WINDOW_S - 0.001) == []
    assert limiter.admit(key, 100.0 + WINDOW_S) == 70
    for n in range(BURST):
        limiter.admit(key, 111.0 + n / 1000)
    assert limiter.over(130.0) == [(key, 1)]
    assert limiter.over(130.0) == []


def test_a_file_is_put_aside_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "touchline.log"
    writers = [SharedFile(path, LogSection(rotate_mb=1, keep=3)) for _ in range(3)]
    line = b"%06d " + b"x" * 1016 + b"\n"
    for number in range(6000):  # three processes in turn
        writers[number % 3].write(line % number)
    kept = sorted(file.name for file in tmp_path.glob("touchline.log*"))
    assert kept == [f"touchline.log{end}" for end in ("", ".1", ".2", ".3")]
    numbers = [
        int(text.split()[0])
        for name in reversed(kept)
        for text in (tmp_path / name).read_text().splitlines()
    ]
    assert numbers == list(range(numbers[0], 6000))
    assert all((tmp_path / name).stat().st_size <= (1 << 20) + 1024 for name in kept)
    assert (path.stat().st_mode & 0o777) in (0o640, 0o600)


def test_a_file_somebody_moved_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log" / "touchline.log"
    file = SharedFile(path, LogSection())
    file.write(b"one\n")
    path.rename(tmp_path / "moved")
    file.write(b"two\n")
    assert (path.read_bytes(), (tmp_path / "moved").read_bytes()) == (b"two\n", b"one\n")
    file.close()


def test_a_full_disk_under_the_log_stops_nobody(tmp_path: Path) -> None:
    from touchline.control.supervisor.log import VenueHandler

    class Full(SharedFile):
        def write(self, line: bytes) -> None:
            raise OSError(28, "No space left on device")

    handler = VenueHandler("test", LogSection(), Full(tmp_path / "log", LogSection()))
    log = logging.getLogger("test.full-disk")
    log.addHandler(handler)
    done = []
    try:
        log.warning("still here")
        done.append("went on")
    finally:
        log.removeHandler(handler)
    assert done == ["went on"]
    assert not (tmp_path / "log").exists()

"""A host's clock that once ran ten years ahead: who says so, and the operator's way out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.stamps import move_stamps
from harness.venue import WholeVenue, whole_venue, write_config
from harness.waiting import until
from touchline.control.operate.cli import main
from touchline.control.operate.stepped import step_words, stepped

DAY_NS = 86_400 * 1_000_000_000
TEN_YEARS_NS = 3650 * DAY_NS
STEPPED = "the host's clock stepped; not believed"


def calling(venue: WholeVenue) -> Callable[..., Result]:
    """The command line for this venue."""
    return lambda *arguments: CliRunner().invoke(main, ["--config", str(venue.path), *arguments])


def ran_ahead(directory: Path) -> Path:
    """The configuration of a venue that ran and stopped while the clock was ten years ahead."""
    path = write_config(directory)
    path.write_text(f"[supervisor]\ndisk_free_mb = 0\n\n{path.read_text()}")
    with whole_venue(path) as venue:
        venue.enter(990)
        venue.stop()
    move_stamps(venue.config.journal_dir, TEN_YEARS_NS)
    shutil.rmtree(venue.config.capture_dir)
    return path


def days_captured(call: Callable[..., Result]) -> list[tuple[str, int]]:
    sql = "SELECT date, count(*) FROM events GROUP BY date ORDER BY date"
    result = call("query", sql, "--json")
    rows = json.loads(result.stdout)["rows"] if result.exit_code == 0 else []
    return [(day, count) for day, count in rows]


def test_a_clock_that_ran_ahead_is_told_of_and_taken_back_by_one_command(tmp_path: Path) -> None:
    with whole_venue(ran_ahead(tmp_path)) as venue:
        call = calling(venue)
        until(lambda: call("status", "--json").exit_code == 6, "status is degraded")
        facts = json.loads(call("status", "--json").stdout)
        assert abs(facts["clock"]["clock_step_ns"] + TEN_YEARS_NS) < DAY_NS
        assert facts["clock"]["clock_refusals"] == 1
        assert "days behind the events' time" in "\n".join(facts["problems"])
        assert "`touchline clock accept`" in "\n".join(facts["problems"])
        until(lambda: venue.facts(STEPPED), "the log says so")
        assert json.loads(call("doctor", "--json").stdout)["stepped"] == stepped(facts["clock"])
        venue.enter(991)
        said = call("clock", "accept", "--json")
        assert said.exit_code == 0, said.stderr
        accepted: dict[str, Any] = json.loads(said.stdout)
        assert abs(accepted["step_ns"] + TEN_YEARS_NS) < DAY_NS
        assert "days behind the last stamp" in accepted["done"]
        until(lambda: call("status", "--json").exit_code == 0, "all is well again")
        until(lambda: venue.facts("the host's clock is believed again"), "the log says so")
        assert len(venue.facts(STEPPED)) == 1
        assert json.loads(call("doctor", "--json").stdout)["stepped"] == []
        venue.enter(992)
        until(lambda: len(days_captured(call)) == 2, "events of both times are captured")
        replayed = json.loads(call("replay", "--json").stdout)
        told = json.loads(call("history", "--json").stdout)
        assert told[-1]["command"] == "clock accept"
        stopped = venue.stop()
        assert stopped["state_hash"] == replayed["state_hash"]


@pytest.mark.parametrize(
    ("step_ns", "words"),
    [
        (TEN_YEARS_NS, "3650.0 days ahead of"),
        (-3 * DAY_NS, "3.0 days behind"),
        (-61_500_000_000, "61.5 s behind"),
        (7_200_000_000_000, "2.0 hours ahead of"),
    ],
)
def test_a_step_is_said_as_people_say_it(step_ns: int, words: str) -> None:
    assert step_words(step_ns) == words


def test_a_clock_that_is_believed_is_not_spoken_of() -> None:
    assert stepped({}) == stepped({"clock_step_ns": 0, "clock_refusals": 3}) == []

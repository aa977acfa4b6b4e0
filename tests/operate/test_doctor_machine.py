"""The doctor on this machine for real: the command line, and the measurements."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from touchline import measure
from touchline.control.doctor import measure as figures
from touchline.control.doctor.clock import ClockState, clock_state, judged
from touchline.control.doctor.machine import Machine
from touchline.control.operate.cli import main
from touchline.runtime.bus import Bus

GROUPS = {"clock", "processor", "memory", "scheduler", "interrupts", "network"}


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus.create(tmp_path / "measure.bus", lanes=1, lane_slots=64, event_slots=64)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_the_doctor_answers_here_in_json_with_an_exit_code_that_agrees() -> None:
    result = call("doctor", "--json")
    facts = json.loads(result.stdout)
    assert result.exit_code == (0 if facts["ok"] else 1)
    assert {check["group"] for check in facts["checks"]} == GROUPS
    assert facts["wrong"] == [check["name"] for check in facts["checks"] if check["ok"] is False]
    assert facts["untold"] == [check["name"] for check in facts["checks"] if check["ok"] is None]
    assert all(check["why"] for check in facts["checks"])
    assert facts["machine"]["cpus"] == os.cpu_count()
    assert "measured" not in facts


def test_the_doctor_and_the_tuner_name_the_same_things() -> None:
    wrong = json.loads(call("doctor", "--json").stdout)["wrong"]
    result = call("tune", "--json")
    assert result.exit_code == 0
    assert sorted(json.loads(result.stdout)["mend"]) == sorted(wrong)
    script = call("tune").stdout
    assert all(name in script for name in wrong)


def test_one_interface_is_looked_at_and_tried_when_named() -> None:
    facts = json.loads(call("doctor", "--json", "--interface", "lo").stdout)
    cards = [check["name"] for check in facts["checks"] if check["group"] == "network"]
    assert cards == [
        "busy poll",
        "lo driver",
        "lo queues",
        "lo coalescing",
        "lo timestamping",
        "lo sockets",
        "lo xdp",
        "network namespaces",
        "ef_vi",
    ]


@pytest.mark.parametrize("arguments", [["--interface", "none-such"], ["--cpus", "two"]])
def test_a_wrong_option_is_told(arguments: list[str]) -> None:
    for command in ("doctor", "tune"):
        result = call(command, *arguments)
        assert result.exit_code == 2
        assert arguments[1] in result.stderr


def test_measuring_gives_every_figure_or_says_why_not(tmp_path: Path) -> None:
    result = call("doctor", "--json", "--measure", "--data-dir", str(tmp_path))
    facts = json.loads(result.stdout)
    checks = {check["name"]: check for check in facts["checks"] if check["group"] == "measured"}
    assert checks.keys() == {figure.name for figure in figures.FIGURES}
    taken = {name.replace(",", "").replace(" ", "_"): check for name, check in checks.items()}
    assert facts["measured"].keys() == taken.keys()
    for name, told in facts["measured"].items():
        if taken[name]["ok"] is None:
            assert not told
            continue
        assert 0 < told["p50_ns"] <= told["p99_ns"] <= told["max_ns"]
    assert facts["measured"]["fdatasync_allocated_file"]["folder"] == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_percentiles_leave_the_warm_up_out() -> None:
    samples = np.array([1e9] * 10 + list(range(1, 91)), dtype=np.float64)
    assert figures.summary(samples) == {
        "samples": 90,
        "p50_ns": 46.0,
        "p90_ns": 82.0,
        "p99_ns": 90.0,
        "p999_ns": 90.0,
        "max_ns": 90.0,
    }
    with pytest.raises(ValueError, match="nothing to measure"):
        figures.summary(np.array([]))


def test_what_can_not_be_measured_is_untold(tmp_path: Path) -> None:
    nowhere = figures.Places(None, None, tmp_path / "none", tmp_path / "none")
    for figure in figures.FIGURES:
        if figure.name.startswith(("fdatasync", "ring")) or "spinning" in figure.name:
            check, facts = figures.measured(figure, nowhere)
            assert (check.ok, facts) == (None, {})
            assert check.why.startswith("can not be told: ")


def test_a_figure_is_held_against_its_limit(tmp_path: Path) -> None:
    where = figures.Places(0, None, tmp_path)
    for limit_ns, ok in ((100, True), (99, False)):
        figure = figures.Figure(
            "x", "p99_ns", limit_ns, "why", lambda _: {"p50_ns": 7, "p99_ns": 100}
        )
        check, _ = figures.measured(figure, where)
        assert check.ok is ok
        assert check.value == "p50 7 ns, p99 100 ns"


def test_measuring_runs_where_this_process_may(tmp_path: Path) -> None:
    where = figures.places(Machine(), tmp_path)
    assert where.near in Machine().online()
    assert (where.far is None) == (len(os.sched_getaffinity(0)) == 1)
    assert where.near != where.far


def test_the_rings_answers_are_counted_and_the_bus_is_used_up(bus: Bus) -> None:
    taken = measure.ring_round_trip(bus, samples_max=500, budget_s=5)
    assert 0 < len(taken) <= 500
    assert bus.newest_event == len(taken)
    with pytest.raises(ValueError, match="a bus of its own"):
        measure.ring_round_trip(bus)


def test_a_bus_somebody_else_made_is_refused(bus: Bus, tmp_path: Path) -> None:
    with Bus.attach(bus.path) as attached, pytest.raises(ValueError, match="a bus of its own"):
        measure.ring_round_trip(attached)


def test_a_budget_out_of_bounds_is_refused(bus: Bus) -> None:
    for take in (
        lambda: measure.jitter(budget_s=0),
        lambda: measure.clock_cost("monotonic", -1),
        lambda: measure.loopback_round_trip(budget_s=61),
        lambda: measure.ring_round_trip(bus, budget_s=float("nan")),
    ):
        with pytest.raises(ValueError, match="budget_s"):
            take()


def test_jitter_adds_up() -> None:
    found = measure.jitter(budget_s=0.02)
    assert found.elapsed_ns >= 20_000_000
    assert found.p50_ns <= found.p99_ns <= found.p999_ns <= found.p9999_ns <= found.max_ns
    assert found.over_1us >= found.over_10us >= found.over_100us >= found.over_1ms
    assert 0 <= found.lost_ns <= found.elapsed_ns


def test_a_clock_that_nobody_keeps_is_not_as_wanted() -> None:
    kept = ClockState(True, 500, 3)
    assert judged(kept, virtual=False).ok is True
    assert judged(kept, virtual=False).value == "synchronised, wrong by 500 us at most"
    assert judged(ClockState(False, 500, 3), virtual=False).ok is False
    assert judged(ClockState(True, 16_000_000, 3), virtual=False).ok is False
    assert judged(None, virtual=False).ok is None


def test_this_machines_clock_is_asked_for() -> None:
    state = clock_state()
    assert state is None or state.max_error_us >= 0

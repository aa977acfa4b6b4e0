"""The C benchmark and its gate: they accept what is right and refuse what is not."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.common import ROOT, Case, flow_file
from benchmarks.gate import BUDGET, STAGES, Counts, compare, inclusive_costs
from harness.programs import compiled
from touchline.core.engine import Engine
from touchline.core.messages import (
    ACCOUNT_ALL,
    COMMAND,
    INSTRUMENT_ALL,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)
from touchline.data import flow

CASES = [
    Case("normal", "normal", 2_000),
    Case("limits", "swing-40", 2_000, limits=True),
    Case("symbols", "flash-crash", 2_000, instruments=40),
    Case("deep", "deep", 1_000, size=3_000),
    Case("burst", "burst", 1_500),
]
FUNCTIONS = """\
fn=(1) run_measured
10 3
cfn=(2) measured_new
calls=2 20
12 1000
cfn=(3) measured_cancel
calls=1 30
13 300
fn=(4) other
11 1
cfn=(2)
calls=1 20
12 34
"""
KINDS = ("new_order", "cancel", "replace")


@pytest.fixture(scope="module")
def bench_core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("bench") / "bench_core")


@pytest.fixture(scope="module")
def bench_stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("bench") / "bench_stages", "-DTL_STAGES")


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_c_and_python_see_the_same_events(case: Case, bench_core: Path, tmp_path: Path) -> None:
    path = flow_file(case, tmp_path)
    done = run(bench_core, "--passes", "2", str(path))
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)
    assert figures["verified"] is True
    assert figures["commands"] == figures["single"]["all"]["count"]
    assert figures["nothing"]["count"] == figures["commands"]
    assert sum(figures["single"][kind]["count"] for kind in KINDS) == figures["commands"]
    assert figures["single"]["new_order"]["count"] == case.orders
    for way in ("one_by_one", "batches_of_256", "skeleton"):
        assert 0 < figures[way]["best_ns"] <= figures[way]["median_ns"]


def test_the_least_of_all_passes_is_in_none_of_them_exceeded(
    bench_core: Path, tmp_path: Path
) -> None:
    done = run(bench_core, "--passes", "1", "--clocked", "3", str(flow_file(CASES[4], tmp_path)))
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)
    least = figures["every_pass"]
    assert least["passes"] == 3
    for kind in (*KINDS, "all"):
        one, every = figures["single"][kind], least["single"][kind]
        assert every["count"] == one["count"]
        for name in ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns"):
            assert every[name] <= one[name]
    assert least["nothing"]["count"] == figures["commands"]
    for found in least["over_1us"].values():
        assert len(found["by_pass"]) == 3
        assert 0 <= found["every_pass"] <= min(found["by_pass"])


def mass_cancels(path: Path, sizes: list[int]) -> list[int]:
    """Write a flow of that many orders, all canceled at once, for each size; where that happens."""
    commands = np.zeros(sum(sizes) + len(sizes), COMMAND)
    for name, value in (("type", MsgType.NEW_ORDER), ("side", Side.BUY), ("price", 1_000),
                        ("qty", 1), ("ord_type", OrdType.LIMIT),
                        ("time_in_force", TimeInForce.DAY)):  # fmt: skip
        commands[name] = value
    ends = np.cumsum([size + 1 for size in sizes]) - 1
    for name, value in (("type", MsgType.MASS_CANCEL), ("side", 0), ("ord_type", 0),
                        ("time_in_force", 0), ("instrument", INSTRUMENT_ALL),
                        ("account", ACCOUNT_ALL)):  # fmt: skip
        commands[name][ends] = value
    commands = flow.numbered(commands)
    setup = flow.setup_commands(1, 1, limits=False)
    engine = Engine(orders_max=1 << 12)
    expected = flow.expect(setup, commands, engine)
    source = flow.Flow("mass-cancels", setup, commands, np.full(len(commands), -1))
    flow.write_file(path, source, commands, expected, engine.capacities, engine.state_hash())
    return [int(end) for end in ends]


def test_the_longest_of_all_passes_are_named_with_what_they_wrote(
    bench_core: Path, tmp_path: Path
) -> None:
    """A thousand events can not be written in a microsecond; two short ones are left out."""
    path = tmp_path / "mass.flow"
    at = mass_cancels(path, [1_000, 2, 3, *[1_000] * 7])
    done = run(bench_core, "--passes", "1", "--clocked", "3", str(path))
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)
    least = figures["every_pass"]
    longest = least["longest"]
    assert [one["command"] for one in longest] == [at[0], *at[3:]]
    assert [one["events"] for one in longest] == [1_001] * 8
    assert {one["kind"] for one in longest} == {"other"}
    assert all(0 < one["after"] <= one["command"] for one in longest)
    assert max(one["ns"] for one in longest) == least["single"]["other"]["max_ns"]
    assert least["over_1us"]["commands"]["every_pass"] >= 8


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_command_has_a_time_in_each_stage_it_came_to(
    case: Case, bench_stages: Path, tmp_path: Path
) -> None:
    done = run(bench_stages, "--passes", "2", str(flow_file(case, tmp_path)))
    assert done.returncode == 0, done.stderr
    (figures,) = json.loads(done.stdout)
    assert figures["verified"] is True
    assert figures["clock_step_ns"] > 0
    assert figures["mark_ns"] > 0
    time = figures["time"]
    assert sum(time[kind]["whole"]["count"] for kind in KINDS) == figures["commands"]
    assert time["new_order"]["whole"]["count"] == case.orders
    assert time["cancel"]["risk"]["count"] == 0
    for kind in KINDS:
        whole = time[kind].pop("whole")
        for stage in ("decode", "publish"):
            assert time[kind][stage]["count"] == whole["count"]
        assert time[kind]["match"]["count"] <= whole["count"]
        assert (time[kind]["match"]["count"] > 0) is (whole["count"] > 0)
        added = sum(one["mean_ns"] for one in time[kind].values())
        assert added == pytest.approx(whole["mean_ns"], abs=0.03)
        assert sum(count for _, count in whole["buckets"]) == whole["count"]


def test_a_core_with_marks_that_differs_is_refused(bench_stages: Path, tmp_path: Path) -> None:
    path = flow_file(CASES[0], tmp_path)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    done = run(bench_stages, "--passes", "1", str(path))
    problem = "the state at the end is not the one expected"
    assert (done.returncode, done.stderr) == (1, f"{path}: {problem}\n")
    assert run(bench_stages).returncode == 2
    assert run(bench_stages, "--passes", "0", str(path)).returncode == 2


def test_what_ships_has_no_marks() -> None:
    """After the preprocessor nothing of them is left, unless they are asked for."""
    for name in ("enter.c", "amend.c", "administer.c", "engine.c"):
        source = str(ROOT / "ext/touchline/core" / name)
        for options, marked in (([], False), (["-DTL_STAGES"], True)):
            command = ["cc", "-E", "-P", f"-I{ROOT}/ext", *options, source]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert ("tl_stage" in text) is marked
            assert ("rdtsc" in text) is marked


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        (-3, "the number of events is not the one expected"),
        (-2, "the events are not the ones expected"),
        (-1, "the state at the end is not the one expected"),
    ],
)
def test_an_engine_that_differs_is_refused(
    word: int, problem: str, bench_core: Path, tmp_path: Path
) -> None:
    path = flow_file(CASES[0], tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) + word * 8] ^= 1
    path.write_bytes(data)
    done = run(bench_core, "--passes", "1", str(path))
    assert done.returncode == 1
    assert done.stderr == f"{path}: {problem}\n"


def test_what_is_no_flow_file_is_refused(bench_core: Path, tmp_path: Path) -> None:
    path = flow_file(CASES[0], tmp_path)
    cut = tmp_path / "cut.flow"
    cut.write_bytes(path.read_bytes()[:-8])
    other = tmp_path / "other.flow"
    other.write_bytes(b"not a flow file" * 10)
    for bad, problem in ((cut, "not a whole flow file"), (other, "not a flow file")):
        done = run(bench_core, str(bad))
        assert (done.returncode, done.stderr) == (1, f"{bad}: {problem}\n")
    assert run(bench_core).returncode == 2
    assert run(bench_core, "--passes", "0", str(path)).returncode == 2
    assert run(bench_core, "--clocked", "0", str(path)).returncode == 2


def test_instructions_are_counted_by_kind(bench_core: Path, tmp_path: Path) -> None:
    done = run(bench_core, "--instructions", str(flow_file(CASES[0], tmp_path)))
    (figures,) = json.loads(done.stdout)
    assert figures["new_order"] == 2_000
    assert figures["new_order"] + figures["cancel"] + figures["replace"] == figures["commands"]


def test_a_flow_file_is_written_once(tmp_path: Path) -> None:
    path = flow_file(CASES[0], tmp_path)
    written = path.stat().st_mtime_ns
    assert flow_file(CASES[0], tmp_path) == path
    assert path.stat().st_mtime_ns == written
    assert flow_file(CASES[0], tmp_path, seed=7) != path
    assert not path.exists()


def test_inclusive_costs_are_summed_over_callers() -> None:
    assert inclusive_costs(FUNCTIONS) == {"measured_new": 1034, "measured_cancel": 300}


def test_the_gate_names_what_is_over_budget() -> None:
    budget: dict[str, Counts] = {"normal": {"all": 100.0, "cancel": 50.0}}
    assert compare({"normal": {"all": 102.0, "cancel": 51.0}}, budget) == []
    assert compare({"normal": {"all": 90.0, "cancel": 40.0}}, budget) == []
    assert compare({"normal": {"all": 103.0, "cancel": 51.0}}, budget) == [
        "normal all: 103.0 instructions, 3.0 % over budget"
    ]
    assert compare({"static": {"all": 9.0}}, budget) == [
        "static all: 9.0 instructions, and no budget"
    ]


def test_every_case_has_a_budget() -> None:
    budget = json.loads(BUDGET.read_text())["instructions"]
    assert set(budget) == {
        "static",
        "normal",
        "swing-25",
        "swing-40",
        "flash-crash",
        "normal-limits",
        "normal-100-symbols",
        "mixed",
        "fix",
    }
    assert set(budget.pop("fix")) == {"all", *STAGES}
    for counts in budget.values():
        assert set(counts) == {"all", "new_order", "cancel", "replace"}

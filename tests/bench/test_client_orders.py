"""The benchmark of clients' ids: it refuses a run that is not what the flow file says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.common import Case, flow_file
from harness.programs import compiled

# The last has orders that rest before the clock runs.
CASES = [
    Case("normal", "normal", 2_000),
    Case("symbols", "flash-crash", 2_000, instruments=40),
    Case("deep", "deep", 1_000, size=3_000),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("bench") / "bench_client_orders")


def run(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [str(program), "--passes", "2", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_orders_are_found_by_their_ids_and_the_flow_ends_as_it_must(
    program: Path, tmp_path: Path, case: Case
) -> None:
    path = flow_file(case, tmp_path)
    done = run(program, path)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["verified"]
    assert result["commands"] > result["found"] > 500
    for way in ("one_by_one", "with_client_ids"):
        assert result[way]["best_ns"] > 0


def test_a_flow_that_ends_otherwise_is_refused(program: Path, tmp_path: Path) -> None:
    path = flow_file(CASES[0], tmp_path)
    words = bytearray(path.read_bytes())
    words[-1] ^= 1
    path.write_bytes(words)
    done = run(program, path)
    assert done.returncode == 1
    assert "the state at the end is not the one expected" in done.stderr


def test_a_run_without_a_flow_is_refused(program: Path) -> None:
    assert run(program).returncode == 2

"""A venue ended in full flow: nothing acknowledged is lost, nothing is done twice.

A round or two of each kind; `make campaign` runs dozens.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.campaign import campaign


@pytest.mark.parametrize("kind", ["kill", "stop", "full"])
def test_a_venue_ended_in_full_flow_loses_nothing_and_repeats_nothing(
    tmp_path: Path, seed: int, kind: str
) -> None:
    if kind == "full":
        refuse_without_root(tmp_path)
    counts = campaign(tmp_path, kind, 1 if kind == "full" else 2, seed)
    assert counts["program"] > 1000
    assert counts["reports"] > 1000


def refuse_without_root(directory: Path) -> None:
    trial = directory / "trial"
    trial.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "tmpfs", str(trial)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root alone")
    subprocess.run(["umount", str(trial)], check=True)

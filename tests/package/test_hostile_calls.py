"""No call from Python, however wrong, ends the process: every class and method of every shell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness import hostile_calls, sources

SHELLS = sorted((sources.ROOT / "ext/touchline").rglob("*.pyx"))


def test_every_class_survives_being_made_and_called_wrongly(tmp_path: Path) -> None:
    modules = [sources.module(path, sources.ROOT / "ext") for path in SHELLS]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", hostile_calls.__file__, *modules],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert done.returncode == 0, f"after {said[-1:]}: {done.stderr[-3000:]}"
    assert said[-1] == "alive"
    told = {line.split()[1] for line in said if line.startswith("touchline.")}
    declared = {
        name for path in SHELLS for name in re.findall(r"^cdef class (\w+)", path.read_text(), re.M)
    }
    assert told == declared

"""The programs of benchmarks/core, compiled for a test."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.common import ROOT


def compiled(program: Path, *options: str) -> Path:
    """Compile the program of this name as quickly as possible, with the core's sources."""
    patterns = ("benchmarks/core/*.c", "ext/touchline/*/*.c")
    sources = [
        path
        for pattern in patterns
        for path in sorted(ROOT.glob(pattern))
        if path.stem == program.name or not path.stem.startswith("bench_")
    ]
    command = ["cc", "-std=gnu11", "-O0", "-D_GNU_SOURCE", f"-I{ROOT / 'ext'}", *options]
    command += [*map(str, sources), "-pthread", "-lm", "-o", str(program)]
    subprocess.run(command, check=True)
    return program

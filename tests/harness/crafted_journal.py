"""Journals written without an engine, by the journal's own functions (append_journal.c)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import touchline
from harness.builds import run
from touchline.config import Config
from touchline.core.capacities import EngineCapacities

SOURCE = Path(__file__).with_name("append_journal.c")


def built(directory: Path) -> Path:
    """The program, compiled against the installed library."""
    program = directory / "append_journal"
    run(os.environ.get("CC", "gcc"), "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror",
        f"-I{touchline.get_include()}", SOURCE, f"-L{touchline.get_library_dir()}",
        "-ltouchline_core", "-pthread", "-o", program, cwd=directory)  # fmt: skip
    return program


def append(program: Path, config: Config, batches: Iterable[NDArray[np.void]]) -> None:
    """Put commands, each batch of shape (n,), dtype COMMAND, at the end of a venue's journal."""
    sizes = [getattr(config.engine, name) for name in EngineCapacities._fields]
    config.journal_dir.parent.mkdir(parents=True, exist_ok=True)
    words = [str(program), str(config.journal_dir), str(config.engine.segment_mb << 20)]
    with subprocess.Popen(
        [*words, *(str(size) for size in sizes)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as popen:
        assert popen.stdin is not None
        assert popen.stderr is not None
        for batch in batches:
            popen.stdin.write(batch.tobytes())
        popen.stdin.close()
        complaint = popen.stderr.read().decode()
    assert popen.returncode == 0, complaint

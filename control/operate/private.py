"""Who else may read what should be the venue's alone: its configuration, and its files."""

from __future__ import annotations

import stat
from pathlib import Path

from touchline.config import Config


def exposed(path: Path, config: Config) -> list[str]:
    """What others may read and should not, with the command that ends it."""
    found = []
    if config.sessions and any(session.password for session in config.sessions):
        found += _readable(path, "holds passwords and may be read by others", "600")
    for directory in (config.venue.data_dir, config.fix_dir):
        found += _readable(directory, "may be read by others", "750")
    return found


def _readable(path: Path, what: str, mode: str) -> list[str]:
    try:
        bits = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return []
    loose = stat.S_IROTH | (stat.S_IRGRP if mode == "600" else 0)
    return [f"{path} {what}: chmod {mode} {path}"] if bits & loose else []

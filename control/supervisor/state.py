"""The supervisor's own record, run.json: who runs and how every part is; and whether that holds.

A record is believed while the process that wrote it lives, told by its number and the moment it was
started, and while it holds the lock of the data directory. It is written over in place, so that it
tells the truth also when the disk is full.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from touchline.config import Config
from touchline.errors import TouchlineError

PAGE_BYTES = 16384
READS_MAX = 20  # until one is not mixed with a write
PAUSE_S = 0.005
LOCK_TRIES = 20  # somebody who only asks for the state holds the lock for a moment
_START_FIELD = 19  # of /proc/PID/stat behind the name: when the process was started, in ticks


class AlreadyRunning(TouchlineError):
    """Another supervisor holds the data directory."""

    exit_code = 5


def state_path(config: Config) -> Path:
    """Where the record of this venue lies."""
    return config.venue.data_dir / "run.json"


def lock_path(config: Config) -> Path:
    """Where the lock of this venue lies."""
    return config.venue.data_dir / "run.lock"


def process_start(pid: int) -> int | None:
    """When the process was started, in ticks since boot; None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[_START_FIELD])


def write_state(config: Config, state: dict[str, Any]) -> None:
    """Replace the record. Raises OSError when the disk does not take even that."""
    path = state_path(config)
    text = json.dumps(state).encode()
    pages = -(-(len(text) + 1) // PAGE_BYTES)
    content = text.ljust(pages * PAGE_BYTES - 1) + b"\n"
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size == len(content):
                os.pwrite(descriptor, content, 0)
                return
        finally:
            os.close(descriptor)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
    temporary.replace(path)


def read_state(config: Config) -> dict[str, Any] | None:
    """What the supervisor of a running venue wrote last; None when none runs."""
    for _ in range(READS_MAX):
        try:
            state = json.loads(state_path(config).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            threading.Event().wait(PAUSE_S)
            continue
        return state if isinstance(state, dict) and _holds(config, state) else None
    return None


def _holds(config: Config, state: dict[str, Any]) -> bool:
    pid, started = state.get("pid"), state.get("pid_start")
    if not isinstance(pid, int) or started is None or process_start(pid) != started:
        return False
    try:
        descriptor = os.open(lock_path(config), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def only_one(config: Config) -> Iterator[None]:
    """Hold the lock that says a supervisor runs on this data_dir; it falls with the process."""
    descriptor = os.open(lock_path(config), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(descriptor):
            pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise AlreadyRunning(f"venue {config.venue.name} is already running, pid {pid}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Event().wait(PAUSE_S)
        else:
            return True
    return False

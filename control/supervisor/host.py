"""The composition root: `touchline run` puts the parts together, watches them and takes them down.

   lock data_dir → engine recovers → set-up commands → gateway, publisher, capture → watch
   stop: gateway, then engine, then publisher and capture drain to the last event → remove the bus

A part that dies is started again after a pause that doubles; the engine recovers from its journal
while the others stay attached. A part that cannot start at all, or an engine that cannot write its
journal, stops the venue with a message. One thread, which polls ten times a second.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from touchline.config import Config
from touchline.control.supervisor.admin import Admin, NotRunning
from touchline.control.supervisor.launch import Running, launch, write_atomically
from touchline.control.supervisor.part import (
    CAPTURE,
    ENGINE,
    GATEWAY,
    PUBLISHER,
    WORLD_FAILED,
    enabled_parts,
    listening,
)
from touchline.control.supervisor.setup import left_over, read_journal, setup_commands
from touchline.errors import TouchlineError, describe
from touchline.runtime.bus import Bus

POLL_S = 0.1
READY_S = 60.0
STOP_S = 30.0
PAUSE_FIRST_S = 0.2
PAUSE_MAX_S = 10.0
HEALTHY_S = 30.0
ENGINE_FAILED = "all it has acknowledged is in the journal; mend that, then `touchline run` again"
STOP_STAGES = ((GATEWAY,), (ENGINE,), (PUBLISHER, CAPTURE))

log = logging.getLogger(__name__)


class HostError(TouchlineError):
    """The venue cannot be started, or cannot go on."""

    exit_code = 5


@dataclass(slots=True)
class Part:
    """One part and what became of it."""

    name: str
    running: Running | None = None
    told_start: bool = False
    ready: bool = False
    restarts: int = 0
    pause_s: float = PAUSE_FIRST_S
    start_at: float = 0.0
    since: float = 0.0
    failure: str = ""


class Host:
    """The supervisor of one venue."""

    def __init__(self, config: Config, *, in_process: bool = False) -> None:
        self._config = config
        self._in_process = in_process
        self._parts = {name: Part(name) for name in enabled_parts(config)}
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self.state_hash = ""

    def run(self, stop: threading.Event) -> None:
        """Run the venue until `stop`. Raises HostError or OSError when it cannot (go on)."""
        data_dir = self._config.venue.data_dir
        data_dir.mkdir(parents=True, exist_ok=True)
        with _only_one(data_dir / "run.lock", self._config.venue.name):
            _refuse_live_bus(self._config)
            _refuse_taken_ports(self._config, list(self._parts))
            try:
                self._open(stop)
                while not stop.wait(POLL_S):
                    self._watch()
            finally:
                self._close()

    def _open(self, stop: threading.Event) -> None:
        """Start the parts in order; the first failure ends the attempt."""
        self._start(self._parts[ENGINE])
        self._await_ready(self._parts[ENGINE], stop)
        if stop.is_set():
            return
        try:
            self._set_up()
        except NotRunning:
            # It can be ready and fail at its first step: what it said of that is the reason.
            self._await_ended(self._parts[ENGINE])
            raise
        for part in self._parts.values():
            if part.name != ENGINE:
                self._start(part)
        for part in self._parts.values():
            self._await_ready(part, stop)
        if not stop.is_set():
            self._write_state()
            log.info("venue open", extra={"facts": self._addresses()})

    def _set_up(self) -> None:
        """Make the venue what the configuration says."""
        known = read_journal(self._config.journal_dir)
        commands = setup_commands(self._config, known)
        for name in left_over(self._config, known):
            log.warning("known to the journal but not configured", extra={"facts": {"name": name}})
        if len(commands):
            with Admin(self._config, timeout_s=READY_S) as admin:
                admin.send(commands)
        log.info("venue set up", extra={"facts": {"commands": len(commands)}})

    def _start(self, part: Part) -> None:
        part.running = launch(part.name, self._config, in_process=self._in_process)
        part.told_start = part.ready = False
        part.failure, part.since = "", time.monotonic()
        log.info("part started", extra={"facts": {"name": part.name, "pid": part.running.pid}})

    def _await_ready(self, part: Part, stop: threading.Event) -> None:
        deadline = time.monotonic() + READY_S
        while not stop.is_set() and not self._is_ready(part):
            assert part.running is not None
            code = part.running.exit_code()
            if code is not None:
                self._listen(part)
                raise HostError(part.failure or f"{part.name} {_ending(code)} while starting")
            if time.monotonic() >= deadline:
                raise HostError(f"{part.name} was not ready within {READY_S:g} s; see the log")
            stop.wait(POLL_S / 4)

    def _await_ended(self, part: Part) -> None:
        """Raises HostError with what the part said when it ends by itself soon."""
        assert part.running is not None
        if part.running.wait(PAUSE_MAX_S):
            self._listen(part)
            code = part.running.exit_code() or 0
            raise HostError(part.failure or f"{part.name} {_ending(code)} while starting")

    def _is_ready(self, part: Part) -> bool:
        """The engine says so; a listener is when it listens; the rest when it runs."""
        self._listen(part)
        if part.told_start and not part.ready:
            part.ready = all(_listens(port) for _, _, port in listening(self._config, part.name))
        return part.ready

    def _listen(self, part: Part) -> None:
        """Take in what the part has told."""
        assert part.running is not None
        for facts in part.running.told():
            part.told_start = part.told_start or "started" in facts or "ready" in facts
            part.failure = str(facts.get("failed") or facts.get("crashed") or part.failure)
            if "stopped" in facts:
                self.state_hash = facts["state_hash"]

    def _watch(self) -> None:
        """One look at every part: note who became ready, who died, whose pause is over."""
        for part in self._parts.values():
            if part.running is None:
                if time.monotonic() >= part.start_at:
                    part.restarts += 1
                    self._start(part)
                    self._write_state()
                continue
            if not part.ready and self._is_ready(part):
                log.info("part is back", extra={"facts": {"name": part.name}})
                self._write_state()
            code = part.running.exit_code()
            if code is not None:
                self._bury(part, code)
                self._write_state()

    def _bury(self, part: Part, code: int) -> None:
        """A part has ended: start it again after a pause, or give the venue up."""
        self._listen(part)
        part.running, part.ready = None, False
        if part.name == ENGINE and code == WORLD_FAILED:
            raise HostError(f"the engine had to stop: {part.failure}; {ENGINE_FAILED}")
        healthy = time.monotonic() - part.since >= HEALTHY_S
        part.pause_s = PAUSE_FIRST_S if healthy else min(part.pause_s * 2, PAUSE_MAX_S)
        part.start_at = time.monotonic() + part.pause_s
        facts = {"name": part.name, "ended": _ending(code), "pause_s": f"{part.pause_s:g}"}
        if part.failure:
            facts["error"] = part.failure
        how = "it recovers from the journal" if part.name == ENGINE else "it resumes where it was"
        log.error(f"part died; {how}", extra={"facts": facts})

    def _close(self) -> None:
        """Stop what runs, stage by stage; each part gets its time, then it is ended."""
        for stage in STOP_STAGES:
            parts = [self._parts[name] for name in stage if name in self._parts]
            running = [(part, part.running) for part in parts if part.running is not None]
            for _, process in running:
                process.ask_to_stop()
            for part, process in running:
                self._await_end(part, process)
        with contextlib.suppress(OSError):
            waiting = Bus.attach(str(self._config.bus_path)).retire()
            if waiting:
                # Whoever sent them was told that they went in: the next start does them.
                log.warning("commands wait in the bus; kept", extra={"facts": {"count": waiting}})
        _state_path(self._config).unlink(missing_ok=True)
        log.info("venue stopped", extra={"facts": {"state_hash": self.state_hash or "unknown"}})

    def _await_end(self, part: Part, process: Running) -> None:
        if not process.wait(STOP_S):
            log.error("part did not stop and is ended", extra={"facts": {"name": part.name}})
            process.kill()
        self._listen(part)
        facts = {"name": part.name, "ended": _ending(process.exit_code() or 0)}
        log.info("part stopped", extra={"facts": facts})

    def _addresses(self) -> dict[str, Any]:
        pairs = [item for name in self._parts for item in listening(self._config, name)]
        return {key: f"{host}:{port}" for key, host, port in pairs}

    def _write_state(self) -> None:
        """What `touchline status` reads: who runs, since when, and where it listens."""
        state = {
            "pid": os.getpid(),
            "venue": self._config.venue.name,
            "in_process": self._in_process,
            "bus": str(self._config.bus_path),
            "started": self._started,
            "addresses": self._addresses(),
            "parts": {
                part.name: {
                    "pid": part.running.pid if part.running else None,
                    "ready": part.ready,
                    "restarts": part.restarts,
                    "last_failure": part.failure,
                }
                for part in self._parts.values()
            },
        }
        try:
            write_atomically(_state_path(self._config), json.dumps(state))
        except OSError as error:
            # A venue does not stop trading because its status cannot be written.
            log.warning("state not written", extra={"facts": {"error": describe(error)}})


def run_until_signal(config: Config, *, in_process: bool = False) -> str:
    """Run the venue until SIGTERM, SIGINT or SIGHUP; the engine's last state hash."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # nohup has SIGHUP ignored: the venue is meant to outlive its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    host = Host(config, in_process=in_process)
    host.run(stop)
    return host.state_hash


def read_state(config: Config) -> dict[str, Any] | None:
    """What the supervisor of a running venue wrote last; None when none runs."""
    try:
        state: dict[str, Any] = json.loads(_state_path(config).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if alive(int(state["pid"])) else None


def alive(pid: int) -> bool:
    """Is there a process of this number?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _state_path(config: Config) -> Path:
    return config.venue.data_dir / "run.json"


@contextlib.contextmanager
def _only_one(path: Path, name: str) -> Iterator[None]:
    """Hold the lock that says a supervisor runs on this data_dir; it falls with the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise HostError(f"venue {name} is already running, pid {pid}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _refuse_live_bus(config: Config) -> None:
    """A bus left by a dead venue is taken over; one that is alive belongs to somebody else."""
    try:
        bus = Bus.attach(str(config.bus_path))
    except OSError:
        return
    status = bus.status()
    bus.close()
    if status["alive"]:
        raise HostError(
            f"a venue called {config.venue.name} is already running, pid {status['pid']}; "
            f"give this one another venue.name"
        )
    log.warning("taking over the bus of a dead venue", extra={"facts": {"pid": status["pid"]}})


def _refuse_taken_ports(config: Config, names: list[str]) -> None:
    """Say which key names a port that somebody else listens on, before anything starts."""
    for name in names:
        for key, host, port in listening(config, name):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise HostError(
                        f"{key}: cannot listen on {host}:{port}: {error.strerror}"
                    ) from error


def _listens(port: int) -> bool:
    """Does anybody listen on this port? Looked up, not tried: a try would look like a broker."""
    wanted, listen_state = f"{port:04X}", "0A"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == listen_state and fields[1].endswith(f":{wanted}"):
                    return True
    return False


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else "ended"

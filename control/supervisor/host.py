"""The composition root: `touchline run` puts the parts together, watches them and takes them down.

   lock data_dir → engine recovers → set-up commands → schedule, if there are timetables
                 → gateway, wire, publisher, capture → watch
   stop: gateway and wire, then engine, then publisher and capture drain → remove the bus

A part that dies or hangs is started again after a pause that doubles; the engine recovers from its
journal while the others stay attached. While the venue opens a start is judged by its progress, and
tries are bounded: an engine that cannot write its journal, or a part that never comes up, stops the
venue with a message. One thread, which polls ten times a second.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from touchline.config import LISTS, Config
from touchline.control.supervisor.admin import Admin, NotRunning
from touchline.control.supervisor.changes import only_more, timetables
from touchline.control.supervisor.health import PAUSE_FIRST_S, Part, patience
from touchline.control.supervisor.launch import Running, launch
from touchline.control.supervisor.part import (
    CAPTURE,
    ENGINE,
    GATEWAY,
    PUBLISHER,
    SCHEDULE,
    WIRE,
    WORLD_FAILED,
    enabled_parts,
    listening,
)
from touchline.control.supervisor.ports import listens, refuse_taken_ports, shown
from touchline.control.supervisor.setup import left_over, read_journal, setup_commands
from touchline.control.supervisor.state import only_one, process_start, state_path, write_state
from touchline.control.supervisor.statuses import Follower
from touchline.errors import ConfigError, TouchlineError, describe
from touchline.runtime.bus import Bus

POLL_S = 0.1
STATE_S = 1.0  # the longest time between two records
ASLEEP_S = 3.0  # between two looks: the supervisor itself did not run, so nobody is to blame
PROGRESS_LOG_S = 5.0
CLOCK_CHANGE_NS = 1_000_000_000
PAUSE_MAX_S = 10.0
HEALTHY_S = 30.0
HASTE_S = 2.0  # what is left to a part after a second signal
ENGINE_FAILED = "all it has acknowledged is in the journal; mend that, then `touchline run` again"
OPTIONAL = (CAPTURE,)  # the venue opens without it, and status says so
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STOP_STAGES = ((SCHEDULE, GATEWAY, WIRE), (ENGINE,), (PUBLISHER, CAPTURE))

log = logging.getLogger(__name__)


class HostError(TouchlineError):
    """The venue cannot be started, or cannot go on."""

    exit_code = 5


class Stop(threading.Event):
    """Set when the venue is to stop; `asked` counts how often: twice hastens, three times ends."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.reload = False  # the configuration is to be read again

    def ask(self) -> None:
        self.asked += 1
        self.set()

    def ask_to_reload(self) -> None:
        self.reload = True


class Host:
    """The supervisor of one venue."""

    def __init__(
        self,
        config: Config,
        *,
        in_process: bool = False,
        reload: Callable[[], Config] | None = None,
    ) -> None:
        self._config = config
        self._reload = reload
        self._reloads: dict[str, Any] = {
            "reloads": 0,
            "reload_error": "",
            "sessions_changed": False,
        }
        self._settings = config.supervisor
        self._in_process = in_process
        self._parts = {name: Part(name) for name in enabled_parts(config)}
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._open_now = False
        self._looked_at = self._written_at = self._progress_told_at = time.monotonic()
        self._written: dict[str, Any] = {}
        self._statuses = Follower(config.journal_dir)
        self._disk_low = False
        self._clock_step_ns = 0
        self._bus: Bus | None = None

    @property
    def state_hash(self) -> str:
        """Of the engine that stopped in order; "" when none did."""
        return self._parts[ENGINE].state_hash

    def run(self, stop: Stop) -> None:
        """Run the venue until `stop`. Raises HostError or OSError when it cannot (go on)."""
        if self._config.fix.enabled and not self._config.sessions:
            raise ConfigError(
                "sessions: none is configured; add [[sessions]], or fix.enabled=false"
            )
        if self._config.wire.enabled and not self._config.wire_sessions:
            raise ConfigError(
                "wire_sessions: none is configured; add [[wire_sessions]], or wire.enabled=false"
            )
        data_dir = self._config.venue.data_dir
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        with only_one(self._config):
            _refuse_live_bus(self._config)
            refuse_taken_ports(self._config, list(self._parts))
            try:
                self._open(stop)
                while not stop.wait(POLL_S):
                    self._watch()
                    if stop.reload:
                        stop.reload = False
                        self._take_up_the_file()
            finally:
                self._close(stop)

    def _open(self, stop: Stop) -> None:
        """Start the parts in order; what dies meanwhile is started again, so many times."""
        self._write_state()
        engine = self._parts[ENGINE]
        self._start(engine)
        self._await_ready([engine], stop)
        if stop.is_set():
            return
        try:
            self._set_up()
        except NotRunning:
            # It can be ready and fail at its first step: what it said of that is the reason.
            self._await_ended(engine)
            raise
        if (schedule := self._parts.get(SCHEDULE)) is not None:
            self._start(schedule)  # what is due by now is done before anybody can trade
            self._await_ready([schedule], stop)
        for part in self._parts.values():
            if part.name not in (ENGINE, SCHEDULE) and not stop.is_set():
                self._start(part)
        self._await_ready(list(self._parts.values()), stop)
        if not stop.is_set():
            self._open_now = True
            self._statuses.start()
            self._write_state()
            log.info("venue open", extra={"facts": self._addresses()})

    def _await_ready(self, parts: list[Part], stop: Stop) -> None:
        while not stop.is_set() and not all(_as_up_as_can_be(part) for part in parts):
            self._watch()
            stop.wait(POLL_S / 4)

    def _set_up(self) -> None:
        """Make the venue what the configuration says."""
        known = read_journal(self._config.journal_dir)
        commands = setup_commands(self._config, known)
        for name in left_over(self._config, known):
            log.warning("known to the journal but not configured", extra={"facts": {"name": name}})
        if len(commands):
            timeout_s = self._settings.no_progress_s
            with Admin(self._config, timeout_s=timeout_s, words="run") as admin:
                admin.send(commands)
        log.info("venue set up", extra={"facts": {"commands": len(commands)}})

    def _start(self, part: Part) -> None:
        part.begin(launch(part.name, self._config, in_process=self._in_process), time.monotonic())
        assert part.running is not None
        log.info("part started", extra={"facts": {"name": part.name, "pid": part.running.pid}})

    def _await_ended(self, part: Part) -> None:
        """Raises HostError with what the part said when it ends by itself soon."""
        if part.running is not None and part.running.wait(PAUSE_MAX_S):
            part.listen(time.monotonic())
            code = part.running.exit_code() or 0
            raise HostError(part.failure or f"{part.name} {_ending(code)} while starting")

    def _watch(self) -> None:
        """One look at every part: who became ready, who died or hangs, whose pause is over."""
        now = time.monotonic()
        if now - self._looked_at >= ASLEEP_S:
            for part in self._parts.values():
                part.forgive(now)
        self._looked_at = now
        self._feel_the_engine(now)
        for part in self._parts.values():
            if part.running is not None:
                self._look_at(part, now)
            elif part.since and now >= part.start_at:
                part.restarts += 1
                self._start(part)
        self._tell_progress(now)
        self._write_state_when_due(now)

    def _look_at(self, part: Part, now: float) -> None:
        assert part.running is not None
        part.listen(now)
        if part.told_start and not part.ready and not part.replacing:
            part.ready = all(listens(port) for _, _, port in listening(self._config, part.name))
            if part.ready:
                part.beat_at = now
                if self._open_now:
                    log.info("part is back", extra={"facts": {"name": part.name}})
        if part.ready and now - part.since >= HEALTHY_S:
            part.tries = 0
        code = part.running.exit_code()
        if code is not None:
            self._bury(part, code)
        elif part.stuck(now, self._settings.no_progress_s):
            limit = self._settings.no_progress_s
            self._end_silent(part, f"made no progress for {limit:g} s while starting")
        elif part.hung(now, hung_s := self._settings.hung_s * patience(part.name)):
            self._end_silent(part, f"gave no sign of life for {hung_s:g} s")

    def _feel_the_engine(self, now: float) -> None:
        """The engine's sign of life is in the bus."""
        engine = self._parts[ENGINE]
        if engine.running is None or not engine.ready:
            return
        if self._bus is None or self._bus.detached:
            self._let_go_of_the_bus()
            with contextlib.suppress(OSError):
                self._bus = Bus.attach(str(self._config.bus_path))
        if self._bus is not None:
            status = self._bus.status()
            engine.sign_of_life(status["heartbeat_ns"], now)
            self._warn_of_the_clock(status["clock_step_ns"])

    def _warn_of_the_clock(self, step_ns: int) -> None:
        """Once for each step; readings a little apart are the same one."""
        had_ns, facts = self._clock_step_ns, {"ahead_s": round(step_ns / 1e9, 3)}
        if bool(step_ns) == bool(had_ns) and abs(step_ns - had_ns) < CLOCK_CHANGE_NS:
            return
        self._clock_step_ns = step_ns
        if step_ns:
            log.warning("the host's clock stepped; not believed", extra={"facts": facts})
        else:
            log.info("the host's clock is believed again")

    def _let_go_of_the_bus(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def _take_up_the_file(self) -> None:
        """Read the configuration again: what is said of sessions holds at once, and so do new ones;
        where the gateway can not do that, as when a session goes, a new one takes them up.

        What the engine is told of is `touchline apply`'s; everything else waits for a start.
        """
        error, changed, same, users, days = "", False, True, False, False
        try:
            fresh = self._reload() if self._reload is not None else self._config
            changed = fresh.sessions != self._config.sessions
            users = fresh.wire_sessions != self._config.wire_sessions
            days = timetables(fresh) != timetables(self._config)
            same = only_more(fresh, self._config)
            update = {name: getattr(fresh, name) for name in LISTS}
            self._config = self._config.model_copy(update=update)
        except (OSError, TouchlineError) as problem:
            error = describe(problem)
            log.error("configuration not taken up", extra={"facts": {"error": error}})
        gateway = self._parts.get(GATEWAY)
        if changed and gateway is not None and gateway.running is not None and same:
            gateway.taking_up = True
            gateway.running.reconfigure(self._config)
        elif changed and gateway is not None and gateway.running is not None:
            _replace(gateway)
        for name, differs in ((WIRE, users), (SCHEDULE, days)):
            if differs and (part := self._parts.get(name)) is not None:
                _replace(part)
        count = self._reloads["reloads"] + 1
        self._reloads = {
            "reloads": count,
            "reload_error": error,
            "sessions_changed": changed or users,
        }
        self._write_state()

    def _end_silent(self, part: Part, why: str) -> None:
        """A part that stands still is ended; a thread can not be, and is only told of."""
        assert part.running is not None
        if self._in_process:
            if not part.hung_told:
                log.error("part stands still", extra={"facts": {"name": part.name, "why": why}})
            part.hung_told = True
            return
        part.running.kill()
        part.failure = why
        self._bury(part, part.running.exit_code() or 0)

    def _bury(self, part: Part, code: int) -> None:
        """A part has ended: start it again after a pause, or give the venue up."""
        now = time.monotonic()
        part.listen(now)
        came_up = part.ready
        if part.replacing:
            part.replacing, part.running, part.start_at = False, None, now
            part.restarts -= 1  # it is none: somebody wanted it
            return
        part.running, part.ready, part.sessions = None, False, []
        part.last_failure = part.failure or _ending(code)
        if part.name == ENGINE and code == WORLD_FAILED:
            if not self._open_now:
                raise HostError(part.failure or f"the engine {_ending(code)} while starting")
            raise HostError(f"the engine had to stop: {part.failure}; {ENGINE_FAILED}")
        part.tries = 0 if came_up and self._open_now else part.tries + 1
        bounded = not self._open_now and part.name not in OPTIONAL
        if bounded and part.tries >= self._settings.tries_max:
            why = part.failure or _ending(code)
            raise HostError(
                f"{part.name} came to its end {part.tries} times while the venue was starting, "
                f"the last time so: {why}; see the log in {self._config.log_dir}"
            )
        healthy = now - part.since >= HEALTHY_S
        part.pause_s = PAUSE_FIRST_S if healthy else min(part.pause_s * 2, PAUSE_MAX_S)
        part.start_at = now + part.pause_s
        facts = {"name": part.name, "ended": _ending(code), "pause_s": f"{part.pause_s:g}"}
        if part.failure:
            facts["error"] = part.failure
        how = "it recovers from the journal" if part.name == ENGINE else "it resumes where it was"
        log.error(f"part died; {how}", extra={"facts": facts})

    def _tell_progress(self, now: float) -> None:
        """Say now and then how far those are that are still starting."""
        if now - self._progress_told_at < PROGRESS_LOG_S:
            return
        self._progress_told_at = now
        for part in self._parts.values():
            if part.running is not None and not part.ready and part.progress is not None:
                done, of = part.progress
                facts = {"name": part.name, "done": done, "of": of, "percent": part.percent}
                log.info("part is starting", extra={"facts": facts})

    def _close(self, stop: Stop) -> None:
        """Stop what runs, stage by stage; each part gets its time, then it is ended."""
        log.info("venue stops")
        self._statuses.close()
        self._let_go_of_the_bus()
        for stage in STOP_STAGES:
            parts = [self._parts[name] for name in stage if name in self._parts]
            running = [(part, part.running) for part in parts if part.running is not None]
            for _, process in running:
                process.ask_to_stop()
            for part, process in running:
                self._await_end(part, process, stop)
        with contextlib.suppress(OSError):
            waiting = Bus.attach(str(self._config.bus_path)).retire()
            if waiting:
                # Whoever sent them was told that they went in: the next start does them.
                log.warning("commands wait in the bus; kept", extra={"facts": {"count": waiting}})
        state_path(self._config).unlink(missing_ok=True)
        log.info("venue stopped", extra={"facts": {"state_hash": self.state_hash or "unknown"}})

    def _await_end(self, part: Part, process: Running, stop: Stop) -> None:
        begun = time.monotonic()
        while not process.wait(POLL_S):
            patience = {0: self._settings.stop_s, 1: self._settings.stop_s, 2: HASTE_S}
            if time.monotonic() - begun >= patience.get(stop.asked, 0.0):
                log.error("part did not stop and is ended", extra={"facts": {"name": part.name}})
                process.kill()
                break
        part.listen(time.monotonic())
        facts = {"name": part.name, "ended": _ending(process.exit_code() or 0)}
        log.info("part stopped", extra={"facts": facts})

    def _addresses(self) -> dict[str, Any]:
        pairs = [item for name in self._parts for item in listening(self._config, name)]
        return {key: shown(host, port) for key, host, port in pairs}

    def _write_state_when_due(self, now: float) -> None:
        """At once when something changed, else once a second."""
        changed = [(p.ready, p.running, p.restarts, p.sessions) for p in self._parts.values()]
        if changed != self._written.get("of") or now - self._written_at >= STATE_S:
            self._written["of"] = changed
            self._write_state()

    def _write_state(self) -> None:
        """What `touchline status` reads: who runs, how, since when, and where it listens."""
        now = self._written_at = time.monotonic()
        state = {
            "pid": os.getpid(),
            "pid_start": process_start(os.getpid()),
            "written_ns": time.time_ns(),
            "venue": self._config.venue.name,
            "open": self._open_now,
            "in_process": self._in_process,
            "bus": str(self._config.bus_path),
            "started": self._started,
            "addresses": self._addresses(),
            "closed": self._statuses.facts,
            "overlooked": self._parts[ENGINE].overlooked,
            "sessions": [name for part in self._parts.values() for name in part.sessions],
            **self._reloads,
            "parts": {part.name: part.facts(now) for part in self._parts.values()},
        }
        try:
            self._warn_of_the_disk()
            write_state(self._config, state)
        except OSError as error:
            # A venue does not stop trading because its status cannot be written.
            log.warning("state not written", extra={"facts": {"error": describe(error)}})

    def _warn_of_the_disk(self) -> None:
        free_mb = shutil.disk_usage(self._config.venue.data_dir).free >> 20
        low = free_mb < self._settings.disk_free_mb
        if low and not self._disk_low:
            facts = {"free_mb": free_mb, "wanted_mb": self._settings.disk_free_mb}
            log.warning("little room on the disk of data_dir", extra={"facts": facts})
        self._disk_low = low


def run_until_signal(
    config: Config, *, in_process: bool = False, reload: Callable[[], Config] | None = None
) -> str:
    """Run the venue until SIGTERM, SIGINT or SIGHUP; the engine's last state hash.

    SIGUSR1 has the sessions of what `reload` gives taken up.
    """
    stop = Stop()
    for number in STOP_SIGNALS:
        # nohup has SIGHUP ignored: the venue is meant to outlive its terminal.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.ask())
    signal.signal(signal.SIGUSR1, lambda *_: stop.ask_to_reload())
    host = Host(config, in_process=in_process, reload=reload)
    try:
        host.run(stop)
    finally:
        for number in STOP_SIGNALS:  # a late one is no reason to end otherwise than in order
            signal.signal(number, signal.SIG_IGN)
    return host.state_hash


def _replace(part: Part) -> None:
    """Have a part that runs end, so that a new one takes up what is configured now."""
    if part.running is None:
        return
    log.info("a new part takes up the configuration", extra={"facts": {"name": part.name}})
    part.replacing, part.ready = True, False
    part.running.ask_to_stop()


def _as_up_as_can_be(part: Part) -> bool:
    return part.ready or (part.name in OPTIONAL and part.tries > 0)


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


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code < 0:
        names = {int(one): one.name for one in signal.Signals}  # the real-time ones have none
        return f"killed by {names.get(-code, f'signal {-code}')}"
    return f"ended with exit code {code}" if code else "ended"

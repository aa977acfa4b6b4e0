"""The parts of a venue, and how one of them runs in a process of its own.

`python -m touchline.control.supervisor.part NAME` reads its configuration as a line of JSON from
standard input (a later line is a changed one), runs the part until SIGTERM, and says on the
descriptor it was given when it is ready or why it failed. It ignores SIGINT and SIGHUP, which the
supervisor turns into an ordered stop, and dies with it.
The part runs in the main thread, except that signals need the main thread free of the engine.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from touchline.config import Config
from touchline.control.supervisor.log import open_log
from touchline.control.supervisor.ticker import signs_of_life
from touchline.core.capacities import EngineCapacities
from touchline.errors import TouchlineError, describe
from touchline.runtime.bus import Bus
from touchline.runtime.runner import Runner

ENGINE, GATEWAY, WIRE = "engine", "gateway", "wire"
PUBLISHER, CAPTURE, SCHEDULE = "publisher", "capture", "schedule"
WORLD_FAILED = 5
BUS_LOST = 75
WATCH_BUS_S = 0.5
_SERVICES = {
    SCHEDULE: "touchline.control.schedule.part",
    GATEWAY: "touchline.fix.gateway",
    WIRE: "touchline.control.wire.server",
    PUBLISHER: "touchline.control.publish.publisher",
    CAPTURE: "touchline.control.capture.writer",
}
PRIVATE = 0o027  # what a venue writes is its own: nobody else reads it
COMMAND_BYTES = 64
PROGRESS_S = 0.5
_PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]


def enabled_parts(config: Config) -> list[str]:
    """The parts this configuration asks for, in the order they start."""
    services = {
        SCHEDULE: bool(config.timetables),
        GATEWAY: config.fix.enabled,
        WIRE: config.wire.enabled,
        PUBLISHER: config.publish.enabled,
        CAPTURE: config.capture.enabled,
    }
    return [ENGINE, *(name for name, enabled in services.items() if enabled)]


def listening(config: Config, name: str) -> list[tuple[str, str, int]]:
    """The addresses a part listens on: configuration key, host, port."""
    if name == GATEWAY:
        return [("fix.port", config.fix.host, config.fix.port)]
    if name == WIRE:
        places = [("wire.ouch_port", config.wire.host, config.wire.ouch_port)]
        if config.wire.feed_a is not None:
            places.append(("wire.glimpse_port", config.wire.host, config.wire.glimpse_port))
        return places
    if name == PUBLISHER:
        host = config.publish.host
        return [
            ("publish.pub_port", host, config.publish.pub_port),
            ("publish.snapshot_port", host, config.publish.snapshot_port),
        ]
    return []


def run_part(
    name: str,
    config: Config,
    stop: threading.Event,
    tell: Tell,
    fresh: Callable[[], Config | None] = lambda: None,
) -> int:
    """Run a part until `stop`; its exit code. What fails in the world is told and logged."""
    try:
        if name == ENGINE:
            return _run_engine(config, stop, tell)
        service = importlib.import_module(_SERVICES[name])
        if name == GATEWAY:  # these three tell by themselves how far they are
            return int(service.run(config, stop, tell, fresh) or 0)
        if name in (WIRE, SCHEDULE):
            return int(service.run(config, stop, tell) or 0)
        tell({"started": True})
        with signs_of_life(lambda count: tell({"beat": count})):
            return int(service.run(config, stop) or 0)
    except (OSError, TouchlineError) as error:
        message = describe(error)
        tell({"failed": message})
        log.error("part failed", extra={"facts": {"error": message}})
        return WORLD_FAILED


def _run_engine(config: Config, stop: threading.Event, tell: Tell) -> int:
    """Recover, then run the engine's thread until `stop`."""
    engine = config.engine
    config.journal_dir.parent.mkdir(parents=True, exist_ok=True)
    bus = Bus.create(
        str(config.bus_path), lane_slots=engine.lane_slots, event_slots=engine.event_slots
    )
    capacities = EngineCapacities(*(getattr(engine, name) for name in EngineCapacities._fields))
    runner = Runner(
        str(config.journal_dir),
        bus,
        capacities,
        wait=engine.wait,
        sync=engine.sync,
        segment_bytes=engine.segment_mb << 20,
        cpu=engine.cpu,
        programs="trade",
        clock_step_max_s=engine.clock_step_max_s,
        clock_gap_max_days=engine.clock_gap_max_days,
        indicative_ms=engine.indicative_ms,
    )
    with _progress(config, bus, tell):
        recovery = runner.open()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            runner.run()
        except BaseException as error:
            failure.append(error)
        finally:
            stop.set()

    thread = threading.Thread(target=work, name="engine")
    thread.start()
    # Ready is who takes commands: the thread has begun, or has failed and set `stop`.
    while bus.status()["state"] != "running" and not stop.wait(0.001):
        pass
    facts = {
        "commands": recovery.commands,
        "events": recovery.events,
        "state_hash": f"{recovery.state_hash:016x}",
    }
    if recovery.torn:
        log.warning("journal's torn tail cut", extra={"facts": {"torn": recovery.torn}})
    overlooked = {"count": recovery.overlooked, "first": recovery.overlooked_first}
    if recovery.overlooked:
        log.warning("commands that no lane may send are overlooked", extra={"facts": overlooked})
    log.info("engine ready", extra={"facts": facts})
    tell({"ready": True, **facts, "torn": recovery.torn, "overlooked": overlooked})
    unlinked = _wait_linked(bus, stop)
    runner.stop()
    thread.join()
    if failure:
        raise failure[0]
    state_hash = f"{runner.state_hash():016x}"
    log.info("engine stopped", extra={"facts": {"state_hash": state_hash}})
    tell({"stopped": True, "state_hash": state_hash})
    return _let_go(bus, unlinked)


def _let_go(bus: Bus, unlinked: bool) -> int:
    """Leave the bus to the next engine; one without a name is over. The exit code."""
    if unlinked:
        bus.unlink()
    bus.close()
    return BUS_LOST if unlinked else 0


def _wait_linked(bus: Bus, stop: threading.Event) -> bool:
    """Wait until `stop`, or until somebody has removed the bus's file: True then.

    Nobody could attach any more, nor halt or kill. A file without a name cannot be given one
    again, so the engine does what waits, ends, and is started again with a new bus.
    """
    while not stop.wait(WATCH_BUS_S):
        if not bus.linked:
            facts = {"path": bus.path}
            log.error("the bus file was removed; moving to a new one", extra={"facts": facts})
            return True
    return False


@contextlib.contextmanager
def _progress(config: Config, bus: Bus, tell: Tell) -> Iterator[None]:
    """Tell while the block lasts how many of the journal's commands are recovered."""
    ready = threading.Event()

    def watch() -> None:
        of = sum(path.stat().st_size for path in config.journal_dir.glob("*.tlj")) // COMMAND_BYTES
        while not ready.wait(PROGRESS_S):
            status = bus.status()
            tell({"progress": status["recovered"], "of": status["recover_total"] or of})

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ready.set()
        thread.join()


def channel(descriptor: int) -> Tell:
    """Tell on a pipe, a line of JSON at a time. While nobody reads it what is told is dropped: a
    part does not stand still because its supervisor does."""
    os.set_blocking(descriptor, False)
    lock = threading.Lock()

    def tell(facts: dict[str, Any]) -> None:
        line = json.dumps(facts).encode() + b"\n"
        with lock, contextlib.suppress(BlockingIOError, BrokenPipeError):
            left = line[os.write(descriptor, line) :]
            while left:  # never half a line
                select.select([], [descriptor], [])
                with contextlib.suppress(BlockingIOError):
                    left = left[os.write(descriptor, left) :]

    return tell


def die_with_parent(number: int) -> None:
    """Ask the kernel for this signal when the thread that started this process ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _receive(configs: Iterator[str], later: list[Config]) -> None:
    """Keep the newest configuration that came after the first."""
    for text in configs:
        later[:] = [Config.model_validate_json(text)]


def main(argv: list[str]) -> int:
    """Entry of a part's process: NAME, the supervisor's pid, the descriptor to tell it on."""
    name, parent, descriptor = argv[0], int(argv[1]), int(argv[2])
    die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it is gone already, and nobody will tell us
        return WORLD_FAILED
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    configs = iter(sys.stdin.readline, "")
    config = Config.model_validate_json(next(configs))
    later: list[Config] = []
    threading.Thread(target=_receive, args=(configs, later), name="configs", daemon=True).start()
    os.umask(PRIVATE)
    open_log(name, config.log_dir, config.log)
    tell = channel(descriptor)
    try:
        return run_part(name, config, stop, tell, lambda: later.pop() if later else None)
    except Exception as error:
        tell({"crashed": f"{type(error).__name__}: {error}"})
        log.exception("part crashed")
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The parts of a venue, and how one of them runs in a process of its own.

`python -m touchline.control.supervisor.part NAME` reads its configuration as JSON from
standard input, runs the part until SIGTERM, and says on the descriptor it was given when it is
ready or why it failed. It ignores SIGINT and SIGHUP, which the supervisor turns into an ordered
stop, and dies with it.
The part runs in the main thread, except that signals need the main thread free of the engine.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from touchline.config import Config
from touchline.control.supervisor.log import open_log
from touchline.core.engine import EngineCapacities
from touchline.errors import TouchlineError, describe
from touchline.runtime.bus import Bus
from touchline.runtime.runner import Runner

ENGINE, GATEWAY, PUBLISHER, CAPTURE = "engine", "gateway", "publisher", "capture"
WORLD_FAILED = 5
BUS_LOST = 75
WATCH_BUS_S = 0.5
_SERVICES = {
    GATEWAY: "touchline.fix.acceptor",
    PUBLISHER: "touchline.control.publish.publisher",
    CAPTURE: "touchline.control.capture.writer",
}
_PR_SET_PDEATHSIG = 1

log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]


def enabled_parts(config: Config) -> list[str]:
    """The parts this configuration asks for, in the order they start."""
    services = {
        GATEWAY: config.fix.enabled,
        PUBLISHER: config.publish.enabled,
        CAPTURE: config.capture.enabled,
    }
    return [ENGINE, *(name for name, enabled in services.items() if enabled)]


def listening(config: Config, name: str) -> list[tuple[str, str, int]]:
    """The addresses a part listens on: configuration key, host, port."""
    if name == GATEWAY:
        return [("fix.port", config.fix.host, config.fix.port)]
    if name == PUBLISHER:
        host = config.publish.host
        return [
            ("publish.pub_port", host, config.publish.pub_port),
            ("publish.snapshot_port", host, config.publish.snapshot_port),
        ]
    return []


def run_part(name: str, config: Config, stop: threading.Event, tell: Tell) -> int:
    """Run a part until `stop`; its exit code. What fails in the world is told and logged."""
    try:
        if name == ENGINE:
            return _run_engine(config, stop, tell)
        service = importlib.import_module(_SERVICES[name])
        tell({"started": True})
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
    capacities = EngineCapacities(
        engine.instruments_max,
        engine.accounts_max,
        engine.orders_max,
        engine.positions_max,
        engine.price_blocks_max,
    )
    runner = Runner(
        str(config.journal_dir),
        bus,
        capacities,
        wait=engine.wait,
        sync=engine.sync,
        segment_bytes=engine.segment_mb << 20,
        cpu=engine.cpu,
        programs="trade",
    )
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
    log.info("engine ready", extra={"facts": facts})
    tell({"ready": True, **facts, "torn": recovery.torn})
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


def die_with_parent(number: int) -> None:
    """Ask the kernel for this signal when the thread that started this process ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


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
    config = Config.model_validate_json(sys.stdin.read())
    open_log(name, config.log_dir)
    channel = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1)

    def tell(facts: dict[str, Any]) -> None:
        channel.write(json.dumps(facts) + "\n")

    try:
        return run_part(name, config, stop, tell)
    except Exception as error:
        tell({"crashed": f"{type(error).__name__}: {error}"})
        log.exception("part crashed")
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

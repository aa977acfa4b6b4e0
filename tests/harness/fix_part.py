"""Runs the engine or the gateway of a test's venue in a process of its own, until SIGTERM.

`python -m harness.fix_part engine|gateway CONFIG.json`, in tests/, says "ready" on standard output
when it is, or why it failed. SIGUSR1 makes it print where its threads are.
"""

import faulthandler
import signal
import sys
import threading
from pathlib import Path

from harness.venue import engine_thread
from touchline.config import Config
from touchline.core.capacities import EngineCapacities
from touchline.errors import TouchlineError
from touchline.fix.gateway import opened
from touchline.fix.settings import GatewaySettings, SessionSettings


def run_engine(config: Config, stop: threading.Event) -> None:
    engine = config.engine
    capacities = EngineCapacities(
        engine.instruments_max,
        engine.accounts_max,
        engine.orders_max,
        engine.positions_max,
        engine.price_blocks_max,
    )
    geometry = {"lane_slots": 1024, "event_slots": 16384}
    path, journal = str(config.bus_path), config.journal_dir
    with engine_thread(path, journal, capacities, geometry, segment_bytes=1 << 20):
        print("ready", flush=True)
        stop.wait()


class Fresh:
    """The sessions of the file, each time it is another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = path.stat().st_ino

    def __call__(self) -> tuple[SessionSettings, ...] | None:
        seen, self.seen = self.seen, self.path.stat().st_ino
        if self.seen == seen:
            return None
        return GatewaySettings.from_config(read(self.path)).sessions


def read(path: Path) -> Config:
    return Config.model_validate_json(path.read_text())


def run_gateway(config: Config, stop: threading.Event, fresh: Fresh) -> None:
    with opened(config, stop) as gateway:
        print("ready", flush=True)
        gateway.serve(fresh)


def main(part: str, path: str) -> int:
    faulthandler.register(signal.SIGUSR1)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    fresh = Fresh(Path(path))
    config = read(fresh.path)
    try:
        if part == "engine":
            run_engine(config, stop)
        else:
            run_gateway(config, stop, fresh)
    except (OSError, TouchlineError) as error:
        print(f"failed: {error}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""An engine that runs as a thread of the test's process: bus, runner and journal are real."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.waiting import DEADLINE_S
from touchline.core.capacities import EngineCapacities
from touchline.runtime.bus import Bus
from touchline.runtime.runner import Runner


@contextmanager
def engine_thread(
    bus_path: str | Path,
    journal: Path,
    capacities: EngineCapacities,
    geometry: dict[str, int],
    *,
    unlink: bool = False,
    **settings: Any,
) -> Iterator[tuple[Bus, Runner]]:
    """A bus of this geometry and a runner that runs until the block ends; `unlink` takes the bus
    away then."""
    with Bus.create(bus_path, **geometry) as bus:
        runner = Runner(journal, bus, capacities, **settings)
        runner.open()
        thread = threading.Thread(target=runner.run)
        thread.start()
        try:
            yield bus, runner
        finally:
            runner.stop()
            thread.join(DEADLINE_S)
            runner.close()
            if unlink:
                bus.unlink()
    assert not thread.is_alive()

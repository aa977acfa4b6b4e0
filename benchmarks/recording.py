"""A generated flow through a running engine, and what it leaves behind: journal, ring, flow file.

`python -m benchmarks.recording JOURNAL OUT.flow` makes a flow file of any venue's journal, for
bench_core to run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common import SEED, BenchError, Case
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, LANE_API, MsgType, Text, make_commands
from touchline.data import flow
from touchline.errors import TouchlineError
from touchline.runtime.bus import Bus
from touchline.runtime.journal import JournalReader
from touchline.runtime.runner import Runner

DEADLINE_S = 60.0
EVENT_SLOTS = 1 << 20
NAMES = [
    (Text.SYMBOL, 0, b"AAA"),
    (Text.TICK_SIZE, 0, b"0.01"),
    (Text.LOT_SIZE, 0, b"1"),
    (Text.CURRENCY, 0, b"USD"),
    *((Text.ACCOUNT, key, b"ACC%d" % (key + 1)) for key in range(8)),
]


@dataclass(frozen=True)
class Recorded:
    """A bus whose ring holds every event of a journal that has come to rest."""

    bus: Bus
    journal: Path
    commands: int
    events: int
    state_hash: int
    seconds: float


def commands_of(case: Case) -> flow.Records:
    """Names, setup and the case's commands with their order ids, ready to be sent."""
    generated = case.generate(SEED)
    resolved = flow.resolve(generated, case.engine())
    names = make_commands(
        {"type": MsgType.TEXT, "field": kind, "key": key, "text": text} for kind, key, text in NAMES
    )
    return np.concatenate((names, generated.setup, resolved))


@contextmanager
def recorded(case: Case, directory: Path, bus_path: Path) -> Iterator[Recorded]:
    """Send the case through a lane to a runner with a journal, and wait until all is done."""
    commands = commands_of(case)
    capacities = case.engine().capacities
    journal = directory / "journal"
    with Bus.create(bus_path, event_slots=EVENT_SLOTS) as bus:
        try:
            with Runner(journal, bus, capacities, wait="park") as runner:
                runner.open()
                thread = threading.Thread(target=runner.run)
                thread.start()
                try:
                    seconds = send_all(bus, commands)
                finally:
                    runner.stop()
                    thread.join()
                state_hash = runner.state_hash()
            events = bus.status()["events"]
            yield Recorded(bus, journal, len(commands), events, state_hash, seconds)
        finally:
            bus.unlink()


def send_all(bus: Bus, commands: flow.Records) -> float:
    """Seconds from the first command sent to the last one done."""
    start = time.perf_counter()
    with bus.lane(LANE_API) as lane:
        lane.send(commands, timeout_s=DEADLINE_S)
    while bus.status()["commands"] < len(commands):
        if time.perf_counter() - start > DEADLINE_S:
            raise BenchError("the engine did not do the commands it was sent")
        time.sleep(0.001)
    return time.perf_counter() - start


def write_flow(journal: Path, path: Path) -> Path:
    """The journal as a flow file: what comes before the first order is not timed."""
    with JournalReader(journal) as reader:
        capacities = reader.capacities
        if reader.newest_capacities != capacities:
            raise BenchError(f"{journal}: the engine grew on the way, and a flow file has one size")
        parts = []
        while len(part := reader.read()):
            parts.append(part.tobytes())
    commands = np.frombuffer(b"".join(parts), COMMAND)
    if not len(commands):
        raise BenchError(f"{journal}: the journal is empty")
    orders = np.flatnonzero(commands["type"] == MsgType.NEW_ORDER)
    warm = int(orders[0]) if len(orders) else 0
    refs = np.full(len(commands), -1, np.int64)
    source = flow.Flow("recorded", commands[:0], commands, refs, warm=warm)
    engine = Engine(**capacities._asdict())
    expected = flow.expect(source.setup, commands, engine)
    flow.write_file(path, source, commands, expected, capacities, engine.state_hash())
    return path


def main(arguments: list[str]) -> int:
    """Write the flow file; the exit code."""
    if len(arguments) != 2:
        print("usage: python -m benchmarks.recording JOURNAL OUT.flow", file=sys.stderr)
        return 2
    try:
        write_flow(Path(arguments[0]), Path(arguments[1]))
    except (BenchError, TouchlineError, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

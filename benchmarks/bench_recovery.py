"""How long a venue is away after a crash, and how fast its journal is read and replayed.

   journal ─► Runner.open: read, check, step into the ring     what a restart waits for
          └─► JournalReader.read                               reading and checking alone
          └─► Replay: reader and engine in Python              audit, lapped consumers, research

Each must end at the state hash that the engine had when it wrote the journal.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import BenchError, Case, fail
from benchmarks.recording import EVENT_SLOTS, Recorded, recorded
from touchline.runtime.bus import Bus
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import replay_all
from touchline.runtime.runner import Runner

ORDERS = 250_000
TIMES = 3
Figures = dict[str, Any]


def shm_path() -> Path:
    """A name for a bus that nobody else has."""
    return Path("/dev/shm") / f"touchline-bench-{secrets.token_hex(6)}.bus"


def recover(source: Recorded) -> float:
    """Seconds that a new engine takes until it is where the last one was."""
    with JournalReader(source.journal) as reader:
        capacities = reader.newest_capacities
    with Bus.create(shm_path(), event_slots=EVENT_SLOTS) as bus:
        try:
            with Runner(source.journal, bus, capacities) as runner:
                start = time.perf_counter()
                found = runner.open()
                seconds = time.perf_counter() - start
        finally:
            bus.unlink()
    if (found.commands, found.state_hash) != (source.commands, source.state_hash):
        raise BenchError("the recovered state is not the one before")
    return seconds


def read(source: Recorded) -> float:
    """Seconds to read and check every command."""
    start = time.perf_counter()
    count = 0
    with JournalReader(source.journal) as reader:
        while len(part := reader.read()):
            count += len(part)
    seconds = time.perf_counter() - start
    if count != source.commands:
        raise BenchError(f"read {count} commands of {source.commands}")
    return seconds


def replay(source: Recorded) -> float:
    """Seconds to replay in Python, in batches."""
    start = time.perf_counter()
    result = replay_all(source.journal)
    seconds = time.perf_counter() - start
    if result.state_hash != source.state_hash:
        raise BenchError("the replayed state is not the one before")
    return seconds


def bench(orders: int = ORDERS) -> Figures:
    """Best of three of each; `verified` is true or a BenchError says why not."""
    case = Case("normal", "normal", orders)
    ways = {"recovery": recover, "journal_read": read, "replay": replay}
    with (
        tempfile.TemporaryDirectory(prefix="touchline-bench-") as directory,
        recorded(case, Path(directory), shm_path()) as source,
    ):
        best = {name: min(way(source) for _ in range(TIMES)) for name, way in ways.items()}
    best["written"] = source.seconds
    figures: Figures = {"commands": source.commands, "events": source.events}
    for name, seconds in best.items():
        figures[name] = {
            "seconds": round(seconds, 4),
            "commands_per_s": round(source.commands / seconds),
        }
    return {**figures, "verified": True}


if __name__ == "__main__":
    try:
        print(json.dumps(bench(), indent=2))
    except BenchError as e:
        sys.exit(fail(e))

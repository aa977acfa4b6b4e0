"""Events a second from the ring to Parquet files on disk, as the capture writes them.

   event ring ─► EventFeed ─► Capture: names joined, columns made, zstd ─► fsync, rename

The engine has stopped and the ring holds every event, so the capture alone is timed. What stands in
the files is counted by another reader, and its trades are summed and compared.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from benchmarks.bench_recovery import shm_path
from benchmarks.common import BenchError, Case, fail
from benchmarks.recording import EVENT_SLOTS, Recorded, recorded
from touchline.config import Config, load
from touchline.control.capture.store import Store
from touchline.control.capture.writer import Capture
from touchline.core.messages import ExecType
from touchline.runtime.feed import EventFeed

ORDERS = 200_000
READ_MAX = 65_536
CONFIG = """\
[venue]
data_dir = "{directory}"
[[instruments]]
symbol = "AAA"
tick_size = "0.01"
[[accounts]]
name = "ACC1"
"""
Figures = dict[str, Any]


def capture(source: Recorded, config: Config) -> float:
    """Seconds from the first event read to the last file on disk."""
    with (
        ExitStack() as stack,
        Store(config.capture_dir) as store,
        EventFeed(source.bus.path, source.journal, 1) as feed,
    ):
        worker = stack.enter_context(Capture(store, config))
        start = time.perf_counter()
        while worker.step(feed):
            pass
        worker.flush()
        seconds = time.perf_counter() - start
        if store.last_seq != source.events:
            raise BenchError(f"captured {store.last_seq} events of {source.events}")
    return seconds


def trades_of(source: Recorded) -> tuple[int, int]:
    """Trades and lots traded, as the ring holds them."""
    trades = lots = 0
    reader = source.bus.events(1)
    while len(events := reader.read(READ_MAX)):
        chosen = events[events["exec_type"] == ExecType.TRADE]
        trades += len(chosen)
        lots += int(chosen["qty"].sum())
    return trades, lots


def captured_trades(directory: Path) -> tuple[int, int]:
    """The same, as the Parquet files hold them."""
    rows = ds.dataset(directory).to_table(columns=["exec_type", "qty"])
    pairs = zip(rows["exec_type"].to_pylist(), rows["qty"].to_pylist(), strict=True)
    lots = [qty for kind, qty in pairs if kind == "TRADE"]
    return len(lots), sum(lots)


def bench(orders: int = ORDERS) -> Figures:
    """One capture of a whole flow."""
    case = Case("normal", "normal", orders)
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        directory = Path(name)
        path = directory / "touchline.toml"
        path.write_text(CONFIG.format(directory=directory))
        config = load(path, {})
        with recorded(case, directory, shm_path()) as source:
            if source.events > EVENT_SLOTS * 7 // 8:
                raise BenchError("the ring does not hold the flow")
            seconds = capture(source, config)
            files = config.capture_dir / "events"
            if trades_of(source) != captured_trades(files):
                raise BenchError("the captured trades are not those of the ring")
            bytes_used = sum(p.stat().st_size for p in files.rglob("*.parquet"))
            return {
                "events": source.events,
                "seconds": round(seconds, 4),
                "events_per_s": round(source.events / seconds),
                "bytes_per_event": round(bytes_used / source.events, 2),
                "verified": True,
            }


if __name__ == "__main__":
    try:
        print(json.dumps(bench(), indent=2))
    except BenchError as e:
        sys.exit(fail(e))

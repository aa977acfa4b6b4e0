"""A venue started over a long journal: how long until it is open, and what memory its parts take.

   python -m harness.long_start DIRECTORY requests 6000000        run in tests/; also: commands

The journal is written by its own functions (append_journal.c), so ten million commands take
seconds. `requests` are FIX requests, each the TEXT of its ClOrdID and a NewOrderSingle, of which
the session has been told; `commands` are a program's. Every second order trades with the one
before.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.crafted_journal import append, built
from harness.venue import WholeVenue, whole_venue, write_config
from touchline.config import Config, load
from touchline.control.supervisor.admin import attach
from touchline.control.supervisor.state import read_state
from touchline.core.messages import (
    COMMAND,
    COMMAND_TEXT,
    LANE_API,
    LANE_FIX,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
)
from touchline.fix.delivery import Delivered
from touchline.fix.orders import report_key

BATCH = 1 << 18
DEADLINE_S = 1800.0


def orders(first: int, count: int, lane: int) -> NDArray[np.void]:
    """Buyers and sellers by turns, at one price; their own numbers begin with `first`."""
    made = np.zeros(count, COMMAND)
    numbers = np.arange(first, first + count, dtype=np.uint64)
    made["type"], made["cl_ord_id"] = MsgType.NEW_ORDER, numbers | np.uint64(lane << 32)
    made["side"] = np.where(numbers % 2, Side.BUY, Side.SELL)
    made["ord_type"], made["time_in_force"] = OrdType.LIMIT, TimeInForce.GTC
    made["price"], made["qty"] = 1000, 1
    return made


def with_names(made: NDArray[np.void]) -> NDArray[np.void]:
    """Each order behind the TEXT with its ClOrdID, of session 0."""
    texts = np.zeros(len(made), COMMAND_TEXT)
    keys = made["cl_ord_id"] & np.uint64(0xFFFFFFFF)
    texts["type"], texts["field"], texts["side"] = MsgType.TEXT, Text.CL_ORD_ID, LANE_FIX
    texts["key"], texts["text"] = keys, np.char.add(b"order-", keys.astype("S10"))
    both = np.empty((len(made), 2), f"V{COMMAND.itemsize}")
    both[:, 0] = texts.view(both.dtype)
    both[:, 1] = made.view(both.dtype)
    return both.reshape(-1).view(COMMAND)


def batches(kind: str, count: int) -> Iterator[NDArray[np.void]]:
    lane = LANE_FIX if kind == "requests" else LANE_API
    for first in range(1, count + 1, BATCH):
        made = orders(first, min(BATCH, count + 1 - first), lane)
        yield with_names(made) if kind == "requests" else made


def prepared(directory: Path, program: Path, kind: str, count: int) -> Path:
    """The configuration of a venue whose journal has so many more requests or commands."""
    path = write_config(directory)
    text = path.read_text().replace("segment_mb = 1", "segment_mb = 64")
    path.write_text(text.replace("orders_max = 1024", "orders_max = 65536"))
    with whole_venue(path) as venue:
        venue.stop()
    config = load(path)
    append(program, config, batches(kind, count))
    delivered = Delivered(config.venue.data_dir / "fix" / "delivered")
    delivered.set_mark(0, report_key(1 << 40))
    delivered.close()
    return path


def opened(path: Path) -> dict[str, Any]:
    """Start the venue, wait until it is open, stop it; what was seen."""
    begun = time.monotonic()
    venue = WholeVenue(path)
    percents: dict[str, list[int]] = {}
    try:
        while not is_open(venue, percents):
            assert venue.popen.poll() is None, venue.log.read_text()
            assert time.monotonic() - begun < DEADLINE_S
            time.sleep(0.05)
        seconds = time.monotonic() - begun
        pids = {name: venue.part(name)["pid"] for name in ("engine", "gateway", "capture")}
        memory = {name: memory_mb(pid) for name, pid in pids.items()}
        captured = until_captured(venue.config, begun)
        venue.enter(990)
        told = venue.facts("part is starting")
        venue.stop()
    finally:
        venue.end()
    return {
        "seconds": round(seconds, 1), "captured_s": round(captured, 1), "memory_mb": memory,
        "percents": percents, "log_lines": len(told),
    }  # fmt: skip


def is_open(venue: WholeVenue, percents: dict[str, list[int]]) -> bool:
    """Whether it is; what run.json says of a start under way goes into `percents`."""
    state = read_state(venue.config)
    if state is None:
        return False
    for name, part in state["parts"].items():
        seen = percents.setdefault(name, [])
        if part["percent"] is not None and part["percent"] not in seen:
            seen.append(part["percent"])
    return bool(state["open"]) and all(part["ready"] for part in state["parts"].values())


def until_captured(config: Config, begun: float) -> float:
    """Seconds since `begun` when the capture has every event."""
    with attach(config) as bus:
        newest = bus.newest_event
    while time.monotonic() - begun < DEADLINE_S:
        try:
            if json.loads((config.capture_dir / "state.json").read_bytes())["seq"] >= newest:
                return time.monotonic() - begun
        except (OSError, ValueError):
            pass
        time.sleep(0.05)
    raise AssertionError("never captured")


def memory_mb(pid: int) -> int:
    """What a process holds of its own: without files and shared memory."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) // 1024


def main(arguments: list[str]) -> int:
    """Print what a start took, as JSON."""
    directory, kind, count = Path(arguments[0]), arguments[1], int(arguments[2])
    path = prepared(directory, built(directory), kind, count)
    for which in ("first", "second"):
        print(json.dumps({"start": which, "kind": kind, "count": count} | opened(path)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

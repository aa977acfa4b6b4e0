"""A venue's runtime for tests: bus, engine and journal, in a thread or in processes to be killed.

Flows are drawn from a seed. Processes are spawned, so that no lock or thread is inherited.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np

from harness.commands import text
from harness.engine_thread import engine_thread
from harness.waiting import until
from touchline.core.capacities import EngineCapacities
from touchline.core.messages import (
    COMMAND,
    LANE_API,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
    make_commands,
)
from touchline.runtime.bus import Bus
from touchline.runtime.runner import Runner

LIMITS = EngineCapacities(
    instruments_max=2, accounts_max=4, orders_max=4096, positions_max=16, price_blocks_max=64
)
SPAWN = multiprocessing.get_context("spawn")


def flow(seed: int, count: int, *, lane: int = LANE_API, first: int = 1) -> np.ndarray:
    """Commands numbered from `first` on: two names, a listing, accounts, then orders, cancels,
    replaces, some of which mean orders that are there and some that are not."""
    rng = np.random.default_rng([seed, lane, first])
    commands = np.zeros(count, COMMAND)
    commands["type"] = rng.choice(
        [MsgType.NEW_ORDER, MsgType.CANCEL, MsgType.REPLACE], count, p=[0.7, 0.2, 0.1]
    )
    commands["cl_ord_id"] = (lane << 32) | np.arange(first, first + count, dtype=np.uint64)
    commands["order_id"] = (rng.integers(1, 4, count) << 32) | rng.integers(0, 100, count)
    commands["account"] = rng.integers(0, 3, count)
    commands["side"] = rng.choice([Side.BUY, Side.SELL], count)
    commands["ord_type"] = OrdType.LIMIT
    commands["time_in_force"] = rng.choice([TimeInForce.DAY, TimeInForce.IOC], count, p=[0.8, 0.2])
    commands["price"] = rng.integers(90, 110, count)
    commands["qty"] = rng.integers(0, 50, count)
    if first == 1:
        prelude = min(count, 5)
        commands[:prelude] = opening(lane)[:prelude]
    return commands


def opening(lane: int) -> np.ndarray:
    first = lane << 32
    return make_commands(
        [
            text(Text.SYMBOL, 0, "AAA"),
            text(Text.ACCOUNT, 0, "ACC1"),
            {"type": MsgType.SECURITY_DEFINITION, "cl_ord_id": first + 3},
            {"type": MsgType.ACCOUNT, "account": 0, "cl_ord_id": first + 4},
            {"type": MsgType.ACCOUNT, "account": 1, "cl_ord_id": first + 5},
        ]
    )


class RuntimeVenue:
    """Where one venue lives, and how to start its parts."""

    def __init__(self, directory: Path, **geometry: int) -> None:
        self.journal = directory / "journal"
        self.bus_path = f"/dev/shm/touchline-test-{os.getpid()}-{uuid.uuid4().hex[:8]}.bus"
        self.geometry = {"lanes": 3, "lane_slots": 1024, "event_slots": 65536, **geometry}
        self.sync = "none"
        self.capacities = LIMITS
        self.children: list[BaseProcess] = []

    @contextmanager
    def running(self, **settings: Any) -> Iterator[tuple[Bus, Runner]]:
        """The engine in a thread of this process."""
        settings = {"segment_bytes": 1 << 16, **settings}
        with engine_thread(
            self.bus_path, self.journal, self.capacities, self.geometry, **settings
        ) as pair:
            yield pair

    def start(self, target: Callable[..., None], *args: Any) -> BaseProcess:
        child = SPAWN.Process(target=target, args=args, daemon=True)
        child.start()
        self.children.append(child)
        return child

    def start_engine(self) -> BaseProcess:
        return self.start(
            run_engine,
            self.bus_path,
            str(self.journal),
            tuple(self.capacities),
            self.geometry,
            self.sync,
        )

    def attach(self) -> Bus:
        until(self.is_up, "the engine")
        return Bus.attach(self.bus_path)

    def is_up(self) -> bool:
        try:
            with Bus.attach(self.bus_path) as bus:
                status = bus.status()
        except OSError:
            return False
        return bool(status["alive"]) and status["state"] == "running"

    def end(self) -> None:
        for child in self.children:
            child.kill()
            child.join()
        Path(self.bus_path).unlink(missing_ok=True)


def run_engine(
    bus_path: str, journal: str, capacities: tuple[int, ...], geometry: dict[str, int], sync: str
) -> None:
    """An engine process: recovers and runs until it is killed."""
    bus = Bus.create(bus_path, **geometry)
    runner = Runner(
        journal,
        bus,
        EngineCapacities(*capacities),
        segment_bytes=1 << 16,
        sync="batch" if sync == "batch" else "none",
    )
    runner.open()
    runner.run()


def digest(events: np.ndarray) -> str:
    return hashlib.sha256(events.tobytes()).hexdigest()


def wait_commands(bus: Bus, count: int) -> None:
    until(lambda: bus.status()["commands"] >= count, f"{count} commands to be done")

"""Venues for tests, every part of them real: a bus, a journal, an engine, and what stands around.

    RuntimeVenue   bus and engine, in a thread of the test or in processes to be killed
    ThreadVenue    the same of a configuration, for what follows the events
    PartsVenue     engine and gateway of a configuration, a process each (fix_venue.py)
    WholeVenue     `touchline run` as people start it

Processes are spawned, so that no lock or thread is inherited.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.commands import commands, joined, new_order, opening
from harness.flows import LIMITS
from harness.waiting import DEADLINE_S, free_ports, until
from touchline.config import Config, load
from touchline.control.supervisor.admin import attach
from touchline.control.supervisor.state import read_state
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import EVENT, LANE_ADMIN, LANE_API, Side, TimeInForce
from touchline.runtime.bus import Bus
from touchline.runtime.replay import replay
from touchline.runtime.runner import Runner

SMALL = EngineCapacities(
    instruments_max=2, accounts_max=4, orders_max=4096, positions_max=16, price_blocks_max=64
)
SPAWN = multiprocessing.get_context("spawn")


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


class Place:
    """What every venue of the tests has: a bus and a journal, and what can be asked of them."""

    bus_path: Path
    journal: Path
    capacities: EngineCapacities = LIMITS

    def attach(self) -> Bus:
        """Its bus, once the engine runs."""
        until(self.is_up, "the engine")
        return Bus.attach(self.bus_path)

    def is_up(self) -> bool:
        try:
            with Bus.attach(self.bus_path) as bus:
                status = bus.status()
        except OSError:
            return False
        return bool(status["alive"]) and status["state"] == "running"

    def send(self, rows: NDArray[np.void], lane: int = LANE_API) -> None:
        """Give commands to the engine and wait for it to have taken them all."""
        with self.attach() as bus:
            before = bus.status()["commands"]
            with bus.lane(lane) as to_engine:
                to_engine.send(rows, timeout_s=DEADLINE_S)
            wait_commands(bus, before + len(rows))

    @property
    def event_seq(self) -> int:
        with self.attach() as bus:
            return int(bus.status()["events"])

    def events(self) -> NDArray[np.void]:
        """Every event so far, from the journal."""
        return joined((events for _, events in replay(self.journal)), EVENT)

    def engine(self) -> Engine:
        """An engine in the state of the venue's, by replaying its journal."""
        engine = Engine(**self.capacities._asdict())
        for journaled, _ in replay(self.journal):
            engine.submit(journaled)
        return engine


class RuntimeVenue(Place):
    """Where one venue lives, and how to start its parts."""

    def __init__(self, directory: Path, **geometry: int) -> None:
        self.journal = directory / "journal"
        self.bus_path = Path(f"/dev/shm/touchline-test-{os.getpid()}-{uuid.uuid4().hex[:8]}.bus")
        self.geometry = {"lanes": 3, "lane_slots": 1024, "event_slots": 65536, **geometry}
        self.sync = "none"
        self.capacities = SMALL
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
            str(self.bus_path),
            str(self.journal),
            tuple(self.capacities),
            self.geometry,
            self.sync,
        )

    def end(self) -> None:
        for child in self.children:
            child.kill()
            child.join()
        self.bus_path.unlink(missing_ok=True)


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


class ThreadVenue(Place):
    """The engine as a thread of this process, with everything under one directory."""

    def __init__(self, directory: Path, **overrides: Any) -> None:
        self.config: Config = load(
            None,
            {
                "venue.data_dir": directory / "data",
                "venue.run_dir": directory,
                **{key.replace("__", "."): value for key, value in overrides.items()},
            },
        )
        self.bus_path, self.journal = self.config.bus_path, self.config.journal_dir
        self.journal.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def running(self, event_slots: int = 16384) -> Iterator[ThreadVenue]:
        with engine_thread(
            self.bus_path,
            self.journal,
            self.capacities,
            {"event_slots": event_slots},
            unlink=True,
            segment_bytes=1 << 20,
        ) as (self.bus, _):
            yield self

    def open(self) -> None:
        self.send(opening(), LANE_ADMIN)


def write_config(directory: Path, *, engine_alone: bool = False) -> Path:
    """A configuration file with free ports: AAA with a tick of 0.01, accounts ACC1 and ACC2."""
    others = "false" if engine_alone else "true"
    fix_port, pub_port, snapshot_port = free_ports(3)
    path = directory / "touchline.toml"
    path.write_text(
        f"""\
[venue]
name = "test{os.getpid()}-{directory.name[-24:]}"

[engine]
orders_max = 1024
segment_mb = 1

[fix]
enabled = {others}
port = {fix_port}

[publish]
enabled = {others}
pub_port = {pub_port}
snapshot_port = {snapshot_port}

[capture]
enabled = {others}
flush_s = 0.1

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
reference_price = "10.00"
price_collar = "5.00"

[[instruments]]
symbol = "BBB"
tick_size = "0.5"
lot_size = "10"

[[accounts]]
name = "ACC1"
order_qty_max = "500"

[[accounts]]
name = "ACC2"

[[sessions]]
comp_id = "BROKER1"
accounts = ["ACC1"]
"""
    )
    return path


class WholeVenue(Place):
    """`touchline run` in a process; its standard error in a file."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self.path = path
        self.config: Config = load(path)
        self.bus_path, self.journal = self.config.bus_path, self.config.journal_dir
        self.log = path.parent / f"venue-{time.monotonic_ns()}.log"
        with self.log.open("w") as errors:
            self.popen = subprocess.Popen(
                _run(path, "--json", *arguments),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def part(self, name: str) -> dict[str, Any]:
        state = read_state(self.config)
        return dict(state["parts"][name]) if state else {}

    def await_open(self) -> Self:
        def is_open() -> bool:
            assert self.popen.poll() is None, self.log.read_text()
            state = read_state(self.config)
            if state is None or not state["open"]:
                return False
            return all(part["ready"] for part in state["parts"].values())

        until(is_open, "the venue opens")
        return self

    def stop(self, number: int = signal.SIGTERM) -> dict[str, Any]:
        """Stop in order; what the venue printed at the end."""
        self.popen.send_signal(number)
        output, _ = self.popen.communicate(timeout=DEADLINE_S)
        assert self.popen.returncode == 0, self.log.read_text()
        said: dict[str, Any] = json.loads(output)
        return said

    def end(self) -> None:
        """Kill whatever is left; the kernel takes the parts along."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self.config.bus_path.unlink(missing_ok=True)

    def facts(self, message: str) -> list[str]:
        """The log lines with this message."""
        return [line for line in self.log.read_text().splitlines() if f'msg="{message}"' in line]

    def enter(self, *prices: int, side: Side = Side.BUY, qty: int = 5, account: int = 0) -> None:
        """Enter resting limit orders in AAA, as a program does; returns when they are journaled."""
        whole = {"account": account, "side": side, "time_in_force": TimeInForce.GTC, "qty": qty}
        orders = commands([new_order(price=price, **whole) for price in prices])
        with attach(self.config) as bus, bus.lane(LANE_API) as lane:
            reader = bus.events()
            first = lane.cl_ord_ids(len(prices))
            orders["cl_ord_id"] = np.arange(first, first + len(prices), dtype="u8")
            lane.send(orders, DEADLINE_S)
            waiting = set(orders["cl_ord_id"].tolist())

            def answered() -> bool:
                waiting.difference_update(reader.read()["cl_ord_id"].tolist())
                return not waiting

            until(answered, "the orders are answered")


@contextlib.contextmanager
def whole_venue(path: Path, *arguments: str) -> Iterator[WholeVenue]:
    """A venue that is open; killed with the block if it still runs."""
    venue = WholeVenue(path, *arguments)
    try:
        yield venue.await_open()
    finally:
        venue.end()


def outcome(path: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a `touchline run` that ends by itself."""
    done = subprocess.run(
        _run(path, *arguments),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stderr


def _run(path: Path, *arguments: str) -> list[str]:
    program = [sys.executable, "-m", "touchline.control.operate.cli"]
    return [*program, "--config", str(path), "run", *arguments]

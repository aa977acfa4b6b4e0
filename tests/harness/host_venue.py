"""A whole venue for tests of the host and the command line: `touchline run` as people start it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.commands import commands, new_order
from harness.waiting import DEADLINE_S, free_ports, until
from touchline.config import Config, load
from touchline.control.supervisor.admin import attach
from touchline.control.supervisor.state import read_state
from touchline.core.messages import (
    LANE_API,
    Side,
    TimeInForce,
)


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


class Venue:
    """`touchline run` in a process; its standard error in a file."""

    def __init__(self, path: Path, *arguments: str) -> None:
        self.path = path
        self.config: Config = load(path)
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

    def await_open(self) -> Venue:
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
def running(path: Path, *arguments: str) -> Iterator[Venue]:
    """A venue that is open; killed with the block if it still runs."""
    venue = Venue(path, *arguments)
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

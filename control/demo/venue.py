"""The demonstration's venue: its configuration, and `touchline run` as a process of its own."""

from __future__ import annotations

import contextlib
import functools
import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from touchline.config import Config, load
from touchline.control.supervisor.admin import attach
from touchline.control.supervisor.part import die_with_parent
from touchline.control.supervisor.state import read_state
from touchline.errors import TouchlineError
from touchline.marketdata.keys import VENUE, make

START_S = 60.0
STOP_S = 60.0

CONFIG = """\
# The demonstration's venue; `touchline --config {path} run` starts it again with its history.
[venue]
name = "{name}"
data_dir = "data"

[fix]
port = {fix_port}

[publish]
pub_port = {pub_port}
snapshot_port = {snapshot_port}
depth_levels = 5
curve = true

[capture]
flush_s = 0.5

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
reference_price = "100.00"
price_collar = "20.00"

[[instruments]]
symbol = "BBB"
tick_size = "0.05"
lot_size = "10"
reference_price = "25.00"
price_collar = "20.00"

[[instruments]]
symbol = "CCC"
tick_size = "0.0001"
currency = "EUR"
reference_price = "1.1000"
price_collar = "0.2000"

[[instruments]]
symbol = "DDD"
tick_size = "0.05"
reference_price = "50.00"
price_collar = "20.00"
"""
ACCOUNT = """
[[accounts]]
name = "{account}"
order_qty_max = "600"
order_value_max = "45000"
position_max = "{position_max}"

[[sessions]]
comp_id = "{comp_id}"
begin_string = "{begin_string}"
accounts = ["{account}"]
"""
LISTINGS = [
    {"symbol": "AAA", "tick_size": "0.01", "lot_size": "1", "mid": 10_000},
    {"symbol": "BBB", "tick_size": "0.05", "lot_size": "10", "mid": 500},
    {"symbol": "CCC", "tick_size": "0.0001", "lot_size": "1", "mid": 11_000},
]


class Broker(NamedTuple):
    """A client of the demonstration: its session, its account and how far that may go."""

    comp_id: str
    begin_string: str
    account: str
    maker: bool
    position_max: int


CLIENTS = [
    Broker("MAKER1", "FIX.4.4", "ACC1", True, 1_000_000),
    Broker("MAKER2", "FIX.4.2", "ACC2", True, 1_000_000),
    Broker("TAKER1", "FIX.4.4", "ACC3", False, 1_000_000),
    Broker("TAKER2", "FIX.4.2", "ACC4", False, 600),
]


class Venue:
    """A venue that runs; `stop` ends it in order and returns what it said at the end."""

    def __init__(self, popen: subprocess.Popen[str], log: Path) -> None:
        self._popen = popen
        self._log = log

    def stop(self) -> dict[str, Any]:
        self._popen.send_signal(signal.SIGTERM)
        output, _ = self._popen.communicate(timeout=STOP_S)
        if self._popen.returncode != 0:
            raise TouchlineError(
                f"the venue ended with {self._popen.returncode}: {self.complaint()}"
            )
        said: dict[str, Any] = json.loads(output)
        return said

    def await_open(self, config: Config) -> None:
        """Return when all parts are ready; TouchlineError when the venue ends before that."""
        deadline = time.monotonic() + START_S
        while True:
            state = read_state(config)
            if state is not None and state["open"]:
                return
            if self._popen.poll() is not None:
                raise TouchlineError(f"the venue did not start: {self.complaint()}")
            if time.monotonic() >= deadline:
                raise TouchlineError(
                    f"the venue was not open within {START_S:g} s; see {self._log}"
                )
            time.sleep(0.05)

    def complaint(self) -> str:
        """The last line the venue wrote to standard error."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].removeprefix("touchline: ") if lines else "it said nothing"


@contextlib.contextmanager
def running_venue(config: Config, directory: Path) -> Iterator[Venue]:
    """Start the venue and end it with the block, however that ends."""
    log = directory / "venue.log"
    with log.open("w", encoding="utf-8") as errors:
        popen = subprocess.Popen(
            [sys.executable, "-m", "touchline.control.operate.cli", "--config", _path(directory),
             "run", "--json"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # Should the demonstration be killed, its venue stops in order.
            preexec_fn=functools.partial(die_with_parent, signal.SIGTERM),
        )  # fmt: skip
    venue = Venue(popen, log)
    try:
        venue.await_open(config)
        yield venue
    finally:
        if popen.poll() is None:
            popen.terminate()
            try:
                popen.wait(STOP_S)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()


def write_config(directory: Path) -> Config:
    """The demonstration's configuration with free ports, written for people to use afterwards."""
    fix_port, pub_port, snapshot_port = _free_ports(3)
    text = CONFIG.format(
        path=_path(directory),
        name=f"demo-{secrets.token_hex(4)}",
        fix_port=fix_port,
        pub_port=pub_port,
        snapshot_port=snapshot_port,
    )
    text += "".join(ACCOUNT.format_map(client._asdict()) for client in CLIENTS)
    Path(_path(directory)).write_text(text, encoding="utf-8")
    config = load(_path(directory))
    make(config.keys_dir, VENUE)  # market data is encrypted, and for allowed keys alone
    return config


def newest_event(config: Config) -> int:
    """The number of the newest event of the running venue."""
    with attach(config) as bus:
        return int(bus.newest_event)


def _path(directory: Path) -> str:
    return str(directory / "touchline.toml")


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]

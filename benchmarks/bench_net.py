"""The binary protocols: orders over OUCH against a bare TCP ping-pong, the feed, what reads ITCH.

    wire_load (C) ── OUCH ──► wire part ──► lane ──► engine, journal, risk ──► event ring
        ▲                                                                        │
        └───────────────── answers, each checked ◄── wire part ◄─────────────────┘

`python -m benchmarks.bench_net` starts `touchline run` with the wire part alone and sends orders
from a program in C: one at a time (the round trip), then as many as a window holds. The floor
answers with as many bytes out of one loop. The feed is measured from a full event ring to packets
on one UDP line that somebody reads, ITCH and AF_XDP by programs of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from benchmarks.bench_fix import Venue as FixVenue
from benchmarks.bench_fix import program
from benchmarks.bench_wire import Figures, free_ports
from benchmarks.common import BUILD, BenchError, build_net_programs, commit, fail, machine

WINDOW = 4096
SPINNING = 4  # processors that busy polling takes: client, wire, engine, and the rest
XDP_ROUNDS = "3"
CONFIG = """\
[venue]
name = "bench-{name}"
data_dir = "data"

[engine]
wait = "{engine_wait}"
orders_max = 2097152
lane_slots = 65536
event_slots = 1048576

[fix]
enabled = false

[publish]
enabled = false

[capture]
enabled = false

[wire]
enabled = true
ouch_port = {port}
wait = "{wait}"

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
reference_price = "100.00"
price_collar = "20.00"

[[accounts]]
name = "ACC1"
order_qty_max = "1000"
order_value_max = "1000000"
position_max = "1000000000"

[[wire_sessions]]
username = "TRIPS"
password = "secret"
firms = {{ FRMA = "ACC1" }}

[[wire_sessions]]
username = "RATE"
password = "secret"
firms = {{ FRMB = "ACC1" }}
"""


class Venue(FixVenue):
    """A venue with the wire part alone."""

    def __init__(self, directory: Path, spin: bool) -> None:
        (self.port,) = free_ports(1)
        config = directory / "touchline.toml"
        config.write_text(
            CONFIG.format(
                name=secrets.token_hex(4),
                engine_wait="yield" if spin else "park",
                port=self.port,
                wait="spin" if spin else "park",
            )
        )
        self.begin(directory, config)


@contextlib.contextmanager
def served(floor: bool, spin: bool) -> Iterator[int]:
    """The port of what is to be measured, while it runs."""
    if floor:
        (port,) = free_ports(1)
        with program(str(BUILD / "wire_load"), "echo", str(port), str(int(spin))):
            yield port
        return
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as directory:
        venue = Venue(Path(directory), spin)
        try:
            venue.await_ready()
            yield venue.port
        finally:
            venue.stop()


def run(name: str, *arguments: str) -> Figures:
    """One run of a program that prints JSON; BenchError when it says that it failed."""
    done = subprocess.run(
        [str(BUILD / name), *arguments], capture_output=True, text=True, check=False
    )
    if not done.stdout:
        raise BenchError(f"{name} failed: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    if not figures.get("verified", True):
        raise BenchError(f"{name}: {figures}")
    return figures


def load(port: int, kind: str, orders: int, *, spin: bool = False, user: str = "") -> Figures:
    user = user or {"rtt": "TRIPS", "rate": "RATE"}[kind]
    options = {"port": port, "orders": orders, "spin": int(spin), "window": WINDOW}
    given = (f"{key}={value}" for key, value in options.items())
    return run("wire_load", kind, *given, f"user={user}")


def bench(orders: int, trips: int) -> Figures:
    """Everything; the floor right after what it is compared with."""
    found: Figures = {"machine": machine(), "commit": commit(), "window": WINDOW}
    with program(str(BUILD / "fix_echo"), "awake"):
        rtt: Figures = {}
        for floor in (False, True):
            key = "tcp_floor" if floor else "tcp"
            with served(floor, False) as port:
                trip = load(port, "rtt", trips)
                rtt[key], rtt[f"{key}_p99"] = trip["p50"], trip["p99"]
                if not floor:
                    found["orders_per_s"] = load(port, "rate", orders)["orders_per_s"]
            rtt[f"{key}_busy"] = None
            if (os.cpu_count() or 1) >= SPINNING:
                with served(floor, True) as port:
                    rtt[f"{key}_busy"] = load(port, "rtt", trips, spin=True)["p50"]
        rtt |= xdp()
        found["ouch_rtt_us"] = rtt
        found["feed_msgs_per_s"] = run("bench_feed")["msgs_per_s"]
        found["itch_decode_per_s"] = run("bench_itch")["itch_decode_per_s"]
    found["verified"] = True
    return found


def xdp() -> Figures:
    """A ping-pong of 64 bytes through our AF_XDP port and through a bare one, between two
    namespaces; None where the kernel does not let us make them."""
    trips = run("bench_ports", XDP_ROUNDS)["round_trip_us"]
    names = {"xdp": "xdp_port", "xdp_floor": "xdp_bare", "udp_busy": "udp_port_spinning"}
    return {key: trips[name]["p50"] if name in trips else None for key, name in names.items()}


@click.command()
@click.option("--orders", default=1_000_000, show_default=True, help="Orders of the run for rate.")
@click.option("--trips", default=20_000, show_default=True, help="Round trips.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def main(orders: int, trips: int, as_json: bool) -> None:
    """Measure the binary protocols."""
    try:
        build_net_programs()
        found = bench(orders, trips)
    except BenchError as e:
        sys.exit(fail(e))
    print(json.dumps(found) if as_json else lines(found))


def lines(found: dict[str, Any]) -> str:
    """The figures, one a line, the machine first."""
    shown = [f"{name}: {value}" for name, value in found["machine"].items()]
    shown += [f"{name}: {value}" for name, value in found.items() if name != "machine"]
    return "\n".join(shown)


if __name__ == "__main__":
    main()

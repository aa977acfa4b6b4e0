"""The binary protocols: orders over OUCH against a bare TCP ping-pong, the feed, what reads ITCH.

    wire_load (C) ── OUCH ──► wire part ──► lane ──► engine, journal, risk ──► event ring
        ▲                                                                        │
        └───────────────── answers, each checked ◄── wire part ◄─────────────────┘

`python -m benchmarks.bench_net` starts `touchline run` with the wire part alone and sends orders
from a program in C: one at a time (the round trip), then as many as a window holds. The floor
answers with as many bytes out of one loop, which stands where the venue's does. They take turns,
each started anew, and the median of the rounds' ratios is told beside the median times: asleep
between orders, and polling. Where two processors are all there are, the venue's loop and its
engine share one when they poll and yield it to each other; `tcp_floor_busy_yield` is the floor with
one such yield, there and back, before each answer. The feed is measured from a full event ring to
packets on one UDP line that somebody reads, ITCH and AF_XDP by programs of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from benchmarks.bench_fix import Venue as FixVenue
from benchmarks.bench_fix import place_of_load, processors, program
from benchmarks.bench_wire import Figures, free_ports
from benchmarks.common import BUILD, BenchError, build_net_programs, commit, fail, machine

WINDOW = 4096
ROUNDS = 3
WARM_UP = 2_000
XDP_ROUNDS = "3"
CONFIG = """\
[venue]
name = "bench-{name}"
data_dir = "data"

[engine]
wait = "{engine_wait}"
cpu = {engine_cpu}
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
cpu = {wire_cpu}

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
username = "WARM"
password = "secret"
firms = {{ FRMW = "ACC1" }}

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
        wire_cpu, engine_cpu, _ = processors(spin)
        config = directory / "touchline.toml"
        config.write_text(
            CONFIG.format(
                name=secrets.token_hex(4),
                engine_wait="yield" if spin else "park",
                engine_cpu=engine_cpu,
                port=self.port,
                wait="spin" if spin else "park",
                wire_cpu=wire_cpu,
            )
        )
        self.begin(directory, config)


def is_kept_to(cpu: int, pid: int) -> bool:
    """Is a thread of this process, or of one that it started, kept to that processor?"""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if os.sched_getaffinity(int(task.name)) == {cpu}:
            return True
        if any(is_kept_to(cpu, int(child)) for child in (task / "children").read_text().split()):
            return True
    return False


def run_alike(cpu: int, venue: FixVenue) -> None:
    """BenchError unless the venue's loop stands where the floor does."""
    if not is_kept_to(cpu, venue.process.pid):
        raise BenchError(f"no loop of the venue is kept to processor {cpu}")


@contextlib.contextmanager
def served(kind: str, spin: bool) -> Iterator[int]:
    """The port of what is to be measured, while it runs: the "venue", the "floor", or the floor
    with a "yield" before each answer."""
    cpu = processors(spin)[0]
    if kind != "venue":
        (port,) = free_ports(1)
        wait = {"floor": "spin" if spin else "sleep", "yield": "yield"}[kind]
        with program(str(BUILD / "wire_load"), "echo", str(port), wait, str(cpu)):
            yield port
        return
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as directory:
        venue = Venue(Path(directory), spin)
        try:
            venue.await_ready()
            run_alike(cpu, venue)
            yield venue.port
        finally:
            venue.stop()


def run(name: str, *arguments: str, cpus: set[int] | None = None) -> Figures:
    """One run of a program that prints JSON; BenchError when it says that it failed."""
    done = subprocess.run(
        [str(BUILD / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=None if cpus is None else lambda: os.sched_setaffinity(0, cpus),
    )
    if not done.stdout:
        raise BenchError(f"{name} failed: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    if not figures.get("verified", True):
        raise BenchError(f"{name}: {figures}")
    return figures


def load(port: int, kind: str, orders: int, user: str, *, spin: bool = False) -> Figures:
    """One run of the load generator, where bench_fix has its own."""
    options = {"port": port, "orders": orders, "spin": int(spin), "window": WINDOW, "user": user}
    given = (f"{key}={value}" for key, value in options.items())
    return run("wire_load", kind, *given, cpus=place_of_load(kind, int(spin)))


def by_turns(kinds: tuple[str, ...], trips: int, orders: int, spin: bool) -> dict[str, Figures]:
    """Every kind in every round: {"venue": {"p50": [...], "p99": [...]}, ...}, microseconds. With
    `orders`, the venue's orders a second, too."""
    found: dict[str, Figures] = {kind: {"p50": [], "p99": []} for kind in kinds}
    rates: list[float] = []
    for _ in range(ROUNDS):
        for kind in kinds:
            with served(kind, spin) as port:
                load(port, "rtt", WARM_UP, "WARM", spin=spin)
                trip = load(port, "rtt", trips, "TRIPS", spin=spin)
                if orders and kind == "venue":
                    rates.append(load(port, "rate", orders, "RATE")["orders_per_s"])
            for quantile, told in found[kind].items():
                told.append(trip[quantile])
    return found | ({"rate": {"orders_per_s": rates}} if rates else {})


def ratio(found: dict[str, Figures], floor: str) -> float:
    """The median over the rounds of what an order takes over what the floor does."""
    pairs = zip(found["venue"]["p50"], found[floor]["p50"], strict=True)
    return round(float(statistics.median(venue / bare for venue, bare in pairs)), 3)


def round_trips(orders: int, trips: int) -> tuple[Figures, float]:
    """ouch_rtt_us but for AF_XDP, and the orders a second."""
    median = statistics.median
    with program(str(BUILD / "fix_echo"), "awake"):
        asleep = by_turns(("floor", "venue"), trips, orders, spin=False)
    rtt: Figures = {"tcp_ratio": ratio(asleep, "floor")}
    for kind, key in (("venue", "tcp"), ("floor", "tcp_floor")):
        rtt[key] = median(asleep[kind]["p50"])
        rtt[f"{key}_p99"] = median(asleep[kind]["p99"])
    if len(os.sched_getaffinity(0)) > 1:
        shared = processors(True)[0] == processors(True)[1]
        kinds = ("floor", "yield", "venue") if shared else ("floor", "venue")
        busy = by_turns(kinds, trips, 0, spin=True)
        rtt["tcp_busy_ratio"] = ratio(busy, "floor")
        rtt["tcp_busy"], rtt["tcp_floor_busy"] = (
            median(busy[k]["p50"]) for k in ("venue", "floor")
        )
        if shared:
            rtt["tcp_floor_busy_yield"] = median(busy["yield"]["p50"])
            rtt["tcp_busy_yield_ratio"] = ratio(busy, "yield")
    return rtt, median(asleep["rate"]["orders_per_s"])


def bench(orders: int, trips: int) -> Figures:
    """Everything."""
    found: Figures = {"machine": machine(), "commit": commit(), "window": WINDOW}
    rtt, found["orders_per_s"] = round_trips(orders, trips)
    with program(str(BUILD / "fix_echo"), "awake"):
        found["ouch_rtt_us"] = rtt | xdp()
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

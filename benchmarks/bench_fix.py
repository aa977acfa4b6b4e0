"""FIX orders against a venue, or a bare echo: round trips, and as many a second as it takes.

    fix_load (C) ── FIX 4.4 ──► acceptor ──► lane ──► engine, journal ──► event ring
        ▲                                                                  │
        └────────── ExecutionReports, each checked ◄── acceptor ◄──────────┘

`python -m benchmarks.bench_fix --engine native` starts `touchline run` with journal, validation and
risk on, and sends orders from a program in C: one at a time (the round trip), then with 500
unanswered, resting, and crossing, where each order is answered by its acceptance and its fill.
`--engine echo` measures the floor: a program that sends back the same bytes. A thread of idle
priority keeps every processor awake meanwhile, because waking one costs more than an order does;
where all that is measured polls, it does so itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from benchmarks.bench_wire import START_S, STOP_S, Figures, free_ports
from benchmarks.common import BUILD, BenchError, build_fix_programs, commit, fail, machine

ENGINES = ("native", "quickfix", "echo")
WINDOW = 500
BUSY_SESSIONS, IDLE_SESSIONS = 50, 500
BUSY_ORDERS = 2_000
CONFIG = """\
[venue]
name = "{name}"
data_dir = "data"

[engine]
wait = "{wait}"
cpu = {engine_cpu}
orders_max = 1048576

[fix]
port = {port}
{fix}

[publish]
enabled = false

[capture]
enabled = false

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
reference_price = "100.00"
price_collar = "20.00"

[[accounts]]
name = "ACC1"
order_qty_max = "1000"
order_value_max = "1000000"
position_max = "100000000"
"""
SESSION = """
[[sessions]]
comp_id = "{comp_id}"
accounts = ["ACC1"]
"""


def processors(busy: bool) -> tuple[int, int, int]:
    """Where acceptor, engine and, if it polls, load are kept to.

    Two that poll want a processor each. Where there are but two, acceptor and engine share one and
    yield it to each other, since the load knows no other way than to go on.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) > 2:
        return allowed[0], allowed[1], allowed[2]
    return allowed[0], allowed[0 if busy else -1], allowed[-1]


class Venue:
    """A venue with one FIX acceptor, in processes of its own, started as an operator would."""

    def __init__(self, directory: Path, engine: str, busy: bool, comp_ids: list[str]) -> None:
        (self.port,) = free_ports(1)
        acceptor_cpu, engine_cpu, _ = processors(busy)
        fix = f'engine = "{engine}"'
        if engine == "native":
            fix += f"\ncpu = {acceptor_cpu}\nbusy_poll = {str(busy).lower()}"
        text = CONFIG.format(
            name=f"bench-{secrets.token_hex(4)}",
            wait="yield" if busy else "park",
            engine_cpu=engine_cpu,
            port=self.port,
            fix=fix,
        )
        config = directory / "touchline.toml"
        config.write_text(text + "".join(SESSION.format(comp_id=name) for name in comp_ids))
        self.begin(directory, config)

    def begin(self, directory: Path, config: Path) -> None:
        """Start what the file says; `await_ready` comes next."""
        module = [sys.executable, "-m", "touchline.control.operate.cli", "--config", str(config)]
        self._status = [*module, "status", "--json"]
        self._log = (directory / "venue.log").open("w+")
        self.process = subprocess.Popen(
            [*module, "run"], stdout=subprocess.DEVNULL, stderr=self._log, cwd=directory
        )

    def await_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            done = subprocess.run(self._status, capture_output=True, text=True, check=False)
            parts = json.loads(done.stdout).get("parts", {}) if done.stdout else {}
            if parts and all(part["ready"] for part in parts.values()):
                return
            time.sleep(0.3)
        self._log.seek(0)
        raise BenchError(f"the venue did not start:\n{self._log.read()}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


@contextlib.contextmanager
def program(*arguments: str) -> Iterator[None]:
    """One of the C programs that serve until their standard input ends; ready when it says so."""
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline().strip() != "ready":
            raise BenchError(f"{arguments[0]} did not start")
        yield
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def acceptor(engine: str, busy: bool, comp_ids: list[str]) -> Iterator[int]:
    """The port of what is to be measured, while it runs."""
    if engine == "echo":
        (port,) = free_ports(1)
        with program(str(BUILD / "fix_echo"), str(port), str(int(busy)), str(processors(busy)[0])):
            yield port
        return
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as directory:
        venue = Venue(Path(directory), engine, busy, comp_ids)
        try:
            venue.await_ready()
            yield venue.port
        finally:
            venue.stop()


def place_of_load(kind: str, spin: int) -> set[int]:
    """Where the load may run.

    One that polls has a processor of its own. One that waits for each answer takes turns with the
    acceptor, on the same one: where the engine is it would have to wait for an engine that polls a
    moment longer. One that sends without waiting runs where there is room.
    """
    if spin:
        return {processors(True)[2]}
    return {processors(False)[0]} if kind == "rtt" else os.sched_getaffinity(0)


def load(port: int, comp_id: str, engine: str, kind: str, orders: int, **options: int) -> Figures:
    """One run of the load generator; BenchError when an answer was not what it should be."""
    keys = {"echo": int(engine == "echo"), "port": port, "orders": orders, **options}
    done = subprocess.run(
        [
            str(BUILD / "fix_load"),
            kind,
            f"comp_id={comp_id}",
            *(f"{key}={value}" for key, value in keys.items()),
        ],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, place_of_load(kind, options.get("spin", 0))),
    )
    if not done.stdout:
        raise BenchError(f"the load generator failed: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    if not figures["verified"]:
        raise BenchError(f"{kind} against {engine}: {figures['fault']}")
    return figures


def logon(port: int, comp_id: str) -> socket.socket:
    """A session that is logged on and then says nothing."""
    stamp = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
    body = f"35=A|34=1|49={comp_id}|52={stamp}|56=TOUCHLINE|98=0|108=30|141=Y|"
    text = f"8=FIX.4.4|9={len(body)}|{body}".replace("|", "\x01").encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(text + b"10=%03d\x01" % (sum(text) % 256))
    if b"\x0135=A\x01" not in connection.recv(4096):
        raise BenchError(f"{comp_id} was not logged on")
    return connection


def round_trip(figures: Figures) -> Figures:
    return {"p50": figures["p50"], "p99": figures["p99"]}


def fairness(port: int, engine: str, busy: list[str], idle: list[str], orders: int) -> Figures:
    """Fifty busy sessions side by side; one busy one alone and beside five hundred idle ones."""
    many = load(port, ",".join(busy), engine, "pipeline", BUSY_ORDERS, window=10)
    alone = load(port, "ALONE1", engine, "rtt", orders)
    with contextlib.ExitStack() as stack:
        for comp_id in idle:
            stack.enter_context(contextlib.closing(logon(port, comp_id)))
        beside = load(port, "ALONE2", engine, "rtt", orders)
    worst, best = max(many["p99_us"]), min(many["p99_us"])
    return {
        "busy_sessions": len(busy),
        "busy_p99_us": {"best": best, "worst": worst, "ratio": round(worst / best, 2)},
        "idle_sessions": len(idle),
        "rtt_us_alone": round_trip(alone),
        "rtt_us_beside_idle": round_trip(beside),
    }


def bench(engine: str, orders: int, trips: int, busy_poll: bool, many: bool) -> Figures:
    """All runs against one engine."""
    busy = [f"BUSY{n}" for n in range(BUSY_SESSIONS if many else 0)]
    idle = [f"IDLE{n}" for n in range(IDLE_SESSIONS if many else 0)]
    names = ["WARM", "TRIPS", "REST", "CROSS", "ALONE1", "ALONE2", *busy, *idle]
    found: Figures = {"engine": engine, "machine": machine(), "commit": commit(), "window": WINDOW}
    with program(str(BUILD / "fix_echo"), "awake"):
        with acceptor(engine, False, names) as port:
            load(port, "WARM", engine, "rtt", 1_000)
            found["rtt_us"] = round_trip(load(port, "TRIPS", engine, "rtt", trips))
            rest = load(port, "REST", engine, "pipeline", orders, window=WINDOW)
            cross = load(port, "CROSS", engine, "pipeline", orders, window=WINDOW, cross=1)
            if many and engine != "echo":
                found["sessions"] = fairness(port, engine, busy, idle, trips)
        found["orders_per_s"] = rest["orders_per_s"]
        found["orders_per_s_crossing"] = cross["orders_per_s"]
        found["pipelined_us"] = round_trip(rest)
    if busy_poll:
        with acceptor(engine, True, names) as port:
            load(port, "WARM", engine, "rtt", 1_000, spin=1)
            trip = load(port, "TRIPS", engine, "rtt", trips, spin=1)
            found["rtt_busy_us"] = round_trip(trip)
    found["verified"] = True
    return found


@click.command()
@click.option("--engine", type=click.Choice(ENGINES), default="native", show_default=True)
@click.option("--orders", default=0, help="Orders of a pipelined run; 0: as suits the engine.")
@click.option("--trips", default=0, help="Round trips; 0: as suits the engine.")
@click.option("--busy-poll/--no-busy-poll", default=False, help="Measure busy-polled, too.")
@click.option("--sessions", is_flag=True, help="Also 50 busy and 500 idle sessions.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def main(
    engine: str, orders: int, trips: int, busy_poll: bool, sessions: bool, as_json: bool
) -> None:
    """Measure FIX round trips and orders a second against one engine."""
    usual_orders, usual_trips = (20_000, 5_000) if engine == "quickfix" else (400_000, 20_000)
    try:
        build_fix_programs()
        found = bench(engine, orders or usual_orders, trips or usual_trips, busy_poll, sessions)
    except BenchError as e:
        sys.exit(fail(e))
    print(json.dumps(found) if as_json else lines(found))


def lines(found: dict[str, Any]) -> str:
    """The figures, one a line, the machine first."""
    shown = [f"{name}: {value}" for name, value in found["machine"].items()]
    for name, value in found.items():
        if name != "machine":
            shown.append(f"{name}: {value}")
    return "\n".join(shown)


if __name__ == "__main__":
    main()

"""From a FIX order to its reports, over loopback TCP, against a venue as it runs in production.

    client process ── FIX ──► gateway ──► lane ──► engine, journal ──► event ring
          ▲                                                              │
          └──────────────── ExecutionReports ◄── gateway ◄───────────────┘

`python -m benchmarks.bench_wire` starts `touchline run` with publisher and capture, then offers
orders at fixed rates, open loop, and last as fast as a window of outstanding orders lets it. Every
second order trades with the one before. Each run checks that every order was accepted once and
filled once and that the venue counted the same events.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.common import ROOT, BenchError, commit, fail, machine
from benchmarks.wire_client import Job

RATES = (500, 1_000, 2_000, 4_000)
START_S = 60.0
STOP_S = 30.0
EVENTS_PER_PAIR = 3
CONFIG = """\
[venue]
name = "{name}"
data_dir = "data"

[engine]
wait = "{wait}"

[fix]
port = {fix_port}

[publish]
pub_port = {pub_port}
snapshot_port = {snapshot_port}

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
reference_price = "100.00"
price_collar = "20.00"

[[accounts]]
name = "ACC1"
order_qty_max = "1000"
order_value_max = "1000000"
position_max = "1000000"
"""
SESSION = """
[[sessions]]
comp_id = "{comp_id}"
accounts = ["ACC1"]
"""

Figures = dict[str, Any]


class Venue:
    """A venue in processes of its own, reached by its command line as an operator would."""

    def __init__(self, directory: Path, comp_ids: list[str], wait: str) -> None:
        ports = free_ports(3)
        self.fix_port = ports[0]
        self._config = directory / "touchline.toml"
        text = CONFIG.format(
            name=f"bench-{secrets.token_hex(4)}",
            wait=wait,
            fix_port=ports[0],
            pub_port=ports[1],
            snapshot_port=ports[2],
        )
        text += "".join(SESSION.format(comp_id=comp_id) for comp_id in comp_ids)
        self._config.write_text(text)
        self._log = (directory / "venue.log").open("w+")
        self.process = subprocess.Popen(
            self._command("run"), stdout=subprocess.DEVNULL, stderr=self._log, cwd=directory
        )

    def _command(self, *arguments: str) -> list[str]:
        module = [sys.executable, "-m", "touchline.control.operate.cli"]
        return [*module, "--config", str(self._config), *arguments]

    def status(self) -> Figures:
        done = subprocess.run(
            self._command("status", "--json"), capture_output=True, text=True, check=False
        )
        status: Figures = json.loads(done.stdout) if done.stdout else {}
        return status

    def await_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            parts = self.status().get("parts", {})
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
def running_venue(comp_ids: list[str], wait: str) -> Iterator[Venue]:
    """A venue with a session for each CompID, in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as directory:
        venue = Venue(Path(directory), comp_ids, wait)
        try:
            venue.await_ready()
            yield venue
        finally:
            venue.stop()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def run_client(job: Job) -> Figures:
    """Run the client in its own process; its result."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.wire_client"],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"the client failed: {done.stderr}")
    result: Figures = json.loads(done.stdout)
    return result


def percentiles(times_ns: list[int]) -> dict[str, float]:
    """Exact percentiles in microseconds."""
    ordered = np.sort(np.array(times_ns)) / 1e3
    figures = {
        name: float(ordered[min(len(ordered) - 1, int(len(ordered) * share))])
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999))
    }
    figures["max"] = float(ordered[-1])
    return {name: round(value, 1) for name, value in figures.items()}


def disagreement(orders: int, counted: int) -> list[str]:
    """What is wrong with the venue's count of events, if anything."""
    expected = orders // 2 * EVENTS_PER_PAIR
    if counted == expected:
        return []
    return [f"the venue counted {counted} events, expected {expected}"]


def measure(venue: Venue, job: Job, warm_up: int) -> Figures:
    """One run of the client, checked against what the venue counted."""
    before = venue.status()["events"]
    result = run_client(job)
    counted = venue.status()["events"] - before
    problems = [*result["problems"], *disagreement(job.orders, counted)]
    return {
        "rate": job.rate,
        "window": 0 if job.rate else job.window,
        "orders": result["sent"],
        "orders_per_s": round(result["sent"] / result["elapsed_ns"] * 1e9, 1),
        "client_late_us_max": round(result["late_ns_max"] / 1e3, 1),
        "accepted_us": percentiles(result["accepted_ns"][warm_up:]),
        "filled_us": percentiles(result["filled_ns"][warm_up + 1 :: 2]),
        "problems": problems[:10],
    }


def jobs(port: int, comp_ids: list[str], seconds: float, pipelined: int) -> list[Job]:
    """One job a session: each rate for some seconds, then the pipeline."""
    open_loop = [
        Job(port, comp_id, max(1_000, int(rate * seconds) // 2 * 2), rate)
        for comp_id, rate in zip(comp_ids, RATES, strict=False)
    ]
    return [*open_loop, Job(port, comp_ids[-1], pipelined, 0)]


def bench(seconds: float, pipelined: int, wait: str) -> list[Figures]:
    """All runs, each on a session of its own, after one that only warms the venue up."""
    comp_ids = [f"BROKER{number}" for number in range(1, len(RATES) + 3)]
    with running_venue(comp_ids, wait) as venue:
        run_client(Job(venue.fix_port, comp_ids[0], 1_000, 1_000))
        return [
            measure(venue, job, warm_up=200)
            for job in jobs(venue.fix_port, comp_ids[1:], seconds, pipelined)
        ]


def table(runs: list[Figures]) -> str:
    """The runs, one a line."""
    names = ("p50", "p90", "p99", "p99.9", "max")
    header = f"{'offered':>10}{'done/s':>10}" + "".join(f"{name:>10}" for name in names)
    lines = [f"{header}{'fill p50':>10}{'fill p99':>10}   (microseconds from due time)"]
    for run in runs:
        offered = str(run["rate"] or f"{run['window']} open")
        figures = [run["accepted_us"][name] for name in names]
        figures += [run["filled_us"]["p50"], run["filled_us"]["p99"]]
        cells = "".join(f"{figure:>10.0f}" for figure in figures)
        lines.append(f"{offered:>10}{run['orders_per_s']:>10.0f}{cells}")
    return "\n".join(lines)


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Length of each open-loop run.")
@click.option("--pipelined", default=20_000, show_default=True, help="Orders of the last run.")
@click.option("--wait", default="park", show_default=True, help="How the engine waits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(seconds: float, pipelined: int, wait: str, as_json: bool) -> None:
    """Measure FIX order to report, open loop, then pipelined."""
    try:
        runs = bench(seconds, pipelined // 2 * 2, wait)
    except BenchError as e:
        sys.exit(fail(e))
    problems = [problem for run in runs for problem in run["problems"]]
    if as_json:
        report = {"machine": machine(), "commit": commit(), "wait": wait, "runs": runs}
        print(json.dumps({**report, "verified": not problems}))
    else:
        print(table(runs))
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

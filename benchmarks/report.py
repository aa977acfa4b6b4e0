"""Run the benchmarks and write one report: JSON for machines, Markdown for people.

`python -m benchmarks.report [core|api|wire]...` runs the parts named, or all, and writes
report.json and report.md into build/bench. Exit code 0 only when every part verified its results.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from benchmarks import bench_wire
from benchmarks.common import (
    BUILD,
    ROOT,
    BenchError,
    build_bench_core,
    cases,
    commit,
    fail,
    flow_file,
    machine,
    run,
)

PARTS = ("core", "api", "wire")
Figures = dict[str, Any]


def core(orders: int, passes: int) -> Figures:
    """Nanoseconds per command of each flow; the program ends with an error unless all verify."""
    program = str(build_bench_core())
    flows: Figures = {}
    pinned = ["--cpu", str(max(os.sched_getaffinity(0)))]
    for case in cases(orders):
        path = flow_file(case, BUILD / "flows")
        text = run([program, "--passes", str(passes), *pinned, str(path)])
        figures = json.loads(text)[0]
        figures.pop("file")
        flows[case.name] = figures
    return {"flows": flows, "verified": all(figures["verified"] for figures in flows.values())}


def api() -> Figures:
    """pytest-benchmark's figures for calls from Python, by this process's CPU time."""
    out = BUILD / "api.json"
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    timer = ["--benchmark-timer=time.process_time"]
    done = subprocess.run(
        [*command, *timer, f"--benchmark-json={out}", "benchmarks/bench_api.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise BenchError(f"{done.stdout}{done.stderr}")
    calls: Figures = {}
    for bench in json.loads(out.read_text())["benchmarks"]:
        commands = bench["extra_info"].get("commands", 1)
        stats = bench["stats"]
        calls[bench["name"].removeprefix("test_")] = {
            "best_ns": round(stats["min"] * 1e9 / commands, 1),
            "median_ns": round(stats["median"] * 1e9 / commands, 1),
        }
    return {"calls": calls, "verified": done.returncode == 0}


def wire(seconds: float) -> Figures:
    """FIX order to report against a venue in processes of its own."""
    runs = bench_wire.bench(seconds, pipelined=20_000, wait="park")
    return {"runs": runs, "verified": not any(run["problems"] for run in runs)}


def core_table(figures: Figures) -> list[str]:
    lines = [
        "| flow | ns a command, best | median | in batches of 256 | best by the wall clock "
        "| one command: p50 | p99 | p99.9 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, flow in figures["flows"].items():
        single = flow["single"]["all"]
        alone, batches = flow["one_by_one"], flow["batches_of_256"]
        cells = [alone["best_ns"], alone["median_ns"], batches["best_ns"], alone["wall_best_ns"]]
        cells += [single["p50_ns"], single["p99_ns"], single["p999_ns"]]
        lines.append(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return lines


def api_table(figures: Figures) -> list[str]:
    lines = ["| call | ns best | median |", "|---|---|---|"]
    for name, call in figures["calls"].items():
        lines.append(f"| {name.replace('_', ' ')} | {call['best_ns']} | {call['median_ns']} |")
    return lines


def wire_table(figures: Figures) -> list[str]:
    lines = [
        "| offered/s | done/s | p50 µs | p90 | p99 | p99.9 | max | fill p50 | fill p99 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rate in figures["runs"]:
        accepted, filled = rate["accepted_us"], rate["filled_us"]
        offered = str(rate["rate"] or f"{rate['window']} open")
        cells = [f"{rate['orders_per_s']:.0f}", *(f"{value:.0f}" for value in accepted.values())]
        cells += [f"{filled['p50']:.0f}", f"{filled['p99']:.0f}"]
        lines.append(f"| {offered} | " + " | ".join(cells) + " |")
    return lines


TABLES = {"core": core_table, "api": api_table, "wire": wire_table}


def markdown(report: Figures) -> str:
    """The report as tables."""
    about = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = [f"Commit {report['commit']}, {report['date']}. {about}.", ""]
    for part in PARTS:
        if part in report:
            lines += [f"## {part}", "", *TABLES[part](report[part]), ""]
    return "\n".join(lines)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--orders", default=500_000, show_default=True, help="New orders of a core flow.")
@click.option("--passes", default=5, show_default=True, help="Timed passes over each core flow.")
@click.option("--seconds", default=5.0, show_default=True, help="Length of a wire run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
def main(parts: tuple[str, ...], orders: int, passes: int, seconds: float, as_json: bool) -> None:
    """Run benchmarks and write a report."""
    runners: dict[str, Callable[[], Figures]] = {
        "core": lambda: core(orders, passes),
        "api": api,
        "wire": lambda: wire(seconds),
    }
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        report: Figures = {
            "machine": machine(),
            "commit": commit(),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
        }
        for part in parts or PARTS:
            print(f"running {part}", file=sys.stderr)
            report[part] = runners[part]()
    except BenchError as e:
        sys.exit(fail(e))
    report["verified"] = all(report[part]["verified"] for part in parts or PARTS)
    (BUILD / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (BUILD / "report.md").write_text(markdown(report))
    print(json.dumps(report) if as_json else markdown(report))
    sys.exit(0 if report["verified"] else 1)


if __name__ == "__main__":
    main()

"""The parts of the suite as functions: each runs its benchmarks and returns figures that verified.

A figure's name says its unit. A part that can not run raises BenchError; one whose results are not
the expected ones does so too, or says `verified: false`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import bench_capture, bench_publish, bench_recovery, bench_wire, stages
from benchmarks.common import (
    BUILD,
    ROOT,
    BenchError,
    Case,
    build_bench_core,
    cases,
    flow_file,
    more_cases,
    processors,
    run,
)
from benchmarks.recording import recorded, write_flow

Figures = dict[str, Any]
ENGINE_RATES = (1, 5, 10, 15, 20, 25, 30, 40, 50)  # million a second
RING_RATES = (0.1, 1, 2, 4, 8, 12, 16, 20, 25)
OPEN_ROUNDS = 3  # of each rate: one run of 0.4 s says what happened to it, not what is usual
CURVE_POINTS = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100)


@dataclass(frozen=True)
class Settings:
    orders: int = 500_000  # new orders of a core flow
    passes: int = 5
    rounds: int = 5  # over all flows of a part
    seconds: float = 5.0  # of a wire run


def curve(histogram: Figures) -> list[list[float]]:
    """[percentile, ns] from a histogram's buckets."""
    points = []
    buckets = histogram["buckets"]
    for percentile in CURVE_POINTS:
        wanted = histogram["count"] * percentile / 100
        seen = 0
        for value, count in buckets:
            seen += count
            if seen >= wanted:
                points.append([percentile, value])
                break
    return points


def with_curves(figures: Figures) -> Figures:
    """The figures with a curve in the place of every histogram's buckets."""
    if "buckets" in figures:
        rest = {name: value for name, value in figures.items() if name != "buckets"}
        return {**rest, "curve": curve(figures)}
    return {
        name: with_curves(value) if isinstance(value, dict) else value
        for name, value in figures.items()
    }


def run_flow(path: Path, passes: int, *options: str) -> Figures:
    """bench_core over one flow file, with the figures most asked for in front."""
    cpu, other = processors()
    pinned = ["--cpu", str(cpu), *(["--drained", str(other)] if other is not None else [])]
    text = run([str(BUILD / "bench_core"), "--passes", str(passes), *pinned, *options, str(path)])
    found = with_curves(json.loads(text)[0])
    found.pop("file")
    single = found["single"]["all"]
    return {
        "ns_per_command": found["one_by_one"]["best_ns"],
        "batched_ns": found["batches_of_256"]["best_ns"],
        "skeleton_ns": found.get("skeleton", {}).get("best_ns"),
        "drained_ns": found.get("drained", {}).get("best_ns"),
        "p50_ns": single["p50_ns"],
        "p99_ns": single["p99_ns"],
        "p999_ns": single["p999_ns"],
        **found,
    }


def calmest(rounds: list[Figures]) -> Figures:
    """Of one flow's figures from several rounds those of the round in which others on the machine
    disturbed least: engine and skeleton, which run turn by turn, took least together. What every
    round gave stands beside it."""
    best = min(rounds, key=lambda one: one["ns_per_command"] + (one["skeleton_ns"] or 0.0))
    names = ("ns_per_command", "batched_ns", "skeleton_ns", "drained_ns", "p99_ns", "p999_ns")
    return {**best, "rounds": [{name: one[name] for name in names} for one in rounds]}


def run_flows(paths: dict[str, Path], settings: Settings, batches: tuple[str, ...]) -> Figures:
    """All flows in turn, several times over: a bad minute is no flow's only one."""
    found: dict[str, list[Figures]] = {name: [] for name in paths}
    for _ in range(settings.rounds):
        for name, path in paths.items():
            options = ["--batches"] if name in batches else []
            found[name].append(run_flow(path, settings.passes, *options))
    flows = {name: calmest(rounds) for name, rounds in found.items()}
    proof = all(figures["verified"] for rounds in found.values() for figures in rounds)
    return {"flows": flows, "verified": proof}


def core(settings: Settings) -> Figures:
    """Nanoseconds per command of each flow; the program ends with an error unless all verify."""
    build_bench_core()
    paths = {case.name: flow_file(case, BUILD / "flows") for case in cases(settings.orders)}
    return run_flows(paths, settings, ("normal", "normal-100-symbols"))


def shapes(settings: Settings) -> Figures:
    """The other shapes, the scaling steps, and a recorded journal."""
    build_bench_core()
    fewer = replace(settings, passes=max(1, settings.passes // 2))
    paths = {
        case.name: flow_file(case, BUILD / "flows") for case in more_cases(settings.orders // 2)
    }
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
        case = Case("recorded", "normal", settings.orders // 4)
        with recorded(case, Path(name), bench_recovery.shm_path()) as source:
            paths["recorded"] = write_flow(source.journal, Path(name) / "recorded.flow")
        return run_flows(paths, fewer, ("normal-10000-symbols",))


def usual(rounds: list[list[Figures]]) -> list[Figures]:
    """Of each rate the run whose p99 is the median, and beside it the p99 of every run."""
    found = []
    for runs in zip(*rounds, strict=True):
        ordered = sorted(runs, key=lambda run: float(run["latency"]["p99_ns"]))
        p99s = [run["latency"]["p99_ns"] for run in runs]
        found.append({**with_curves(ordered[len(ordered) // 2]), "p99_ns_of_rounds": p99s})
    return found


def open_loop(settings: Settings) -> Figures:
    """Offered rate against latency: the engine alone, and through lane, journal and ring."""
    build_bench_core()
    path = flow_file(Case("normal", "normal", settings.orders), BUILD / "flows")
    cpu, other = processors()
    program = [str(BUILD / "bench_open"), "--cpu"]
    figures: Figures = {"verified": True}
    rates = [str(int(rate * 1e6)) for rate in ENGINE_RATES]
    figures["engine"] = usual(
        [json.loads(run([*program, str(cpu), str(path), *rates])) for _ in range(OPEN_ROUNDS)]
    )
    if other is not None:
        rates = [str(int(rate * 1e6)) for rate in RING_RATES]
        with tempfile.TemporaryDirectory(prefix="touchline-bench-") as name:
            options = [str(other), "--runner-cpu", str(cpu), "--ring", name, str(path)]
            figures["ring"] = usual(
                [json.loads(run([*program, *options, *rates])) for _ in range(OPEN_ROUNDS)]
            )
    return figures


def api_round() -> tuple[Figures, bool]:
    """pytest-benchmark's figures for calls from Python, by CPU time; whether all went well."""
    BUILD.mkdir(parents=True, exist_ok=True)
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
    return calls, done.returncode == 0


def api(settings: Settings) -> Figures:
    """Calls from Python; of each the round in which it took least."""
    calls: Figures = {}
    proof = True
    for _ in range(settings.rounds):
        found, well = api_round()
        proof = proof and well
        for name, one in found.items():
            calls[name] = min(calls.get(name, one), one, key=lambda times: times["best_ns"])
    return {"calls": calls, "verified": proof}


def wire(settings: Settings) -> Figures:
    """FIX order to report against a venue in processes of its own."""
    runs = bench_wire.bench(settings.seconds, pipelined=20_000, wait="park")
    return {"runs": runs, "verified": not any(run["problems"] for run in runs)}


PARTS: dict[str, Callable[[Settings], Figures]] = {
    "core": core,
    "shapes": shapes,
    "stages": lambda settings: with_curves(stages.bench(settings.orders, settings.passes)),
    "open-loop": open_loop,
    "api": api,
    "wire": wire,
    "publish": lambda _: bench_publish.bench(),
    "capture": lambda _: bench_capture.bench(),
    "recovery": lambda _: bench_recovery.bench(),
}

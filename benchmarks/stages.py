"""Where a command's instructions and time go: decode, risk, match, publish, by kind of command.

The step is one flattened function, so its profile by function says nothing. Its debug information
still says which source line each instruction came from: callgrind counts by line, a line belongs to
a function of the source, and a function to a stage. What is counted is the core as it ships.

Time needs a second copy of the core, with marks at the borders of the stages: bench_stages. What it
finds stands beside what bench_core finds for the same commands without marks.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.common import (
    BUILD,
    BenchError,
    Case,
    build_bench_core,
    fail,
    flow_file,
    processors,
    run,
)
from benchmarks.gate import FUNCTIONS, KINDS, ORDERS

STAGES = ("decode", "risk", "match", "publish")
ROUNDS = 2  # of the two programs in turn
# The first pattern that fits `file:function` decides; what fits none is decode: finding out what is
# asked, of whom, and whether it makes sense.
RULES = (
    (re.compile(r":(?:tl_)?\w*event\w*|:tl_refuse|:tl_reject|:tl_canceled|:replaced|:tell_\w*|"
                r":cancel_remainder"), "publish"),
    (re.compile(r"^risk\.[ch]:|^positions\.c:|:tl_risk\w*|:tl_position_(?:find|need|probe)|"
                r":\w*passes\w*|:\w*limits\w*"), "risk"),
    (re.compile(r"^(?:shelf|orders|levels|book|positions|match)\.[ch]:|"
                r":tl_rest\w*|:tl_unrest|:tl_owner|:requeue|:tl_match"), "match"),
)  # fmt: skip
DEFINITION = re.compile(r"^[A-Za-z_][\w \t*,()]*?\b(\w+)\(")

Figures = dict[str, Any]


def stage_of(file: str, function: str) -> str:
    """The stage that a function of a source file belongs to."""
    where = f"{file}:{function}"
    return next((stage for pattern, stage in RULES if pattern.search(where)), "decode")


@cache
def functions_of(path: Path) -> tuple[list[int], list[str]]:
    """First lines and names of a C file's functions, as they follow each other."""
    firsts, names = [], []
    if not path.exists():
        return [], []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        found = DEFINITION.match(line)
        if found and not line.rstrip().endswith(";"):
            firsts.append(number)
            names.append(found[1])
    return firsts, names


def function_at(path: Path, line: int) -> str:
    firsts, names = functions_of(path)
    place = bisect_right(firsts, line)
    return names[place - 1] if place else ""


def self_costs(profile: str) -> dict[tuple[str, int], int]:
    """Instructions by (file, line), inlined code under the file it was written in.

    Reads callgrind's format without compression; the line after `calls=` is a callee's cost.
    """
    costs: dict[tuple[str, int], int] = {}
    file = ""
    lines = iter(profile.splitlines())
    for line in lines:
        if line.startswith(("fl=", "fi=", "fe=")):
            file = line[3:]
        elif line.startswith("calls="):
            next(lines)
        elif line[:1].isdigit():
            number, cost = line.split()[:2]
            key = (file, int(number))
            costs[key] = costs.get(key, 0) + int(cost)
    return costs


def by_stage(costs: dict[tuple[str, int], int]) -> dict[str, int]:
    totals = dict.fromkeys(STAGES, 0)
    for (file, line), cost in costs.items():
        path = Path(file)
        if path.parents[1].name == "touchline":
            totals[stage_of(path.name, function_at(path, line))] += cost
    return totals


def count(program: Path, flow: Path, function: str) -> tuple[Figures, dict[str, int]]:
    """What bench_core said, and instructions by stage in and below one measured function."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += ["--compress-strings=no", "--compress-pos=no", "--collect-atstart=no"]
        text = run([*command, f"--toggle-collect={function}", str(program), "--instructions",
                    str(flow)])  # fmt: skip
        return json.loads(text)[0], by_stage(self_costs(out.read_text()))


def mean_ns(histogram: Figures) -> float:
    """The mean of a histogram's buckets."""
    total = float(sum(value * count for value, count in histogram["buckets"]))
    return round(total / max(1, int(histogram["count"])), 2)


def adds_up(figures: Figures) -> bool:
    """Is the sum of the stages within a quarter of the same commands clocked whole, for each kind?

    What the marks cost is subtracted; where that does not fit the machine, the rest means nothing.
    """
    pairs = [
        (by["whole"]["mean_ns"], by["unmarked"]["mean_ns"]) for by in figures["kinds"].values()
    ]
    return all(abs(whole - unmarked) <= unmarked / 4 for whole, unmarked in pairs)


def together(marked: list[Figures], unmarked: list[Figures]) -> Figures:
    """Time by kind and stage from runs of bench_stages and bench_core over one flow.

    Of each kind the run that took least. `whole` is all stages together, what the marks themselves
    took subtracted; `unmarked` is single commands of the core as it ships.
    """
    kinds: Figures = {}
    for kind in KINDS:
        stages = min((one["time"][kind] for one in marked), key=lambda by: by["whole"]["mean_ns"])
        plain = min((one["single"][kind] for one in unmarked), key=mean_ns)
        kinds[kind] = {**stages, "unmarked": {"mean_ns": mean_ns(plain), **plain}}
    return {
        "commands": marked[0]["commands"],
        "clock_step_ns": marked[0]["clock_step_ns"],
        "mark_ns": marked[0]["mark_ns"],
        "marked_ns": min(one["one_by_one"]["best_ns"] for one in marked),
        "unmarked_ns": min(one["one_by_one"]["best_ns"] for one in unmarked),
        "kinds": kinds,
    }


def time(path: Path, passes: int) -> Figures:
    """Nanoseconds by kind and stage, on one flow file."""
    options = ["--passes", str(passes), "--cpu", str(processors()[0]), str(path)]
    runs: dict[str, list[Figures]] = {"bench_stages": [], "bench_core": []}
    for _ in range(ROUNDS):
        for program, found in runs.items():
            found += json.loads(run([str(BUILD / program), *options]))
    if not all(one["verified"] for found in runs.values() for one in found):
        raise BenchError(f"{path}: a run did not verify")
    return together(*runs.values())


def instructions(program: Path, path: Path) -> Figures:
    """Instructions a command by kind and stage, on one flow file."""
    kinds: Figures = {}
    for function, kind in FUNCTIONS.items():
        said, totals = count(program, path, function)
        if not said["verified"] or not sum(totals.values()):
            raise BenchError(f"{path}: no instructions were counted in {function}")
        kinds[kind] = {stage: round(total / said[kind], 1) for stage, total in totals.items()}
    return kinds


def bench(orders: int, passes: int = 5) -> Figures:
    """Instructions and time by kind and stage, on `normal` with every limit set.

    Instructions of a flow of 20,000 new orders, as the gate counts them, time of one of `orders`.
    """
    program = build_bench_core()
    few, many = (
        flow_file(Case("normal-limits", "normal", count, limits=True), BUILD / folder)
        for count, folder in ((ORDERS, "flows/few"), (orders, "flows"))
    )
    return {
        "instructions": instructions(program, few),
        "time": time(many, passes),
        "verified": True,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(bench(ORDERS), indent=2))
    except BenchError as e:
        sys.exit(fail(e))

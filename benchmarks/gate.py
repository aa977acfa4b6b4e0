"""The regression gate: instructions per command on the generated flows, against a budget.

`python -m benchmarks.gate` counts with callgrind, by kind of command and by stage of a FIX order,
and exits 1 when any count is over budget.json by more than the tolerance. Instructions do not
depend on how busy the machine is, nanoseconds do. `--update` writes what was counted as the new
budget.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.common import (
    BUILD,
    BenchError,
    Case,
    build_bench_codec,
    build_bench_core,
    cases,
    compiler,
    fail,
    flow_file,
    run,
)

BUDGET = Path(__file__).with_name("budget.json")
TOLERANCE = 0.02
ORDERS = 20_000
KINDS = ("new_order", "cancel", "replace")
STAGES = ("read", "command", "report", "trade", "send")  # of benchmarks/wire/bench_codec.c
CODEC_ROUNDS = 8
FUNCTIONS = {
    "measured_new": "new_order",
    "measured_cancel": "cancel",
    "measured_replace": "replace",
}

Counts = dict[str, float]


def profiled(command: list[str]) -> tuple[str, dict[str, int]]:
    """What the command prints, and the cost of each function called measured_..."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "callgrind.out"
        options = [f"--callgrind-out-file={out}", "--toggle-collect=measured_*"]
        text = run(["valgrind", "--tool=callgrind", *options, "--collect-atstart=no", *command])
        return text, inclusive_costs(out.read_text())


def count_instructions(bench_core: Path, path: Path) -> Counts:
    """Instructions per command of a flow file, by kind and over all; the run verifies itself."""
    text, totals = profiled([str(bench_core), "--instructions", str(path)])
    result = json.loads(text)[0]
    if not result["verified"]:
        raise BenchError(f"{path}: the run did not verify")
    counts = {k: round(totals.get(f, 0) / result[k], 2) for f, k in FUNCTIONS.items()}
    counts["all"] = round(sum(totals.get(f, 0) for f in FUNCTIONS) / result["commands"], 2)
    return counts


def count_codec(bench_codec: Path) -> Counts:
    """Instructions per FIX order by stage; "all": from its bytes to those of its report."""
    text, totals = profiled([str(bench_codec), str(CODEC_ROUNDS)])
    result = json.loads(text)
    if not result["verified"]:
        raise BenchError("bench_codec did not verify")
    # A compiler calls its own variants of a function name.something.
    cost = dict.fromkeys(STAGES, 0)
    for name, instructions in totals.items():
        prefix, _, stage = name.partition(".")[0].partition("_")
        if prefix == "measured" and stage in cost:
            cost[stage] += instructions
    cost["read"] //= 2  # it reads once alone, and once before each command
    counts = {stage: round(cost[stage] / result["messages"], 2) for stage in STAGES}
    counts["all"] = round(sum(counts[stage] for stage in STAGES if stage != "trade"), 2)
    return counts


def inclusive_costs(profile: str) -> dict[str, int]:
    """Instructions spent in and below each function, as its callers in a callgrind file say.

    The format is described in valgrind's manual: a name stands in full once and then as its number;
    the line after `calls=` holds the call's inclusive cost.
    """
    names: dict[str, str] = {}
    costs: dict[str, int] = {}
    called = ""
    lines = iter(profile.splitlines())
    for line in lines:
        found = re.fullmatch(r"(c?fn)=(\(\d+\))(?: (.*))?", line)
        if found:
            kind, number, name = found.groups()
            names.setdefault(number, name or "")
            if kind == "cfn":
                called = names[number]
        elif line.startswith("calls="):
            costs[called] = costs.get(called, 0) + int(next(lines).split()[1])
    return costs


def compare(counted: dict[str, Counts], budget: dict[str, Counts]) -> list[str]:
    """What is over budget, or has none: one line each."""
    problems = []
    for case, counts in counted.items():
        for kind, count in counts.items():
            allowed = budget.get(case, {}).get(kind)
            if allowed is None:
                problems.append(f"{case} {kind}: {count:.1f} instructions, and no budget")
            elif count > allowed * (1 + TOLERANCE):
                over = 100 * (count / allowed - 1)
                problems.append(
                    f"{case} {kind}: {count:.1f} instructions, {over:.1f} % over budget"
                )
    return problems


def table(
    title: str, kinds: tuple[str, ...], counted: dict[str, Counts], budget: dict[str, Counts]
) -> str:
    """Counts and budgets side by side."""
    lines = [f"{title:<26}" + "".join(f"{kind:>20}" for kind in kinds)]
    for case, counts in counted.items():
        cells = (f"{counts[kind]:.1f} ({budget.get(case, {}).get(kind, 0):.1f})" for kind in kinds)
        lines.append(f"{case:<26}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines)


def count_all(chosen: list[Case]) -> dict[str, Counts]:
    """Build, write the flows, count them all."""
    bench_core = build_bench_core()
    directory = BUILD / "flows"
    return {
        case.name: count_instructions(bench_core, flow_file(case, directory)) for case in chosen
    }


@click.command()
@click.option("--update", is_flag=True, help="Write what is counted as the new budget.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def main(update: bool, as_json: bool) -> None:
    """Compare instructions per command with the budget."""
    try:
        flows = count_all(cases(ORDERS))
        fix = {"fix": count_codec(build_bench_codec())}
        made_by = compiler()
    except BenchError as e:
        sys.exit(fail(e))
    counted = flows | fix
    if update:
        kept = {"compiler": made_by, "orders": ORDERS, "instructions": counted}
        BUDGET.write_text(json.dumps(kept, indent=2) + "\n")
    budget = json.loads(BUDGET.read_text())
    allowed = budget["instructions"]
    problems = compare(counted, allowed)
    if as_json:
        print(json.dumps({"instructions": counted, "problems": problems, "ok": not problems}))
    else:
        print(table("instructions per command", ("all", *KINDS), flows, allowed))
        print(table("per order of FIX 4.4", ("all", *STAGES), fix, allowed))
        print("(in brackets: the budget, which may be exceeded by 2 %)")
    if budget["compiler"] != made_by:
        print(f"the budget was made by {budget['compiler']}, this is {made_by}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()

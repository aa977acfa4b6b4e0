"""Run the benchmarks and write one report: JSON for machines, Markdown and HTML for people.

`python -m benchmarks.report [PART]...` runs the parts named, or all, and writes report.json,
report.md and report.html into build/bench. Exit code 0 only when every part verified its results,
1 when one did not, 2 when one could not be run.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from benchmarks.common import BUILD, BenchError, commit, fail, machine
from benchmarks.page import page
from benchmarks.parts import PARTS, Settings
from benchmarks.tables import TABLES

Figures = dict[str, Any]
AT_LEAST_ONE = click.IntRange(1)
WORDS = """\
Times are of this machine; the ratio to the *skeleton* of the same run is what to compare. The
skeleton is a matcher of a few hundred lines that does nothing but match: no accounts, limits,
statuses or hash, every price range known beforehand. *Drained* means that another core reads every
event while the engine runs; its time ends when the reader has the last one."""
PREPARE = """\
## How to prepare a machine for figures that count

- Bare metal, one socket, both processors of the benchmark under one last-level cache.
- Kernel arguments: `isolcpus=2,3 nohz_full=2,3 rcu_nocbs=2,3 irqaffinity=0,1`; no SMT on them.
- Governor `performance`, no boost, C-states off (`processor.max_cstate=1 idle=poll`).
- Hugepages for the engine's region; transparent ones off; NUMA balancing off; no swap.
- `sysctl kernel.sched_rt_runtime_us=-1`, process limits `rtprio` and `memlock` unlimited.
- Nothing else running; `perf stat` must show cycles and instructions.
"""


def hindrances(about: dict[str, str | int]) -> list[str]:
    """What on this machine keeps the figures from being what they could be."""
    found = []
    if about["virtual"] == "yes":
        found.append("a virtual machine: the host takes processors away and moves them about")
    isolated = Path("/sys/devices/system/cpu/isolated")
    if not isolated.exists() or not isolated.read_text().strip():
        found.append("no isolated processors: the kernel runs other work on these")
    if not Path("/sys/bus/event_source/devices/cpu").exists():
        found.append("no hardware counters: instructions are callgrind's, cycles the TSC's")
    if len(os.sched_getaffinity(0)) < 3:
        found.append("too few processors to keep the system off the two that measure")
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if not governor.exists() or governor.read_text().strip() != "performance":
        found.append("the clock's frequency is not under control")
    found.append(f"load average {os.getloadavg()[0]:.1f} when this began")
    return found


def markdown(report: Figures) -> str:
    """The report as tables."""
    about = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = [f"Commit {report['commit']}, {report['date']}. {about}.", "", WORDS, ""]
    lines += ["## What limits the numbers here", ""]
    lines += [f"- {text}" for text in report["limits"]] + [""]
    for part in PARTS:
        if part in report:
            seconds = report["seconds"][part]
            lines += [f"## {part}", "", f"Took {seconds:.0f} s.", "", *TABLES[part](report[part])]
            lines.append("")
    return "\n".join([*lines, PREPARE])


def run_parts(parts: tuple[str, ...], settings: Settings) -> Figures:
    about = machine()
    report: Figures = {
        "machine": about,
        "limits": hindrances(about),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": {},
    }
    for part in parts:
        print(f"running {part}", file=sys.stderr, flush=True)
        start = time.monotonic()
        report[part] = PARTS[part](settings)
        report["seconds"][part] = round(time.monotonic() - start, 1)
    report["verified"] = all(report[part]["verified"] for part in parts)
    return report


def printed(report: Figures, parts: tuple[str, ...]) -> Figures:
    """What --json prints: one part's figures stand at the top."""
    return {**report, **report[parts[0]]} if len(parts) == 1 else report


@click.command(context_settings={"show_default": True})
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--orders", type=AT_LEAST_ONE, default=500_000, help="New orders of a core flow.")
@click.option("--passes", type=AT_LEAST_ONE, default=5, help="Timed passes over each core flow.")
@click.option("--rounds", type=AT_LEAST_ONE, default=5, help="Times each flow gets its passes.")
@click.option("--seconds", default=5.0, show_default=True, help="Length of a wire run.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Markdown.")
def main(
    parts: tuple[str, ...], orders: int, passes: int, rounds: int, seconds: float, as_json: bool
) -> None:
    """Run benchmarks and write a report."""
    chosen = parts or tuple(PARTS)
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        report = run_parts(chosen, Settings(orders, passes, rounds, seconds))
    except BenchError as e:
        sys.exit(fail(e))
    text = markdown(report)
    (BUILD / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (BUILD / "report.md").write_text(text)
    (BUILD / "report.html").write_text(page(report, text))
    print(json.dumps(printed(report, chosen)) if as_json else text)
    print(f"{BUILD / 'report.html'}", file=sys.stderr)
    sys.exit(0 if report["verified"] else 1)


if __name__ == "__main__":
    main()

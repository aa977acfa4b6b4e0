"""numpy batches of 256 against the same batches stepped in C: nanoseconds a command, and the ratio.

`python -m benchmarks.bench_batches [--orders 200000] [--json]`. One flow file for both; C is
benchmarks/core/bench_core.c, whose events are verified; Python is Engine.submit, its events checked
against the file's count and state hash. Both by CPU time, best of the passes of three rounds over
all flows: a busy minute of the host falls on one of a pair.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.common import BUILD, BenchError, Case, build_bench_core, fail, flow_file, run
from touchline.core.messages import COMMAND
from touchline.data import flow

BATCH = 256
ROUNDS = 3
HEAD_WORDS = 10


def python_ns(case: Case, path: Path, passes: int) -> float:
    """Best nanoseconds a command of submit in batches; BenchError when the result is another."""
    raw = path.read_bytes()
    head = np.frombuffer(raw, "<u8", HEAD_WORDS)
    events, _, state_hash = np.frombuffer(raw, "<u8", 3, len(raw) - 24).tolist()
    commands = np.frombuffer(raw, COMMAND, int(head[1] + head[2]), HEAD_WORDS * 8)
    setup, rest = commands[: int(head[1])], commands[int(head[1]) :]
    batches = [rest[i : i + BATCH] for i in range(0, len(rest), BATCH)]
    best = float("inf")
    for _ in range(passes):
        engine = case.engine()
        engine.submit(setup)
        start = time.process_time_ns()
        for batch in batches:
            engine.submit(batch)
        best = min(best, (time.process_time_ns() - start) / len(rest))
        if (engine.event_seq, engine.state_hash()) != (events, state_hash):
            raise BenchError(f"{path}: not the events or the state expected")
    return best


def compare(orders: int, passes: int) -> dict[str, Any]:
    """Figures by flow."""
    in_c = [str(build_bench_core()), "--clocked", "1", "--passes", str(passes)]
    best = {name: (float("inf"), float("inf")) for name in flow.SWINGS}
    for _ in range(ROUNDS):
        for name, (c_ns, python) in best.items():
            case = Case(name, name, orders)
            path = flow_file(case, BUILD / "flows")
            figures = json.loads(run([*in_c, str(path)]))[0]
            c_ns = min(c_ns, figures["batches_of_256"]["best_ns"])
            best[name] = (c_ns, min(python, python_ns(case, path, passes)))
    return {
        name: {"c_ns": c_ns, "python_ns": round(python, 2), "ratio": round(python / c_ns, 3)}
        for name, (c_ns, python) in best.items()
    }


@click.command()
@click.option("--orders", default=200_000, show_default=True, help="New orders in a flow.")
@click.option("--passes", default=7, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Figures for machines.")
def main(orders: int, passes: int, as_json: bool) -> None:
    """Compare numpy batches with C."""
    try:
        figures = compare(orders, passes)
    except BenchError as e:
        sys.exit(fail(e))
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    print("| flow | C | numpy | ratio |\n|---|---|---|---|")
    for name, row in figures.items():
        print(f"| {name} | {row['c_ns']:.1f} | {row['python_ns']:.1f} | {row['ratio']:.2f} |")


if __name__ == "__main__":
    main()

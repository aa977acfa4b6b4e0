"""`touchline bench`: run the benchmarks of a source checkout and print what they found.

The benchmarks are no part of an installed package: they compile C against the core's sources. They
run in a process of their own, from the checkout this package is loaded from.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

import touchline
from touchline.control.operate.terminal import NO, WORLD, fail, guarded, json_option

PARTS = ("core", "api", "wire", "publish", "capture", "recovery", "shapes", "stages", "open-loop")
FIX, NET = "fix", "net"
ALONE = {FIX: "benchmarks.bench_fix", NET: "benchmarks.bench_net"}
ENGINES = ("native", "quickfix", "echo")


def checkout(package: Path) -> Path | None:
    """The source checkout that a package is loaded from, or None when it is installed."""
    root = package.resolve().parents[2]
    needed = (root / "benchmarks" / "report.py", root / "CMakeLists.txt", root / "ext")
    return root if all(path.exists() for path in needed) else None


@click.command()
@click.argument(
    "parts",
    nargs=-1,
    type=click.Choice((*PARTS, *ALONE)),
    metavar=f"[{'|'.join((*PARTS[:6], *ALONE))}]...",
)
@click.option("--engine", type=click.Choice(ENGINES), help="Of fix alone: what accepts the orders.")
@click.option("--orders", type=click.IntRange(1_000), help="New orders of a core flow.")
@click.option("--passes", type=click.IntRange(1, 1_000), help="Timed passes over each flow.")
@click.option("--rounds", type=click.IntRange(1, 100), help="Times each flow gets its passes.")
@json_option
@guarded
def bench(
    parts: tuple[str, ...],
    engine: str | None,
    orders: int | None,
    passes: int | None,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Measure core, calls from Python, FIX, market data, capture, recovery; all without PARTS.

    fix stands alone: round trips and orders a second over FIX, against one --engine of the venue's
    or a bare echo of the same bytes. net stands alone, too: the binary protocols.

    Needs a source checkout, cmake and a C compiler. Exit code 1 when a result is not the one
    expected, 5 when nothing could be measured.
    """
    root = checkout(Path(touchline.__file__))
    if root is None:
        fail(
            f"{Path(touchline.__file__).parent} is no source checkout: "
            "clone the repository, `make build`, and run .venv/bin/touchline bench there",
            WORLD,
        )
    alone = next((name for name in ALONE if name in parts), None)
    if (alone and len(parts) != 1) or (engine and alone != FIX):
        raise click.UsageError("fix and net are measured alone; --engine is an option of fix")
    options = [("--orders", orders), ("--passes", passes), ("--rounds", rounds)]
    command = [sys.executable, "-m", "benchmarks.report", *parts]
    if alone:
        command = [sys.executable, "-m", ALONE[alone]]
        options = [("--orders", orders)] if alone == NET else options
    if alone == FIX:
        command += ["--engine", engine or "native"]
    command += [text for name, value in options if value for text in (name, str(value))]
    done = subprocess.run([*command, "--json"] if as_json else command, cwd=root, check=False)
    if done.returncode:
        raise click.exceptions.Exit(NO if done.returncode == 1 else WORLD)


def add_to(group: click.Group) -> None:
    """Put the command into the group."""
    group.add_command(bench)

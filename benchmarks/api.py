"""Calls from Python against a saved baseline, by pytest-benchmark: `make bench-api`.

    python -m benchmarks.api save before      keep this run as the baseline `before`
    python -m benchmarks.api compare before   run again; a table of both, the baseline's name in it
    python -m benchmarks.api list             the baselines kept

Baselines lie in build/bench/baselines, one file a run, with the machine in it; one of another
machine says nothing. The clock is the CPU time of this process. With `--fail-over 25` the exit code
is 1 when a best time is over the baseline by more than 25 %; without it only wrong results count.
"""

from __future__ import annotations

import subprocess
import sys

import click

from benchmarks.common import BUILD, ROOT

BASELINES = BUILD / "baselines"


def pytest_benchmark(*options: str) -> int:
    """Run bench_api.py with CPU time; pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]
    storage = ["--benchmark-timer=time.process_time", f"--benchmark-storage=file://{BASELINES}"]
    columns = [
        "--benchmark-columns=min,median,rounds",
        "--benchmark-sort=name",
        "--benchmark-time-unit=ns",
    ]
    arguments = [*command, *storage, *columns, *options, "benchmarks/bench_api.py"]
    return subprocess.run(arguments, cwd=ROOT, check=False).returncode


def kept(name: str) -> list[str]:
    """The files of a baseline, oldest first: a number, which says when, and the name."""
    return sorted(path.stem for path in BASELINES.glob(f"*/*_{name}.json"))


@click.group()
def main() -> None:
    """Baselines of the calls from Python."""


@main.command()
@click.argument("name")
def save(name: str) -> None:
    """Run, and keep the run as NAME."""
    sys.exit(pytest_benchmark(f"--benchmark-save={name}"))


@main.command()
@click.argument("name")
@click.option("--fail-over", type=float, help="Per cent by which a best time may be worse.")
def compare(name: str, fail_over: float | None) -> None:
    """Run, and compare with the newest baseline NAME."""
    found = kept(name)
    if not found:
        raise click.ClickException(f"no baseline {name} in {BASELINES}; save one first")
    number = found[-1].partition("_")[0]
    options = [f"--benchmark-compare={number}"]
    if fail_over is not None:
        options.append(f"--benchmark-compare-fail=min:{fail_over:g}%")
    sys.exit(pytest_benchmark(*options))


@main.command("list")
def list_baselines() -> None:
    """The baselines kept, oldest first."""
    for stem in kept("*"):
        print(stem)


if __name__ == "__main__":
    main()

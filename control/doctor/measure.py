"""Figures of this machine, in about five seconds: clocks, ring, pauses, disk, loopback.

Each figure is a set of percentiles in nanoseconds and a check of one of them. What another program
does at the same time is part of the figure: run it on a machine that is otherwise as it will be.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.control.doctor.check import Check, Found, made, unread
from touchline.control.doctor.machine import Machine
from touchline.measure import Jitter, clock_cost, jitter, loopback_round_trip, ring_round_trip
from touchline.runtime.bus import Bus

QUANTILES = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99, "p999_ns": 0.999, "max_ns": 1.0}
WARM_UP = 10  # a tenth of the samples comes before the caches know the code
APPEND_BYTES = 64
SYNCS_MAX = 2000
Samples = NDArray[np.float64] | NDArray[np.uint32]


@dataclass(frozen=True)
class Figure:
    """One measurement: which percentile is held against how many nanoseconds, and why."""

    name: str
    quantile: str
    wanted_ns: int
    why: str
    take: Callable[[Places], dict[str, Any]]


@dataclass(frozen=True)
class Places:
    """Where it is measured: two CPUs, the second for who answers, and a folder on the data disk."""

    near: int | None
    far: int | None
    folder: Path
    run_dir: Path = Path("/dev/shm")


def places(machine: Machine, folder: Path) -> Places:
    """The venue's CPUs as far as this process may use them, two different ones if there are."""
    allowed = sorted(os.sched_getaffinity(0))
    venue = [cpu for cpu in (*machine.chosen, *machine.isolated()) if cpu in machine.online()]
    order = list(dict.fromkeys([*venue, *reversed(allowed)]))
    near = order[0] if order else None
    apart = [cpu for cpu in order[1:] if near is None or cpu not in machine.siblings(near)]
    far = apart[0] if apart else (order[1] if len(order) > 1 else None)
    return Places(near, far, folder)


def summary(samples: Samples) -> dict[str, Any]:
    """Percentiles without the warm-up. Raises ValueError when there is nothing."""
    kept = samples[len(samples) // WARM_UP :]
    if not len(kept):
        raise ValueError("this machine has nothing to measure it with")
    values = np.quantile(kept, list(QUANTILES.values()), method="higher")
    return {
        "samples": len(kept),
        **{name: round(float(v), 1) for name, v in zip(QUANTILES, values, strict=True)},
    }


def needs_two(where: Places) -> None:
    if where.far is None:
        raise ValueError("two CPUs are needed, and this process may use one")


@contextmanager
def own_bus(where: Places) -> Iterator[Bus]:
    """A small bus that nobody knows of, gone afterwards."""
    path = where.run_dir / f"touchline-doctor-{os.getpid()}.bus"
    with Bus.create(path, lanes=1, lane_slots=64, event_slots=64) as bus:
        try:
            yield bus
        finally:
            bus.unlink()


def ring(where: Places, *, park: bool) -> dict[str, Any]:
    needs_two(where)
    with own_bus(where) as bus:
        return summary(
            ring_round_trip(bus, park=park, near=where.near, far=where.far, budget_s=0.4)
        )


def loopback(where: Places, *, spin: bool) -> dict[str, Any]:
    if spin:
        needs_two(where)
    return summary(loopback_round_trip(spin=spin, near=where.near, far=where.far, budget_s=0.4))


def python_clock(_: Places) -> dict[str, Any]:
    """time.perf_counter_ns from Python, the mean of a hundred calls."""
    read = time.perf_counter_ns
    samples = np.empty(500)
    for i in range(len(samples)):
        start = read()
        for _n in range(100):
            read()
        samples[i] = (read() - start) / 101
    return summary(samples)


def fdatasync(where: Places, *, growing: bool) -> dict[str, Any]:
    """Append 64 bytes and wait until the disk has them, in a file without a name."""
    record = bytes(APPEND_BYTES)
    samples: list[int] = []
    with tempfile.TemporaryFile(dir=where.folder, buffering=0) as file:
        if not growing:
            os.posix_fallocate(file.fileno(), 0, 1 << 20)
            file.write(bytes(1 << 20))
            os.fsync(file.fileno())
        file.seek(0)
        deadline_ns = time.perf_counter_ns() + 400_000_000
        while len(samples) < SYNCS_MAX:
            start_ns = time.perf_counter_ns()
            file.write(record)
            os.fdatasync(file.fileno())
            end_ns = time.perf_counter_ns()
            samples.append(end_ns - start_ns)
            if end_ns > deadline_ns:
                break
    return summary(np.array(samples, dtype=np.float64)) | {"folder": str(where.folder)}


def pauses(where: Places) -> dict[str, Any]:
    found: Jitter = jitter(cpu=where.near, budget_s=1.0)
    return found._asdict() | {"cpu": where.near}


FIGURES = (
    Figure(
        "clock_gettime",
        "p50_ns",
        50,
        "above that it is a system call: see the clocksource",
        lambda _: summary(clock_cost("monotonic")),
    ),
    Figure("rdtsc", "p50_ns", 50, "above that the hypervisor traps it",
           lambda _: summary(clock_cost("tsc"))),
    Figure("system call", "p50_ns", 500, "mitigations and tracing make it slow",
           lambda _: summary(clock_cost("syscall"))),
    Figure("perf_counter_ns in Python", "p50_ns", 200, "as clock_gettime", python_clock),
    Figure(
        "ring round trip, spinning",
        "p50_ns",
        500,
        "two cores that share a cache need some 200 ns; more, and they lie on different ones",
        lambda where: ring(where, park=False),
    ),
    Figure(
        "ring round trip, parked",
        "p50_ns",
        50_000,
        "a sleeping engine is woken, and its reader; idle states and the host make it slow",
        lambda where: ring(where, park=True),
    ),
    Figure(
        "scheduling jitter",
        "max_ns",
        50_000,
        "something took the CPU away: interrupts, other threads, the host; see isolated cores",
        pauses,
    ),
    Figure(
        "fdatasync, allocated file",
        "p99_ns",
        1_000_000,
        'with engine.sync = "batch" each batch of commands waits for it',
        lambda where: fdatasync(where, growing=False),
    ),
    Figure(
        "fdatasync, growing file",
        "p99_ns",
        5_000_000,
        "the file system's own journal is written too; touchline's is allocated beforehand",
        lambda where: fdatasync(where, growing=True),
    ),
    Figure(
        "loopback round trip, blocking",
        "p50_ns",
        60_000,
        "two wake-ups and the TCP stack: the least a FIX order pays",
        lambda where: loopback(where, spin=False),
    ),
    Figure(
        "loopback round trip, spinning",
        "p50_ns",
        15_000,
        "the TCP stack alone",
        lambda where: loopback(where, spin=True),
    ),
)  # fmt: skip


def span(ns: float) -> str:
    """A time for a person."""
    for limit, unit in ((1e3, "ns"), (1e6, "µs"), (1e9, "ms")):
        if ns < limit:
            return f"{ns / limit * 1e3:.3g} {unit}"
    return f"{ns / 1e9:.3g} s"


def measured(figure: Figure, where: Places) -> tuple[Check, dict[str, Any]]:
    """One figure's check and its facts."""
    short = figure.quantile.removesuffix("_ns")
    wanted = f"{short} at most {span(figure.wanted_ns)}"
    try:
        facts = figure.take(where)
    except (OSError, ValueError) as error:
        return unread(figure.name, "measured", wanted, error), {}
    shown = dict.fromkeys(["p50_ns", "p99_ns", figure.quantile])
    value = ", ".join(f"{name.removesuffix('_ns')} {span(facts[name])}" for name in shown)
    ok = facts[figure.quantile] <= figure.wanted_ns
    return made(figure.name, "measured", wanted, Found(value, ok, figure.why)), facts


def run(machine: Machine, folder: Path) -> tuple[list[Check], dict[str, dict[str, Any]]]:
    """Take all figures: the checks, and the facts by names such as `ring_round_trip_spinning`."""
    where = places(machine, folder)
    found = {figure.name: measured(figure, where) for figure in FIGURES}
    facts = {name.replace(",", "").replace(" ", "_"): told for name, (_, told) in found.items()}
    return [check for check, _ in found.values()], facts

"""What the benchmarks share: building the C programs, writing flow files, naming the machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import touchline.core.engine
from touchline.core.engine import Engine
from touchline.data import flow, flow_shapes
from touchline.data.flow import Flow
from touchline.data.flow_shapes import SHAPES

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
SEED = 101
PROGRAMS = ("bench_client_orders", "bench_core", "bench_open", "bench_stages")
FIX_PROGRAMS = ("fix_load", "fix_echo")
NET_PROGRAMS = ("wire_load", "bench_feed", "bench_itch", "bench_ports", "fix_echo")
SIZES = {"deep": "resting", "wide": "factor"}


class BenchError(Exception):
    """A benchmark that can not run here; the text says what is missing."""


@dataclass(frozen=True)
class Case:
    """One generated flow, and the engine it is made for. `size` is a shape's own parameter."""

    name: str
    flow: str
    orders: int
    instruments: int = 1
    limits: bool = False
    size: int = 0

    def generate(self, seed: int) -> Flow:
        if self.flow in flow.SWINGS:
            return flow.generate(
                self.flow, self.orders, seed, instruments=self.instruments, limits=self.limits
            )
        parameter = SIZES.get(self.flow)
        sizes = {parameter: self.size} if parameter and self.size else {}
        return SHAPES[self.flow](self.orders, seed, **sizes)

    def engine(self) -> Engine:
        """A fresh engine with room for the flow and little more."""
        resting = self.orders if self.flow in SHAPES else self.orders // 4
        return Engine(
            instruments_max=max(16, self.instruments),
            accounts_max=64,
            orders_max=max(1 << 16, resting + self.size * (self.flow == "deep")),
            positions_max=max(1024, 2 * flow_shapes.ACCOUNTS * self.instruments),
            price_blocks_max=1 << 16
            if self.flow == "wide"
            else min(1 << 16, 4096 * self.instruments),
        )


def cases(orders: int) -> list[Case]:
    """The five flows, and `normal` again with limits set and with a hundred symbols."""
    return [
        *(Case(name, name, orders) for name in flow.SWINGS),
        Case("normal-limits", "normal", orders, limits=True),
        Case("normal-100-symbols", "normal", orders, instruments=100),
        Case("mixed", "mixed", orders),
    ]


def more_cases(orders: int) -> list[Case]:
    """Other shapes, and the steps by which depth, price range and symbols are scaled."""
    return [
        Case("burst", "burst", orders),
        Case("cancel-storm", "cancel-storm", orders),
        *(Case(f"deep-{n}", "deep", orders // 2, size=n) for n in (10_000, 100_000, 1_000_000)),
        *(Case(f"wide-{690 * n}", "wide", orders, size=n) for n in (1, 15, 150, 1_500)),
        *(
            Case(f"normal-{n}-symbols", "normal", orders, instruments=n)
            for n in (10, 1_000, 10_000)
        ),
    ]


def run(command: list[str], **environment: str) -> str:
    """The standard output of a command; BenchError with what it said when it fails."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PATH": search_path(), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as e:
        raise BenchError(f"{command[0]} is not installed") from e
    except subprocess.CalledProcessError as e:
        raise BenchError(f"{' '.join(command)}\n{e.stdout}{e.stderr}") from e
    return done.stdout


def search_path() -> str:
    """Where programs are looked for: cmake and ninja may be installed beside this Python alone."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def build_bench_core() -> Path:
    """Compile benchmarks/core against the core as it ships; the program's path."""
    build(PROGRAMS)
    return BUILD / "bench_core"


def build_bench_codec() -> Path:
    """Compile what measures the FIX codec and desk; the program's path."""
    build(("bench_codec",))
    return BUILD / "bench_codec"


def build_fix_programs() -> None:
    """Compile what stands on the other side of a FIX acceptor, benchmarks/wire."""
    build(FIX_PROGRAMS)


def build_net_programs() -> None:
    """Compile what the binary protocols are measured with, benchmarks/wire."""
    build(NET_PROGRAMS)


def build(programs: tuple[str, ...]) -> None:
    """Compile programs into BUILD.

    Debug information tells the stage breakdown which line an instruction is of; it changes none.
    """
    options = ["-DTOUCHLINE_BENCHMARKS=ON", "-DCMAKE_C_FLAGS=-g"]
    with alone(BUILD):
        generator = ["-G", "Ninja"] if not (BUILD / "CMakeCache.txt").exists() else []
        run(["cmake", "-S", ".", "-B", str(BUILD), *generator, *options])
        run(["cmake", "--build", str(BUILD), "--target", *programs])


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Nobody else is in a block like this with the same directory, which is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def processors() -> tuple[int, int | None]:
    """Where the engine runs, and another for a reader if there is one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0] if len(allowed) > 1 else None


def flow_file(case: Case, directory: Path, seed: int = SEED) -> Path:
    """The case's flow with resolved ids and expected results, written once per engine build."""
    made_of = hashlib.sha256(repr((case, seed)).encode())
    for source in (flow.__file__, flow_shapes.__file__, touchline.core.engine.__file__, __file__):
        made_of.update(Path(source).read_bytes())
    path = directory / f"{case.name}-{made_of.hexdigest()[:16]}.flow"
    with alone(directory):
        if not path.exists():
            for old in directory.glob(f"{case.name}-{'?' * 16}.flow"):
                old.unlink()
            write_flow(case, path, seed)
    return path


def write_flow(case: Case, path: Path, seed: int) -> None:
    """One flow, under its name once it is whole."""
    generated = case.generate(seed)
    commands = flow.resolve(generated, case.engine())
    engine = case.engine()
    expected = flow.expect(generated.setup, commands, engine)
    part = path.with_suffix(".part")
    flow.write_file(part, generated, commands, expected, engine.capacities, engine.state_hash())
    part.rename(path)


def machine() -> dict[str, str | int]:
    """Processor, kernel, compiler and interpreter, as far as the system tells."""
    processor = platform.processor() or "unknown"
    virtual = "unknown"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            processor = value.strip()
        elif key.strip() == "flags":
            virtual = "yes" if "hypervisor" in value.split() else "no"
    return {
        "processor": processor,
        "cpus": os.cpu_count() or 0,
        "virtual": virtual,
        "kernel": platform.release(),
        "compiler": compiler(),
        "python": platform.python_version(),
    }


def compiler() -> str:
    """The first line `cc --version` prints."""
    return run(["cc", "--version"]).splitlines()[0]


def commit() -> str:
    """The commit's short hash, with `+` when the tree has changes; `unknown` outside a checkout."""
    try:
        short = run(["git", "rev-parse", "--short", "HEAD"]).strip()
        changed = run(["git", "status", "--porcelain", "ext", "benchmarks", "src"]).strip()
    except BenchError:
        return "unknown"
    return f"{short}+" if changed else short


def fail(error: BenchError) -> int:
    """Say on standard error why nothing was measured; the exit code."""
    print(error, file=sys.stderr)
    return 2

"""The benchmark of the binary protocols: its floors answer, and stand where the venue does."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks import bench_net
from benchmarks.bench_fix import processors
from benchmarks.bench_wire import free_ports
from benchmarks.common import BenchError, build

KEPT = (
    "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); "
    "print(flush=True); sys.stdin.read()"
)


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    build(("wire_load",))


@contextlib.contextmanager
def kept(code: str, *arguments: str) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    yield process.pid
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.mark.parametrize(("kind", "spin"), [("floor", False), ("floor", True), ("yield", True)])
def test_a_floor_answers_every_order_and_is_kept_to_its_processor(kind: str, spin: bool) -> None:
    if spin and len(os.sched_getaffinity(0)) == 1:
        pytest.skip("who polls needs a processor of its own")
    with bench_net.served(kind, spin) as port:
        assert bench_net.load(port, "rtt", 50, "TRIPS", spin=spin)["verified"]
        assert bench_net.is_kept_to(processors(spin)[0], os.getpid())


def test_a_process_kept_to_another_processor_is_not_alike() -> None:
    cpu = min(os.sched_getaffinity(0))
    with kept(KEPT, str(cpu)) as pid:
        assert bench_net.is_kept_to(cpu, pid)
        assert not bench_net.is_kept_to(cpu + 1, pid)


def test_who_does_not_listen_is_an_error() -> None:
    (port,) = free_ports(1)
    with pytest.raises(BenchError, match="nobody listens"):
        bench_net.load(port, "rtt", 10, "TRIPS")


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    found = {"venue": {"p50": [30.0, 12.0, 50.0]}, "floor": {"p50": [20.0, 10.0, 10.0]}}
    assert bench_net.ratio(found, "floor") == 1.5

"""The wire benchmark: its client counts right, and a venue under it agrees."""

import json
import subprocess
import sys

from benchmarks import bench_wire
from benchmarks.bench_wire import measure, percentiles, running_venue
from benchmarks.common import ROOT
from benchmarks.wire_client import END, FIELDS, Job


def test_percentiles_are_exact_and_in_microseconds() -> None:
    figures = percentiles([number * 1_000 for number in range(1_000, 0, -1)])
    assert figures == {"p50": 501, "p90": 901, "p99": 991, "p99.9": 1_000, "max": 1_000}
    assert percentiles([5_000]) == dict.fromkeys(figures, 5)


def test_messages_are_found_in_a_stream() -> None:
    report = b"8=FIX.4.4\x019=20\x0135=8\x0134=7\x0111=42\x01150=0\x01151=1\x0110=123\x01"
    stream = report + report.replace(b"=42", b"=43") + report[:30]
    found = []
    start = 0
    for end in END.finditer(stream):
        found.append(dict(FIELDS.findall(stream, start, end.start() + 1)))
        start = end.end()
    expected = {b"35": b"8", b"34": b"7", b"11": b"42", b"150": b"0", b"151": b"1"}
    assert found == [expected, {**expected, b"11": b"43"}]
    assert stream[start:] == report[:30]


def test_a_venue_answers_every_order_of_the_benchmark() -> None:
    with running_venue(["BROKER1", "BROKER2"], wait="park") as venue:
        open_loop = measure(venue, Job(venue.fix_port, "BROKER1", 200, rate=400), warm_up=20)
        pipeline = measure(venue, Job(venue.fix_port, "BROKER2", 400, window=16), warm_up=20)
    for run, orders in ((open_loop, 200), (pipeline, 400)):
        assert run["problems"] == []
        assert run["orders"] == orders
        assert 0 < run["accepted_us"]["p50"] <= run["accepted_us"]["max"]
        assert 0 < run["filled_us"]["p50"] <= run["filled_us"]["max"]


def test_a_venue_that_counts_otherwise_is_a_problem() -> None:
    assert bench_wire.disagreement(orders=200, counted=300) == []
    assert bench_wire.disagreement(orders=200, counted=299) == [
        "the venue counted 299 events, expected 300"
    ]


def test_a_client_without_a_venue_fails_with_words() -> None:
    (port,) = bench_wire.free_ports(1)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.wire_client"],
        input=json.dumps({"port": port, "comp_id": "BROKER1", "orders": 2}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode != 0
    assert "refused" in done.stderr

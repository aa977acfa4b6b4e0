"""Benchmarks in small: a load that does not wait, capture, recovery, a recorded journal."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import bench_capture, bench_publish, bench_recovery, parts, stages
from benchmarks.common import BenchError, Case, flow_file
from benchmarks.recording import main as record
from benchmarks.recording import recorded, write_flow
from harness.programs import compiled

SMALL = Case("small", "normal", 1_000)


@pytest.fixture(scope="module")
def bench_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("bench") / "bench_open")


def run(program: Path, *arguments: str) -> list[dict[str, float]]:
    command = [str(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, float]] = json.loads(done.stdout)
    return found


def test_every_command_of_an_open_load_has_a_latency(bench_open: Path, tmp_path: Path) -> None:
    path = flow_file(SMALL, tmp_path)
    for options in ([], ["--ring", str(tmp_path)]):
        slow, fast = run(bench_open, *options, str(path), "20000", "50000")
        commands = json.loads(json.dumps(fast))["latency"]["count"]
        assert commands > SMALL.orders
        assert (slow["rate"], fast["rate"]) == (20_000, 50_000)
        for one in (slow, fast):
            latency = json.loads(json.dumps(one))["latency"]
            assert latency["count"] == commands
            assert 0 < latency["p50_ns"] <= latency["max_ns"]


def test_an_open_load_without_a_rate_is_refused(bench_open: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(bench_open), "x.flow"], capture_output=True, check=False)
    assert done.returncode == 2


def test_time_by_stage_stands_beside_the_core_without_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled(tmp_path / "bench_core")
    compiled(tmp_path / "bench_stages", "-DTL_STAGES")
    monkeypatch.setattr(stages, "BUILD", tmp_path)
    figures = parts.with_curves(stages.time(flow_file(SMALL, tmp_path), passes=1))
    assert set(figures["kinds"]) == {"new_order", "cancel", "replace"}
    counts = 0
    for by in figures["kinds"].values():
        assert set(by) == {*stages.STAGES, "whole", "unmarked"}
        assert by["whole"]["count"] == by["unmarked"]["count"]
        assert len(by["whole"]["curve"]) == len(by["unmarked"]["curve"]) > 0
        counts += by["whole"]["count"]
    assert counts == figures["commands"]


def test_recovery_reaches_the_state_before_and_is_timed() -> None:
    figures = bench_recovery.bench(orders=1_000)
    assert figures["verified"] is True
    for name in ("written", "recovery", "journal_read", "replay"):
        assert figures[name]["commands_per_s"] > 0


def test_a_capture_holds_every_event_and_trade() -> None:
    figures = bench_capture.bench(orders=1_000)
    assert figures["verified"] is True
    assert figures["events"] > 1_000
    assert figures["bytes_per_event"] > 1


def test_a_subscriber_gets_every_message_of_publisher_and_bare_socket() -> None:
    figures = bench_publish.bench(orders=1_000)
    assert figures["verified"] is True
    assert figures["events"] > 1_000
    for one in figures["batches"]:
        assert one["messages_per_s"] > 0
        assert one["bare_messages_per_s"] > 0


def test_what_a_subscriber_did_not_get_ends_the_benchmark() -> None:
    with pytest.raises(BenchError, match="the subscriber got"):
        bench_publish.check((1, 40), [(b"depth/A/", bytes(40)), (b"depth/A/", bytes(40))])


def test_a_recorded_journal_is_a_flow_that_begins_with_its_first_order(tmp_path: Path) -> None:
    with recorded(SMALL, tmp_path, bench_recovery.shm_path()) as source:
        path = write_flow(source.journal, tmp_path / "recorded.flow")
        assert record([str(source.journal), str(tmp_path / "again.flow")]) == 0
        events = source.events
    words = memoryview(path.read_bytes()).cast("Q")
    assert (words[2] + words[8], words[-3]) == (source.commands, events)
    assert words[8] > 8
    assert path.read_bytes() == (tmp_path / "again.flow").read_bytes()


def test_what_is_no_journal_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert record([]) == 2
    assert record([str(tmp_path / "nothing"), str(tmp_path / "out.flow")]) == 1
    assert "nothing" in capsys.readouterr().err


def test_a_state_that_differs_is_refused(tmp_path: Path) -> None:
    with recorded(SMALL, tmp_path, bench_recovery.shm_path()) as source:
        wrong = type(source)(**{**vars(source), "state_hash": source.state_hash ^ 1})
        with pytest.raises(BenchError, match="recovered state"):
            bench_recovery.recover(wrong)
        with pytest.raises(BenchError, match="replayed state"):
            bench_recovery.replay(wrong)

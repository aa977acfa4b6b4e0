"""Small files merged into large ones: no event missing or twice, for any reader, at any kill."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from harness.captured_files import (
    capture_events,
    events_of,
    files_in,
    flip_a_bit,
    touches_of,
)
from touchline.control.capture import compact as merging
from touchline.control.capture.compact import compact, groups_of
from touchline.control.capture.store import Store
from touchline.data import history
from touchline.data.captured import CaptureDamaged, Entry, verify


@pytest.fixture(scope="module")
def events() -> NDArray[np.void]:
    return events_of(7, 900, days=2)


def assert_all_there(directory: Path, events: NDArray[np.void]) -> None:
    """Through the manifest, and by a scan of the directory that knows nothing of it."""
    assert not verify(directory).faults
    columns, rows = history.query(directory, "SELECT seq, order_id FROM events ORDER BY seq")
    assert columns == ["seq", "order_id"]
    wanted = [(int(e["seq"]), int(e["order_id"])) for e in events]
    assert rows == wanted
    scanned = pl.read_parquet(directory / "events").select("seq", "order_id").sort("seq")
    assert scanned.rows() == wanted


def test_small_files_of_a_day_become_one_and_hold_the_same(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    capture_events(tmp_path, events, 50)
    before = history.query(tmp_path, "FROM events ORDER BY seq")
    many = len(files_in(tmp_path))
    with Store(tmp_path) as store:
        assert compact(store) == many - 2
    assert len(files_in(tmp_path)) == 2  # days
    assert history.query(tmp_path, "FROM events ORDER BY seq") == before
    assert_all_there(tmp_path, events)


def test_the_capture_goes_on_behind_a_merge(tmp_path: Path, events: NDArray[np.void]) -> None:
    capture_events(tmp_path, events[:600], 50)
    with Store(tmp_path) as store:
        compact(store)
    capture_events(tmp_path, events[600:], 50, touches=touches_of(events)[600:])
    with Store(tmp_path) as store:
        compact(store)
    assert_all_there(tmp_path, events)


def test_a_merged_file_stays_within_its_rows(
    tmp_path: Path, events: NDArray[np.void], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "ROWS_MAX", 120)
    capture_events(tmp_path, events, 50)
    with Store(tmp_path) as store:
        compact(store)
        assert max(entry.rows for entry in store.entries) <= 120
        assert compact(store) == 0
    assert_all_there(tmp_path, events)


def test_the_present_day_is_merged_only_when_it_has_many_files() -> None:
    entries = [
        Entry(f"{day}/events-{n:012}-{n:012}.parquet", 1, n, n, 1, 1, "")
        for n, day in enumerate(["2024-10-03"] * 3 + ["2024-10-04"] * 5, 1)
    ]
    assert [len(group) for day in groups_of(entries, 6) for group in day] == [3]
    assert [len(group) for day in groups_of(entries, 5) for group in day] == [3, 5]
    assert groups_of([], 2) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from touchline.control.capture.compact import compact
from touchline.control.capture.store import Store
left = int(sys.argv[2])
STEPS = ("open", "os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "ctypes.dlsym",
         "shutil.rmtree", "fcntl.flock")
def count(event, arguments):
    global left
    if event in STEPS and event in ("ctypes.dlsym", "fcntl.flock") or (
        event in STEPS and sys.argv[1] in str(arguments[0])
    ):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
with Store(Path(sys.argv[1])) as store:
    sys.addaudithook(count)
    compact(store)
"""


def test_a_kill_between_any_two_steps_of_a_merge_loses_and_doubles_nothing(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    """Asked right after the kill, and after the next start too; to the step that is not there."""
    capture_events(tmp_path, events, 200)
    files_before = len(files_in(tmp_path))
    for step in range(1, 400, 3):
        killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path, str(step)], check=False)
        assert_all_there(tmp_path, events)
        if killed.returncode == 0:
            break
        assert killed.returncode == -signal.SIGKILL
        with Store(tmp_path) as store:
            assert store.last_seq == len(events)
            assert not list(store.temporary.iterdir())
        assert_all_there(tmp_path, events)
        if len(files_in(tmp_path)) < files_before:  # split again what this kill was late for
            for path in sorted(tmp_path.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
            capture_events(tmp_path, events, 200)
    assert step > 20
    assert killed.returncode == 0


def test_a_reader_at_work_keeps_its_files(tmp_path: Path, events: NDArray[np.void]) -> None:
    capture_events(tmp_path, events, 50)
    many = len(files_in(tmp_path))
    with history.open(tmp_path) as past, Store(tmp_path) as store:
        answer = past.query("FROM events")
        rows = iter(answer)
        next(rows)
        assert compact(store) == 0
        assert len(files_in(tmp_path)) == many
        assert 1 + sum(1 for _ in rows) == len(events)
        assert compact(store) > 0
        assert past.query("SELECT count(*) FROM events").rows() == [(len(events),)]
    assert_all_there(tmp_path, events)


def test_a_question_waits_for_the_exchange_of_directories(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    capture_events(tmp_path, events, 50)
    lock = os.open(tmp_path / "readers.lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    script = (
        "import sys; from touchline.data import history; print('asked', flush=True); "
        "print(history.query(sys.argv[1], 'SELECT count(*) FROM events')[1])"
    )
    asked = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True
    )
    try:
        assert asked.stdout is not None
        assert asked.stdout.readline() == "asked\n"
        os.close(lock)
        assert asked.communicate(timeout=60)[0] == f"[({len(events)},)]\n"
    finally:
        asked.kill()
        asked.communicate()


def test_a_damaged_file_is_not_merged_into_a_good_sum(
    tmp_path: Path, events: NDArray[np.void], seed: int
) -> None:
    capture_events(tmp_path, events, 200)
    with Store(tmp_path) as store:
        flip_a_bit(files_in(tmp_path)[1], seed)
        with pytest.raises(CaptureDamaged, match="the file is damaged"):
            compact(store)
        assert not list(store.temporary.iterdir())
    assert len(verify(tmp_path).faults) == 1

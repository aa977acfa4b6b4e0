"""The capture against a real engine: every event once, through kills, full disks and restarts."""

import json
import multiprocessing
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from harness.captured_files import (
    NAMES,
    QUICK,
    assert_all_captured,
    capturing,
    files,
    has_captured,
    last_seq,
    touches_of,
)
from harness.commands import SYMBOLS, commands, opening
from harness.flows import LIMITS, order_flow
from harness.venue import ThreadVenue
from harness.waiting import DEADLINE_S, until
from touchline.control.capture import writer as capture
from touchline.control.capture.store import Store
from touchline.control.capture.table import DAY_NS, table
from touchline.core.engine import Engine
from touchline.core.messages import EVENT_REFUSAL, ExecType, MsgType, Reason, Side
from touchline.errors import TouchlineError
from touchline.marketdata.mirror import TOUCH


def test_rows_are_written_when_enough_are_held_or_enough_time_has_gone_by(
    tmp_path: Path, seed: int
) -> None:
    with ThreadVenue(tmp_path, **QUICK).running() as venue:
        venue.open()
        with capturing(venue):
            until(lambda: last_seq(venue) == venue.event_seq, "the opening written by time")
            venue.send(order_flow(seed, 2000))
            until(lambda: last_seq(venue) == venue.event_seq, "the flow written")
        counts = [last - first + 1 for first, last, _ in files(venue.config.capture_dir)]
        assert max(counts) <= 300
        assert_all_captured(venue)


def test_a_capture_started_late_begins_with_the_first_event(tmp_path: Path, seed: int) -> None:
    with ThreadVenue(tmp_path, **QUICK).running(event_slots=1024) as venue:
        venue.open()
        venue.send(order_flow(seed, 4000))
        with capturing(venue):
            pass
        assert_all_captured(venue)


def test_a_capture_follows_an_engine_that_is_started_again(tmp_path: Path, seed: int) -> None:
    rows = order_flow(seed, 2000)
    venue = ThreadVenue(tmp_path, **QUICK)
    with ExitStack() as stack:
        with venue.running():
            venue.open()
            stack.enter_context(capturing(venue))
            venue.send(rows[:1000])
            until(lambda: last_seq(venue) > 0, "the capture has begun")
        with venue.running():
            venue.send(rows[1000:])
            until(lambda: last_seq(venue) == venue.event_seq, "everything captured")
            assert_all_captured(venue)


def test_a_killed_capture_goes_on_where_it_was(tmp_path: Path, seed: int) -> None:
    """kill -9 at moments drawn from the seed, while events keep coming."""
    rng = random.Random(seed)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["touchline.control.capture.writer"])
    never = processes.Event()
    with ThreadVenue(tmp_path, capture__flush_s=0.002, capture__rows_max=40).running() as venue:
        venue.open()
        for rows in np.array_split(order_flow(seed, 4000), 15):
            process = processes.Process(target=capture.run, args=(venue.config, never))
            process.start()
            venue.send(rows)
            aim = rng.randint(last_seq(venue) + 1, venue.event_seq)
            try:
                until(partial(has_captured, venue, aim), f"captured up to {aim}")
            finally:
                process.kill()
                process.join(DEADLINE_S)
        with capturing(venue):
            pass
        assert_all_captured(venue)
        assert not list(venue.config.capture_dir.rglob("*.part"))
        assert not list(venue.config.venue.data_dir.glob(".*"))


SCRIPT = """
import sys, threading
from touchline import config
from touchline.control.capture import writer as capture
settings = dict(pair.split("=", 1) for pair in sys.argv[1:])
try:
    capture.run(config.load(None, settings), threading.Event())
except OSError as error:
    sys.exit(f"{error.filename}|{error}")
"""


def start_capture(
    venue: ThreadVenue, script: str = SCRIPT, *arguments: str
) -> subprocess.Popen[str]:
    venue_settings = venue.config.venue
    settings = (
        f"venue.data_dir={venue_settings.data_dir}",
        f"venue.run_dir={venue_settings.run_dir}",
        "capture.flush_s=0.01",
        f"capture.rows_max={venue.config.capture.rows_max}",
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *settings, *arguments], stderr=subprocess.PIPE, text=True
    )


KILLED = """
import os, signal, sys
left = int(sys.argv.pop())
def count(event, arguments):
    global left
    if event in ("open", "os.mkdir", "os.rename") and "/data/" in str(arguments[0]):
        if "/journal" not in str(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
"""


def test_a_kill_between_any_two_steps_of_a_write_loses_nothing(tmp_path: Path, seed: int) -> None:
    """The process kills itself before the n-th file it opens, renames or makes, for every n."""
    pieces = np.array_split(order_flow(seed, 1600), 8)
    with ThreadVenue(tmp_path, capture__rows_max=40).running() as venue:
        venue.open()
        for step, rows in enumerate(pieces, 1):
            venue.send(rows)
            process = start_capture(venue, KILLED + SCRIPT, str(step))
            try:
                assert process.wait(DEADLINE_S) == -signal.SIGKILL
            finally:
                process.kill()
                process.communicate()
        with capturing(venue):
            pass
        assert_all_captured(venue)
        assert venue.config.database_path.exists()
        assert not list(venue.config.capture_dir.rglob("*.part"))
        assert not list(venue.config.venue.data_dir.glob(".*"))


def test_a_batch_over_midnight_becomes_a_file_for_each_day(tmp_path: Path, seed: int) -> None:
    engine = Engine(**LIMITS._asdict())
    rows = np.concatenate([opening(), order_flow(seed, 500)])
    midnight = 20_000 * DAY_NS
    rows["ts_ns"] = midnight - 10_000 + np.arange(len(rows)) * 40
    events = engine.submit(rows).copy()
    with Store(tmp_path) as store:
        store.commit(events, touches_of(events), NAMES)
        assert store.last_seq == len(events)
    before, after = (path for _, _, path in files(tmp_path))
    assert [path.parent.name for path in (before, after)] == ["2024-10-03", "2024-10-04"]
    assert max(pq.read_table(before, columns=["ts_ns"])["ts_ns"].to_pylist()) < midnight
    assert min(pq.read_table(after, columns=["ts_ns"])["ts_ns"].to_pylist()) >= midnight
    days = pq.read_table(tmp_path / "events", columns=["date", "seq"])
    assert len(days) == len(events)


def sample_events(seed: int) -> NDArray[np.void]:
    engine = Engine(**LIMITS._asdict())
    engine.submit(opening())
    return engine.submit(order_flow(seed, 2000)).copy()


def test_fields_that_an_event_does_not_have_are_null(seed: int) -> None:
    events = sample_events(seed)
    touches = np.zeros(len(events), TOUCH)
    rows = table(events, touches, NAMES.instruments(), NAMES.accounts).to_pylist()
    assert {row["exec_type"] for row in rows} >= {"NEW", "TRADE", "CANCELED", "REJECTED"}
    limits = events.view(EVENT_REFUSAL)["limit"].tolist()
    for event, limit, row in zip(events, limits, rows, strict=True):
        kind = ExecType(int(event["exec_type"]))
        trade = kind == ExecType.TRADE
        refused = kind in (ExecType.REJECTED, ExecType.CANCEL_REJECTED)
        assert row["exec_type"] == kind.name
        assert row["contra_order_id"] == (int(event["contra_order_id"]) if trade else 0)
        assert (row["contra_account_name"] is not None) == trade
        assert row["value"] == (int(event["value"]) if refused else None)
        assert row["limit"] == (limit if refused else None)
        assert row["qty"] == (None if refused else int(event["qty"]))
        assert row["leaves_qty"] == (None if refused else int(event["leaves_qty"]))
        assert row["side"] == Side(int(event["side"])).name
        assert row["symbol"] == SYMBOLS[int(event["instrument"])]
        reason = int(event["reason"])
        assert row["reason"] == (Reason(reason).name if reason else None)
        assert (row["maker_done"] is not None) == trade


def test_administrative_events_have_readable_statuses_and_limits() -> None:
    engine = Engine(**LIMITS._asdict())
    engine.submit(opening())
    administration: list[dict[str, Any]] = [
        {"type": MsgType.SECURITY_STATUS, "instrument": 1, "field": 2},
        {"type": MsgType.VENUE_STATUS, "field": 2},
        {"type": MsgType.ACCOUNT_STATUS, "account": 1, "field": 1},
        {"type": MsgType.LIMIT, "instrument": 0, "field": 1, "price": 5},
        {"type": MsgType.LIMIT, "instrument": 0, "account": 1, "field": 8, "price": 500},
        {"type": MsgType.MASS_CANCEL, "instrument": 65535, "account": 0xFFFFFFFF},
        {"type": MsgType.NEW_ORDER, "instrument": 7, "account": 77, "side": 9},
        {"type": MsgType.CHECKPOINT},
    ]
    events = engine.submit(commands(administration))
    touches = np.zeros(len(events), TOUCH)
    rows = table(events, touches, NAMES.instruments(), NAMES.accounts)
    shown = ("exec_type", "symbol", "account_name", "status", "field", "value", "qty", "side")
    told = [tuple(row[name] for name in shown) for row in rows.to_pylist()]
    assert told[:7] == [
        ("SECURITY_STATUS", "AAA", None, "HALTED", None, None, None, None),
        ("VENUE_STATUS", None, None, "BLOCKED", None, None, None, None),
        ("ACCOUNT_STATUS", None, "ACC2", "OPEN", None, None, None, None),
        ("LIMIT", "AA", None, None, "PRICE_MIN", 5, None, None),
        ("LIMIT", "AA", "ACC2", None, "POSITION_MAX", 500, None, None),
        ("MASS_CANCELED", None, None, None, None, None, 0, None),
        ("REJECTED", None, None, None, None, 7, None, "9"),
    ]
    assert told[7][0] == "CHECKPOINT"
    assert rows.to_pylist()[6]["account"] == 77
    assert isinstance(told[7][5], int)


def test_the_files_say_what_a_tick_and_a_lot_are_worth(tmp_path: Path, seed: int) -> None:
    with Store(tmp_path) as store:
        engine = Engine(**LIMITS._asdict())
        events = engine.submit(opening()).copy()
        store.commit(events, touches_of(events), NAMES)
        assert store.last_file is not None
        schema = pq.read_schema(store.last_file)
        told = json.loads(schema.metadata[b"touchline"])
        assert told["version"] == 3
        assert told["instruments"][1] == {
            "instrument": 1,
            "symbol": "AAA",
            "tick_size": "0.01",
            "lot_size": "10",
            "currency": "USD",
        }
        assert schema.field("price").type == pa.int64()
        assert pa.types.is_dictionary(schema.field("exec_type").type)


@pytest.mark.parametrize(("count", "compression"), [(100, "UNCOMPRESSED"), (1000, "ZSTD")])
def test_a_file_of_few_events_is_not_compressed(
    tmp_path: Path, seed: int, count: int, compression: str
) -> None:
    events = sample_events(seed)[:count]
    with Store(tmp_path) as store:
        events["seq"] = np.arange(count) + 1
        store.commit(events, np.zeros(count, TOUCH), NAMES)
        assert store.last_file is not None
        metadata = pq.ParquetFile(store.last_file).metadata
        assert metadata.row_group(0).column(0).compression == compression


def test_two_captures_do_not_write_one_directory(tmp_path: Path) -> None:
    refusal = pytest.raises(TouchlineError, match="another capture writes here")
    with Store(tmp_path), refusal, Store(tmp_path):
        pass
    with Store(tmp_path) as store:
        assert store.last_seq == 0


def captured_venue(directory: Path, seed: int) -> ThreadVenue:
    """A venue that has run, with everything captured in several files."""
    venue = ThreadVenue(directory, **QUICK)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 1500))
        with capturing(venue):
            pass
    return venue


def test_a_missing_or_doubled_file_is_named(tmp_path: Path, seed: int) -> None:
    venue = captured_venue(tmp_path, seed)
    directory = venue.config.capture_dir
    (_, first_last, _), (_, _, second), *_ = files(directory)
    doubled = second.with_name(f"events-{first_last:012}-{first_last:012}.parquet")
    shutil.copy(second, doubled)
    with pytest.raises(TouchlineError, match=f"{first_last}: they are there twice"):
        Store(directory).__enter__()
    doubled.unlink()
    second.unlink()
    with pytest.raises(TouchlineError, match=f"events {first_last + 1} to .*the file is missing"):
        Store(directory).__enter__()


def test_a_capture_of_another_journal_is_refused(tmp_path: Path, seed: int) -> None:
    old = captured_venue(tmp_path / "old", seed)
    new = ThreadVenue(tmp_path / "new", **QUICK)
    shutil.copytree(old.config.capture_dir, new.config.capture_dir)
    stop = threading.Event()
    with new.running():
        new.open()
        with pytest.raises(TouchlineError, match="but the journal gives only"):
            capture.run(new.config, stop)
        new.send(order_flow(seed, 3000))
        with pytest.raises(TouchlineError, match="is another one in the journal"):
            capture.run(new.config, stop)


def test_a_file_that_may_not_grow_stops_the_capture_cleanly(tmp_path: Path, seed: int) -> None:
    """The limit on the size of files stands in for a full disk where nobody may mount one."""
    with ThreadVenue(tmp_path).running() as venue:
        venue.open()
        process = start_capture(venue)
        try:
            until(lambda: last_seq(venue) == venue.event_seq, "the opening captured")
            until(venue.config.database_path.exists, "the database")
            before = last_seq(venue)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
            venue.send(order_flow(seed, 3000))
            _, complaint = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
        path, message = complaint.split("|", 1)
        assert process.returncode == 1
        assert path.startswith(str(venue.config.capture_dir / "events"))
        assert "cannot write: File too large" in message
        assert last_seq(venue) >= before
        assert not list(venue.config.capture_dir.rglob("*.part"))
        with capturing(venue):
            pass
        assert_all_captured(venue)


def test_a_full_disk_stops_the_capture_cleanly_and_room_lets_it_go_on(
    tmp_path: Path, seed: int
) -> None:
    venue = ThreadVenue(tmp_path)
    disk = venue.config.capture_dir
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root alone")
    try:
        with venue.running():
            venue.open()
            process = start_capture(venue)
            try:
                until(lambda: last_seq(venue) == venue.event_seq, "the opening captured")
                ballast = disk / "ballast"
                ballast.write_bytes(bytes(180 * 1024))
                venue.send(order_flow(seed, 12_000))
                _, complaint = process.communicate(timeout=DEADLINE_S)
            finally:
                process.kill()
            assert "cannot write: No space left on device" in complaint
            assert complaint.startswith(str(disk / "events"))
            assert not list(disk.rglob("*.part"))
            ballast.unlink()
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            with capturing(venue):
                pass
            assert_all_captured(venue)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_what_a_killed_write_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir(parents=True)
    leftover = tmp_path / "tmp" / "events-000000000001-000000000009.parquet.part"
    leftover.write_bytes(b"half a file")
    with Store(tmp_path) as store:
        assert store.last_seq == 0
    assert not leftover.exists()

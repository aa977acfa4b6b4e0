"""The history as quants use it: any directory, any reader, exact values, bounded memory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from harness.captured_files import (
    NAMES,
    capture_events,
    events_of,
    files_in,
    flip_a_bit,
    touches_of,
)
from touchline.control.capture.store import Store
from touchline.core.messages import ExecType
from touchline.data import history
from touchline.data.captured import CaptureDamaged
from touchline.data.captured_columns import COLUMNS, COMMENTS
from touchline.errors import TouchlineError

ODD_NAMES = (
    "price=1", "symbol=ZZZ", "date=1999-01-01", "seq=5", "exec_type=NEW", "a?b", "a*b", "a[b",
    "a]b", "back\\slash", "quo'te\"s", "new\nline", "a{b}c", "50%41", "blank s", "größe",
)  # fmt: skip


@pytest.fixture(scope="module")
def events() -> NDArray[np.void]:
    return events_of(7, 1500, days=3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, events: NDArray[np.void]) -> Path:
    directory = tmp_path_factory.mktemp("data") / "capture"
    capture_events(directory, events, 300)
    return directory


def ask(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    return history.query(directory, sql)[1]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_no_name_of_a_directory_above_changes_an_answer(
    tmp_path: Path, events: NDArray[np.void], directory: Path, name: str
) -> None:
    """Beside one whose name a pattern made of the odd one would match."""
    odd = tmp_path / name / "capture"
    capture_events(odd, events, 1000)
    capture_events(tmp_path / "aXb" / "capture", events[:300], 300)
    for view in ("events", "orders", "bars_1m"):
        sql = f"FROM {view} ORDER BY ALL"
        assert history.query(odd, sql) == history.query(directory, sql), view


def test_a_directory_whose_name_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    with pytest.raises(TouchlineError, match=r"data_dir: .*caf\\xe9' is not UTF-8"):
        Store(odd).__enter__()


READERS: dict[str, Callable[[Path], Any]] = {
    "pandas": lambda path: pd.read_parquet(path)["order_id"].tolist(),
    "polars": lambda path: pl.read_parquet(path)["order_id"].to_list(),
    "polars scan": lambda path: pl.scan_parquet(path / "**/*").collect()["order_id"].to_list(),
    "pyarrow": lambda path: pq.read_table(path)["order_id"].to_pylist(),
    "dataset": lambda path: ds.dataset(path).to_table()["order_id"].to_pylist(),
    "duckdb": lambda path: [
        row[0]
        for row in duckdb.connect()
        .execute(f"SELECT order_id FROM read_parquet('{path}/**/*.parquet')")
        .fetchall()
    ],
}


@pytest.mark.parametrize("reader", READERS)
def test_others_scan_the_directory_while_a_file_is_half_written(
    tmp_path: Path, events: NDArray[np.void], reader: str
) -> None:
    capture_events(tmp_path, events, 300)
    with Store(tmp_path) as store:  # locks are there and held
        (store.temporary / "events-000000009999-000000099999.parquet.part").write_bytes(b"PAR1half")
        found = READERS[reader](tmp_path / "events")
    assert sorted(found) == sorted(int(order_id) for order_id in events["order_id"])


def test_order_ids_and_numbers_survive_pandas(tmp_path: Path, events: NDArray[np.void]) -> None:
    """Two ids beyond 2^53 that a float would make one, with nulls in every other column."""
    odd = events.copy()
    places = np.flatnonzero(odd["exec_type"] == ExecType.REJECTED)[:2]
    odd["order_id"][places] = [(1 << 63) + 1, (1 << 63) + 2]
    odd["value"][places] = [(1 << 60) + 1, (1 << 60) + 2]
    capture_events(tmp_path, odd, len(odd))
    frame = pd.read_parquet(tmp_path / "events")
    rows = frame[frame["seq"].isin(odd["seq"][places])]
    assert rows["order_id"].tolist() == [(1 << 63) + 1, (1 << 63) + 2]
    assert rows["value"].tolist() == [(1 << 60) + 1, (1 << 60) + 2]
    floats = {name for name in frame if frame[name].dtype == np.float64}
    assert floats == {"price_in_currency", "qty_in_units"}
    assert str(frame["transact_time"].dtype) == "datetime64[us, UTC]"


def test_prices_and_times_of_the_files_are_read_without_duckdb(
    directory: Path, events: NDArray[np.void]
) -> None:
    frame = pd.read_parquet(directory / "events").sort_values("seq")
    trades = frame[frame["exec_type"] == "TRADE"]
    raw = events[events["exec_type"] == ExecType.TRADE]
    assert trades["price_in_currency"].tolist() == [int(p) / 100 for p in raw["price"]]
    assert trades["qty_in_units"].tolist() == [int(q) * 10.0 for q in raw["qty"]]
    assert trades["transact_time"].astype("int64").tolist() == [
        int(t) // 1000 for t in raw["ts_ns"]
    ]


def test_an_instrument_without_a_name_goes_by_its_number(
    tmp_path: Path, events: NDArray[np.void], directory: Path
) -> None:
    nameless = replace(NAMES, symbols={n: NAMES.symbols[n] for n in (0, 2)})
    capture_events(tmp_path, events, 300, nameless)
    for view in ("trades", "executions", "orders", "bars_1m"):
        sql = f"SELECT symbol, count(*) FROM {view} GROUP BY symbol"
        named = dict(ask(directory, sql))
        assert dict(ask(tmp_path, sql)) == {"1" if s == "AAA" else s: n for s, n in named.items()}


def test_a_large_price_is_the_nearest_float_to_the_exact_one(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    large = events.copy()
    large["price"][large["exec_type"] == ExecType.TRADE] = 1_073_742_896_741_823
    capture_events(tmp_path, large, len(large), touches=touches_of(events))
    assert ask(tmp_path, "SELECT DISTINCT price FROM trades") == [(10737428967418.23,)]
    assert ask(tmp_path, "SELECT DISTINCT close FROM bars_1m") == [(10737428967418.23,)]


def test_every_column_carries_its_comment(directory: Path) -> None:
    schema = pq.read_schema(files_in(directory)[0])
    assert [field.name for field in schema] == [name for name, _, _ in COLUMNS]
    assert all(f.metadata[b"comment"].decode() == COMMENTS[f.name] for f in schema)
    told = ask(
        directory,
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal",
    )
    assert {view for view, _, _ in told} >= {"events", "orders", "trades", "instruments"}
    assert not [(view, column) for view, column, comment in told if not comment]


def test_one_order_is_looked_up_without_reading_the_others(directory: Path) -> None:
    """A row group without the order is known by the Bloom filters of the two ids."""
    order_id = ask(directory, "SELECT max(order_id) FROM events")[0][0]
    excluded = []
    for path in files_in(directory):
        ids = set(pq.read_table(path, columns=["order_id"])["order_id"].to_pylist())
        probed = duckdb.execute(
            "SELECT bloom_filter_excludes FROM parquet_bloom_probe(?, 'order_id', ?)",
            [str(path), order_id],
        ).fetchall()
        assert (order_id in ids) <= (probed == [(False,)])
        excluded += [row for row in probed if row[0]]
    assert excluded


def test_a_missing_file_is_named_and_so_are_its_events(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    capture_events(tmp_path, events, 300)
    for path in files_in(tmp_path):
        first, last = (int(part) for part in path.stem.split("-")[1:])
        aside = path.rename(tmp_path / "aside")
        with pytest.raises(CaptureDamaged, match=f"events {first} to {last}: the file is missing"):
            ask(tmp_path, "SELECT 1")
        aside.rename(path)
    assert ask(tmp_path, "SELECT count(*) FROM events") == [(len(events),)]


def test_a_file_with_one_wrong_bit_is_named_and_does_not_take_the_others_along(
    tmp_path: Path, events: NDArray[np.void], seed: int
) -> None:
    capture_events(tmp_path, events, 300)
    damaged = files_in(tmp_path)[2]
    flip_a_bit(damaged, seed)
    with pytest.raises(CaptureDamaged, match="the file is damaged") as caught:
        ask(tmp_path, "SELECT sum(qty) FROM trades")
    (fault,) = caught.value.faults
    assert fault.path == damaged
    lost = fault.last_seq - fault.first_seq + 1
    with history.open(tmp_path, skip_damaged=True) as past:
        assert past.query("SELECT count(*) FROM events").rows() == [(len(events) - lost,)]
        assert past.faults == (fault,)


def test_a_wrong_bit_that_left_no_trace_is_found_when_all_is_checked(
    tmp_path: Path, events: NDArray[np.void], seed: int
) -> None:
    capture_events(tmp_path, events, 300)
    damaged = files_in(tmp_path)[1]
    before = damaged.stat()
    flip_a_bit(damaged, seed)
    os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))
    refused = pytest.raises(CaptureDamaged, match=damaged.name)
    with history.open(tmp_path, check="all") as past, refused:
        past.query("SELECT 1")


def test_the_last_files_cannot_be_lost_with_their_lines(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    """The manifest cut short: what the capture last said it had is still to be had."""
    capture_events(tmp_path, events, 300)
    manifest = tmp_path / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:-1]))
    files_in(tmp_path)[-1].unlink()
    with pytest.raises(CaptureDamaged, match="they were captured and are not listed"):
        ask(tmp_path, "SELECT 1")


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff\xfe\n", b'{"merged": 3}\n'])
def test_a_damaged_manifest_is_named(
    tmp_path: Path, events: NDArray[np.void], damage: bytes
) -> None:
    capture_events(tmp_path, events, 300)
    (tmp_path / "manifest.jsonl").write_bytes(damage)
    with pytest.raises(CaptureDamaged, match=r"manifest\.jsonl: events 1 to .* reads every"):
        ask(tmp_path, "SELECT 1")


def test_a_manifest_that_is_lost_is_made_of_the_files(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    capture_events(tmp_path, events, 300)
    manifest = tmp_path / "manifest.jsonl"
    before = manifest.read_bytes()
    manifest.unlink()
    with Store(tmp_path) as store:
        assert store.last_seq == len(events)
    assert manifest.read_bytes() == before


def test_rows_come_in_frames_batches_and_one_by_one(directory: Path) -> None:
    with history.open(directory) as past:
        rows = past.query("SELECT seq, price FROM trades ORDER BY seq").rows()
        sql = "SELECT seq, price FROM trades WHERE qty > ? ORDER BY seq"
        with past.query(sql, [0]) as answer:
            assert answer.columns == ["seq", "price"]
            batches = list(answer.batches(10))
        assert max(len(batch) for batch in batches) <= 10
        assert [r for b in batches for r in zip(*b.to_pydict().values(), strict=True)] == rows
        frame = past.query(sql, [0]).df()
        assert list(frame.itertuples(index=False, name=None)) == rows
        assert past.query(sql, [0]).pl().rows() == rows
        assert past.query(sql, [0]).arrow().num_rows == len(rows)


STREAMED = """
import resource, sys
from touchline.data import history
with history.open(sys.argv[1]) as past:
    next(iter(past.query("SELECT seq FROM events")))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    many = "SELECT events.*, i FROM events, range(400) AS more(i)"
    count = sum(1 for _ in past.query(many))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(count, grown)
"""


def test_many_rows_are_read_in_little_memory(directory: Path, events: NDArray[np.void]) -> None:
    """500,000 rows of thirty columns are more than a gigabyte when they are held as objects."""
    done = subprocess.run(
        [sys.executable, "-c", STREAMED, directory], capture_output=True, text=True, check=True
    )
    count, grown_kb = map(int, done.stdout.split())
    assert count == 400 * len(events) > 500_000
    assert grown_kb < 300_000


def test_a_database_that_somebody_writes_is_in_nobodys_way(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    capture_events(tmp_path / "capture", events, 300)
    (tmp_path / "touchline.duckdb").write_bytes(b"locked, or of another version")
    (tmp_path / "touchline.duckdb.wal").write_bytes(b"of another database")
    assert ask(tmp_path, "SELECT count(*) FROM events") == [(len(events),)]


BLOCKED = """
import sys
sys.modules[sys.argv[2]] = None
from touchline.data import history
from touchline.errors import TouchlineError
try:
    getattr(history.open(sys.argv[1]).query("FROM trades"), sys.argv[3])()
except TouchlineError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize(("library", "call"), [("duckdb", "rows"), ("pyarrow", "arrow")])
def test_a_library_that_is_missing_is_named_with_its_extra(
    directory: Path, library: str, call: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, directory, library, call],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f'the history needs {library}: pip install "touchline[analytics]"'
    )


def test_questions_good_and_bad_leave_no_descriptor_open(directory: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with history.open(directory) as past:
        for _ in range(50):
            next(iter(past.query("FROM events")))
            with pytest.raises(TouchlineError, match="nowhere"):
                past.query("FROM nowhere")
        open_now = len(os.listdir("/proc/self/fd"))
    assert open_now < before + 20
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_the_state_says_how_far_the_capture_is_and_why_it_ended(
    tmp_path: Path, events: NDArray[np.void]
) -> None:
    capture_events(tmp_path, events, 300)
    state = tmp_path / "state.json"
    whole = {"seq": len(events), "ts_ns": int(events["ts_ns"][-1]), "error": None}
    assert json.loads(state.read_bytes()) == whole
    damaged = files_in(tmp_path)[0]
    content = damaged.read_bytes()
    flip_a_bit(damaged, 1)
    with pytest.raises(CaptureDamaged):
        Store(tmp_path).__enter__()
    told = json.loads(state.read_bytes())
    assert (told["seq"], told["ts_ns"]) == (whole["seq"], whole["ts_ns"])
    assert str(damaged) in told["error"]
    damaged.write_bytes(content)
    with Store(tmp_path):
        assert json.loads(state.read_bytes()) == whole


@pytest.mark.parametrize("umask", [0o000, 0o777 & ~0o700])
def test_files_are_closed_to_others_whatever_the_umask(
    tmp_path: Path, events: NDArray[np.void], umask: int
) -> None:
    before = os.umask(umask)
    try:
        capture_events(tmp_path / "data" / "capture", events, 300)
    finally:
        os.umask(before)
    for path in (tmp_path / "data").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640), path

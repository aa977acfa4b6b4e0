"""The venue's journal as a file of ITCH: whoever reads it has the engine's books."""

from __future__ import annotations

import gzip
import importlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.flows import order_flow
from harness.venue import ThreadVenue
from touchline import ExecType, Side, replay
from touchline.data import Books, read_itch
from touchline.data.export import export_itch
from touchline.data.past_book import Past, at_time


@pytest.fixture
def journal(tmp_path: Path, seed: int) -> Path:
    venue = ThreadVenue(tmp_path / "venue")
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 1500))
    return venue.config.journal_dir


def same_books(path: Path, past: Past, untold: dict[int, str]) -> None:
    books = Books()
    reader = read_itch(path)
    for records in reader:
        books.apply(records)
    assert books.counts.faults == {}
    told = [number for number in past.names.symbols if number not in untold]
    assert told
    for number in told:
        instrument = past.names.instrument(number)
        assert reader.symbols[number + 1] == instrument.symbol
        for side in Side:
            wanted = [
                (int(instrument.to_price(int(price)) * 10**9), int(instrument.to_qty(int(qty))), n)
                for price, qty, n in past.engine.depth(number, side, 10_000)[
                    ["price", "qty", "orders"]
                ].tolist()
            ]
            assert books.depth(number + 1, side, 10_000).tolist() == wanted


def test_the_file_has_the_engines_books(tmp_path: Path, journal: Path) -> None:
    path = tmp_path / "day.itch"
    made = export_itch(journal, path)
    past = at_time(journal, (1 << 63) - 1)
    assert made.state_hash == past.engine.state_hash()
    assert made.messages == read_itch(path).read_all()["seq"].size
    same_books(path, past, made.untold)
    packed = export_itch(journal, tmp_path / "day.itch.gz")
    assert gzip.decompress((tmp_path / "day.itch.gz").read_bytes()) == path.read_bytes()
    assert packed[1:] == made[1:]


def test_every_trade_of_the_engine_is_in_the_file(tmp_path: Path, journal: Path) -> None:
    path = tmp_path / "day.itch"
    made = export_itch(journal, path)
    books = Books()
    prints = np.concatenate([books.trades(records) for records in read_itch(path)])
    events = np.concatenate([events.copy() for _, events in replay(journal)])
    trades = events[events["exec_type"] == ExecType.TRADE]
    told = trades[~np.isin(trades["instrument"], list(made.untold))]
    assert len(told) > 0
    assert prints["match"].tolist() == told["seq"].tolist()
    assert (prints["instrument"] - 1).tolist() == told["instrument"].tolist()


def test_another_reader_has_the_engines_touch(tmp_path: Path, journal: Path) -> None:
    """itch-book (PyPI) over the file."""
    path = tmp_path / "day.itch"
    made = export_itch(journal, path)
    past = at_time(journal, (1 << 63) - 1)
    itch_book: Any = importlib.import_module("itch_book")
    feed = itch_book.open(str(path), date=date(2020, 1, 2), price_type="fixed")
    last: dict[int, tuple[int, ...]] = {}
    columns = ("bid_px", "bid_sz", "bid_ct", "ask_px", "ask_sz", "ask_ct")
    for batch in feed.batches(tables=("bbo",)):
        rows = zip(*(batch.bbo[name].tolist() for name in ("locate", *columns)), strict=True)
        last |= {locate: tuple(row) for locate, *row in rows}
    for number in set(past.names.symbols) - set(made.untold):
        instrument = past.names.instrument(number)
        wanted: list[int] = []
        for side in Side:
            level = past.engine.depth(number, side, 1)
            price = int(instrument.to_price(int(level["price"][0])) * 10**4) if len(level) else 0
            qty = int(instrument.to_qty(int(level["qty"][0]))) if len(level) else 0
            wanted += [price, qty, int(level["orders"][0]) if len(level) else 0]
        assert list(last.get(number + 1, (0,) * 6)) == wanted


def test_a_file_that_is_there_stays(tmp_path: Path, journal: Path) -> None:
    path = tmp_path / "day.itch"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        export_itch(journal, path)
    assert path.read_text() == "mine"
    export_itch(journal, path, overwrite=True)
    with pytest.raises(FileNotFoundError):
        export_itch(tmp_path / "nothing", tmp_path / "other.itch")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["day.itch", "venue"]


def test_a_part_of_the_day_ends_at_its_time(tmp_path: Path, journal: Path) -> None:
    times = np.concatenate([commands["ts_ns"].copy() for commands, _ in replay(journal)])
    until_ns = int(times[len(times) * 2 // 3])
    path = tmp_path / "part.itch"
    made = export_itch(journal, path, until_ns=until_ns)
    past = at_time(journal, until_ns)
    assert (made.commands, made.state_hash) == (past.commands, past.engine.state_hash())
    same_books(path, past, made.untold)

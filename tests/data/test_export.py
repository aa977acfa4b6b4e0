"""The venue's journal as a file of ITCH: whoever reads it has the engine's books."""

from __future__ import annotations

import gzip
import importlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness import crafted_journal
from harness.flows import order_flow
from harness.venue import ThreadVenue
from touchline import ExecType, Side, replay
from touchline.control.operate.cli import main
from touchline.data import Books, RecordType, read_itch
from touchline.data.export import export_itch
from touchline.data.past_book import Past, at_time
from touchline.data.zones import midnight_ns


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
    path = tmp_path / "day.itch"
    made = export_itch(journal, path)
    same_touch(path, at_time(journal, (1 << 63) - 1), made.untold)


def same_touch(path: Path, past: Past, untold: dict[int, str]) -> None:
    """itch-book (PyPI) over the file."""
    itch_book: Any = importlib.import_module("itch_book")
    feed = itch_book.open(str(path), date=date(2020, 1, 2), price_type="fixed")
    last: dict[int, tuple[int, ...]] = {}
    columns = ("bid_px", "bid_sz", "bid_ct", "ask_px", "ask_sz", "ask_ct")
    for batch in feed.batches(tables=("bbo",)):
        rows = zip(*(batch.bbo[name].tolist() for name in ("locate", *columns)), strict=True)
        last |= {locate: tuple(row) for locate, *row in rows}
    for number in set(past.names.symbols) - set(untold):
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


DAYS = ("2024-03-30", "2024-03-31", "2024-04-01")
HOUR_NS = 3600 * 10**9


@pytest.fixture
def days(tmp_path: Path, journal: Path) -> Path:
    """The same journal as of three days, from eight o'clock (UTC) on each."""
    commands = np.concatenate([commands.copy() for commands, _ in replay(journal)])
    for day, part in zip(DAYS, np.array_split(np.arange(len(commands)), 3), strict=True):
        steps = np.arange(len(part)) * (10 * HOUR_NS // len(part))
        commands["ts_ns"][part] = midnight_ns(day, "UTC") + 8 * HOUR_NS + steps
    config = ThreadVenue(tmp_path / "days").config
    crafted_journal.append(crafted_journal.built(tmp_path), config, [commands])
    return config.journal_dir


@pytest.mark.parametrize("day", DAYS)
def test_a_day_of_a_longer_journal_opens_with_what_was_there(
    tmp_path: Path, days: Path, day: str
) -> None:
    path = tmp_path / f"{day}.itch"
    began = midnight_ns(day, "UTC")
    past = at_time(days, began + 24 * HOUR_NS - 1)
    made = export_itch(days, path, from_ns=began, until_ns=began + 24 * HOUR_NS - 1)
    assert (made.commands, made.state_hash) == (past.commands, past.engine.state_hash())
    same_books(path, past, made.untold)
    same_touch(path, past, made.untold)
    records = read_itch(path).read_all()
    assert made.messages == len(records)
    times = records["ts_ns"]
    assert (np.diff(times) >= 0).all()
    assert times.max() < 18 * HOUR_NS
    assert records["type"][0] == RecordType.SYSTEM
    opening = at_time(days, began - 1)
    adds = records[times == 0]["type"] == RecordType.ADD
    assert int(adds.sum()) == (opening.engine.orders_open if opening.commands else 0)


def test_queues_that_were_there_stand_as_they_stood(tmp_path: Path, days: Path) -> None:
    """The file of all days and that of the last leave the same orders in the same places."""
    export_itch(days, tmp_path / "all.itch")
    began = midnight_ns(DAYS[2], "UTC")
    export_itch(days, tmp_path / "last.itch", from_ns=began)
    books = []
    for name in ("all.itch", "last.itch"):
        made = Books()
        made.apply(read_itch(tmp_path / name).read_all())
        books.append(made)
    for locate in range(1, 10):
        for side in Side:
            first, other = (made.orders(locate, side).tolist() for made in books)
            assert first == other


def test_a_window_in_which_nothing_happened_is_its_opening(tmp_path: Path, days: Path) -> None:
    night = midnight_ns(DAYS[1], "UTC") + 20 * HOUR_NS
    past = at_time(days, night)
    made = export_itch(days, tmp_path / "night.itch", from_ns=night, until_ns=night + HOUR_NS)
    same_books(tmp_path / "night.itch", past, made.untold)
    assert set(read_itch(tmp_path / "night.itch").read_all()["ts_ns"]) == {20 * HOUR_NS}


def test_a_day_is_named_on_the_command_line(tmp_path: Path, days: Path) -> None:
    config = days.parent / "touchline.toml"
    config.write_text(f'[venue]\nname = "days"\ndata_dir = "{days.parent}"\n')

    def call(*words: str) -> Result:
        out = str(tmp_path / "out.itch")
        return CliRunner().invoke(
            main, ["--config", str(config), "feed", "export", out, "--force", "--json", *words]
        )

    began = midnight_ns(DAYS[1], "Europe/Berlin")  # whose clock goes forward on this day
    result = call("--date", DAYS[1], "--zone", "Europe/Berlin")
    assert result.exit_code == 0, result.output
    past = at_time(days, began + 23 * HOUR_NS - 1)
    assert json.loads(result.stdout)["state_hash"] == f"{past.engine.state_hash():016x}"
    records = read_itch(tmp_path / "out.itch").read_all()
    later = records["ts_ns"][records["ts_ns"] > 0]
    # From eight in UTC, counted from midnight in Berlin; not every command is told in the feed.
    assert 9 * HOUR_NS <= int(later[0]) < 10 * HOUR_NS
    parts = call("--from", f"{DAYS[1]}T08:00:00Z", "--to", f"{DAYS[1]}T18:00:00Z")
    assert json.loads(parts.stdout)["state_hash"] == f"{past.engine.state_hash():016x}"
    assert call("--date", DAYS[1], "--from", "0").exit_code == 2
    assert call("--date", "yesterday").exit_code == 1

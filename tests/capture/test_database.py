"""The views over captured events, compared with what the events themselves say."""

import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.captured_files import capturing
from harness.commands import ACCOUNTS, SYMBOLS, commands, listing, new_order
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import until
from touchline.core.messages import LANE_ADMIN, ExecType, Reason, Side, refusals
from touchline.data import history
from touchline.errors import TouchlineError

TICK, LOT = 0.01, 10


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, seed_of_module: int) -> ThreadVenue:
    """A venue that has traded and stopped, all of it captured."""
    venue = ThreadVenue(tmp_path_factory.mktemp("venue"), capture__rows_max=500)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed_of_module, 3000))
        with capturing(venue):
            pass
    return venue


@pytest.fixture(scope="module")
def seed_of_module() -> int:
    """One flow for every run: it has an order of every kind, which a drawn one need not have."""
    return 42


@pytest.fixture(scope="module")
def events(venue: ThreadVenue) -> NDArray[np.void]:
    return venue.events()


def dicts(venue: ThreadVenue, sql: str) -> list[dict[str, Any]]:
    columns, rows = history.query(venue.config.capture_dir, sql)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def ask(venue: ThreadVenue, sql: str) -> list[tuple[Any, ...]]:
    return history.query(venue.config.capture_dir, sql)[1]


def price(ticks: int) -> float:
    return round(ticks * TICK, 2)


def of(events: NDArray[np.void], *kinds: ExecType) -> NDArray[np.void]:
    return events[np.isin(events["exec_type"], kinds)]


def test_trades_are_in_prices_and_units_people_read(
    venue: ThreadVenue, events: NDArray[np.void]
) -> None:
    rows = dicts(venue, "FROM trades ORDER BY seq")
    assert [
        (row["seq"], row["symbol"], row["price"], row["qty"], row["side"], row["order_id"],
         row["account"], row["contra_order_id"], row["contra_account"], row["ts_ns"])
        for row in rows
    ] == [
        (int(t["seq"]), SYMBOLS[t["instrument"]], price(int(t["price"])), int(t["qty"]) * LOT,
         Side(int(t["side"])).name, int(t["order_id"]), ACCOUNTS[t["account"]],
         int(t["contra_order_id"]), ACCOUNTS[t["contra_account"]], int(t["ts_ns"]))
        for t in of(events, ExecType.TRADE)
    ]  # fmt: skip
    first = rows[0]
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=first["ts_ns"] // 1000)
    assert first["transact_time"] == at.replace(tzinfo=None)


def test_a_trade_is_an_execution_of_both_sides(
    venue: ThreadVenue, events: NDArray[np.void]
) -> None:
    bought: Counter[str] = Counter()
    for trade in of(events, ExecType.TRADE):
        sign = 1 if trade["side"] == Side.BUY else -1
        bought[ACCOUNTS[trade["account"]]] += sign * int(trade["qty"]) * LOT
        bought[ACCOUNTS[trade["contra_account"]]] -= sign * int(trade["qty"]) * LOT
    rows = dicts(
        venue,
        "SELECT account, sum(CASE side WHEN 'BUY' THEN last_qty ELSE -last_qty END) AS net "
        "FROM executions GROUP BY account",
    )
    assert {row["account"]: row["net"] for row in rows} == dict(bought)
    sides = dicts(venue, "SELECT liquidity, count(*) AS n FROM executions GROUP BY ALL")
    count = len(of(events, ExecType.TRADE))
    assert {row["liquidity"]: row["n"] for row in sides} == {"TAKER": count, "MAKER": count}


def lives(events: NDArray[np.void]) -> dict[int, dict[str, Any]]:
    """What became of each order, event by event."""
    orders: dict[int, dict[str, Any]] = {}
    for event in events:
        kind, order_id = event["exec_type"], int(event["order_id"])
        if kind == ExecType.NEW:
            orders[order_id] = {
                "price": int(event["price"]), "order_qty": int(event["qty"]), "cum_qty": 0,
                "value": 0, "ended": None, "reason": 0, "account": ACCOUNTS[event["account"]],
                "symbol": SYMBOLS[event["instrument"]], "side": Side(int(event["side"])).name,
            }  # fmt: skip
        elif kind == ExecType.REPLACED:
            orders[order_id] |= {"price": int(event["price"]), "order_qty": int(event["qty"])}
        elif kind == ExecType.TRADE:
            for party in (order_id, int(event["contra_order_id"])):
                orders[party]["cum_qty"] += int(event["qty"])
                orders[party]["value"] += int(event["qty"]) * int(event["price"])
        elif kind in (ExecType.CANCELED, ExecType.EXPIRED):
            orders[order_id] |= {"ended": ExecType(int(kind)).name, "reason": event["reason"]}
    return orders


def ord_status(life: dict[str, Any]) -> str:
    if life["ended"]:
        return str(life["ended"])
    if life["cum_qty"] == life["order_qty"]:
        return "FILLED"
    return "PARTIALLY_FILLED" if life["cum_qty"] else "NEW"


def test_an_order_is_one_row_that_tells_its_life(
    venue: ThreadVenue, events: NDArray[np.void]
) -> None:
    wanted = lives(events)
    rows = {row["order_id"]: row for row in dicts(venue, "FROM orders")}
    assert rows.keys() == wanted.keys()
    assert {ord_status(life) for life in wanted.values()} == {
        "FILLED", "PARTIALLY_FILLED", "NEW", "CANCELED",
    }  # fmt: skip
    for order_id, life in wanted.items():
        row = rows[order_id]
        market = row["ord_type"] == "MARKET"
        average = life["value"] / life["cum_qty"] * TICK if life["cum_qty"] else None
        status = ord_status(life)
        open_qty = life["order_qty"] - life["cum_qty"]
        assert row["price"] == (None if market else price(life["price"]))
        assert row["order_qty"] == life["order_qty"] * LOT
        assert row["cum_qty"] == life["cum_qty"] * LOT
        assert row["leaves_qty"] == (0 if status == "CANCELED" else open_qty * LOT)
        assert row["avg_px"] == (None if average is None else pytest.approx(average))
        assert row["ord_status"] == status
        assert row["reason"] == (Reason(life["reason"]).name if life["reason"] else None)
        assert (row["account"], row["symbol"], row["side"]) == (
            life["account"], life["symbol"], life["side"],
        )  # fmt: skip
        assert row["first_time"] <= row["last_time"]


def test_bars_open_and_close_with_the_first_and_last_trade(
    venue: ThreadVenue, events: NDArray[np.void]
) -> None:
    trades: dict[tuple[str, datetime], list[tuple[int, int]]] = defaultdict(list)
    for trade in of(events, ExecType.TRADE):
        minute = datetime(1970, 1, 1) + timedelta(minutes=int(trade["ts_ns"]) // 60_000_000_000)
        key = SYMBOLS[trade["instrument"]], minute
        trades[key].append((int(trade["price"]), int(trade["qty"])))
    rows = dicts(venue, "FROM bars_1m")
    assert len(rows) == len(trades)
    for row in rows:
        made = trades[row["symbol"], row["bar_time"]]
        prices = [ticks for ticks, _ in made]
        volume = sum(lots for _, lots in made)
        value = sum(ticks * lots for ticks, lots in made)
        assert (row["open"], row["close"]) == (price(prices[0]), price(prices[-1]))
        assert (row["high"], row["low"]) == (price(max(prices)), price(min(prices)))
        assert (row["volume"], row["trades"]) == (volume * LOT, len(made))
        assert row["vwap"] == pytest.approx(value / volume * TICK)
    total = dicts(venue, "SELECT sum(volume) AS volume FROM bars(INTERVAL 1 DAY)")
    assert total[0]["volume"] == sum(row["volume"] for row in rows)


def test_refusals_are_counted_by_reason(venue: ThreadVenue, events: NDArray[np.void]) -> None:
    refused = of(events, ExecType.REJECTED, ExecType.CANCEL_REJECTED)
    wanted = Counter(
        (Reason(int(e["reason"])).name, ExecType(int(e["exec_type"])).name) for e in refused
    )
    assert wanted, "the flow has refusals"
    rows = dicts(venue, "FROM refusals_by_reason")
    assert {(row["reason"], row["exec_type"]): row["refusals"] for row in rows} == wanted
    each = dicts(venue, "FROM refusals ORDER BY seq")
    assert [(row["seq"], row["value"], row["limit"]) for row in each] == [
        (int(e["seq"]), int(e["value"]), int(e["limit"])) for e in refusals(events)
    ]


def test_instruments_tell_the_sizes_of_tick_and_lot(venue: ThreadVenue) -> None:
    rows = dicts(venue, "SELECT symbol, instrument, tick_size, lot_size, currency FROM instruments")
    assert [tuple(row.values()) for row in rows] == [
        (symbol, number, TICK, LOT, "USD") for number, symbol in enumerate(SYMBOLS)
    ]


def test_nothing_captured_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TouchlineError, match="nothing has been captured yet"):
        history.query(ThreadVenue(tmp_path).config.capture_dir, "FROM trades")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP VIEW trades",
        "CREATE TABLE mine (n INTEGER)",
        "COPY trades TO 'trades.csv'",
        "ATTACH 'other.duckdb'",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_a_query_that_does_more_than_read_is_refused(venue: ThreadVenue, sql: str) -> None:
    with pytest.raises(TouchlineError, match="one statement that only reads"):
        history.query(venue.config.capture_dir, sql)


def test_a_wrong_query_is_answered_with_the_words_of_duckdb(venue: ThreadVenue) -> None:
    with pytest.raises(TouchlineError, match="syntax error at or near"):
        history.query(venue.config.capture_dir, "SELEC 1")
    with pytest.raises(TouchlineError, match="nowhere does not exist"):
        history.query(venue.config.capture_dir, "SELECT * FROM nowhere")


def test_the_database_answers_while_the_capture_runs(tmp_path: Path, seed: int) -> None:
    venue = ThreadVenue(tmp_path, capture__flush_s=0.01)
    with venue.running():
        venue.open()
        with capturing(venue):
            until(venue.config.database_path.exists, "the database")
            with duckdb.connect(str(venue.config.database_path), read_only=True) as reader:
                for rows in np.array_split(order_flow(seed, 1500), 3):
                    venue.send(rows)
                    seq = venue.event_seq
                    until(lambda: counted(reader) >= seq, "the reader sees new events")  # noqa: B023
                    assert ask(venue, "SELECT max(seq) >= 1 FROM events") == [(True,)]


def counted(reader: Any) -> int:
    """How many events a connection that stays open sees; they are numbered from 1 without gaps."""
    count, last = reader.execute("SELECT count(*), max(seq) FROM events").fetchone()
    assert count == last
    return int(count)


def test_an_instrument_listed_later_is_in_the_database(tmp_path: Path) -> None:
    venue = ThreadVenue(tmp_path, capture__flush_s=0.01)
    with venue.running():
        venue.open()
        with capturing(venue):
            until(venue.config.database_path.exists, "the database")
            venue.send(commands(listing(4, "NEW", "0.125")), LANE_ADMIN)
            orders = [new_order(instrument=4, price=9, side=side) for side in Side]
            venue.send(commands(orders))
            until(
                lambda: bool(ask(venue, "FROM trades WHERE symbol = 'NEW'")),
                "a trade in it",
            )
        assert dicts(venue, "SELECT price, qty FROM trades WHERE symbol = 'NEW'") == [
            {"price": 1.125, "qty": 1.0}
        ]


def test_a_directory_may_be_moved(tmp_path: Path, seed: int) -> None:
    """Also to a name that means something to DuckDB."""
    old = ThreadVenue(tmp_path / "old")
    with old.running():
        old.open()
        old.send(order_flow(seed, 200))
        with capturing(old):
            pass
    before = history.query(old.config.capture_dir, "FROM trades ORDER BY seq")
    (tmp_path / "old").rename(tmp_path / "it's [new] *")
    new = ThreadVenue(tmp_path / "it's [new] *")
    assert history.query(new.config.capture_dir, "FROM trades ORDER BY seq") == before
    assert not list(new.config.venue.data_dir.glob(".touchline-*"))


BUILD = """
import resource, sys
from pathlib import Path
from touchline.control.capture import database
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), -1))
try:
    database.build(Path(sys.argv[1]), *map(Path, sys.argv[2:4]))
except OSError as error:
    sys.exit(str(error))
"""


def test_a_database_that_finds_no_room_leaves_the_old_one(tmp_path: Path, seed: int) -> None:
    """Wherever in the build the room ends, as a limit on the size of files has it end."""
    venue = ThreadVenue(tmp_path)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 200))
        with capturing(venue):
            pass
    database = venue.config.database_path
    before = database.read_bytes()
    events = venue.config.capture_dir / "events"
    newest = max(events.glob("*/*.parquet"))
    for room in (100, 20_000, len(before) // 2):
        build = subprocess.run(
            [sys.executable, "-c", BUILD, database, events, newest, str(room)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert build.returncode == 1, f"built with room for {room} bytes"
        assert build.stderr.startswith(f"{database}: cannot write: ")
        assert database.read_bytes() == before
        assert not list(database.parent.glob(".touchline-*"))


def test_a_capture_that_starts_builds_a_database_that_is_missing(tmp_path: Path, seed: int) -> None:
    venue = ThreadVenue(tmp_path)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 200))
        with capturing(venue):
            pass
        venue.config.database_path.unlink()
        with capturing(venue):
            pass
    with duckdb.connect(str(venue.config.database_path), read_only=True) as reader:
        assert counted(reader) == venue.events()["seq"][-1]


def test_a_damaged_database_is_built_again(tmp_path: Path, seed: int) -> None:
    venue = ThreadVenue(tmp_path)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 200))
        with capturing(venue):
            pass
    before = history.query(venue.config.capture_dir, "FROM orders ORDER BY order_id")
    venue.config.database_path.write_bytes(b"not a database at all")
    assert history.query(venue.config.capture_dir, "FROM orders ORDER BY order_id") == before

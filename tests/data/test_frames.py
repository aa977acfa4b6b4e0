"""Tables of what happened: every record a row, one meaning a column, nothing lost on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    EVENT,
    ExecType,
    Limit,
    MsgType,
    Side,
    Text,
    refusals,
    text_commands,
    trades,
)
from touchline.data import columns, flow, frames
from touchline.market import Fill, Level, Market, OpenOrder, Trade

TS_NS = 1_700_000_000_000_000_123
WHEN = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
WAYS = (frames.to_arrow, frames.to_pandas, frames.to_polars)


@pytest.fixture
def market() -> Market:
    """Cents and single pieces, and a tick of 7E-8 with lots of 100; a trade in each."""
    market = Market()
    market.list_instrument("AAA", "0.01")
    market.list_instrument("BBB", "7E-8", "1E+2")
    for name in ("ACC1", "ACC2"):
        market.open_account(name)
    market.ts_ns = TS_NS
    market.sell("AAA", 10, "10.25", account="ACC1")
    market.buy("AAA", 4, "10.25", account="ACC2")
    market.buy("BBB", 300, "7E-8", account="ACC1")
    market.sell("BBB", 100, account="ACC2")
    return market


@pytest.fixture
def recorded() -> tuple[np.ndarray, np.ndarray]:
    """Commands with limits, and their events, as they are stored."""
    made = flow.generate("normal", 2_000, seed=1, limits=True)
    engine = Engine()
    first = engine.submit(made.setup).tobytes()
    commands = flow.resolve(made, Engine())
    refused = np.zeros(2, COMMAND)
    refused["type"], refused["order_id"] = [MsgType.NEW_ORDER, MsgType.CANCEL], [0, 77]
    refused["side"], refused["ord_type"], refused["time_in_force"] = 49, 50, 48
    refused["qty"] = -5
    rest = engine.submit(commands).tobytes() + engine.submit(refused).tobytes()
    whole = made.setup.tobytes() + commands.tobytes() + refused.tobytes()
    return np.frombuffer(whole, COMMAND), np.frombuffer(first + rest, EVENT)


def rows_of(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_market_is_its_trades(market: Market) -> None:
    rows = rows_of(frames.to_arrow(market))
    first, second = market.trades()
    for row, trade in ((rows[0], first), (rows[1], second)):
        assert row["seq"] == trade.seq
        assert row["transact_time"] == pd.Timestamp(TS_NS, tz="UTC")
        assert (row["symbol"], row["side"]) == (trade.symbol, trade.side.name)
        assert (row["last_px"], row["last_qty"]) == (trade.last_px, trade.last_qty)
        assert (row["order_id"], row["contra_order_id"]) == (trade.order_id, trade.contra_order_id)
        assert row["account_name"] == trade.account
        assert row["contra_account_name"] == trade.contra_account


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_source_becomes_every_kind_of_table(market: Market, way: Callable[..., Any]) -> None:
    report = market.buy("AAA", 1, "10.25", account="ACC2")
    sources: list[tuple[Any, int]] = [
        (market, 3),
        (report, 2),
        (report.fills, 1),
        (market.trades(), 3),
        (market.depth("AAA", "sell"), 1),
        (market.open_orders("BBB", "buy"), 1),
        ([], 0),
    ]
    for source, count in sources:
        for numbers in ("decimal", "float"):
            assert len(way(source, numbers=numbers)) == count
    orders = market.engine.orders(1, int(Side.BUY))
    for source, count in ((report.events, 2), (orders, 1), (np.zeros(0, EVENT), 0)):
        assert len(way(source)) == len(way(source, names=market)) == count


def test_a_reading_becomes_the_table_of_its_records(
    recorded: tuple[np.ndarray, np.ndarray],
) -> None:
    commands, events = recorded
    for readings, whole in (
        (trades(events), events[events["exec_type"] == ExecType.TRADE]),
        (refusals(events), events[np.isin(events["exec_type"], columns._REFUSED)]),
        (text_commands(commands), commands[commands["type"] == MsgType.TEXT]),
    ):
        assert readings.dtype != whole.dtype
        assert frames.to_arrow(readings).equals(frames.to_arrow(whole))
    assert len(trades(events)) > 0
    assert len(refusals(events)) > 0


def test_what_a_record_does_not_have_is_null(recorded: tuple[np.ndarray, np.ndarray]) -> None:
    _, events = recorded
    table = frames.to_pandas(events)
    trades = table[table["exec_type"] == "TRADE"]
    assert len(trades) > 40
    for name in ("limit", "value", "cl_ord_id", "reason", "status", "orders", "field"):
        assert trades[name].isna().all(), name
    raw = events[events["exec_type"] == ExecType.TRADE]
    for name in ("contra_order_id", "contra_account", "price", "qty", "leaves_qty"):
        assert trades[name].tolist() == raw[name].tolist()
    new = table[table["exec_type"] == "NEW"]
    assert new["contra_order_id"].isna().all()
    assert new["cl_ord_id"].notna().all()
    (refused, cancel) = table.tail(2).to_dict("records")
    assert (refused["exec_type"], refused["reason"]) == ("REJECTED", "INVALID_QTY")
    assert (refused["value"], refused["limit"]) == (-5, 1_000)
    assert table[["price", "qty", "order_id"]].tail(2).isna().to_numpy().tolist() == [
        [True, True, True],
        [True, True, False],
    ]
    assert (cancel["reason"], cancel["order_id"]) == ("UNKNOWN_ORDER", 77)
    limits = table[table["exec_type"] == "LIMIT"]
    assert set(limits["field"]) <= {limit.name for limit in Limit}
    assert limits["value"].notna().all()


def test_every_event_and_command_is_a_row_in_its_place(
    recorded: tuple[np.ndarray, np.ndarray],
) -> None:
    commands, events = recorded
    for records, kind in ((events, "exec_type"), (commands, "type")):
        members = ExecType if kind == "exec_type" else MsgType
        table = frames.to_arrow(records)
        assert table["seq"].to_pylist() == records["seq"].tolist()
        assert table["transact_time"].cast(pa.int64()).to_pylist() == records["ts_ns"].tolist()
        assert table[kind].to_pylist() == [members(value).name for value in records[kind]]


def test_numbers_of_orders_survive_pandas(recorded: tuple[np.ndarray, np.ndarray]) -> None:
    _, events = recorded
    events = events.copy()
    large = (1 << 64) - 3
    at = int(np.flatnonzero(events["exec_type"] == ExecType.TRADE)[0])
    events["contra_order_id"][at] = events["order_id"][at] = large
    table = frames.to_pandas(events)
    assert {str(table[name].dtype) for name in ("order_id", "contra_order_id")} == {"UInt64"}
    assert int(table["contra_order_id"][at]) == int(table["order_id"][at]) == large
    assert not [name for name in table if str(table[name].dtype) == "float64"]
    assert str(table["exec_type"].dtype) == "category"
    assert str(table["transact_time"].dtype) == "datetime64[ns, UTC]"
    assert frames.to_polars(events).schema["order_id"] == pl.UInt64


def test_prices_are_exact_decimals_or_the_nearest_float(market: Market) -> None:
    decimal = rows_of(frames.to_arrow(market))
    assert [row["last_px"] for row in decimal] == [Decimal("10.25"), Decimal("7E-8")]
    assert [row["last_qty"] for row in decimal] == [4, 100]
    nearest = rows_of(frames.to_arrow(market, numbers="float"))
    assert [row["last_px"] for row in nearest] == [10.25, 7e-8]
    ticks = rows_of(frames.to_arrow(market, numbers="integer"))
    assert [(row["last_px"], row["last_qty"]) for row in ticks] == [(1025, 4), (1, 1)]


@pytest.mark.parametrize("sizes", [("1E-18", "999999999999999999"), ("0.1", "0.1"), ("3", "1")])
def test_numbers_of_any_size_are_exact(sizes: tuple[str, str]) -> None:
    market = Market()
    for symbol, size in zip(("AAA", "BBB"), sizes, strict=True):
        market.list_instrument(symbol, size, size)
    market.open_account("ACC1")
    for listed in market.instruments:
        for ticks in (1, 3, 7, (1 << 30) - 1):
            price, qty = listed.to_price(ticks), listed.to_qty(ticks)
            market.sell(listed.symbol, qty, price, account="ACC1")
            market.buy(listed.symbol, qty, price, account="ACC1")
    wanted = [(trade.last_px, trade.last_qty) for trade in market.trades()]
    for source in (market, market.trades()):
        rows = rows_of(frames.to_arrow(source))
        assert [(row["last_px"], row["last_qty"]) for row in rows] == wanted
        rows = rows_of(frames.to_arrow(source, numbers="float"))
        assert [row["last_px"] for row in rows] == [float(price) for price, _ in wanted]


def test_commands_that_name_something_have_its_text() -> None:
    commands = np.zeros(3, COMMAND)
    commands["type"] = [MsgType.TEXT, MsgType.LIMIT, MsgType.MASS_CANCEL]
    commands["field"] = [Text.SYMBOL, Limit.QTY_MAX, 0]
    raw = commands.view("u1").reshape(3, 64)
    raw[0, 16:20] = list("Ä€".encode())[:4]
    raw[0, 16:21] = list("Ä€".encode())
    raw[0, 56:60] = [5, 0, 1, 0]
    commands["price"][1] = 1_000
    commands["instrument"][2], commands["account"][2] = 0xFFFF, 0xFFFFFFFF
    text, limit, mass = rows_of(frames.to_arrow(commands))
    assert (text["text"], text["key"], text["field"]) == ("Ä€", 65_541, "SYMBOL")
    assert {text[name] for name in ("order_id", "price", "account", "instrument")} == {None}
    assert (limit["field"], limit["value"], limit["price"]) == ("QTY_MAX", 1_000, None)
    assert {mass[name] for name in ("instrument", "account", "side", "text")} == {None}


def test_an_empty_sequence_has_the_columns_it_would_have_had() -> None:
    assert frames.to_arrow([]).column_names == list(Fill._fields)
    for kind in (Trade, Level, OpenOrder):
        named = ["transact_time" if name == "ts_ns" else name for name in kind._fields]
        assert frames.to_arrow([], kind=kind).column_names == named


def test_names_may_come_from_elsewhere(market: Market) -> None:
    events = market.trade_events()
    names = frames.NamesOf(market.instruments, {0: "ACC1", 1: "ACC2"})
    assert frames.to_arrow(events, names=names).equals(frames.to_arrow(events, names=market))
    table = frames.to_arrow(events, names=frames.NamesOf(market.instruments))
    assert set(table["account_name"].to_pylist()) == {None}


def test_wrong_arguments_are_refused_by_name(market: Market) -> None:
    events = market.trade_events()
    for source in (
        7,
        "text",
        None,
        np.zeros(3),
        [1],
        [Level(Decimal(1), Decimal(1), 1), 1],
        events.reshape(1, -1),
        events[0],
    ):
        with pytest.raises(TypeError):
            frames.to_arrow(source)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="numbers 'exact' is none of"):
        frames.to_arrow(events, numbers="exact")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="numbers 'float' need names"):
        frames.to_arrow(events, numbers="float")
    with pytest.raises(ValueError, match="names has no instrument 1, whose orders are here"):
        frames.to_arrow(events, names=frames.NamesOf(market.instruments[:1]))


@pytest.mark.parametrize(
    ("missing", "install"),
    [("pyarrow", "touchline[analytics]"), ("pandas", "pandas"), ("polars", "polars")],
)
def test_a_package_that_is_missing_is_named_with_what_installs_it(
    missing: str, install: str
) -> None:
    call = {"pyarrow": "arrow"}.get(missing, missing)
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from touchline import frames\n"
        f"try: frames.to_{call}([])\n"
        "except ImportError as e: print(e)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"frames need {missing}: pip install {install}\n"


def test_the_package_is_imported_without_what_frames_need() -> None:
    program = (
        "import sys, touchline\n"
        "print([m for m in ('pyarrow', 'pandas', 'polars') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_columns_tell_apart_what_shares_a_place() -> None:
    events = np.zeros(2, EVENT)
    events["exec_type"] = [ExecType.TRADE, ExecType.REJECTED]
    events["qty"], events["leaves_qty"] = [1, 2], [3, 4]
    found = columns.of_events(events)
    assert found["limit"].values.tolist() == [(3 << 32) + 1, (4 << 32) + 2]
    for name, wanted in (("limit", [False, True]), ("qty", [True, False])):
        valid = found[name].valid
        assert valid is not None
        assert valid.tolist() == wanted

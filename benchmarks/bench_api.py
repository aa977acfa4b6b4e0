"""What a call from Python costs: with plain integers, by the object API, in numpy batches of 256.

`pytest -o addopts= benchmarks/bench_api.py` (pytest-benchmark), or `make bench-api`, which compares
with a saved run. The engine and its events live in this process; no ring and no journal takes part.
Each benchmark checks what the engine holds or has answered afterwards. On a busy machine add
`--benchmark-timer=time.process_time`.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import cycle, repeat
from typing import Any

import pytest

from benchmarks.common import Case
from touchline.core.engine import Engine
from touchline.core.messages import ExecType, OrdType, Side, TimeInForce
from touchline.data import flow
from touchline.market import Market, OrdStatus, Report

ROUNDS, ITERATIONS = 200, 1_000
CALLS = ROUNDS * ITERATIONS + 1  # the last one, outside the clock, gives the fixture's result
BATCH = 256


@pytest.fixture
def engine() -> Engine:
    """One instrument, one account, room for an order per call."""
    engine = Engine(orders_max=CALLS)
    engine.submit(flow.setup_commands(1, 1, limits=False))
    return engine


def enter_all(engine: Engine, side: Side, price: int, qty: int, count: int) -> list[int]:
    """Rest orders; their ids."""
    ids = []
    for _ in range(count):
        engine.new_order(0, 0, side, OrdType.LIMIT, TimeInForce.DAY, price, qty)
        ids.append(int(engine.events()["order_id"][0]))
    return ids


def test_one_new_order_that_rests(benchmark: Any, engine: Engine) -> None:
    order = (0, 0, int(Side.BUY), int(OrdType.LIMIT), int(TimeInForce.DAY), 1_000, 5)
    answered = benchmark.pedantic(
        engine.new_order, args=order, rounds=ROUNDS, iterations=ITERATIONS
    )
    assert answered == 1
    level = engine.depth(0, Side.BUY)[0]
    assert (level["price"], level["qty"], level["orders"]) == (1_000, 5 * CALLS, CALLS)


def test_one_cancel(benchmark: Any, engine: Engine) -> None:
    ids = enter_all(engine, Side.BUY, 1_000, 5, CALLS)
    calls = map(engine.cancel, ids, repeat(0))
    answered = benchmark.pedantic(calls.__next__, rounds=ROUNDS, iterations=ITERATIONS)
    assert answered == 1
    assert len(engine.depth(0, Side.BUY)) == 0


def test_one_order_that_trades(benchmark: Any, engine: Engine) -> None:
    enter_all(engine, Side.SELL, 1_000, 2 * CALLS, 1)
    order = (0, 0, int(Side.BUY), int(OrdType.LIMIT), int(TimeInForce.IOC), 1_000, 1)
    answered = benchmark.pedantic(
        engine.new_order, args=order, rounds=ROUNDS, iterations=ITERATIONS
    )
    assert answered == 2
    assert engine.events()["exec_type"].tolist() == [ExecType.NEW, ExecType.TRADE]
    assert engine.depth(0, Side.SELL)[0]["qty"] == CALLS


def test_one_replace(benchmark: Any, engine: Engine) -> None:
    ids = enter_all(engine, Side.BUY, 1_000, 5, CALLS)
    calls = map(engine.replace, ids, repeat(0), repeat(1_001), repeat(6))
    answered = benchmark.pedantic(calls.__next__, rounds=ROUNDS, iterations=ITERATIONS)
    assert answered == 1
    level = engine.depth(0, Side.BUY)[0]
    assert (level["price"], level["qty"], level["orders"]) == (1_001, 6 * CALLS, CALLS)


@pytest.fixture
def market() -> Market:
    """One instrument with a tick of a cent, one account, room for an order per call."""
    market = Market(orders_max=CALLS)
    market.list_instrument("AAA", "0.01")
    market.open_account("ACC1")
    return market


def test_object_api_one_order_that_rests(benchmark: Any, market: Market) -> None:
    # Every text is new to the interpreter, as one that was just read is.
    prices = iter([f"{100 + i % 50}.25" for i in range(CALLS)])

    def buy() -> Report:
        return market.buy("AAA", 5, next(prices), account="ACC1")

    report = benchmark.pedantic(buy, rounds=ROUNDS, iterations=ITERATIONS)
    assert report.ord_status == OrdStatus.NEW
    assert sum(level.qty for level in market.depth("AAA", Side.BUY, 50)) == 5 * CALLS


def test_object_api_one_order_with_a_new_decimal(benchmark: Any, market: Market) -> None:
    prices = iter([Decimal(10_000 + i % 50) / 100 for i in range(CALLS)])

    def buy() -> Report:
        return market.buy("AAA", 5, next(prices), account="ACC1")

    report = benchmark.pedantic(buy, rounds=ROUNDS, iterations=ITERATIONS)
    assert report.ord_status == OrdStatus.NEW
    assert sum(level.qty for level in market.depth("AAA", Side.BUY, 50)) == 5 * CALLS


def test_object_api_one_order_that_trades(benchmark: Any, market: Market) -> None:
    market.sell("AAA", 2 * CALLS, "10.00", account="ACC1")
    order = {"account": "ACC1", "time_in_force": TimeInForce.IOC}
    report = benchmark.pedantic(
        market.buy, args=("AAA", 1, "10.00"), kwargs=order, rounds=ROUNDS, iterations=ITERATIONS
    )
    assert [fill.last_qty for fill in report.fills] == [1]
    assert market.depth("AAA", Side.SELL)[0].qty == CALLS


def test_object_api_a_step_of_a_study(benchmark: Any, market: Market) -> None:
    """Enter, read the fills and both sides of the touch: the loop that studies are made of."""
    prices = iter([f"{100 + i % 50 / 100:.2f}" for i in range(CALLS)])
    enter = cycle((market.buy, market.sell))
    seen = [0]

    def step() -> tuple[Decimal | None, Decimal | None]:
        report = next(enter)("AAA", 5, next(prices), account="ACC1")
        seen[0] += len(report.fills)
        return market.best_bid("AAA"), market.best_ask("AAA")

    bid, ask = benchmark.pedantic(step, rounds=ROUNDS, iterations=ITERATIONS)
    assert seen[0] == len(market.trades()) > CALLS / 4
    ends = [market.depth("AAA", side, 1) for side in (Side.BUY, Side.SELL)]
    assert [[level.price for level in levels] for levels in ends] == [
        [price] if price is not None else [] for price in (bid, ask)
    ]


def test_object_api_one_cancel(benchmark: Any, market: Market) -> None:
    reports = [market.buy("AAA", 5, "10.00", account="ACC1") for _ in range(CALLS)]
    calls = map(market.cancel, reports)
    report = benchmark.pedantic(calls.__next__, rounds=ROUNDS, iterations=ITERATIONS)
    assert report.ord_status == OrdStatus.CANCELED
    assert market.depth("AAA", Side.BUY) == []


@pytest.mark.parametrize("name", flow.SWINGS)
def test_a_flow_in_numpy_batches(benchmark: Any, name: str) -> None:
    case = Case(name, name, orders=50_000)
    generated = flow.generate(case.flow, case.orders, seed=101)
    commands = flow.resolve(generated, case.engine())
    whole = case.engine()
    expected = flow.expect(generated.setup, commands, whole, batch=len(commands))
    batches = [commands[i : i + BATCH] for i in range(0, len(commands), BATCH)]
    last: list[Engine] = []

    def fresh() -> tuple[tuple[Engine], dict[str, Any]]:
        engine = case.engine()
        engine.submit(generated.setup)
        last[:] = [engine]
        return (engine,), {}

    def run(engine: Engine) -> None:
        for batch in batches:
            engine.submit(batch)

    benchmark.pedantic(run, setup=fresh, rounds=10, iterations=1)
    benchmark.extra_info["commands"] = len(commands)
    benchmark.extra_info["best_ns_per_command"] = benchmark.stats.stats.min * 1e9 / len(commands)
    assert last[0].event_seq == expected.events
    assert last[0].state_hash() == whole.state_hash()
    assert flow.expect(generated.setup, commands, case.engine(), BATCH) == expected

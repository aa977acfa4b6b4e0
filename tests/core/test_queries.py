"""What an engine says of single orders, queues and prices, from Python; in C: test_query.c."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, ORDER, MsgType, OrdType, Side, TimeInForce
from touchline.core.pointers import function


@pytest.fixture
def engine() -> Engine:
    """Two instruments, two accounts; three bids at 100 and one at 99 in instrument 0."""
    made = Engine()
    setup = np.zeros(4, COMMAND)
    setup["type"] = [MsgType.SECURITY_DEFINITION] * 2 + [MsgType.ACCOUNT] * 2
    setup["instrument"][:2] = [0, 1]
    setup["account"][2:] = [0, 1]
    made.submit(setup)
    for price, qty, account in ((100, 5, 0), (100, 6, 1), (100, 7, 0), (99, 8, 1)):
        enter(made, Side.BUY, price, qty, account)
    return made


def enter(engine: Engine, side: Side, price: int, qty: int, account: int = 0) -> int:
    engine.new_order(0, account, side, OrdType.LIMIT, TimeInForce.DAY, price, qty)
    return int(engine.answer().order_id)


def test_one_order_is_told_by_its_order_id(engine: Engine) -> None:
    order_id = enter(engine, Side.SELL, 105, 9, 1)
    enter(engine, Side.BUY, 105, 4)
    order = engine.order(order_id)
    assert order is not None
    assert order.dtype == ORDER
    assert order.tolist() == (
        *(order_id, 105, 5, 9, 1, 0, Side.SELL, ord(TimeInForce.DAY.fix)),
        *(5, 0, 0, ord(OrdType.LIMIT.fix), 0, 0, 0, 0),
    )
    engine.cancel(order_id, 1)
    assert engine.order(order_id) is None
    assert engine.order(0) is None


def test_a_price_tells_its_quantity_and_orders(engine: Engine) -> None:
    assert (engine.qty_at(0, Side.BUY, 100), engine.orders_at(0, Side.BUY, 100)) == (18, 3)
    assert (engine.qty_at(0, Side.BUY, 99), engine.orders_at(0, Side.BUY, 99)) == (8, 1)
    assert (engine.qty_at(0, Side.SELL, 100), engine.orders_at(0, Side.SELL, 100)) == (0, 0)
    for price in (-1, 0, 98, 101, 1 << 40):
        assert (engine.qty_at(0, Side.BUY, price), engine.orders_at(0, Side.BUY, price)) == (0, 0)
    assert engine.qty_at(1, Side.BUY, 100) == 0


def test_an_order_knows_what_is_ahead_of_it(engine: Engine) -> None:
    first, second, third = engine.orders(0, Side.BUY)["order_id"][:3].tolist()
    assert [engine.ahead(order) for order in (first, second, third)] == [0, 5, 11]
    assert [engine.orders_ahead(order) for order in (first, second, third)] == [0, 1, 2]
    enter(engine, Side.SELL, 100, 2)
    assert engine.ahead(third) == 9
    engine.cancel(first, 0)
    assert [engine.ahead(order) for order in (second, third)] == [0, 6]
    for gone in (first, 0, 1 << 63):
        with pytest.raises(ValueError, match=f"no order {gone} is open"):
            engine.ahead(gone)
        with pytest.raises(ValueError, match=f"no order {gone} is open"):
            engine.orders_ahead(gone)


QUERIES: list[Callable[[Engine, int], object]] = [
    lambda engine, side: engine.orders(0, side),
    lambda engine, side: engine.open_orders(side=side),
    lambda engine, side: engine.qty_at(0, side, 100),
    lambda engine, side: engine.orders_at(0, side, 100),
]


@pytest.mark.parametrize("side", [0, 1, 2, 77, 255])
@pytest.mark.parametrize("query", QUERIES)
def test_a_side_that_is_none_is_refused(
    engine: Engine, query: Callable[[Engine, int], object], side: int
) -> None:
    with pytest.raises(ValueError, match=f"side {side}"):
        query(engine, side)


def test_orders_come_as_many_as_are_asked_for(engine: Engine) -> None:
    every = engine.orders(0, Side.BUY)
    assert every["leaves_qty"].tolist() == [5, 6, 7, 8]
    for most in (0, 1, 3, 4, 1000):
        assert engine.orders(0, Side.BUY, most).tolist() == every[:most].tolist()
    with pytest.raises(OverflowError):
        engine.orders(0, Side.BUY, -1)


def test_open_orders_are_those_of_an_account_an_instrument_a_side(engine: Engine) -> None:
    enter(engine, Side.SELL, 105, 9, 1)
    assert engine.open_orders()["leaves_qty"].tolist() == [5, 6, 7, 8, 9]
    assert engine.open_orders(account=1)["leaves_qty"].tolist() == [6, 8, 9]
    assert engine.open_orders(account=1, side=Side.BUY)["leaves_qty"].tolist() == [6, 8]
    assert engine.open_orders(instrument=0, side=Side.SELL)["leaves_qty"].tolist() == [9]
    assert len(engine.open_orders(instrument=1)) == len(engine.open_orders(account=7)) == 0


def test_a_number_that_stands_for_all_of_them_is_refused_as_one(engine: Engine) -> None:
    with pytest.raises(OverflowError, match="instrument 65535 is outside 0 to 65534"):
        engine.open_orders(instrument=65535)
    with pytest.raises(OverflowError, match="account 4294967295 is outside 0 to 4294967294"):
        engine.open_orders(account=0xFFFFFFFF)


def test_a_short_list_does_not_keep_memory_for_all_orders(engine: Engine) -> None:
    for _ in range(1000):
        enter(engine, Side.SELL, 200, 1)
    short = engine.open_orders(side=Side.BUY)
    assert short.base is None or short.base.nbytes < 10 * short.nbytes


def crowd(engine: Engine, rng: random.Random) -> None:
    """Some hundreds of orders on a few levels of either side; of those entered a third has left."""
    for _ in range(1200):
        side = rng.choice(list(Side))
        price = rng.randint(90, 99) if side is Side.BUY else rng.randint(101, 110)
        account = rng.randrange(2)
        order_id = enter(engine, side, price, rng.randint(1, 50), account)
        if rng.random() < 0.3:
            engine.cancel(order_id, account)
        elif rng.random() < 0.1:
            first = engine.open_orders(account=0)[0]
            engine.cancel(int(first["order_id"]), 0)


def test_every_query_tells_the_same_book(engine: Engine, seed: int) -> None:
    crowd(engine, random.Random(seed))
    seen = 0
    for side in Side:
        orders = engine.orders(0, side)
        for price, qty, count in engine.depth(0, side, 1000).tolist():
            queue = orders[orders["price"] == price]
            assert len(queue) == count == engine.orders_at(0, side, price)
            assert queue["leaves_qty"].sum() == qty == engine.qty_at(0, side, price)
            ahead = 0
            for place, order in enumerate(queue):
                order_id = int(order["order_id"])
                assert engine.order(order_id) == order
                assert (engine.ahead(order_id), engine.orders_ahead(order_id)) == (ahead, place)
                ahead += int(order["leaves_qty"])
                seen += 1
        assert sorted(engine.open_orders(side=side).tolist()) == sorted(orders.tolist())
    assert seen == engine.orders_open > 100


def test_the_queries_answer_by_address(engine: Engine) -> None:
    order_id = int(engine.orders(0, Side.BUY)[2]["order_id"])
    level, order = np.zeros(3, np.int64), np.zeros(1, ORDER)
    assert function("tl_engine_ahead")(engine.address, order_id, level.ctypes.data) == 1
    assert level.tolist() == [100, 11, 2]
    at = level.ctypes.data
    assert function("tl_engine_level")(engine.address, 0, int(Side.BUY), 100, at) == 3
    assert level.tolist() == [100, 18, 3]
    assert function("tl_engine_order")(engine.address, order_id, order.ctypes.data) == 1
    assert order[0] == engine.order(order_id)
    assert function("tl_engine_sink_slots")(engine.address) == 262144

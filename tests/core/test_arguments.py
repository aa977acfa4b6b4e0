"""What the shells of the core take as a number or a side, and how they refuse the rest by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from touchline.core.book import Book
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, ExecType, MsgType, OrdType, Side, TimeInForce
from touchline.marketdata.mirror import Mirror

NOT_WHOLE = [100.0, 100.99, Decimal(100), Fraction(100), np.float64(100), np.bool_(True), True]
NOT_WHOLE += [float("nan"), "100", b"d", None, [100], np.array([1, 2]), object()]


class Broken:
    """Says that it is a whole number, and is none."""

    def __index__(self) -> Any:
        return 3.5


NOT_WHOLE.append(Broken())
ORDER = {
    "instrument": 0, "account": 0, "side": Side.BUY, "ord_type": OrdType.LIMIT,
    "time_in_force": TimeInForce.DAY, "price": 100, "qty": 5, "cl_ord_id": 0, "ts_ns": 0,
}  # fmt: skip
WIDTHS = {
    "instrument": (0, 2**16 - 1),
    "account": (0, 2**32 - 1),
    "side": (0, 255),
    "ord_type": (0, 255),
    "time_in_force": (0, 255),
    "price": (-(2**63), 2**63 - 1),
    "qty": (-(2**63), 2**63 - 1),
    "cl_ord_id": (0, 2**64 - 1),
    "order_id": (0, 2**64 - 1),
    "ts_ns": (-(2**63), 2**63 - 1),
    "levels_max": (0, 2**32 - 1),
}


def opened(**capacities: int) -> Engine:
    engine = Engine(**capacities)
    setup = np.zeros(2, COMMAND)
    setup["type"] = [MsgType.SECURITY_DEFINITION, MsgType.ACCOUNT]
    engine.submit(setup)
    return engine


# Every call of an engine with the arguments it needs.
CALLS: dict[str, dict[str, Any]] = {
    "new_order": ORDER,
    "cancel": {"order_id": 1, "account": 0, "cl_ord_id": 0, "ts_ns": 0},
    "replace": {
        "order_id": 1, "account": 0, "price": 100, "qty": 5, "cl_ord_id": 0, "ts_ns": 0,
    },
    "best_bid": {"instrument": 0},
    "best_ask": {"instrument": 0},
    "depth": {"instrument": 0, "side": Side.BUY, "levels_max": 10},
    "orders": {"instrument": 0, "side": Side.BUY},
    "position": {"account": 0, "instrument": 0},
}  # fmt: skip
ARGUMENTS = [(call, name) for call, arguments in CALLS.items() for name in arguments]


@pytest.mark.parametrize(("call", "name"), ARGUMENTS)
def test_what_is_no_whole_number_is_refused_by_name(call: str, name: str) -> None:
    engine = opened()
    before = engine.state_hash()
    for wrong in NOT_WHOLE:
        with pytest.raises(TypeError, match=f"^{name} is .*a whole number is wanted"):
            getattr(engine, call)(**CALLS[call] | {name: wrong})
    assert engine.state_hash() == before


@pytest.mark.parametrize(("call", "name"), ARGUMENTS)
def test_a_number_beyond_its_field_is_refused_with_the_range(call: str, name: str) -> None:
    engine = opened()
    if name == "side" and call in ("depth", "orders"):
        return  # a side has two values, not a range: see below
    low, high = WIDTHS[name]
    for wrong in (low - 1, high + 1, 10**30, -(10**30)):
        with pytest.raises(OverflowError, match=re.escape(f"{name} {wrong} is outside {low} to")):
            getattr(engine, call)(**CALLS[call] | {name: wrong})
    for right in (low, high, high // 2, 1 << 30 & high, np.uint8(3)):
        getattr(engine, call)(**CALLS[call] | {name: right})


@pytest.mark.parametrize("whole", [int, np.int64, np.uint32, np.int16, lambda n: np.array(n)])
def test_every_kind_of_whole_number_means_the_same(whole: Callable[[int], Any]) -> None:
    plain, other = opened(), opened()
    plain.new_order(**ORDER)
    other.new_order(**{name: whole(value) for name, value in ORDER.items()})
    assert other.events().tobytes() == plain.events().tobytes()
    assert other.depth(whole(0), whole(Side.BUY), whole(1)).tolist() == [(100, 5, 1)]


def test_wide_numbers_arrive_whole() -> None:
    engine = opened()
    for number in (0, 1, 2**30 - 1, 2**30, 2**31, 2**60 - 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1):
        engine.cancel(number, 0, cl_ord_id=number)
        event = engine.events()[0]
        assert (event["order_id"], event["cl_ord_id"]) == (number, number)
    for number in (-(2**63), -(2**31), -1, 2**30, 2**63 - 1):
        engine.new_order(**ORDER | {"ts_ns": number, "qty": 0})
        assert engine.events()["ts_ns"][0] == number


@pytest.mark.parametrize("side", [0, 1, 2, 48, 51, 77, 255, 256, -1, 1 << 70])
def test_a_query_of_no_side_is_refused_and_not_answered_with_both(side: int) -> None:
    engine, book = opened(), Book()
    calls: list[Callable[[], Any]] = [
        lambda: engine.depth(0, side),
        lambda: engine.orders(0, side),
        lambda: book.enter(side, 100, 5),
        lambda: book.best(side),
        lambda: book.oldest(side),
        lambda: book.depth(side),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=rf"side {side} is neither Side.BUY \(49\) nor"):
            call()


def test_an_unknown_kind_of_order_is_the_engines_to_refuse() -> None:
    engine = opened()
    for name in ("side", "ord_type", "time_in_force"):
        engine.new_order(**ORDER | {name: 77})
        assert engine.events()["exec_type"].tolist() == [ExecType.REJECTED]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("enter", "side"),
        ("enter", "price"),
        ("enter", "qty"),
        ("reduce", "order_id"),
        ("reduce", "qty"),
        ("cancel", "order_id"),
        ("ahead", "order_id"),
        ("oldest", "side"),
        ("best", "side"),
        ("depth", "side"),
        ("depth", "levels_max"),
    ],
)
def test_a_book_refuses_by_name_what_is_no_whole_number(call: str, name: str) -> None:
    book = Book()
    order_id = book.enter(Side.BUY, 100, 5)
    right = {
        "enter": {"side": Side.BUY, "price": 100, "qty": 5},
        "reduce": {"order_id": order_id, "qty": 1},
        "depth": {"side": Side.BUY, "levels_max": 10},
    }.get(call, {"order_id": order_id, "side": Side.BUY})
    if call in ("cancel", "ahead", "oldest", "best"):
        right = {name: right[name]}
    for wrong in NOT_WHOLE:
        with pytest.raises(TypeError, match=f"^{name} is "):
            getattr(book, call)(**right | {name: wrong})
    assert book.depth(Side.BUY).tolist() == [(100, 5, 1)]


@pytest.mark.parametrize("kind", [Engine, Book, Mirror])
def test_capacities_are_whole_and_named(kind: Callable[..., Any]) -> None:
    for wrong in NOT_WHOLE:
        with pytest.raises(TypeError, match=r"^orders_max is "):
            kind(orders_max=wrong)
    for wrong in (0, -1, (1 << 26) + 1, 1 << 32, 1 << 80):
        with pytest.raises(ValueError, match=f"orders_max {wrong} is outside 1 to {1 << 26}"):
            kind(orders_max=wrong)
    assert kind(orders_max=np.int32(7)) is not None

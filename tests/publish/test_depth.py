"""The publisher's mirror of the books, next to the engine that made the events."""

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.downstream_venue import LIMITS, SYMBOLS, commands, flow, joined, new_order, opening
from touchline.control.publish.depth import InstrumentDepth, Mirror
from touchline.core.engine import Engine
from touchline.core.messages import (
    ACCOUNT_ALL,
    EVENT,
    INSTRUMENT_ALL,
    ExecType,
    Flag,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)

CELLS = (4, 7, 5, 3)  # numbers in a row of trades, bbo, depth, status


def new_engine() -> Engine:
    return Engine(**LIMITS._asdict())


def assert_mirrors(mirror: Mirror, engine: Engine) -> None:
    for number, book in mirror.instruments.items():
        for side, depth in ((Side.BUY, book.bids), (Side.SELL, book.asks)):
            levels = engine.depth(number, side, 1000)
            wanted = [(int(v["price"]), int(v["qty"]), int(v["orders"])) for v in levels]
            assert depth.best_outwards() == wanted
            assert depth.best_price == (wanted[0][0] if wanted else 0)
            assert depth.top == (list(wanted[0][1:]) if wanted else [0, 0])


def test_after_every_command_the_mirror_is_the_book(seed: int) -> None:
    engine, mirror = new_engine(), Mirror()
    mirror.apply(engine.submit(opening()))
    rows = flow(seed, 3000)
    for number in range(len(rows)):
        mirror.apply(engine.submit(rows[number : number + 1]))
        if number % 7 == 0:
            assert_mirrors(mirror, engine)
    assert_mirrors(mirror, engine)


def cells(book: InstrumentDepth) -> list[list[int]]:
    return [list(rows) for rows in book.rows()]


def test_rows_do_not_depend_on_how_events_come_in_batches(seed: int) -> None:
    rng = random.Random(seed)
    engine = new_engine()
    events = joined([engine.submit(opening()).copy(), engine.submit(flow(seed, 2000))], EVENT)
    whole, pieces = Mirror(), Mirror()
    whole.apply(events)
    collected: dict[int, list[list[int]]] = {}
    low = 0
    while low < len(events):
        high = low + rng.randint(1, 9)
        for number in pieces.apply(events[low:high]):
            book = pieces.instruments[number]
            assert not (book.bids.levels and book.asks.levels) or (
                book.bids.best_price < book.asks.best_price
            ), "a book is crossed in the middle of a command"
            kept = collected.setdefault(number, [[], [], [], []])
            for kind, made in enumerate(cells(book)):
                kept[kind] += made
            book.clear(CELLS)
        low = high
    assert collected == {number: cells(book) for number, book in whole.instruments.items()}
    for number, book in pieces.instruments.items():
        wanted = [len(made) // CELLS[kind] for kind, made in enumerate(collected[number])]
        assert book.sent == wanted


def test_depth_rows_alone_rebuild_the_book(seed: int) -> None:
    engine, mirror = new_engine(), Mirror()
    mirror.apply(engine.submit(opening()))
    mirror.apply(engine.submit(flow(seed, 2000)))
    for number, book in mirror.instruments.items():
        rebuilt: dict[Side, dict[int, tuple[int, int]]] = {Side.BUY: {}, Side.SELL: {}}
        for _, _, price, qty, packed in np.array(book.depth).reshape(-1, 5).tolist():
            levels = rebuilt[Side(packed >> 32)]
            levels[price] = qty, packed & 0xFFFFFFFF
            if not levels[price][1]:
                del levels[price]
        for side in Side:
            wanted = engine.depth(number, side, 1000)
            assert rebuilt[side] == {
                int(v["price"]): (int(v["qty"]), int(v["orders"])) for v in wanted
            }


def run(*rows: dict[str, int]) -> tuple[Engine, Mirror, NDArray[np.void]]:
    engine, mirror = new_engine(), Mirror()
    mirror.apply(engine.submit(opening()))
    for book in mirror.instruments.values():
        book.clear(CELLS)
    events = engine.submit(commands(list(rows))).copy()
    mirror.apply(events)
    return engine, mirror, events


@pytest.mark.parametrize(
    "values",
    [
        {"time_in_force": TimeInForce.IOC},
        {"time_in_force": TimeInForce.FOK},
        {"ord_type": OrdType.MARKET, "price": 0},
        {"qty": 0},
        {"instrument": 7},
    ],
)
def test_an_order_that_does_not_rest_leaves_no_row(values: dict[str, int]) -> None:
    _, mirror, _ = run(new_order(**values))
    assert all(cells(book) == [[], [], [], []] for book in mirror.instruments.values())


def test_a_replace_after_a_partial_fill_moves_what_is_left() -> None:
    order_id = 1 << 32
    engine, mirror, events = run(
        new_order(qty=10, price=100),
        new_order(qty=4, price=100, side=Side.SELL),
        {"type": MsgType.REPLACE, "order_id": order_id, "price": 101, "qty": 12},
        {"type": MsgType.REPLACE, "order_id": order_id, "price": 101, "qty": 9},
    )
    assert events["exec_type"].tolist() == [
        ExecType.NEW, ExecType.NEW, ExecType.TRADE, ExecType.REPLACED, ExecType.REPLACED,
    ]  # fmt: skip
    assert events["flags"][-1] == Flag.PRIORITY_KEPT
    assert mirror.instruments[0].bids.levels == {101: [5, 1]}
    assert_mirrors(mirror, engine)


def test_a_replace_that_trades_rests_with_the_remainder_only() -> None:
    engine, mirror, _ = run(
        new_order(qty=10, price=100),
        new_order(qty=3, price=105, side=Side.SELL),
        {"type": MsgType.REPLACE, "order_id": 1 << 32, "price": 106, "qty": 10},
    )
    assert mirror.instruments[0].bids.levels == {106: [7, 1]}
    assert mirror.instruments[0].asks.levels == {}
    assert_mirrors(mirror, engine)


def test_a_replace_down_to_what_is_executed_ends_the_order() -> None:
    engine, mirror, _ = run(
        new_order(qty=10, price=100),
        new_order(qty=4, price=100, side=Side.SELL),
        {"type": MsgType.REPLACE, "order_id": 1 << 32, "price": 100, "qty": 4},
    )
    assert mirror.instruments[0].bids.levels == {}
    assert_mirrors(mirror, engine)


def test_a_mass_cancel_empties_every_book(seed: int) -> None:
    engine, mirror = new_engine(), Mirror()
    mirror.apply(engine.submit(opening()))
    mirror.apply(engine.submit(flow(seed, 1000)))
    mass = {
        "type": MsgType.MASS_CANCEL,
        "instrument": INSTRUMENT_ALL,
        "account": ACCOUNT_ALL,
        "flags": Flag.EXPIRE,
    }
    mirror.apply(engine.submit(commands([mass])))
    assert len(mirror.instruments) == len(SYMBOLS)
    for book in mirror.instruments.values():
        assert (book.bids.levels, book.asks.levels) == ({}, {})
        assert book.bbo[-7:][2:] == [0, 0, 0, 0, 0]


def test_levels_that_come_and_go_do_not_pile_up() -> None:
    """Those behind the best never come to the front to be dropped there."""
    engine, mirror, _ = run(new_order(price=1000))
    for turn in range(2000):
        price = 2 + turn % 500
        placed = engine.submit(commands([new_order(price=price)])).copy()
        mirror.apply(placed)
        order_id = int(placed["order_id"][0])
        mirror.apply(engine.submit(commands([{"type": MsgType.CANCEL, "order_id": order_id}])))
    assert len(mirror.instruments[0].bids._heap) < 1000
    assert_mirrors(mirror, engine)


def test_a_gap_in_the_events_is_not_accepted() -> None:
    engine, mirror = new_engine(), Mirror()
    events = engine.submit(opening())
    mirror.apply(events[:2])
    with pytest.raises(AssertionError, match="event 4 follows 2"):
        mirror.apply(events[3:])

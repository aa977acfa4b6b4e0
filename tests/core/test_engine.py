"""The engine as a quant calls it: arguments checked, views kept straight, long answers whole."""

from __future__ import annotations

import copy
import ctypes
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

import touchline.core.engine
from touchline.core.answer import Answer
from touchline.core.capacities import CAPACITIES, EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    EVENT,
    LIMIT_UNSET,
    LIMITS,
    ExecType,
    Limit,
    MsgType,
    OrdType,
    Reason,
    Side,
    TimeInForce,
)


def opened(**capacities: int) -> Engine:
    """An engine with instrument 0 and accounts 0 and 1."""
    engine = Engine(**capacities)
    setup = np.zeros(3, COMMAND)
    setup["type"] = [MsgType.SECURITY_DEFINITION, MsgType.ACCOUNT, MsgType.ACCOUNT]
    setup["account"] = [0, 0, 1]
    engine.submit(setup)
    return engine


def enter(engine: Engine, side: Side, price: int, qty: int, account: int = 0) -> int:
    return engine.new_order(0, account, side, OrdType.LIMIT, TimeInForce.DAY, price, qty)


def test_single_calls_answer_as_a_batch_does() -> None:
    one, batch = opened(), opened()
    enter(one, Side.BUY, 100, 5)
    order_id = int(one.events()[0]["order_id"])
    answers = [one.events().tobytes()]
    calls: list[Callable[[], int]] = [
        lambda: one.replace(order_id, 0, 101, 7, cl_ord_id=2),
        lambda: enter(one, Side.SELL, 101, 3, account=1),
        lambda: one.cancel(order_id, 0, cl_ord_id=3),
    ]
    for call in calls:
        assert call() == len(one.events())
        answers.append(one.events().tobytes())
    commands = np.zeros(4, COMMAND)
    commands["type"] = [MsgType.NEW_ORDER, MsgType.REPLACE, MsgType.NEW_ORDER, MsgType.CANCEL]
    commands["order_id"] = [0, order_id, 0, order_id]
    commands["cl_ord_id"] = [0, 2, 0, 3]
    commands["account"] = [0, 0, 1, 0]
    commands["side"] = [Side.BUY, 0, Side.SELL, 0]
    commands["ord_type"] = [OrdType.LIMIT, 0, OrdType.LIMIT, 0]
    commands["time_in_force"] = [TimeInForce.DAY, 0, TimeInForce.DAY, 0]
    commands["price"] = [100, 101, 101, 0]
    commands["qty"] = [5, 7, 3, 0]
    together = batch.submit(commands)
    assert b"".join(answers) == together.tobytes()
    assert together["exec_type"].tolist() == [
        ExecType.NEW,
        ExecType.REPLACED,
        ExecType.NEW,
        ExecType.TRADE,
        ExecType.CANCELED,
    ]
    assert one.state_hash() == batch.state_hash()


def many(count: int) -> np.ndarray:
    """Orders of which each has two events: accepted, and canceled because nothing is there."""
    commands = np.zeros(count, COMMAND)
    commands["type"] = MsgType.NEW_ORDER
    commands["ord_type"] = OrdType.LIMIT
    commands["time_in_force"] = TimeInForce.IOC
    commands["side"] = Side.BUY
    commands["price"] = 100
    commands["qty"] = 1
    commands["cl_ord_id"] = np.arange(count)
    return commands


def test_a_batch_whose_events_outgrow_the_buffer_comes_back_whole() -> None:
    commands = many(50_000)
    engine = opened(orders_max=16)
    events = engine.submit(commands)
    assert events.dtype == EVENT
    assert events["seq"].tolist() == list(range(4, 100_004))
    assert np.array_equal(events["cl_ord_id"][::2], commands["cl_ord_id"])
    assert set(events["exec_type"][1::2]) == {ExecType.CANCELED}


@pytest.mark.parametrize("count", [0, 1, 2_000, 2_047, 2_048, 2_049, 5_000])
def test_events_and_answer_show_what_submit_returned_however_much_it_is(count: int) -> None:
    engine = opened(orders_max=16)
    events = engine.submit(many(count))
    assert len(events) == len(engine.events()) == engine.answer().count == 2 * count
    assert events.tobytes() == engine.events().tobytes() == engine.answer().events.tobytes()
    assert events.flags.writeable
    assert engine.events().flags.writeable


def test_a_call_after_a_long_answer_shows_its_own_events() -> None:
    engine = opened(orders_max=16)
    long = engine.submit(many(5_000))
    kept = long.copy()
    assert enter(engine, Side.BUY, 100, 5) == len(engine.events()) == engine.answer().count == 1
    assert long.tobytes() == kept.tobytes()
    assert len(engine.submit(many(1))) == len(engine.events()) == 2
    assert len(engine.submit(many(0))) == len(engine.events()) == engine.answer().count == 0


def test_an_answer_that_grows_late_is_whole() -> None:
    """First commands without events, so that nothing foretells how many there will be."""
    commands = np.concatenate([many(30_000), many(30_000)])
    commands["type"][:30_000] = MsgType.TEXT
    engine = opened(orders_max=16)
    assert engine.submit(commands)["seq"].tolist() == list(range(4, 60_004))


@pytest.mark.parametrize("count", [0, 1, 2_048, 10_000])
def test_pieces_together_are_what_submit_returns(count: int) -> None:
    whole, pieces = opened(orders_max=16), opened(orders_max=16)
    events = whole.submit(many(count))
    found = [piece.copy() for piece in pieces.submit_in_pieces(many(count))]
    assert np.concatenate([np.empty(0, EVENT), *found]).tobytes() == events.tobytes()
    assert all(len(piece) <= len(pieces.event_slots()) for piece in found)
    assert (len(found) > 1) == (count > 2_047)
    assert pieces.state_hash() == whole.state_hash()


def test_pieces_are_done_as_far_as_they_are_asked_for() -> None:
    engine = opened(orders_max=16)
    before = engine.event_seq
    pieces = engine.submit_in_pieces(many(10_000))
    assert engine.event_seq == before
    first = next(pieces)
    assert engine.event_seq == first["seq"][-1] < before + 20_000
    with pytest.raises(ValueError, match="commands must be"):
        engine.submit_in_pieces(np.zeros(3))  # type: ignore[arg-type]


def test_a_sink_that_ran_past_its_slots_is_said_and_not_read() -> None:
    engine = opened(orders_max=16)
    for count in (len(engine.event_slots()) + 1, 1 << 40, (1 << 64) - 1):
        engine.event_sink()[2] = count
        for look in (engine.events, engine.answer):
            with pytest.raises(ValueError, match=f"next is {count}"):
                look()
    engine.event_sink()[2] = 0
    assert len(engine.events()) == 0


def refused_while_another_submits(engine: Engine, calls: list[Callable[[], object]]) -> set[str]:
    """What each call said while another thread was in submit; retried until it met one."""
    said = set()
    started, stop = threading.Event(), threading.Event()

    def submit_for_ever() -> None:
        commands = many(20_000)
        while not stop.is_set():
            started.set()
            engine.submit(commands)

    thread = threading.Thread(target=submit_for_ever)
    thread.start()
    try:
        assert started.wait(60)
        for call in calls:
            deadline = time.monotonic() + 60
            while True:
                assert time.monotonic() < deadline, f"{call} never met the other thread"
                try:
                    call()
                except RuntimeError as error:
                    said.add(str(error))
                    break
    finally:
        stop.set()
        thread.join()
    return said


def test_a_second_thread_is_refused_while_one_is_in_submit() -> None:
    engine = opened(orders_max=16)
    one, snapshot = many(1), opened(orders_max=16).snapshot()
    calls: list[Callable[[], object]] = [
        lambda: enter(engine, Side.BUY, 100, 5),
        lambda: engine.cancel(1, 0),
        lambda: engine.replace(1, 0, 1, 1),
        lambda: engine.submit_in_pieces(one),
        lambda: engine.restore(snapshot),
        lambda: engine.depth(0, Side.BUY),
        lambda: engine.orders(0, Side.BUY),
        lambda: engine.best_bid(0),
        lambda: engine.position(0, 0),
        lambda: engine.orders_open,
        lambda: engine.event_seq,
        engine.events,
        engine.answer,
        engine.state_hash,
        engine.snapshot,
        lambda: copy.copy(engine),
    ]
    said = refused_while_another_submits(engine, calls)
    assert said == {"an engine is one thread's at a time, and another is in submit"}
    engine.restore(snapshot)  # without the orders that came in between two submits
    assert len(engine.submit(one)) == 2


class Odd(Answer):
    """A kind of answer whose __new__ gives something else."""

    made: object = None

    def __new__(cls) -> Odd:
        return cls.made  # type: ignore[return-value]


@pytest.mark.parametrize("made", [None, 7, "text", object(), Answer])
def test_an_answer_that_its_class_does_not_make_is_refused(made: object) -> None:
    engine = opened()
    Odd.made = made
    with pytest.raises(TypeError, match="which is no Answer"):
        engine.answer(Odd)


def test_an_answer_made_twice_holds_the_last_events_alone() -> None:
    engine = opened()
    engine.submit(many(3))
    Odd.made = kept = Answer.__new__(Answer)
    assert engine.answer(Odd).count == 6
    engine.submit(many(0))
    assert engine.answer(Odd) is kept
    assert (kept.count, len(kept.events)) == (0, 0)


def test_events_are_a_view_that_the_next_call_overwrites() -> None:
    engine = opened()
    enter(engine, Side.BUY, 100, 5)
    view, kept = engine.events(), engine.events().copy()
    enter(engine, Side.BUY, 99, 6)
    assert view["price"][0] == 99
    assert kept["price"][0] == 100


@pytest.mark.parametrize(
    "wrong",
    [np.zeros(3), np.zeros((2, 2), COMMAND), np.zeros(6, COMMAND)[::2], np.zeros(2, EVENT)],
    ids=["floats", "two dimensions", "with gaps", "events"],
)
def test_arrays_that_are_no_commands_are_refused(wrong: np.ndarray) -> None:
    engine = opened()
    before = engine.state_hash()
    with pytest.raises(ValueError, match="commands must be"):
        engine.submit(wrong)
    assert engine.state_hash() == before


def test_numbers_that_do_not_fit_are_refused_before_the_engine_sees_them() -> None:
    engine = opened()
    with pytest.raises(OverflowError):
        engine.new_order(70_000, 0, Side.BUY, OrdType.LIMIT, TimeInForce.DAY, 1, 1)
    with pytest.raises(OverflowError):
        engine.new_order(0, 0, Side.BUY, OrdType.LIMIT, TimeInForce.DAY, 1 << 63, 1)
    assert engine.event_seq == 3


def test_limits_are_checked_and_told() -> None:
    assert Engine().capacities == EngineCapacities()
    assert Engine(orders_max=7).capacities.orders_max == 7
    with pytest.raises(ValueError, match="capacities"):
        Engine(instruments_max=0)
    with pytest.raises(ValueError, match="capacities"):
        Engine(orders_max=1 << 30)


def test_depth_orders_and_touch_tell_the_same_book() -> None:
    engine = opened()
    for price, qty in ((100, 5), (101, 6), (100, 7)):
        enter(engine, Side.BUY, price, qty)
    assert engine.best_bid(0) == 101
    assert engine.best_ask(0) == 0
    assert engine.depth(0, Side.BUY).tolist() == [(101, 6, 1), (100, 12, 2)]
    assert len(engine.depth(0, Side.BUY, 1)) == 1
    assert engine.orders(0, Side.BUY)["leaves_qty"].tolist() == [6, 5, 7]
    assert engine.position(0, 0) == (0, 18, 0)
    assert engine.position(1, 0) == (0, 0, 0)
    assert engine.orders_open == 3


@pytest.mark.parametrize(
    ("limit", "more", "each"),
    [
        ("instruments_max", 6400, 5568),
        ("orders_max", 65536, 92),
        ("positions_max", 65536 - 1024, 80),
        ("price_blocks_max", 65536, 1744),
        ("accounts_max", 65536, 12),
    ],
)
def test_memory_is_what_the_manual_says(limit: str, more: int, each: int) -> None:
    """docs/operations.md: bytes for each instrument, order, position, block and account."""
    capacities = EngineCapacities(positions_max=1024)
    larger = EngineCapacities(**{**capacities._asdict(), limit: getattr(capacities, limit) + more})
    taken = len(Engine(**larger._asdict()).snapshot()) - len(
        Engine(**capacities._asdict()).snapshot()
    )
    assert each - 8 <= taken / more <= each + 1


def test_a_snapshot_of_another_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="snapshot"):
        Engine().restore(Engine(orders_max=9).snapshot())
    with pytest.raises(ValueError, match="snapshot"):
        Engine().restore(b"")


def test_a_damaged_snapshot_is_refused_and_changes_nothing() -> None:
    engine = opened()
    enter(engine, Side.BUY, 100, 5)
    before = engine.state_hash()
    damaged = bytearray(engine.snapshot())
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(ValueError, match="whole snapshot"):
        engine.restore(bytes(damaged))
    assert engine.state_hash() == before


def test_a_module_exports_its_start_alone_so_that_the_step_is_one_piece() -> None:
    """A function others may replace at load time can not be inlined: the step cost 5 ns more."""
    library = ctypes.PyDLL(touchline.core.engine.__file__)
    assert library.PyInit_engine
    with pytest.raises(AttributeError):
        _ = library.tl_engine_step


def test_a_view_keeps_its_memory_and_nothing_more() -> None:
    engine = opened()
    enter(engine, Side.BUY, 100, 5)
    references = sys.getrefcount(EVENT)
    for _ in range(100):
        view = engine.events()
    assert sys.getrefcount(EVENT) == references + 1
    del engine
    assert view["price"].tolist() == [100]
    assert view.dtype == EVENT


def test_an_engine_grows_by_name_and_never_shrinks() -> None:
    engine = Engine(orders_max=10)
    slots = len(engine.event_slots())
    engine.grow(orders_max=100_000, accounts_max=65)
    assert engine.capacities == EngineCapacities(orders_max=100_000, accounts_max=65)
    assert len(engine.event_slots()) > slots
    with pytest.raises(ValueError, match="orders_max 99999 is less than 100000"):
        engine.grow(orders_max=99_999, positions_max=5000)
    with pytest.raises(ValueError, match="accounts_max 16777217 is outside 1 to 16777216"):
        engine.grow(accounts_max=(1 << 24) + 1)
    with pytest.raises(TypeError):
        engine.grow(orders=5)  # type: ignore[call-arg]
    assert engine.capacities == EngineCapacities(orders_max=100_000, accounts_max=65)


def test_events_shown_before_an_engine_grows_stay_readable() -> None:
    engine = opened()
    before = engine.submit(np.zeros(3, COMMAND))
    kept = before.copy()
    assert len(kept) == 3
    engine.grow(orders_max=1 << 20)
    assert len(engine.events()) == 0
    assert before.tobytes() == kept.tobytes()


def test_every_capacity_has_its_row_of_bounds() -> None:
    assert list(CAPACITIES) == list(EngineCapacities._fields)
    assert CAPACITIES["instruments_max"][:2] == (1, 65534)
    for name, usual in EngineCapacities()._asdict().items():
        assert CAPACITIES[name].lowest <= usual <= CAPACITIES[name].highest


def test_every_limit_has_its_row_and_the_engine_keeps_to_it() -> None:
    """Rule 6.3, from the list that the core is compiled from."""
    assert list(LIMITS) == list(Limit)
    assert [limit for limit in Limit if LIMITS[limit].of_account] == [
        Limit.ORDER_QTY_MAX,
        Limit.ORDER_VALUE_MAX,
        Limit.POSITION_MAX,
    ]
    engine = opened()
    for limit, (_, _, lowest, highest, unset) in LIMITS.items():
        cmd = np.zeros(1, COMMAND)
        cmd["type"], cmd["field"] = MsgType.LIMIT, limit
        wrong = [lowest - 1, *([] if highest == LIMIT_UNSET else [highest + 1])]
        for value in (*wrong, *([] if unset else [LIMIT_UNSET])):
            cmd["price"] = value
            assert engine.submit(cmd)["reason"][0] == Reason.INVALID_LIMIT, (limit, value)
        for value in (highest, lowest, *([LIMIT_UNSET] if unset else [])):
            cmd["price"] = value
            assert engine.submit(cmd)["exec_type"][0] == ExecType.LIMIT, (limit, value)
        cmd["price"] = {Limit.PRICE_MAX: highest, Limit.QTY_MAX: highest}.get(limit, lowest)
        engine.submit(cmd)

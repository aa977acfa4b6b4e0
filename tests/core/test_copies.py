"""Engines and books copied, pickled and sent to other processes go on as the original would."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from touchline.core.answer import Answer
from touchline.core.book import Book
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND, MsgType, OrdType, Side, TimeInForce, make_commands

SMALL = {"orders_max": 64, "accounts_max": 4, "price_blocks_max": 16, "positions_max": 8}
WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "pickle of protocol 2": lambda thing: pickle.loads(pickle.dumps(thing, 2)),
}


class Named(Engine):
    """A class of a user's own, with state of its own."""

    name = ""


class NamedBook(Book):
    """Likewise."""

    name = ""


def filled(kind: type[Engine] = Engine) -> Engine:
    engine = kind(**SMALL)
    setup = np.zeros(2, COMMAND)
    setup["type"] = [MsgType.SECURITY_DEFINITION, MsgType.ACCOUNT]
    engine.submit(setup)
    for price in (100, 101, 102):
        bid(engine, price)
    return engine


def bid(engine: Engine, price: int) -> bytes:
    engine.new_order(0, 0, Side.BUY, OrdType.LIMIT, TimeInForce.DAY, price, 5)
    return engine.events().tobytes()


def pickled(thing: Engine | Book | Answer) -> Any:
    """What a pickle holds: the function that opens it again, its arguments, the attributes."""
    return thing.__reduce__()


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_an_engine_goes_on_by_itself(way: str) -> None:
    engine = filled()
    twin = WAYS[way](engine)
    assert type(twin) is Engine
    assert (twin.capacities, twin.state_hash()) == (engine.capacities, engine.state_hash())
    assert len(twin.events()) == 0
    before = engine.state_hash()
    answer = bid(twin, 99)
    assert engine.state_hash() == before != twin.state_hash()
    assert bid(engine, 99) == answer
    assert engine.state_hash() == twin.state_hash()


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_a_derived_engine_keeps_its_class_and_attributes(way: str) -> None:
    engine = filled(Named)
    engine.name = "what if"  # type: ignore[attr-defined]
    twin = WAYS[way](engine)
    assert (type(twin), twin.name) == (Named, "what if")
    assert twin.state_hash() == engine.state_hash()


class Slotted(Engine):
    """A class that keeps its state in slots."""

    __slots__ = ("name",)


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_a_derived_engine_keeps_its_slots(way: str) -> None:
    engine = filled(Slotted)
    engine.name = "what if"  # type: ignore[attr-defined]
    assert WAYS[way](engine).name == "what if"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_answer_can_be_kept_elsewhere(way: str, count: int) -> None:
    engine = filled()
    engine.submit(make_commands([{"type": MsgType.CHECKPOINT}] * count))
    answer = engine.answer(context=("mine", 7))
    twin = WAYS[way](answer)
    assert type(twin) is Answer
    assert (twin.count, twin.context) == (count, ("mine", 7))
    assert twin.events.tobytes() == answer.events.tobytes()


def test_a_damaged_pickle_of_an_answer_is_refused_by_name() -> None:
    again, (kind, context, events), _ = pickled(filled().answer())
    for wrong in ((int, context, events), (kind, context, events[:-1]), (kind, context, None)):
        with pytest.raises(ValueError, match="a pickled answer"):
            again(*wrong)


def test_a_snapshot_may_come_in_any_object_of_bytes() -> None:
    engine = filled()
    for kind in (bytes, bytearray, memoryview):
        twin = Engine(**SMALL)
        twin.restore(kind(engine.snapshot()))
        assert twin.state_hash() == engine.state_hash()


def test_a_damaged_pickle_of_an_engine_is_refused_by_name() -> None:
    again, (kind, capacities, snapshot), _ = pickled(filled())
    for wrong, named in (
        ((kind, capacities, snapshot[:-1]), "whole snapshot"),
        ((kind, capacities, snapshot[:99] + b"\1" + snapshot[100:]), "whole snapshot"),
        ((kind, (*capacities[:-1], 17), snapshot), "whole snapshot"),
        ((kind, (*capacities[:-1], 0), snapshot), "price_blocks_max 0"),
        ((kind, (*capacities, 1), snapshot), "capacities"),
        ((kind, capacities, "text"), "not bytes"),
        ((int, capacities, snapshot), "no Engine"),
    ):
        with pytest.raises(ValueError, match=named):
            again(*wrong)


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_a_book_goes_on_by_itself(way: str) -> None:
    book = NamedBook(orders_max=8, price_blocks_max=4)
    book.name = "mine"
    first, second = book.enter(Side.BUY, 100, 5), book.enter(Side.BUY, 100, 6)
    book.cancel(first)
    twin = WAYS[way](book)
    assert (type(twin), twin.name, len(twin)) == (NamedBook, "mine", 1)
    assert twin.depth(Side.BUY).tolist() == [(100, 6, 1)]
    assert twin.enter(Side.BUY, 100, 7) == book.enter(Side.BUY, 100, 7)
    assert twin.ahead(twin.enter(Side.BUY, 100, 1)) == 13
    twin.cancel(second)
    assert book.oldest(Side.BUY) == second


def test_a_damaged_pickle_of_a_book_is_refused_by_name() -> None:
    book = Book(orders_max=8, price_blocks_max=4)
    book.enter(Side.BUY, 100, 5)
    again, (kind, orders, blocks, state, checksum), _ = pickled(book)
    for wrong in (
        (kind, orders, blocks, state[:-1], checksum),
        (kind, orders, blocks, state[:50] + b"\1" + state[51:], checksum),
        (kind, orders, blocks, state, b""),
        (kind, orders + 1, blocks, state, checksum),
        (kind, orders, blocks, None, checksum),
        (int, orders, blocks, state, checksum),
    ):
        with pytest.raises(ValueError, match="a pickled book"):
            again(*wrong)


def what_if(engine: Engine) -> tuple[int, bytes]:
    """In another process: one more order."""
    answer = bid(engine, 105)
    return engine.state_hash(), answer


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_a_process_of_a_pool_tries_out_what_would_happen(method: str) -> None:
    engine = filled()
    before = engine.state_hash()
    with multiprocessing.get_context(method).Pool(1) as pool:
        found = pool.map(what_if, [engine, engine])
    assert engine.state_hash() == before
    answer = bid(engine, 105)
    assert found == [(engine.state_hash(), answer)] * 2


def test_a_forked_child_has_an_engine_of_its_own() -> None:
    engine = filled()
    before = engine.state_hash()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, bid(engine, 105))
        os._exit(0)
    os.waitpid(child, 0)
    assert engine.state_hash() == before
    assert os.read(reader, 1000) == bid(engine, 105)
    os.close(reader)
    os.close(writer)

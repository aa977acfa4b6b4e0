"""Special orders through the engine's shell, and the core against the reference far and wide."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import model_campaign
from touchline.core.engine import Engine
from touchline.core.messages import (
    ALL_OR_NONE_MAX,
    COMMAND,
    TRAILING_MAX,
    ContingencyType,
    ExecType,
    Flag,
    Limit,
    More,
    MsgType,
    OrdType,
    Reason,
    Side,
    TermsFlag,
    TimeInForce,
)

DAY = TimeInForce.DAY
LIMIT = OrdType.LIMIT
OTO = ContingencyType.OTO


def opening(reference_price: int) -> NDArray[np.void]:
    """One instrument with a reference price, two accounts."""
    commands = np.zeros(4, COMMAND)
    accounts = [MsgType.ACCOUNT, MsgType.ACCOUNT]
    commands["type"] = [MsgType.SECURITY_DEFINITION, *accounts, MsgType.LIMIT]
    commands["account"] = [0, 0, 1, 0]
    commands["field"] = Limit.REFERENCE_PRICE
    commands["price"] = reference_price
    return commands


@pytest.fixture
def engine() -> Engine:
    made = Engine(instruments_max=2, accounts_max=4, orders_max=256)
    made.submit(opening(100))
    return made


def kinds(engine: Engine) -> list[ExecType]:
    return [ExecType(kind) for kind in engine.events()["exec_type"]]


def test_random_mixes_of_everything_equal_the_reference() -> None:
    met: Counter[str] = Counter()
    for seed in range(6):
        assert model_campaign.play_round(seed, 2_000, met) is None
    wanted = {"RESTATED", "TRIGGERED", "TRADE", "WOULD_TRADE", "DISPLAY_QTY", "INVALID_TERMS",
              "NOT_LINKED", "CANCELED LINKED", "REPLACED LINKED"}  # fmt: skip
    assert wanted <= met.keys()


def test_an_order_says_its_terms(engine: Engine) -> None:
    engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 101, 10, display_qty=4)
    engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 102, 5, flags=Flag.HIDDEN)
    engine.new_order(0, 0, Side.BUY, OrdType.STOP_LIMIT, DAY, 106, 7, stop_price=105)
    orders = {int(order["order_id"]) & 0xFF: order for order in engine.open_orders()}
    assert [int(orders[slot]["shown_qty"]) for slot in range(3)] == [4, 0, 0]
    assert [int(orders[slot]["leaves_qty"]) for slot in range(3)] == [10, 5, 7]
    assert [int(orders[slot]["stop_price"]) for slot in range(3)] == [0, 0, 105]
    assert [int(orders[slot]["waiting"]) for slot in range(3)] == [0, 0, 1]
    assert orders[0]["display_qty"] == 4
    assert orders[1]["flags"] == Flag.HIDDEN | Flag.SPECIAL
    assert orders[2]["ord_type"] == OrdType.STOP_LIMIT
    assert engine.depth(0, Side.SELL).tolist() == [(101, 4, 1)]
    assert engine.position(0, 0) == (0, 7, 15)


def test_a_snapshot_keeps_what_waits_and_what_is_hidden(engine: Engine) -> None:
    engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 101, 10, display_qty=4)
    engine.new_order(0, 0, Side.BUY, OrdType.STOP, DAY, 0, 3, stop_price=101)
    twin = Engine(**engine.capacities._asdict())
    twin.restore(engine.snapshot())
    for one in (engine, twin):
        one.new_order(0, 1, Side.BUY, LIMIT, DAY, 101, 5)
        assert kinds(one) == [
            ExecType.NEW, ExecType.TRADE, ExecType.RESTATED, ExecType.TRADE, ExecType.TRIGGERED,
            ExecType.TRADE, ExecType.RESTATED,
        ]  # fmt: skip
    assert engine.state_hash() == twin.state_hash()


def test_terms_that_are_out_of_range_are_refused_by_name(engine: Engine) -> None:
    with pytest.raises(OverflowError, match="stop_price"):
        engine.new_order(0, 0, Side.BUY, OrdType.STOP, DAY, 0, 3, stop_price=1 << 32)
    part: Any = 1.5
    with pytest.raises(TypeError, match="display_qty"):
        engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 100, 3, display_qty=part)
    engine.new_order(0, 0, Side.BUY, OrdType.STOP, DAY, 0, 3, stop_price=(1 << 32) - 1)
    assert engine.events()["reason"][0] == Reason.PRICE_ABOVE_MAX


def test_a_cascade_of_many_stops_is_worked_off_in_one_command() -> None:
    """Each stop triggers the next, one tick on: a queue, whatever its length."""
    stops = 4_000
    engine = Engine(instruments_max=1, accounts_max=2, orders_max=32_768)
    engine.submit(opening(1_000))
    for tick in range(stops):
        engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 1_001 + tick, 1)
        engine.new_order(0, 1, Side.BUY, OrdType.STOP, DAY, 0, 1, stop_price=1_001 + tick)
    engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 1_001 + stops, 1)
    engine.new_order(0, 1, Side.BUY, LIMIT, DAY, 1_001, 1)
    found = Counter(kinds(engine))
    assert found == {ExecType.NEW: 1, ExecType.TRADE: stops + 1, ExecType.TRIGGERED: stops}
    assert engine.orders_open == 0
    assert engine.position(1, 0) == (stops + 1, 0, 0)


def terms(engine: Engine, **values: int) -> None:
    command = np.zeros(1, COMMAND)
    command["type"] = MsgType.TERMS
    for name, value in values.items():
        command[name] = value
    assert len(engine.submit(command)) == 0


def test_an_order_says_when_it_ends_and_that_it_trades_whole(engine: Engine) -> None:
    terms(engine, price=1_000)
    engine.new_order(0, 0, Side.SELL, LIMIT, TimeInForce.GTD, 101, 5, field=More.TERMS)
    terms(engine, flags=TermsFlag.ALL_OR_NONE)
    engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 101, 7, field=More.TERMS)
    till, whole = engine.open_orders()
    assert (till["expire_ns"], till["all_or_none"], till["shown_qty"]) == (1_000, 0, 5)
    assert (whole["expire_ns"], whole["all_or_none"], whole["shown_qty"]) == (0, 1, 0)
    engine.new_order(0, 1, Side.BUY, LIMIT, DAY, 101, 7, ts_ns=1_000)
    assert kinds(engine) == [ExecType.EXPIRED, ExecType.NEW, ExecType.TRADE]


def test_there_are_so_many_places_for_orders_that_expire(engine: Engine) -> None:
    terms(engine, price=1_000)
    for _ in range(256 // 2 + 64):
        engine.new_order(0, 0, Side.SELL, LIMIT, TimeInForce.GTD, 101, 5, field=More.TERMS)
        assert kinds(engine) == [ExecType.NEW, ExecType.RESTATED]
    engine.new_order(0, 0, Side.SELL, LIMIT, TimeInForce.GTD, 101, 5, field=More.TERMS)
    refused = engine.events()[0]
    assert (refused["reason"], refused["leaves_qty"] << 32 | refused["qty"]) == (
        Reason.EXPIRIES_FULL, 192)  # fmt: skip


def test_so_many_all_or_none_orders_may_wait_in_an_instrument(engine: Engine) -> None:
    terms(engine, flags=TermsFlag.ALL_OR_NONE)
    for _ in range(ALL_OR_NONE_MAX):
        engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 101, 5, field=More.TERMS)
        assert kinds(engine) == [ExecType.NEW]
    first = int(engine.open_orders()["order_id"][0])
    engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 90, 5, field=More.TERMS)
    assert engine.events()["reason"][0] == Reason.ALL_OR_NONE_FULL
    engine.cancel(first, 0)
    engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 90, 5, field=More.TERMS)
    assert kinds(engine) == [ExecType.NEW]


def test_a_snapshot_between_terms_and_their_order_has_them(engine: Engine) -> None:
    terms(engine, price=1_000, order_id=2)
    other = Engine(**engine.capacities._asdict())
    other.restore(engine.snapshot())
    for one in (engine, other):
        one.new_order(0, 0, Side.SELL, LIMIT, TimeInForce.GTD, 101, 5, field=More.TERMS)
        assert kinds(one) == [ExecType.NEW, ExecType.CANCELED]
    assert engine.state_hash() == other.state_hash()


def bracket(engine: Engine) -> list[int]:
    """An entry that rests, and a pair to get out by."""
    entry = engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 99, 5, 1, contingency=OTO)
    assert entry == 2
    engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 110, 5, 2, contingency=OTO, cl_ord_link_id=1)
    engine.new_order(0, 0, Side.SELL, OrdType.STOP, DAY, 0, 5, 3, stop_price=90,
                     contingency=ContingencyType.OCO, cl_ord_link_id=2)  # fmt: skip
    return [int(order_id) for order_id in engine.open_orders()["order_id"]]


def test_a_bracket_is_held_until_its_entry_has_traded(engine: Engine) -> None:
    bracket(engine)
    assert engine.open_orders()["waiting"].tolist() == [0, 16, 17]
    assert engine.open_orders()["shown_qty"].tolist() == [5, 0, 0]
    assert engine.position(0, 0) == (0, 5, 10)
    twin = Engine(**engine.capacities._asdict())
    twin.restore(engine.snapshot())
    for one in (engine, twin):
        one.new_order(0, 1, Side.SELL, LIMIT, DAY, 99, 5)
        assert kinds(one) == [
            ExecType.NEW, ExecType.TRADE, ExecType.TRIGGERED, ExecType.TRIGGERED, ExecType.RESTATED,
        ]  # fmt: skip
        assert one.open_orders()["waiting"].tolist() == [0, 1]
        one.new_order(0, 1, Side.BUY, LIMIT, DAY, 110, 1)
        assert kinds(one) == [ExecType.NEW, ExecType.TRADE, ExecType.CANCELED]
        assert one.events()["reason"][-1] == Reason.LINKED
    assert engine.state_hash() == twin.state_hash()


def test_many_linked_orders_end_in_one_command() -> None:
    """Each has its partner behind it: as many cancels as trades, within the bound."""
    engine = Engine(instruments_max=1, accounts_max=2, orders_max=4_096)
    engine.submit(opening(1_000))
    pairs = 1_000
    for number in range(1, pairs + 1):
        engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 1_000 + number, 2, 2 * number,
                         contingency=ContingencyType.OCO)  # fmt: skip
        engine.new_order(0, 0, Side.SELL, LIMIT, DAY, 4_000, 2, 2 * number + 1,
                         contingency=ContingencyType.OCO, cl_ord_link_id=2 * number)  # fmt: skip
    assert engine.orders_open == 2 * pairs
    engine.new_order(0, 1, Side.BUY, LIMIT, DAY, 4_000, 3 * pairs)
    found = Counter(kinds(engine))
    assert found == {ExecType.NEW: 1, ExecType.TRADE: pairs, ExecType.CANCELED: pairs,
                     ExecType.RESTATED: 1}  # fmt: skip


def test_mass_cancels_find_what_is_left_of_an_account(engine: Engine) -> None:
    """Children end with their parents, before or after the request has passed them."""
    for first in (True, False):
        orders = bracket(engine)
        if first:  # slots are given out the last given back first
            engine.cancel(orders[0], 0)
            continue
        command = np.zeros(1, COMMAND)
        command["type"], command["instrument"] = MsgType.MASS_CANCEL, 0xFFFF
        command["side"] = Side.BUY
        found = engine.submit(command)
        assert found["exec_type"].tolist() == [ExecType.CANCELED] * 3 + [ExecType.MASS_CANCELED]
        assert found["qty"][-1] == 1
    assert engine.orders_open == 0


def test_a_link_and_terms_that_came_before_do_not_go_together(engine: Engine) -> None:
    with pytest.raises(ValueError, match="TERMS came before"):
        engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 99, 5, field=More.TERMS, contingency=OTO)
    with pytest.raises(OverflowError, match="contingency"):
        engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 99, 5, contingency=256)
    engine.new_order(0, 0, Side.BUY, LIMIT, DAY, 99, 5, cl_ord_link_id=7)
    assert engine.events()["reason"][0] == Reason.INVALID_TERMS


def test_a_stop_price_follows_the_last_trade(engine: Engine) -> None:
    engine.new_order(0, 0, Side.SELL, OrdType.STOP, DAY, 0, 5, stop_price=90, trail=4)
    part = TermsFlag.TRAIL_BASIS_POINTS
    engine.new_order(0, 0, Side.BUY, OrdType.STOP, DAY, 0, 5, stop_price=120, trail=1_000,
                     terms_flags=part)  # fmt: skip
    assert engine.open_orders()["stop_price"].tolist() == [96, 110]
    for price in (103, 101):
        engine.new_order(0, 1, Side.SELL, LIMIT, DAY, price, 1)
        engine.new_order(0, 1, Side.BUY, LIMIT, DAY, price, 1)
    assert engine.open_orders()["stop_price"].tolist() == [99, 110]
    twin = Engine(**engine.capacities._asdict())
    twin.restore(engine.snapshot())
    for one in (engine, twin):
        one.new_order(0, 1, Side.SELL, LIMIT, DAY, 99, 1)
        one.new_order(0, 1, Side.BUY, LIMIT, DAY, 99, 1)
        assert ExecType.TRIGGERED in kinds(one)
    assert engine.state_hash() == twin.state_hash()


def test_so_many_stops_may_trail_in_an_instrument() -> None:
    engine = Engine(instruments_max=1, accounts_max=2, orders_max=1_024)
    engine.submit(opening(100))
    for _ in range(TRAILING_MAX):
        engine.new_order(0, 0, Side.SELL, OrdType.STOP, DAY, 0, 1, stop_price=90, trail=4)
        assert kinds(engine) == [ExecType.NEW]
    engine.new_order(0, 0, Side.SELL, OrdType.STOP, DAY, 0, 1, stop_price=90, trail=4)
    assert engine.events()["reason"][0] == Reason.TRAILING_FULL
    engine.new_order(0, 0, Side.SELL, OrdType.STOP, DAY, 0, 1, stop_price=90)
    assert kinds(engine) == [ExecType.NEW]

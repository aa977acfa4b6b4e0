"""An auction says what it would come to, every so often, while it lasts: rule 9.1 by the clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.commands import opening
from harness.venue import RuntimeVenue, wait_commands
from touchline.core.messages import (
    COMMAND,
    LANE_ADMIN,
    LANE_API,
    ExecType,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
    TradingStatus,
)
from touchline.runtime.replay import replay

EVERY_MS = 150


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def status(number: int, field: TradingStatus) -> NDArray[np.void]:
    made = np.zeros(1, COMMAND)
    made["cl_ord_id"], made["type"], made["field"] = number, MsgType.SECURITY_STATUS, field
    return made


def order(number: int, side: Side, price: int, qty: int) -> NDArray[np.void]:
    made = np.zeros(1, COMMAND)
    made["cl_ord_id"], made["type"] = LANE_API << 32 | number, MsgType.NEW_ORDER
    made["ord_type"], made["time_in_force"] = OrdType.LIMIT, TimeInForce.DAY
    made["side"], made["price"], made["qty"] = side, price, qty
    return made


def commands_of(venue: RuntimeVenue) -> NDArray[np.void]:
    return np.concatenate([commands.copy() for commands, _ in replay(venue.journal)])


@pytest.mark.parametrize("wait", ["park", "spin"])
def test_an_auction_is_told_of_while_it_lasts(venue: RuntimeVenue, wait: str) -> None:
    first = opening()
    begun = len(first) + 1
    with venue.running(wait=wait, indicative_ms=EVERY_MS) as (bus, _):
        with bus.lane(LANE_ADMIN) as lane:
            lane.send(np.concatenate([first, status(900, TradingStatus.OPENING_AUCTION)]))
            wait_commands(bus, begun + 2)  # two rounds
            with bus.lane(LANE_API) as orders:
                orders.send(order(1, Side.BUY, 101, 5))
                orders.send(order(2, Side.SELL, 100, 3))
            wait_commands(bus, begun + 5)
            lane.send(status(901, TradingStatus.READY_TO_TRADE))
        wait_commands(bus, begun + 6)
    asked = commands_of(venue)
    asked = asked[(asked["type"] == MsgType.SECURITY_STATUS) & (asked["cl_ord_id"] == 0)]
    assert len(asked) >= 3
    assert set(asked["field"]) == {TradingStatus.OPENING_AUCTION}
    assert np.diff(asked["ts_ns"]).min() >= EVERY_MS * 900_000
    events = venue.events()
    told = events[events["exec_type"] == ExecType.INDICATIVE]
    assert len(told) == 1 + len(asked)  # the first as the auction began
    assert told["price"][0] == 0
    assert (told["price"][-1], told["qty"][-1], told["side"][-1]) == (101, 3, Side.BUY)
    uncrossed = np.flatnonzero(events["exec_type"] == ExecType.UNCROSSED)
    assert len(uncrossed) == 1
    assert told["seq"].max() < events["seq"][uncrossed[0]]  # and nothing is told after it


def test_an_auction_goes_on_being_told_of_after_a_start(venue: RuntimeVenue) -> None:
    first = opening()
    with venue.running() as (bus, _), bus.lane(LANE_ADMIN) as lane:
        lane.send(np.concatenate([first, status(900, TradingStatus.CLOSING_AUCTION)]))
        wait_commands(bus, len(first) + 1)
    assert len(commands_of(venue)) == len(first) + 1  # nobody asked: it was not wanted
    with venue.running(indicative_ms=EVERY_MS) as (bus, _):
        wait_commands(bus, len(first) + 2)
    assert venue.events()["exec_type"][-1] == ExecType.INDICATIVE

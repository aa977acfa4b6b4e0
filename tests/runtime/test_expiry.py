"""An order past its time goes whoever comes, and when nobody does: rule 8.10 by the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.commands import opening
from harness.venue import RuntimeVenue, wait_commands
from harness.waiting import until
from touchline.core.messages import (
    COMMAND,
    LANE_ADMIN,
    LANE_API,
    ExecType,
    Flag,
    More,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)
from touchline.runtime.replay import replay

SOON_NS = 300_000_000


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def good_till(number: int, expire_ns: int) -> NDArray[np.void]:
    """TERMS and the order they belong to, as a lane takes them: both or none."""
    made = np.zeros(2, COMMAND)
    made["cl_ord_id"] = LANE_API << 32 | number
    made["type"] = [MsgType.TERMS, MsgType.NEW_ORDER]
    made["price"] = [expire_ns, 100]
    order = made[1:]  # what TERMS does not say is 0 there
    order["ord_type"], order["time_in_force"] = OrdType.LIMIT, TimeInForce.GTD
    order["side"], order["qty"] = Side.SELL, 5
    made["flags"], made["field"] = [0, Flag.SPECIAL], More.TERMS
    return made


@pytest.mark.parametrize("wait", ["park", "spin"])
def test_it_goes_when_nobody_comes(venue: RuntimeVenue, wait: str) -> None:
    first = opening()
    sent = len(first) + 4
    with venue.running(wait=wait) as (bus, _):
        with bus.lane(LANE_ADMIN) as lane:
            lane.send(first)
        soon = time.time_ns() + SOON_NS
        with bus.lane(LANE_API) as lane:
            lane.send(np.concatenate([good_till(1, soon), good_till(2, soon + SOON_NS)]))
        wait_commands(bus, sent + 2)
        assert bus.status()["commands"] == sent + 2  # asked for once each
    commands = np.concatenate([commands.copy() for commands, _ in replay(venue.journal)])
    asked = commands[commands["type"] == MsgType.EXPIRE]
    assert (asked["seq"] == [sent + 1, sent + 2]).all()
    assert (asked["ts_ns"] >= [soon, soon + SOON_NS]).all()
    expired = venue.events()[venue.events()["exec_type"] == ExecType.EXPIRED]
    assert (expired["ts_ns"] == asked["ts_ns"]).all()
    assert not expired["cl_ord_id"].any()


def test_it_goes_at_the_start_when_its_time_came_in_between(venue: RuntimeVenue) -> None:
    first = opening()
    with venue.running() as (bus, _):
        with bus.lane(LANE_ADMIN) as lane:
            lane.send(first)
        soon = time.time_ns() + SOON_NS
        with bus.lane(LANE_API) as lane:
            lane.send(good_till(1, soon))
        wait_commands(bus, len(first) + 2)
        kept = bus.status()["commands"]
    until(lambda: time.time_ns() > soon, "its time to come")
    with venue.running() as (bus, _):
        wait_commands(bus, len(first) + 3)
        assert bus.status()["commands"] == len(first) + 3
    assert kept <= len(first) + 3
    assert list(venue.events()["exec_type"][-2:]) == [ExecType.EXPIRED, ExecType.EXPIRE]

"""From a configuration to administrative commands: what is sent, and what is not sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from touchline.config import Config, load
from touchline.control.supervisor.admin import Admin, NotRunning
from touchline.control.supervisor.setup import Known, learn, left_over, setup_commands
from touchline.core.engine import Engine
from touchline.core.messages import ExecType as Exec
from touchline.core.messages import Limit, MsgType, Text
from touchline.errors import ConfigError

AAA: dict[str, Any] = {"symbol": "AAA", "tick_size": "0.01", "price_min": "5", "price_max": "20"}
BBB: dict[str, Any] = {"symbol": "BBB", "tick_size": "0.5", "lot_size": "10"}


def config(*instruments: dict[str, Any], **more: Any) -> Config:
    return load(None, {"instruments": list(instruments), **more})


class Twin:
    """An engine and what its commands so far have taught."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.known = Known()

    def set_up(self, wanted: Config) -> list[MsgType]:
        """Send what the configuration asks for; the types of what was sent."""
        commands = setup_commands(wanted, self.known)
        events = self.engine.submit(commands).copy()
        assert not np.isin(events["exec_type"], (Exec.REJECTED,)).any()
        learn(self.known, commands, events)
        return [MsgType(int(kind)) for kind in commands["type"]]


def test_a_second_start_with_the_same_file_sends_nothing() -> None:
    twin = Twin()
    wanted = config(
        AAA | {"price_collar": "2", "reference_price": "10", "qty_max": "500", "halted": True},
        BBB,
        accounts=[
            {"name": "ACC1", "order_qty_max": "55", "order_value_max": "1000", "position_max": "5"},
            {"name": "ACC2", "blocked": True},
        ],
        sessions=[{"comp_id": "BROKER1", "accounts": ["ACC1"]}],
    )
    sent = twin.set_up(wanted)
    assert sent.count(MsgType.SECURITY_DEFINITION) == 2
    assert sent.count(MsgType.ACCOUNT) == 2
    assert sent.count(MsgType.SECURITY_STATUS) == sent.count(MsgType.ACCOUNT_STATUS) == 1
    assert twin.set_up(wanted) == []


def test_limits_of_people_become_whole_lots_and_ticks_of_each_instrument() -> None:
    twin = Twin()
    account = {"name": "ACC1", "order_qty_max": "55", "order_value_max": "1001"}
    twin.set_up(config(AAA, BBB, accounts=[account]))
    limits = twin.known.limits
    assert limits[0, -1, Limit.PRICE_MAX] == 2000
    assert (limits[0, 0, Limit.ORDER_QTY_MAX], limits[1, 0, Limit.ORDER_QTY_MAX]) == (55, 5)
    assert (limits[0, 0, Limit.ORDER_VALUE_MAX], limits[1, 0, Limit.ORDER_VALUE_MAX]) == (
        100_100,
        200,
    )


def test_known_names_keep_their_numbers_and_new_ones_take_the_next() -> None:
    twin = Twin()
    twin.set_up(config(AAA, BBB))
    twin.set_up(config({"symbol": "CCC", "tick_size": 1}, BBB))
    assert twin.known.names.numbers(Text.SYMBOL) == {"AAA": 0, "BBB": 1, "CCC": 2}
    assert left_over(config(BBB), twin.known) == ["AAA", "CCC"]


@pytest.mark.parametrize(("low", "high"), [("1", "4"), ("25", "30"), ("6", "19"), ("1", "30")])
def test_a_price_range_moves_without_ever_crossing_itself(low: str, high: str) -> None:
    twin = Twin()
    twin.set_up(config(AAA))
    moved = config(AAA | {"price_min": low, "price_max": high})
    assert twin.set_up(moved) == [MsgType.LIMIT, MsgType.LIMIT]
    assert twin.set_up(moved) == []


def test_a_start_cut_short_is_completed_by_the_next() -> None:
    wanted = config(AAA, accounts=[{"name": "ACC1", "order_qty_max": "5"}])
    whole = setup_commands(wanted, Known())
    for cut in range(len(whole)):
        twin = Twin()
        learn(twin.known, whole[:cut], twin.engine.submit(whole[:cut]).copy())
        twin.set_up(wanted)
        assert twin.known.instruments == {0}
        assert twin.known.accounts == {0}
        assert twin.set_up(wanted) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"tick_size": "0.02"}, "tick_size is 0.01 in the journal and 0.02"),
        ({"lot_size": "5"}, "lot_size is 1 in the journal and 5"),
        ({"currency": "EUR"}, "currency is USD in the journal and EUR"),
    ],
)
def test_what_an_instrument_is_worth_can_not_change(change: dict[str, Any], text: str) -> None:
    twin = Twin()
    twin.set_up(config(AAA))
    with pytest.raises(ConfigError, match=text):
        twin.set_up(config(AAA | change))


def test_the_same_size_written_otherwise_is_the_same() -> None:
    twin = Twin()
    twin.set_up(config(AAA))
    assert twin.set_up(config(AAA | {"tick_size": "0.010", "lot_size": "1.0"})) == []


def test_more_names_over_the_years_than_the_engine_has_numbers_are_refused() -> None:
    twin = Twin()
    engine = {"engine.instruments_max": 1}
    twin.set_up(config(AAA, **engine))
    with pytest.raises(ConfigError, match=r"BBB would be number 1, and engine\.instruments_max is"):
        twin.set_up(config(BBB, **engine))


def test_an_operators_halt_outlives_a_start_that_does_not_name_it() -> None:
    twin = Twin()
    twin.set_up(config(AAA | {"halted": True}))
    assert twin.known.halted == {0}
    assert twin.set_up(config(AAA)) == []
    assert twin.known.halted == {0}


def test_there_is_no_lane_without_a_venue(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="`touchline run`"):
        Admin(config(AAA, **{"venue.run_dir": str(tmp_path)}))

"""A gateway while it runs: events it missed, changes of the configuration, its message log."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.fix_client import Closed, FixClient, utc_now
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import DEADLINE_S, until
from touchline.config import Config
from touchline.core.messages import COMMAND, LANE_API, MsgType, OrdType, Side, TimeInForce
from touchline.fix.gateway import run
from touchline.runtime.bus import Bus

EVENTS = 40_000  # more than twice as many as the ring of a test's venue holds


@pytest.fixture
def venue(tmp_path: Path, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path, engine) as venue:
        yield venue


def order(cl_ord_id: str, side: str, qty: int) -> tuple[str, ...]:
    fields = f"11={cl_ord_id}|21=1|55=S00|54={side}|38={qty}|40=2|44=10.00|60={utc_now()}"
    return tuple(fields.split("|"))


def new_orders(count: int, account: int, side: Side, instrument: int) -> Any:
    """Orders of a program: 10 lots each at 200 ticks, which is 10.00."""
    commands = np.zeros(count, COMMAND)
    commands["type"] = MsgType.NEW_ORDER
    commands["account"], commands["instrument"] = account, instrument
    commands["side"], commands["ord_type"] = side, OrdType.LIMIT
    commands["time_in_force"] = TimeInForce.IOC
    commands["price"], commands["qty"] = 200, 10
    return commands


def test_events_that_the_ring_has_lost_are_told_all_the_same(venue: PartsVenue) -> None:
    """The gateway stands still while a program trades far more than the ring holds; the fill of a
    broker's order is among it, and what follows comes from the ring again."""
    with FixClient(venue.port, "BROKER1") as client:
        client.logon()
        client.send("D", *order("mine", "2", 100))
        client.expect(_150="0")
        venue.parts["gateway"].send_signal(signal.SIGSTOP)
        with Bus.attach(str(venue.config.bus_path)) as bus, bus.lane(LANE_API) as lane:
            before = bus.newest_event
            for commands in (
                new_orders(EVENTS // 4, 2, Side.BUY, 1),
                new_orders(1, 2, Side.BUY, 0),
                new_orders(EVENTS // 4, 2, Side.BUY, 1),
            ):
                commands["cl_ord_id"] = lane.cl_ord_ids(len(commands)) + np.arange(len(commands))
                lane.send(commands, timeout_s=DEADLINE_S)
            until(lambda: bus.newest_event >= before + EVENTS, "all is done")
        venue.parts["gateway"].send_signal(signal.SIGCONT)
        fill = client.expect(_35="8", _150="F", _11="mine")
        assert fill["151"] == "0"
        client.send("D", *order("after", "2", 100))
        client.expect(_35="8", _150="0", _11="after")


class Serving:
    """A gateway in a thread of this process, whose configuration may change."""

    def __init__(self, venue: PartsVenue) -> None:
        venue.end("gateway")
        self.told: list[dict[str, Any]] = []
        self._fresh: list[Config] = []
        self._stop = threading.Event()
        arguments = (venue.config, self._stop, self.told.append, self._change)
        self._thread = threading.Thread(target=run, args=arguments)
        self._thread.start()
        until(lambda: {"ready": True} in self.told, "it is ready")

    def _change(self) -> Config | None:
        return self._fresh.pop() if self._fresh else None

    def change(self, config: Config) -> None:
        taken = self.told.count({"taken_up": True})
        self._fresh.append(config)
        until(lambda: self.told.count({"taken_up": True}) > taken, "it is taken up")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def serving(venue: PartsVenue) -> Iterator[Serving]:
    serving = Serving(venue)
    try:
        yield serving
    finally:
        serving.close()


def changed(config: Config, comp_id: str, **values: Any) -> Config:
    sessions = tuple(
        s.model_copy(update=values) if s.comp_id == comp_id else s for s in config.sessions
    )
    return config.model_copy(update={"sessions": sessions})


def comes_in(venue: PartsVenue, comp_id: str, *fields: str) -> bool:
    with FixClient(venue.port, comp_id) as client:
        try:
            return client.logon(*fields)["35"] == "A"
        except Closed:
            return False


def is_ended(client: FixClient) -> bool:
    """Does the venue end the session, with a Logout or without?"""
    try:
        if client.receive()["35"] == "5":
            client.send("5")
            client.receive()
    except Closed:
        return True
    return False


def test_a_disabled_session_is_ended_and_kept_out(venue: PartsVenue, serving: Serving) -> None:
    with FixClient(venue.port, "BROKER1") as client, FixClient(venue.port, "BROKER2") as other:
        client.logon()
        other.logon()
        serving.change(changed(venue.config, "BROKER1", enabled=False))
        assert is_ended(client)
        assert not comes_in(venue, "BROKER1")
        other.nothing_more("the others go on")
        serving.change(venue.config)
        assert comes_in(venue, "BROKER1")


def test_a_changed_password_holds_at_once(venue: PartsVenue, serving: Serving) -> None:
    assert comes_in(venue, "LOCKED", "554=secret")
    serving.change(changed(venue.config, "LOCKED", password="another"))
    assert not comes_in(venue, "LOCKED", "554=secret")
    assert comes_in(venue, "LOCKED", "554=another")


def test_a_session_may_be_bound_to_addresses(venue: PartsVenue, serving: Serving) -> None:
    serving.change(changed(venue.config, "BROKER1", addresses=("10.0.0.0/8",)))
    assert not comes_in(venue, "BROKER1")
    serving.change(changed(venue.config, "BROKER1", addresses=("10.0.0.0/8", "127.0.0.1/32")))
    assert comes_in(venue, "BROKER1")


def test_the_message_log_has_both_directions_and_no_password(tmp_path: Path) -> None:
    with running_venue(tmp_path, "native") as venue:
        with FixClient(venue.port, "LOCKED") as client:
            client.logon("554=secret")
            client.send("D", *(f for f in order("logged", "1", 10)))
            client.expect(_150="0")
        venue.end("gateway")
        lines = (venue.config.fix_dir / "log" / "LOCKED.log").read_text().splitlines()
    said = [line.split(" ", 1)[1] for line in lines]
    ways = [line[0] for line in said if "|35=" in line]
    assert ways[:4] == ["<", ">", "<", ">"]
    assert ways[4:] in ([], [">"])  # a Logout, when the venue ends before it sees the client go
    assert "|11=logged|" in said[ways.index("<") + 3]
    assert not [line for line in said if "secret" in line]
    assert [line for line in said if "|554=***|" in line]

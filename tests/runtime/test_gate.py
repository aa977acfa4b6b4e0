"""What a lane may send: one bad record is refused, and stops nobody, now or after a restart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue, wait_commands
from harness.waiting import until
from touchline.core.messages import (
    COMMAND,
    COMMAND_TEXT,
    EVENT,
    LANE_ADMIN,
    LANE_API,
    LANE_FIX,
    ExecType,
    MsgType,
    Reason,
    Text,
    refusals,
)
from touchline.runtime.bus import Bus
from touchline.runtime.directory import Directory
from touchline.runtime.replay import Replay

END = 0xFFFFFFFF


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def command(**fields: Any) -> np.ndarray:
    made = np.zeros(1, COMMAND_TEXT if "text" in fields else COMMAND)
    for name, value in fields.items():
        made[name] = value
    return made.view(COMMAND)


def text(kind: int, key: int, name: bytes, lane: int = 0) -> np.ndarray:
    return command(type=MsgType.TEXT, text=name, field=kind, key=key, side=lane)


def answer(venue: RuntimeVenue, bus: Bus, sent: np.ndarray, lane: int = LANE_API) -> np.void | None:
    """The event that answers one command, if it has one."""
    reader, done = bus.events(), bus.status()["commands"]
    with bus.lane(lane) as sender:
        sender.send(sent)
    wait_commands(bus, done + 1)
    events = reader.read()
    assert len(events) <= 1
    return events[0] if len(events) else None


BAD = {
    "another lane's number": (command(type=MsgType.NEW_ORDER, cl_ord_id=END), "FOREIGN_CL_ORD_ID"),
    "the gateway's number": (
        command(type=MsgType.CANCEL, cl_ord_id=LANE_FIX << 32 | END),
        "FOREIGN_CL_ORD_ID",
    ),
    "the lane's own last number": (
        command(type=MsgType.NEW_ORDER, cl_ord_id=LANE_API << 32 | END),
        "FOREIGN_CL_ORD_ID",
    ),
    "a lane there is not": (
        command(type=MsgType.CHECKPOINT, cl_ord_id=77 << 32 | 1),
        "FOREIGN_CL_ORD_ID",
    ),
    "a name of another lane's number": (
        text(Text.CL_ORD_ID, END, b"mine", LANE_FIX),
        "FOREIGN_CL_ORD_ID",
    ),
    "a name of its own last number": (
        text(Text.CL_ORD_ID, END, b"mine", LANE_API),
        "FOREIGN_CL_ORD_ID",
    ),
    "a field of another lane's request": (
        text(Text.REQUEST_FIELD, 1, b"mine", LANE_FIX),
        "FOREIGN_CL_ORD_ID",
    ),
    "an empty field of a request": (
        text(Text.REQUEST_FIELD, 1, b"", LANE_API),
        "INVALID_TEXT",
    ),
    "a name that is not UTF-8": (text(Text.CL_ORD_ID, 1, b"\xff\xfe", LANE_API), "INVALID_TEXT"),
    "half a character at the end": (text(Text.SYMBOL, 1, b"x" * 35 + b"\xc3"), "INVALID_TEXT"),
    "a surrogate": (text(Text.SYMBOL, 1, b"\xed\xa0\x80"), "INVALID_TEXT"),
    "an overlong character": (text(Text.SYMBOL, 1, b"\xc0\xaf"), "INVALID_TEXT"),
    "a control character": (text(Text.SYMBOL, 1, b"A\nB"), "INVALID_TEXT"),
    "a zero within": (text(Text.SYMBOL, 1, b"A\x00B"), "INVALID_TEXT"),
    "no name": (text(Text.SYMBOL, 1, b""), "INVALID_TEXT"),
    "no field": (text(0, 1, b"AAA"), "INVALID_TEXT"),
    "an unknown field": (text(max(Text) + 1, 1, b"AAA"), "INVALID_TEXT"),
    "a tick size of letters": (text(Text.TICK_SIZE, 0, b"abc"), "INVALID_TEXT"),
    "a tick size of NaN": (text(Text.TICK_SIZE, 0, b"NaN"), "INVALID_TEXT"),
    "a negative tick size": (text(Text.TICK_SIZE, 0, b"-1"), "INVALID_TEXT"),
    "a power": (text(Text.TICK_SIZE, 0, b"1e-9"), "INVALID_TEXT"),
    "two dots": (text(Text.TICK_SIZE, 0, b"1.0.1"), "INVALID_TEXT"),
    "a lot size of 0": (text(Text.LOT_SIZE, 0, b"0"), "INVALID_TEXT"),
    "a lot size of 0.00": (text(Text.LOT_SIZE, 0, b"0.00"), "INVALID_TEXT"),
    "an instrument too high": (text(Text.SYMBOL, SMALL.instruments_max, b"C"), "INVALID_TEXT"),
    "an account too high": (text(Text.ACCOUNT, SMALL.accounts_max, b"C"), "INVALID_TEXT"),
    "a session too high": (text(Text.SESSION, 65536, b"C"), "INVALID_TEXT"),
    "a new name for a symbol": (text(Text.SYMBOL, 0, b"ZZZ"), "NAMED_ALREADY"),
    "a second AAA": (text(Text.SYMBOL, 1, b"AAA"), "NAMED_ALREADY"),
    "a second account ACC1": (text(Text.ACCOUNT, 1, b"ACC1"), "NAMED_ALREADY"),
}


@pytest.mark.parametrize("which", BAD)
def test_one_bad_record_is_refused_and_stops_nobody(venue: RuntimeVenue, which: str) -> None:
    bad, reason = BAD[which]
    with venue.running() as (bus, _):
        for sent in opening_parts():
            answer(venue, bus, sent)
        event = answer(venue, bus, bad)
        assert event is not None
        assert ExecType(int(event["exec_type"])) == ExecType.REJECTED
        assert Reason(int(event["reason"])).name == reason
        assert refusals(np.array([event], EVENT))["limit"].tolist() == [LANE_API]
    with venue.running() as (bus, _):
        for lane in (LANE_ADMIN, LANE_FIX, LANE_API):
            with bus.lane(lane) as sender:
                number = sender.cl_ord_ids()
                assert number & END < 100
            asked = command(type=MsgType.CHECKPOINT, cl_ord_id=number)
            event = answer(venue, bus, asked, lane)
            assert event is not None
            assert event["exec_type"] == ExecType.CHECKPOINT
            assert event["cl_ord_id"] == number
    names = Directory.read(venue.journal)
    assert names.symbols == {0: "AAA"}
    assert names.accounts == {0: "ACC1"}
    assert (names.ticks, names.lots, names.sessions) == ({}, {}, {})


def opening_parts() -> list[np.ndarray]:
    return [mixed_flow(1, 5)[i : i + 1].copy() for i in range(5)]


def test_a_refusal_is_no_answer_to_another_lanes_request(venue: RuntimeVenue) -> None:
    with venue.running() as (bus, _):
        forged = command(type=MsgType.NEW_ORDER, cl_ord_id=LANE_FIX << 32 | 1, account=3)
        event = answer(venue, bus, forged)
        assert event is not None
        assert (event["cl_ord_id"], event["account"]) == (0, 0)
        assert event["value"] == LANE_FIX << 32 | 1


def test_a_program_of_a_venue_may_trade_and_not_administer(venue: RuntimeVenue) -> None:
    administration = [
        command(type=MsgType.SECURITY_DEFINITION, instrument=1),
        command(type=MsgType.ACCOUNT, account=2),
        command(type=MsgType.VENUE_STATUS, field=2),
        command(type=MsgType.LIMIT, field=1, price=5),
        command(type=MsgType.CLOCK),
        command(type=MsgType.MASS_CANCEL, flags=8),
        text(Text.SESSION, 3, b"BROKER"),
    ]
    with venue.running(programs="trade") as (bus, _):
        for sent in opening_parts():
            event = answer(venue, bus, as_of(sent, LANE_ADMIN), LANE_ADMIN)
            assert event is None or event["exec_type"] != ExecType.REJECTED
        for sent in administration:
            event = answer(venue, bus, sent)
            assert event is not None
            assert event["reason"] == Reason.NOT_THIS_LANE
            event = answer(venue, bus, sent, LANE_ADMIN)
            assert event is None or event["exec_type"] != ExecType.REJECTED
        for kind in (Text.CL_ORD_ID, Text.REQUEST_FIELD):
            assert answer(venue, bus, text(kind, 9, b"mine", LANE_API)) is None
        event = answer(venue, bus, command(type=MsgType.CHECKPOINT))
        assert event is not None
        assert event["exec_type"] == ExecType.CHECKPOINT
    with pytest.raises(ValueError, match="programs is 'all'"), venue.running(programs="all"):
        pass


def as_of(sent: np.ndarray, lane: int) -> np.ndarray:
    if sent["type"][0] != MsgType.TEXT:
        sent["cl_ord_id"] = lane << 32 | (int(sent["cl_ord_id"][0]) & END)
    return sent


def test_a_replay_refuses_the_same(venue: RuntimeVenue) -> None:
    with venue.running() as (bus, _):
        reader = bus.events(1)
        for bad, _ in BAD.values():
            answer(venue, bus, bad)
        until(lambda: bus.status()["waiting"] == 0, "all to be done")
        seen = reader.read()
    with Replay(venue.journal) as source:
        events = [part.copy() for _, part in source]
        replayed = source.result()
    assert np.frombuffer(b"".join(e.tobytes() for e in events), EVENT).tobytes() == seen.tobytes()
    assert replayed.state_hash == runner_hash(venue)


def runner_hash(venue: RuntimeVenue) -> int:
    with venue.running() as (bus, _):
        event = answer(venue, bus, command(type=MsgType.CHECKPOINT))
        assert event is not None
        return int(event["value"]) & ((1 << 64) - 1)

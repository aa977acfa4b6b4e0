"""A journal from before the gate, with records that no lane may send today, still starts.

The records are put there by the journal's own functions, past the engine that would refuse them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.crafted_journal import append, built
from harness.fix_client import FixClient, Message
from harness.venue import WholeVenue, whole_venue, write_config
from touchline.config import load
from touchline.control.operate.cli import main
from touchline.control.operate.verify import replay_whole
from touchline.control.supervisor.admin import Admin
from touchline.core.messages import (
    COMMAND,
    COMMAND_TEXT,
    LANE_FIX,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
)
from touchline.runtime.directory import Directory

END = 0xFFFFFFFF
BROKER1 = 0


def text(kind: int, key: int, name: bytes, lane: int = 0) -> np.ndarray:
    made = np.zeros(1, COMMAND_TEXT)
    made["type"], made["field"], made["key"] = MsgType.TEXT, kind, key
    made["text"], made["side"], made["flags"] = name, lane, BROKER1
    return made.view(COMMAND)


def order(cl_ord_id: int) -> np.ndarray:
    made = np.zeros(1, COMMAND)
    made["type"], made["cl_ord_id"], made["side"] = MsgType.NEW_ORDER, cl_ord_id, Side.BUY
    made["ord_type"], made["time_in_force"] = OrdType.LIMIT, TimeInForce.GTC
    made["price"], made["qty"] = 980, 1
    return made


OLD = {
    "an order with the operators' last number": [order(END)],
    "an order with the gateway's last number": [order(LANE_FIX << 32 | END)],
    "an order of a lane there is not": [order(77 << 32 | 1)],
    "a ClOrdID for the operators' last number": [text(Text.CL_ORD_ID, END, b"mine")],
    "a ClOrdID for the gateway's last number": [text(Text.CL_ORD_ID, END, b"mine", LANE_FIX)],
    "a ClOrdID that is not UTF-8": [text(Text.CL_ORD_ID, 7, b"\xff\xfe", LANE_FIX)],
    "an order whose ClOrdID is not UTF-8": [
        text(Text.CL_ORD_ID, 7, b"\xff\xfe", LANE_FIX),
        order(LANE_FIX << 32 | 7),
    ],
    "half a character": [text(Text.SYMBOL, 2, b"x" * 35 + b"\xc3")],
    "a tick size of letters": [text(Text.TICK_SIZE, 0, b"abc")],
    "a lot size of 0": [text(Text.LOT_SIZE, 0, b"0")],
    "a renamed symbol": [text(Text.SYMBOL, 0, b"ZZZ")],
    "a second AAA": [text(Text.SYMBOL, 2, b"AAA")],
    "a second ACC1": [text(Text.ACCOUNT, 2, b"ACC1")],
    "a second BROKER1": [text(Text.SESSION, 2, b"BROKER1")],
    "a text about nothing": [text(99, 0, b"AAA")],
}
FIRST = {  # what the set-up of a new venue names rightly afterwards
    name: OLD[name]
    for name in (
        "an order with the operators' last number",
        "a ClOrdID for the gateway's last number",
        "an order whose ClOrdID is not UTF-8",
        "a tick size of letters",
        "a lot size of 0",
    )
}
OVERLOOKED = {"an order whose ClOrdID is not UTF-8": 1}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("append"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a venue that has traded and stopped."""
    path = write_config(tmp_path_factory.mktemp("before"))
    with whole_venue(path) as venue:
        assert trade(venue, "before")["150"] == "0"
        assert status(venue)["overlooked"] == {"count": 0, "first": 0}
        venue.stop()
    return path.parent


def call(venue: WholeVenue, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(venue.path), *arguments])


def status(venue: WholeVenue) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(call(venue, "status", "--json").stdout)
    return facts


def trade(venue: WholeVenue, cl_ord_id: str) -> Message:
    """Send an order by FIX, and what was said of it."""
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        assert client.logon()["35"] == "A"
        client.send("D", f"11={cl_ord_id}", "21=1", "55=AAA", "54=1", "38=5", "40=2", "44=9.90",
                    "60=20240101-00:00:00")  # fmt: skip
        while (said := client.application()).get("11") != cl_ord_id:
            pass
        return said


def assert_all_works(venue: WholeVenue, count: int) -> None:
    """The operators', the gateway's and a program's way in; and status tells what was found."""
    overlooked = status(venue)["overlooked"]
    assert overlooked["count"] == count
    told = call(venue, "status").stdout
    assert f"{count} commands of the journal that no lane may send" in told
    venue.enter(990)
    assert trade(venue, "first")["150"] == "0"
    for words in (["halt", "AAA"], ["resume", "AAA"], ["kill"]):
        done = call(venue, *words)
        assert done.exit_code == 0, done.stderr
    assert trade(venue, "killed")["150"] == "8"
    assert call(venue, "revive").exit_code == 0
    assert trade(venue, "second")["150"] == "0"
    with Admin(venue.config) as admin:
        seq, state_hash = admin.checkpoint()
    assert replay_whole(venue.config.journal_dir).checkpoints[seq] == state_hash
    names = Directory.read(venue.config.journal_dir)
    assert names.symbols == {0: "AAA", 1: "BBB"}
    assert names.accounts == {0: "ACC1", 1: "ACC2"}
    assert names.sessions == {0: "BROKER1"}
    assert (names.ticks[0], names.lots[0]) == ("0.01", "1")


@pytest.mark.parametrize("which", OLD)
def test_a_journal_that_holds_such_a_record_still_starts(
    before: Path, tmp_path: Path, program: Path, which: str
) -> None:
    path = Path(shutil.copytree(before, tmp_path / "venue")) / "touchline.toml"
    append(program, load(path), OLD[which])
    with whole_venue(path) as venue:
        assert_all_works(venue, OVERLOOKED.get(which, len(OLD[which])))
        venue.stop()


@pytest.mark.parametrize("which", FIRST)
def test_a_journal_that_begins_with_such_a_record_still_starts(
    tmp_path: Path, program: Path, which: str
) -> None:
    path = write_config(tmp_path)
    append(program, load(path), FIRST[which])
    with whole_venue(path) as venue:
        assert status(venue)["overlooked"]["first"] == 1
        assert_all_works(venue, OVERLOOKED.get(which, len(FIRST[which])))
        venue.stop()

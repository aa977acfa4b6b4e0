"""The command line: what it writes, what it prints, and the exit codes it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.venue import WholeVenue, whole_venue, write_config
from harness.waiting import until
from touchline.control.operate.cli import main
from touchline.control.supervisor.admin import attach
from touchline.core.messages import COMMAND, LANE_API, ExecType, MsgType, OrdType, Reason, Side

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command line in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOUCHLINE_CONFIG", raising=False)
    return lambda *arguments: CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeVenue]:
    """One venue for all commands that need one, with two bids and an ask in AAA."""
    with whole_venue(write_config(tmp_path_factory.mktemp("cli"))) as venue:
        venue.enter(990, 995)
        venue.enter(1005, side=Side.SELL, account=1)
        yield venue


@pytest.fixture
def at(venue: WholeVenue) -> Call:
    """Call the command line for the running venue; the result must be JSON with --json."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(venue.path), *arguments])

    return call


def answered(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def probe(venue: WholeVenue, **fields: int) -> tuple[ExecType, Reason]:
    """How the venue answers one order for AAA that would rest far from the market."""
    order = np.zeros(1, COMMAND)
    order["type"], order["side"], order["ord_type"] = MsgType.NEW_ORDER, Side.BUY, OrdType.LIMIT
    order["time_in_force"], order["price"], order["qty"] = ord("3"), 900, 1
    for name, value in fields.items():
        order[name] = value
    with attach(venue.config) as bus, bus.lane(LANE_API) as lane:
        reader = bus.events()
        order["cl_ord_id"] = mine = lane.cl_ord_ids()
        lane.send(order)

        def first() -> Any:
            events = reader.read()
            found = events[events["cl_ord_id"] == mine]
            return found[0] if len(found) else None

        answer = until(first, "the order is answered")
    return ExecType(int(answer["exec_type"])), Reason(int(answer["reason"]))


def test_init_writes_a_file_once_and_again_only_by_force(call: Call, tmp_path: Path) -> None:
    assert call("init").exit_code == 0
    assert "[[instruments]]" in (tmp_path / "touchline.toml").read_text()
    again = call("init")
    assert again.exit_code == 1
    assert again.stderr == "touchline: touchline.toml is there already; --force overwrites it\n"
    assert answered(call("init", "--force", "--json")) == {"path": str(tmp_path / "touchline.toml")}


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["book", "AAA"],
        ["halt", "AAA"],
        ["resume", "AAA"],
        ["kill"],
        ["checkpoint"],
        ["clock", "accept"],
    ],
)
def test_without_a_venue_commands_say_how_to_start_one(call: Call, arguments: list[str]) -> None:
    call("init")
    options = ["--set", "venue.name=nobody", "--set", "publish.snapshot_port=1"]
    result = call(*options, *arguments)
    assert result.exit_code == 3
    assert "`touchline run`" in result.stderr
    assert result.stdout == ""


def test_without_a_configuration_commands_say_how_to_get_one(call: Call) -> None:
    result = call("status")
    assert result.exit_code == 2
    assert "touchline: touchline.toml: No such file" in result.stderr
    assert "`touchline init`" in result.stderr


def test_a_wrong_configuration_is_told_line_by_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "touchline.toml").write_text("[fix]\nport = 0\nhost = 1\n")
    result = call("run")
    assert result.exit_code == 2
    assert [line.split(":")[:3] for line in result.stderr.splitlines()] == [
        ["touchline", " touchline.toml", "2"],
        ["touchline", " touchline.toml", "3"],
    ]


def test_flags_override_and_a_malformed_flag_is_refused(call: Call) -> None:
    call("init")
    result = call("--set", "fix.port=none", "status")
    assert result.exit_code == 2
    assert "flag fix.port: port = 'none': should be a valid integer" in result.stderr
    result = call("--set", "fixport", "status")
    assert result.exit_code == 2
    assert "is not of the form section.key=value" in result.stderr


def test_the_configuration_may_be_named_by_the_environment(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_CONFIG", str(tmp_path / "other.toml"))
    assert call("init").exit_code == 0
    assert (tmp_path / "other.toml").exists()


def test_replay_and_query_without_history_say_so(call: Call) -> None:
    call("init")
    for arguments in (["replay"], ["query", "SELECT 1"]):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "`touchline run`" in result.stderr


def test_a_script_is_replayed_and_its_wrong_lines_are_named(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "script.csv"
    lines = ["row,kind,op,id,side,price,qty,fills", "1,x,A,1,1,100,5,", "2,x,M,2,-1,100,3,1:3:100"]
    path.write_text("\n".join(lines) + "\n")
    facts = answered(call("replay", "--script", str(path), "--json"))
    assert (facts["operations"], facts["checked"], facts["right"], facts["wrong"]) == (2, 1, 1, [])
    path.write_text("\n".join([*lines[:2], lines[2].replace("1:3", "1:4")]) + "\n")
    result = call("replay", "--script", str(path))
    assert result.exit_code == 1
    assert "1 lines are wrong" in result.stderr


def test_a_missing_script_is_an_error_without_a_traceback(call: Call) -> None:
    result = call("replay", "--script", "none.csv")
    assert result.exit_code == 1
    assert "none.csv: No such file" in result.stderr


def test_a_journal_file_cut_short_is_refused_in_a_sentence(call: Call, tmp_path: Path) -> None:
    path = write_config(tmp_path, engine_alone=True)
    with whole_venue(path) as venue:
        venue.enter(990)
        venue.stop()
    segment = next(venue.config.journal_dir.glob("*.tlj"))
    whole = answered(call("--config", str(path), "replay", "--json"))
    end = 4096 + 64 * whole["commands"]
    for size in (end + 64 - 1, end + 3, end, 4096, 4095, 1):
        segment.write_bytes(segment.read_bytes()[:size])
        result = CliRunner().invoke(main, ["--config", str(path), "replay"])
        assert result.exit_code == 5
        assert "00000001.tlj" in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.parametrize("given", ["nan", "0", "inf", "x"])
def test_a_timeout_that_is_no_time_is_refused(call: Call, given: str) -> None:
    call("init")
    result = call("halt", "AAA", "--timeout", given)
    assert result.exit_code == 2
    assert "--timeout" in result.stderr


def test_what_init_writes_only_its_owner_may_read(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "touchline.toml"
    before = os.umask(0)
    try:
        call("init")
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o666)
        call("init", "--force")
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_status_names_every_part_and_its_address(at: Call, venue: WholeVenue) -> None:
    facts = answered(at("status", "--json"))
    assert (facts["state"], facts["pid"]) == ("running", venue.popen.pid)
    assert set(facts["parts"]) == {"engine", "gateway", "publisher", "capture"}
    assert facts["addresses"]["fix.port"] == f"127.0.0.1:{venue.config.fix.port}"
    assert facts["events"] >= 3
    text = at("status").stdout
    assert "gateway" in text
    assert str(venue.config.fix.port) in text


def test_book_shows_prices_and_quantities_as_people_write_them(at: Call) -> None:
    facts = answered(at("book", "AAA", "--json"))
    assert facts["status"] == "READY_TO_TRADE"
    assert [(level["price"], level["qty"]) for level in facts["bids"]] == [
        ("9.95", "5"),
        ("9.90", "5"),
    ]
    assert facts["asks"] == [{"price": "10.05", "qty": "5", "orders": 1}]
    assert len(answered(at("book", "AAA", "--levels", "1", "--json"))["bids"]) == 1
    assert at("book", "AAA").stdout.splitlines()[3].split() == ["1", "5", "9.95", "10.05", "5", "1"]


@pytest.mark.parametrize("command", ["book", "halt"])
def test_an_unknown_symbol_is_told_with_the_known_ones(at: Call, command: str) -> None:
    result = at(command, "ZZZ")
    assert result.exit_code == 1
    assert "ZZZ" in result.stderr
    assert "AAA, BBB" in result.stderr


def test_an_auction_collects_until_its_time_and_then_trades(at: Call, venue: WholeVenue) -> None:
    assert at("phase", "AAA", "closed", "--for", "1").exit_code == 2
    auction = answered(at("phase", "AAA", "opening-auction", "--for", "600", "--json"))
    assert (auction["status"], auction["seed"]) == ("OPENING_AUCTION", 0)
    assert probe(venue) == (ExecType.REJECTED, Reason.NOT_IN_PHASE)  # it is immediate or cancel
    early = at("phase", "AAA", "ready-to-trade")
    assert early.exit_code == 1
    assert "the auction goes on" in early.stderr
    assert at("phase", "AAA", "halted").stdout == "AAA: halted\n"
    assert answered(at("phase", "AAA", "ready-to-trade", "--json"))["status"] == "READY_TO_TRADE"
    assert probe(venue)[0] == ExecType.NEW


def test_an_account_is_told_not_to_trade_with_itself(at: Call, venue: WholeVenue) -> None:
    facts = answered(at("self-trade", "ACC1", "cancel-both", "--group", "3", "--json"))
    assert (facts["self_trade"], facts["group"]) == ("CANCEL_BOTH", 3)
    assert at("self-trade", "ACC9", "allowed").exit_code == 1
    assert at("self-trade", "ACC1", "allowed", "--group", "-1").exit_code == 2
    assert at("self-trade", "ACC1", "allowed").stdout == "ACC1: allowed\n"


def test_trades_are_shared_out_as_the_operator_says(at: Call, venue: WholeVenue) -> None:
    told = at("allocation", "BBB", "market-maker:ACC1:40", "pro-rata:10:10", "--json")
    assert answered(told)["steps"] == ["market-maker:ACC1:40", "pro-rata:10:10"]
    for wrong, words in (
        ("first", "is no step; there are fifo:PERCENT, top:AMOUNT:LEAST"),
        ("top:10", "top:AMOUNT:LEAST is wanted"),
        ("fifo:", "fifo:PERCENT is wanted"),
        ("fifo:101", "not allowed here"),
        ("fifo:0", "not allowed here"),
        ("fifo:x", "no whole number"),
        ("top:x:10", "x"),
        ("top:15:10", "lot size"),
        ("fifo:40.5", "no whole number"),
        ("top:-10:10", "not allowed here"),
        ("market-maker:ACC9:40", "ACC9"),
    ):
        result = at("allocation", "BBB", "levelling", wrong)
        assert (result.exit_code, words in result.stderr) == (1, True), result.stderr
    assert at("allocation", "ZZZ").exit_code == 1
    assert at("allocation", "BBB").stdout == "BBB: first in, first out\n"


def test_halt_refuses_orders_until_resume(at: Call, venue: WholeVenue) -> None:
    assert answered(at("halt", "AAA", "--json"))["status"] == "HALTED"
    assert probe(venue) == (ExecType.REJECTED, Reason.HALTED)
    assert probe(venue, instrument=1)[0] == ExecType.NEW
    assert at("resume", "AAA").stdout == "AAA is ready to trade\n"
    assert probe(venue)[0] == ExecType.NEW


def test_block_refuses_one_account_until_unblock(at: Call, venue: WholeVenue) -> None:
    assert at("block", "ACC2").exit_code == 0
    assert probe(venue, account=1) == (ExecType.REJECTED, Reason.ACCOUNT_BLOCKED)
    assert probe(venue)[0] == ExecType.NEW
    assert at("unblock", "ACC2").exit_code == 0
    assert probe(venue, account=1)[0] == ExecType.NEW


def test_a_limit_is_set_in_units_of_people(at: Call, venue: WholeVenue) -> None:
    facts = answered(at("limit", "BBB", "order_qty_max", "30", "--account", "ACC2", "--json"))
    assert facts["value"] == 3
    assert probe(venue, instrument=1, account=1, qty=4) == (
        ExecType.REJECTED,
        Reason.ORDER_QTY_MAX,
    )
    assert at("limit", "BBB", "order_qty_max", "none", "--account", "ACC2").exit_code == 0
    assert probe(venue, instrument=1, account=1, qty=4)[0] == ExecType.NEW
    assert at("limit", "AAA", "price_collar", "4.005").exit_code == 1
    assert at("limit", "AAA", "order_qty_max", "5").exit_code == 1
    refused = at("limit", "AAA", "price_min", "20000000")
    assert refused.exit_code == 1
    assert "price_min 20000000 is 2000000000 ticks of AAA, outside 1 to" in refused.stderr


def test_query_answers_from_what_was_captured(at: Call) -> None:
    sql = "SELECT count(*) AS n FROM events WHERE exec_type = 'NEW' AND price = 1005"

    def captured() -> bool:
        result = at("query", sql, "--json")
        return result.exit_code == 0 and json.loads(result.stdout)["rows"] == [[1]]

    until(captured, "the orders are captured")
    assert at("query", sql).stdout.split() == ["n", "─", "1"]
    result = at("query", "SELECT nothing FROM nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert at("query", "DROP VIEW events").exit_code == 1
    moment = answered(at("query", "SELECT make_timestamptz(0) AS moment", "--json"))
    assert moment["rows"][0][0].startswith(("1970-01-01", "1969-12-31"))


def test_replay_of_a_live_journal_meets_its_checkpoint(at: Call) -> None:
    checkpoint = answered(at("checkpoint", "--json"))
    facts = answered(at("replay", "--json"))
    assert facts["events"] >= checkpoint["event_seq"]
    assert facts["torn_tail"] is None
    assert len(facts["state_hash"]) == 16


def test_kill_takes_all_orders_off_and_revive_opens_again(at: Call, venue: WholeVenue) -> None:
    assert answered(at("kill", "--keep-orders", "--json"))["canceled"] == 0
    assert probe(venue) == (ExecType.REJECTED, Reason.VENUE_KILLED)
    assert answered(at("kill", "--json"))["canceled"] == 3
    assert answered(at("book", "AAA", "--json"))["status"] == "VENUE_KILLED"
    assert at("revive").exit_code == 0
    assert probe(venue)[0] == ExecType.NEW
    assert answered(at("end-of-day", "--json"))["expired"] == 0
    assert answered(at("cancel", "--symbol", "AAA", "--json"))["canceled"] == 0


def stopped(pid: int) -> bool:
    """Whether a SIGSTOP has reached every thread of a process."""
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats)


def test_a_venue_that_does_not_answer_in_time_is_exit_code_4(at: Call, venue: WholeVenue) -> None:
    import signal

    engine = venue.part("engine")["pid"]
    os.kill(engine, signal.SIGSTOP)
    try:
        until(lambda: stopped(engine), "every thread of the engine stands still")
        result = at("halt", "AAA", "--timeout", "0.2")
    finally:
        os.kill(engine, signal.SIGCONT)
    assert result.exit_code == 4
    assert "unanswered" in result.stderr
    assert at("resume", "AAA").exit_code == 0


def test_the_installed_program_runs(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("touchline")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("touchline, version")

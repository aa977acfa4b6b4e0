"""`touchline certify`: a session of a running venue put to the test, and how that is told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.certificates import Authority
from harness.fix_client import FixClient
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import free_ports
from touchline.control.operate.cli import main
from touchline.fix.certify import Instrument, Subject, left_out
from touchline.fix.script import Broker, scripts

SESSIONS = [
    *({"comp_id": f"BROKER{n}", "accounts": [f"ACC{n}"]} for n in (1, 2, 3, 4, 5)),
    {"comp_id": "LOCKED", "accounts": ["ACC6"], "password": "secret"},
    {"comp_id": "OLD", "begin_string": "FIX.4.2", "accounts": ["ACC7"]},
    {"comp_id": "NEW", "begin_string": "FIXT.1.1", "accounts": ["ACC8"]},
]
ODD = {"symbol": "ODD", "tick_size": "0.025", "lot_size": "3"}
ORDERS = ["a_limit_order_is_accepted", "a_wrong_quantity_is_refused", "a_price_off_tick_is_refused"]
TRADES = ["partial_fills_add_up", "a_replace_that_crosses_trades", "a_fill_reaches_both_sides"]
CHOSEN = [word for name in [*ORDERS, *TRADES] for word in ("--script", name)]


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PartsVenue]:
    accounts = [{"name": f"ACC{n}"} for n in range(1, 9)]
    symbols = [{"symbol": "PLAIN", "tick_size": "0.05", "lot_size": "10"}, ODD]
    with running_venue(
        tmp_path_factory.mktemp("venue"),
        sessions=SESSIONS,
        accounts=accounts,
        instruments=symbols,
    ) as venue:
        yield venue


def certify(venue: PartsVenue, session: str, *words: str, given: str = "") -> Result:
    address = ["--host", "127.0.0.1", "--port", str(venue.port)]
    return CliRunner().invoke(
        main, ["certify", "--session", session, *address, *words], input=given
    )


def facts(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def failures(result: Result) -> list[str]:
    return [rule["why"] for rule in facts(result)["rules"] if rule["result"] == "failed"]


def test_every_rule_of_an_order_holds_on_an_instrument_of_any_size(venue: PartsVenue) -> None:
    result = certify(
        venue, "BROKER1", "--counterparty", "BROKER2", "--instrument", "ODD", "--tick-size",
        "0.025", "--lot-size", "3", "--price", "7.5", *CHOSEN, "--json",
    )  # fmt: skip
    assert failures(result) == []
    assert (result.exit_code, facts(result)["passed"]) == (0, len(CHOSEN) // 2)


@pytest.mark.parametrize(("session", "version"), [("OLD", "FIX.4.2"), ("NEW", "FIXT.1.1")])
def test_a_session_of_another_version_is_put_to_the_test(
    venue: PartsVenue, session: str, version: str
) -> None:
    words = ["--begin-string", version, "--instrument", "PLAIN", "--script", ORDERS[0], "--json"]
    result = certify(venue, session, *words)
    assert failures(result) == []
    assert (result.exit_code, facts(result)["begin_string"]) == (0, version)


def test_what_a_script_leaves_in_the_book_is_canceled(venue: PartsVenue) -> None:
    result = certify(venue, "BROKER3", "--instrument", "PLAIN", *CHOSEN[:2], "--json")
    assert result.exit_code == 0
    (rule,) = facts(result)["rules"]
    reports = [m["message"] for m in rule["messages"] if not m["sent"] and "|35=8|" in m["message"]]
    assert ["|39=0|" in reports[0], "|39=4|" in reports[-1]] == [True, True]
    order = re.search(r"\|11=([^|]+)\|", reports[0])
    assert order
    with FixClient(venue.port, "BROKER3") as client:
        client.logon()
        client.send("H", f"11={order[1]}", "55=PLAIN", "54=1")
        assert client.application()["39"] == "4"


def test_a_rule_that_does_not_hold_is_shown_with_its_messages(venue: PartsVenue) -> None:
    words = ["--reset", "--instrument", "PLAIN", "--lot-size", "7", *CHOSEN[:2]]
    result = certify(venue, "BROKER3", *words)
    assert result.exit_code == 1
    assert "0 passed, 1 failed, 0 left out" in result.stdout
    assert "failed: a_limit_order_is_accepted" in result.stdout
    assert re.search(r"1> 8=FIX\.4\.4\|.*\|38=70\|", result.stdout)
    assert re.search(r"1< 8=FIX\.4\.4\|.*\|39=8\|", result.stdout)


def test_a_session_goes_on_from_its_numbers_unless_they_may_be_reset(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER4") as client:
        client.logon()
        client.send("1", "112=x")
        assert client.receive()["35"] == "0"
    names = [
        "a_test_request_is_answered", "a_logout_is_answered", "a_gap_is_asked_for_once",
        "a_resend_brings_reports_as_they_were", "a_number_too_low_ends_the_session",
        "a_logon_goes_on_where_the_numbers_stand", "a_sequence_reset_raises_the_number",
    ]  # fmt: skip
    words = [word for name in names for word in ("--script", name)]
    result = certify(venue, "BROKER4", "--instrument", "PLAIN", *words, "--json")
    assert failures(result) == []
    told = facts(result)
    assert (result.exit_code, told["passed"], told["left_out"]) == (0, len(names), 0)
    assert "|141=Y|" not in result.stdout
    numbers = told["numbers"]["BROKER4"]
    assert numbers["next_sent"] > 2 * len(names)
    with FixClient(venue.port, "BROKER4") as client:
        client.next_seq = numbers["next_sent"]
        assert client.logon(reset=False)["34"] == str(numbers["next_expected"])
    words = ["--script", "a_logon_that_resets_has_number_1"]
    left = certify(venue, "BROKER4", *words)
    assert (left.exit_code, "--reset" in left.stdout) == (2, True)
    result = certify(venue, "BROKER4", *words, "--reset", "--json")
    assert (result.exit_code, failures(result)) == (0, [])


def test_a_session_that_is_logged_on_is_left_alone(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER5") as client:
        client.logon()
        result = certify(venue, "BROKER5", "--reset")
        assert (result.exit_code, "logged on" in result.stderr) == (1, True)
        client.send("1", "112=still")
        assert client.receive()["112"] == "still"


def test_a_password_is_read_and_never_shown(venue: PartsVenue) -> None:
    words = ["--password-stdin", "--script", "a_logon_is_answered_by_a_logon", "--json", "--reset"]
    wrong = certify(venue, "LOCKED", *words, given="wrong\n")
    assert (wrong.exit_code, "Password(554)" in wrong.stderr) == (1, True)
    result = certify(venue, "LOCKED", *words, given="secret\n")
    assert (result.exit_code, facts(result)["passed"]) == (0, 1)
    assert "554=***" in result.stdout
    assert "secret" not in result.output


def test_a_rule_without_what_it_needs_is_left_out(venue: PartsVenue) -> None:
    result = certify(venue, "BROKER5", *CHOSEN, "--json", "--reset")
    assert result.exit_code == 2
    assert "no rule could be played" in result.stderr
    left = facts(result)["rules"]
    assert {rule["result"] for rule in left} == {"left out"}
    assert {rule["why"] for rule in left} == {
        "enters orders: --instrument",
        "needs a second session: --counterparty",
    }


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--script", "../passwd"], 2, "no script '../passwd'"),
        (["--session", "A\nB"], 2, "printable"),
        (["--session", "A" * 65], 2, "printable"),
        (["--price", "10"], 2, "of an --instrument"),
        (["--instrument", "X", "--price", "10.01"], 2, "not a multiple"),
        (["--instrument", "X", "--price", "1"], 2, "no room below"),
        (["--instrument", "X", "--tick-size", "NaN"], 2, "not above 0"),
        (["--instrument", "X", "--lot-size", "-1"], 2, "not above 0"),
        (["--instrument", "X", "--tick-size", "a"], 2, "not a decimal number"),
        (["--counterparty", "S"], 2, "another session"),
        (["--ask-password", "--password-stdin"], 2, "exclude"),
        (["--password-stdin"], 2, "no line for the password of S"),
        (["--ca", __file__], 2, "of --tls"),
        (["--tls", "--key", __file__], 2, "of a --certificate"),
        ([], 3, "nothing listens"),
    ],
)
def test_what_can_not_be_is_refused_by_name(words: list[str], code: int, told: str) -> None:
    address = ["--host", "127.0.0.1", "--port", str(free_ports(1)[0])]
    result = CliRunner().invoke(main, ["certify", "--session", "S", *address, *words])
    assert (result.exit_code, told in result.stderr) == (code, True), result.output


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_a_session_by_tls_is_put_to_the_test(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    own = authority.sign("venue", "venue.example")
    files = {"tls_certificate": str(own.certificate), "tls_key": str(own.key)}
    words = ["--tls", "--script", "a_logon_is_answered_by_a_logon", "--reset"]
    with running_venue(tmp_path / "v", fix={"port": free_ports(1)[0], **files}) as venue:
        result = certify(venue, "BROKER1", *words, "--ca", str(authority.root.certificate))
        assert (result.exit_code, "1 passed" in result.stdout) == (0, True), result.output
        stranger = certify(venue, "BROKER1", *words)
        assert (stranger.exit_code, "certificate" in stranger.stderr) == (5, True)


def test_a_session_is_found_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "touchline.toml"
    assert CliRunner().invoke(main, ["--config", str(path), "init"]).exit_code == 0
    result = CliRunner().invoke(main, ["--config", str(path), "certify", "--session", "NOBODY"])
    assert (result.exit_code, "no session 'NOBODY'" in result.stderr) == (2, True)


def test_values_are_fitted_to_the_instrument() -> None:
    odd = Instrument("ODD", Decimal("0.5"), Decimal("0.1"), Decimal(100))
    assert odd.fitted("44", "10.05", False) == "100.5"
    assert odd.fitted("44", "10.01", False) == "100.1"  # as far off the tick as before
    assert odd.fitted("38", "100", False) == "1.0"
    assert odd.fitted("38", "15", False) == "0.15"
    assert odd.fitted("6", "10.0333333333", True) == "*"
    assert odd.fitted("58", "~price 0.00 is below the lowest, 0.05", True) == "*"
    assert odd.fitted("58", "~used before", True) == "~used before"
    for value in ("0", "-10", "99999999999", "many", "*", ""):
        assert odd.fitted("38", value, False) == value


def test_most_scripts_can_be_played_with_all_that_there_is() -> None:
    broker = Broker("S")
    there = (("h", 1), "T", "FIX.4.4", broker, Broker("C"), Instrument("X"))
    all_of_it = Subject(*there, reset=True)
    left = [path.stem for path in scripts() if left_out(path, all_of_it)]
    assert "a_wrong_password_is_answered_by_a_logout" in left
    assert len(left) < len(scripts()) / 4
    resets = {path.stem for path in scripts() if left_out(path, Subject(*there))} - set(left)
    assert "a_logon_that_resets_has_number_1" in resets
    assert len(resets) < len(scripts()) / 8

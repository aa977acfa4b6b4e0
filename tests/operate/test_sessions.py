"""FIX sessions in operators' hands: how they stand, and what is changed while they run."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.fix_client import Closed, FixClient, utc_now
from harness.venue import WholeVenue, whole_venue, write_config
from harness.waiting import until
from touchline.config import load
from touchline.control.operate.cli import main
from touchline.control.operate.history import history
from touchline.fix.operators import CALLERS_MAX, FILE, LINE_MAX

SECRET = "a-Secret 4 them"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeVenue]:
    with whole_venue(write_config(tmp_path_factory.mktemp("sessions"))) as venue:
        yield venue


def at(venue: WholeVenue, *arguments: str, said: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--config", str(venue.path), *arguments], input=said)


def answered(venue: WholeVenue, *arguments: str, said: str | None = None) -> Any:
    result = at(venue, *arguments, "--json", said=said)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def standing(venue: WholeVenue, session: str = "BROKER1") -> dict[str, Any]:
    return dict(answered(venue, "sessions", "show", session))


def kill_the_gateway(venue: WholeVenue) -> None:
    before = venue.part("gateway")
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: venue.part("gateway")["pid"] not in (None, before["pid"]), "another gateway")
    venue.await_open()


def order(client: FixClient, name: str) -> dict[str, str]:
    client.send(
        "D", f"11={name}", "21=1", "55=AAA", "54=1", "38=1", "40=2", "44=10.00", f"60={utc_now()}"
    )
    return dict(client.application())


def test_status_says_how_each_session_stands(venue: WholeVenue) -> None:
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon()
        assert order(client, "S1")["39"] == "0"

        def told() -> bool:
            (fact,) = answered(venue, "status")["fix_sessions"]
            return (fact["state"], fact["next_in"], fact["next_out"]) == ("on", 3, 3)

        until(told, "what was exchanged is told")
        (fact,) = answered(venue, "status")["fix_sessions"]
        assert fact["address"] == "127.0.0.1"
        assert [fact[k] for k in ("unsent", "unsent_bytes", "pending", "held")] == [0, 0, 0, 0]
        assert fact["heartbeat_s"] == 30
        assert fact["since"] <= fact["last_in"]
        assert fact["since"] <= fact["last_out"]
        (line,) = (x for x in at(venue, "status").stdout.splitlines() if "BROKER1  on" in x)
        assert "127.0.0.1" in line
    until(lambda: standing(venue)["state"] == "away", "it is away")
    fact = standing(venue)
    assert (fact["address"], fact["next_in"], fact["next_out"]) == (None, 3, 3)
    assert fact["accounts"] == ["ACC1"]
    assert fact["password"] == "none"


def test_a_session_is_added_with_a_password_that_nobody_sees(venue: WholeVenue) -> None:
    before, pid = venue.path.read_bytes(), venue.part("gateway")["pid"]
    with FixClient(venue.config.fix.port, "BROKER1") as other:
        other.logon()
        facts = answered(
            venue, "sessions", "add", "NEW1", "--account", "ACC2", "--account", "ACC1",
            "--begin-string", "FIX.4.2", "--address", "127.0.0.0/8", "--password-stdin",
            "--throttle", "900", "--cancel-on-disconnect", "both", "--permission", "orders",
            said=f"{SECRET}\n",
        )  # fmt: skip
        assert facts["taken_up"] is True
        with FixClient(venue.config.fix.port, "NEW1", "FIX.4.2") as client:
            assert client.logon(f"554={SECRET}")["35"] == "A"
            assert order(client, "N1")["39"] == "0"
            until(lambda: standing(venue, "NEW1")["state"] == "on", "it is here")
        other.nothing_more("still here")
    assert venue.part("gateway")["pid"] == pid
    after = venue.path.read_bytes()
    assert after.startswith(before)
    assert b"$argon2id$" in after[len(before) :]
    (added,) = (one for one in load(venue.path).sessions if one.comp_id == "NEW1")
    assert (added.accounts, added.begin_string) == (("ACC2", "ACC1"), "FIX.4.2")
    assert (added.throttle, added.cancel_on_disconnect) == (900, "both")
    assert standing(venue, "NEW1")["password"] == "argon2"
    assert standing(venue, "NEW1")["permissions"] == ["orders"]
    until(lambda: standing(venue, "NEW1")["state"] == "away", "it is away")
    with FixClient(venue.config.fix.port, "NEW1", "FIX.4.2") as client:
        client.next_seq = 9
        assert "Password(554)" in client.logon("554=wrong", reset=False)["58"]
    for path in venue.path.parent.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    assert history(venue.config.journal_dir, 1)[0]["command"] == "sessions add session=NEW1"
    again = at(venue, "sessions", "add", "NEW1", "--account", "ACC1", "--no-password")
    assert again.exit_code == 1
    assert "has a session NEW1 already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["A B", "--account", "ACC1"], "comp_id = A B"),
        (["A/../B", "--account", "ACC1"], "comp_id = A/../B"),
        (["A\nB", "--account", "ACC1"], "comp_id = A"),
        (["x" * 37, "--account", "ACC1"], "is 37 bytes long"),
        (["X", "--account", "NOBODY"], "'NOBODY' is not an account"),
        (["X", "--account", "ACC1", "--address", "1.2.3"], "addresses = 1.2.3"),
        (["X", "--account", "ACC1", "--open", "08:00"], "open"),
        (["TOUCHLINE", "--account", "ACC1"], "is the venue's own"),
        (["X"], "Missing option '--account'"),
    ],
)
def test_what_can_not_be_agreed_is_refused_and_the_file_stays(
    venue: WholeVenue, arguments: list[str], words: str
) -> None:
    before = venue.path.read_bytes()
    result = at(venue, "sessions", "add", *arguments, "--no-password")
    assert result.exit_code == 2
    assert words in result.stderr
    assert venue.path.read_bytes() == before
    assert not [p for p in venue.path.parent.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("said", ["", "\n", "p\x01554=q\n", "x" * 256])
def test_a_password_that_no_logon_could_carry_is_refused(venue: WholeVenue, said: str) -> None:
    before = venue.path.read_bytes()
    result = at(venue, "sessions", "add", "P", "--account", "ACC1", "--password-stdin", said=said)
    assert result.exit_code == 2
    assert "a password has 1 to 255 bytes" in result.stderr
    nobody = at(venue, "sessions", "add", "P", "--account", "ACC1", said="x\n")
    assert nobody.exit_code == 2
    assert venue.path.read_bytes() == before


def test_a_disabled_session_is_out_and_stays_out_until_it_is_enabled(venue: WholeVenue) -> None:
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon()
        assert answered(venue, "sessions", "disable", "BROKER1")["taken_up"] is True
        assert client.expect(_35="5")["58"] == "the session is disabled"
        client.send("5")
    until(lambda: standing(venue)["state"] == "away", "it is away")
    kill_the_gateway(venue)
    with FixClient(venue.config.fix.port, "BROKER1") as client, pytest.raises(Closed):
        client.logon()
    assert standing(venue)["enabled"] is False
    assert "away, disabled" in at(venue, "sessions", "list").stdout
    assert answered(venue, "sessions", "enable", "BROKER1")["taken_up"] is True
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        assert client.logon()["35"] == "A"
    assert [row["command"] for row in history(venue.config.journal_dir, 2)] == [
        "sessions disable session=BROKER1",
        "sessions enable session=BROKER1",
    ]


def test_numbers_are_set_and_a_killed_gateway_comes_back_with_them(venue: WholeVenue) -> None:
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon()
        facts = answered(
            venue, "sessions", "reset-seq", "BROKER1", "--out", "500", "--in", "700", "--yes",
            "--timeout", "30",
        )  # fmt: skip
        assert facts == {"session": "BROKER1", "next_out": 500, "next_in": 700}
        assert client.expect(_35="5")["58"] == "the session is disabled"
    kill_the_gateway(venue)
    until(lambda: standing(venue)["next_in"] == 700, "the numbers are told")
    until(lambda: standing(venue)["next_out"] == 500, "both are")
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.next_seq = 700
        answer = client.logon(reset=False)
        assert (answer["35"], answer["34"]) == ("A", "500")
        assert order(client, "R1")["34"] == "501"
        until(lambda: standing(venue)["next_in"] == 702, "what it sent is told")
    facts = answered(
        venue, "sessions", "reset-seq", "BROKER1", "--in", "9", "--yes", "--timeout", "30"
    )
    assert facts == {"session": "BROKER1", "next_out": 502, "next_in": 9}
    until(lambda: standing(venue)["next_in"] == 9, "the number set is told")
    facts = answered(venue, "sessions", "reset-seq", "BROKER1", "--yes", "--timeout", "30")
    assert (facts["next_out"], facts["next_in"]) == (1, 1)
    last = history(venue.config.journal_dir, 1)[0]["command"]
    assert last == "sessions reset-seq session=BROKER1 out=1 in=1"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["NOBODY", "--yes"], 1, "there is no session 'NOBODY'"),
        (["..", "--yes"], 1, "there is no session '..'"),
        (["BROKER1"], 1, "Aborted"),
        (["BROKER1", "--out", "0", "--yes"], 2, "0 is not in the range"),
        (["BROKER1", "--out", str(1 << 63), "--yes"], 2, "is not in the range"),
        (["BROKER1", "--in", "1e3", "--yes"], 2, "is not a valid integer"),
    ],
)
def test_a_reset_that_makes_no_sense_changes_nothing(
    venue: WholeVenue, arguments: list[str], code: int, words: str
) -> None:
    before = standing(venue)
    result = at(venue, "sessions", "reset-seq", *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    kept = ("next_out", "next_in", "state")
    assert [standing(venue)[key] for key in kept] == [before[key] for key in kept]


def test_news_reach_who_is_chosen_and_nobody_else(venue: WholeVenue) -> None:
    answered(venue, "sessions", "add", "READER", "--account", "ACC2", "--no-password")
    port = venue.config.fix.port
    with FixClient(port, "BROKER1") as one, FixClient(port, "READER") as other:
        one.logon()
        other.logon()
        told = answered(venue, "sessions", "news", "Früher Schluss", "--account", "ACC1",
                        "--line", "Um 16 Uhr", "--urgent")  # fmt: skip
        assert "READER" not in told["sessions"]
        news = one.application()
        said = tuple(news[tag] for tag in ("35", "148", "58", "61"))
        assert said == ("B", "Früher Schluss", "Um 16 Uhr", "1")
        other.nothing_more("not told")
        told = answered(venue, "sessions", "news", "All of you", "--all")
        assert {"BROKER1", "READER"} <= set(told["sessions"])
        assert [client.application()["148"] for client in (one, other)] == ["All of you"] * 2
    for wrong in (["--session", "NOBODY"], ["--account", "NONE"], ["--all", "--line", "a\tb"]):
        refused = at(venue, "sessions", "news", "x", *wrong)
        assert refused.exit_code == 1, wrong
    for wrong in ([], ["--all", "--session", "BROKER1"]):
        assert at(venue, "sessions", "news", "x", *wrong).exit_code == 2, wrong
    newest = history(venue.config.journal_dir, 10)
    assert any("sessions news all=True headline=All of you" in row["command"] for row in newest)


def test_who_misuses_the_operators_socket_is_let_go_and_nobody_notices(venue: WholeVenue) -> None:
    path = venue.config.fix_dir / FILE
    assert path.stat().st_mode & 0o077 == 0
    bad = [
        b"", b"x" * (LINE_MAX + 1), b"nonsense\n", b"[]\n", b"[" * 3000 + b"\n",
        b'{"ask": "halt"}\n', b'{"ask": "reset-seq", "session": ["a"]}\n',
        b'{"ask": "reset-seq", "session": "BROKER1", "next_out": -1}\n',
        b'{"ask": "reset-seq", "session": "BROKER1", "next_in": 1e999}\n',
        b'{"ask": {}}\n', b'{"ask": "news", "all": true}\n',
        b'{"ask": "news", "all": true, "headline": "a\\u0001b"}\n',
        b'{"ask": "news", "all": true, "headline": "x", "lines": ["y", ""]}\n',
        b'{"ask": "news", "all": true, "headline": "x", "lines": {"y": 1}}\n',
        b'{"ask": "news", "all": true, "headline": "' + b"x" * 4097 + b'"}\n',
        b'{"ask": "news", "headline": "x", "sessions": [["BROKER1"]]}\n',
    ]  # fmt: skip
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon()
        for said in bad:
            with _caller(venue.config.fix_dir) as caller:
                caller.sendall(said)
                caller.shutdown(socket.SHUT_WR)
                answer = caller.recv(LINE_MAX)
                assert answer == b"" or b'"error"' in answer
        silent = [_caller(venue.config.fix_dir) for _ in range(CALLERS_MAX)]
        assert order(client, "Q1")["39"] == "0"
        for caller in silent:  # each is let go when its time is up
            assert caller.recv(1) == b""
            caller.close()
        client.nothing_more("still here")


def _caller(fix_dir: Path) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(30)
    directory = os.open(fix_dir, os.O_RDONLY)
    try:
        line.connect(f"/proc/self/fd/{directory}/{FILE}")
    finally:
        os.close(directory)
    return line


def test_without_a_venue_sessions_are_what_was_last_known(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    with whole_venue(path) as venue:
        with FixClient(venue.config.fix.port, "BROKER1") as client:
            client.logon()
            until(lambda: standing(venue)["next_out"] == 2, "the numbers are told")
        venue.stop()
        fact = standing(venue)
        assert (fact["state"], fact["next_out"], fact["taken_up"]) == ("away", 2, False)
        assert fact["as_of"] is not None
        reset = answered(venue, "sessions", "reset-seq", "BROKER1", "--yes", "--in", "7")
        assert (reset["next_out"], reset["next_in"]) == (2, 7)
        assert standing(venue)["next_in"] == 7
        wrong = at(venue, "sessions", "reset-seq", "NOBODY", "--yes")
        assert wrong.exit_code == 1
        added = answered(venue, "sessions", "add", "LATER", "--account", "ACC1", "--no-password")
        assert added["taken_up"] is False
        assert answered(venue, "sessions", "disable", "BROKER1")["taken_up"] is False
    assert [(s.comp_id, s.enabled) for s in load(path).sessions] == [
        ("BROKER1", False),
        ("LATER", True),
    ]

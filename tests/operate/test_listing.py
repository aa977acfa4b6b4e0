"""What is added while the venue runs: it can be traded at once, and who added it is on record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.fix_client import FixClient, utc_now
from harness.venue import WholeVenue, whole_venue, write_config
from harness.waiting import until
from touchline.control.operate.cli import main
from touchline.control.operate.history import history
from touchline.control.supervisor.admin import PIECES_MAX, Refused, said, signed
from touchline.core.messages import COMMAND_TEXT, TEXT_BYTES


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeVenue]:
    with whole_venue(write_config(tmp_path_factory.mktemp("listing"))) as venue:
        yield venue


def at(venue: WholeVenue, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(venue.path), *arguments])


def answered(venue: WholeVenue, *arguments: str) -> Any:
    result = at(venue, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def answer_to(client: FixClient, symbol: str, qty: int, account: str = "ACC1") -> dict[str, str]:
    """How one order of a session is answered."""
    client.send(
        "D", f"11={symbol}-{qty}-{client.next_seq}", "21=1", f"55={symbol}", "54=1",
        f"38={qty}", "40=2", "44=10.00", f"60={utc_now()}", f"1={account}",
    )  # fmt: skip
    return dict(client.application())


def test_an_instrument_can_be_traded_as_soon_as_it_is_listed(venue: WholeVenue) -> None:
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon()
        assert answer_to(client, "NEW1", 10)["39"] == "8"
        facts = answered(venue, "instrument", "add", "NEW1", "--tick-size", "0.05",
                         "--qty-max", "50", "--price-max", "20")  # fmt: skip
        assert "instrument NEW1" in facts["changes"]
        until(lambda: answer_to(client, "NEW1", 10)["39"] == "0", "it can be traded")
        assert answer_to(client, "NEW1", 60)["103"] == "13"
        # The account's limit of the configuration holds in it too.
        assert at(venue, "limit", "NEW1", "qty_max", "none").exit_code == 0
        assert answer_to(client, "NEW1", 501)["103"] == "3"
    (row,) = (r for r in answered(venue, "instrument", "list") if r["symbol"] == "NEW1")
    assert (row["tick_size"], row["lot_size"]) == ("0.05", "1")
    assert row["limits"]["price_max"] == "20.00"
    again = at(venue, "instrument", "add", "NEW1", "--tick-size", "0.05")
    assert again.exit_code == 1
    assert "NEW1 is there already" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["instrument", "add", "A B", "--tick-size", "1"], "symbol = A B"),
        (["instrument", "add", "X", "--tick-size", "-1"], "tick_size = -1"),
        (["instrument", "add", "X", "--tick-size", "nan"], "tick_size = NaN"),
        (["instrument", "add", "X", "--tick-size", "ten"], "'ten' is not a decimal number"),
        (["account", "add", "x" * 37], "is 37 bytes long"),
    ],
)
def test_what_can_not_be_listed_is_refused_with_the_field(
    venue: WholeVenue, arguments: list[str], words: str
) -> None:
    result = at(venue, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_account_is_opened_with_its_limits_and_a_limit_set_in_every_instrument(
    venue: WholeVenue,
) -> None:
    changes = answered(venue, "account", "add", "ACC7", "--order-qty-max", "77")["changes"]
    assert "order_qty_max of BBB of ACC7: 7 lots" in changes
    assert at(venue, "limit", "*", "order_qty_max", "55", "--account", "ACC7").exit_code == 0
    (row,) = (r for r in answered(venue, "account", "list") if r["account"] == "ACC7")
    assert row["limits"]["AAA"] == {"order_qty_max": "55"}
    assert row["limits"]["BBB"] == {"order_qty_max": "50"}


def test_a_limit_that_one_instrument_refuses_is_set_in_none(venue: WholeVenue) -> None:
    before = answered(venue, "instrument", "list")
    refused = at(venue, "limit", "*", "qty_max", "5")
    assert refused.exit_code == 1
    assert "qty_max 5 is 0 lots of BBB, outside 1 to 2147483647" in refused.stderr
    assert answered(venue, "instrument", "list") == before


def test_limits_may_be_negative_only_to_be_refused_and_none_is_the_widest(
    venue: WholeVenue,
) -> None:
    refused = at(venue, "limit", "AAA", "price_max", "-5")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "touchline: price_max -5 is -500 ticks of AAA, outside 1 to 1073741823; nothing was set\n"
    )
    for name in ("price_min", "price_max", "qty_max", "price_collar"):
        assert at(venue, "limit", "AAA", name, "none").exit_code == 0
    refused = at(venue, "limit", "AAA", "reference_price", "none")
    assert "reference_price can not be taken away" in refused.stderr
    assert "9223372036854775807" not in at(venue, "instrument", "list").stdout


def test_apply_sends_the_difference_and_new_sessions_may_log_on(venue: WholeVenue) -> None:
    kept = venue.path.read_text()
    with_more = f"""{kept}
[[instruments]]
symbol = "NEW2"
tick_size = "0.5"

[[accounts]]
name = "ACC8"

[[sessions]]
comp_id = "BROKER8"
accounts = ["ACC8", "ACC2"]
"""
    venue.path.write_text(with_more)
    before = venue.part("gateway")
    planned = answered(venue, "apply", "--dry-run")
    assert planned["changes"][:1] == ["session BROKER8"]
    assert {"instrument NEW2", "account ACC8"} <= set(planned["changes"])
    done = answered(venue, "apply", "--timeout", "30")
    assert done["changes"] == planned["changes"]
    assert done["sessions_taken_up"] is True
    with FixClient(venue.config.fix.port, "BROKER8") as client:
        assert client.logon()["35"] == "A"
        until(lambda: "BROKER8" in logged_on(venue), "the session is shown")
        assert answer_to(client, "NEW2", 1, "ACC2")["39"] == "0"
    again = answered(venue, "apply")
    assert (again["changes"], again["sessions_taken_up"]) == ([], False)
    assert venue.part("gateway")["restarts"] == before["restarts"]
    venue.path.write_text(f"{with_more}[[sessions]]\n")
    broken = at(venue, "apply")
    assert broken.exit_code == 2
    venue.path.write_text(with_more)


def test_a_session_gets_another_account_and_stays_logged_on(venue: WholeVenue) -> None:
    kept = venue.path.read_text()
    pid = venue.part("gateway")["pid"]
    assert at(venue, "account", "add", "ACC9").exit_code == 0
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.logon()
        assert answer_to(client, "AAA", 1, "ACC9")["103"] == "15"
        more = kept.replace('accounts = ["ACC1"]', 'accounts = ["ACC1", "ACC9"]\npassword = "x"')
        venue.path.write_text(more + '\n[[accounts]]\nname = "ACC9"\n')
        assert answered(venue, "apply", "--timeout", "30")["sessions_taken_up"] is True
        assert answer_to(client, "AAA", 1, "ACC9")["39"] == "0"
    with FixClient(venue.config.fix.port, "BROKER1") as client:
        client.next_seq = 50
        assert "Password(554)" in client.logon(reset=False)["58"]
    assert venue.part("gateway")["pid"] == pid
    venue.path.write_text(kept)
    assert at(venue, "apply", "--timeout", "30").exit_code == 0


def logged_on(venue: WholeVenue) -> list[str]:
    return [row["comp_id"] for row in answered(venue, "sessions", "list") if row["state"] == "on"]


def test_who_did_what_stands_in_the_journal(venue: WholeVenue) -> None:
    assert at(venue, "halt", "AAA").exit_code == 0
    assert at(venue, "resume", "AAA").exit_code == 0
    rows = answered(venue, "history")
    assert [row["command"] for row in rows[-2:]] == ["halt symbol=AAA", "resume symbol=AAA"]
    assert rows[0]["command"] == "run"
    assert "(" in rows[-1]["operator"]
    assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
    assert answered(venue, "history", "--last", "1") == rows[-1:]
    with pytest.raises(Refused, match="bytes long"):
        signed("x" * PIECES_MAX * TEXT_BYTES)


def test_words_of_any_length_and_alphabet_are_kept_whole() -> None:
    text = signed("é" * 200 + "✓")
    pieces = said(text, (5 << 32) | 7)
    texts = pieces.view(COMMAND_TEXT)
    assert b"".join(bytes(piece) for piece in texts["text"]) == text
    assert pieces["side"].tolist() == list(range(len(pieces)))
    assert set(texts["key"].tolist()) == {7}


def test_there_is_no_history_without_a_journal(tmp_path: Path) -> None:
    from touchline.errors import TouchlineError

    with pytest.raises(TouchlineError, match="there is no journal"):
        history(tmp_path, 1)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("structlog", ["run"]),
        ("duckdb", ["query", "SELECT 1"]),
        ("zmq", ["book", "AAA"]),
        ("quickfix", ["demo"]),
    ],
)
def test_a_part_that_is_not_installed_is_named_in_one_line(
    tmp_path: Path, module: str, arguments: list[str]
) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from touchline.control.operate.cli import main; main(sys.argv[1:])"
    )
    config = write_config(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code, "--config", str(config), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"touchline: this needs {module}, of the extra ")
    assert line.endswith('which is not installed: pip install "touchline[venue]"')

"""Raw messages in words: names, groups, and the venue's own judgement; whatever the input is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.fix_client import SOH, framed, utc_now
from touchline.control.operate.cli import main
from touchline.fix import generate
from touchline.fix.explain import LINE_MAX, explain, messages_in, pretty
from touchline.fix.glossary import DICTIONARIES, FILE, glossary
from touchline.wire.fix_message import MESSAGE_MAX, examine
from touchline.wire.fix_message import framed as found_in

HEADER = f"34=2|49=BROKER1|52={utc_now()}|56=TOUCHLINE|"
ORDER = f"35=D|{HEADER}11=A1|21=1|55=AAA|54=1|38=100|40=2|44=10.00|60={utc_now()}|"
LOGON = f"35=A|{HEADER}98=0|108=30|553=me|554=hush|"
PARTIES = "453=2|448=P1|447=D|452=1|802=2|523=S1|803=1|523=S2|803=2|448=P2|447=D|452=3|"


def message(body: str, begin_string: str = "FIX.4.4") -> bytes:
    return framed(begin_string, body.replace("|", SOH))


def decoded(data: bytes, *options: str) -> tuple[Result, list[dict[str, Any]]]:
    result = CliRunner().invoke(main, ["fix", "decode", "--json", *options], input=data)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def test_the_tables_and_names_are_what_the_dictionaries_say() -> None:
    directory = Path(sys.prefix) / "share" / "quickfix"
    assert generate.OUTPUT.read_text() == generate.tables(directory)
    assert FILE.read_text() == generate.glossary(directory)


def test_names_are_those_of_the_version() -> None:
    names = {version: glossary(version) for version in DICTIONARIES}
    assert [names[v].field(32) for v in sorted(names)] == ["LastShares", "LastQty", "LastQty"]
    assert names["FIXT.1.1"].message("A") == "Logon"
    assert names["FIXT.1.1"].field(1137) == "DefaultApplVerID"
    assert names["FIX.4.4"].value(54, "1") == "buy"
    assert names["FIX.4.4"].value(18, "1 6") == "not held, participate do not initiate"
    assert names["FIX.4.4"].field(99999) == names["FIX.4.4"].value(99999, "1") == ""


@pytest.mark.parametrize("separator", ["\x01", "|", "^A", "\\x01", ";"])
def test_an_order_is_explained_however_its_fields_are_parted(separator: str) -> None:
    line = message(ORDER).replace(b"\x01", separator.encode())
    result, (told,) = decoded(b"10:00 INFO in: " + line + b" (end)\n")
    assert result.exit_code == 0
    assert (told["name"], told["good"], told["verdict"]) == ("NewOrderSingle", True, "well formed")
    fields = {field["name"]: (field["value"], field["meaning"]) for field in told["fields"]}
    assert fields["Side"] == ("1", "buy")
    assert fields["MsgType"] == ("D", "NewOrderSingle")
    assert fields["ClOrdID"] == ("A1", "")
    assert fields["CheckSum"][0].isdigit()


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        (message(ORDER.replace("11=A1|", "")),
         "Reject(3): 373=1 Required tag missing, 371=11 ClOrdID"),
        (message(ORDER.replace("54=1|", "54=x|")),
         "Reject(3): 373=5 Value is incorrect (out of range) for this tag, 371=54 Side"),
        (message(ORDER.replace("38=100|", "38=1e2|")),
         "Reject(3): 373=6 Incorrect data format for value, 371=38 OrderQty"),
        (message(ORDER + "4999=1|"), "Reject(3): 373=0 Invalid tag number, 371=4999"),
        (message(ORDER + "453=3|448=P1|447=D|452=1|"),
         "Reject(3): 373=16 Incorrect NumInGroup count for repeating group, 371=453 NoPartyIDs"),
        (message(ORDER.replace("35=D", "35=zz")), "Reject(3): 373=11 Invalid MsgType"),
        (message(f"35=R|{HEADER}131=Q|146=1|55=AAA|"),
         "BusinessMessageReject(j): 380=3 Unsupported Message Type"),
        (message(ORDER)[:-4] + b"0" + message(ORDER)[-3:], "dropped without an answer"),
        (message(ORDER).replace(b"\x0138=100", b"\x0138=1000"),
         "dropped without an answer: BodyLength(9) is"),
        (message(ORDER).replace(b"\x0138=100", b"\x0138=101"),
         "dropped without an answer: CheckSum(10) is"),
        (message(ORDER, "FIX.4.0"), "dropped: BeginString(8) FIX.4.0, which is not spoken here"),
        (message("34=2|" + ORDER), "dropped without an answer: the first fields are not 8, 9"),
        (b"8=FIX.4.4\x0135=0\x0110=000\x01", "dropped without an answer: BodyLength(9) is not"),
    ],
    ids=lambda value: value if isinstance(value, str) else "raw",  # which has the time in it
)  # fmt: skip
def test_what_the_venue_would_say(raw: bytes, verdict: str) -> None:
    result, (told,) = decoded(raw + b"\n")
    assert told["verdict"].startswith(verdict)
    assert told["good"] is False
    assert result.exit_code == 1


def test_groups_are_indented_and_their_entries_marked() -> None:
    text = pretty(explain(message(ORDER + PARTIES)))
    told = [line.split() for line in text.splitlines()]
    starts = [words[1:3] for words in told if words[0] == "-"]
    assert starts == [["448", "PartyID"], ["523", "PartySubID"], ["523", "PartySubID"],
                      ["448", "PartyID"]]  # fmt: skip
    (party,) = (line for line in text.splitlines() if "P1" in line)
    (sub,) = (line for line in text.splitlines() if "S2" in line)
    assert len(sub) - len(sub.lstrip()) > len(party) - len(party.lstrip())


def test_passwords_are_not_shown_and_a_masked_log_is_still_explained() -> None:
    logged = message(LOGON).replace(b"554=hush", b"554=***").replace(b"\x01", b"|")
    for line in (message(LOGON), logged):
        result, (told,) = decoded(line)
        assert "hush" not in result.stdout
        assert told["good"] is True


def test_several_messages_on_lines_and_data_with_ends_of_line() -> None:
    odd = message(ORDER.replace("11=A1|", "11=A2|") + "354=8|355=a\n8=b|\nc|")
    stream = message(LOGON) + message(ORDER) + odd + b"\n" + message(f"35=0|{HEADER}")
    _, told = decoded(stream)
    assert [one["msg_type"] for one in told] == ["A", "D", "D", "0"]
    assert all(one["good"] for one in told)
    (data,) = (f["value"] for f in told[2]["fields"] if f["tag"] == 355)
    assert data == "a\\x0a8=b\\x01\\x0ac"


def test_what_is_no_message_too_long_or_cut_is_told(tmp_path: Path) -> None:
    run = CliRunner()
    nothing = run.invoke(main, ["fix", "decode"], input=b"\x00\xff\n\n no message \n")
    assert nothing.exit_code == 1
    assert "there is no FIX message" in nothing.stderr
    long = run.invoke(main, ["fix", "decode"], input=b"8=FIX.4.4|" + b"x" * (3 * LINE_MAX))
    assert long.exit_code == 1
    assert long.stderr == f"touchline: line 1 is longer than {LINE_MAX} bytes\n"
    _, told = decoded(message(ORDER + "58=" + "x" * MESSAGE_MAX + "|"))
    assert told[0]["verdict"].startswith("dropped: ")
    cut = message(ORDER)[:60]
    _, told = decoded(cut + b"\n" + message(ORDER) + b"\n" + cut)
    assert [one["good"] for one in told] == [False, True, False]
    assert run.invoke(main, ["fix", "decode", "--json", "--pretty"], input=b"").exit_code == 2


def test_many_short_lines_of_an_open_message_take_no_more_than_their_bytes() -> None:
    _, told = decoded(b"8=FIX.4.4\x01" + b"\n" * (LINE_MAX + 999) + message(ORDER))
    assert [one["good"] for one in told] == [False, True]


PIECES = b"8=FIX.4.4 8=FIXT.1.1 9=5 35=D 10=000 453=2 448=x 95=3 96= = | ^A 58=8=FIX.4.2;".split()
PIECES += [b"\x01", b"\n", b"\xff", b"\x1b[2J"]


@settings(max_examples=120, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=6)), max_size=40))
def test_no_input_breaks_it_and_nothing_of_it_reaches_the_terminal(pieces: list[bytes]) -> None:
    data = b"\x01".join(pieces) if len(pieces) % 2 else b"".join(pieces)
    for raw in messages_in(data):
        text = pretty(explain(raw))
        assert all(c.isprintable() or c == "\n" for c in text)
    result = CliRunner().invoke(main, ["fix", "decode"], input=data)
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_the_codec_of_python_refuses_what_it_does_not_speak() -> None:
    with pytest.raises(ValueError, match="is not spoken here"):
        examine(message(ORDER), "FIX.4.0")
    assert examine(b"", "FIX.4.4") is None
    assert examine(message(ORDER), "FIX.4.2") is None
    assert found_in(b"junk" + message(ORDER)) == (4, len(message(ORDER)))
    assert found_in(message(ORDER), 20) is None
    assert found_in(message(ORDER)[:-1]) is None

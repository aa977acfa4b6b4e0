"""Configurations: where values come from, and what is said about wrong ones."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from touchline.config import Config, load
from touchline.config.lines import key_lines, line_of
from touchline.control.operate.template import TEMPLATE
from touchline.errors import ConfigError

GOOD = """\
[venue]
name = "one"

[fix]
port = 9900

[[instruments]]
symbol = "AAA"
tick_size = 0.01
reference_price = 100.07

[[accounts]]
name = "ACC1"

[[sessions]]
comp_id = "BROKER1"
accounts = ["ACC1"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "touchline.toml"
    path.write_text(GOOD)
    return path


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("TOUCHLINE_")]:
        monkeypatch.delenv(name)


def problems(file: Path, text: str, **overrides: str) -> list[str]:
    """What is said about the text, without the file's name."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, {key.replace("__", "."): value for key, value in overrides.items()})
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


def test_a_file_is_read_and_the_rest_are_defaults(file: Path) -> None:
    config = load(file)
    assert (config.venue.name, config.fix.port, config.publish.pub_port) == ("one", 9900, 5556)
    assert config.sessions[0].begin_string == "FIX.4.4"
    assert config.venue.data_dir == file.parent / "data"
    assert config.bus_path == Path("/dev/shm/touchline-one.bus")


def test_numbers_are_exact_decimals_and_never_floats(file: Path) -> None:
    instrument = load(file).instruments[0]
    assert instrument.tick_size == Decimal("0.01")
    assert instrument.instrument(3).to_ticks(instrument.reference_price or 0) == 10_007


def test_a_float_handed_in_by_a_program_is_refused(file: Path) -> None:
    row = {"symbol": "AAA", "tick_size": 0.01}
    with pytest.raises(ConfigError, match="binary floating-point"):
        load(None, {"instruments": [row]})


def test_flags_win_over_the_environment_and_that_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_FIX__PORT", "9901")
    monkeypatch.setenv("TOUCHLINE_VENUE__NAME", "two")
    config = load(file, {"fix.port": "9902"})
    assert (config.fix.port, config.venue.name) == (9902, "two")
    assert load(file).fix.port == 9901


def test_the_environment_can_name_whole_lists_as_json(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_INSTRUMENTS", '[{"symbol": "BBB", "tick_size": 0.1}]')
    instruments = load(file).instruments
    assert [(i.symbol, i.tick_size) for i in instruments] == [("BBB", Decimal("0.1"))]


def test_the_file_that_init_writes_is_right_and_survives_the_way_to_a_part(tmp_path: Path) -> None:
    path = tmp_path / "touchline.toml"
    path.write_text(TEMPLATE)
    config = load(path)
    assert (len(config.instruments), len(config.sessions)) == (2, 2)
    assert {s.begin_string for s in config.sessions} == {"FIX.4.4", "FIX.4.2"}
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_every_problem_of_a_file_is_told_with_its_line(file: Path) -> None:
    text = """\
[venue]
name = "a b"
nme = 3

[fix]
port = 5556

[[instruments]]
symbol = "AAA"
tick_size = 0.01
price_min = 0.005

[[instruments]]
symbol = "AAA"
tick_size = "x"

[[accounts]]
name = "ACC1"

[[sessions]]
comp_id = "BROKER1"
begin_string = "FIX.5"
accounts = [
   "ACC1",
   "ACC2",
]
password = 5
"""
    assert problems(file, text) == [
        " publish.pub_port: port 5556 is taken by fix.port already",
        "2: venue.name: name = 'a b': may not hold blanks or unprintable characters",
        "3: venue.nme: there is no key 'nme' here",
        "11: instruments[1].price_min: price 0.005 is not a multiple of the tick size 0.01",
        "15: instruments[2].tick_size: tick_size = 'x': should be a valid decimal",
        "22: sessions[1].begin_string: begin_string = 'FIX.5': should be 'FIX.4.4', 'FIX.4.2' or "
        "'FIXT.1.1'",
        "23: sessions[1].accounts: 'ACC2' is not an account; [[accounts]] names ACC1",
        "27: sessions[1].password: password = '***': should be a valid string",
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            '[[instruments]]\nsymbol = "AAA"\ntick_size = 1',
            "20: instruments[2].symbol: 'AAA' is taken by instruments[1] already",
        ),
        (
            '[[accounts]]\nname = "ACC1"',
            "20: accounts[2].name: 'ACC1' is taken by accounts[1] already",
        ),
        (
            '[[sessions]]\ncomp_id = "BROKER1"\naccounts = ["ACC1"]',
            "20: sessions[2].comp_id: 'BROKER1' is taken by sessions[1] already",
        ),
        (
            '[[sessions]]\ncomp_id = "TOUCHLINE"\naccounts = ["ACC1"]',
            "20: sessions[2].comp_id: 'TOUCHLINE' is the venue's own, fix.comp_id",
        ),
        (
            '[[sessions]]\ncomp_id = "B/2"\naccounts = []',
            "21: sessions[2].accounts: accounts = '[]': Tuple should have at least 1 item after "
            "validation, not 0",
        ),
        (
            f'[[accounts]]\nname = "{"é" * 19}"',
            f"20: accounts[2].name: name = '{'é' * 19}': is 38 bytes long; allowed are 1 to 36",
        ),
        (
            '[[instruments]]\nsymbol = "BBB"\ntick_size = 0',
            "21: instruments[2].tick_size: tick_size = '0': should be greater than 0",
        ),
        (
            '[[instruments]]\nsymbol = "BBB"\ntick_size = 1\nlot_size = 10\nqty_max = 15',
            "23: instruments[2].qty_max: quantity 15 is not a multiple of the lot size 10",
        ),
        (
            '[[instruments]]\nsymbol = "BBB"\ntick_size = 1\nprice_max = 2000000000',
            "22: instruments[2].price_max: 2000000000 is above 1073741823, the most 1073741823 "
            "ticks can say",
        ),
        (
            '[[instruments]]\nsymbol = "BBB"\ntick_size = 1\nprice_min = 5\nprice_max = 4',
            "22: instruments[2].price_min: 5 is above price_max 4",
        ),
        ("[engine]\ninstruments_max = 0", "20: engine.instruments_max: instruments_max = '0'"),
        ("[publish]\npub_port = 9900", "20: publish.pub_port: port 9900 is taken by fix.port"),
        ("[capture]\nflush_s = 0", "20: capture.flush_s: flush_s = '0': should be greater than 0"),
        (
            '[[sessions]]\ncomp_id = "B"\naccounts = "ACC1"',
            "21: sessions[2].accounts: accounts = 'ACC1': should be a list",
        ),
        ("[engine]\nwait = 'nap'", "20: engine.wait: wait = 'nap': should be 'park', 'yield' or"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_line(file: Path, more: str, expected: str) -> None:
    found = problems(file, f"{GOOD}\n{more}\n")
    assert any(line.startswith(expected) for line in found), found


def test_too_few_places_for_what_is_listed_are_refused(file: Path) -> None:
    text = GOOD.replace('name = "ACC1"', 'name = "ACC1"\norder_qty_max = 5')
    more = '[engine]\ninstruments_max = 1\npositions_max = 1\n[[instruments]]\nsymbol = "BBB"\n'
    found = problems(file, f"{text}\n{more}tick_size = 1\n")
    assert found == [
        "21: engine.instruments_max: 1 is too small for the 2 of [[instruments]]",
        "22: engine.positions_max: 1 is too small: 1 accounts with limits in 2 instruments take "
        "2 places",
    ]


NATIVE = 'needs fix.engine = "native"'
TLS = GOOD.replace("port = 9900\n", 'port = 9900\ntls_certificate = "a.pem"\n')
QUICKFIX = GOOD.replace("9900", '9900\nengine = "quickfix"')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TLS, "4: fix.tls_key: and tls_certificate belong together: give both or neither"),
        (
            TLS.replace("[[instr", 'tls_key = "a.key"\ntls_client = "asked"\n[[instr', 1),
            "4: fix.tls_client_ca: is missing: tls_client is asked",
        ),
        (
            QUICKFIX + 'begin_string = "FIXT.1.1"\n',
            f"19: sessions[1].begin_string: FIXT.1.1 {NATIVE}",
        ),
        (
            GOOD + 'certificate = "broker"\n',
            "18: sessions[1].certificate: is asked of nobody while fix.tls_client is any",
        ),
        (
            GOOD + 'addresses = ["10.0.0.1/8"]\n',
            "18: sessions[1].addresses[1]: 0 = '10.0.0.1/8': "
            "is no address and no network: 10.0.0.1/8 has host bits set",
        ),
    ],
)
def test_what_does_not_go_together_at_the_fix_port_is_told(
    file: Path, text: str, expected: str
) -> None:
    assert problems(file, text) == [expected]


def test_files_of_tls_count_from_the_configuration(file: Path) -> None:
    file.write_text(TLS.replace("[[instr", 'tls_key = "/etc/a.key"\n[[instr', 1))
    fix = load(file).fix
    assert (fix.tls_certificate, fix.tls_key) == (file.parent / "a.pem", Path("/etc/a.key"))
    assert fix.tls_client_ca is None


def test_a_file_that_is_not_toml_is_told_with_its_line(file: Path) -> None:
    assert problems(file, "[venue]\nname = \n")[0].startswith("2: is not TOML: Invalid value")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file .*touchline init"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(file)


def test_a_wrong_flag_or_variable_is_named_as_such(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_ENGINE__CPU", "x")
    monkeypatch.setenv("TOUCHLINE_VENU__NAME", "x")
    found = problems(file, GOOD, fix__prt="1", fxi__port="1")
    assert found[0].startswith("environment variable TOUCHLINE_VENU__NAME: there is no such sect")
    assert found[1].startswith("flag fxi.port: there is no such section; the sections are venue,")
    assert found[2].startswith("environment variable TOUCHLINE_ENGINE__CPU: cpu = 'x': should be")
    assert found[3:] == ["flag fix.prt: there is no key 'prt' here"]


def test_a_setting_that_would_be_overlooked_is_refused_by_name(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_FIXPORT", "9900")
    monkeypatch.setenv("TOUCHLINE_INSTRUMENTS__SYMBOL", "AAA")
    monkeypatch.setenv("TOUCHLINE_CONFIG", "not a setting of the venue's")
    found = problems(file, GOOD, instruments__symbol="1", sessions__password="x")
    assert [problem.split(": ")[:2] for problem in found] == [
        ["environment variable TOUCHLINE_FIXPORT", found[0].split(": ")[1]],
        [
            "environment variable TOUCHLINE_INSTRUMENTS__SYMBOL",
            "instruments is a list",
        ],
        [
            "flag instruments.symbol",
            "instruments is a list, whose keys no flag can set; change the file",
        ],
        [
            "flag sessions.password",
            "sessions is a list, whose keys no flag can set; change the file",
        ],
    ]
    assert "there is no such section" in found[0]


@pytest.mark.parametrize("key", ["lane_slots", "event_slots"])
def test_slots_that_are_no_power_of_two_are_told_with_the_nearest(file: Path, key: str) -> None:
    (found,) = problems(file, f"{GOOD}[engine]\n{key} = 5000\n")
    assert found.endswith(
        f"engine.{key}: {key} = '5000': should be a power of two, such as 4096 or 8192"
    )


@pytest.mark.parametrize(
    ("written", "read"), [("::1", "::1"), ("[::1]", "::1"), ("localhost", "localhost")]
)
def test_hosts_may_be_of_ipv6(file: Path, written: str, read: str) -> None:
    assert load(file, {"fix.host": written, "publish.host": written}).fix.host == read


@pytest.mark.parametrize("written", ["", "[::1", "::g", "a b", "[localhost]"])
def test_a_host_that_can_not_be_one_is_refused(file: Path, written: str) -> None:
    (found,) = problems(file, GOOD, fix__host=written)
    assert found.startswith(f"flag fix.host: host = {written!r}: ")


def test_a_file_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(file).venue.name == "one"


def test_a_tilde_is_the_home_directory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent / "home"))
    assert load(file, {"venue.data_dir": "~/x"}).venue.data_dir == file.parent / "home" / "x"
    with pytest.raises(ConfigError, match="no such home"):
        load(file, {"venue.data_dir": "~nobody-of-this-name/x"})


def test_a_variable_that_is_not_json_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOUCHLINE_SESSIONS", "[")
    (found,) = problems(file, GOOD)
    assert found.startswith("environment: ")
    assert "sessions" in found
    assert "a list is written as JSON" in found


def test_lines_of_keys_are_found_behind_values_of_several_lines() -> None:
    text = '''\
a = 1
[t]
  b.c = """
d = 4
[u]
"""
e = [
  "]", # ]
  2,
]
"f g" = 1
[[x]]
[[x]]
y = { z = 1 }
'''
    lines = key_lines(text)
    assert line_of(lines, ("a",)) == 1
    assert line_of(lines, ("t", "b", "c")) == 3
    assert line_of(lines, ("t", "e", 1)) == 7
    assert line_of(lines, ("t", "f g")) == 11
    assert line_of(lines, ("x", 1)) == 13
    assert line_of(lines, ("x", 1, "y", "z")) == 14
    assert line_of(lines, ("u",)) is None

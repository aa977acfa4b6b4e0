"""The commands about files: exact answers in each form, and damage by name with its exit code."""

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.captured_files import capture_events, events_of, files_in, flip_a_bit
from harness.flows import order_flow
from harness.venue import ThreadVenue
from touchline.control.operate.cli import main

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Run `touchline` with a configuration in the test's directory."""
    config = tmp_path / "touchline.toml"

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--config", str(config), *arguments])

    assert run("init").exit_code == 0
    return run


@pytest.fixture
def capture(tmp_path: Path, call: Call) -> Path:
    directory = tmp_path / "data" / "capture"
    capture_events(directory, events_of(7, 600), 200)
    return directory


def strict(text: str) -> Any:
    """JSON as the standard has it: NaN is none."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


EXACT = (
    ("10737428967418.23::DOUBLE", "10737428967418.23", 10737428967418.23),
    ("0.1::DOUBLE", "0.1", 0.1),
    ("1e-7::DOUBLE", "0.0000001", 1e-7),
    ("1e300::DOUBLE", "1e+300", 1e300),
    ("123456789012345678901234.5678::DECIMAL(38, 4)", "123456789012345678901234.5678",
     "123456789012345678901234.5678"),
    ("170141183460469231731687303715884105727::HUGEINT",
     "170141183460469231731687303715884105727", 170141183460469231731687303715884105727),
    ("18446744073709551615::UBIGINT", "18446744073709551615", 18446744073709551615),
    ("'nan'::DOUBLE", "NaN", "NaN"),
    ("'-inf'::DOUBLE", "-Infinity", "-Infinity"),
    ("DATE '2024-10-03'", "2024-10-03", "2024-10-03"),
    ("TIMESTAMP '2024-10-03 01:02:03.000004'", "2024-10-03T01:02:03.000004",
     "2024-10-03T01:02:03.000004"),
    ("NULL", "", None),
    ("true", "True", True),
    ("[1.5::DOUBLE, 'nan'::DOUBLE]", '[1.5, "NaN"]', [1.5, "NaN"]),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "text", "value"), EXACT)
def test_a_value_is_printed_exactly_in_every_form(
    call: Call, capture: Path, sql: str, text: str, value: object
) -> None:
    asked = f"SELECT {sql} AS it"
    table = call("query", asked).stdout.splitlines()
    assert [line.strip() for line in table] == ["it", "─" * max(2, len(text)), text]
    assert strict(call("query", asked, "--json").stdout) == {"columns": ["it"], "rows": [[value]]}
    assert list(csv.reader(io.StringIO(call("query", asked, "--csv").stdout))) in (
        [["it"], [text]],
        [["it"], []],
    )


def test_every_row_is_printed_in_every_form(call: Call, capture: Path) -> None:
    """More rows than decide the widths of a table, and one wider than those."""
    sql = "SELECT i, CASE i WHEN 4999 THEN 'much wider' ELSE 'x' END AS it FROM range(5000) t(i)"
    rows = [[i, "much wider" if i == 4999 else "x"] for i in range(5000)]
    assert strict(call("query", sql, "--json").stdout)["rows"] == rows
    shown = [line.split(maxsplit=1) for line in call("query", sql).stdout.splitlines()[2:]]
    assert [[int(i), it] for i, it in shown] == rows
    told = list(csv.reader(io.StringIO(call("query", sql, "--csv").stdout)))
    assert [[int(i), it] for i, it in told[1:]] == rows


def test_text_that_would_act_on_a_terminal_is_shown_as_numbers(call: Call, capture: Path) -> None:
    result = call("query", "SELECT 'a' || chr(27) || '[2J' || chr(10) || 'b' AS it")
    assert result.stdout.splitlines()[2] == r"a\x1b[2J b"


def test_a_damaged_file_is_named_and_the_others_answer_when_asked_to(
    call: Call, capture: Path, seed: int
) -> None:
    whole = call("capture", "verify")
    assert whole.exit_code == 0
    (_, damaged, *_) = files_in(capture)
    first, last = (int(part) for part in damaged.stem.split("-")[1:])
    count = int(strict(call("query", "SELECT count(*) FROM events", "--json").stdout)["rows"][0][0])
    flip_a_bit(damaged, seed)
    for arguments in (["query", "SELECT 1"], ["capture", "verify"], ["capture", "compact"]):
        result = call(*arguments)
        assert result.exit_code == 1, arguments
        assert f"{damaged}: events {first} to {last}: the file is damaged" in result.stderr
    facts = strict(call("capture", "verify", "--json").stdout)
    assert [(f["path"], f["first_seq"], f["last_seq"]) for f in facts["faults"]] == [
        (str(damaged), first, last)
    ]
    partly = call("query", "SELECT count(*) FROM events", "--json", "--skip-damaged")
    assert partly.exit_code == 0
    assert strict(partly.stdout)["rows"] == [[count - (last - first + 1)]]
    assert f"left out: {damaged}" in partly.stderr


def test_compact_merges_and_says_how_many_files_are_left(call: Call, capture: Path) -> None:
    before = len(files_in(capture))
    facts = strict(call("capture", "compact", "--json").stdout)
    assert (facts["files_before"], facts["files"]) == (before, 1)
    assert call("capture", "verify").exit_code == 0


def test_nothing_captured_and_no_journal_are_said_in_a_sentence(call: Call) -> None:
    for arguments in (["capture", "verify"], ["capture", "compact"], ["journal", "verify"]):
        result = call(*arguments)
        assert result.exit_code == 1
        assert "nothing has been captured yet" in result.stderr or "no journal" in result.stderr


def test_a_changed_command_of_the_journal_is_named(tmp_path: Path, call: Call, seed: int) -> None:
    venue = ThreadVenue(tmp_path)
    with venue.running():
        venue.open()
        venue.send(order_flow(seed, 300))
    good = call("journal", "verify", "--json")
    assert good.exit_code == 0
    assert strict(good.stdout)["commands"] > 300
    segment = min(venue.config.journal_dir.glob("*.tlj"))
    content = bytearray(segment.read_bytes())
    content[4096 + 64 * 100 + 20] ^= 1
    segment.write_bytes(content)
    result = call("journal", "verify")
    assert result.exit_code == 1
    assert f"{segment}: command 101 at byte {4096 + 64 * 100}" in result.stderr


def test_a_sum_of_decimals_stays_a_decimal(call: Call, capture: Path) -> None:
    sql = "SELECT sum(qty::DECIMAL(38, 2)) AS volume, sum(qty) AS it FROM trades"
    volume, plain = strict(call("query", sql, "--json").stdout)["rows"][0]
    assert Decimal(volume) == Decimal(plain)

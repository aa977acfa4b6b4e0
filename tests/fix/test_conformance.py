"""Every conformance script, in both versions, against one venue over real sockets."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from harness.fix_conformance import (
    KNOWN,
    SCRIPTS,
    VERSIONS,
    Played,
    comparable,
    difference,
    known_fault,
    stage,
)
from harness.fix_venue import SYMBOLS, PartsVenue, running_venue
from touchline.fix.script import Script


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path_factory.mktemp("venue"), engine) as venue:
        yield venue


@pytest.fixture(scope="module")
def symbols(engine: str) -> Iterator[str]:
    """Instruments of a venue for one script each, so that no script meets another's orders."""
    return (f"S{number:02d}" for number in count())


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(venue: PartsVenue, symbols: Iterator[str], path: Path, begin_string: str) -> None:
    if reason := known_fault(venue.fix_engine, path.stem, begin_string):
        pytest.xfail(reason)
    Script(path, stage(venue, begin_string, next(symbols)), begin_string).run()


def test_every_script_has_an_instrument_of_its_own() -> None:
    assert len(SCRIPTS) * len(VERSIONS) <= SYMBOLS


def test_a_script_opens_with_its_rule() -> None:
    assert SCRIPTS
    assert [path.name for path in SCRIPTS if not path.read_text().startswith("# ")] == []


def test_what_is_known_to_fail_is_a_script() -> None:
    names = {path.stem for path in SCRIPTS}
    assert not {name for known in KNOWN.values() for name in known} - names


def test_engines_that_differ_in_one_field_are_told_apart() -> None:
    report = {"35": "8", "34": "2", "37": "4294967297", "17": "12-1", "52": "20260101-00:00:00"}
    later = report | {"37": "4294967305", "17": "40-1", "52": "20260102-00:00:00"}
    assert difference(Played("", {"1": [report]}), Played("", {"1": [later]})) == ""
    other = Played("", {"1": [later | {"34": "3"}]})
    assert "34='2' and 34='3'" in difference(Played("", {"1": [report]}), other)
    assert "message 2" in difference(Played("", {"1": [report]}), Played("", {"1": [later] * 2}))
    assert "17='#1-1' and 17='#1-2'" in difference(
        Played("", {"1": [report]}), Played("", {"1": [later | {"17": "40-2"}]})
    )


def test_orders_keep_their_names_from_message_to_message() -> None:
    stream = [{"37": "77", "17": "5"}, {"37": "NONE", "17": "R6"}, {"37": "77", "17": "0"}]
    assert comparable(stream) == [
        {"37": "#0", "17": "#1"},
        {"37": "NONE", "17": "R#2"},
        {"37": "#0", "17": "0"},
    ]

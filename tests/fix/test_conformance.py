"""Every conformance script, in both versions, against one venue over real sockets."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from harness.fix_script import Script
from harness.fix_venue import SYMBOLS, Venue, running_venue

SCRIPTS = sorted(Path(__file__).parent.glob("conformance/*.def"))
VERSIONS = ("FIX.4.4", "FIX.4.2")


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Venue]:
    with running_venue(tmp_path_factory.mktemp("venue"), engine) as venue:
        yield venue


@pytest.fixture(scope="module")
def symbols(engine: str) -> Iterator[str]:
    """Instruments of a venue for one script each, so that no script meets another's orders."""
    return (f"S{number:02d}" for number in count())


@pytest.mark.parametrize("begin_string", VERSIONS)
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(venue: Venue, symbols: Iterator[str], path: Path, begin_string: str) -> None:
    Script(path, venue.port, begin_string, next(symbols)).run()


def test_every_script_has_an_instrument_of_its_own() -> None:
    assert len(SCRIPTS) * len(VERSIONS) <= SYMBOLS


def test_a_script_opens_with_its_rule() -> None:
    assert SCRIPTS
    assert [path.name for path in SCRIPTS if not path.read_text().startswith("# ")] == []

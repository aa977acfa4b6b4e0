"""Where reporting begins: with the store's last report, and never with those of another journal."""

from dataclasses import replace
from pathlib import Path

import pytest

from touchline.errors import SessionError
from touchline.fix.orders import report_key
from touchline.fix.origin import FILE, Origin, bus_identity, read_origin, write_origin

ORIGIN = Origin(journal_id=7, first_key=400, bus="boot:1:2", strange={0: 900, 3: 10})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert read_origin(tmp_path) is None
    for origin in (ORIGIN, replace(ORIGIN, journal_id=2**64 - 1, strange={})):
        write_origin(tmp_path, origin)
        assert read_origin(tmp_path) == origin
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"journal_id": "x"}', '{"strange": 3}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(SessionError, match=FILE):
        read_origin(tmp_path)


def test_the_stores_last_report_is_where_it_goes_on() -> None:
    assert ORIGIN.mark(1, 800, 1000) == 800


def test_before_the_first_report_it_begins_with_what_happens_from_now_on() -> None:
    assert ORIGIN.mark(1, 0, 1000) == ORIGIN.first_key


def test_a_report_of_another_journal_counts_for_nothing() -> None:
    assert ORIGIN.mark(0, 900, 1000) == ORIGIN.first_key
    assert ORIGIN.mark(0, 904, 1000) == 904, "a report on this one has come"


def test_a_journal_that_lost_its_end_is_told_of_again() -> None:
    assert ORIGIN.mark(1, report_key(2000), 1000) == report_key(1000)


def test_another_file_is_another_bus(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for path in (one, other):
        path.write_text("")
    assert bus_identity(one) == bus_identity(one) != bus_identity(other)

"""Sequence numbers set by an operator, of a gateway that runs and of one that does not."""

from pathlib import Path

import pytest

from harness.fix_client import FixClient
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import DEADLINE_S, until
from touchline.control.supervisor.setup import read_journal
from touchline.core.messages import Text
from touchline.errors import SessionError
from touchline.fix.offline import renumber
from touchline.fix.operators import ask


def numbers(venue: PartsVenue) -> dict[str, int]:
    return read_journal(venue.config.journal_dir).names.numbers(Text.SESSION)


def logged_on(venue: PartsVenue, number: int) -> str:
    """The number of the venue's answer to a Logon with that one."""
    with FixClient(venue.port, "BROKER1") as client:
        client.next_seq = number
        answer = client.logon(reset=False)
        assert answer["35"] == "A", answer
        client.send("5")
        client.receive()
    return answer["34"]


def test_numbers_are_set_while_the_gateway_runs_and_while_it_does_not(
    tmp_path: Path, engine: str
) -> None:
    request = {"ask": "reset-seq", "session": "BROKER1"}
    with running_venue(tmp_path / "venue", engine) as venue:
        assert logged_on(venue, 1) == "1"
        ask(venue.config.fix_dir, request | {"next_out": 40, "next_in": 50}, DEADLINE_S)
        assert logged_on(venue, 50) == "40"
        if engine == "native":
            with pytest.raises(SessionError, match="a gateway has the store"):
                renumber(venue.config, numbers(venue), "BROKER1", 1, 1)
        venue.end("gateway")
        done = renumber(venue.config, numbers(venue), "BROKER1", None, 70)
        assert (done["next_out"], done["next_in"]) == (42, 70)
        assert venue.start("gateway") == "ready"
        assert logged_on(venue, 70) == "42"
        venue.end("gateway")
        renumber(venue.config, numbers(venue), "BROKER1", 1, 1)
        assert venue.start("gateway") == "ready"
        assert logged_on(venue, 1) == "1"


def test_a_session_that_is_on_is_let_go_for_it(tmp_path: Path, engine: str) -> None:
    request = {"ask": "reset-seq", "session": "BROKER1", "next_out": 9, "next_in": 9}
    with running_venue(tmp_path / "venue", engine) as venue:
        with FixClient(venue.port, "BROKER1") as client:
            client.logon()
            until(lambda: ask(venue.config.fix_dir, request, DEADLINE_S)["next_out"] == 9, "set")
        assert logged_on(venue, 9) == "9"


@pytest.mark.parametrize("wrong", [0, -1, 1 << 63, True])
def test_a_number_that_can_not_be_is_refused(tmp_path: Path, engine: str, wrong: int) -> None:
    with running_venue(tmp_path / "venue", engine) as venue:
        request = {"ask": "reset-seq", "session": "BROKER1", "next_out": wrong, "next_in": 1}
        with pytest.raises(SessionError, match="next_out"):
            ask(venue.config.fix_dir, request, DEADLINE_S)
        venue.end("gateway")
        with pytest.raises(SessionError, match="next_out"):
            renumber(venue.config, numbers(venue), "BROKER1", wrong, 1)
        assert venue.start("gateway") == "ready"
        assert logged_on(venue, 1) == "1"

"""Sessions by the clock: let in and out, reset when due, and only while the peer is away."""

from dataclasses import replace
from datetime import UTC, datetime

from touchline.config.schedule import Schedule
from touchline.fix.hours import Hours
from touchline.fix.settings import SessionSettings

ALWAYS = SessionSettings("A", "FIX.4.4", ("ACC1",))
DAILY = replace(ALWAYS, schedule=Schedule.read("UTC", "08:00", "17:00", None))
RESET = replace(ALWAYS, schedule=Schedule.read("UTC", None, None, "06:00"))
DAY = datetime(2026, 11, 30, tzinfo=UTC).timestamp()


class Venue:
    """What was said of the sessions, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.here: set[int] = set()
        self.hours = Hours(self._allow, self._reset, lambda number: number not in self.here)

    def _allow(self, number: int, settings: SessionSettings, whether: bool) -> None:
        self.said.append(f"{settings.comp_id} {'may' if whether else 'may not'}")

    def _reset(self, number: int) -> None:
        self.said.append(f"reset {number}")

    def look(self, hour: float) -> list[str]:
        """What is said at that hour of the day and was not before."""
        self.said = []
        self.hours.look(DAY + hour * 3600)
        return self.said


def test_a_session_without_hours_is_let_in_once_and_for_all() -> None:
    venue = Venue()
    venue.hours.take_up(0, ALWAYS, 0)
    assert [venue.look(hour) for hour in (0, 12, 36)] == [["A may"], [], []]


def test_a_session_is_let_in_and_out_at_its_hours() -> None:
    venue = Venue()
    venue.hours.take_up(0, DAILY, 0)
    said = [venue.look(hour) for hour in (7, 7.99, 8, 16.99, 17, 31.9, 32)]
    assert said == [["A may not"], [], ["A may"], [], ["A may not"], [], ["A may"]]


def test_a_disabled_session_stays_out_and_comes_back_when_enabled() -> None:
    venue = Venue()
    venue.hours.take_up(0, replace(ALWAYS, enabled=False), 0)
    assert venue.look(1) == ["A may not"]
    venue.hours.take_up(0, ALWAYS, 0)
    assert venue.look(2) == ["A may"]


def test_a_reset_that_was_missed_is_done_at_the_start_and_once_a_day() -> None:
    venue = Venue()
    venue.hours.take_up(0, RESET, int((DAY - 86400) * 1e9))
    assert venue.look(5) == ["reset 0", "A may"]
    assert [venue.look(hour) for hour in (5.9, 6, 6.1, 30)] == [[], ["reset 0"], [], ["reset 0"]]


def test_a_reset_waits_until_the_peer_has_left() -> None:
    venue = Venue()
    venue.hours.take_up(0, RESET, int(DAY * 1e9))
    assert venue.look(5) == ["A may"]
    venue.here = {0}
    assert venue.look(6) == ["A may not"]
    assert venue.look(6.1) == []
    venue.here = set()
    assert venue.look(6.2) == ["reset 0", "A may"]


def test_a_session_that_is_kept_out_comes_back_by_its_hours_alone() -> None:
    venue = Venue()
    venue.hours.take_up(0, DAILY, 0)
    assert venue.look(9) == ["A may"]
    venue.hours.keep_out(0)
    assert venue.look(10) == ["A may not"]
    venue.hours.take_up(0, DAILY, 0)  # also when the file is taken up meanwhile
    assert venue.look(11) == ["A may not"]
    venue.hours.let_in(0)
    assert venue.look(12) == ["A may"]
    venue.hours.keep_out(0)
    venue.hours.let_in(0)
    assert venue.look(18) == ["A may not"]

"""When a session is open and when its numbers start again, in the zone's own time."""

from datetime import UTC, datetime

import pytest

from touchline.config.schedule import Schedule, moment


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "8:00", "25:00", "08:60", "Mon08:00", "Monday 08:00", "08:00 ", "Sun 24:00", "-1:00"],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        moment(text)


def test_without_open_and_close_a_session_is_always_open() -> None:
    assert Schedule.read("UTC", None, None, None).is_open(utc("2026-11-29 03:00"))


def test_open_without_close_is_refused() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Schedule.read("UTC", "08:00", None, None)


def test_a_day_s_hours_in_their_zone() -> None:
    schedule = Schedule.read("Europe/London", "08:00", "17:00", None)
    winter = [
        schedule.is_open(utc(f"2026-11-27 {t}")) for t in ("07:59", "08:00", "16:59", "17:00")
    ]
    summer = [
        schedule.is_open(utc(f"2026-07-10 {t}")) for t in ("06:59", "07:00", "15:59", "16:00")
    ]
    assert winter == summer == [False, True, True, False]


def test_hours_over_midnight() -> None:
    schedule = Schedule.read("UTC", "22:00", "06:00", None)
    times = ("21:59", "22:00", "23:59", "00:00", "05:59", "06:00")
    assert [schedule.is_open(utc(f"2026-11-27 {t}")) for t in times] == [
        False, True, True, True, True, False,
    ]  # fmt: skip


def test_a_week_s_session() -> None:
    schedule = Schedule.read("America/New_York", "Sun 17:00", "Fri 17:00", None)
    assert not schedule.is_open(utc("2026-11-29 21:59"))  # Sunday 16:59
    assert schedule.is_open(utc("2026-11-29 22:00"))
    assert schedule.is_open(utc("2026-12-02 03:00"))
    assert schedule.is_open(utc("2026-12-04 21:59"))
    assert not schedule.is_open(utc("2026-12-04 22:00"))
    assert not schedule.is_open(utc("2026-12-05 12:00"))


def test_the_last_reset_of_a_day_and_of_a_week() -> None:
    daily = Schedule.read("Asia/Tokyo", None, None, "06:00")
    assert daily.last_reset(utc("2026-11-29 20:59")) == utc("2026-11-28 21:00")
    assert daily.last_reset(utc("2026-11-29 21:00")) == utc("2026-11-29 21:00")
    weekly = Schedule.read("UTC", None, None, "Sun 12:00")
    assert weekly.last_reset(utc("2026-11-29 11:59")) == utc("2026-11-22 12:00")
    assert Schedule.read("UTC", None, None, None).last_reset(utc("2026-11-29 11:59")) is None


def test_a_time_that_the_clocks_leave_out_or_have_twice() -> None:
    schedule = Schedule.read("Europe/London", "01:30", "17:00", None)
    assert not schedule.is_open(utc("2026-03-29 00:59"))
    assert schedule.is_open(utc("2026-03-29 01:30"))  # 02:30 there; 01:30 was left out
    assert schedule.is_open(utc("2026-10-25 00:30"))  # the first 01:30

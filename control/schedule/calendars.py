"""Trading days of the world's exchanges: exchange-calendars, a day at a time.

Whether there is trading on a day, when it opens, breaks and closes, and why not where the
calendar says so. Times are UTC. A calendar's file ends somewhere: who asks beyond is told so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from touchline.errors import ConfigError, TouchlineError

LOOK_BACK = timedelta(days=40)  # farther than any market was ever closed in a row


class CalendarEnds(TouchlineError):
    """The calendar does not know these days."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Day:
    """A day with trading; `shorter` when it is not as long as usual."""

    date: date
    zone: ZoneInfo
    open: datetime
    close: datetime
    break_start: datetime | None = None
    break_end: datetime | None = None
    shorter: bool = False


class Calendar:
    """The days of one exchange around a day. Raises ConfigError when there is no such calendar."""

    def __init__(self, name: str, around: date) -> None:
        import exchange_calendars
        from exchange_calendars.errors import CalendarError

        self.name = name
        try:
            self._days: Any = exchange_calendars.get_calendar(name, start=around - LOOK_BACK)
        except CalendarError as error:
            known = ", ".join(exchange_calendars.get_calendar_names(include_aliases=False))
            raise ConfigError(
                f"timetables.calendar: {name!r} is no calendar of exchange-calendars; there are "
                f"{known}"
            ) from error
        except ValueError as error:
            raise CalendarEnds(
                f"calendar {name} knows nothing of {around}; a newer exchange-calendars may"
            ) from error
        self.zone = ZoneInfo(str(self._days.tz))
        self.first: date = self._days.first_session.date()
        self.last: date = self._days.last_session.date()
        self._shorter = {day.date() for day in self._days.early_closes.union(self._days.late_opens)}

    def day(self, day: date) -> Day | None:
        """What the calendar says of a day: None when there is no trading. Raises CalendarEnds."""
        self._refuse_unknown(day)
        if not self._days.is_session(day.isoformat()):
            return None
        row = self._days.schedule.loc[day.isoformat()]
        times = {name: _time(row[name]) for name in ("open", "close", "break_start", "break_end")}
        opens, closes = times["open"], times["close"]
        assert opens is not None
        assert closes is not None
        return Day(
            day, self.zone, opens, closes, times["break_start"], times["break_end"],
            day in self._shorter,
        )  # fmt: skip

    def reason(self, day: date) -> str:
        """Why there is no trading: a holiday's name where the calendar has it."""
        if day.weekday() not in self._weekdays():
            return "weekend"
        named = self._days.regular_holidays
        if named is not None:
            found = named.holidays(start=day, end=day, return_name=True)
            if len(found):
                return str(found.iloc[0])
        return "holiday"

    def _weekdays(self) -> list[int]:
        return [number for number, mark in enumerate(self._days.weekmask) if mark == "1"]

    def _refuse_unknown(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise CalendarEnds(
                f"calendar {self.name} knows {self.first} to {self.last}, not {day}; "
                "a newer exchange-calendars may"
            )


def _time(value: Any) -> datetime | None:
    """A time of pandas, which may be NaT."""
    found: datetime | None = None if value != value else value.to_pydatetime().astimezone(UTC)
    return found

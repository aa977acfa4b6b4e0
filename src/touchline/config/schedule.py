"""When a session is open and when its numbers go back to 1: times of day or of the week, in a zone.

A moment is "08:00", every day, or "Sun 17:00", once a week. Between open and close the session may
be logged on; without both it always may. Times are the zone's own, so that they stay where they are
when its clocks change: a time that a spring night leaves out counts as the first after it, one that
an autumn night has twice as the first of the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOMENT = re.compile(r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(\d\d):(\d\d)(?::(\d\d))?")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of day; `day` None: of every day, else 0 (Monday) to 6."""

    at: time
    day: int | None = None

    def last(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The latest such moment that is not after `now`, in UTC."""
        local = now.astimezone(zone)
        for back in range(9):
            date = local.date() - timedelta(days=back)
            if self.day is None or date.weekday() == self.day:
                found = datetime.combine(date, self.at, zone).astimezone(UTC)
                if found <= now:
                    return found
        raise AssertionError("a moment of the week comes within eight days")


def moment(text: str) -> Moment:
    """Read a moment; ValueError when it is none."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError('is no time such as "08:00", "17:30:15" or "Sun 17:00"')
    day, hour, minute, second = match.groups()
    try:
        at = time(int(hour), int(minute), int(second or 0))
    except ValueError as error:
        raise ValueError(f"is no time of day: {error}") from None
    return Moment(at, None if day is None else DAYS.index(day))


@dataclass(frozen=True, slots=True)
class Schedule:
    """`open` and `close` both or neither; `reset` when the numbers start again."""

    zone: ZoneInfo
    open: Moment | None = None
    close: Moment | None = None
    reset: Moment | None = None

    @classmethod
    def read(cls, zone: str, open: str | None, close: str | None, reset: str | None) -> Schedule:
        """A schedule from texts; ValueError when one is no moment, or open is without close."""
        if (open is None) != (close is None):
            raise ValueError("open and close belong together: give both or neither")
        moments = (None if text is None else moment(text) for text in (open, close, reset))
        return cls(ZoneInfo(zone), *moments)

    def is_open(self, now: datetime) -> bool:
        """Whether the session may be logged on at `now` (aware)."""
        if self.open is None or self.close is None:
            return True
        return self.open.last(now, self.zone) > self.close.last(now, self.zone)

    def last_reset(self, now: datetime) -> datetime | None:
        """When the numbers should have been reset last; None: they never are by themselves."""
        return None if self.reset is None else self.reset.last(now, self.zone)

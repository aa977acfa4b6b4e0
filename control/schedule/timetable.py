"""A timetable over a calendar's days: which change of phase comes when. Pure functions.

TimetableSection, Day ──► changes_of(day): times in order ──► Plan: last before, first after
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from touchline.config import Config
from touchline.config.timetable import At, PhaseSection, TimetableSection, read_at, symbols_of
from touchline.control.schedule.calendars import LOOK_BACK, Calendar, Day
from touchline.core.messages import TradingStatus

_OPEN_ONLY = (
    TradingStatus.READY_TO_TRADE, TradingStatus.VOLATILITY_AUCTION, TradingStatus.CLOSING_AUCTION,
    TradingStatus.CLOSING_PRICE,
)  # fmt: skip
_AFTER_CLOSE = (TradingStatus.CLOSED, TradingStatus.CLOSING_PRICE, TradingStatus.HALTED)
LOOK_AHEAD = timedelta(days=14)
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Change:
    """Into a phase at a time, nanoseconds since the epoch; of an auction the window of its end."""

    ts_ns: int
    status: TradingStatus
    window_s: int = 0
    expire_day_orders: bool = False

    @property
    def time(self) -> datetime:
        """To the second, UTC."""
        return datetime.fromtimestamp(self.ts_ns // SECOND_NS, UTC)


def changes_of(table: TimetableSection, day: Day) -> list[Change]:
    """A day's changes in order of time.

    On a day that is shorter than usual what ends trading at a time after the close does so at the
    close, and what else was to come after it is left out; what opens at a time before the open does
    so at the open.
    """
    found = []
    for phase in table.all_phases:
        status = TradingStatus[phase.phase.upper().replace("-", "_")]
        when = _when(read_at(phase.at), day, status)
        if when is not None:
            found.append(_change(phase, status, when))
    return sorted(found, key=lambda change: (change.ts_ns, change.status in _AFTER_CLOSE))


def _change(phase: PhaseSection, status: TradingStatus, when: datetime) -> Change:
    ts_ns = int(when.timestamp()) * SECOND_NS
    return Change(ts_ns, status, phase.window_s, phase.expire_day_orders)


def _when(at: At, day: Day, status: TradingStatus) -> datetime | None:
    if at.anchor == "clock":
        found = datetime.combine(day.date, at.clock, day.zone).astimezone(UTC)
        if day.shorter and found > day.close:
            return day.close if status in _AFTER_CLOSE else None
        return day.open if day.shorter and found < day.open and status in _OPEN_ONLY else found
    anchors = {
        "open": day.open, "close": day.close, "break": day.break_start, "break-end": day.break_end,
    }  # fmt: skip
    anchor = anchors[at.anchor]
    return None if anchor is None else anchor + at.offset


class Plan:
    """A timetable, its calendar and the instruments that follow it."""

    def __init__(self, table: TimetableSection, symbols: Sequence[str], around: date) -> None:
        self.table = table
        self.symbols = list(symbols)
        self.calendar = Calendar(table.calendar, around)

    def between(self, first: date, last: date) -> Iterator[Change]:
        """Changes of the days from `first` to `last`, in order of time."""
        changes = []
        for number in range((last - first).days + 1):
            day = self.calendar.day(first + timedelta(days=number))
            changes += [] if day is None else changes_of(self.table, day)
        yield from sorted(changes, key=lambda change: change.ts_ns)

    def around(self, ts_ns: int) -> tuple[list[Change], list[Change]]:
        """The changes of some days before a time, of which the last is due, and of some after it,
        as far as the calendar knows them. Raises CalendarEnds when it does not know the day."""
        today = datetime.fromtimestamp(ts_ns / SECOND_NS, UTC).date()
        first = max(self.calendar.first, today - LOOK_BACK / 2)
        self.calendar.day(today)
        changes = list(self.between(first, min(self.calendar.last, today + LOOK_AHEAD)))
        past = [change for change in changes if change.ts_ns <= ts_ns]
        return past, changes[len(past) :]


def plans_of(config: Config, around: date) -> list[Plan]:
    """The configured timetables. Raises ConfigError for a calendar that there is not."""
    symbols = symbols_of(config.timetables, (one.symbol for one in config.instruments))
    return [Plan(table, of, around) for table, of in zip(config.timetables, symbols, strict=True)]

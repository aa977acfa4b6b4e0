"""The sections of timetables: which phase an instrument is in, at what time of a trading day."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from touchline.config.base import Section
from touchline.config.schedule import moment
from touchline.config.values import Name

Loc = tuple[str | int, ...]
PhaseName = Literal[
    "pre-open", "opening-auction", "ready-to-trade", "volatility-auction", "closing-auction",
    "closing-price", "halted", "closed",
]  # fmt: skip
Anchor = Literal["open", "close", "break", "break-end", "clock"]
AROUND_THE_CLOCK = "24/7"
OFFSET_MAX = timedelta(hours=24)
_AT = re.compile(r"(open|close|break-end|break)(?:([+-])(\d{1,5})([smh]))?")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class At:
    """A time of a trading day: so much after `anchor`, or, with "clock", at a time of day."""

    anchor: Anchor
    offset: timedelta = timedelta()
    clock: time = time()


def read_at(text: str) -> At:
    """ "open-30m", "close", "break-end+10s" or "09:15"; ValueError when it is none of these."""
    match = _AT.fullmatch(text)
    if match is not None:
        anchor, sign, count, unit = match.groups()
        seconds = int(count) * _UNITS[unit] if sign else 0
        offset = timedelta(seconds=-seconds if sign == "-" else seconds)
        if abs(offset) > OFFSET_MAX:
            raise ValueError("is more than 24 hours away from it")
        return At(anchor, offset)  # type: ignore[arg-type]
    try:
        found = moment(text)
    except ValueError:
        found = None
    if found is None or found.day is not None:
        raise ValueError('is no time of a trading day such as "open-30m", "close" or "09:15"')
    return At("clock", clock=found.at)


def _at(text: str) -> str:
    read_at(text)
    return text


class PhaseSection(Section):
    """[[timetables.phases]]: into this phase at this time; an auction's end is drawn from the
    window of `window_s` after the time it is due (rule 9.6)."""

    at: Annotated[str, AfterValidator(_at)]
    phase: PhaseName
    window_s: int = Field(default=0, ge=0, le=3600)
    expire_day_orders: bool = False


USUAL_PHASES = (
    PhaseSection(at="open-30m", phase="pre-open"),
    PhaseSection(at="open-10m", phase="opening-auction"),
    PhaseSection(at="open", phase="ready-to-trade"),
    PhaseSection(at="break", phase="closed"),
    PhaseSection(at="break-end", phase="ready-to-trade"),
    PhaseSection(at="close", phase="closing-auction"),
    PhaseSection(at="close+5m", phase="closed", expire_day_orders=True),
)
ALWAYS_OPEN = (PhaseSection(at="open", phase="ready-to-trade"),)


class TimetableSection(Section):
    """[[timetables]]: the days of `calendar`, for these instruments; none named: for all that no
    other timetable names."""

    calendar: Name
    instruments: tuple[Name, ...] = ()
    phases: tuple[PhaseSection, ...] = ()

    @property
    def all_phases(self) -> tuple[PhaseSection, ...]:
        """Those given, or the usual ones."""
        usual = ALWAYS_OPEN if self.calendar == AROUND_THE_CLOCK else USUAL_PHASES
        return self.phases or usual


def symbols_of(tables: Iterable[TimetableSection], symbols: Iterable[str]) -> list[list[str]]:
    """By timetable, which of the symbols follow it."""
    tables = list(tables)
    named = {symbol for table in tables for symbol in table.instruments}
    rest = [symbol for symbol in symbols if symbol not in named]
    return [list(table.instruments) or rest for table in tables]


def timetable_problems(
    tables: list[tuple[int, TimetableSection]], symbols: set[str]
) -> Iterator[tuple[Loc, str]]:
    """An instrument in two tables or in none that is configured; a time that stands twice."""
    seen: dict[str, int] = {}
    for index, table in tables:
        loc = ("timetables", index)
        for symbol in table.instruments:
            first = seen.setdefault(symbol, index)
            if symbol not in symbols:
                known = ", ".join(sorted(symbols)) or "none"
                yield (
                    (*loc, "instruments"),
                    f"{symbol!r} is no instrument; [[instruments]] names {known}",
                )
            elif first != index or table.instruments.count(symbol) > 1:
                yield (*loc, "instruments"), f"{symbol!r} has a timetable already"
        if not table.instruments:
            first = seen.setdefault("", index)
            if first != index:
                yield (
                    (*loc, "instruments"),
                    f"are missing: timetables[{first + 1}] is for all the others",
                )
        times = [phase.at for phase in table.phases]
        for at in sorted({at for at in times if times.count(at) > 1}):
            yield (*loc, "phases"), f"{at} stands there twice"
        for number, phase in enumerate(table.phases):
            if phase.window_s and not phase.phase.endswith("-auction"):
                yield (
                    (*loc, "phases", number, "window_s"),
                    f"is for auctions, not for {phase.phase}",
                )

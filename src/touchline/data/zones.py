"""Times of an exchange and UTC, in whole nanoseconds: arrays in, arrays out, nothing rounded.

A local time is nanoseconds since 1970-01-01T00:00 on the zone's clock. Offsets come from zoneinfo.
A local time that the clock skips does not exist, and one that it shows twice means two: both are
refused, the second unless `fold` says which is meant.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import ArrayLike, NDArray

from touchline.errors import TouchlineError

Times = NDArray[np.int64]

NS_PER_S = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = datetime(1970, 1, 1)
_BIN_S = 900  # a zone's clock is moved at most once in it
_SECONDS_MAX = 9_000_000_000  # beyond the last nanosecond that 64 bits can count


def zone(name: str) -> ZoneInfo:
    """The time zone of this name. Raises TouchlineError when the machine knows none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise TouchlineError(f"{name!r} is no time zone, as in 'America/New_York'") from error


def midnight_ns(day: date | str, name: str) -> int:
    """UTC nanoseconds of the moment a day begins in a zone. `day`: a date or "2019-12-30"."""
    try:
        day = date.fromisoformat(day) if isinstance(day, str) else day
    except ValueError as error:
        raise TouchlineError(f"day {day!r} is no date like 2019-12-30") from error
    begins = datetime(day.year, day.month, day.day, tzinfo=zone(name))
    return _whole_seconds(begins - _EPOCH) * NS_PER_S


def to_local_ns(utc_ns: ArrayLike, name: str) -> Times:
    """What the zone's clock shows at these moments. Raises TouchlineError for an unknown zone."""
    times = _times(utc_ns)
    where = zone(name)

    def offset(second: int) -> int:
        moment = (_EPOCH + timedelta(seconds=second)).astimezone(where)
        shown = moment.utcoffset()
        assert shown is not None
        return _whole_seconds(shown)

    return times + _offsets(times, offset) * NS_PER_S


def to_utc_ns(local_ns: ArrayLike, name: str, *, fold: int | None = None) -> Times:
    """The moments at which the zone's clock shows these times.

    `fold` 0 takes the first of two moments at which it shows a time, 1 the second. Raises
    TouchlineError for a time that it never shows, and for one it shows twice without `fold`.
    """
    times = _times(local_ns)
    where = zone(name)

    def offset(second: int) -> int:
        wall = _WALL_EPOCH + timedelta(seconds=second)
        first, second_one = (_offset_of(wall, where, which) for which in (0, 1))
        if first == second_one:
            return first
        if first < second_one:
            raise TouchlineError(f"{name}: the clock never shows {wall.isoformat()}")
        if fold is None:
            raise TouchlineError(
                f"{name}: the clock shows {wall.isoformat()} twice; fold=0 or 1 says which is meant"
            )
        return second_one if fold else first

    return times - _offsets(times, offset) * NS_PER_S


def _offset_of(wall: datetime, where: ZoneInfo, fold: int) -> int:
    shown = wall.replace(tzinfo=where, fold=fold).utcoffset()
    assert shown is not None
    return _whole_seconds(shown)


def _whole_seconds(span: timedelta) -> int:
    return span.days * 86_400 + span.seconds


def _times(values: ArrayLike) -> Times:
    found = np.atleast_1d(np.asarray(values))
    if found.dtype.kind == "M":
        found = found.astype("datetime64[ns]").view(np.int64)
    if found.dtype.kind not in "iu":
        raise TypeError(f"times of dtype {found.dtype} are no whole nanoseconds")
    return found.astype(np.int64)


def _offsets(times: Times, offset: object) -> Times:
    """The offset of each time, in seconds; asked once where a quarter of an hour has only one."""
    assert callable(offset)
    seconds = times // NS_PER_S
    bins, member = np.unique(seconds // _BIN_S, return_inverse=True)
    same = np.ones(len(bins), bool)
    values = np.zeros(len(bins), np.int64)
    for i, start in enumerate((bins * _BIN_S).tolist()):
        try:
            values[i] = offset(start)
            same[i] = offset(start + _BIN_S - 1) == values[i]
        except TouchlineError:
            same[i] = False
    found = values[member]
    for i in np.flatnonzero(~same[member]).tolist():
        found[i] = offset(int(seconds[i]))
    return found

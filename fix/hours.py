"""Sessions by the clock: logged out when their hours end, their numbers back to 1 when due.

A reset waits until the peer is away, and keeps it away until it is done. Looked at once a second;
the hours themselves are in touchline.config.schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from touchline.fix.settings import SessionSettings

SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class _Hours:
    settings: SessionSettings
    created_ns: int  # when the numbers were last at 1
    allowed: bool | None = None  # as it was said last


class Hours:
    """`allow(number, settings, whether)` lets a session in or out, `reset(number)` sets both its
    numbers to 1, `is_away(number)` tells whether its peer is."""

    def __init__(
        self,
        allow: Callable[[int, SessionSettings, bool], None],
        reset: Callable[[int], None],
        is_away: Callable[[int], bool],
    ) -> None:
        self._allow = allow
        self._reset = reset
        self._is_away = is_away
        self._sessions: dict[int, _Hours] = {}
        self._kept_out: set[int] = set()

    def keep_out(self, number: int) -> None:
        """Whatever its hours are, a session is to be away; said at look()."""
        self._kept_out.add(number)

    def let_in(self, number: int) -> None:
        """Its hours hold again."""
        self._kept_out.discard(number)

    def take_up(self, number: int, settings: SessionSettings, created_ns: int) -> None:
        """A session, or what is configured of it now. It is said who may come in at look()."""
        known = self._sessions.get(number)
        self._sessions[number] = _Hours(settings, known.created_ns if known else created_ns)

    def look(self, now_s: float) -> None:
        """Say what has changed by `now_s`, in seconds since 1970."""
        now = datetime.fromtimestamp(now_s, UTC)
        for number, hours in self._sessions.items():
            schedule = hours.settings.schedule
            due = schedule.last_reset(now)
            reset_due = due is not None and due.timestamp() * SECOND_NS > hours.created_ns
            if reset_due and self._is_away(number):
                self._reset(number)
                hours.created_ns = int(now_s * SECOND_NS)
                reset_due = False
            allowed = hours.settings.enabled and schedule.is_open(now) and not reset_due
            allowed = allowed and number not in self._kept_out
            if allowed != hours.allowed:
                hours.allowed = allowed
                self._allow(number, hours.settings, allowed)

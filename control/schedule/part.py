"""The part `schedule`: moves instruments from phase to phase when their timetable says so.

    Plan ──► the latest change that is due ──► SECURITY_STATUS, as an operator's ──► schedule.json

At its start it does the latest change that is due and was not done, before any door is open; a
change that was missed and is past is not made up for. An operator's command holds until the next
change. An instrument that is halted is moved to CLOSED alone, one that is held nowhere. While the
engine does not believe the host's clock nothing is done by it. An auction whose end is drawn
refuses what comes too early, and is asked again.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from touchline.config import Config
from touchline.control.schedule.calendars import CalendarEnds
from touchline.control.schedule.record import read_done, read_held, write_done
from touchline.control.schedule.timetable import SECOND_NS, Change, Plan, plans_of
from touchline.control.supervisor.admin import Admin, NotRunning, Refused, Unanswered
from touchline.control.supervisor.statuses import BATCH, Statuses
from touchline.control.supervisor.ticker import beat, signs_of_life
from touchline.core.messages import Reason, TradingStatus
from touchline.errors import describe
from touchline.runtime.bus import Bus
from touchline.runtime.journal import JournalReader

LOOK_S = 0.2
AHEAD_DAYS = 30  # a calendar that ends sooner is told of
log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]


class Schedule:
    """Who follows which timetable, and how far each is."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._data_dir = config.venue.data_dir
        self._plans = plans_of(config, datetime.now(UTC).date())
        self._done = read_done(self._data_dir)
        self._statuses = Statuses()
        self._reader = JournalReader(str(config.journal_dir))
        self._told: set[str] = set()
        self._looked_ns = 0
        self._spans: dict[int, tuple[Change | None, int]] = {}  # by plan: what is due until when

    def close(self) -> None:
        self._reader.close()

    def step(self, now_ns: int, bus: Bus) -> None:
        """Do what is due at this time; what the engine refuses for now is tried again."""
        if bus.status()["clock_step_ns"]:
            self._say("the host's clock is not believed: no change is made by it")
            return
        if now_ns // (3600 * SECOND_NS) != self._looked_ns // (3600 * SECOND_NS):
            self._renew(now_ns)
        held = set(read_held(self._data_dir))
        for number, plan in enumerate(self._plans):
            due, until_ns = self._spans.get(number, (None, 0))
            if now_ns >= until_ns:
                due, _ = self._spans[number] = self._span(plan, now_ns)
            if due is not None:
                self._do(plan, due, held)

    def _span(self, plan: Plan, now_ns: int) -> tuple[Change | None, int]:
        """The change that is due, and until when it is."""
        try:
            due, later = plan.around(now_ns)
        except CalendarEnds as error:
            self._say(str(error))
            return None, now_ns + 60 * SECOND_NS
        return due, later[0].ts_ns if later else now_ns + 60 * SECOND_NS

    def _renew(self, now_ns: int) -> None:
        """Calendars, hour by hour; and a word while there is time to get a newer one."""
        today = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).date()
        if self._looked_ns:
            self._plans = plans_of(self._config, today)
            self._spans.clear()
        self._looked_ns = now_ns
        for plan in self._plans:
            if (plan.calendar.last - today).days < AHEAD_DAYS:
                last = plan.calendar.last
                self._say(f"calendar {plan.calendar.name} ends on {last}: install a newer one")

    def _do(self, plan: Plan, due: Change, held: set[str]) -> None:
        behind = [symbol for symbol in plan.symbols if self._done.get(symbol, 0) < due.ts_ns]
        waiting = [symbol for symbol in behind if symbol not in held]
        if not waiting:
            return
        halted = self._halted()
        words = f"schedule {plan.table.calendar} {due.status.name}"
        with Admin(self._config, words=words) as admin:
            for symbol in waiting:
                stays = symbol in halted and due.status != TradingStatus.CLOSED
                if stays:
                    log.info("halted: stays so", extra={"facts": _facts(symbol, due)})
                if stays or self._move(admin, plan, symbol, due):
                    self._done[symbol] = due.ts_ns
        write_done(self._data_dir, self._done)

    def _move(self, admin: Admin, plan: Plan, symbol: str, due: Change) -> bool:
        """Whether it is done with."""
        lasts_s = 0.0
        if due.window_s:
            _, later = plan.around(due.ts_ns)
            lasts_s = max(0.0, (later[0].ts_ns - time.time_ns()) / SECOND_NS) if later else 0.0
        seed = secrets.randbits(64)
        try:
            admin.phase(symbol, due.status, lasts_s, due.window_s, seed if due.window_s else 0)
            if due.expire_day_orders:
                admin.mass_cancel(symbol, end_of_day=True)
        except Refused as error:
            facts = {**_facts(symbol, due), "error": describe(error)}
            if error.reason == Reason.TOO_EARLY:
                self._say("the auction's drawn end is still to come", facts)
                return False
            log.error("phase refused", extra={"facts": facts})
            return True
        log.info("phase", extra={"facts": _facts(symbol, due)})
        return True

    def _halted(self) -> list[str]:
        while len(commands := self._reader.read(BATCH)):
            self._statuses.learn(commands)
        return self._statuses.halted

    def _say(self, what: str, facts: dict[str, Any] | None = None) -> None:
        """Once, not at each look."""
        key = f"{what} {(facts or {}).get('symbol', '')} {(facts or {}).get('due', '')}"
        if key not in self._told:
            self._told.add(key)
            log.warning(what, extra={"facts": facts or {}})


def _facts(symbol: str, due: Change) -> dict[str, Any]:
    return {"symbol": symbol, "phase": due.status.name, "due": due.time.isoformat()}


def run(config: Config, stop: threading.Event, tell: Tell) -> int:
    """Follow the timetables until told to stop. Raises ConfigError, RecordDamaged, OSError."""
    schedule = Schedule(config)
    started = False
    try:
        with signs_of_life(lambda count: tell({"beat": count})):
            while not stop.is_set():
                try:
                    with Bus.attach(str(config.bus_path)) as bus:
                        while not stop.is_set() and not bus.detached:
                            beat()
                            schedule.step(time.time_ns(), bus)
                            if not started:
                                tell({"started": True})
                                started = True
                            stop.wait(LOOK_S)
                except (NotRunning, Unanswered, FileNotFoundError, BlockingIOError):
                    stop.wait(LOOK_S)  # the engine is on its way back
    finally:
        schedule.close()
    return 0

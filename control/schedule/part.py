"""The part `schedule`: moves instruments from phase to phase when their timetable says so.

    Plan ──► the latest change that is due ──► SECURITY_STATUS, as an operator's ──► schedule.json

At its start it does the latest change that is due and was not done, before any door is open; one
that was missed and is past is not made up for, but Day orders that it was to expire are. An
operator's command holds until the next change. An instrument that is halted is moved to CLOSED
alone, one that is held nowhere. While the engine does not believe the host's clock nothing is done
by it. An auction whose end is drawn refuses what comes too early, and is asked again.
"""

from __future__ import annotations

import logging
import math
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
FRESH_NS = SECOND_NS  # a heartbeat: a parked engine has one ten times a second
RECORD_EVERY = 64
PATIENCE_S = 5.0
AHEAD_DAYS = 30  # a calendar that ends sooner is told of
log = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]


class Schedule:
    """Who follows which timetable, and how far each is."""

    def __init__(self, config: Config, tell: Tell) -> None:
        self._config, self._tell = config, tell
        self._data_dir = config.venue.data_dir
        self._plans = plans_of(config, datetime.now(UTC).date())
        self._done = read_done(self._data_dir)
        self._statuses = Statuses()
        self._reader = JournalReader(str(config.journal_dir))
        self._told: set[str] = set()
        self._looked_ns = 0
        self._spans: dict[int, tuple[list[Change], int]] = {}  # by plan: what is past, until when
        self._first = True

    def close(self) -> None:
        self._reader.close()

    def step(self, now_ns: int, status: dict[str, Any], stop: threading.Event) -> bool:
        """Do what is due at this time; what the engine refuses for now is tried again. False while
        it is not known what time it is."""
        self._read_on()
        # The engine judges the host's clock at each of its heartbeats: one that it has not seen
        # yet may be wrong.
        if status["clock_step_ns"] or abs(now_ns - status["heartbeat_ns"]) > FRESH_NS:
            self._say("the host's clock is not believed: no change is made by it")
            return False
        if now_ns // (3600 * SECOND_NS) != self._looked_ns // (3600 * SECOND_NS):
            self._renew(now_ns)
        held = set(read_held(self._data_dir))
        for number, plan in enumerate(self._plans):
            past, until_ns = self._spans.get(number, ([], 0))
            if now_ns >= until_ns or (past and now_ns < past[-1].ts_ns):
                past, _ = self._spans[number] = self._span(plan, now_ns)
            if past:
                self._do(plan, past, held, now_ns, stop)
        self._first = False
        return True

    def _span(self, plan: Plan, now_ns: int) -> tuple[list[Change], int]:
        """The changes that are past, and until when the last of them is due."""
        try:
            past, later = plan.around(now_ns)
        except CalendarEnds as error:
            self._say(str(error))
            return [], now_ns + 60 * SECOND_NS
        return past, later[0].ts_ns if later else now_ns + 60 * SECOND_NS

    def _renew(self, now_ns: int) -> None:
        """Calendars, hour by hour; and a word while there is time to get a newer one."""
        today = datetime.fromtimestamp(now_ns // SECOND_NS, UTC).date()
        if self._looked_ns:
            try:
                self._plans = plans_of(self._config, today)
            except CalendarEnds as error:
                self._say(str(error))
            self._spans.clear()
        self._looked_ns = now_ns
        for plan in self._plans:
            if (plan.calendar.last - today).days < AHEAD_DAYS:
                last = plan.calendar.last
                self._say(f"calendar {plan.calendar.name} ends on {last}: install a newer one")

    def _do(
        self, plan: Plan, past: list[Change], held: set[str], now_ns: int, stop: threading.Event
    ) -> None:
        due = past[-1]
        waiting = [one for one in plan.symbols if self._is_behind(one, due, now_ns, held)]
        if not waiting:
            return
        halted = self._statuses.halted
        words = f"schedule {plan.table.calendar} {due.status.name}"
        done = 0
        try:
            with Admin(self._config, words=words) as admin:
                for symbol in waiting:
                    beat()
                    if stop.is_set():
                        break
                    if self._first:
                        self._expire_missed(admin, symbol, past)
                    stays = symbol in halted and due.status != TradingStatus.CLOSED
                    if stays:
                        log.info("halted: stays so", extra={"facts": _facts(symbol, due)})
                    if stays or self._move(admin, plan, symbol, due):
                        self._done[symbol] = due.ts_ns
                        done += 1
                        if done % RECORD_EVERY == 0:
                            write_done(self._data_dir, self._done)
        finally:
            if done % RECORD_EVERY:
                write_done(self._data_dir, self._done)

    def _is_behind(self, symbol: str, due: Change, now_ns: int, held: set[str]) -> bool:
        done = self._done.get(symbol, 0)
        if done > now_ns:  # by a clock that was wrong then
            self._say(f"{symbol}: schedule.json holds a time to come; it is not believed")
            done = 0
        return done < due.ts_ns and symbol not in held

    def _expire_missed(self, admin: Admin, symbol: str, past: list[Change]) -> None:
        """Day orders whose day ended while nobody was there to say so end before anything else."""
        since = self._done.get(symbol, 0)
        if since and any(one.expire_day_orders and since < one.ts_ns for one in past[:-1]):
            admin.mass_cancel(symbol, end_of_day=True)
            log.info("Day orders of a day that is over", extra={"facts": {"symbol": symbol}})

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
            if error.reason in (None, Reason.TOO_EARLY):  # not listed yet, or still to come
                self._say("it is tried again", facts)
                return False
            log.error("phase refused", extra={"facts": facts})
            return True
        log.info("phase", extra={"facts": _facts(symbol, due)})
        return True

    def _read_on(self) -> None:
        """What is halted, by the journal as far as it goes."""
        while len(commands := self._reader.read(BATCH)):
            beat()
            if self._first:
                self._tell({"progress": self._reader.next_seq - 1, "of": self._reader.next_seq - 1})
            self._statuses.learn(commands)

    def _say(self, what: str, facts: dict[str, Any] | None = None) -> None:
        """Once, not at each look."""
        key = f"{what} {(facts or {}).get('symbol', '')} {(facts or {}).get('due', '')}"
        if key not in self._told:
            self._told.add(key)
            log.warning(what, extra={"facts": facts or {}})


def _facts(symbol: str, due: Change) -> dict[str, Any]:
    return {"symbol": symbol, "phase": due.status.name, "due": due.time.isoformat()}


class _Quiet:
    """Says once why nothing can be sent, when that lasts."""

    def __init__(self) -> None:
        self._since: float | None = None

    def went_well(self) -> None:
        self._since = None

    def failed(self, error: Exception) -> None:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since > PATIENCE_S:
            log.warning("no change can be sent", extra={"facts": {"error": describe(error)}})
            self._since = math.inf


def run(config: Config, stop: threading.Event, tell: Tell) -> int:
    """Follow the timetables until told to stop. Raises ConfigError, RecordDamaged, OSError."""
    schedule, quiet, started = Schedule(config, tell), _Quiet(), False
    try:
        with signs_of_life(lambda count: tell({"beat": count})):
            while not stop.is_set():
                beat()
                try:
                    with Bus.attach(str(config.bus_path)) as bus:
                        while not stop.is_set() and not bus.detached:
                            beat()
                            # The time first: a heartbeat that is older has not seen it.
                            now_ns = time.time_ns()
                            status = bus.status()
                            known = schedule.step(now_ns, status, stop)
                            quiet.went_well()
                            if not started and (known or status["clock_step_ns"]):
                                tell({"started": True})
                                started = True
                            stop.wait(LOOK_S)
                except (NotRunning, Unanswered, FileNotFoundError, BlockingIOError) as error:
                    quiet.failed(error)  # the engine is on its way back, or the lane is taken
                    stop.wait(LOOK_S)
    finally:
        schedule.close()
    return 0

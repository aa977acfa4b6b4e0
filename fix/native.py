"""The gateway whose sessions and codec are in C: it opens, serves until told to stop, and closes.

The acceptor's loop (touchline.wire.fix_server) runs in a thread of its own without the GIL; no
message passes through here. The caller's thread answers its questions about Logons, tells it names
and, when the ring went past it, events out of the journal, and watches that it goes round. On
opening, everything known is built from the journal, and what was not reported yet goes into the
store.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from touchline.config import SESSIONS_MAX
from touchline.core.capacities import EngineCapacities
from touchline.core.messages import LANE_FIX, Text
from touchline.errors import SessionError, TouchlineError
from touchline.fix.books import LateBooks
from touchline.fix.entrance import LOGON_BYTES_MAX, Entrance, newcomers
from touchline.fix.hours import Hours
from touchline.fix.loops import (
    BEAT_LOOKS,
    REPLAY_AT_ONCE,
    Rounds,
    Supply,
    Tell,
    Threads,
    catch_up,
)
from touchline.fix.notices import Notice, Notices
from touchline.fix.opening import ENGINE_WAIT_S, WATCH_S, drain, running_bus
from touchline.fix.operators import Operators
from touchline.fix.orders import report_key
from touchline.fix.origin import Origin, bus_identity, read_origin, write_origin
from touchline.fix.presence import Presence
from touchline.fix.renumber import ROUNDS, Renumber
from touchline.fix.settings import GatewaySettings, SessionSettings
from touchline.runtime.directory import Directory
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import Replay
from touchline.wire.fix_server import FixServer

Sessions = tuple[SessionSettings, ...]

LOG = logging.getLogger("touchline.fix")
MANY_SESSIONS = 256  # more are looked at less often
TEXTS_AT_ONCE = 1 << 16
SUPPLY_AT_ONCE = 4096
SEGMENT_BYTES = 16 << 20
ANSWER_S = 0.5  # a request waits for the engine so long before it is told that it is not there
NAMES = (Text.SYMBOL, Text.TICK_SIZE, Text.LOT_SIZE, Text.ACCOUNT, Text.SESSION)


def _market_data(sessions: Sessions) -> bool:
    """May any of them have market data?"""
    return any("market-data" in session.permissions for session in sessions)


class NativeGateway:
    """One acceptor with its sessions. Use as a context manager; `address` is where it listens."""

    def __init__(
        self, settings: GatewaySettings, stop: threading.Event, tell: Tell = lambda facts: None
    ) -> None:
        self.address: tuple[str, int] = (settings.host, settings.port)
        self._settings = settings
        self._stop = stop
        self._tell = tell
        self._cleanup = contextlib.ExitStack()
        self._names = Directory()
        self._later: Sessions = ()
        self._hours = Hours(self._allow, self._reset, self._is_away)
        self._supply = Supply("the gateway", LOG, settings.bus_path, settings.journal_dir, stop)
        self._texts: list[NDArray[np.void]] = []
        self._rounds = Rounds()
        self._looks = 0
        self._logged_on: list[str] | None = None
        self._market_fault: str | None = None
        self._market_wanted = False
        self._presence = Presence(settings.fix_dir)

    def __enter__(self) -> NativeGateway:
        with self._cleanup:
            self._open()
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()

    # Opening

    def _open(self) -> None:
        settings, cleanup = self._settings, self._cleanup
        for directory in (settings.fix_dir, settings.native_dir, settings.log_dir):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._entrance = Entrance(settings)
        cleanup.callback(self._entrance.close)
        self.address = self._entrance.address
        self._bus = cleanup.enter_context(running_bus(settings.bus_path, self._stop))
        self._lane = cleanup.enter_context(self._bus.lane(LANE_FIX))
        drain(self._bus, self._lane)
        self._reader = cleanup.enter_context(JournalReader(settings.journal_dir))
        self._wait_for_names()
        self._server = cleanup.enter_context(self._new_server())
        self._books = LateBooks(settings, self._server, self._book_sizes)
        self._take_up_sessions(settings.sessions, self._marks())
        self._hours.look(self._server.utc_s())
        self._tell_names()
        next_event = self._catch_up()
        self._entrance.listen(self._server)
        cleanup.callback(self._write_presence)
        sessions = self._entrance.sessions
        renumber = Renumber(self._server, sessions, self._hours, self._write_presence)
        asks = {"reset-seq": renumber.ask, "news": Notices(sessions, self._send_news).ask}
        self._operators = Operators(settings.fix_dir, asks)
        cleanup.callback(self._operators.close)
        self._threads = Threads(cleanup)
        self._threads.run("fix-loop", lambda: self._server.run(next_event), settings.cpu)
        cleanup.callback(self._server.stop)
        cleanup.callback(self._supply.close)
        cleanup.callback(self._books.close)

    def _wait_for_names(self) -> None:
        """Wait until the journal has a number for every configured session and account."""
        settings = self._settings
        sessions = {configured.comp_id for configured in settings.sessions}
        accounts = {name for configured in settings.sessions for name in configured.accounts}
        for _ in range(int(ENGINE_WAIT_S / WATCH_S)):
            self._read_texts()
            known = self._names
            if sessions <= known.numbers(Text.SESSION).keys() and (
                accounts <= known.numbers(Text.ACCOUNT).keys()
            ):
                return
            if self._stop.wait(WATCH_S):
                return

    def _new_server(self) -> FixServer:
        settings = self._settings
        highest = max(self._names.numbers(Text.SESSION).values(), default=0)
        return FixServer(
            settings.native_dir,
            self._bus,
            self._lane,
            sessions_max=min(highest + 1 + MANY_SESSIONS, SESSIONS_MAX),  # some may be added
            segment_bytes=SEGMENT_BYTES,
            keep_bytes=settings.store_mb_max << 20,
            durable=settings.durable,
            instruments_max=settings.instruments_max,
            accounts_max=settings.accounts_max,
            orders_max=settings.orders_max,
            books=self._book_sizes() if _market_data(settings.sessions) else None,
            message_max=settings.message_bytes_max,
            logon_max=min(LOGON_BYTES_MAX, settings.message_bytes_max),
            newcomers_max=newcomers(settings.newcomers_max, len(settings.sessions)),
            logon_s=settings.logon_timeout_s,
            answer_s=ANSWER_S,
            spin=settings.busy_poll,
            log_dir=settings.log_dir,
            log_rotate_bytes=settings.log_rotate_mb << 20,
            log_keep=settings.log_keep,
        )

    def _book_sizes(self) -> EngineCapacities:
        """How large the books of market data are: as the engine's, now and after its next start."""
        settings, journal = self._settings, self._reader.newest_capacities
        return journal._replace(
            instruments_max=max(journal.instruments_max, settings.instruments_max),
            orders_max=max(journal.orders_max, settings.orders_max),
            price_blocks_max=max(journal.price_blocks_max, settings.price_blocks_max),
        )

    def _marks(self) -> dict[int, int]:
        """How far each session has been told of this journal's events."""
        newest = self._bus.newest_event
        journal_id = self._bus.status()["journal_id"]
        directory = self._settings.native_dir
        bus = bus_identity(self._settings.bus_path)
        numbers = self._numbers(self._settings.sessions)
        stored = {number: self._server.marks(number).key for number in numbers}
        origin = read_origin(directory)
        if origin is None or origin.journal_id != journal_id:
            origin = Origin(journal_id, report_key(newest), bus, stored)
        elif origin.bus != bus:
            self._server.bus_lost()
            origin.bus = bus
        write_origin(directory, origin)
        marks = {n: origin.mark(n, stored[n], newest) for n in numbers}
        for number, mark in marks.items():
            if max(mark, stored[number]) > report_key(newest):
                LOG.warning("the journal ends before what %s was told", numbers[number].comp_id)
        return marks

    def _numbers(self, sessions: Sessions) -> dict[int, SessionSettings]:
        """The configured sessions by their numbers in the journal; SessionError without one."""
        numbers = self._names.numbers(Text.SESSION)
        found: dict[int, SessionSettings] = {}
        for configured in sessions:
            number = numbers.get(configured.comp_id)
            if number is None:
                raise SessionError(
                    f"session {configured.comp_id!r} has no number in the journal; "
                    "the venue's start should give it one"
                )
            found[number] = configured
        return found

    def _take_up_sessions(self, sessions: Sessions, marks: dict[int, int]) -> None:
        numbered = self._numbers(sessions)
        self._market_wanted = self._market_wanted or _market_data(sessions)
        for number, configured in numbered.items():
            self._entrance.sessions[number] = configured
            if number in marks:
                self._agree(number, configured, configured.enabled, marks[number])
                self._hours.take_up(number, configured, self._server.marks(number).created_ns)
            else:
                self._hours.take_up(number, configured, int(self._server.utc_s() * 1e9))

    def _agree(
        self, number: int, configured: SessionSettings, enabled: bool, mark: int | None = None
    ) -> None:
        """Tell the acceptor what is agreed with a session; SessionError for an unknown account."""
        accounts = self._names.numbers(Text.ACCOUNT)
        missing = [name for name in configured.accounts if name not in accounts]
        if missing:
            raise SessionError(f"account {missing[0]!r} has no number in the journal")
        self._server.session(
            number,
            configured.comp_id,
            configured.begin_string,
            self._settings.comp_id,
            [accounts[name] for name in configured.accounts],
            enabled=enabled,
            heartbeat_max_s=self._settings.heartbeat_s,
            decimals=configured.time_decimals,
            mark=mark,
            permissions=configured.permissions,
            cancel_on=configured.cancel_on,
            cancel_grace_s=configured.cancel_grace_s,
            throttle=configured.throttle,
            pending_reports=configured.pending_reports,
            cl_ord_id_scope=configured.cl_ord_id_scope,
        )

    def _allow(self, number: int, configured: SessionSettings, whether: bool) -> None:
        self._agree(number, configured, whether)

    def _reset(self, number: int) -> None:
        LOG.info("the numbers of %s are back to 1", self._entrance.sessions[number].comp_id)
        self._server.reset(number, 1, 1)

    def _is_away(self, number: int) -> bool:
        status = self._server.session_status(number)
        return status is None or status.state == "away"

    def _catch_up(self) -> int:
        """Go through the whole journal and report what was not; the seq of the event to come."""
        with Replay(self._settings.journal_dir, batch=REPLAY_AT_ONCE) as source:
            return catch_up(source, self._bus, self._stop, self._tell, self._server.replay)

    # Serving

    def serve(self, fresh: Callable[[], Sessions | None] = lambda: None) -> None:
        """Answer and watch until told to stop; raises what made a thread fail."""
        due_s = 0.0
        while not self._stop.is_set():
            self._entrance.answer(self._server, self._server.question(WATCH_S))
            self._threads.check()
            if self._server.wants_names:
                self._read_texts()
                self._tell_names()
            self._supply.give(self._server.lapped, SUPPLY_AT_ONCE, self._server.supply)
            if (now_s := self._server.monotonic_s()) >= due_s:
                due_s = now_s + WATCH_S
                self._look_around(fresh)

    def _look_around(self, fresh: Callable[[], Sessions | None]) -> None:
        """Ten times a second: is all well, what is new, who is here."""
        self._looks += 1
        if self._rounds.stuck(self._server.status().rounds):
            raise TouchlineError("the FIX gateway's loop is stuck and must start anew")
        if self._bus.detached:
            raise OSError(f"{self._settings.bus_path} was replaced; the gateway starts anew")
        self._watch_market()
        if self._market_wanted:
            self._books.look()
        status = self._bus.status()
        self._server.available(status["state"] == "running" and status["alive"])
        if (sessions := fresh()) is not None:
            self._change(sessions)
        self._operators.look()
        if self._looks % BEAT_LOOKS == 0:
            self._tell({"beat": self._looks})
            self._write_presence()
            self._hours.look(self._server.utc_s())
            self._take_up_later()
            self._entrance.renew_certificate()
        if len(self._entrance.sessions) <= MANY_SESSIONS or self._looks % BEAT_LOOKS == 0:
            live = self._entrance.live(self._server)
            if live != self._logged_on:
                self._logged_on = live
                self._tell({"sessions": live})
                self._write_presence()

    def _write_presence(self) -> None:
        self._presence.write(self._server, self._entrance.sessions)

    def _watch_market(self) -> None:
        """Say it once when there is no market data any more; orders go on."""
        if (fault := self._server.market_fault) != self._market_fault:
            self._market_fault = fault
            LOG.error("there is no market data over FIX any more: %s", fault)

    def _send_news(self, numbers: list[int], notice: Notice) -> Callable[[], bool]:
        """What tells whether the loop has put them into the sessions' stores."""
        for number in numbers:
            self._server.news(number, notice.text, urgent=notice.urgent)
        rounds = self._server.status().rounds + ROUNDS

        def stored() -> bool:
            self._server.wake()
            return self._server.status().rounds >= rounds

        return stored

    def _change(self, sessions: Sessions) -> None:
        """What is configured now. A session that the journal has no number for comes later."""
        self._later = sessions
        self._books.try_again()
        self._take_up_later()
        self._entrance.renew_certificate(whatever=True)
        self._tell({"taken_up": True})

    def _take_up_later(self) -> None:
        """Take up what waits for its number and the numbers of its accounts."""
        if not self._later:
            return
        self._read_texts()
        self._tell_names()
        numbers, accounts = (self._names.numbers(kind) for kind in (Text.SESSION, Text.ACCOUNT))
        ready = tuple(
            configured
            for configured in self._later
            if numbers.get(configured.comp_id, SESSIONS_MAX) < self._server.sessions_max
            and accounts.keys() >= set(configured.accounts)
        )
        self._later = tuple(configured for configured in self._later if configured not in ready)
        self._take_up_sessions(ready, {})
        self._hours.look(self._server.utc_s())
        self._write_presence()

    # Names, and events that the ring no longer holds

    def _read_texts(self) -> None:
        """Read the names that came to the journal; they wait in `_texts` for the acceptor."""
        while len(texts := self._reader.read_texts(TEXTS_AT_ONCE)):
            self._names.update(texts)
            wanted = texts[np.isin(texts["field"], NAMES)]
            if len(wanted):
                self._texts.append(wanted)

    def _tell_names(self) -> None:
        texts, self._texts = self._texts, []
        for batch in texts[:-1]:
            self._server.names(batch, complete=False)
        last = texts[-1] if texts else self._reader.read_texts(1)[:0]
        self._server.names(last, complete=True)

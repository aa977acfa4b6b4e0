"""The gateway as a running thing: it opens, serves until told to stop, and closes.

Three threads do the work. QuickFIX's own reads requests and hands them to the desk; the outbound
one reads events and sends reports; the relay's, in C, looks at newcomers and at each message before
QuickFIX does. The caller's thread answers for newcomers and watches that none of them is stuck,
because QuickFIX goes on accepting, and answers nobody, after a callback has failed. On opening,
everything known is built from the journal and what was not reported yet is.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import quickfix as fix

from touchline.core.messages import LANE_FIX
from touchline.errors import SessionError, TouchlineError
from touchline.fix.delivery import Delivered, last_stored
from touchline.fix.desk import OTHER_REASON, Desk, Malformed, Session, fields_of
from touchline.fix.door import Door, free_port
from touchline.fix.entrance import LOGON_BYTES_MAX, Entrance, newcomers
from touchline.fix.hours import Hours
from touchline.fix.inbound import receive
from touchline.fix.names import JournalNames
from touchline.fix.notices import Notice, Notices
from touchline.fix.opening import ENGINE_WAIT_S, WATCH_S, drain, running_bus
from touchline.fix.operators import Operators
from touchline.fix.orders import Orders, report_key
from touchline.fix.outbound import Reporter
from touchline.fix.past import Past
from touchline.fix.presence import Presence
from touchline.fix.quickfix_asks import QuickfixRenumber, news
from touchline.fix.roster import Roster
from touchline.fix.settings import GatewaySettings, SessionSettings, quickfix_settings
from touchline.runtime.bus import Lane
from touchline.runtime.feed import EventFeed
from touchline.runtime.replay import Replay
from touchline.wire.fix_server import FixServer

Tell = Callable[[dict[str, Any]], None]

Sessions = tuple[SessionSettings, ...]

LOG = logging.getLogger("touchline.fix")
MSG_SEQ_NUM, MSG_TYPE, LOGOUT = 34, 35, "5"
DESCRIPTORS_A_SESSION = 8  # four files of its store, two of its log, two sockets
BEAT_LOOKS = 10
STUCK_WATCHES = 100  # times WATCH_S: a callback that takes this long will never return
REPLAY_AT_ONCE = 1 << 16  # commands of the journal


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        LOG.exception(what)


class _Application(fix.Application):  # type: ignore[misc]
    """QuickFIX's callbacks. An exception it does not expect would wedge it, so none escapes."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._gateway = gateway
        self._gaps: dict[str, int] = {}  # by CompID: the number expected when a Logout had another

    def onCreate(self, session_id: Any) -> None:
        pass

    def onLogon(self, session_id: Any) -> None:
        self._gateway.roster.came(session_id.getTargetCompID().getValue())
        LOG.info("logon: %s", session_id.toString())

    def onLogout(self, session_id: Any) -> None:
        comp_id = session_id.getTargetCompID().getValue()
        self._gateway.roster.left(comp_id)
        if (expected := self._gaps.pop(comp_id, 0)) > 0:
            with _logged("a gap before a Logout could not be kept"):
                fix.Session.lookupSession(session_id).setNextTargetMsgSeqNum(expected)
        LOG.info("logout: %s", session_id.toString())

    def toAdmin(self, message: Any, session_id: Any) -> None:
        pass

    def toApp(self, message: Any, session_id: Any) -> None:
        pass

    def fromAdmin(self, message: Any, session_id: Any) -> None:
        """QuickFIX counts a Logout as the next message, whatever its number is: what is missing
        before it would never be asked for."""
        with _logged("a message of the session could not be looked at"):
            header = message.getHeader()
            if header.getField(MSG_TYPE) != LOGOUT:
                return
            expected = int(fix.Session.lookupSession(session_id).getExpectedTargetNum())
            if int(header.getField(MSG_SEQ_NUM)) != expected:
                self._gaps[session_id.getTargetCompID().getValue()] = expected

    def fromApp(self, message: Any, session_id: Any) -> None:
        malformed = 0
        self._gateway.callbacks += 1
        try:
            raw = message.toString()
            try:
                self._gateway.receive(raw)
            except Malformed as error:
                malformed = error.tag
            except Exception:
                LOG.exception("a request could not be handled")
                self._gateway.apologise(raw)
        except Exception:
            LOG.exception("a request could not be answered")
        finally:
            self._gateway.callbacks += 1
        if malformed:
            raise fix.IncorrectDataFormat(malformed)


class Gateway:
    """One acceptor with its sessions. Use as a context manager; `address` is where it listens."""

    def __init__(
        self,
        settings: GatewaySettings,
        stop: threading.Event,
        tell: Tell = lambda facts: None,
    ) -> None:
        self.callbacks = 0  # odd while one is being handled
        self.address: tuple[str, int] = (settings.host, settings.port)
        self._settings = settings
        self._stop = stop
        self._tell = tell
        self._halt = threading.Event()
        self._failure: BaseException | None = None
        self._cleanup = contextlib.ExitStack()
        self._marks: dict[int, int] = {}
        self._refused: dict[int, frozenset[str]] = {}
        self._looks = self._seen = self._same = 0
        self._logged_on: list[str] | None = None
        self._presence = Presence(settings.fix_dir, counted=False)
        self._hours = Hours(self._allow, lambda number: None, lambda number: True)

    def __enter__(self) -> Gateway:
        with self._cleanup:
            self._open()
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()

    def serve(self, fresh: Callable[[], Sessions | None] = lambda: None) -> None:
        """Watch until told to stop; raises what made a thread fail."""
        due_s = 0.0
        while not self._stop.is_set():
            self._entrance.answer(self._server, self._server.question(WATCH_S))
            if self._failure is not None:
                raise self._failure
            if (now_s := FixServer.monotonic_s()) >= due_s:
                due_s = now_s + WATCH_S
                self._look_around(fresh)

    def _look_around(self, fresh: Callable[[], Sessions | None]) -> None:
        """Ten times a second: is all well, what is new, who is here."""
        self._looks += 1
        if self._bus.detached:
            raise OSError(f"{self._settings.bus_path} was replaced; the gateway starts anew")
        if (sessions := fresh()) is not None:
            self._change(sessions)
        self._operators.look()
        if self._looks % BEAT_LOOKS == 0:
            self._tell({"beat": self._looks})
            self._presence.write(self._server, self._entrance.sessions)
            self._hours.look(FixServer.utc_s())
            self._entrance.renew_certificate()
        if self.roster.live() != self._logged_on:
            self._logged_on = self.roster.live()
            self._tell({"sessions": self._logged_on})
            self._presence.write(self._server, self._entrance.sessions)
        status = self._bus.status()
        self._desk.available = status["state"] == "running" and status["alive"]
        callbacks = self.callbacks
        self._same = self._same + 1 if callbacks % 2 and callbacks == self._seen else 0
        self._seen = callbacks
        if self._same >= STUCK_WATCHES:
            raise TouchlineError("the FIX gateway is stuck in a request and must start anew")

    def _change(self, sessions: Sessions) -> None:
        """What is configured now, of the sessions that are here."""
        self.roster.take_up(sessions)
        for number, counterparty in self.roster.by_number.items():
            for configured in sessions:
                if configured.comp_id == counterparty.session.comp_id:
                    self._entrance.sessions[number] = configured
                    self._hours.take_up(number, configured, 0)
        self._hours.look(FixServer.utc_s())
        self._entrance.renew_certificate(whatever=True)
        self._tell({"taken_up": True})

    def receive(self, raw: str) -> None:
        """One application message, in QuickFIX's thread."""
        receive(self._desk, self.roster.sender(raw), raw)

    def apologise(self, raw: str) -> None:
        """Answer a request whose handling failed for a reason nobody foresaw."""
        text = "the request could not be handled"
        self._desk.business_reject(self.roster.sender(raw), fields_of(raw), OTHER_REASON, text)

    def _open(self) -> None:
        settings, cleanup = self._settings, self._cleanup
        for directory in (settings.fix_dir, settings.store_dir, settings.log_dir):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._newcomers_max = newcomers(
            settings.newcomers_max, len(settings.sessions), DESCRIPTORS_A_SESSION
        )
        self._entrance = Entrance(settings)
        cleanup.callback(self._entrance.close)
        self.address = self._entrance.address
        self._bus = cleanup.enter_context(running_bus(settings.bus_path, self._stop))
        lane = cleanup.enter_context(self._bus.lane(LANE_FIX))
        drain(self._bus, lane)
        self._orders = Orders()
        self._names = JournalNames(settings.journal_dir, self._orders)
        cleanup.callback(self._names.close)
        self._delivered = Delivered(settings.fix_dir / "delivered")
        cleanup.callback(self._delivered.close)
        self._take_up_sessions()
        self._take_up_marks()
        self._desk = Desk(
            self._orders,
            self._names,
            lane,
            next_number=lane.cl_ord_ids,
            next_refusal=self._delivered.next_refusal,
            now=lambda: str(fix.TransactTime().getString()),
            reply=self._reply,
        )
        begin_strings = {n: c.session.begin_string for n, c in self.roster.by_number.items()}
        reporter = Reporter(
            self._orders, self._names, begin_strings, self._marks, self._refused, self._send
        )
        inner_port = free_port()
        acceptor = cleanup.enter_context(_quickfix(settings, inner_port, _Application(self)))
        next_seq = self._catch_up(reporter)
        feed = EventFeed(str(settings.bus_path), str(settings.journal_dir), next_seq)
        cleanup.enter_context(feed)
        self._spawn("fix-outbound", lambda: reporter.run(feed, self._halt))
        door = Door()
        self._relay(lane, door.address)
        cleanup.callback(_stop, acceptor)
        try:
            acceptor.start()
        except fix.RuntimeError as error:
            raise OSError(f"QuickFIX could not start: {error}") from error
        cleanup.callback(door.close)
        door.take_over(inner_port)
        renumber = QuickfixRenumber(
            self._server, self.roster.by_number, self.roster.live, self._hours
        )
        asks = {
            "news": Notices(self._entrance.sessions, self._send_news).ask,
            "reset-seq": renumber.ask,
        }
        self._operators = Operators(settings.fix_dir, asks)
        cleanup.callback(self._operators.close)

    def _send_news(self, numbers: list[int], notice: Notice) -> Callable[[], bool]:
        """They are in QuickFIX's stores at once."""
        for number in numbers:
            party = self.roster.by_number[number]
            told = news(party.session.begin_string, notice, FixServer.utc_s())
            self._post(party.session_id, told)
        return lambda: True

    def _relay(self, lane: Lane, address: bytes) -> None:
        """Let brokers in: to QuickFIX by way of the relay, which looks at each message first. It
        ends after QuickFIX, whose last words it hands on."""
        settings, cleanup = self._settings, self._cleanup
        server = FixServer(
            settings.store_dir,
            self._bus,
            lane,
            relay_to=address,
            sessions_max=max(self.roster.by_number) + 1,
            message_max=settings.message_bytes_max,
            logon_max=min(LOGON_BYTES_MAX, settings.message_bytes_max),
            newcomers_max=self._newcomers_max,
            logon_s=settings.logon_timeout_s,
        )
        self._server = cleanup.enter_context(server)
        for number, counterparty in self.roster.by_number.items():
            comp_id = counterparty.session.comp_id
            self._entrance.sessions[number] = configured = self._configured(comp_id)
            self._hours.take_up(number, configured, 0)
        self._hours.look(FixServer.utc_s())
        self._entrance.listen(server)
        self._spawn("fix-relay", lambda: server.run(1))
        cleanup.callback(server.stop)

    def _configured(self, comp_id: str) -> SessionSettings:
        return next(s for s in self._settings.sessions if s.comp_id == comp_id)

    def _allow(self, number: int, configured: SessionSettings, whether: bool) -> None:
        self._server.session(
            number,
            configured.comp_id,
            configured.begin_string,
            self._settings.comp_id,
            [],
            enabled=whether,
            heartbeat_max_s=self._settings.heartbeat_s,
        )

    def _take_up_sessions(self) -> None:
        """Wait until the journal has a number for every configured session."""
        wanted = {configured.comp_id for configured in self._settings.sessions}
        for _ in range(int(ENGINE_WAIT_S / WATCH_S)):
            numbers = self._names.session_numbers()
            if wanted <= numbers.keys() or self._stop.wait(WATCH_S):
                break
        self.roster = Roster(self._settings, numbers)

    def _take_up_marks(self) -> None:
        """How far each session has been told. With another journal, or no marks yet, reporting
        starts with what happens from now on."""
        newest = self._bus.newest_event
        known = self._delivered.belongs_to(self._bus.status()["journal_id"], newest)
        for number, counterparty in self.roster.by_number.items():
            mark = self._delivered.mark(number)
            if known:
                stored = last_stored(self._settings.store_dir, counterparty.store_name)
                mark = max(mark, stored.key if stored.key <= report_key(newest) else 0)
                self._refused[number] = stored.refused
            if mark > report_key(newest):
                comp_id = counterparty.session.comp_id
                LOG.warning("the journal ends before what %s was told", comp_id)
                mark = report_key(newest)
            self._marks[number] = mark

    def _catch_up(self, reporter: Reporter) -> int:
        """Go through the whole journal and report what was not; the seq of the event to come."""
        past: Past | None = Past(self._orders.archive)
        with Replay(self._settings.journal_dir, batch=REPLAY_AT_ONCE) as source:
            for commands, events in source:
                if self._stop.is_set():
                    raise OSError("told to stop before it was open")
                of = self._bus.status()["commands"]
                self._tell({"progress": int(commands["seq"][-1]), "of": of})
                if past is not None and past.take(commands, events, self._marks):
                    continue
                if past is not None:
                    self._orders.go_on_from(past)
                    past = None
                self._orders.replay(commands)
                reporter.report(events)
            newest = source.engine.event_seq
        if past is not None:
            self._orders.go_on_from(past)
        return newest + 1

    def _send(self, session: int, key: int, text: str) -> None:
        """A report for a session, and the mark that it has had it."""
        self._post(self.roster.by_number[session].session_id, fix.Message(text, False))
        self._marks[session] = key
        self._delivered.set_mark(session, key)

    def _reply(self, session: Session, text: str) -> None:
        self._post(self.roster.by_number[session.number].session_id, fix.Message(text, False))

    def _post(self, session_id: Any, message: Any) -> None:
        """Store a message under the next sequence number, and send it if its receiver is there."""
        if not fix.Session.sendToTarget(message, session_id):
            self._failure = OSError(f"{self._settings.store_dir} can not be written")
            raise self._failure

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        """Run a part in a thread; its failure ends serve()."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self._failure = error

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        self._cleanup.callback(thread.join)
        self._cleanup.callback(self._halt.set)


@contextlib.contextmanager
def _quickfix(settings: GatewaySettings, port: int, application: _Application) -> Iterator[Any]:
    """QuickFIX's acceptor with its sessions, not started. All it refers to is kept while it is."""
    told = fix.SessionSettings()
    told.setFromString(quickfix_settings(settings, port))
    stores, logs = fix.FileStoreFactory(told), fix.FileLogFactory(told)
    try:
        acceptor = fix.SocketAcceptor(application, stores, told, logs)
    except (fix.ConfigError, fix.RuntimeError) as error:
        raise SessionError(f"QuickFIX refuses the sessions: {error}") from error
    yield acceptor
    del acceptor


def _stop(acceptor: Any) -> None:
    """Log everybody out and stop; takes seconds, and is never called by a thread of QuickFIX."""
    thread = threading.Thread(target=acceptor.stop, name="fix-stop", daemon=True)
    thread.start()
    thread.join()

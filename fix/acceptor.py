"""The gateway as a running thing: it opens, serves until told to stop, and closes.

Three threads do the work. QuickFIX's own reads requests and hands them to the desk; the outbound
one reads events and sends reports; the door's looks at newcomers. The caller's thread watches that
none of them is stuck, because QuickFIX goes on accepting, and answers nobody, after a callback has
failed. On opening, everything known is built from the journal and what was not reported yet is.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import quickfix as fix

from touchline.consumer import EventFeed
from touchline.errors import SessionError, TouchlineError
from touchline.fix.delivery import Delivered, last_stored
from touchline.fix.door import Door, bound, free_port
from touchline.fix.inbound import Desk, Malformed, Session
from touchline.fix.names import JournalNames
from touchline.fix.orders import Orders, report_key
from touchline.fix.outbound import Reporter
from touchline.fix.settings import SESSIONS_MAX, GatewaySettings, quickfix_settings
from touchline.messages import COMMAND, LANE_FIX, ExecType, MsgType
from touchline.replay import replay
from touchline.ring import Bus, Lane

if TYPE_CHECKING:
    from touchline.config import Config

LOG = logging.getLogger("touchline.fix")
WATCH_S = 0.1
STUCK_WATCHES = 100  # times WATCH_S: a callback that takes this long will never return
ENGINE_WAIT_S = 30.0
PASSWORD, RAW_DATA, HEART_BT_INT = 554, 96, 108


def run(config: Config, stop: threading.Event) -> int:
    """Serve brokers as configured until `stop` is set; 0 then.

    Raises OSError when the world fails (the port is in use, the store can not be written, the bus
    is gone) and TouchlineError when a file or a setting is wrong; a caller may start it again.
    """
    settings = GatewaySettings.from_config(config)
    with Gateway(settings, stop) as gateway:
        gateway.serve()
    return 0


@dataclass(frozen=True, slots=True)
class _Counterparty:
    """A configured session with what QuickFIX calls it."""

    session: Session
    session_id: Any
    password: str | None


class _Application(fix.Application):  # type: ignore[misc]
    """QuickFIX's callbacks. An exception it does not expect would wedge it, so none escapes."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._gateway = gateway

    def onCreate(self, session_id: Any) -> None:
        pass

    def onLogon(self, session_id: Any) -> None:
        self._gateway.live.add(session_id.getTargetCompID().getValue())
        LOG.info("logon: %s", session_id.toString())

    def onLogout(self, session_id: Any) -> None:
        self._gateway.live.discard(session_id.getTargetCompID().getValue())
        LOG.info("logout: %s", session_id.toString())

    def toAdmin(self, message: Any, session_id: Any) -> None:
        pass

    def toApp(self, message: Any, session_id: Any) -> None:
        pass

    def fromAdmin(self, message: Any, session_id: Any) -> None:
        reason = ""
        try:
            if message.getHeader().getField(35) == "A":
                comp_id = session_id.getTargetCompID().getValue()
                reason = self._gateway.why_no_logon(message, comp_id)
        except Exception:
            LOG.exception("a session message could not be handled")
            self._gateway.faults += 1
        if reason:
            raise fix.RejectLogon(reason)

    def fromApp(self, message: Any, session_id: Any) -> None:
        malformed = 0
        self._gateway.callbacks += 1
        try:
            self._gateway.receive(message.toString())
        except Malformed as error:
            malformed = error.tag
        except Exception:
            LOG.exception("a request could not be handled")
            self._gateway.faults += 1
        finally:
            self._gateway.callbacks += 1
        if malformed:
            raise fix.IncorrectDataFormat(malformed)


class Gateway:
    """One acceptor with its sessions. Use as a context manager; `address` is where it listens."""

    def __init__(self, settings: GatewaySettings, stop: threading.Event) -> None:
        self.callbacks = 0  # odd while one is being handled
        self.faults = 0
        self.live: set[str] = set()  # CompIDs logged on
        self.address: tuple[str, int] = (settings.host, settings.port)
        self._settings = settings
        self._stop = stop
        self._halt = threading.Event()
        self._failure: BaseException | None = None
        self._cleanup = contextlib.ExitStack()
        self._counterparties: dict[str, _Counterparty] = {}
        self._by_number: dict[int, _Counterparty] = {}
        self._marks: dict[int, int] = {}

    def __enter__(self) -> Gateway:
        with self._cleanup:
            self._open()
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()

    def serve(self) -> None:
        """Watch until told to stop; raises what made a thread fail."""
        seen, same = 0, 0
        while not self._stop.wait(WATCH_S):
            if self._failure is not None:
                raise self._failure
            if self._bus.detached:
                raise OSError(f"{self._settings.bus_path} was replaced; the gateway starts anew")
            self._desk.available = self._bus.status()["state"] == "running"
            callbacks = self.callbacks
            same = same + 1 if callbacks % 2 and callbacks == seen else 0
            seen = callbacks
            if same >= STUCK_WATCHES:
                raise TouchlineError("the FIX gateway is stuck in a request and must start anew")

    def receive(self, raw: str) -> None:
        """One application message, in QuickFIX's thread."""
        sender = raw[raw.index("\x0149=") + 4 :]
        self._desk.receive(self._counterparties[sender[: sender.index("\x01")]].session, raw)

    def why_no_logon(self, message: Any, comp_id: str) -> str:
        """Why a Logon that reached QuickFIX is refused; "" if it is not."""
        fields = {
            str(tag): message.getField(tag)
            for tag in (PASSWORD, RAW_DATA, HEART_BT_INT)
            if message.isSetField(tag)
        }
        return self._why_no_logon(self._counterparties[comp_id], fields)

    def _why_no_logon(self, counterparty: _Counterparty, fields: dict[str, str]) -> str:
        expected = counterparty.password
        given = fields.get(str(PASSWORD), fields.get(str(RAW_DATA), ""))
        if expected is not None and not hmac.compare_digest(given.encode(), expected.encode()):
            return "Password(554) is missing or wrong"
        heartbeat = fields.get(str(HEART_BT_INT), "")
        longest = self._settings.heartbeat_s
        if not heartbeat.isdecimal() or not 1 <= int(heartbeat) <= longest:
            return f"HeartBtInt(108) must be 1 to {longest} seconds"
        return ""

    def _judge(self, fields: dict[str, str]) -> str:
        """Why a newcomer's Logon does not even reach QuickFIX; "" if it does.

        A wrong password is left to QuickFIX, which answers it, unless the Logon would reset the
        sequence numbers, which QuickFIX does before it asks.
        """
        counterparty = self._counterparties.get(fields.get("49", ""))
        if (
            counterparty is None
            or fields.get("8") != counterparty.session.begin_string
            or fields.get("56") != self._settings.comp_id
        ):
            return f"there is no session {fields.get('49')!r} of {fields.get('8')} here"
        if counterparty.session.comp_id in self.live:
            return f"session {counterparty.session.comp_id} is logged on already"
        if fields.get("141") == "Y":
            return self._why_no_logon(counterparty, fields)
        return ""

    def _open(self) -> None:
        settings, cleanup = self._settings, self._cleanup
        for directory in (settings.fix_dir, settings.store_dir, settings.log_dir):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        listener = cleanup.enter_context(bound(settings.host, settings.port))
        self._bus = cleanup.enter_context(_running_bus(settings.bus_path, self._stop))
        lane = cleanup.enter_context(self._bus.lane(LANE_FIX))
        _drain(self._bus, lane)
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
        begin_strings = {n: c.session.begin_string for n, c in self._by_number.items()}
        reporter = Reporter(self._orders, self._names, begin_strings, self._send)
        inner_port = free_port()
        acceptor = cleanup.enter_context(_quickfix(settings, inner_port, _Application(self)))
        next_seq = self._catch_up(reporter)
        feed = EventFeed(str(settings.bus_path), str(settings.journal_dir), next_seq)
        cleanup.enter_context(feed)
        self._spawn("fix-outbound", lambda: reporter.run(feed, self._halt))
        cleanup.callback(_stop, acceptor)
        try:
            acceptor.start()
        except fix.RuntimeError as error:
            raise OSError(f"QuickFIX could not start: {error}") from error
        door = Door(listener, self._judge)
        door.take_over(inner_port)
        door.open()
        self.address = door.address
        self._spawn("fix-door", door.run)
        cleanup.callback(door.close)
        LOG.info("listening for FIX on %s:%d", *self.address)

    def _take_up_sessions(self) -> None:
        """Give every configured session the number the journal knows it by."""
        numbers = self._names.session_numbers()
        for configured in self._settings.sessions:
            number = numbers.get(configured.comp_id)
            if number is None or number >= SESSIONS_MAX:
                raise SessionError(
                    f"the journal gives session {configured.comp_id!r} no number below "
                    f"{SESSIONS_MAX}; the venue's start writes it there"
                )
            session = Session(
                number, configured.comp_id, configured.begin_string, configured.accounts
            )
            session_id = fix.SessionID(
                configured.begin_string, self._settings.comp_id, configured.comp_id
            )
            counterparty = _Counterparty(session, session_id, configured.password)
            self._counterparties[configured.comp_id] = self._by_number[number] = counterparty

    def _take_up_marks(self) -> None:
        """How far each session has been told. With another journal, or no marks yet, reporting
        starts with what happens from now on."""
        newest = self._bus.newest_event
        known = self._delivered.belongs_to(self._bus.status()["journal_id"], newest)
        for number, counterparty in self._by_number.items():
            mark = self._delivered.mark(number)
            if known:
                name = counterparty.session_id.toString().replace(":", "-").replace("->", "-")
                stored = last_stored(self._settings.store_dir, name)
                mark = max(mark, stored if stored <= report_key(newest) else 0)
            if mark > report_key(newest):
                LOG.warning("the journal ends before what %s was told", name)
                mark = report_key(newest)
            self._marks[number] = mark

    def _catch_up(self, reporter: Reporter) -> int:
        """Go through the whole journal and report what was not; the seq of the event to come."""
        newest = 0
        for commands, events in replay(self._settings.journal_dir):
            self._orders.replay(commands)
            reporter.report(events)
            if len(events):
                newest = int(events["seq"][-1])
        return newest + 1

    def _send(self, session: int, key: int, text: str) -> None:
        """A report for a session, unless it has had it."""
        if key <= self._marks[session]:
            return
        self._post(self._by_number[session].session_id, text)
        self._marks[session] = key
        self._delivered.set_mark(session, key)

    def _reply(self, session: Session, text: str) -> None:
        self._post(self._by_number[session.number].session_id, text)

    def _post(self, session_id: Any, text: str) -> None:
        """Store a message under the next sequence number, and send it if its receiver is there."""
        if not fix.Session.sendToTarget(fix.Message(text, False), session_id):
            raise OSError(f"the FIX store in {self._settings.store_dir} can not be written")

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


def _running_bus(path: Path, stop: threading.Event) -> Bus:
    """The venue's bus, once its engine runs; OSError when that takes too long."""
    reason = "there is none"
    for _ in range(int(ENGINE_WAIT_S / WATCH_S)):
        try:
            bus = Bus.attach(str(path))
        except OSError as error:
            reason = error.strerror or str(error)
        else:
            status = bus.status()
            if status["state"] == "running" and status["alive"]:
                return bus
            reason = f"the engine is {status['state']} {status['error']}".rstrip()
            bus.close()
        if stop.wait(WATCH_S):
            break
    raise OSError(f"no running engine on {path}: {reason}")


def _drain(bus: Bus, lane: Lane) -> None:
    """Wait until all that an earlier gateway left in the lane has reached the journal."""
    command = np.zeros(1, COMMAND)
    command["type"] = MsgType.CHECKPOINT
    command["cl_ord_id"] = mine = lane.cl_ord_ids()
    reader = bus.events()
    lane.send(command)
    for _ in range(int(ENGINE_WAIT_S)):
        reader.wait(1.0)
        events = reader.read()
        if np.any((events["exec_type"] == ExecType.CHECKPOINT) & (events["cl_ord_id"] == mine)):
            return
    raise TimeoutError("the engine does not answer")


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

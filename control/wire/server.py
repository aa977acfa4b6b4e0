"""The part of the binary protocols: it opens, serves until told to stop, and closes.

The loops (touchline.wire.wire_server) run in threads of their own without the GIL; no message
passes through here. The caller's thread judges logins, hands over names and, when the ring went
past a loop, events out of the journal, and watches that the loops go round. On opening the journal
is replayed once, which makes every stream what it was.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import string
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.config import Config, WireSessionSection
from touchline.control.wire.logins import Logins
from touchline.core.messages import COMMAND, LANE_WIRE, SESSIONS_MAX, MsgType, Text
from touchline.errors import SessionError, TouchlineError
from touchline.fix.loops import (
    BEAT_LOOKS,
    REPLAY_AT_ONCE,
    Rounds,
    Supply,
    Tell,
    Threads,
    catch_up,
)
from touchline.fix.opening import ENGINE_WAIT_S, WATCH_S, drain, running_bus
from touchline.runtime.directory import Directory
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import Replay
from touchline.wire.wire_server import SUPPLY_MAX, WireServer

LOG = logging.getLogger("touchline.wire")
READ_AT_ONCE = 1 << 16
SESSIONS_SHOWN = 64
IPV4_OVERHEAD, IPV6_OVERHEAD = 28, 48
STREAM_LETTERS = string.digits + string.ascii_uppercase


def run(config: Config, stop: threading.Event, tell: Tell = lambda facts: None) -> int:
    """Serve the binary protocols as configured until `stop` is set; 0 then.

    `tell` hears {"progress": n, "of": m} in commands of the journal while it opens, {"ready": True}
    when it serves, {"beat": n} and {"counters": {...}} once a second, {"sessions": [...]} who is
    logged in. Raises OSError when the world fails and TouchlineError when a setting is wrong.
    """
    try:
        with WirePart(config, stop, tell) as part:
            tell({"ready": True})
            part.serve()
    except OSError:
        if not stop.is_set():
            raise
    return 0


def stream_name(journal_id: int) -> str:
    """What the streams of this journal are called: 10 letters and digits, the same at each start,
    so that a client sees when numbers begin anew."""
    name = ""
    for _ in range(10):
        journal_id, digit = divmod(journal_id, len(STREAM_LETTERS))
        name += STREAM_LETTERS[digit]
    return name


class WirePart:
    """The loops with their sessions. Use as a context manager."""

    def __init__(self, config: Config, stop: threading.Event, tell: Tell) -> None:
        self._config = config
        self._stop = stop
        self._tell = tell
        self._cleanup = contextlib.ExitStack()
        self._supplies: dict[str, Supply] = {}
        self._held: list[NDArray[np.void]] = []  # commands with names that no loop was given yet
        self._looks = 0
        self._rounds: dict[str, Rounds] = {}  # by loop
        self._logged_in: list[str] | None = None
        self._counted_last: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> WirePart:
        with self._cleanup:
            self._open()
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._cleanup.close()

    # Opening

    def _open(self) -> None:
        config, cleanup = self._config, self._cleanup
        config.wire_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._bus = cleanup.enter_context(running_bus(config.bus_path, self._stop))
        self._lane = cleanup.enter_context(self._bus.lane(LANE_WIRE))
        drain(self._bus, self._lane)
        self._numbers, accounts = self._wait_for_names()
        self._server = cleanup.enter_context(self._new_server())
        for section in config.wire_sessions:
            self._take_up(section, accounts)
        self._logins = Logins(config.wire_sessions, self._numbers, time.monotonic)
        threads = self._threads = Threads(cleanup)
        next_event = self._catch_up()
        self._refuse_untellable()
        self._supplies_for("orders")
        threads.run("wire-orders", lambda: self._server.run_orders(next_event), config.wire.cpu)
        if config.wire.feed_a is not None:
            self._supplies_for("feed")
            threads.run(
                "wire-feed", lambda: self._server.run_feed(next_event), config.wire.feed_cpu
            )
            threads.run("wire-recovery", self._server.run_recovery)
        cleanup.callback(self._server.stop)

    def _wait_for_names(self) -> tuple[dict[str, int], dict[str, int]]:
        """The numbers of users and accounts, once the journal has one for each that is configured;
        SessionError when it does not come to that."""
        names = Directory()
        users = {section.username for section in self._config.wire_sessions}
        wanted = {name for section in self._config.wire_sessions for name in section.firms.values()}
        with JournalReader(self._config.journal_dir) as reader:
            for _ in range(int(ENGINE_WAIT_S / WATCH_S)):
                while len(texts := reader.read_texts(READ_AT_ONCE)):
                    names.update(texts)
                sessions, accounts = names.numbers(Text.SESSION), names.numbers(Text.ACCOUNT)
                if users <= sessions.keys() and wanted <= accounts.keys():
                    return {name: sessions[name] for name in users}, dict(accounts)
                if self._stop.wait(WATCH_S):
                    break
        missing = sorted((users - sessions.keys()) | (wanted - accounts.keys()))
        raise SessionError(f"{missing[0]!r} has no number in the journal; the venue gives it one")

    def _new_server(self) -> WireServer:
        config, wire = self._config, self._config.wire
        with JournalReader(config.journal_dir) as reader:
            newest = reader.newest_capacities
        sizes = {
            name: max(getattr(newest, name), getattr(config.engine, name))
            for name in ("instruments_max", "accounts_max", "orders_max", "price_blocks_max")
        }
        session = stream_name(self._bus.status()["journal_id"])
        server = WireServer(
            self._bus,
            self._lane,
            ouch=place(wire.host, wire.ouch_port),
            session=session,
            directory=config.wire_dir,
            instruments_max=sizes["instruments_max"],
            accounts_max=sizes["accounts_max"],
            orders_max=sizes["orders_max"],
            sessions_max=SESSIONS_MAX,
            connections_max=len(config.wire_sessions),
            newcomers_max=wire.newcomers_max,
            login_s=wire.login_timeout_s,
            spool_bytes=wire.session_spool_mb_max << 20,
            spin=wire.wait == "spin",
            stamps=wire.stamps,
            interface=wire.interface,
        )
        if wire.feed_a is not None:
            self._open_feed(server, session, sizes)
        return server

    def _open_feed(self, server: WireServer, session: str, sizes: dict[str, int]) -> None:
        config, wire = self._config, self._config.wire
        lines = [line for line in (wire.feed_a, wire.feed_b) if line is not None]
        ipv6 = any(line.startswith("[") for line in lines)
        packet_max = wire.mtu - (IPV6_OVERHEAD if ipv6 else IPV4_OVERHEAD)
        server.open_feed(
            session=session,
            directory=config.wire_dir,
            lines=lines,
            instruments_max=sizes["instruments_max"],
            orders_max=sizes["orders_max"],
            price_blocks_max=sizes["price_blocks_max"],
            interface=wire.interface,
            ttl=wire.ttl,
            packet_max=packet_max,
            spool_bytes=wire.spool_mb_max << 20,
            spin=wire.wait == "spin",
        )
        server.open_recovery(
            directory=config.wire_dir,
            stocks_max=sizes["instruments_max"],
            orders_max=sizes["orders_max"],
            requests=place(wire.host, wire.rerequest_port),
            glimpse=place(wire.host, wire.glimpse_port),
            requests_per_s=wire.rerequests_per_s,
            packet_max=packet_max,
            login_s=wire.login_timeout_s,
            stay_s=wire.glimpse_timeout_s,
        )

    def _take_up(self, section: WireSessionSection, accounts: dict[str, int]) -> None:
        self._server.session(
            self._numbers[section.username],
            [(mpid, accounts[name]) for mpid, name in section.firms.items()],
            throttle=section.throttle or 0,
            cancel_on=section.cancel_on_disconnect,
            cancel_grace_s=section.cancel_grace_s,
        )

    def _catch_up(self) -> int:
        """Go through the whole journal; the seq of the event to come."""
        source = Replay(self._config.journal_dir, batch=REPLAY_AT_ONCE)
        self._reader = source.reader
        self._cleanup.callback(self._reader.close)
        return catch_up(source, self._bus, self._stop, self._tell, self._server.replay)

    def _refuse_untellable(self) -> None:
        """An instrument that the feed could not tell is refused by name."""
        for section in self._config.instruments if self._config.wire.feed_a else ():
            number = self._symbols().get(section.symbol)
            fault = None if number is None else self._server.stock_fault(number)
            if fault is not None:
                raise SessionError(
                    f"instruments: {section.symbol} can not be told by ITCH: {fault}"
                )

    def _symbols(self) -> dict[str, int]:
        names = Directory()
        with JournalReader(self._config.journal_dir) as reader:
            while len(texts := reader.read_texts(READ_AT_ONCE)):
                names.update(texts)
        return names.numbers(Text.SYMBOL)

    # Serving

    def serve(self) -> None:
        """Answer and watch until told to stop; raises what made a loop fail."""
        due_s = 0.0
        while not self._stop.is_set():
            if (question := self._server.question(WATCH_S)) is not None:
                self._logins.answer(self._server, question)
            self._threads.check()
            if self._server.wants_names:
                self._read_names(everything=True)
                self._tell_names()
            for loop, supply in self._supplies.items():
                self._supply(loop, supply)
            if (now_s := time.monotonic()) >= due_s:
                due_s = now_s + WATCH_S
                self._look_around()

    def _look_around(self) -> None:
        """Ten times a second: is all well, who is here."""
        self._looks += 1
        counters = self._server.status()
        for loop, told in counters.items():
            if self._rounds.setdefault(loop, Rounds()).stuck(told["rounds"]):
                raise TouchlineError(f"the loop of {loop} is stuck and must start anew")
        if self._bus.detached:
            raise OSError(f"{self._config.bus_path} was replaced; the part starts anew")
        self._read_names()
        if self._held:  # what a loop asked for while the journal was read
            self._tell_names()
        if self._looks % BEAT_LOOKS == 0:
            self._tell({"beat": self._looks})
            self._tell({"counters": self._counted(counters)})
        live = sorted(name for name, number in self._numbers.items() if self._is_on(number))
        if live != self._logged_in:
            self._logged_in = live
            self._tell({"sessions": live})

    def _counted(self, counters: dict[str, dict[str, int]]) -> dict[str, dict[str, Any]]:
        """The counters with what came a second since the last time, and the streams of those here:
        how many messages each has, and which is sent next."""
        now_s = time.monotonic()
        shown: dict[str, dict[str, Any]] = {loop: dict(told) for loop, told in counters.items()}
        for loop, name in (("orders", "received"), ("feed", "messages")):
            if loop not in counters:
                continue
            count, at_s = self._counted_last.get(loop, (counters[loop][name], now_s))
            rate = (counters[loop][name] - count) / max(now_s - at_s, 1e-9)
            shown[loop][f"{name}_per_s"] = round(rate)
            self._counted_last[loop] = (counters[loop][name], now_s)
        live = (self._logged_in or [])[:SESSIONS_SHOWN]
        told = {name: self._server.session_status(self._numbers[name]) for name in live}
        shown["latency"] = latency_text(self._server.latency())
        shown["streams"] = {name: f"{s.next} of {s.length}" for name, s in told.items() if s}
        return shown

    def _is_on(self, number: int) -> bool:
        status = self._server.session_status(number)
        return status is not None and status.on

    # Names, and events that the ring no longer holds

    def _read_names(self, *, everything: bool = False) -> None:
        """Read on in the journal, and keep the commands that name or list something."""
        while len(commands := self._reader.read(READ_AT_ONCE)):
            kinds, fields = commands["type"], commands["field"]
            naming = (kinds == MsgType.TEXT) & ~np.isin(
                fields, (Text.CL_ORD_ID, Text.REQUEST_FIELD, Text.OPERATOR)
            )
            chosen = commands[naming | (kinds == MsgType.SECURITY_DEFINITION)]
            if len(chosen):
                self._held.append(chosen)
            if not everything:
                return

    def _tell_names(self) -> None:
        held, self._held = self._held, []
        self._server.names(np.concatenate(held) if held else np.zeros(0, COMMAND))

    def _supplies_for(self, loop: str) -> None:
        config = self._config
        supply = Supply(loop, LOG, config.bus_path, config.journal_dir, self._stop)
        self._cleanup.callback(supply.close)
        self._supplies[loop] = supply

    def _supply(self, loop: str, supply: Supply) -> None:
        wanted = self._server.lapped(loop)
        supply.give(wanted, SUPPLY_MAX, lambda events: self._server.supply(loop, events))


def latency_text(latency: dict[str, Any]) -> dict[str, str]:
    """What WireServer.latency() says, in microseconds and a line; nothing of nothing."""
    if not latency:
        return {}
    told = {"stamps": latency["stamps"]}
    for name in ("received", "answered"):
        of = latency[name]
        figures = (f"{key[:-3]} {of[key] / 1000:.1f}" for key in of if key != "count")
        told[name] = f"{' '.join(figures)} µs of {of['count']}"
    return told


def place(host: str, port: int) -> str:
    """An address as the ports read it: numbers, IPv6 in brackets. OSError for an unknown host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    address = str(found[0][4][0])
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

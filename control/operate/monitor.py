"""How the running venue is: what `touchline status` and `touchline book` show.

Reads the supervisor's record, the bus's counters, what publisher and capture wrote down, and the
publisher's snapshots. Waits for nobody: a venue that hangs is told of as fast as one that runs.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from touchline.config import Config
from touchline.control.doctor.clock import clock_state
from touchline.control.operate.sessions import session_rows, standing
from touchline.control.operate.stepped import stepped
from touchline.control.operate.terminal import (
    DEGRADED,
    OK,
    STARTING,
    UNANSWERED,
    pairs,
    table,
)
from touchline.control.supervisor.admin import NotRunning, attach
from touchline.control.supervisor.health import patience
from touchline.control.supervisor.ports import shown
from touchline.control.supervisor.state import read_state
from touchline.core.messages import EntryStatus, Side, TradingStatus
from touchline.errors import TouchlineError
from touchline.runtime.bus import Bus

if TYPE_CHECKING:
    from touchline.marketdata import Book, Subscriber

SILENT_S = 5.0  # without a heartbeat of the engine, or a record of the supervisor
LAG_S = 15.0  # that capture or publisher may be behind
EXIT_CODES = {"running": OK, "degraded": DEGRADED, "starting": STARTING, "hung": UNANSWERED}
_FOLLOWERS = {"publisher": ("publish.json",), "capture": ("capture", "state.json")}


def status(config: Config) -> dict[str, Any]:
    """What is known of the venue; NotRunning when nothing runs.

    `state` is running, degraded (it trades, and something in `problems` is not as it should be),
    starting, or hung.
    """
    state = read_state(config)
    if state is None:
        attach(config).close()
        state = {"pid": None, "parts": {}, "addresses": {}, "started": None, "in_process": None}
    facts: dict[str, Any] = {
        "venue": config.venue.name,
        "state": "",
        "problems": [],
        "pid": state["pid"],
        "started": state["started"],
        "in_process": state["in_process"],
        "bus": str(config.bus_path),
        "data_dir": str(config.venue.data_dir),
    }
    facts |= _engine_facts(config, [name for name in _FOLLOWERS if name in state["parts"]])
    usage = shutil.disk_usage(config.venue.data_dir)
    facts["disk_free_mb"] = usage.free >> 20
    facts["closed"] = state.get("closed") or {}
    facts["overlooked"] = state.get("overlooked") or {"count": 0, "first": 0}
    facts["sessions"] = state.get("sessions", [])
    facts["fix_sessions"] = standing(config, state) if "gateway" in state["parts"] else []
    facts |= {"addresses": state["addresses"], "parts": state["parts"]}
    facts["problems"] = [*_silences(state, facts), *_problems(config, state, facts)]
    facts["state"] = _verdict(state, facts)
    return facts


def _engine_facts(config: Config, followers: list[str]) -> dict[str, Any]:
    """What the bus says of the engine, and how far behind it those are that follow."""
    try:
        bus = attach(config)
    except NotRunning:
        return {"engine_pid": None}
    try:
        engine = bus.status()
        facts: dict[str, Any] = {
            "engine_pid": engine["pid"],
            "commands": engine["commands"],
            "events": engine["events"],
            "waiting": engine["waiting"],
            "journal_bytes": engine["journal_bytes"],
            "heartbeat_age_ms": max(0, time.time_ns() - int(engine["heartbeat_ns"])) // 1_000_000,
            "clock": {key: engine[key] for key in engine if key.startswith("clock")} | _clock(),
        }
        for name in followers:
            path = config.venue.data_dir.joinpath(*_FOLLOWERS[name])
            facts[name] = _follower(path, bus, time.time_ns() - engine["clock_step_ns"])
        return facts
    finally:
        bus.close()


def _clock() -> dict[str, Any]:
    """Whether the system's clock is kept by somebody; empty when the kernel does not tell."""
    state = clock_state()
    if state is None:
        return {}
    return {"synchronised": state.synchronised, "max_error_us": state.max_error_us}


def _follower(path: Path, bus: Bus, now_ns: int) -> dict[str, Any] | None:
    """What a follower wrote down, with its lag when the engine's time is `now_ns`; None when it
    wrote nothing that can be read."""
    try:
        said = json.loads(path.read_bytes())
        seq = int(said["seq"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    newest = bus.newest_event
    behind = max(0, newest - seq)
    lag_s = 0.0
    if behind:
        oldest_unseen = bus.events(max(seq + 1, bus.oldest_event)).read(1)
        if len(oldest_unseen):
            lag_s = max(0.0, (now_ns - int(oldest_unseen["ts_ns"][0])) / 1e9)
    kept = {key: said[key] for key in ("dropped", "snapshots", "error") if key in said}
    return {"seq": seq, "behind": behind, "lag_s": round(lag_s, 3), **kept}


def _silences(state: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Who of supervisor and engine has given no sign of life; the venue hangs then."""
    found = []
    if "written_ns" in state:
        silent_s = (time.time_ns() - int(state["written_ns"])) / 1e9
        if silent_s >= SILENT_S:
            found.append(f"the supervisor has given no sign of life for {silent_s:.0f} s")
    silent_ms = facts.get("heartbeat_age_ms", 0)
    if silent_ms >= SILENT_S * 1000:
        found.append(f"the engine has given no sign of life for {silent_ms // 1000} s")
    facts["silent"] = bool(found)
    return found


def _problems(config: Config, state: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """What else is not as it should be."""
    found = []
    for name, part in facts["parts"].items():
        if part.get("state") == "down" or (state.get("open") and not part["ready"]):
            how = "is down" if part["pid"] is None else "is starting again"
            why = f": {part['last_failure']}" if part["last_failure"] else ""
            found.append(f"{name} {how}{why}")
        elif (
            part["ready"]
            and name != "engine"
            and (part.get("silent_s") or 0) >= SILENT_S * patience(name)
        ):
            found.append(f"{name} has given no sign of life for {part['silent_s']:.0f} s")
    if facts["engine_pid"] is None and "engine" not in facts["parts"]:
        found.append("the engine is down")
    for name in _FOLLOWERS:
        said = facts.get(name) or {}
        if said.get("error"):
            found.append(f"{name}: {said['error']}")
        if said.get("lag_s", 0) >= LAG_S:
            found.append(f"{name} is {said['behind']} events, {said['lag_s']:.0f} s behind")
    found += stepped(facts.get("clock", {}))
    if facts["disk_free_mb"] < config.supervisor.disk_free_mb:
        wanted = config.supervisor.disk_free_mb
        left = facts["disk_free_mb"]
        found.append(f"{left} MB are left on the disk of data_dir; wanted are {wanted}")
    if facts["closed"].get("error"):
        found.append(f"halts and blocks are not known: {facts['closed']['error']}")
    return found


def _verdict(state: dict[str, Any], facts: dict[str, Any]) -> str:
    if facts.pop("silent"):
        return "hung"
    if state["parts"] and not state.get("open"):
        return "starting"
    return "degraded" if facts["problems"] else "running"


def status_text(facts: dict[str, Any]) -> str:
    """The status for people."""
    apart = ("addresses", "parts", "in_process", "problems", "closed", "sessions", "clock",
             "publisher", "capture", "overlooked", "fix_sessions")  # fmt: skip
    plain = {k: v for k, v in facts.items() if k not in apart}
    clock = dict(facts.get("clock", {}))
    if "synchronised" in clock:
        bound = f"synchronised, wrong by {clock.pop('max_error_us')} us at most"
        plain["clock"] = bound if clock.pop("synchronised") else "kept by nobody"
    plain |= clock
    closed = facts["closed"]
    if closed.get("killed"):
        plain["kill switch"] = "ON: no order is accepted; `touchline revive` ends it"
    for name in ("halted", "blocked"):
        if closed.get(name):
            plain[name] = ", ".join(closed[name])
    if (overlooked := facts["overlooked"])["count"]:
        plain["overlooked"] = (
            f"{overlooked['count']} commands of the journal that no lane may send, "
            f"the first is {overlooked['first']}"
        )
    plain["logged on"] = ", ".join(facts["sessions"]) or "nobody"
    for name in _FOLLOWERS:
        if said := facts.get(name):
            plain[name] = f"event {said['seq']}, {said['behind']} behind, {said['lag_s']:g} s"
    plain |= counters_text(facts["parts"].get("wire", {}).get("counters") or {})
    plain |= facts["addresses"]
    rows = [
        (name, part["pid"], _part_state(part), part["restarts"], part["last_failure"])
        for name, part in facts["parts"].items()
    ]
    text = pairs(plain)
    if rows:
        text += "\n\n" + table(["part", "pid", "state", "restarts", "last failure"], rows)
    if facts["fix_sessions"]:
        text += "\n\n" + table(*session_rows(facts["fix_sessions"]))
    if facts["problems"]:
        text += "\n\n" + "\n".join(f"! {problem}" for problem in facts["problems"])
    return text


def counters_text(counters: dict[str, dict[str, Any]]) -> dict[str, str]:
    """What the loops of the binary protocols have counted, a line each."""
    return {
        f"wire {loop}": ", ".join(f"{name} {value}" for name, value in of.items())
        for loop, of in counters.items()
        if of
    }


def _part_state(part: dict[str, Any]) -> str:
    percent = part.get("percent")
    state = part.get("state", "ready" if part["ready"] else "down")
    return state if percent is None else f"{state} {percent} %"


def open_books(config: Config, symbols: list[str] | None = None) -> Subscriber:
    """A subscriber to the venue's market data; NotRunning when the publisher does not answer."""
    if not config.publish.enabled:
        raise TouchlineError("publish.enabled is false, so there is no market data to show")
    from touchline.marketdata import Subscriber
    from touchline.marketdata.keys import VENUE

    host = config.publish.host
    own = config.keys_dir / VENUE if config.publish.curve else None  # which is always allowed
    try:
        return Subscriber(
            f"tcp://{shown(host, config.publish.pub_port)}",
            f"tcp://{shown(host, config.publish.snapshot_port)}",
            symbols,
            timeout_s=3.0,
            key=own and own.with_suffix(".key_secret"),
            server_key=own and own.with_suffix(".key"),
        )
    except TimeoutError as error:
        raise NotRunning(
            f"nobody answers on {shown(host, config.publish.snapshot_port)}; "
            f"start the venue with `touchline run`"
        ) from error


def book_facts(book: Book, levels_max: int) -> dict[str, Any]:
    """One book with prices and quantities as people read them."""
    instrument = book.instrument

    def side(which: Side) -> list[dict[str, Any]]:
        return [
            {
                "price": instrument.to_price(int(level["price"])),
                "qty": instrument.to_qty(int(level["qty"])),
                "orders": int(level["orders"]),
            }
            for level in book.levels(which, levels_max)
        ]

    return {
        "symbol": instrument.symbol,
        "status": _status_name(book),
        "bids": side(Side.BUY),
        "asks": side(Side.SELL),
    }


def book_text(facts: dict[str, Any]) -> str:
    """A ladder: bids on the left, asks on the right, the touch at the top."""
    bids, asks = facts["bids"], facts["asks"]
    rows = []
    for index in range(max(len(bids), len(asks))):
        bid = bids[index] if index < len(bids) else None
        ask = asks[index] if index < len(asks) else None
        left = (bid["orders"], bid["qty"], bid["price"]) if bid else (None, None, None)
        right = (ask["price"], ask["qty"], ask["orders"]) if ask else (None, None, None)
        rows.append((*left, *right))
    title = f"{facts['symbol']}  {facts['status'].lower().replace('_', ' ')}"
    if not rows:
        return f"{title}\n(no orders)"
    return title + "\n" + table(["orders", "qty", "bid", "ask", "qty", "orders"], rows)


def _status_name(book: Book) -> str:
    if book.entry_status == EntryStatus.BLOCKED:
        return "VENUE_KILLED"
    return TradingStatus(book.trading_status).name if book.trading_status else "UNKNOWN"

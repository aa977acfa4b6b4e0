"""How the running venue is: what `touchline status` and `touchline book` show.

Reads the supervisor's state file, the bus's counters and the publisher's snapshots.
"""

from __future__ import annotations

import time
from typing import Any

from touchline.config import Config
from touchline.control.operate.terminal import pairs, table
from touchline.control.supervisor.admin import NotRunning, attach
from touchline.control.supervisor.host import read_state
from touchline.core.messages import EntryStatus, Side, TradingStatus
from touchline.errors import TouchlineError
from touchline.marketdata import Book, Subscriber


def status(config: Config) -> dict[str, Any]:
    """What is known of the venue; NotRunning when nothing runs."""
    state = read_state(config)
    bus_path = str(config.bus_path)
    if state is None:
        attach(config).close()
        state = {"pid": None, "parts": {}, "addresses": {}, "started": None, "in_process": None}
    facts: dict[str, Any] = {
        "venue": config.venue.name,
        "state": "starting",
        "pid": state["pid"],
        "started": state["started"],
        "in_process": state["in_process"],
        "bus": bus_path,
        "data_dir": str(config.venue.data_dir),
    }
    try:
        bus = attach(config)
    except NotRunning:
        facts["state"] = "engine down"
    else:
        engine = bus.status()
        bus.close()
        facts |= {
            "state": "running",
            "engine_pid": engine["pid"],
            "commands": engine["commands"],
            "events": engine["events"],
            "journal_bytes": engine["journal_bytes"],
            "heartbeat_age_ms": max(0, time.time_ns() - int(engine["heartbeat_ns"])) // 1_000_000,
        }
    return facts | {"addresses": state["addresses"], "parts": state["parts"]}


def status_text(facts: dict[str, Any]) -> str:
    """The status for people."""
    plain = {k: v for k, v in facts.items() if k not in ("addresses", "parts", "in_process")}
    plain |= facts["addresses"]
    rows = [
        (name, part["pid"], "ready" if part["ready"] else "down", part["restarts"],
         part["last_failure"])
        for name, part in facts["parts"].items()
    ]  # fmt: skip
    text = pairs(plain)
    if rows:
        text += "\n\n" + table(["part", "pid", "state", "restarts", "last failure"], rows)
    return text


def open_books(config: Config, symbols: list[str] | None = None) -> Subscriber:
    """A subscriber to the venue's market data; NotRunning when the publisher does not answer."""
    if not config.publish.enabled:
        raise TouchlineError("publish.enabled is false, so there is no market data to show")
    host = config.publish.host
    try:
        return Subscriber(
            f"tcp://{host}:{config.publish.pub_port}",
            f"tcp://{host}:{config.publish.snapshot_port}",
            symbols,
            timeout_s=3.0,
        )
    except TimeoutError as error:
        raise NotRunning(
            f"nobody answers on {host}:{config.publish.snapshot_port}; "
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

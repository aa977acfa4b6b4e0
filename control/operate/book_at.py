"""A book of the venue as it was: for `touchline book SYMBOL --at TIME`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from touchline.core.messages import EntryStatus, Side, TradingStatus
from touchline.data.past_book import Past, at_time, number_of
from touchline.errors import TouchlineError
from touchline.study.table import Table


def moment_ns(text: str) -> int:
    """UTC nanoseconds: as a number, or as 2012-06-21T13:30:00.004241176Z, which is UTC."""
    table = Table(["time"])
    values, _ = table.read(text.encode(), True, 2)
    if table.fault is not None or len(values) != 1 or values[0, 0] < 0:
        raise TouchlineError(
            f"time {text!r} is neither nanoseconds nor UTC like 2012-06-21T13:30:00.5Z"
        )
    return int(values[0, 0])


def book_then(journal_dir: Path, symbol: str, ts_ns: int, levels_max: int) -> dict[str, Any]:
    """The book as `monitor.book_facts` gives one, and what moment it is of."""
    try:
        past = at_time(journal_dir, ts_ns)
    except FileNotFoundError as error:
        raise TouchlineError(
            f"there is no journal in {journal_dir}; `touchline run` begins one"
        ) from error
    number = number_of(past, symbol)
    return {
        "symbol": symbol,
        "status": _status(past, number),
        "bids": _side(past, number, Side.BUY, levels_max),
        "asks": _side(past, number, Side.SELL, levels_max),
        "at_ns": ts_ns,
        "command_ns": past.ts_ns,
        "commands": past.commands,
    }


def _side(past: Past, number: int, side: Side, levels_max: int) -> list[dict[str, Any]]:
    instrument = past.names.instrument(number)
    return [
        {
            "price": instrument.to_price(int(level["price"])),
            "qty": instrument.to_qty(int(level["qty"])),
            "orders": int(level["orders"]),
        }
        for level in past.engine.depth(number, side, levels_max)
    ]


def _status(past: Past, number: int) -> str:
    if past.entry_status == EntryStatus.BLOCKED:
        return "VENUE_KILLED"
    status = past.statuses.get(number, 0)
    return TradingStatus(status).name if status else "UNKNOWN"

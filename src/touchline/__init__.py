"""touchline: an exchange core. The names here are the public ones.

    from touchline import Engine, Side, OrdType, TimeInForce

Order books, matching and pre-trade risk run in C; see docs/architecture.md for the flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from touchline.core.book import Book
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.include import get_include, get_library_dir
from touchline.core.messages import (
    COMMAND,
    COMMAND_TEXT,
    EVENT,
    EVENT_REFUSAL,
    EVENT_TRADE,
    LEVEL,
    ORDER,
    Allocation,
    ContingencyType,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    MsgType,
    OrdType,
    Reason,
    SelfTrade,
    Side,
    Text,
    TimeInForce,
    TradingStatus,
    make_commands,
    reason_text,
    refusals,
    text_commands,
    trades,
)
from touchline.data import frames
from touchline.errors import (
    ConfigError,
    JournalCorrupt,
    Lapped,
    PriceError,
    QtyError,
    SessionError,
    TouchlineError,
)
from touchline.instruments import Instrument
from touchline.market import Market, Report, Trade
from touchline.runtime.bus import Bus, EventReader, Lane
from touchline.runtime.directory import Directory
from touchline.runtime.feed import EventFeed
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import Replay, replay
from touchline.runtime.runner import Runner

if TYPE_CHECKING:
    from touchline.marketdata import Subscriber as Subscriber

__all__ = [
    "COMMAND",
    "COMMAND_TEXT",
    "EVENT",
    "EVENT_REFUSAL",
    "EVENT_TRADE",
    "LEVEL",
    "ORDER",
    "Allocation",
    "Book",
    "Bus",
    "ConfigError",
    "ContingencyType",
    "Directory",
    "Engine",
    "EngineCapacities",
    "EntryStatus",
    "EventFeed",
    "EventReader",
    "ExecType",
    "Flag",
    "Instrument",
    "JournalCorrupt",
    "JournalReader",
    "Lane",
    "Lapped",
    "Limit",
    "Market",
    "MsgType",
    "OrdType",
    "PriceError",
    "QtyError",
    "Reason",
    "Replay",
    "Report",
    "Runner",
    "SelfTrade",
    "SessionError",
    "Side",
    "Text",
    "TimeInForce",
    "TouchlineError",
    "Trade",
    "TradingStatus",
    "frames",
    "get_include",
    "get_library_dir",
    "make_commands",
    "reason_text",
    "refusals",
    "replay",
    "text_commands",
    "trades",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Subscriber when it is asked for, and not before: it needs pyzmq, which is an extra."""
    if name != "Subscriber":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from touchline.marketdata import Subscriber
    except ModuleNotFoundError as error:
        raise ImportError("touchline.Subscriber needs pyzmq: install touchline[publish]") from error
    return Subscriber


def __dir__() -> list[str]:
    return sorted([*globals(), "Subscriber"])

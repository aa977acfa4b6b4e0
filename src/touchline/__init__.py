"""touchline: an exchange core. The names here are the public ones.

    from touchline import Engine, Side, OrdType, TimeInForce

Order books, matching and pre-trade risk run in C; see docs/architecture.md for the flow.
"""

from touchline.book import Book
from touchline.engine import Engine, EngineLimits
from touchline.errors import (
    ConfigError,
    JournalCorrupt,
    Lapped,
    PriceError,
    QtyError,
    SessionError,
    TouchlineError,
)
from touchline.include import get_include, get_library_dir
from touchline.instruments import Instrument
from touchline.market import Market, Report
from touchline.messages import (
    COMMAND,
    EVENT,
    LEVEL,
    ORDER,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    MsgType,
    OrdType,
    Reason,
    Side,
    Text,
    TimeInForce,
    TradingStatus,
    reason_text,
)

__all__ = [
    "COMMAND",
    "EVENT",
    "LEVEL",
    "ORDER",
    "Book",
    "ConfigError",
    "Engine",
    "EngineLimits",
    "EntryStatus",
    "ExecType",
    "Flag",
    "Instrument",
    "JournalCorrupt",
    "Lapped",
    "Limit",
    "Market",
    "MsgType",
    "OrdType",
    "PriceError",
    "QtyError",
    "Reason",
    "Report",
    "SessionError",
    "Side",
    "Text",
    "TimeInForce",
    "TouchlineError",
    "TradingStatus",
    "get_include",
    "get_library_dir",
    "reason_text",
]

__version__ = "0.1.0"

"""touchline: an exchange core. The names here are the public ones.

    from touchline import Engine, Side, OrdType, TimeInForce

Order books, matching and pre-trade risk run in C; see docs/architecture.md for the flow.
"""

from touchline.core.book import Book
from touchline.core.engine import Engine, EngineCapacities
from touchline.core.include import get_include, get_library_dir
from touchline.core.messages import (
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

__all__ = [
    "COMMAND",
    "EVENT",
    "LEVEL",
    "ORDER",
    "Book",
    "ConfigError",
    "Engine",
    "EngineCapacities",
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
    "Trade",
    "TradingStatus",
    "frames",
    "get_include",
    "get_library_dir",
    "reason_text",
]

__version__ = "0.1.0"

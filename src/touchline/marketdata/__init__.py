"""Published market data: the records' layouts, and a subscriber that stays exact.

The subscriber needs pyzmq, and is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from touchline.marketdata.layout import (
    BAR,
    BBO,
    DEPTH,
    HEADER,
    HEARTBEAT,
    HEARTBEAT_TOPIC,
    KINDS,
    RECORDS,
    STATISTICS,
    STATUS,
    STREAMS,
    TRADE,
    VERSION,
    Kind,
    topic,
)

if TYPE_CHECKING:
    from touchline.marketdata.book import Book
    from touchline.marketdata.subscriber import Subscriber, Update

__all__ = [
    "BAR",
    "BBO",
    "DEPTH",
    "HEADER",
    "HEARTBEAT",
    "HEARTBEAT_TOPIC",
    "KINDS",
    "RECORDS",
    "STATISTICS",
    "STATUS",
    "STREAMS",
    "TRADE",
    "VERSION",
    "Book",
    "Kind",
    "Subscriber",
    "Update",
    "topic",
]


def __getattr__(name: str) -> Any:
    if name not in ("Book", "Subscriber", "Update"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from touchline.marketdata import book, subscriber

    return getattr(book if name == "Book" else subscriber, name)

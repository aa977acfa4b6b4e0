"""Published market data: the records' layouts, and a subscriber that stays exact. Needs pyzmq."""

from touchline.marketdata.layout import (
    BBO,
    DEPTH,
    HEADER,
    HEARTBEAT,
    HEARTBEAT_TOPIC,
    RECORDS,
    STATUS,
    STREAMS,
    TRADE,
    VERSION,
    Kind,
    topic,
)
from touchline.marketdata.subscriber import Book, Subscriber, Update

__all__ = [
    "BBO",
    "DEPTH",
    "HEADER",
    "HEARTBEAT",
    "HEARTBEAT_TOPIC",
    "RECORDS",
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

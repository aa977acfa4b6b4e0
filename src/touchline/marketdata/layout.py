"""The layouts of published market data: topics, the header of every message, and its records.

Packed little-endian records, the same bytes in Python, C or any other language. The publisher
writes them and touchline.marketdata reads them; docs/marketdata.md explains every field.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

VERSION = 2


class Kind(IntEnum):
    """What a topic carries; the first part of its name is the name of the kind."""

    TRADES = 0
    BBO = 1
    DEPTH = 2
    STATUS = 3
    STATISTICS = 4
    HEARTBEAT = 5


STREAMS = (Kind.TRADES, Kind.BBO, Kind.DEPTH, Kind.STATUS)  # every record of these counts
KINDS = (*STREAMS, Kind.STATISTICS)  # what an instrument has; of statistics the newest counts
HEARTBEAT_TOPIC = b"heartbeat/"


def _layout(itemsize: int, **fields: tuple[str, int]) -> np.dtype[np.void]:
    """A packed little-endian record; each field is (format, offset), and gaps are zero."""
    return np.dtype(
        {
            "names": list(fields),
            "formats": [form for form, _ in fields.values()],
            "offsets": [offset for _, offset in fields.values()],
            "itemsize": itemsize,
        }
    )


HEADER = _layout(
    40,
    epoch=("<u8", 0),
    first_seq=("<u8", 8),
    event_seq=("<u8", 16),
    ts_ns=("<i8", 24),
    count=("<u4", 32),
    instrument=("<u2", 36),
    kind=("u1", 38),
    version=("u1", 39),
)
TRADE = _layout(
    32,
    event_seq=("<u8", 0),
    ts_ns=("<i8", 8),
    price=("<i8", 16),
    qty=("<u4", 24),
    side=("u1", 28),
)
BBO = _layout(
    56,
    event_seq=("<u8", 0),
    ts_ns=("<i8", 8),
    bid_price=("<i8", 16),
    ask_price=("<i8", 24),
    bid_qty=("<u8", 32),
    ask_qty=("<u8", 40),
    bid_orders=("<u4", 48),
    ask_orders=("<u4", 52),
)
DEPTH = _layout(
    40,
    event_seq=("<u8", 0),
    ts_ns=("<i8", 8),
    price=("<i8", 16),
    qty=("<u8", 24),
    orders=("<u4", 32),
    side=("u1", 36),
)
STATUS = _layout(
    24,
    event_seq=("<u8", 0),
    ts_ns=("<i8", 8),
    trading_status=("u1", 16),
    entry_status=("u1", 17),
)
STATISTICS = _layout(
    88,
    event_seq=("<u8", 0),
    ts_ns=("<i8", 8),
    open_price=("<i8", 16),
    high_price=("<i8", 24),
    low_price=("<i8", 32),
    last_price=("<i8", 40),
    volume=("<u8", 48),
    turnover=("<u8", 56),
    turnover_high=("<u8", 64),
    trades=("<u8", 72),
    open_ns=("<i8", 80),
)
HEARTBEAT = _layout(
    48,
    instrument=("<u2", 0),
    trades_seq=("<u8", 8),
    bbo_seq=("<u8", 16),
    depth_seq=("<u8", 24),
    status_seq=("<u8", 32),
    statistics_seq=("<u8", 40),
)
BAR = _layout(
    72,
    start_ns=("<i8", 0),
    open_price=("<i8", 8),
    high_price=("<i8", 16),
    low_price=("<i8", 24),
    close_price=("<i8", 32),
    volume=("<u8", 40),
    turnover=("<u8", 48),
    turnover_high=("<u8", 56),
    trades=("<u8", 64),
)
RECORDS = {
    Kind.TRADES: TRADE,
    Kind.BBO: BBO,
    Kind.DEPTH: DEPTH,
    Kind.STATUS: STATUS,
    Kind.STATISTICS: STATISTICS,
    Kind.HEARTBEAT: HEARTBEAT,
}


def topic(kind: Kind, symbol: str | None = None) -> bytes:
    """The topic of one instrument and kind, such as b"depth/AAA/"; of all with no symbol.

    The closing stroke keeps a subscription to AA from bringing AAA along.
    """
    return f"{kind.name.lower()}/{'' if symbol is None else symbol + '/'}".encode()

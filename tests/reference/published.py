"""The messages of the reference's rows, as docs/marketdata.md describes them, byte for byte."""

from __future__ import annotations

from array import array
from struct import Struct

import numpy as np

from reference.depth import InstrumentDepth, Mirror
from touchline.marketdata.layout import (
    HEADER,
    HEARTBEAT,
    KINDS,
    RECORDS,
    STATISTICS,
    STREAMS,
    VERSION,
    Kind,
    topic,
)

MESSAGE_BYTES_MAX = 4096
CELLS = tuple(RECORDS[kind].itemsize // 8 for kind in STREAMS)
_HEADER = Struct("<QQQqIHBB")


Topics = tuple[bytes, bytes, bytes, bytes, bytes]


def topics(symbols: dict[int, str]) -> dict[int, Topics]:
    """The five topics of each instrument."""
    found: dict[int, Topics] = {}
    for number, symbol in symbols.items():
        trades, bbo, depth, status, statistics = (topic(kind, symbol) for kind in KINDS)
        found[number] = trades, bbo, depth, status, statistics
    return found


def messages(mirror: Mirror, names: dict[int, Topics]) -> list[tuple[bytes, bytes]]:
    """Every row that waits, as [(topic, payload)] by instrument and kind. The rows are gone."""
    found = []
    for number in sorted(mirror.instruments):
        book = mirror.instruments[number]
        for kind in STREAMS:
            found += [
                (names[number][kind], payload) for payload in _payloads(mirror, number, book, kind)
            ]
        book.clear(CELLS)
        if book.statistics.changes > book.statistics.told:
            found.append((names[number][Kind.STATISTICS], _statistics(mirror, number, book)))
            book.statistics.told = book.statistics.changes
    return found


def _statistics(mirror: Mirror, number: int, book: InstrumentDepth) -> bytes:
    record = np.array([book.statistics.record()], STATISTICS)
    head = _header(mirror, Kind.STATISTICS, book.statistics.changes, 1, number)
    return head + record.tobytes()


def _payloads(mirror: Mirror, number: int, book: InstrumentDepth, kind: Kind) -> list[bytes]:
    cells = CELLS[kind]
    flat = book.rows()[kind]
    rows = [flat[low : low + cells] for low in range(0, len(flat), cells)]
    room = (MESSAGE_BYTES_MAX - HEADER.itemsize) // RECORDS[kind].itemsize
    found, sent = [], book.sent[kind]
    while rows:
        count = min(room, len(rows))
        # The rows of one event stay together.
        while count < len(rows) and rows[count][0] == rows[count - 1][0]:
            count -= 1
        head = _header(mirror, kind, sent + 1, count, number)
        found.append(head + array("q", [cell for row in rows[:count] for cell in row]).tobytes())
        rows, sent = rows[count:], sent + count
    return found


def heartbeat(mirror: Mirror) -> bytes:
    """The payload of a heartbeat."""
    rows = np.zeros(len(mirror.instruments), HEARTBEAT)
    for row, number in zip(rows, sorted(mirror.instruments), strict=True):
        row["instrument"] = number
        for kind in STREAMS:
            row[f"{kind.name.lower()}_seq"] = mirror.instruments[number].sent[kind]
        row["statistics_seq"] = mirror.instruments[number].statistics.changes
    return _header(mirror, Kind.HEARTBEAT, 0, len(rows), 0) + rows.tobytes()


def levels(book: InstrumentDepth) -> bytes:
    """Both sides as DEPTH records, bids before asks, the best first."""
    rows: list[int] = []
    for side in (book.bids, book.asks):
        for price, qty, orders in side.best_outwards():
            rows += (0, 0, price, qty, orders | side.side_bits)
    return array("q", rows).tobytes()


def _header(mirror: Mirror, kind: Kind, first_seq: int, count: int, number: int) -> bytes:
    return _HEADER.pack(
        mirror.epoch, first_seq, mirror.event_seq, mirror.ts_ns, count, number, kind, VERSION
    )

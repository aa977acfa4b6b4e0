"""Auctions and prevented self-trades in the views over captured events."""

from pathlib import Path
from typing import Any

from harness.captured_files import capturing
from harness.commands import SYMBOLS, commands, new_order
from harness.venue import ThreadVenue
from touchline.core.messages import MsgType, SelfTrade, Side, TradingStatus
from touchline.data import history

LOT = 10


def status(phase: TradingStatus) -> dict[str, Any]:
    return {"type": MsgType.SECURITY_STATUS, "field": phase}


def played(directory: Path, rows: list[dict[str, Any]]) -> ThreadVenue:
    """A venue that has done these commands and stopped, all of it captured."""
    venue = ThreadVenue(directory)
    with venue.running():
        venue.open()
        venue.send(commands(rows))
        with capturing(venue):
            pass
    return venue


def rows_of(venue: ThreadVenue, sql: str) -> list[dict[str, Any]]:
    columns, rows = history.query(venue.config.capture_dir, sql)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_an_auction_is_told_each_time_and_at_its_end(tmp_path: Path) -> None:
    auction = status(TradingStatus.OPENING_AUCTION)
    venue = played(
        tmp_path,
        [
            auction,
            new_order(price=1010, qty=5, side=Side.BUY),
            new_order(price=1000, qty=3, side=Side.SELL, account=1),
            auction,
            status(TradingStatus.READY_TO_TRADE),
        ],
    )
    told = rows_of(venue, "FROM auctions ORDER BY seq")
    names = ("symbol", "exec_type", "price", "volume", "surplus", "side")
    assert [tuple(row[name] for name in names) for row in told] == [
        (SYMBOLS[0], "INDICATIVE", None, 0, 0, None),
        (SYMBOLS[0], "INDICATIVE", 10.10, 3 * LOT, 2 * LOT, "BUY"),
        (SYMBOLS[0], "UNCROSSED", 10.10, 3 * LOT, 2 * LOT, "BUY"),
    ]


def test_an_order_is_less_by_what_it_would_have_traded_with_its_owner(tmp_path: Path) -> None:
    less = {"type": MsgType.SELF_TRADE, "field": SelfTrade.DECREMENT_BOTH}
    venue = played(
        tmp_path,
        [
            less,
            new_order(price=1000, qty=9, side=Side.SELL),
            new_order(price=1000, qty=4, side=Side.BUY),
            new_order(price=1000, qty=2, side=Side.BUY, account=1),
        ],
    )
    orders = rows_of(venue, "FROM orders ORDER BY order_id")
    names = ("order_qty", "cum_qty", "leaves_qty", "ord_status", "reason")
    assert [tuple(row[name] for name in names) for row in orders] == [
        (5 * LOT, 2 * LOT, 3 * LOT, "PARTIALLY_FILLED", None),
        (0, 0, 0, "CANCELED", "SELF_TRADE"),
        (2 * LOT, 2 * LOT, 0, "FILLED", None),
    ]

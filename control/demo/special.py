"""What the flow has not: an iceberg, a stop and an auction, in an instrument of their own.

Few orders one after the other, so that what comes of them is known beforehand: `check_special`
holds it against the captured history, trade by trade.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from touchline.control.operate.verify import Check
from touchline.core.messages import TradingStatus

SYMBOL = "DDD"
AUCTION = TradingStatus.CLOSING_AUCTION
BUY, SELL = "1", "2"


class Order(NamedTuple):
    """A NewOrderSingle: the CompID of the client that sends it, and its fields."""

    comp_id: str
    fields: dict[int, str]


def _limit(comp_id: str, side: str, qty: int, price: str, **more: str) -> Order:
    terms = {40: "2", 54: side, 38: str(qty), 44: price}
    return Order(comp_id, terms | {TAGS[name]: text for name, text in more.items()})


TAGS = {"time_in_force": 59, "max_floor": 111}
IOC = "3"

# An iceberg shows 20 of 100 and sells 50. A stop to sell 30 is triggered by the trade at 49.95 and
# meets the bid behind it. In the auction what is left of the iceberg sells behind a better price.
ACTS: tuple[Order | TradingStatus, ...] = (
    _limit("MAKER1", SELL, 100, "50.00", max_floor="20"),
    _limit("TAKER1", BUY, 50, "50.00", time_in_force=IOC),
    _limit("MAKER1", BUY, 10, "49.95"),
    _limit("MAKER1", BUY, 30, "49.90"),
    Order("MAKER2", {40: "3", 54: SELL, 38: "30", 99: "49.95"}),
    _limit("TAKER1", SELL, 10, "49.95", time_in_force=IOC),
    AUCTION,
    _limit("TAKER1", BUY, 40, "50.10"),
    _limit("MAKER2", SELL, 25, "49.80"),
    TradingStatus.READY_TO_TRADE,
)
TRADES = [
    ("an iceberg", 50.00, 20),
    ("an iceberg", 50.00, 20),
    ("an iceberg", 50.00, 10),
    ("what triggers the stop", 49.95, 10),
    ("the stop", 49.90, 30),
    ("the auction", 50.00, 25),
    ("the auction", 50.00, 15),
]


def messages(acts: Sequence[Order | TradingStatus]) -> Iterator[Order | TradingStatus]:
    """The acts, each order with what every one of them has."""
    for act in acts:
        if isinstance(act, Order):
            yield Order(act.comp_id, {21: "1", 55: SYMBOL} | act.fields)
        else:
            yield act


def check_special(rows: dict[str, list[tuple[Any, ...]]]) -> tuple[Check, list[dict[str, Any]]]:
    """Whether `rows`, what QUERIES give, is what the acts come to; the trades, for who looks on."""
    trades = [(float(price), int(qty)) for price, qty in rows["trades"]]
    wanted = [(price, qty) for _, price, qty in TRADES]
    auction = [(float(price), int(qty)) for price, qty in rows["uncrossed"]]
    told = {kind: int(count) for kind, count in rows["told"]}
    check = Check(
        "an iceberg, a stop and an auction trade as their rules say",
        trades == wanted
        and auction == [(50.00, 40)]
        and told.get("TRIGGERED") == 1
        and told.get("RESTATED", 0) >= 2
        and told.get("INDICATIVE", 0) >= 1,
        f"{len(trades)} trades, {told.get('TRIGGERED', 0)} stop triggered, auctions {auction}",
    )
    whats = [what for what, _, _ in TRADES] + ["more"] * len(trades)
    shown = [
        {"what": what, "price": f"{price:.2f}", "qty": qty}
        for what, (price, qty) in zip(whats, trades, strict=False)
    ]
    return check, shown


QUERIES = {
    "trades": f"SELECT price, qty FROM trades WHERE symbol = '{SYMBOL}' ORDER BY seq",
    "uncrossed": "SELECT price, volume FROM auctions "
    f"WHERE symbol = '{SYMBOL}' AND exec_type = 'UNCROSSED'",
    "told": f"SELECT exec_type, count(*) FROM events WHERE symbol = '{SYMBOL}' GROUP BY ALL",
}

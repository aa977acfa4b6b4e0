"""A market in this process, by names and decimal prices: `Market` and what it answers."""

from touchline.instruments import Instrument, Number
from touchline.market.market import Market
from touchline.market.report import Report
from touchline.market.rows import (
    AllocationStep,
    AuctionPrice,
    Fill,
    Level,
    OpenOrder,
    OrdStatus,
    Position,
    Trade,
)

__all__ = [
    "AllocationStep",
    "AuctionPrice",
    "Fill",
    "Instrument",
    "Level",
    "Market",
    "Number",
    "OpenOrder",
    "OrdStatus",
    "Position",
    "Report",
    "Trade",
]

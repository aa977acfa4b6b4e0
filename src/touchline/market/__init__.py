"""A market in this process, by names and decimal prices: `Market` and what it answers."""

from touchline.core.answer import Fill, OrdStatus, Report
from touchline.instruments import Instrument
from touchline.market.entry import Number, OpenOrder
from touchline.market.market import Level, Market, Position

__all__ = [
    "Fill",
    "Instrument",
    "Level",
    "Market",
    "Number",
    "OpenOrder",
    "OrdStatus",
    "Position",
    "Report",
]

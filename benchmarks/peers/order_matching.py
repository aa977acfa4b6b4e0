"""order-matching: a pure Python engine that is given orders and then asked to match them."""

from datetime import datetime, timedelta

from loguru import logger
from order_matching.enums import Side
from order_matching.matching_engine import MatchingEngine
from order_matching.order import LimitOrder
from order_matching.orders import Orders

NOTE = (
    "IOC is a limit order and a cancel of what is left; replace is cancel and new; its logging is "
    "turned off"
)
SIDES = (Side.SELL, Side.BUY)
price = qty = float
START = datetime(2026, 1, 2)
TICK = timedelta(microseconds=1)
logger.remove()


class Book:
    """Ids are text; one of its own for each entry, because it keeps those it has seen."""

    def __init__(self):
        self.engine = MatchingEngine(seed=1)
        self.time = START
        self.ids = {}
        self.owners = {}

    def new(self, number, side, price, qty):
        self.time += TICK
        order_id = str(len(self.owners))
        self.ids[number] = order_id
        self.owners[order_id] = number
        order = LimitOrder(
            side=side, price=price, size=qty, timestamp=self.time, order_id=order_id, trader_id="x"
        )
        self.engine.place(Orders([order]))
        trades = self.engine.match(self.time).trades
        return [(trade.price, trade.size, trade.book_order_id) for trade in trades]

    def _cancel(self, number):
        try:
            self.engine.cancel_order(self.ids[number])
        except ValueError:
            return False
        return True

    def ioc(self, number, side, price, qty):
        trades = self.new(number, side, price, qty)
        self._cancel(number)
        return trades

    def cancel(self, number, live):
        self._cancel(number)

    def replace(self, number, side, price, total_qty, open_qty, live):
        if not self._cancel(number):
            return None
        return self.new(number, side, price, open_qty)

    def numbers(self):
        return self.owners

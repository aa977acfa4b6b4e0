"""orderly-chaos: LimitOrderBook through ctypes, trades by its callback."""

from orderly_chaos import LimitOrderBook, Side
from orderly_chaos.errors import UnknownOrderIdError

SIDES = (Side.SELL, Side.BUY)
NOTE = "IOC is a limit order and a cancel of what is left; replace is cancel and new"


class Book:
    """Ids are the flow's numbers."""

    def __init__(self):
        self.trades = []
        self.book = LimitOrderBook(on_trade=self.trades.append)

    def _taken(self):
        if not self.trades:
            return None
        found = [(trade.price, trade.quantity, trade.maker_id) for trade in self.trades]
        self.trades.clear()
        return found

    def new(self, number, side, price, qty):
        self.book.limit(side, number, qty, price)
        return self._taken()

    def ioc(self, number, side, price, qty):
        if self.book.limit(side, number, qty, price) < qty:
            self.book.cancel(number)
        return self._taken()

    def cancel(self, number, live):
        try:
            self.book.cancel(number)
        except UnknownOrderIdError:
            pass

    def replace(self, number, side, price, total_qty, open_qty, live):
        try:
            self.book.cancel(number)
        except UnknownOrderIdError:
            return None
        return self.new(number, side, price, open_qty)

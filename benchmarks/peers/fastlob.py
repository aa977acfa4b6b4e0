"""fastlob: a pure Python book in Decimals; a result gives fills by price, not by order."""

from decimal import Decimal

from fastlob import Orderbook, OrderParams, OrderSide

NOTE = (
    "IOC is a limit order and a cancel of what is left; replace is cancel and new; its results "
    "tell quantities by price and not whose order was met, so the touch at the end is compared"
)
REPORTS_TRADES = False
SIDES = (OrderSide.ASK, OrderSide.BID)
price = qty = Decimal


class Book:
    """Its own ids, which are text."""

    def __init__(self):
        self.book = Orderbook(start=True)
        self.ids = {}

    def new(self, number, side, price, qty):
        self.ids[number] = self.book(OrderParams(side, price, qty)).orderid()

    def ioc(self, number, side, price, qty):
        self.new(number, side, price, qty)
        self.book.cancel(self.ids[number])

    def cancel(self, number, live):
        self.book.cancel(self.ids[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        if self.book.cancel(self.ids[number]).success():
            self.new(number, side, price, open_qty)

    def touch(self):
        bid, ask = self.book.best_bid(), self.book.best_ask()
        self.book.stop()
        return [int(level[0]) if level else 0 for level in (bid, ask)]

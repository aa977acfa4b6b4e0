"""cython-orderbook: OrderBook and Order in Cython, trades in a log."""

from cython_orderbook import Order, OrderBook, OrderSide

SIDES = (OrderSide.ASK, OrderSide.BID)
NOTE = "IOC is a limit order and a cancel of what is left; replace is cancel and new"


class Book:
    """Its own ids, which are text; the log is read from where it was left."""

    def __init__(self):
        self.book = OrderBook()
        self.log = self.book.trade_log
        self.read = 0
        self.ids = {}
        self.owners = {}

    def new(self, number, side, price, qty):
        order = Order(side, qty, price)
        self.book.add_limit_order(order)
        self.ids[number] = order.order_id
        self.owners[order.order_id] = number
        if len(self.log) == self.read:
            return None
        new, self.read = self.log[self.read :], len(self.log)
        return [(t.price, t.quantity_filled, t.filler_id) for t in new]

    def ioc(self, number, side, price, qty):
        trades = self.new(number, side, price, qty)
        self._cancel(number)
        return trades

    def _cancel(self, number):
        try:
            self.book.cancel_order(self.ids[number])
        except KeyError:
            return False
        return True

    def cancel(self, number, live):
        self._cancel(number)

    def replace(self, number, side, price, total_qty, open_qty, live):
        if not live or not self._cancel(number):
            return None
        return self.new(number, side, price, open_qty)

    def numbers(self):
        return self.owners

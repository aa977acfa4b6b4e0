"""obook: Book over a C library through ctypes, with IOC, replace and a queue of events."""

import obook

SIDES = (obook.SELL, obook.BUY)
NOTE = (
    "every order has a user of its own, because orders of one user do not meet; replace gives the "
    "order a new id; events are read after each command that can trade"
)


class Book:
    """Its own ids; a replaced order has another."""

    def __init__(self):
        self.book = obook.Book(max_orders=1 << 17)
        self.ids = {}
        self.owners = {}

    def _trades(self):
        kind = obook.EventKind.TRADE
        return [(e.price, e.qty, e.maker_id) for e in self.book.events() if e.kind is kind]

    def _enter(self, number, side, price, qty, tif):
        result = self.book.submit(number, side, price, qty, tif=tif)
        self.ids[number] = result.order_id
        self.owners[result.order_id] = number
        return self._trades()

    def new(self, number, side, price, qty):
        return self._enter(number, side, price, qty, obook.GTC)

    def ioc(self, number, side, price, qty):
        return self._enter(number, side, price, qty, obook.IOC)

    def cancel(self, number, live):
        self.book.cancel(self.ids[number], number)

    def replace(self, number, side, price, total_qty, open_qty, live):
        result = self.book.replace(self.ids[number], number, side, price, open_qty)
        if not result.order_id:
            return None
        self.ids[number] = result.order_id
        self.owners[result.order_id] = number
        return self._trades()

    def numbers(self):
        return self.owners

"""obook: Book over a C library through ctypes, with IOC, replace and a queue of events."""

import obook

NOTE = "replace gives the order a new id; events are read after each command that can trade"


class Book:
    """Its own ids; a replaced order has another."""

    def __init__(self):
        self.book = obook.Book(max_orders=1 << 17)
        self.ids = {}
        self.owners = {}

    def _trades(self):
        kind = obook.EventKind.TRADE
        return [(e.price, e.qty, e.maker_id) for e in self.book.events() if e.kind is kind]

    def _enter(self, number, is_buy, price, qty, tif):
        side = obook.BUY if is_buy else obook.SELL
        result = self.book.submit(1, side, price, qty, tif=tif)
        self.ids[number] = result.order_id
        self.owners[result.order_id] = number
        return self._trades()

    def new(self, number, is_buy, price, qty):
        return self._enter(number, is_buy, price, qty, obook.GTC)

    def ioc(self, number, is_buy, price, qty):
        return self._enter(number, is_buy, price, qty, obook.IOC)

    def cancel(self, number, live):
        self.book.cancel(self.ids[number], 1)

    def replace(self, number, is_buy, price, total_qty, open_qty, live):
        side = obook.BUY if is_buy else obook.SELL
        result = self.book.replace(self.ids[number], 1, side, price, open_qty)
        if not result.order_id:
            return None
        self.ids[number] = result.order_id
        self.owners[result.order_id] = number
        return self._trades()

    def numbers(self):
        return self.owners

"""nanobook: Exchange, a Rust book with IOC and modify."""

from nanobook import Exchange

SIDES = ("sell", "buy")
NOTE = "replace is modify, which gives the order a new id"


class Book:
    """Its own ids; a modified order has another."""

    def __init__(self):
        self.exchange = Exchange()
        self.ids = {}
        self.owners = {}

    def new(self, number, side, price, qty):
        result = self.exchange.submit_limit(side, price, qty)
        self.ids[number] = result.order_id
        self.owners[result.order_id] = number
        return [(t.price, t.quantity, t.passive_order_id) for t in result.trades]

    def ioc(self, number, side, price, qty):
        result = self.exchange.submit_limit(side, price, qty, "ioc")
        return [(t.price, t.quantity, t.passive_order_id) for t in result.trades]

    def cancel(self, number, live):
        self.exchange.cancel(self.ids[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        result = self.exchange.modify(self.ids[number], price, open_qty)
        if not result.success:
            return None
        self.ids[number] = result.new_order_id
        self.owners[result.new_order_id] = number
        return [(t.price, t.quantity, t.passive_order_id) for t in result.trades]

    def numbers(self):
        return self.owners

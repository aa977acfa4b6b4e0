"""bourse: core.OrderBook, a Rust book; its list of all trades is read once, at the end."""

from bourse.core import OrderBook

NOTE = (
    "the time is set before each order, which its time priority needs; IOC is a limit order and a "
    "cancel; replace is modify_order; it lists trades only as all of them since the start, so they "
    "are read once, outside the clock, and the figure has no report of a trade in it"
)


class Book:
    """Its own ids, kept through a modification."""

    def __init__(self):
        self.book = OrderBook(0, 1, True)
        self.ids = {}
        self.time = 0

    def new(self, number, side, price, qty):
        self.time += 1
        self.book.set_time(self.time)
        self.ids[number] = self.book.place_order(side, qty, 0, price=price)

    def ioc(self, number, side, price, qty):
        self.time += 1
        self.book.set_time(self.time)
        order_id = self.book.place_order(side, qty, 0, price=price)
        self.ids[number] = order_id
        self.book.cancel_order(order_id)

    def cancel(self, number, live):
        self.book.cancel_order(self.ids[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        self.time += 1
        self.book.set_time(self.time)
        self.book.modify_order(self.ids[number], new_price=price, new_vol=open_qty)

    def finish(self):
        return [(row[2], row[3], row[5], row[4]) for row in self.book.get_trades()]

    def numbers(self):
        return {order_id: number for number, order_id in self.ids.items()}

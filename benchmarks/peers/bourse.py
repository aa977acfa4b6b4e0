"""bourse: core.OrderBook, a Rust book; its list of all trades is read once, at the end."""

from bourse.core import OrderBook

NOTE = (
    "IOC is a limit order and a cancel; replace is modify_order; it lists trades only as all of "
    "them since the start, so they are read once, outside the clock"
)


class Book:
    """Its own ids, kept through a modification."""

    def __init__(self):
        self.book = OrderBook(0, 1, True)
        self.ids = {}
        self.time = 0

    def new(self, number, is_buy, price, qty):
        self.ids[number] = self.book.place_order(is_buy, qty, 0, price=price)

    def ioc(self, number, is_buy, price, qty):
        order_id = self.book.place_order(is_buy, qty, 0, price=price)
        self.ids[number] = order_id
        self.book.cancel_order(order_id)

    def cancel(self, number, live):
        self.book.cancel_order(self.ids[number])

    def replace(self, number, is_buy, price, total_qty, open_qty, live):
        self.book.modify_order(self.ids[number], new_price=price, new_vol=open_qty)

    def finish(self):
        return [(row[2], row[3], row[5], row[4]) for row in self.book.get_trades()]

    def numbers(self):
        return {order_id: number for number, order_id in self.ids.items()}

"""pylobo: lobo.Book, a Rust book; fills are asked for in a report."""

import lobo
from lobo.orders import LimitOrder, Side

NOTE = "IOC is a limit order and a cancel of what is left; replace is cancel and new"
REPORTS = lobo.Reports(include_fills=True)


class Book:
    """Its own ids."""

    def __init__(self):
        self.book = lobo.Book()
        self.ids = {}
        self.owners = {}

    def new(self, number, is_buy, price, qty):
        order = LimitOrder(price, qty, 1, Side.Buy if is_buy else Side.Sell)
        fill = self.book.fill(order, REPORTS)
        order_id = fill.remaining_order_id
        self.ids[number] = order_id
        if order_id is not None:
            self.owners[order_id] = number
        report = fill.report
        if report is None or not report.fills:
            return None
        return [(f.price, f.fill_quantity, f.maker_order_id) for f in report.fills]

    def ioc(self, number, is_buy, price, qty):
        trades = self.new(number, is_buy, price, qty)
        if self.ids[number] is not None:
            self.book.cancel(self.ids[number])
        return trades

    def cancel(self, number, live):
        if self.ids[number] is not None:
            self.book.cancel(self.ids[number])

    def replace(self, number, is_buy, price, total_qty, open_qty, live):
        if not live:
            return None
        self.book.cancel(self.ids[number])
        return self.new(number, is_buy, price, open_qty)

    def numbers(self):
        return self.owners

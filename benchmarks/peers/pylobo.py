"""pylobo: lobo.Book, a Rust book; fills are asked for in a report."""

import uuid

import lobo
from lobo.orders import LimitOrder, Side

NOTE = "IOC is a limit order and a cancel of what is left; replace is cancel and new"
SIDES = (Side.Sell, Side.Buy)
TRADER = uuid.UUID(int=1)
REPORTS = lobo.Reports(include_fills=True)


class Book:
    """Its own ids."""

    def __init__(self):
        self.book = lobo.Book()
        self.ids = {}
        self.owners = {}

    def new(self, number, side, price, qty):
        order = LimitOrder(price, qty, TRADER, side)
        fill = self.book.fill(order, REPORTS)
        order_id = fill.remaining_order_id
        self.ids[number] = order_id
        if order_id is not None:
            self.owners[order_id] = number
        report = fill.report
        if report is None or not report.fills:
            return None
        return [(f.price, f.fill_quantity, f.maker_order_id) for f in report.fills]

    def ioc(self, number, side, price, qty):
        trades = self.new(number, side, price, qty)
        if self.ids[number] is not None:
            self.book.cancel(self.ids[number])
        return trades

    def _cancel(self, number):
        try:
            self.book.cancel(self.ids[number])
        except (RuntimeError, TypeError):
            return False
        return True

    def cancel(self, number, live):
        self._cancel(number)

    def replace(self, number, side, price, total_qty, open_qty, live):
        if not self._cancel(number):
            return None
        return self.new(number, side, price, open_qty)

    def numbers(self):
        return self.owners

"""limit-order-book: LimitOrderBook through ctypes; its Python functions return no trades."""

from limit_order_book import LimitOrderBook

NOTE = (
    "IOC is a limit order and a cancel of what is left; replace is cancel and new; its order "
    "functions return nothing, so the touch at the end is compared, not the trades"
)
REPORTS_TRADES = False


class Book:
    """Ids are the flow's numbers; an id it does not know it must not be given."""

    def __init__(self):
        self.book = LimitOrderBook()

    def new(self, number, side, price, qty):
        self.book.limit(side, number, qty, price)

    def ioc(self, number, side, price, qty):
        self.book.limit(side, number, qty, price)
        if self.book.has(number):
            self.book.cancel(number)

    def cancel(self, number, live):
        if self.book.has(number):
            self.book.cancel(number)

    def replace(self, number, side, price, total_qty, open_qty, live):
        if self.book.has(number):
            self.book.cancel(number)
            self.book.limit(side, number, open_qty, price)

    def touch(self):
        return [self.book.best_buy(), self.book.best_sell()]

"""litebook: OrderBook, a Rust book with text ids and float quantities."""

from litebook import OrderBook, OrderType

NOTE = "IOC is a limit order and a cancel of what is left; replace is cancel and new"


class Book:
    """Its own ids, which are text; a tick of 1, so that a price is a number of ticks."""

    def __init__(self):
        self.book = OrderBook(tick_size=1.0)
        self.ids = {}
        self.owners = {}

    def new(self, number, is_buy, price, qty):
        side = OrderType.Buy if is_buy else OrderType.Sell
        order = self.book.create_order(side, float(price), float(qty))
        self.ids[number] = order_id = order.id
        self.owners[order_id] = number
        fills = self.book.add(order)
        return [(f.price, f.quantity, f.sell_id if is_buy else f.buy_id) for f in fills]

    def ioc(self, number, is_buy, price, qty):
        trades = self.new(number, is_buy, price, qty)
        self.book.cancel(self.ids[number])
        return trades

    def cancel(self, number, live):
        self.book.cancel(self.ids[number])

    def replace(self, number, is_buy, price, total_qty, open_qty, live):
        if not self.book.cancel(self.ids[number]):
            return None
        return self.new(number, is_buy, price, open_qty)

    def numbers(self):
        return self.owners

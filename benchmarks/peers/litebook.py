"""litebook: OrderBook, a Rust book with text ids and float quantities."""

from litebook import OrderBook, OrderType

SIDES = (OrderType.Sell, OrderType.Buy)
price = qty = float
NOTE = (
    "IOC is a limit order and a cancel of what is left; replace is cancel and new, left out where "
    "touchline refuses it, because its cancel of a filled order succeeds; its trades have the "
    "incoming order's price"
)


class Book:
    """Its own ids, which are text; a tick of 1, so that a price is a number of ticks."""

    def __init__(self):
        self.book = OrderBook(tick_size=1.0)
        self.ids = {}
        self.owners = {}

    def new(self, number, side, price, qty):
        order = self.book.create_order(side, price, qty)
        self.ids[number] = order_id = order.id
        self.owners[order_id] = number
        fills = self.book.add(order)
        if not fills:
            return None
        return [
            (f.price, f.quantity, f.buy_id if f.sell_id == order_id else f.sell_id) for f in fills
        ]

    def ioc(self, number, side, price, qty):
        trades = self.new(number, side, price, qty)
        self.book.cancel(self.ids[number])
        return trades

    def cancel(self, number, live):
        self.book.cancel(self.ids[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        if not live or not self.book.cancel(self.ids[number]):
            return None
        return self.new(number, side, price, open_qty)

    def numbers(self):
        return self.owners

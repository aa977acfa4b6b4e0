"""liquibook: the C++ book through SWIG, fills by a listener written in Python."""

import liquibook

NOTE = "replace is a change of size and price, which keeps the order"
NONE, IOC = liquibook.oc_no_conditions, liquibook.oc_immediate_or_cancel


class Listener(liquibook.OrderListener):
    """Applies each fill to both orders, as its example does, and notes it."""

    def __init__(self):
        liquibook.OrderListener.__init__(self)
        self.trades = []

    def on_fill(self, taker, maker, fill_qty, fill_cost):
        taker.fill(fill_qty, fill_cost, 0)
        maker.fill(fill_qty, fill_cost, 0)
        self.trades.append((maker.price(), fill_qty, maker.order_id_))

    def on_accept(self, order):
        order.accept()

    def on_cancel(self, order):
        order.cancel()

    def on_cancel_reject(self, order, reason):
        pass

    def on_replace_reject(self, order, reason):
        pass

    def on_replace(self, order, size_delta, new_price):
        order.replace(size_delta, new_price)


class Book:
    """Orders are objects of its own, numbered by it."""

    def __init__(self):
        self.listener = Listener()
        self.book = liquibook.DepthOrderBook()
        self.book.set_order_listener(self.listener)
        self.book.set_symbol("AAA")
        self.orders = {}

    def _taken(self):
        found, self.listener.trades = self.listener.trades, []
        return found

    def new(self, number, side, price, qty, conditions=NONE):
        order = liquibook.SimpleOrder(side, price, qty)
        self.orders[number] = order
        self.book.add(order, conditions)
        return self._taken()

    def ioc(self, number, side, price, qty):
        return self.new(number, side, price, qty, IOC)

    def cancel(self, number, live):
        self.book.cancel(self.orders[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        order = self.orders[number]
        self.book.replace(order, total_qty - order.order_qty(), price)
        return self._taken()

    def numbers(self):
        return {order.order_id_: number for number, order in self.orders.items()}

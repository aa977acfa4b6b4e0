"""lightmatchingengine: a pure Python engine."""

from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side

SIDES = (Side.SELL, Side.BUY)
NOTE = (
    "IOC is a limit order and a cancel of what is left; replace is cancel and new; a cancel of an "
    "order that is gone may be an AssertionError, which is caught"
)


class Book:
    """Its own ids; each trade comes twice, the maker's second."""

    def __init__(self):
        self.engine = LightMatchingEngine()
        self.ids = {}
        self.owners = {}

    def _add(self, number, side, price, qty):
        order, trades = self.engine.add_order("AAA", price, qty, side)
        self.ids[number] = order.order_id
        self.owners[order.order_id] = number
        makers = [t for t in trades if t.trade_side != side]
        return order, [(t.trade_price, t.trade_qty, t.order_id) for t in makers]

    def _cancel(self, number):
        try:
            return self.engine.cancel_order(self.ids[number], "AAA")
        except AssertionError:
            return None

    def new(self, number, side, price, qty):
        return self._add(number, side, price, qty)[1]

    def ioc(self, number, side, price, qty):
        order, trades = self._add(number, side, price, qty)
        if order.leaves_qty:
            self._cancel(number)
        return trades

    def cancel(self, number, live):
        self._cancel(number)

    def replace(self, number, side, price, total_qty, open_qty, live):
        if self._cancel(number) is None:
            return None
        return self._add(number, side, price, open_qty)[1]

    def numbers(self):
        return self.owners

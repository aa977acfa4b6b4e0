"""touchline, one call with plain integers a command; the trades of those that have any."""

from touchline.core.engine import Engine
from touchline.core.messages import OrdType, Side, TimeInForce
from touchline.data.flow import setup_commands

SIDES = (int(Side.SELL), int(Side.BUY))
LIMIT = int(OrdType.LIMIT)
DAY, IOC = int(TimeInForce.DAY), int(TimeInForce.IOC)


class Book:
    """An engine with one instrument and one account."""

    def __init__(self):
        self.engine = Engine(orders_max=1 << 16)
        self.engine.submit(setup_commands(1, 1, False))
        self.ids = {}

    def new(self, number, side, price, qty):
        engine = self.engine
        events = engine.new_order(0, 0, side, LIMIT, DAY, price, qty)
        answer = engine.answer()
        self.ids[number] = answer.order_id
        return answer.trades if events > 1 else None

    def ioc(self, number, side, price, qty):
        engine = self.engine
        if engine.new_order(0, 0, side, LIMIT, IOC, price, qty) > 1:
            return engine.answer().trades
        return None

    def cancel(self, number, live):
        self.engine.cancel(self.ids[number], 0)

    def replace(self, number, side, price, total_qty, open_qty, live):
        engine = self.engine
        if engine.replace(self.ids[number], 0, price, total_qty) > 1:
            return engine.answer().trades
        return None

    def numbers(self):
        return {order_id: number for number, order_id in self.ids.items()}

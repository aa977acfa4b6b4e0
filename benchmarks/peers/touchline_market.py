"""touchline's object API: names, a price as text, one Report a command that is kept by the caller."""

from decimal import Decimal

from touchline.market import Market
from touchline.messages import TimeInForce

DAY, IOC = int(TimeInForce.DAY), int(TimeInForce.IOC)


class Prices(dict):
    """Ticks as the text a user would write, made once."""

    def __missing__(self, ticks):
        self[ticks] = text = str(Decimal(ticks) / 100)
        return text


TEXT = Prices()


class Book:
    """A market with one instrument, tick 0.01, and one account."""

    def __init__(self):
        self.market = Market(orders_max=1 << 16)
        self.market.list_instrument("AAA", "0.01")
        self.market.open_account("ACC1")
        self.reports = {}

    def new(self, number, is_buy, price, qty, time_in_force=DAY):
        market = self.market
        enter = market.buy if is_buy else market.sell
        report = enter("AAA", qty, TEXT[price], account="ACC1", time_in_force=time_in_force)
        self.reports[number] = report
        return report.trades if report.count > 1 else None

    def ioc(self, number, is_buy, price, qty):
        return self.new(number, is_buy, price, qty, IOC)

    def cancel(self, number, live):
        self.market.cancel(self.reports[number])

    def replace(self, number, is_buy, price, total_qty, open_qty, live):
        report = self.market.replace(self.reports[number], total_qty, TEXT[price])
        return report.trades if report.count > 1 else None

    def numbers(self):
        return {report.order_id: number for number, report in self.reports.items()}

"""touchline's object API: names, a price as text, a Report for each command."""

from decimal import Decimal

from touchline.market import Market
from touchline.messages import TimeInForce

DAY, IOC = int(TimeInForce.DAY), int(TimeInForce.IOC)


def price(ticks):
    """As text, as a user would write it."""
    return str(Decimal(ticks) / 100)


class Book:
    """A market with one instrument, tick 0.01, and one account."""

    def __init__(self):
        self.market = Market(orders_max=1 << 16)
        self.market.list_instrument("AAA", "0.01")
        self.market.open_account("ACC1")
        self.reports = {}

    def new(self, number, side, price, qty, time_in_force=DAY):
        enter = self.market.buy if side else self.market.sell
        report = enter("AAA", qty, price, account="ACC1", time_in_force=time_in_force)
        self.reports[number] = report
        return report.trades if report.count > 1 else None

    def ioc(self, number, side, price, qty):
        return self.new(number, side, price, qty, IOC)

    def cancel(self, number, live):
        self.market.cancel(self.reports[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        report = self.market.replace(self.reports[number], total_qty, price)
        return report.trades if report.count > 1 else None

    def numbers(self):
        return {report.order_id: number for number, report in self.reports.items()}

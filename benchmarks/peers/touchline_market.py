"""touchline's object API: names, a price as text, a Report for each command."""

from decimal import Decimal

from touchline.core.messages import TimeInForce
from touchline.market import Market

IOC = int(TimeInForce.IOC)


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

    def new(self, number, side, price, qty):
        if side:
            report = self.market.buy("AAA", qty, price, account="ACC1")
        else:
            report = self.market.sell("AAA", qty, price, account="ACC1")
        self.reports[number] = report
        return report.trades

    def ioc(self, number, side, price, qty):
        if side:
            report = self.market.buy("AAA", qty, price, account="ACC1", time_in_force=IOC)
        else:
            report = self.market.sell("AAA", qty, price, account="ACC1", time_in_force=IOC)
        self.reports[number] = report
        return report.trades

    def cancel(self, number, live):
        self.market.cancel(self.reports[number])

    def replace(self, number, side, price, total_qty, open_qty, live):
        return self.market.replace(self.reports[number], total_qty, price).trades

    def numbers(self):
        return {report.order_id: number for number, report in self.reports.items()}

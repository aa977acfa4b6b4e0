"""No engine: what the driver and the calls themselves cost, which is part of every figure."""

REPORTS_TRADES = False


class Book:
    """Takes every command and does nothing."""

    def new(self, number, side, price, qty):
        return None

    def ioc(self, number, side, price, qty):
        return None

    def cancel(self, number, live):
        return None

    def replace(self, number, side, price, total_qty, open_qty, live):
        return None

"""Where prices people read become ticks, and quantities become lots, and back: the only such place.

Everything is Decimal or int; a float never takes part, so what a broker wrote is what is compared.
Ticks and lots may come out as zero or negative: whether such a price trades is the engine's rule.
Pure functions on a frozen value; any thread may call them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, DecimalException, InvalidOperation

from touchline.core.messages import Reason, reason_text
from touchline.errors import PriceError, QtyError

_INT64_MAX = (1 << 63) - 1
_OF_PRICE = (
    Reason.PRICE_BELOW_MIN,
    Reason.PRICE_ABOVE_MAX,
    Reason.MARKET_WITH_PRICE,
    Reason.PRICE_COLLAR,
    Reason.NO_REFERENCE_PRICE,
)
_OF_QTY = (Reason.ORDER_QTY_MAX, Reason.POSITION_MAX)
_OF_VALUE = (Reason.ORDER_VALUE_MAX,)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument: its number in the core, its name, and what one tick and one lot are worth.

    `tick_size` is in units of `currency`, `lot_size` in units of the thing traded; both are
    positive. Prices and quantities are accepted as text, Decimal or int, never as float.
    """

    index: int
    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    currency: str = ""

    def to_ticks(self, price: str | Decimal | int) -> int:
        """A price as a whole number of ticks; PriceError when it is no number or off tick."""
        units = _whole(price, self.tick_size)
        if units is None:
            raise PriceError(_complaint("price", price, "tick size", self.tick_size))
        return units

    def to_lots(self, qty: str | Decimal | int) -> int:
        """A quantity as a whole number of lots; QtyError when it is no number or no whole lots."""
        units = _whole(qty, self.lot_size)
        if units is None:
            raise QtyError(_complaint("quantity", qty, "lot size", self.lot_size))
        return units

    def to_price(self, ticks: int) -> Decimal:
        """Ticks as a price, written with as many decimals as the tick size."""
        return int(ticks) * self.tick_size

    def to_qty(self, lots: int) -> Decimal:
        """Lots as a quantity, written with as many decimals as the lot size."""
        return int(lots) * self.lot_size

    def to_value(self, units: int) -> Decimal:
        """A value in ticks times lots, as the core counts it, as an amount of currency."""
        return int(units) * self.tick_size * self.lot_size

    def refusal_text(self, reason: int, value: int, limit: int) -> str:
        """messages.reason_text with prices, quantities and amounts instead of ticks and lots."""
        if reason == Reason.INVALID_QTY:
            least, most = self.to_qty(1), self.to_qty(limit)
            return f"quantity {self.to_qty(value):f} is outside {least:f} to {most:f}"
        for reasons, convert, unit in (
            (_OF_PRICE, self.to_price, " ticks"),
            (_OF_QTY, self.to_qty, " lots"),
            (_OF_VALUE, self.to_value, ""),
        ):
            if reason in reasons:
                shown = reason_text(reason, f"{convert(value):f}", f"{convert(limit):f}")
                return shown.replace(unit, "")
        return reason_text(reason, value, limit)

    def floor_lots(self, qty: str | Decimal | int) -> int:
        """The most whole lots that are not above `qty`: how a limit in units is applied."""
        value = _decimal(qty)
        if value is None:
            raise QtyError(_complaint("quantity", qty, "lot size", self.lot_size))
        return _floor(value, self.lot_size)

    def floor_value(self, amount: str | Decimal | int) -> int:
        """The most ticks times lots that are not above `amount` of currency."""
        value = _decimal(amount)
        if value is None:
            raise PriceError(_complaint("amount", amount, "tick size", self.tick_size))
        return _floor(value, self.tick_size * self.lot_size)


def _decimal(number: str | Decimal | int) -> Decimal | None:
    """The number as a finite Decimal, or None. Text is digits, a sign and a point, as in FIX."""
    if isinstance(number, str):
        plain = number[1:] if number[:1] in ("-", "+") else number
        if not plain.isascii() or not plain.replace(".", "", 1).isdecimal():
            return None
    elif isinstance(number, bool) or not isinstance(number, Decimal | int):
        return None
    value = Decimal(number)
    return value if value.is_finite() else None


def _whole(number: str | Decimal | int, unit: Decimal) -> int | None:
    """How many units the number is, or None when that is not a whole number within 64 bits."""
    value = _decimal(number)
    if value is None:
        return None
    try:
        units, rest = divmod(value, unit)
    except DecimalException:
        return None
    if rest or abs(units) > _INT64_MAX:
        return None
    return int(units)


def _floor(number: Decimal, unit: Decimal) -> int:
    """Whole units not above the number, at most what 64 bits hold below the mark for unset."""
    try:
        units = int((number / unit).to_integral_value(ROUND_FLOOR))
    except InvalidOperation:
        return _INT64_MAX - 1
    return min(units, _INT64_MAX - 1)


def _complaint(what: str, number: object, unit_name: str, unit: Decimal) -> str:
    """Why a number was not accepted, in a sentence."""
    shown = f"{number!s:.40}"
    value = _decimal(number) if isinstance(number, str | Decimal | int) else None
    if value is None:
        return f"{what} {shown!r} is not a decimal number"
    if abs(value) >= unit * Decimal(_INT64_MAX):
        return f"{what} {shown} is too large"
    return f"{what} {shown} is not a multiple of the {unit_name} {unit}"

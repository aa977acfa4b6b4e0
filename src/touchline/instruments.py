"""Where prices people read become ticks, and quantities become lots, and back: the only such place.

Everything is exact: text, Decimal, integers and fractions, never a float, and no sum is done in the
caller's decimal context, so neither its precision nor its traps change an answer. Ticks and lots
may come out as zero or negative: whether such a price trades is the engine's rule.
Pure functions on a frozen value; any thread may call them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from numbers import Integral, Rational

import numpy as np

from touchline.core.messages import Reason, reason_text
from touchline.errors import PriceError, QtyError

Number = str | Decimal | int | Fraction

_INT64_MAX = (1 << 63) - 1
# A tick or lot has at most so many decimals, and as many digits before its point.
SIZE_DIGITS = 18
# Longer text is refused before anything is made of it.
TEXT_CHARACTERS_MAX = 10_000
# Larger numbers are no price of any instrument; 64 bits of the largest tick have 37 digits.
_DIGITS_MAX = 80
# Decimals of a tick times a lot: numbers are compared as whole multiples of 10^-36.
_SCALE = 2 * SIZE_DIGITS
_WRITTEN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?", re.ASCII)
# Products, sums and shifts of a caller's context could be rounded or raise: these never are, and
# never do. Not for a quotient, which may have no end; that of an average has 28 digits.
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_QUOTIENT = Context(prec=28, rounding=ROUND_HALF_EVEN, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
# A quotient of more digits is NaN, and so is its rest, which is then not 0.
_DIVISION = Context(prec=2 * _DIGITS_MAX, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_OF_PRICE = (
    Reason.PRICE_BELOW_MIN,
    Reason.PRICE_ABOVE_MAX,
    Reason.MARKET_WITH_PRICE,
    Reason.PRICE_COLLAR,
    Reason.NO_REFERENCE_PRICE,
    Reason.WOULD_TRADE,
    Reason.NOT_CLOSING_PRICE,
)
_OF_QTY = (Reason.ORDER_QTY_MAX, Reason.POSITION_MAX, Reason.DISPLAY_QTY)
_OF_VALUE = (Reason.ORDER_VALUE_MAX,)


@dataclass(frozen=True, slots=True, init=False)
class Instrument:
    """One instrument: its number in the core, its name, and what one tick and one lot are worth.

    `tick_size` is in units of `currency`, `lot_size` in units of the thing traded; both are
    positive, have at most 18 decimals and 18 digits before the point, and are kept as Decimal
    without an exponent above 0. Sizes, prices and quantities are text, Decimal, whole numbers of
    any kind or fractions, never floats. A size that is none of these is a PriceError (of a tick) or
    QtyError (of a lot), and no Instrument.
    """

    index: int
    symbol: str
    tick_size: Decimal
    lot_size: Decimal
    currency: str

    def __init__(
        self,
        index: int,
        symbol: str,
        tick_size: Number,
        lot_size: Number = 1,
        currency: str = "",
    ) -> None:
        for name, value in (
            ("index", index),
            ("symbol", symbol),
            ("tick_size", _size(tick_size, "tick size", PriceError)),
            ("lot_size", _size(lot_size, "lot size", QtyError)),
            ("currency", currency),
        ):
            object.__setattr__(self, name, value)

    def to_ticks(self, price: Number) -> int:
        """A price as a whole number of ticks; PriceError when it is no number or off tick."""
        units = _whole(price, self.tick_size)
        if units is None:
            raise PriceError(_complaint("price", price, "tick size", self.tick_size))
        return units

    def to_lots(self, qty: Number) -> int:
        """A quantity as a whole number of lots; QtyError when it is no number or no whole lots."""
        units = _whole(qty, self.lot_size)
        if units is None:
            raise QtyError(_complaint("quantity", qty, "lot size", self.lot_size))
        return units

    def to_price(self, ticks: int) -> Decimal:
        """Ticks as a price, written with as many decimals as the tick size."""
        return EXACT.multiply(int(ticks), self.tick_size)

    def to_qty(self, lots: int) -> Decimal:
        """Lots as a quantity, written with as many decimals as the lot size."""
        return EXACT.multiply(int(lots), self.lot_size)

    def to_value(self, units: int) -> Decimal:
        """A value in ticks times lots, as the core counts it, as an amount of currency."""
        return EXACT.multiply(EXACT.multiply(int(units), self.tick_size), self.lot_size)

    def to_avg_px(self, value: int, lots: int) -> Decimal:
        """The average price of `lots`, not 0, that traded for `value` ticks times lots.

        In full, or to 28 digits where it has no end.
        """
        return _QUOTIENT.divide(self.to_price(value), int(lots))

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

    def floor_lots(self, qty: Number) -> int:
        """The most whole lots that are not above `qty`: how a limit in units is applied."""
        value = exact(qty)
        if value is None:
            raise QtyError(_complaint("quantity", qty, "lot size", self.lot_size))
        return _floor(value, self.lot_size)

    def floor_value(self, amount: Number) -> int:
        """The most ticks times lots that are not above `amount` of currency."""
        value = exact(amount)
        if value is None:
            raise PriceError(_complaint("amount", amount, "tick size", self.tick_size))
        return _floor(value, EXACT.multiply(self.tick_size, self.lot_size))


def exact(number: object) -> Decimal | Fraction | None:
    """The number as a finite Decimal, or as the Fraction it is; None when it is no exact number.

    Text is digits with a sign and a point, and may have an exponent, as Decimal writes it.
    """
    if isinstance(number, str):
        if len(number) > TEXT_CHARACTERS_MAX or not _WRITTEN.fullmatch(number):
            return None
        return Decimal(number)
    if isinstance(number, Decimal):
        return number if number.is_finite() else None
    if isinstance(number, bool | np.bool_):
        return None
    if isinstance(number, Integral):
        return Decimal(int(number))
    if isinstance(number, Rational):
        return Fraction(int(number.numerator), int(number.denominator))
    return None


def _too_large(number: Decimal | Fraction) -> bool:
    """Whether it is beyond every price: a Decimal of a few bytes can have a billion digits."""
    if isinstance(number, Decimal):
        return number.adjusted() >= _DIGITS_MAX
    return bool(abs(number) >= 10**_DIGITS_MAX)


def _scaled(number: Decimal | Fraction) -> tuple[int, bool]:
    """The number in units of 10^-_SCALE, rounded down, and whether that is all of it."""
    if isinstance(number, Fraction):
        units, rest = divmod(number.numerator * 10**_SCALE, number.denominator)
        return units, rest == 0
    shifted = EXACT.scaleb(number, _SCALE)
    whole = shifted.to_integral_value(ROUND_FLOOR, EXACT)
    return int(whole), whole == shifted


def _whole(number: object, unit: Decimal) -> int | None:
    """How many units the number is, or None when that is not a whole number within 64 bits."""
    value = exact(number)
    if value is None or not value:
        return None if value is None else 0
    if isinstance(value, Fraction):
        scaled, all_of_it = _scaled(value)
        units, rest = divmod(scaled, _scaled(unit)[0])
        whole = units if all_of_it and not rest else _INT64_MAX + 1
    else:
        quotient, rest_of_it = _DIVISION.divmod(value, unit)
        whole = int(quotient) if not rest_of_it else _INT64_MAX + 1
    return whole if abs(whole) <= _INT64_MAX else None


def _floor(number: Decimal | Fraction, unit: Decimal) -> int:
    """Whole units not above the number, at most what 64 bits hold below the mark for unset."""
    if number and _too_large(number):
        return -_INT64_MAX if number < 0 else _INT64_MAX - 1
    units = _scaled(number)[0] // _scaled(unit)[0] if number else 0
    return max(-_INT64_MAX, min(units, _INT64_MAX - 1))


def _size(size: object, name: str, error: type[PriceError | QtyError]) -> Decimal:
    """A tick or lot size as a Decimal that is written without an exponent above 0."""
    value = exact(size)
    if value is None:
        raise error(f"{name} {_shown(size)}")
    if not value > 0:
        raise error(f"{name} {_plain(value)} is not positive")
    if _too_large(value) or value >= 10**SIZE_DIGITS:
        raise error(f"{name} {_plain(value)} has more than {SIZE_DIGITS} digits before its point")
    scaled, all_of_it = _scaled(value)
    if not all_of_it or scaled % 10 ** (_SCALE - SIZE_DIGITS):
        raise error(f"{name} {_plain(value)} has more than {SIZE_DIGITS} decimals")
    if isinstance(value, Fraction):
        value = EXACT.normalize(EXACT.scaleb(Decimal(scaled), -_SCALE))
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    least = min(0, max(exponent, -SIZE_DIGITS))
    return value.quantize(Decimal(1).scaleb(least, EXACT), context=EXACT)


def _complaint(what: str, number: object, unit_name: str, unit: Decimal) -> str:
    """Why a number was not accepted, in a sentence."""
    value = exact(number)
    if value is None:
        return f"{what} {_shown(number)}"
    if _too_large(value) or abs(_scaled(value)[0]) // _scaled(unit)[0] >= _INT64_MAX:
        return f"{what} {_plain(value)} is too large"
    return f"{what} {_plain(value)} is not a multiple of the {unit_name} {unit:f}"


def _shown(number: object) -> str:
    """What is no exact number, and what to write instead."""
    if isinstance(number, float | np.floating):
        return f"{number!s} is a float; write it as text, '{number!s}', or as a Decimal"
    kind = "" if isinstance(number, str | Decimal) else f", {type(number).__name__},"
    return f"{f'{number!s:.40}'!r}{kind} is not a decimal number"


def _plain(number: Decimal | Fraction) -> str:
    """A number as text, cut where it is long."""
    if isinstance(number, Fraction) or abs(number.adjusted()) > 40:
        return f"{number!s:.40}"
    return f"{f'{number:f}':.40}"

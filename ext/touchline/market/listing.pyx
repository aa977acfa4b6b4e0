# cython: language_level=3
"""One instrument of a market: what people write, turned into the engine's numbers.

It holds the market's record and shares its account names; one thread at a time.
touchline.instruments says what a number is in ticks and lots; the usual ones, up to 18 digits, are
read here with the same result, and all others there. Decimals that were made are kept for the next
who asks for them: a loop meets the same prices again and again, and a Decimal costs as much as an
order.
"""

from decimal import Decimal

import numpy as np

cimport cython
from cpython.list cimport PyList_GET_ITEM
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE, PyTuple_SET_ITEM
from cpython.type cimport PyType_GenericAlloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport INT64_MIN, int64_t

from touchline.core.messages cimport TL_SIDE_BUY, TL_SIDE_SELL

from touchline.core.messages import Side
from touchline.instruments import EXACT

cdef object _decimal = Decimal
cdef object _whole_number = np.integer
cdef object _multiply = EXACT.multiply
cdef object _buy = Side.BUY
cdef object _sell = Side.SELL


cdef int64_t[19] _powers
_powers[0] = 1
for _i in range(18):
    _powers[_i + 1] = 10 * _powers[_i]


cdef unit_size size_of(size) except *:
    """A Decimal as unit_size."""
    cdef unit_size unit
    _, digits, exponent = size.as_tuple()
    unit.mantissa = 0
    unit.exponent = 0
    if len(digits) <= 9 and abs(exponent) <= 18:
        unit.mantissa = int("".join(map(str, digits)))
        unit.exponent = exponent
    return unit


@cython.cdivision(True)
cdef bint whole_units(int64_t mantissa, int decimals, const unit_size *unit,
                      int64_t *units) noexcept nogil:
    """mantissa x 10^-decimals in units; False when it is not whole, or too long to tell here."""
    cdef int shift = -decimals - unit.exponent
    cdef int64_t divisor = unit.mantissa
    cdef int64_t bound
    if divisor == 0 or shift < -9 or shift > 18:
        return False
    if shift < 0:
        divisor *= _powers[-shift]
    else:
        bound = _powers[18 - shift]
        if mantissa >= bound or mantissa <= -bound:
            return False
        mantissa *= _powers[shift]
    # By far the most are written in units, and a division takes as long as the rest.
    if divisor == 1:
        units[0] = mantissa
        return True
    if mantissa % divisor != 0:
        return False
    units[0] = mantissa // divisor
    return True


cdef bint text_units(const char *text, Py_ssize_t length, const unit_size *unit,
                     int64_t *units) noexcept nogil:
    """Digits with at most one point and a sign; False for anything else, and over 18 digits."""
    cdef int64_t mantissa = 0
    cdef Py_ssize_t first = 1 if length > 0 and (text[0] == c"-" or text[0] == c"+") else 0
    cdef Py_ssize_t point = -1
    cdef Py_ssize_t i
    if length - first > 18:
        return False
    for i in range(first, length):
        if c"0" <= text[i] <= c"9":
            mantissa = 10 * mantissa + (text[i] - c"0")
        elif text[i] == c"." and point < 0:
            point = i
        else:
            return False
    if length - first - (point >= 0) < 1:
        return False
    if text[0] == c"-":
        mantissa = -mantissa
    return whole_units(mantissa, <int>(length - 1 - point) if point >= 0 else 0, unit, units)


cdef int64_t units_of(number, const unit_size *unit, convert) except? -1:
    """A number in ticks or lots; what can not be read here goes to `convert`, which may raise."""
    cdef int64_t units
    cdef int64_t value
    cdef int overflow = 0
    cdef Py_ssize_t length
    cdef const char *text
    if type(number) is int:
        value = PyLong_AsLongLongAndOverflow(number, &overflow)
        if overflow == 0 and whole_units(value, 0, unit, &units):
            return units
    elif type(number) is str or type(number) is _decimal:
        written = number if type(number) is str else str(number)
        text = PyUnicode_AsUTF8AndSize(written, &length)
        if text_units(text, length, unit, &units):
            return units
    elif isinstance(number, _whole_number):
        return units_of(int(number), unit, convert)
    return convert(number)


cdef object kept(int64_t units, list decimals, int64_t *decimals_of, size):
    """units x size as a Decimal: one that was made before, if it is still there."""
    cdef Py_ssize_t at = units & (DECIMALS_KEPT - 1)
    if decimals_of[at] != units:
        decimals[at] = _multiply(units, size)
        decimals_of[at] = units
    return <object>PyList_GET_ITEM(decimals, at)


cdef object row(kind, tuple values):
    """A tuple of this kind, a NamedTuple: what its constructor makes, without its detours."""
    cdef Py_ssize_t i
    cdef Py_ssize_t count = PyTuple_GET_SIZE(values)
    made = PyType_GenericAlloc(kind, count)
    for i in range(count):
        value = <object>PyTuple_GET_ITEM(values, i)
        Py_INCREF(value)
        PyTuple_SET_ITEM(made, i, value)
    return made


cdef uint8_t side_of(side) except 0:
    """A side as the core knows it; ValueError for what is none."""
    if side is _buy:
        return TL_SIDE_BUY
    if side is _sell:
        return TL_SIDE_SELL
    if isinstance(side, (int, str, _whole_number)):
        if side == TL_SIDE_BUY or side == "buy":
            return TL_SIDE_BUY
        if side == TL_SIDE_SELL or side == "sell":
            return TL_SIDE_SELL
    raise ValueError(f"side {side!r} is none; allowed are Side.BUY or 'buy', Side.SELL or 'sell'")


cdef class Listing:
    """`instrument`, a touchline.instruments.Instrument, in the market of `record`.

    `account_names` gives the name of each account number; it is the market's own and may grow.
    `epoch` is the record's when the listing is made.
    """

    def __cinit__(self, Record record not None, instrument, list account_names not None):
        cdef Py_ssize_t i
        self.record = record
        self.instrument = instrument
        self.account_names = account_names
        self.epoch = record.epoch
        self.to_ticks = instrument.to_ticks
        self.to_lots = instrument.to_lots
        self.tick_size = instrument.tick_size
        self.lot_size = instrument.lot_size
        self.tick = size_of(self.tick_size)
        self.lot = size_of(self.lot_size)
        self.number = instrument.index
        self.prices = [None] * DECIMALS_KEPT
        self.quantities = [None] * DECIMALS_KEPT
        for i in range(DECIMALS_KEPT):
            self.prices_of[i] = self.quantities_of[i] = INT64_MIN

    def __reduce__(self):
        return _listing_of, (self.record, self.instrument, self.account_names, self.epoch)

    cdef int64_t ticks_of(self, price) except? -1:
        return units_of(price, &self.tick, self.to_ticks)

    cdef int64_t lots_of(self, qty) except? -1:
        return units_of(qty, &self.lot, self.to_lots)

    cdef object price_of(self, int64_t ticks):
        return kept(ticks, self.prices, self.prices_of, self.tick_size)

    cdef object qty_of(self, int64_t lots):
        return kept(lots, self.quantities, self.quantities_of, self.lot_size)

    def ticks(self, price):
        """A price in ticks: Instrument.to_ticks, and sooner."""
        return self.ticks_of(price)

    def lots(self, qty):
        """A quantity in lots: Instrument.to_lots, and sooner."""
        return self.lots_of(qty)

    def price(self, int64_t ticks):
        """Ticks as a price: Instrument.to_price, and sooner."""
        return self.price_of(ticks)

    def qty(self, int64_t lots):
        """Lots as a quantity: Instrument.to_qty, and sooner."""
        return self.qty_of(lots)


def _listing_of(record, instrument, account_names, epoch):
    """A Listing out of its parts, as a pickle has them."""
    cdef Listing listing = Listing(record, instrument, account_names)
    listing.epoch = epoch
    return listing

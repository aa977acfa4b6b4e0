# cython: language_level=3
"""One instrument of a market: what people write, turned into the engine's numbers.

It holds the market's engine and shares its account names; one thread at a time.
touchline.instruments says what a number is in ticks and lots; the usual ones, up to 18 digits, are
read here with the same result, and all others there.
"""

from decimal import Decimal

cimport cython
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t

cdef object _decimal = Decimal


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
    return convert(number)


cdef class Listing:
    """`instrument`, a touchline.instruments.Instrument, at `engine`.

    `account_names` gives the name of each account number; it is the market's own and may grow.
    """

    def __cinit__(self, Engine engine not None, instrument, list account_names not None):
        self.engine = engine
        self.instrument = instrument
        self.account_names = account_names
        self.to_ticks = instrument.to_ticks
        self.to_lots = instrument.to_lots
        self.tick = size_of(instrument.tick_size)
        self.lot = size_of(instrument.lot_size)
        self.number = instrument.index

    cdef int64_t ticks_of(self, price) except? -1:
        return units_of(price, &self.tick, self.to_ticks)

    cdef int64_t lots_of(self, qty) except? -1:
        return units_of(qty, &self.lot, self.to_lots)

    def ticks(self, price):
        """A price in ticks: Instrument.to_ticks, and sooner."""
        return self.ticks_of(price)

    def lots(self, qty):
        """A quantity in lots: Instrument.to_lots, and sooner."""
        return self.lots_of(qty)

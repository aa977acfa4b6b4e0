# cython: language_level=3
"""One instrument of a market: what people write, turned into the engine's numbers, and an answer.

The part of touchline.market that runs for every order. It holds the market's engine and shares
its account names; one thread at a time. touchline.instruments says what a number is in ticks and
lots; the usual ones, up to 18 digits, are read here with the same result, and all others there.
"""

from decimal import Decimal

cimport cython
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from touchline.messages cimport (
    TL_MSG_TYPE_CANCEL, TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_REPLACE, TL_ORD_TYPE_LIMIT,
    TL_ORD_TYPE_MARKET, tl_command,
)

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
    """`instrument`, a touchline.instruments.Instrument, at `engine`; answers are of type `kind`.

    `accounts` gives the number of each account name and `account_names` the reverse; both are the
    market's own and may grow.
    """

    def __init__(self, Engine engine not None, instrument, dict accounts not None,
                 list account_names not None, kind):
        if not isinstance(kind, type) or not issubclass(kind, Answer):
            raise TypeError(f"{kind!r} is no kind of Answer")
        self.engine = engine
        self.instrument = instrument
        self.accounts = accounts
        self.account_names = account_names
        self.kind = kind
        self.to_ticks = instrument.to_ticks
        self.to_lots = instrument.to_lots
        self.tick = size_of(instrument.tick_size)
        self.lot = size_of(instrument.lot_size)
        self.number = instrument.index

    def ticks(self, price):
        """A price in ticks: Instrument.to_ticks, and sooner."""
        return units_of(price, &self.tick, self.to_ticks)

    cdef uint32_t owner(self, object account) except? 0xFFFFFFFF:
        number = self.accounts.get(account)
        if number is None:
            raise LookupError(f"no account {account!r} is open")
        return number

    def enter(self, uint8_t side, qty, price, account, uint8_t time_in_force):
        """Enter an order, a market order when `price` is None."""
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_NEW_ORDER
        cmd.instrument = self.number
        cmd.account = self.owner(account)
        cmd.side = side
        cmd.ord_type = TL_ORD_TYPE_MARKET
        cmd.time_in_force = time_in_force
        if price is not None:
            cmd.ord_type = TL_ORD_TYPE_LIMIT
            cmd.price = units_of(price, &self.tick, self.to_ticks)
        cmd.qty = units_of(qty, &self.lot, self.to_lots)
        self.engine.step(&cmd)
        return self.engine.keep(self.kind, self)

    def cancel(self, uint64_t order_id, uint32_t account_number):
        """Cancel an open order of the account."""
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_CANCEL
        cmd.order_id = order_id
        cmd.account = account_number
        self.engine.step(&cmd)
        return self.engine.keep(self.kind, self)

    def replace(self, uint64_t order_id, uint32_t account_number, qty, price):
        """Change total quantity and price of an open order of the account."""
        cdef tl_command cmd
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_REPLACE
        cmd.order_id = order_id
        cmd.account = account_number
        cmd.price = units_of(price, &self.tick, self.to_ticks)
        cmd.qty = units_of(qty, &self.lot, self.to_lots)
        self.engine.step(&cmd)
        return self.engine.keep(self.kind, self)

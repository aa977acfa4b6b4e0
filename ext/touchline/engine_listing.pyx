# cython: language_level=3
"""One instrument of a market: what people write, turned into the engine's numbers, and an answer.

The part of touchline.market that runs for every order. It holds the market's engine and shares
its account names; one thread at a time. Numbers become ticks and lots by touchline.instruments
alone; each text is worked out once and then remembered.
"""

from decimal import Decimal

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from touchline.messages cimport (
    TL_MSG_TYPE_CANCEL, TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_REPLACE, TL_ORD_TYPE_LIMIT,
    TL_ORD_TYPE_MARKET, tl_command,
)

cdef object _decimal = Decimal


cdef class Listing:
    """`instrument`, a touchline.instruments.Instrument, at `engine`; answers are of type `kind`.

    `accounts` gives the number of each account name and `account_names` the reverse; both are the
    market's own and may grow. At most `remembered_max` prices and as many quantities are kept.
    """

    def __init__(self, Engine engine not None, instrument, dict accounts not None,
                 list account_names not None, kind, Py_ssize_t remembered_max=65536):
        if not isinstance(kind, type) or not issubclass(kind, Answer):
            raise TypeError(f"{kind!r} is no kind of Answer")
        self.engine = engine
        self.instrument = instrument
        self.accounts = accounts
        self.account_names = account_names
        self.kind = kind
        self.to_ticks = instrument.to_ticks
        self.to_lots = instrument.to_lots
        self.ticks = {}
        self.lots = {}
        self.remembered_max = remembered_max
        self.number = instrument.index

    cdef int64_t units(self, dict known, object convert, object number) except? -1:
        """Keys are exact str and int alone: a float that equals one must not find it."""
        key = number
        if type(number) is _decimal:
            key = str(number)
        elif type(number) is not str and type(number) is not int:
            return convert(number)
        found = known.get(key)
        if found is not None:
            return found
        found = convert(number)
        # A text with an exponent is refused, though the Decimal it came from is not.
        if len(known) < self.remembered_max and (type(key) is int or "E" not in key):
            known[key] = found
        return found

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
            cmd.price = self.units(self.ticks, self.to_ticks, price)
        cmd.qty = self.units(self.lots, self.to_lots, qty)
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
        cmd.price = self.units(self.ticks, self.to_ticks, price)
        cmd.qty = self.units(self.lots, self.to_lots, qty)
        self.engine.step(&cmd)
        return self.engine.keep(self.kind, self)

    @property
    def remembered(self):
        """How many prices and how many quantities are remembered."""
        return len(self.ticks), len(self.lots)

# cython: language_level=3, annotation_typing=False
"""The calls of a market that run for every order: names and decimals in, a Report out.

touchline.market lists and opens what is named here, and has the queries. One thread at a time.
"""

from decimal import Decimal
from typing import NamedTuple

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.string cimport memset

from touchline.core.messages cimport (
    TL_MSG_TYPE_CANCEL, TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_REPLACE, TL_ORD_TYPE_LIMIT,
    TL_ORD_TYPE_MARKET, TL_SIDE_BUY, TL_SIDE_SELL, tl_command,
)

from touchline.core.messages import Side, TimeInForce

Number = str | Decimal | int


class OpenOrder(NamedTuple):
    """An order in the book."""

    order_id: int
    symbol: str
    account: str
    side: Side
    price: Decimal
    order_qty: Decimal
    leaves_qty: Decimal


cdef inline Report request(Listing listing, const tl_command *cmd):
    """Have the engine do it, and keep what it answered."""
    listing.engine.step(cmd)
    return <Report>listing.engine.keep(Report, listing)


cdef class OrderEntry:
    """Orders by symbol and account into `engine`: what touchline.market.Market is made of.

    Market fills `_listings`, a Listing by symbol, and `_accounts` with `_account_names`, a number
    by name and the reverse. A name that is not there is a LookupError, a price or quantity that is
    no whole number of ticks or lots a PriceError or QtyError.
    """

    def __init__(self, Engine engine not None):
        self.engine = engine

    def __cinit__(self, *args, **kwargs):
        # Before the constructor, which a derived class may call late or not at all.
        self._listings = {}
        self._accounts = {}
        self._account_names = []

    cdef Listing listing(self, symbol):
        cdef PyObject *found = PyDict_GetItemWithError(self._listings, symbol)
        if found is NULL:
            raise LookupError(f"no instrument {symbol!r} is listed")
        return <Listing?><object>found

    cdef uint32_t account(self, name) except? 0xFFFFFFFF:
        cdef PyObject *found = PyDict_GetItemWithError(self._accounts, name)
        if found is NULL:
            raise LookupError(f"no account {name!r} is open")
        return <object>found

    def _listing(self, symbol):
        return self.listing(symbol)

    def _account(self, name):
        return self.account(name)

    cdef Report enter(self, uint8_t side, symbol, qty, price, account, uint8_t time_in_force):
        cdef tl_command cmd
        cdef Listing listing = self.listing(symbol)
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_NEW_ORDER
        cmd.instrument = listing.number
        cmd.account = self.account(account)
        cmd.side = side
        cmd.ord_type = TL_ORD_TYPE_MARKET
        cmd.time_in_force = time_in_force
        if price is not None:
            cmd.ord_type = TL_ORD_TYPE_LIMIT
            cmd.price = listing.ticks_of(price)
        cmd.qty = listing.lots_of(qty)
        return request(listing, &cmd)

    def buy(self, symbol: str, qty: Number, price: Number | None = None, *, account: str,
            time_in_force: int = TimeInForce.DAY) -> Report:
        """Enter an order to buy, a market order when no price is given."""
        return self.enter(TL_SIDE_BUY, symbol, qty, price, account, time_in_force)

    def sell(self, symbol: str, qty: Number, price: Number | None = None, *, account: str,
             time_in_force: int = TimeInForce.DAY) -> Report:
        """Enter an order to sell, a market order when no price is given."""
        return self.enter(TL_SIDE_SELL, symbol, qty, price, account, time_in_force)

    cdef Listing name(self, order, tl_command *cmd):
        """Write into the command which order is meant, and whose; returns its listing."""
        cdef Report report
        cdef Listing listing
        memset(cmd, 0, sizeof(tl_command))
        if isinstance(order, Report):
            report = <Report>order
            cmd.order_id = report.first.order_id
            cmd.account = report.first.account
            return <Listing?>report.context
        listing = self.listing(order.symbol)
        cmd.order_id = order.order_id
        cmd.account = self.account(order.account)
        return listing

    def cancel(self, order: Report | OpenOrder) -> Report:
        """Cancel an order, named by the report that entered it or as open_orders gave it."""
        cdef tl_command cmd
        cdef Listing listing = self.name(order, &cmd)
        cmd.type = TL_MSG_TYPE_CANCEL
        return request(listing, &cmd)

    def replace(self, order: Report | OpenOrder, qty: Number, price: Number) -> Report:
        """Change an order's total quantity, executed included, and its price.

        The order keeps its order_id. Rules 4.2 to 4.5 say when it keeps its place.
        """
        cdef tl_command cmd
        cdef Listing listing = self.name(order, &cmd)
        cmd.type = TL_MSG_TYPE_REPLACE
        cmd.price = listing.ticks_of(price)
        cmd.qty = listing.lots_of(qty)
        return request(listing, &cmd)

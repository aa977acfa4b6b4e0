# cython: language_level=3, annotation_typing=False, nonecheck=True
"""The calls of a market that run at every step of a study: orders in, reports, the touch and depth.

touchline.market.market lists and opens what is named here. One thread at a time.
"""

from decimal import Decimal

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from touchline.core.arguments cimport natural, whole
from touchline.core.engine cimport (
    tl_engine_best, tl_engine_depth, tl_engine_events_bound, tl_engine_order,
    tl_engine_orders_open, tl_engine_position,
)
from touchline.core.messages cimport (
    TL_EXEC_TYPE_REPLACED, TL_FLAG_HIDDEN, TL_FLAG_POST_ONLY, TL_FLAG_SLIDE, TL_FLAG_SPECIAL,
    TL_MORE_TERMS, TL_MSG_TYPE_CANCEL, TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_REPLACE,
    TL_MSG_TYPE_TERMS, TL_ORD_TYPE_LIMIT,
    TL_ORD_TYPE_LIMIT_IF_TOUCHED, TL_ORD_TYPE_MARKET, TL_ORD_TYPE_MARKET_IF_TOUCHED,
    TL_ORD_TYPE_MARKET_TO_LIMIT, TL_ORD_TYPE_STOP, TL_ORD_TYPE_STOP_LIMIT, TL_PRICE_MAX,
    TL_QTY_MAX, TL_SIDE_BUY, TL_SIDE_SELL, TL_TERMS_FLAG_ALL_OR_NONE,
    TL_TERMS_FLAG_TRAIL_BASIS_POINTS, TL_TIME_IN_FORCE_GTD, TL_TRAIL_BASIS_POINTS_MAX,
    tl_level_view, tl_order_view,
)
from touchline.market.listing cimport row, side_of
from touchline.market.report cimport report_of

from touchline.core.messages import Side, TimeInForce
from touchline.instruments import Number
from touchline.market.rows import Level, OpenOrder, Position

cdef object _level = Level
cdef object _open_order = OpenOrder
cdef object _position = Position
cdef object _sides = {int(side): side for side in Side}


cdef inline Report request(Listing listing, tl_command *cmd):
    """Have the engine do it, keep what it did to orders, and report what it answered."""
    cdef Record record = listing.record
    cdef Engine engine = record.engine
    cmd.ts_ns = record.ts_ns
    # Before the engine changes anything: a request is recorded, or was never made.
    record.make_room(<size_t>tl_engine_events_bound(engine.engine))
    engine.step(cmd)
    if engine.sink.next > 1 or engine.sink.slots[0].exec_type == TL_EXEC_TYPE_REPLACED:
        record.keep(engine.sink.slots, engine.sink.next)
    return report_of(listing)


cdef inline tuple terms_of(stop_price, touched_price, display_qty, hidden, post_only, slide,
                           to_limit, min_qty, all_or_none, expire_ns, contingency,
                           cl_ord_link_id, trail, trail_percent):
    """None where there are none, which is quick to see."""
    if (stop_price is None and touched_price is None and display_qty is None
            and hidden is False and post_only is False and slide is False and to_limit is False
            and min_qty is None and all_or_none is False and expire_ns is None
            and contingency is None and cl_ord_link_id is None and trail is None
            and trail_percent is None):
        return None
    return (stop_price, touched_price, display_qty, hidden, post_only, slide, to_limit, min_qty,
            all_or_none, expire_ns, contingency, cl_ord_link_id, trail, trail_percent)


cdef int send_terms(Listing listing, tl_command *cmd, min_qty, all_or_none, expire_ns,
                    contingency, cl_ord_link_id, trail, trail_percent) except -1:
    """What goes before the order: rules 8.9, 8.13 and 12.1."""
    cdef tl_command terms
    memset(&terms, 0, sizeof(terms))
    terms.type = TL_MSG_TYPE_TERMS
    terms.ts_ns = listing.record.ts_ns
    terms.cl_ord_id = cmd.cl_ord_id
    if contingency is not None:
        terms.field = <uint8_t>whole(contingency, "contingency", 0, 0xFF)
    if cl_ord_link_id is not None:
        terms.cl_ord_link_id = natural(cl_ord_link_id, "cl_ord_link_id")
    if min_qty is not None:
        terms.min_qty = <uint32_t>whole(listing.lots_of(min_qty), "min_qty, in lots", 1, TL_QTY_MAX)
    if expire_ns is not None:
        terms.expire_ns = whole(expire_ns, "expire_ns", 1, INT64_MAX)
        cmd.time_in_force = TL_TIME_IN_FORCE_GTD
    terms.flags = TL_TERMS_FLAG_ALL_OR_NONE if all_or_none else 0
    if trail is not None and trail_percent is not None:
        raise ValueError("a stop price trails by trail or by trail_percent, not by both")
    if trail is not None:
        terms.trail = stop_of(listing, trail, "trail")
    if trail_percent is not None:
        terms.trail = basis_points_of(trail_percent)
        terms.flags |= TL_TERMS_FLAG_TRAIL_BASIS_POINTS
    cmd.field = TL_MORE_TERMS
    return listing.record.engine.step(&terms)


cdef int add_terms(Listing listing, tl_command *cmd, price, tuple terms) except -1:
    """The terms into the command, as section 8 of docs/rules.md has them."""
    (stop_price, touched_price, display_qty, hidden, post_only, slide, to_limit, min_qty,
     all_or_none, expire_ns, contingency, cl_ord_link_id, trail, trail_percent) = terms
    if stop_price is not None and touched_price is not None:
        raise ValueError("an order waits for stop_price or for touched_price, not for both")
    if to_limit and (price is not None or stop_price is not None or touched_price is not None):
        raise ValueError("an order with to_limit has no price of its own")
    cmd.flags = TL_FLAG_SPECIAL
    if stop_price is not None:
        cmd.ord_type = TL_ORD_TYPE_STOP if price is None else TL_ORD_TYPE_STOP_LIMIT
        cmd.stop_price = stop_of(listing, stop_price, "stop_price")
    elif touched_price is not None:
        cmd.ord_type = (TL_ORD_TYPE_MARKET_IF_TOUCHED if price is None
                        else TL_ORD_TYPE_LIMIT_IF_TOUCHED)
        cmd.stop_price = stop_of(listing, touched_price, "touched_price")
    elif to_limit:
        cmd.ord_type = TL_ORD_TYPE_MARKET_TO_LIMIT
    if display_qty is not None:
        cmd.display_qty = <uint32_t>whole(listing.lots_of(display_qty), "display_qty, in lots", 1,
                                          TL_QTY_MAX)
    cmd.flags |= TL_FLAG_HIDDEN if hidden else 0
    cmd.flags |= TL_FLAG_POST_ONLY if post_only or slide else 0
    cmd.flags |= TL_FLAG_SLIDE if slide else 0
    if (min_qty is not None or all_or_none or expire_ns is not None or contingency is not None
            or cl_ord_link_id is not None or trail is not None or trail_percent is not None):
        send_terms(listing, cmd, min_qty, all_or_none, expire_ns, contingency, cl_ord_link_id,
                   trail, trail_percent)
    return 0


cdef uint32_t stop_of(Listing listing, price, name) except 0:
    return <uint32_t>whole(listing.ticks_of(price), f"{name}, in ticks", 1, TL_PRICE_MAX)


cdef uint32_t basis_points_of(percent) except 0:
    """Hundredths of a percent, of which there is a whole number."""
    exact = Decimal(str(percent)) * 100
    if exact != exact.to_integral_value():
        raise ValueError(f"trail_percent {percent} has more than two decimals")
    return <uint32_t>whole(int(exact), "trail_percent, in hundredths", 1,
                           TL_TRAIL_BASIS_POINTS_MAX)


cdef object open_order(Listing listing, const tl_order_view *view):
    """An order of the book in names and decimals."""
    return row(_open_order, (
        view.order_id, listing.instrument.symbol, listing.account_names[view.account],
        _sides[view.side], listing.price_of(view.price), listing.qty_of(view.order_qty),
        listing.qty_of(view.leaves_qty),
    ))


cdef class OrderEntry:
    """Orders by symbol and account into `engine`: what touchline.market.Market is made of.

    Market fills `_listings`, a Listing by symbol, and `_accounts` with `_account_names`, a number
    by name and the reverse. A name that is not there is a LookupError, a price or quantity that is
    no whole number of ticks or lots a PriceError or QtyError, a side that is none a ValueError.
    """

    def __init__(self, Engine engine not None):
        self.engine = engine
        self._record = Record(engine)
        self._listings = {}
        self._accounts = {}
        self._account_names = []

    def __cinit__(self, *args, **kwargs):
        # Before the constructor, which a derived class may call late or not at all.
        self._listings = {}
        self._accounts = {}
        self._account_names = []

    def _be(self, Record record not None, dict listings not None, list account_names not None):
        """Become the market of this record."""
        self.engine = record.engine
        self._record = record
        self._listings = listings
        self._accounts = {name: number for number, name in enumerate(account_names)}
        self._account_names = account_names

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

    cdef Report enter(self, uint8_t side, symbol, qty, price, account, time_in_force, cl_ord_id,
                      tuple terms):
        cdef tl_command cmd
        cdef Listing listing = self.listing(symbol)
        memset(&cmd, 0, sizeof(cmd))
        cmd.type = TL_MSG_TYPE_NEW_ORDER
        cmd.instrument = listing.number
        cmd.account = self.account(account)
        cmd.side = side
        cmd.ord_type = TL_ORD_TYPE_MARKET
        cmd.time_in_force = <uint8_t>whole(time_in_force, "time_in_force", 0, 0xFF)
        if price is not None:
            cmd.ord_type = TL_ORD_TYPE_LIMIT
            cmd.price = listing.ticks_of(price)
        cmd.qty = listing.lots_of(qty)
        cmd.cl_ord_id = natural(cl_ord_id, "cl_ord_id")
        if terms is not None:
            add_terms(listing, &cmd, price, terms)
        return request(listing, &cmd)

    def buy(self, symbol: str, qty: Number, price: Number | None = None, *, account: str,
            time_in_force: int = TimeInForce.DAY, stop_price: Number | None = None,
            touched_price: Number | None = None, display_qty: Number | None = None,
            hidden: bool = False, post_only: bool = False, slide: bool = False,
            to_limit: bool = False, min_qty: Number | None = None,
            all_or_none: bool = False, expire_ns: int | None = None, cl_ord_id: int = 0,
            contingency: int | None = None, cl_ord_link_id: int | None = None,
            trail: Number | None = None, trail_percent: Number | None = None) -> Report:
        """Enter an order to buy, a market order when no price is given.

        `stop_price`: it waits until a trade is made at that price or a worse one for it;
        `touched_price`: or at a better one. `display_qty`: what the book shows of it at a time;
        `hidden`: nothing. `post_only`: refused when it would trade; `slide`: moved to the next
        price instead. `to_limit`: a market order that rests at the price it has traded at.
        `min_qty`: traded at once, or nothing; `all_or_none`: it trades whole, now or later, unseen
        until then. `expire_ns`: it ends at that time (UTC nanoseconds) and is good till then.
        `contingency`, a ContingencyType: what one trades cancels, lessens or releases another, the
        order entered before it, which `cl_ord_link_id` names by the number `cl_ord_id` gave it.
        `trail`, a price, or `trail_percent`: so far the stop price follows the last trade.
        Sections 8 and 12 of docs/rules.md say what goes together; ValueError for both waiting
        prices.
        """
        return self.enter(TL_SIDE_BUY, symbol, qty, price, account, time_in_force, cl_ord_id,
                          terms_of(stop_price, touched_price, display_qty, hidden, post_only,
                                   slide, to_limit, min_qty, all_or_none, expire_ns,
                                   contingency, cl_ord_link_id, trail, trail_percent))

    def sell(self, symbol: str, qty: Number, price: Number | None = None, *, account: str,
             time_in_force: int = TimeInForce.DAY, stop_price: Number | None = None,
             touched_price: Number | None = None, display_qty: Number | None = None,
             hidden: bool = False, post_only: bool = False, slide: bool = False,
             to_limit: bool = False, min_qty: Number | None = None,
             all_or_none: bool = False, expire_ns: int | None = None, cl_ord_id: int = 0,
             contingency: int | None = None, cl_ord_link_id: int | None = None,
             trail: Number | None = None, trail_percent: Number | None = None) -> Report:
        """Enter an order to sell, a market order when no price is given. The parameters are those
        of `buy`.
        """
        return self.enter(TL_SIDE_SELL, symbol, qty, price, account, time_in_force, cl_ord_id,
                          terms_of(stop_price, touched_price, display_qty, hidden, post_only,
                                   slide, to_limit, min_qty, all_or_none, expire_ns,
                                   contingency, cl_ord_link_id, trail, trail_percent))

    cdef Listing name(self, order, tl_command *cmd):
        """Write into the command which order is meant, and whose; returns its listing."""
        cdef Report report
        cdef Listing listing
        memset(cmd, 0, sizeof(tl_command))
        if type(order) is Report:
            report = <Report>order
            listing = report.listing
            if listing.record is not self._record:
                raise ValueError(f"order {report.order_id} is of another market; open_order names "
                                 "it in this one")
            if not self._record.knows(listing.epoch, report.first.seq):
                raise ValueError(f"order {report.order_id} is of a market that a restore took "
                                 "back; open_order names it in the one that is now")
            cmd.order_id = report.first.order_id
            cmd.account = report.first.account
            return listing
        if not isinstance(order, _open_order):
            raise TypeError(f"order is {order!r}, a {type(order).__name__}; a Report or an "
                            "OpenOrder is wanted")
        listing = self.listing(order.symbol)
        cmd.order_id = natural(order.order_id, "order_id")
        cmd.account = self.account(order.account)
        return listing

    def cancel(self, order: Report | OpenOrder) -> Report:
        """Cancel an order, named by a report of it or as open_orders gave it.

        ValueError for a report of another market, or of what a restore has taken back.
        """
        cdef tl_command cmd
        cdef Listing listing = self.name(order, &cmd)
        cmd.type = TL_MSG_TYPE_CANCEL
        return request(listing, &cmd)

    def replace(self, order: Report | OpenOrder, qty: Number, price: Number) -> Report:
        """Change an order's total quantity, executed included, and its price.

        The order keeps its order_id. Rules 4.2 to 4.5 say when it keeps its place. ValueError as
        for cancel.
        """
        cdef tl_command cmd
        cdef Listing listing = self.name(order, &cmd)
        cmd.type = TL_MSG_TYPE_REPLACE
        cmd.price = listing.ticks_of(price)
        cmd.qty = listing.lots_of(qty)
        return request(listing, &cmd)

    cdef object touch(self, symbol, uint8_t side):
        cdef Listing listing = self.listing(symbol)
        cdef int64_t ticks = tl_engine_best(self.engine.engine, listing.number, side)
        return listing.price_of(ticks) if ticks != 0 else None

    def best_bid(self, symbol: str) -> Decimal | None:
        """The highest price somebody buys at, None when nobody does."""
        return self.touch(symbol, TL_SIDE_BUY)

    def best_ask(self, symbol: str) -> Decimal | None:
        """The lowest price somebody sells at, None when nobody does."""
        return self.touch(symbol, TL_SIDE_SELL)

    @cython.boundscheck(False)
    def depth(self, symbol: str, side: Side | str, levels_max: int = 10) -> list[Level]:
        """Price levels from the best outwards, at most `levels_max`.

        `side` is Side.BUY or "buy", Side.SELL or "sell"; ValueError for anything else.
        """
        cdef Listing listing = self.listing(symbol)
        cdef uint8_t which = side_of(side)
        cdef Py_ssize_t room = whole(levels_max, "levels_max", -0xFFFFFFFF, 0xFFFFFFFF)
        cdef tl_level_view few[16]
        cdef tl_level_view *views = few
        cdef Py_ssize_t i
        if room < 0:
            raise ValueError(f"levels_max {room} is below 0")
        room = min(room, <Py_ssize_t>tl_engine_orders_open(self.engine.engine))
        if room > 16:
            views = <tl_level_view *>malloc(<size_t>room * sizeof(tl_level_view))
            if views is NULL:
                raise MemoryError(f"no memory for {room} levels")
        try:
            room = tl_engine_depth(self.engine.engine, listing.number, which, views,
                                   <uint32_t>room)
            return [
                row(_level, (listing.price_of(views[i].price), listing.qty_of(views[i].qty),
                             views[i].orders))
                for i in range(room)
            ]
        finally:
            if views != few:
                free(views)

    def open_order(self, order: Report | OpenOrder | int) -> OpenOrder:
        """An order in the book as it is now, by its order_id, or that of a report or OpenOrder.

        A report may be of another market, such as the one this is a copy of: the same number is
        looked up here. LookupError when no open order has it.
        """
        cdef tl_order_view view
        number = order.order_id if isinstance(order, (Report, _open_order)) else order
        cdef uint64_t order_id = natural(number, "order")
        if tl_engine_order(self.engine.engine, order_id, &view):
            for listing in self._listings.values():
                if (<Listing?>listing).number == view.instrument:
                    return open_order(<Listing>listing, &view)
        raise LookupError(f"no open order has the number {order_id}")

    def position(self, account: str, symbol: str) -> Position:
        """Net position and open quantities, zeros where the account never traded it."""
        cdef int64_t lots[3]
        cdef Listing listing = self.listing(symbol)
        tl_engine_position(self.engine.engine, self.account(account), listing.number, lots)
        return row(_position, (listing.qty_of(lots[0]), listing.qty_of(lots[1]),
                               listing.qty_of(lots[2])))


def _side_of(side):
    """A side as the core knows it, an int; ValueError for what is none."""
    return side_of(side)

"""Who asked for what: ClOrdIDs, OrderIDs and what became of every order the sessions sent.

Requests are entered by the inbound side just before they go to the engine, or from the journal when
the gateway starts; events are applied by the outbound side, one by one in the order of their seq,
and say what must be reported. So the same journal always leads to the same reports. Open orders
and unanswered requests are objects; what is over is a row of the archive, for as long as the
journal is, because a ClOrdID is never used twice.

One lock guards it all. Prices are ticks, quantities lots.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    COMMAND,
    COMMAND_TEXT,
    EVENT,
    EVENT_REFUSAL,
    LANE_FIX,
    TEXT_LANES,
    ExecType,
    MsgType,
    Side,
    Text,
)
from touchline.fix.archive import NAME_BYTES, NO_ORDER, ORDER, REQUEST, Archive
from touchline.fix.past import ACCEPTED, CL_ORD_ID, LANE_BITS, PENDING, REFUSED, Past


class Event(NamedTuple):
    """An event as Python values; where fields share their place, each reading has its name."""

    seq: int
    ts_ns: int
    order_id: int
    cl_ord_id: int
    price: int
    qty: int
    leaves_qty: int
    limit: int
    contra_order_id: int
    account: int
    instrument: int
    exec_type: int
    side: int
    reason: int
    flags: int


class Command(NamedTuple):
    """A request to the engine as Python values."""

    order_id: int = 0
    cl_ord_id: int = 0
    price: int = 0
    qty: int = 0
    account: int = 0
    instrument: int = 0
    ord_type: int = 0
    time_in_force: int = 0
    type: int = 0
    side: int = 0
    field: int = 0
    flags: int = 0


def _picked(readings: tuple[np.dtype[np.void], ...], names: tuple[str, ...]) -> np.dtype[np.void]:
    """The same record with only the named fields of its readings, at their places."""
    fields: dict[str, Any] = {}
    for reading in reversed(readings):
        fields |= reading.fields or {}
    return np.dtype(
        {
            "names": list(names),
            "formats": [fields[name][0] for name in names],
            "offsets": [fields[name][1] for name in names],
            "itemsize": readings[0].itemsize,
        }
    )


EVENT_PICKED = _picked((EVENT, EVENT_REFUSAL), Event._fields)
COMMAND_PICKED = _picked((COMMAND,), Command._fields)
TEXT_PICKED = _picked((COMMAND_TEXT,), ("text", "key", "type", "side", "field", "flags"))


def events_of(records: NDArray[np.void]) -> list[Event]:
    """Events as named tuples of Python integers."""
    return [Event._make(row) for row in records.view(EVENT_PICKED).tolist()]


@dataclass(slots=True, eq=False)
class Order:
    """One order of a session, from its request to whatever ended it. order_id 0: not accepted."""

    session: int
    cl_ord_id: str  # the latest accepted request's
    account: int
    instrument: int
    side: int
    ord_type: int
    time_in_force: int
    price: int
    order_qty: int
    order_id: int = 0
    leaves_qty: int = 0
    cum_qty: int = 0
    notional: int = 0  # sum of price times quantity traded
    ord_status: str = "A"  # OrdStatus(39) of FIX 4.4
    replaced: bool = False
    row: int = -1  # of the archive, once its request is answered

    @property
    def over(self) -> bool:
        """Nothing can become of it any more."""
        return not self.leaves_qty and self.ord_status != "A"


@dataclass(slots=True, eq=False)
class Request:
    """One D, F or G of a session. `orig_cl_ord_id` is what it named, "" when only replayed."""

    session: int
    cl_ord_id: str
    number: int
    msg_type: int
    order: Order | None
    orig_cl_ord_id: str = ""
    state: int = PENDING


class Notice(NamedTuple):
    """What a session must be told because of an event."""

    session: int
    msg_type: str  # "8", or "9" for a refused cancel or replace
    event: Event
    order: Order | None
    cl_ord_id: str
    orig_cl_ord_id: str = ""
    exec_type: str = ""  # ExecType(150) of FIX 4.4
    side: int = 0  # of a trade's two reports, which one

    @property
    def key(self) -> int:
        """Orders all reports: by event, and the buyer's before the seller's."""
        return self.event.seq * 4 + (self.side - ord("0") if self.side else 0)


def report_key(seq: int) -> int:
    """Not less than the key of any report on the event or on one before it."""
    return seq * 4 + 3


class Orders:
    """The map. `answer_timeout_s` bounds the wait for the answer to an earlier request.

    What is over goes into the archive `file_at` at a time, which is quicker than one by one.
    """

    def __init__(self, answer_timeout_s: float = 1.0, file_at: int = 512) -> None:
        self.order_by_id: dict[int, Order] = {}  # open orders
        self.names_changed = True  # instruments or accounts were added since this was cleared
        self.archive = Archive()
        self._open: dict[int, Order] = {}  # the same by row
        self._file_at = file_at
        self._recent: dict[tuple[int, str], Request] = {}  # answered, and no row yet
        self._over: list[Order] = []  # orders that are over, and whose row does not say so yet
        self._asked: dict[tuple[int, str], Request] = {}  # requests whose answer is not sent yet
        self._pending: dict[int, Request] = {}
        self._names: dict[int, tuple[int, str]] = {}
        self._answers: list[tuple[Request, int]] = []
        self._touched: list[Order] = []
        self._answered = threading.Condition()
        self._waiting = 0
        self._answer_timeout_s = answer_timeout_s

    def unanswered(self, session: int, cl_ord_id: str) -> bool:
        """Whether the request of that ClOrdID is on its way, and its answer not sent yet."""
        return (session, cl_ord_id) in self._asked

    def answered(self, session: int, cl_ord_id: str) -> Request | None:
        """The request of that ClOrdID, if the session has sent one before.

        It is waited for until its answer has been sent, so that nothing said of it later overtakes
        that; TimeoutError when the engine gives none.
        """
        with self._answered:
            request = self._asked.get((session, cl_ord_id))
            if request is None:
                recent = self._recent.get((session, cl_ord_id))
                return recent or self._filed(session, cl_ord_id)
            self._waiting += 1
            try:
                if not self._answered.wait_for(
                    lambda: request.state != PENDING, self._answer_timeout_s
                ):
                    raise TimeoutError(f"the engine has not answered {cl_ord_id!r}")
            finally:
                self._waiting -= 1
        return request

    def enter(self, request: Request) -> None:
        """Remember a request that is about to go to the engine."""
        with self._answered:
            self._asked[request.session, request.cl_ord_id] = request
            self._pending[request.number] = request

    def withdraw(self, request: Request) -> None:
        """Forget a request that did not go to the engine after all."""
        with self._answered:
            del self._asked[request.session, request.cl_ord_id]
            del self._pending[request.number]

    def go_on_from(self, past: Past) -> None:
        """Take over what filled the archive: its open orders, and what waits for its command."""
        past.finish()
        for order_id, row in past.open_orders.items():
            self.order_by_id[order_id] = self._open[row] = self._order(row)
        self._names = past.names

    def replay(self, commands: NDArray[np.void]) -> None:
        """Enter the requests among journalled commands; their events are applied afterwards."""
        mine = np.isin(commands["field"], (Text.CL_ORD_ID, Text.REQUEST_FIELD))
        mine &= (commands["type"] == MsgType.TEXT) & (commands["side"] % TEXT_LANES == LANE_FIX)
        for text, key, _, side, field, flags in commands[mine].view(TEXT_PICKED).tolist():
            number = LANE_FIX << LANE_BITS | key
            # Not UTF-8 is no name; the engine refuses it today, an older journal may hold it.
            with contextlib.suppress(UnicodeDecodeError):
                if field == Text.CL_ORD_ID:
                    session = side // TEXT_LANES << 8 | flags
                    self._names[number] = (session, text.decode("utf-8"))
                elif flags == CL_ORD_ID and number in self._names:
                    session, name = self._names[number]
                    self._names[number] = (session, name + text.decode("utf-8"))
        asked = np.isin(commands["type"], (MsgType.NEW_ORDER, MsgType.CANCEL, MsgType.REPLACE))
        for row in commands[asked].view(COMMAND_PICKED).tolist():
            command = Command._make(row)
            named = self._names.pop(command.cl_ord_id, None)
            if named is not None:
                self.enter(_replayed(command, *named))

    def apply(self, event: Event) -> list[Notice]:
        """Take an event in, and say what must be reported because of it."""
        handler = _APPLY.get(event.exec_type)
        if handler is None:
            return []
        with self._answered:
            return handler(self, event)

    def settle(self) -> None:
        """The reports of the events applied so far have been sent: whoever waits may go on."""
        if not self._answers and not self._touched:
            return
        with self._answered:
            for request, state in self._answers:
                request.state = state
                key = (request.session, request.cl_ord_id)
                self._recent[key] = self._asked.pop(key)
            self._answers.clear()
            self._over += [order for order in self._touched if order.over]
            self._touched.clear()
            if len(self._recent) >= self._file_at or len(self._over) >= self._file_at:
                self._file()
            if self._waiting:
                self._answered.notify_all()

    def snapshot(self, order: Order) -> Order:
        """The order as it stands between two events."""
        with self._answered:
            return Order(*(getattr(order, name) for name in Order.__slots__))

    def _file(self) -> None:
        """Answered requests become rows, and so do the orders they entered."""
        requests = list(self._recent.values())
        new = [r.order for r in requests if r.msg_type == MsgType.NEW_ORDER and r.order is not None]
        first = self.archive.add_orders(np.zeros(len(new), ORDER))
        for row, order in enumerate(new, start=first):
            order.row = row
            self._open[row] = order
        self._write(new)
        rows = [
            (r.cl_ord_id.encode(), NO_ORDER if r.order is None else r.order.row, r.session, r.state,
             r.msg_type)
            for r in requests
        ]  # fmt: skip
        first = self.archive.add_requests(np.array(rows, REQUEST))
        named = [
            (r.order.row, first + at)
            for at, r in enumerate(requests)
            if r.order is not None and (r.state == ACCEPTED or r.msg_type == MsgType.NEW_ORDER)
        ]
        if named:  # of several the last: the ClOrdID the order has now
            of, which = np.array(named).T
            self.archive.orders["request"][of] = which
        self._recent.clear()
        self._retire()

    def _retire(self) -> None:
        """Nothing will become of these orders any more: their rows are all that stays."""
        self._write(self._over)
        for order in self._over:
            self.order_by_id.pop(order.order_id, None)
            self._open.pop(order.row, None)
        self._over.clear()

    def _write(self, orders: list[Order]) -> None:
        """Bring the rows of orders up to date."""
        if not orders:
            return
        at = [order.row for order in orders]
        rows = self.archive.orders
        for name in _KEPT:
            rows[name][at] = [getattr(order, name) for order in orders]
        rows["ord_status"][at] = [ord(order.ord_status) for order in orders]
        rows["replaced"][at] = [order.replaced for order in orders]

    def _filed(self, session: int, cl_ord_id: str) -> Request | None:
        """The answered request of that ClOrdID, from its row."""
        name = cl_ord_id.encode("utf-8", "replace")
        at = self.archive.find(session, name) if len(name) <= NAME_BYTES else None
        if at is None:
            return None
        row = self.archive.requests[at]
        order = None if row["order"] == NO_ORDER else self._order(int(row["order"]))
        return Request(session, cl_ord_id, 0, int(row["msg_type"]), order, state=int(row["state"]))

    def _order(self, at: int) -> Order:
        """The order of a row: itself while it is open, else what it came to."""
        if at in self._open:
            return self._open[at]
        row = self.archive.orders[at]
        request = self.archive.requests[int(row["request"])]
        kept: dict[str, Any] = {name: int(row[name]) for name in _KEPT}
        return Order(
            **kept,
            cl_ord_id=bytes(request["name"]).decode(),
            ord_status=chr(row["ord_status"]),
            replaced=bool(row["replaced"]),
            row=at,
        )

    def _named(self, order_id: int) -> Order | None:
        """The session's order of that OrderID, open or over."""
        order = self.order_by_id.get(order_id)
        if order is None and order_id:
            rows = np.flatnonzero(self.archive.orders["order_id"] == order_id)
            order = self._order(int(rows[-1])) if len(rows) else None
        return order

    def _answer(self, event: Event, state: int) -> Request | None:
        request = self._pending.pop(event.cl_ord_id, None)
        if request is not None:
            self._answers.append((request, state))
        return request

    def _new(self, event: Event) -> list[Notice]:
        request = self._answer(event, ACCEPTED)
        if request is None or request.order is None:
            return []
        order = request.order
        order.order_id = event.order_id
        order.leaves_qty = event.leaves_qty
        order.ord_status = "0"
        self._touched.append(order)
        self.order_by_id[event.order_id] = order
        return [Notice(order.session, "8", event, order, order.cl_ord_id, exec_type="0")]

    def _rejected(self, event: Event) -> list[Notice]:
        request = self._answer(event, REFUSED)
        if request is None or request.order is None:
            return []
        order = request.order
        order.ord_status = "8"
        self._touched.append(order)
        return [Notice(order.session, "8", event, order, order.cl_ord_id, exec_type="8")]

    def _trade(self, event: Event) -> list[Notice]:
        """Of a trade, or of what both have less without one: rule 10.5."""
        traded = event.exec_type == ExecType.TRADE
        sides = [
            (event.side, self.order_by_id.get(event.order_id)),
            (_OTHER[event.side], self.order_by_id.get(event.contra_order_id)),
        ]
        reports = []
        for side, order in sorted(sides, key=lambda pair: pair[0]):
            if order is None:
                continue
            order.leaves_qty -= event.qty
            if traded:
                order.cum_qty += event.qty
                order.notional += event.price * event.qty
                order.ord_status = "1" if order.leaves_qty else "2"
            else:
                order.order_qty -= event.qty
                order.ord_status = order.ord_status if order.leaves_qty else "4"
            if not order.leaves_qty:
                self._touched.append(order)
            kind = "F" if traded else "D" if order.leaves_qty else "4"
            reports.append(
                Notice(order.session, "8", event, order, order.cl_ord_id, "", kind, side)
            )
        return reports

    def _ended(self, event: Event) -> list[Notice]:
        order = self.order_by_id.get(event.order_id)
        if order is None:
            self._answer(event, ACCEPTED)  # another's, changed in the name of its account
            return []
        orig = self._accept(event, order)
        order.leaves_qty = 0
        order.ord_status = exec_type = chr(event.exec_type)
        self._touched.append(order)
        return [Notice(order.session, "8", event, order, order.cl_ord_id, orig, exec_type)]

    def _replaced(self, event: Event) -> list[Notice]:
        order = self.order_by_id.get(event.order_id)
        if order is None:
            self._answer(event, ACCEPTED)  # another's, changed in the name of its account
            return []
        orig = self._accept(event, order)
        order.price = event.price
        order.order_qty = event.qty
        order.leaves_qty = event.leaves_qty
        order.replaced = True
        order.ord_status = "2" if not order.leaves_qty else "1" if order.cum_qty else "0"
        self._touched.append(order)
        return [Notice(order.session, "8", event, order, order.cl_ord_id, orig, "5")]

    def _cancel_rejected(self, event: Event) -> list[Notice]:
        request = self._answer(event, REFUSED)
        if request is None:
            return []
        order = request.order = request.order or self._named(event.order_id)
        orig = request.orig_cl_ord_id or (order.cl_ord_id if order else "NONE")
        return [Notice(request.session, "9", event, order, request.cl_ord_id, orig)]

    def _listed(self, event: Event) -> list[Notice]:
        self.names_changed = True
        return []

    def _accept(self, event: Event, order: Order) -> str:
        """Move the order to the ClOrdID of the request answered, if a session's; the one before."""
        request = self._answer(event, ACCEPTED)
        if request is None or request.msg_type == MsgType.NEW_ORDER:
            return ""
        request.order = order
        orig, order.cl_ord_id = order.cl_ord_id, request.cl_ord_id
        return orig


_APART = ("request", "ord_status", "replaced")
_KEPT = tuple(name for name in ORDER.names or () if name not in _APART)
_OTHER = {int(Side.BUY): int(Side.SELL), int(Side.SELL): int(Side.BUY)}
_APPLY: dict[int, Callable[[Orders, Event], list[Notice]]] = {
    int(ExecType.NEW): Orders._new,
    int(ExecType.REJECTED): Orders._rejected,
    int(ExecType.TRADE): Orders._trade,
    int(ExecType.DECREMENTED): Orders._trade,
    int(ExecType.CANCELED): Orders._ended,
    int(ExecType.EXPIRED): Orders._ended,
    int(ExecType.REPLACED): Orders._replaced,
    int(ExecType.CANCEL_REJECTED): Orders._cancel_rejected,
    int(ExecType.SECURITY_DEFINITION): Orders._listed,
    int(ExecType.ACCOUNT): Orders._listed,
}


def _replayed(command: Command, session: int, cl_ord_id: str) -> Request:
    """The request behind a journalled command."""
    order = None
    if command.type == MsgType.NEW_ORDER:
        order = Order(
            session,
            cl_ord_id,
            command.account,
            command.instrument,
            command.side,
            command.ord_type,
            command.time_in_force,
            command.price,
            command.qty,
        )
    return Request(session, cl_ord_id, command.cl_ord_id, command.type, order)

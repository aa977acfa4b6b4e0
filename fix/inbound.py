"""FIX requests become commands: one function per MsgType, found in HANDLERS.

What the rules of trading say no to is left to the engine, so that every such refusal is an event.
Refused here is only what can not be said as a command: names and numbers that mean nothing, terms
the venue does not offer, ClOrdIDs used before. Called by QuickFIX's thread, one message at a time;
a message counts as received when the function returns, and by then its command is in the lane.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from touchline.errors import PriceError, QtyError
from touchline.fix.orders import (
    COMMAND_PICKED,
    PENDING,
    REFUSED,
    TEXT_BYTES,
    TEXT_PICKED,
    Order,
    Orders,
    Request,
)
from touchline.fix.outbound import (
    FIX42,
    NO_EXEC,
    NO_ORDER,
    known_cxl_rej_reason,
    known_ord_rej_reason,
    message,
    ord_status,
    order_status,
)
from touchline.instruments import Instrument
from touchline.messages import COMMAND, LANE_FIX, MsgType, OrdType, Side, Text, TimeInForce

SOH = "\x01"
SEND_TIMEOUT_S = 0.5
UNSUPPORTED_MSG_TYPE, NOT_AVAILABLE, FIELD_MISSING = 3, 4, 5  # BusinessRejectReason(380)
UNKNOWN_SYMBOL, UNKNOWN_ORDER, DUPLICATE, UNSUPPORTED = 1, 5, 6, 11  # OrdRejReason(103)
WRONG_QTY, WRONG_ACCOUNT, OFF_TICK, OTHER = 13, 15, 18, 99
CXL_UNKNOWN_ORDER, CXL_DUPLICATE, CXL_OTHER = 1, 6, 99  # CxlRejReason(102)

SIDES = {side.fix: side for side in Side}
ORD_TYPES = {ord_type.fix: ord_type for ord_type in OrdType}
TIMES_IN_FORCE = {time_in_force.fix: time_in_force for time_in_force in TimeInForce}
NOT_OFFERED = {  # terms that would change what an order means, so they are not overlooked
    "18": "ExecInst",
    "99": "StopPx",
    "110": "MinQty",
    "111": "MaxFloor",
    "126": "ExpireTime",
    "152": "CashOrderQty",
    "168": "EffectiveTime",
    "211": "PegOffset",
    "388": "DiscretionInst",
    "432": "ExpireDate",
}
ECHOED = ("1", "55", "54", "38", "40", "44", "59")

Fields = Mapping[str, str]


class Refusal(Exception):
    """A request the venue can not pass on: the reason code of FIX 5.0, and the text."""

    def __init__(self, reason: int, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


class Missing(Exception):
    """A field that this message needs is not there."""


class Malformed(Exception):
    """A field's value is not text that FIX allows."""

    def __init__(self, tag: int) -> None:
        super().__init__(f"tag {tag}")
        self.tag = tag


class Names(Protocol):
    """What the venue's names stand for."""

    def instrument(self, index: int) -> Instrument: ...
    def account(self, number: int) -> str: ...
    def instrument_named(self, symbol: str) -> Instrument | None: ...
    def account_number(self, name: str) -> int | None: ...


class Lane(Protocol):
    """The lane to the engine that only this gateway sends on."""

    def send(self, commands: NDArray[np.void], timeout_s: float = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Session:
    """A counterparty as the handlers know it; `number` is its number in the journal."""

    number: int
    comp_id: str
    begin_string: str
    accounts: tuple[str, ...]


class Desk:
    """Where requests are handed in: the orders known, the lane, and the way to answer."""

    def __init__(
        self,
        orders: Orders,
        names: Names,
        lane: Lane,
        *,
        next_number: Callable[[], int],
        next_refusal: Callable[[], int],
        now: Callable[[], str],
        reply: Callable[[Session, str], None],
    ) -> None:
        self.orders = orders
        self.names = names
        self.next_number = next_number
        self.next_refusal = next_refusal
        self.now = now
        self.reply = reply
        self.available = True
        self._lane = lane
        self._commands = np.zeros(2, COMMAND)
        self._texts = self._commands.view(TEXT_PICKED)
        self._requests = self._commands.view(COMMAND_PICKED)

    def receive(self, session: Session, raw: str) -> None:
        """Handle one application message; Malformed when a field can not be read."""
        fields = fields_of(raw)
        handler = HANDLERS.get(fields["35"])
        if handler is None:
            text = f"MsgType {fields['35']} is not supported"
            self.business_reject(session, fields, UNSUPPORTED_MSG_TYPE, text)
            return
        try:
            handler(self, session, fields)
        except Missing as missing:
            text = f"Conditionally Required Field Missing ({missing})"
            self.business_reject(session, fields, FIELD_MISSING, text)
        except (TimeoutError, OSError):
            text = "Application not available"
            self.business_reject(session, fields, NOT_AVAILABLE, text)

    def submit(self, request: Request, command: tuple[int, ...]) -> None:
        """Send the request's name and command together; if that fails, nothing was sent."""
        if not self.available:
            raise TimeoutError("the engine is not running")
        name = request.cl_ord_id.encode("utf-8")
        low = request.number & 0xFFFFFFFF
        self._texts[0] = (name, low, MsgType.TEXT, LANE_FIX, Text.CL_ORD_ID, request.session)
        self._requests[1] = command
        self.orders.enter(request)
        try:
            self._lane.send(self._commands, timeout_s=SEND_TIMEOUT_S)
        except BaseException:
            self.orders.withdraw(request)
            raise

    def business_reject(self, session: Session, fields: Fields, reason: int, text: str) -> None:
        """BusinessMessageReject(j)."""
        answer = [f"45={fields['34']}", f"372={fields['35']}", f"380={reason}", f"58={text}"]
        if "11" in fields:
            answer.append(f"379={fields['11']}")
        self.reply(session, message(session.begin_string, "j", *answer))

    def refuse_order(
        self, session: Session, fields: Fields, refusal: Refusal, exec_id: str = ""
    ) -> None:
        """ExecutionReport(8) that refuses what has not reached the engine."""
        version = session.begin_string
        status = exec_id == NO_EXEC
        answer = [
            f"37={NO_ORDER}",
            f"11={fields['11']}",
            f"17={exec_id or f'R{self.next_refusal()}'}",
            "150=I" if status and version != FIX42 else "150=8",
            "39=8",
            f"103={known_ord_rej_reason(version, refusal.reason)}",
            "151=0",
            "14=0",
            "6=0",
            f"60={self.now()}",
            f"58={refusal.text}",
            *(f"{tag}={fields[tag]}" for tag in ECHOED if tag in fields),
        ]
        if version == FIX42:
            answer.append("20=3" if status else "20=0")
        elif "790" in fields:
            answer.append(f"790={fields['790']}")
        self.reply(session, message(version, "8", *answer))

    def refuse_change(
        self, session: Session, fields: Fields, refusal: Refusal, order: Order | None
    ) -> None:
        """OrderCancelReject(9) for what has not reached the engine."""
        version = session.begin_string
        answer = [
            f"37={order.order_id if order else NO_ORDER}",
            f"11={fields['11']}",
            f"41={fields['41']}",
            f"39={ord_status(version, order) if order else '8'}",
            f"434={2 if fields['35'] == 'G' else 1}",
            f"102={known_cxl_rej_reason(version, refusal.reason)}",
            f"60={self.now()}",
            f"58={refusal.text}",
        ]
        self.reply(session, message(version, "9", *answer))

    def answer_status(self, session: Session, fields: Fields, order: Order) -> None:
        order = self.orders.snapshot(order)
        text = order_status(session.begin_string, fields["11"], order, self.names)
        if "790" in fields and session.begin_string != FIX42:
            text = text.replace(f"{SOH}17=", f"{SOH}790={fields['790']}{SOH}17=", 1)
        self.reply(session, text)


def fields_of(raw: str) -> dict[str, str]:
    """Tags and values; of a repeated tag the first, so that a data field can not pose as one."""
    pairs = raw.split(SOH)
    try:
        fields = dict([pair.split("=", 1) for pair in pairs[-2::-1]])
    except ValueError:  # a data field that holds a separator
        fields = dict([pair.split("=", 1) for pair in pairs[-2::-1] if "=" in pair])
    if not raw.isascii():
        for tag, value in fields.items():
            if any("\ud800" <= char <= "\udfff" for char in value):  # bytes that are not UTF-8
                raise Malformed(int(tag))
    return fields


def needed(fields: Fields, tag: str) -> str:
    """A field that the dictionary leaves to the application to insist on."""
    try:
        return fields[tag]
    except KeyError:
        raise Missing(tag) from None


def _check_name(cl_ord_id: str) -> None:
    size = len(cl_ord_id.encode("utf-8"))
    if size > TEXT_BYTES or not cl_ord_id.isprintable():
        raise Refusal(OTHER, f"ClOrdID is {size} bytes long; allowed are {TEXT_BYTES}, printable")


def _check_terms(fields: Fields, instrument: Instrument) -> None:
    """Refuse what would change an order's meaning and is not offered."""
    for tag in NOT_OFFERED.keys() & fields.keys():
        if fields[tag].strip("0."):
            raise Refusal(UNSUPPORTED, f"{NOT_OFFERED[tag]}({tag}) is not supported")
    if fields.get("21") == "3":
        raise Refusal(UNSUPPORTED, "HandlInst(21) 3 is not supported: there is no manual handling")
    if fields.get("15", instrument.currency) != instrument.currency:
        raise Refusal(
            UNSUPPORTED,
            f"Currency(15) {fields['15']}: {instrument.symbol} is traded in {instrument.currency}",
        )


def _chosen(table: Mapping[str, int], fields: Fields, tag: str, name: str, default: str) -> int:
    """A coded field as the core knows it."""
    value = fields.get(tag, default)
    if value not in table:
        allowed = ", ".join(sorted(table))
        raise Refusal(UNSUPPORTED, f"{name}({tag}) {value} is not supported; allowed: {allowed}")
    return table[value]


def _lots(instrument: Instrument, text: str) -> int:
    try:
        return instrument.to_lots(text)
    except QtyError as error:
        raise Refusal(WRONG_QTY, str(error)) from error


def _ticks(instrument: Instrument, text: str) -> int:
    try:
        return instrument.to_ticks(text)
    except PriceError as error:
        raise Refusal(OFF_TICK, str(error)) from error


def _account(desk: Desk, session: Session, fields: Fields) -> int:
    name = fields.get("1", session.accounts[0])
    number = desk.names.account_number(name) if name in session.accounts else None
    if number is None:
        raise Refusal(WRONG_ACCOUNT, f"unknown account {name!r}")
    return number


def _wanted_order(desk: Desk, session: Session, fields: Fields) -> Order:
    """The order a NewOrderSingle asks for."""
    symbol, qty = needed(fields, "55"), needed(fields, "38")
    price = needed(fields, "44") if fields["40"] == OrdType.LIMIT.fix else fields.get("44", "0")
    _check_name(fields["11"])
    instrument = desk.names.instrument_named(symbol)
    if instrument is None:
        raise Refusal(UNKNOWN_SYMBOL, f"unknown symbol {symbol!r}")
    account = _account(desk, session, fields)
    _check_terms(fields, instrument)
    return Order(
        session=session.number,
        cl_ord_id=fields["11"],
        account=account,
        instrument=instrument.index,
        side=_chosen(SIDES, fields, "54", "Side", ""),
        ord_type=_chosen(ORD_TYPES, fields, "40", "OrdType", ""),
        time_in_force=_chosen(TIMES_IN_FORCE, fields, "59", "TimeInForce", TimeInForce.DAY.fix),
        price=_ticks(instrument, price),
        order_qty=_lots(instrument, qty),
    )


def new_order(desk: Desk, session: Session, fields: Fields) -> None:
    """NewOrderSingle(D)."""
    known = desk.orders.known(session.number, fields["11"])
    if known is not None:
        if not _redelivered(desk, session, fields, known):
            refusal = Refusal(DUPLICATE, f"ClOrdID {fields['11']} was used before")
            desk.refuse_order(session, fields, refusal)
        return
    try:
        order = _wanted_order(desk, session, fields)
    except Refusal as refusal:
        desk.refuse_order(session, fields, refusal)
        return
    number = desk.next_number()
    request = Request(session.number, fields["11"], number, MsgType.NEW_ORDER, order)
    command = (
        *(0, number, order.price, order.order_qty, order.account, order.instrument),
        *(order.ord_type, order.time_in_force, MsgType.NEW_ORDER, order.side, 0, 0),
    )
    desk.submit(request, command)


def _redelivered(desk: Desk, session: Session, fields: Fields, known: Request) -> bool:
    """Whether the message says it may have been sent before; if so, it never acts again.

    PossDupFlag(43): the answer was or will be sent as the first delivery's. PossResend(97): the
    sender asks what became of it, and is told as by a status request.
    """
    if fields.get("43") == "Y":
        return True
    if fields.get("97") != "Y":
        return False
    if known.order is not None and known.state != PENDING:
        desk.answer_status(session, fields, known.order)
    return True


def _named_order(
    desk: Desk, session: Session, fields: Fields
) -> tuple[Order | None, Refusal | None]:
    """The order a cancel or replace means, and why it may not be changed as asked."""
    if desk.orders.known(session.number, fields["11"]) is not None:
        order, refusal = None, Refusal(CXL_DUPLICATE, f"ClOrdID {fields['11']} was used before")
        named = desk.orders.known(session.number, fields["41"])
        return (named.order if named and named.state != PENDING else order), refusal
    named = desk.orders.answered(session.number, fields["41"])
    if named is None or named.state == REFUSED or named.order is None:
        return None, Refusal(CXL_UNKNOWN_ORDER, f"OrigClOrdID {fields['41']} names no order")
    order = named.order
    symbol = desk.names.instrument(order.instrument).symbol
    for tag, name, value in (
        ("55", "Symbol", symbol),
        ("54", "Side", chr(order.side)),
        ("1", "Account", desk.names.account(order.account)),
        ("37", "OrderID", str(order.order_id)),
    ):
        if fields.get(tag, value) != value:
            return order, Refusal(CXL_OTHER, f"{name}({tag}) is not the order's, which is {value}")
    return order, None


def _change(
    desk: Desk,
    session: Session,
    fields: Fields,
    msg_type: MsgType,
    terms: Callable[[Order], tuple[int, int]],
) -> None:
    """Ask the engine to change the order the message names to the given price and quantity."""
    known = desk.orders.known(session.number, fields["11"])
    if known is not None and _redelivered(desk, session, fields, known):
        return
    order, refusal = _named_order(desk, session, fields)
    if order is not None and refusal is None:
        try:
            _check_name(fields["11"])
            price, qty = terms(order)
        except Refusal as refused:
            refusal = Refusal(CXL_OTHER, refused.text)
    if order is None or refusal is not None:
        assert refusal is not None
        desk.refuse_change(session, fields, refusal, order)
        return
    number = desk.next_number()
    request = Request(session.number, fields["11"], number, msg_type, order, fields["41"])
    command = (order.order_id, number, price, qty, order.account, 0, 0, 0, msg_type, 0, 0, 0)
    desk.submit(request, command)


def cancel(desk: Desk, session: Session, fields: Fields) -> None:
    """OrderCancelRequest(F); what is left of the order is canceled, whatever OrderQty says."""
    _change(desk, session, fields, MsgType.CANCEL, lambda order: (0, 0))


def replace(desk: Desk, session: Session, fields: Fields) -> None:
    """OrderCancelReplaceRequest(G): new Price and OrderQty, everything else as it was."""
    needed(fields, "38")
    needed(fields, "44")

    def terms(order: Order) -> tuple[int, int]:
        instrument = desk.names.instrument(order.instrument)
        _check_terms(fields, instrument)
        if fields["40"] != chr(order.ord_type):
            raise Refusal(UNSUPPORTED, "OrdType(40) can not be changed")
        if fields.get("59", chr(order.time_in_force)) != chr(order.time_in_force):
            raise Refusal(UNSUPPORTED, "TimeInForce(59) can not be changed")
        return _ticks(instrument, fields["44"]), _lots(instrument, fields["38"])

    _change(desk, session, fields, MsgType.REPLACE, terms)


def status(desk: Desk, session: Session, fields: Fields) -> None:
    """OrderStatusRequest(H), by ClOrdID."""
    request = desk.orders.answered(session.number, fields["11"])
    if request is None or request.order is None:
        refusal = Refusal(UNKNOWN_ORDER, f"unknown order {fields['11']}")
        desk.refuse_order(session, fields, refusal, NO_EXEC)
        return
    desk.answer_status(session, fields, request.order)


HANDLERS: dict[str, Callable[[Desk, Session, Fields], None]] = {
    "D": new_order,
    "F": cancel,
    "G": replace,
    "H": status,
}

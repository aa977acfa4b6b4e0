"""FIX requests become commands: one function per MsgType, found in HANDLERS.

What the rules of trading say no to is left to the engine, so that every such refusal is an event.
Refused here is only what can not be said as a command: names and numbers that mean nothing, terms
the venue does not offer, ClOrdIDs used before. Called by QuickFIX's thread, one message at a time;
a message counts as received when the function returns, and by then its command is in the lane.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache

from touchline.core.messages import MsgType, OrdType, Side, TimeInForce
from touchline.errors import PriceError, QtyError
from touchline.fix.archive import NAME_BYTES
from touchline.fix.desk import (
    FIELD_MISSING,
    NOT_AVAILABLE,
    OTHER_REASON,
    UNSUPPORTED_MSG_TYPE,
    Desk,
    Fields,
    Malformed,
    Missing,
    Refusal,
    Session,
    fields_of,
    needed,
)
from touchline.fix.orders import Command, Order, Request
from touchline.fix.outbound import NO_EXEC
from touchline.fix.past import REFUSED
from touchline.instruments import Instrument
from touchline.wire import fix_terms

UNKNOWN_SYMBOL, UNKNOWN_ORDER, DUPLICATE, UNSUPPORTED = 1, 5, 6, 11  # OrdRejReason(103)
WRONG_QTY, WRONG_ACCOUNT, OFF_TICK, OTHER = 13, 15, 18, 99
CXL_UNKNOWN_ORDER, CXL_DUPLICATE, CXL_OTHER = 1, 6, 99  # CxlRejReason(102)

LOG = logging.getLogger("touchline.fix")
SIDES = {side.fix: side for side in Side}
ORD_TYPES = {ord_type.fix: ord_type for ord_type in (OrdType.MARKET, OrdType.LIMIT)}
TIMES_IN_FORCE = {  # those that need no terms and no auction
    each.fix: each for each in (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
}
SPECIAL = {  # what an order needs to be special, which the native engine alone offers
    "18": "ExecInst",
    "99": "StopPx",
    "110": "MinQty",
    "111": "MaxFloor",
    "126": "ExpireTime",
    "432": "ExpireDate",
    "1138": "DisplayQty",
    "20018": "PostOnlySlide",
}
PASSING = ("used", "harmless", "frame")  # of terms: whatever their value is
USER_DEFINED = 5000


@cache
def _passing() -> frozenset[str]:
    """The tags of FIX that a request may have, whatever their value is."""
    tags = range(1, USER_DEFINED)
    return frozenset(str(tag) for tag in tags if fix_terms.term_of(tag) in PASSING)


@lru_cache(maxsize=64)
def _is_a_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d")
    except ValueError:
        return False
    return True


def _check_name(cl_ord_id: str) -> None:
    size = len(cl_ord_id.encode("utf-8"))
    if size > NAME_BYTES or not cl_ord_id.isprintable():
        raise Refusal(OTHER, f"ClOrdID is {size} bytes long; allowed are {NAME_BYTES}, printable")


def _not_offered(fields: Fields, instrument: Instrument) -> str:
    """Which field would change what the request means and is not offered, in words; "": none."""
    for tag, value in fields.items():
        if tag in SPECIAL:
            return f"{SPECIAL[tag]}({tag}) is not supported"
        if tag not in _passing():
            names = (instrument.symbol, instrument.currency)
            if why := fix_terms.refusal(int(tag), value.encode(), *names):
                return why
    return ""


def _check_terms(fields: Fields, instrument: Instrument) -> None:
    if why := _not_offered(fields, instrument):
        raise Refusal(UNSUPPORTED, why)


def _chosen(table: Mapping[str, int], fields: Fields, tag: str, name: str, default: str) -> int:
    """A coded field as the core knows it."""
    value = fields.get(tag, default)
    if value not in table:
        allowed = ", ".join(sorted(table))
        raise Refusal(UNSUPPORTED, f"{name}({tag}) {value} is not supported; allowed: {allowed}")
    return table[value]


def _check_float(name: str, text: str, reason: int) -> None:
    """FIX writes a float without an exponent; what reads texts of people takes one."""
    if "e" in text.lower():
        raise Refusal(reason, f"{name} {text[:40]!r} is not a decimal number")


def _lots(instrument: Instrument, text: str) -> int:
    _check_float("quantity", text, WRONG_QTY)
    try:
        return instrument.to_lots(text)
    except QtyError as error:
        raise Refusal(WRONG_QTY, str(error)) from error


def _ticks(instrument: Instrument, text: str) -> int:
    _check_float("price", text, OFF_TICK)
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
    if _underway(desk, session, fields):
        return
    known = desk.orders.answered(session.number, fields["11"])
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
    command = Command(
        cl_ord_id=number,
        price=order.price,
        qty=order.order_qty,
        account=order.account,
        instrument=order.instrument,
        ord_type=order.ord_type,
        time_in_force=order.time_in_force,
        type=MsgType.NEW_ORDER,
        side=order.side,
    )
    desk.submit(request, command)


def _underway(desk: Desk, session: Session, fields: Fields) -> bool:
    """Whether the ClOrdID's first request is with the engine, and this message is done with.

    "Not available" must not be said of it: it will be carried out. A message that says it may have
    been sent before needs no answer but the first one's. Any other is told that it is not the one
    that acts, when the engine gives no answer in time.
    """
    cl_ord_id = fields["11"]
    if not desk.orders.unanswered(session.number, cl_ord_id):
        return False
    if fields.get("43") == "Y":
        return True
    try:
        desk.orders.answered(session.number, cl_ord_id)
    except TimeoutError:
        if fields.get("97") == "Y":
            return True
        text = f"ClOrdID {cl_ord_id} is in use: its first request stands and will be answered"
        desk.business_reject(session, fields, OTHER_REASON, text)
        return True
    return False


def _redelivered(desk: Desk, session: Session, fields: Fields, known: Request) -> bool:
    """Whether the message says it may have been sent before; if so, it never acts again.

    PossDupFlag(43): the answer was or will be sent as the first delivery's. PossResend(97): the
    sender asks what became of it, and is told as by a status request.
    """
    if fields.get("43") == "Y":
        return True
    if fields.get("97") != "Y":
        return False
    if known.order is not None:
        desk.answer_status(session, fields, known.order)
    return True


def _named_order(desk: Desk, session: Session, fields: Fields) -> Order:
    """The order that a cancel or replace names."""
    named = desk.orders.answered(session.number, fields["41"])
    if named is None or named.state == REFUSED or named.order is None:
        raise Refusal(CXL_UNKNOWN_ORDER, f"OrigClOrdID {fields['41']} names no order")
    return named.order


def _check_same(desk: Desk, fields: Fields, order: Order) -> None:
    """Refuse a change whose other fields speak of another order."""
    for tag, name, value in (
        ("55", "Symbol", desk.names.instrument(order.instrument).symbol),
        ("54", "Side", chr(order.side)),
        ("1", "Account", desk.names.account(order.account)),
        ("37", "OrderID", str(order.order_id)),
    ):
        if fields.get(tag, value) != value:
            raise Refusal(CXL_OTHER, f"{name}({tag}) is not the order's, which is {value}")


def _change(
    desk: Desk,
    session: Session,
    fields: Fields,
    msg_type: MsgType,
    terms: Callable[[Order], tuple[int, int]],
) -> None:
    """Ask the engine to change the order the message names to the given price and quantity."""
    if _underway(desk, session, fields):
        return
    known = desk.orders.answered(session.number, fields["11"])
    if known is not None and _redelivered(desk, session, fields, known):
        return
    order = None
    try:
        order = _named_order(desk, session, fields)
        if known is not None:
            raise Refusal(CXL_DUPLICATE, f"ClOrdID {fields['11']} was used before")
        _check_name(fields["11"])
        _check_same(desk, fields, order)
        price, qty = terms(order)
    except Refusal as refusal:
        desk.refuse_change(session, fields, refusal, order)
        return
    number = desk.next_number()
    request = Request(session.number, fields["11"], number, msg_type, order, fields["41"])
    command = Command(
        order_id=order.order_id,
        cl_ord_id=number,
        price=price,
        qty=qty,
        account=order.account,
        type=msg_type,
    )
    desk.submit(request, command)


def cancel(desk: Desk, session: Session, fields: Fields) -> None:
    """OrderCancelRequest(F); what is left of the order is canceled, whatever OrderQty says."""

    def terms(order: Order) -> tuple[int, int]:
        _check_terms(fields, desk.names.instrument(order.instrument))
        return 0, 0

    _change(desk, session, fields, MsgType.CANCEL, terms)


def replace(desk: Desk, session: Session, fields: Fields) -> None:
    """OrderCancelReplaceRequest(G): new Price and OrderQty, everything else as it was."""
    needed(fields, "38")
    needed(fields, "44")

    def terms(order: Order) -> tuple[int, int]:
        instrument = desk.names.instrument(order.instrument)
        _check_terms(fields, instrument)
        if fields["40"] != chr(order.ord_type):
            raise Refusal(CXL_OTHER, "OrdType(40) can not be changed")
        if fields.get("59", chr(order.time_in_force)) != chr(order.time_in_force):
            raise Refusal(CXL_OTHER, "TimeInForce(59) can not be changed")
        return _ticks(instrument, fields["44"]), _lots(instrument, fields["38"])

    _change(desk, session, fields, MsgType.REPLACE, terms)


def status(desk: Desk, session: Session, fields: Fields) -> None:
    """OrderStatusRequest(H), by ClOrdID."""
    request = desk.orders.answered(session.number, fields["11"])
    if request is None or request.order is None:
        refusal = Refusal(UNKNOWN_ORDER, f"unknown order {fields['11']}")
        desk.refuse_order(session, fields, refusal, NO_EXEC)
    elif why := _not_offered(fields, desk.names.instrument(request.order.instrument)):
        desk.business_reject(session, fields, OTHER_REASON, why)
    else:
        desk.answer_status(session, fields, request.order)


def receive(desk: Desk, session: Session, raw: str) -> None:
    """Handle one application message; Malformed when a field can not be read."""
    fields = fields_of(raw)
    handler = HANDLERS.get(fields["35"])
    if fields["35"] == "j":  # two that answer it by its like would never end
        return
    if handler is None:
        text = f"MsgType {fields['35']} is not supported"
        desk.business_reject(session, fields, UNSUPPORTED_MSG_TYPE, text)
        return
    if "60" in fields and not _is_a_day(fields["60"][:8]):
        raise Malformed(60)  # QuickFIX gives every month 31 days
    try:
        handler(desk, session, fields)
    except Missing as missing:
        text = f"Conditionally Required Field Missing ({missing})"
        desk.business_reject(session, fields, FIELD_MISSING, text)
    except (TimeoutError, OSError) as error:
        if desk.taking:  # said once, not for every request until one is taken again
            LOG.warning("a request of %s was not taken: %s", session.comp_id, error)
        desk.taking = False
        desk.business_reject(session, fields, NOT_AVAILABLE, "Application not available")


HANDLERS: dict[str, Callable[[Desk, Session, Fields], None]] = {
    "D": new_order,
    "F": cancel,
    "G": replace,
    "H": status,
}

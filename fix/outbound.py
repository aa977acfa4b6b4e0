"""Events become reports: the only place that knows what each FIX version calls things.

Reports are written as text and handed to QuickFIX whole, which adds header and trailer, stores them
and sends them, or keeps them for a broker who is away. One thread reads the events in the order of
their seq and makes all reports that come from events; answers that need no event are made where the
request came in, by the functions here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import (
    Flag,
    OrdType,
    Reason,
    cxl_rej_reason,
    ord_rej_reason,
    reason_text,
)
from touchline.fix.orders import Event, Notice, Order, Orders, events_of
from touchline.fix.versions import FIX42, VERSIONS
from touchline.instruments import EXACT, Instrument

SOH = "\x01"
NO_ORDER = "NONE"  # OrderID(37) where there is no order
NO_EXEC = "0"  # ExecID(17) of an answer that executes nothing
TOO_LATE_TO_CANCEL = 0
AVG_PX_DECIMALS = 8
EVENTS_AT_ONCE = 512
IDLE_S = 0.1


class Names(Protocol):
    """What numbers stand for."""

    def instrument(self, index: int) -> Instrument: ...
    def account(self, number: int) -> str: ...


class Feed(Protocol):
    """Events from one seq on without gaps, as touchline.runtime.feed.EventFeed gives them."""

    def read(self, max: int = ...) -> NDArray[np.void]: ...
    def wait(self, timeout_s: float) -> bool: ...


def message(begin_string: str, msg_type: str, *fields: str) -> str:
    """A message as QuickFIX reads it; it puts in the rest of the header and the trailer."""
    return SOH.join((f"8={begin_string}", "9=0", f"35={msg_type}", *fields, "10=000", ""))


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d-%H:%M:%S")


def transact_time(ts_ns: int) -> str:
    """UTCTimestamp with milliseconds, the finest that both versions allow."""
    seconds, rest = divmod(ts_ns, 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}"


def avg_px(instrument: Instrument, notional: int, cum_qty: int) -> str:
    """Average price in full, or to eight more decimals than the tick has where it has no end."""
    if cum_qty == 0:
        return "0"
    ticks, rest = divmod(notional, cum_qty)
    if rest == 0:
        return f"{instrument.to_price(ticks):f}"
    decimals = AVG_PX_DECIMALS - int(instrument.tick_size.as_tuple().exponent)
    value = int(EXACT.scaleb(instrument.to_price(notional), decimals))
    units, rest = divmod(value, cum_qty)
    units += 2 * rest > cum_qty or (2 * rest == cum_qty and units % 2)
    return f"{EXACT.scaleb(Decimal(units), -decimals):f}".rstrip("0").rstrip(".")


def exec_id(report: Notice) -> str:
    """Unique and the same again in every replay: the event's seq, and for a trade the side."""
    return f"{report.event.seq}-{report.side - ord('0')}" if report.side else str(report.event.seq)


def ord_status(begin_string: str, order: Order) -> str:
    """FIX 4.2 still has Replaced(5) for an order that was replaced and has not traded since."""
    if begin_string == FIX42 and order.replaced and order.ord_status == "0":
        return "5"
    return order.ord_status


def known_ord_rej_reason(begin_string: str, reason: int) -> int:
    """The reason, or "other" in a version that does not have it yet."""
    version = VERSIONS[begin_string]
    return reason if reason in version.ord_rej_reasons else version.other_ord


def known_cxl_rej_reason(begin_string: str, reason: int) -> int:
    version = VERSIONS[begin_string]
    return reason if reason in version.cxl_rej_reasons else version.other_cxl


def _order_fields(begin_string: str, order: Order, names: Names) -> list[str]:
    """The state of an order, as every report on it tells it."""
    instrument = names.instrument(order.instrument)
    fields = [
        f"37={order.order_id or NO_ORDER}",
        f"39={ord_status(begin_string, order)}",
        f"1={names.account(order.account)}",
        f"55={instrument.symbol}",
        f"54={order.side - ord('0')}",
        f"38={instrument.to_qty(order.order_qty):f}",
        f"40={chr(order.ord_type)}",
        f"59={chr(order.time_in_force)}",
        f"151={instrument.to_qty(order.leaves_qty):f}",
        f"14={instrument.to_qty(order.cum_qty):f}",
        f"6={avg_px(instrument, order.notional, order.cum_qty)}",
    ]
    if order.ord_type == OrdType.LIMIT:
        fields.append(f"44={instrument.to_price(order.price):f}")
    return fields


def _trade_fields(begin_string: str, report: Notice, names: Names) -> list[str]:
    event = report.event
    instrument = names.instrument(event.instrument)
    fields = [
        f"32={instrument.to_qty(event.qty):f}",
        f"31={instrument.to_price(event.price):f}",
    ]
    if begin_string != FIX42:
        fields.append(f"851={2 if report.side == event.side else 1}")
    return fields


def execution_report(begin_string: str, report: Notice, names: Names) -> str:
    """ExecutionReport(8) for an event."""
    event, order = report.event, report.order
    assert order is not None
    exec_type = report.exec_type
    if begin_string == FIX42 and exec_type == "F":
        exec_type = order.ord_status
    fields = [
        f"11={report.cl_ord_id}",
        f"17={exec_id(report)}",
        f"150={exec_type}",
        f"60={transact_time(event.ts_ns)}",
        *_order_fields(begin_string, order, names),
    ]
    if begin_string == FIX42:
        fields.append("20=0")
    if report.orig_cl_ord_id:
        fields.append(f"41={report.orig_cl_ord_id}")
    if report.exec_type == "F":
        fields += _trade_fields(begin_string, report, names)
    elif report.exec_type == "8":
        reason = known_ord_rej_reason(begin_string, ord_rej_reason(event.reason))
        fields += [f"103={reason}", f"58={_refusal_text(event, order, names)}"]
    elif report.exec_type in "4CD" and event.reason:
        if report.exec_type == "D":
            fields.append("378=5")  # ExecRestatementReason: a part of OrderQty declined
        fields.append(f"58={reason_text(event.reason)}")
    return message(begin_string, "8", *fields)


def _refusal_text(event: Event, order: Order | None, names: Names) -> str:
    """Why not, in the units of the order's instrument."""
    if order is None:
        return reason_text(event.reason, event.price, event.limit)
    instrument = names.instrument(order.instrument)
    return instrument.refusal_text(event.reason, event.price, event.limit)


def order_cancel_reject(begin_string: str, report: Notice, names: Names) -> str:
    """OrderCancelReject(9) for an event."""
    event, order = report.event, report.order
    reason, text = cxl_rej_reason(event.reason), _refusal_text(event, order, names)
    if event.reason == Reason.UNKNOWN_ORDER and order is not None:
        reason, text = TOO_LATE_TO_CANCEL, "the order is no longer open"
    return message(
        begin_string,
        "9",
        f"37={event.order_id}",
        f"11={report.cl_ord_id}",
        f"41={report.orig_cl_ord_id}",
        f"39={ord_status(begin_string, order) if order else '8'}",
        f"434={2 if event.flags & Flag.REPLACE else 1}",
        f"102={known_cxl_rej_reason(begin_string, reason)}",
        f"60={transact_time(event.ts_ns)}",
        f"58={text}",
    )


def order_status(begin_string: str, cl_ord_id: str, now: str, order: Order, names: Names) -> str:
    """ExecutionReport(8) that answers a question and reports nothing new."""
    fields = [
        f"11={cl_ord_id}",
        f"17={NO_EXEC}",
        f"60={now}",
        *_order_fields(begin_string, order, names),
    ]
    if begin_string == FIX42:
        fields += [f"150={ord_status(begin_string, order)}", "20=3"]
    else:
        fields.append("150=I")
    return message(begin_string, "8", *fields)


class Reporter:
    """The outbound thread's work, and before that the catching up.

    `marks` holds for each session the key of the last report made; what is not beyond it is known
    there already, and so are refused changes with a ClOrdID in `refused`, stored without a mark.
    `send(session, key, text)` has stored the text, and moved the mark, on return.
    """

    def __init__(
        self,
        orders: Orders,
        names: Names,
        begin_strings: Mapping[int, str],
        marks: Mapping[int, int],
        refused: Mapping[int, frozenset[str]],
        send: Callable[[int, int, str], None],
    ) -> None:
        self._orders = orders
        self._names = names
        self._begin_strings = begin_strings
        self._marks = marks
        self._refused = refused
        self._send = send

    def report(self, events: NDArray[np.void]) -> None:
        """Apply the events one by one and send what each of them makes known."""
        for event in events_of(events):
            for report in self._orders.apply(event):
                self._tell(report)
            self._orders.settle()

    def _tell(self, report: Notice) -> None:
        begin_string = self._begin_strings.get(report.session)
        if begin_string is None:  # the session is no longer configured
            return
        if report.key <= self._marks[report.session]:
            return
        if report.msg_type == "9":
            if report.cl_ord_id in self._refused.get(report.session, ()):
                return
            text = order_cancel_reject(begin_string, report, self._names)
        else:
            text = execution_report(begin_string, report, self._names)
        self._send(report.session, report.key, text)

    def run(self, feed: Feed, stop: threading.Event) -> None:
        """Notice events as they come, until told to stop."""
        while not stop.is_set():
            events = feed.read(EVENTS_AT_ONCE)
            if len(events):
                self.report(events)
            else:
                feed.wait(IDLE_S)

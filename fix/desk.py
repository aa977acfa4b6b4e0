"""The desk: where requests are handed in, and where they are answered when no event will.

It holds what every handler needs: the orders known, the lane to the engine, the way back to the
session. Answers made here report nothing that happened, only why a request went no further, or how
an order stands. Used by QuickFIX's thread alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from touchline.core.messages import COMMAND, LANE_FIX, TEXT_BYTES, MsgType, Text
from touchline.fix import outbound
from touchline.fix.orders import COMMAND_PICKED, TEXT_PICKED, Command, Order, Orders, Request
from touchline.fix.outbound import (
    NO_EXEC,
    NO_ORDER,
    SOH,
    known_cxl_rej_reason,
    known_ord_rej_reason,
    message,
    ord_status,
    order_status,
)
from touchline.fix.past import CL_ORD_ID
from touchline.fix.versions import FIX42
from touchline.instruments import Instrument

SEND_TIMEOUT_S = 0.5
OTHER_REASON, UNSUPPORTED_MSG_TYPE, NOT_AVAILABLE, FIELD_MISSING = 0, 3, 4, 5  # tag 380
ECHOED = ("1", "55", "54", "38", "40", "44", "59")

# Data as QuickFIX writes it: behind its length, but for Signature(89), which is sorted before it.
_DATA = re.compile(
    rb"\x01(?:90|93|95|212|348|350|352|354|356|358|360|362|364|445|618|621)=(\d{1,9})\x01\d+="
)
_SIGNED = re.compile(rb"\x0193=(\d{1,9})\x0110=\d{3}\x01$")

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


class Names(outbound.Names, Protocol):
    """What numbers stand for, and what names do."""

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


def pieces(name: bytes) -> tuple[bytes, bytes]:
    """Whole characters as many as a TEXT holds, and the rest."""
    end = min(len(name), TEXT_BYTES)
    while end < len(name) and name[end] & 0xC0 == 0x80:
        end -= 1
    return name[:end], name[end:]


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
        self.taking = True  # the engine took the last request that was sent to it
        self._lane = lane
        self._commands = np.zeros(3, COMMAND)
        self._texts = self._commands.view(TEXT_PICKED)
        self._requests = self._commands.view(COMMAND_PICKED)

    def submit(self, request: Request, command: Command) -> None:
        """Send the request's name and command together; if that fails, nothing was sent."""
        if not self.available:
            raise TimeoutError("the engine is not running")
        name, rest = pieces(request.cl_ord_id.encode("utf-8"))
        low = request.number & 0xFFFFFFFF
        self._texts[0] = (name, low, MsgType.TEXT, LANE_FIX, Text.CL_ORD_ID, request.session)
        if rest:
            self._texts[1] = (rest, low, MsgType.TEXT, LANE_FIX, Text.REQUEST_FIELD, CL_ORD_ID)
        count = 3 if rest else 2
        self._requests[count - 1] = command
        self.orders.enter(request)
        try:
            self._lane.send(self._commands[:count], timeout_s=SEND_TIMEOUT_S)
        except BaseException:
            self.orders.withdraw(request)
            raise
        self.taking = True

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
        text = order_status(session.begin_string, fields["11"], self.now(), order, self.names)
        if "790" in fields and session.begin_string != FIX42:
            text = text.replace(f"{SOH}17=", f"{SOH}790={fields['790']}{SOH}17=", 1)
        self.reply(session, text)


def _without_data(raw: str) -> str:
    """The message with its data fields empty: what is in one is no field."""
    data = raw.encode("utf-8", "surrogateescape")
    if signed := _SIGNED.search(data):
        end = signed.start()
        data = data[: max(0, end - int(signed[1]))] + data[end:]
    pieces, at = [], 0
    while found := _DATA.search(data, at):
        pieces.append(data[at : found.end()])
        at = found.end() + int(found[1])
    return b"".join([*pieces, data[at:]]).decode("utf-8", "surrogateescape")


def fields_of(raw: str) -> dict[str, str]:
    """Tags and values; of a repeated tag the first."""
    pairs = _without_data(raw).split(SOH)
    fields = dict([pair.split("=", 1) for pair in pairs[-2::-1] if "=" in pair])
    if not raw.isascii():
        for tag, value in fields.items():
            if any("\ud800" <= char <= "\udfff" for char in value):  # bytes that are not UTF-8
                raise Malformed(int(tag) if tag.isdecimal() else 0)
    return fields


def needed(fields: Fields, tag: str) -> str:
    """A field that the dictionary leaves to the application to insist on."""
    try:
        return fields[tag]
    except KeyError:
        raise Missing(tag) from None

"""The desk by itself: what it does when the engine does not take a request."""

import logging
from decimal import Decimal
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from touchline.fix.desk import Desk, Refusal, Session
from touchline.fix.inbound import _lots, _ticks, receive
from touchline.fix.orders import Orders
from touchline.instruments import Instrument

BROKER = Session(0, "BROKER1", "FIX.4.4", ("ACC1",))


class OneInstrument:
    """AAA with a tick of 0.01, and one account."""

    def instrument(self, index: int) -> Instrument:
        return Instrument(index, "AAA", Decimal("0.01"), Decimal(1), "USD")

    def instrument_named(self, symbol: str) -> Instrument | None:
        return self.instrument(0) if symbol == "AAA" else None

    def account(self, number: int) -> str:
        return "ACC1"

    def account_number(self, name: str) -> int | None:
        return 0


class Engine:
    """A lane that takes commands only while it is told to."""

    taking = False

    def send(self, commands: NDArray[np.void], timeout_s: float = 1.0) -> None:
        if not self.taking:
            raise TimeoutError("the lane is full")


def desk_of(lane: object, answers: list[str], orders: Orders) -> Desk:
    numbers = count(1)
    return Desk(
        orders,
        OneInstrument(),
        lane,  # type: ignore[arg-type]
        next_number=lambda: next(numbers),
        next_refusal=lambda: next(numbers),
        now=lambda: "20250101-00:00:00",
        reply=lambda session, text: answers.append(text),
    )


def send(desk: Desk, cl_ord_id: str, *more: str) -> None:
    terms = "|".join((f"11={cl_ord_id}", "55=AAA", "54=1", "38=1", "40=2", "44=1.00", *more))
    raw = f"8=FIX.4.4|9=0|35=D|49=BROKER1|34=1|{terms}|10=0|"
    receive(desk, BROKER, raw.replace("|", "\x01"))


def test_a_request_in_the_lane_is_never_called_not_available() -> None:
    """Sent again while the engine is silent: the first one stands and will be carried out."""
    engine, answers = Engine(), list[str]()
    engine.taking = True
    desk = desk_of(engine, answers, Orders(answer_timeout_s=0.01))
    send(desk, "a")
    send(desk, "a", "43=Y")
    send(desk, "a", "97=Y")
    assert answers == []
    send(desk, "a")
    assert len(answers) == 1
    assert "\x0135=j\x01" in answers[0]
    assert "\x01380=0\x01" in answers[0]
    assert "its first request stands and will be answered" in answers[0]


def test_an_outage_is_logged_once_and_every_request_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, answers = Engine(), list[str]()
    desk = desk_of(engine, answers, Orders())

    def orders(*names: str) -> None:
        for name in names:
            send(desk, name)

    with caplog.at_level(logging.WARNING):
        orders("a", "b", "c")
        engine.taking = True
        orders("a")
        engine.taking = False
        orders("d", "e")
    assert len(answers) == 5
    assert all("\x0135=j\x01" in answer and "\x01380=4\x01" in answer for answer in answers)
    assert [record.message for record in caplog.records] == [
        "a request of BROKER1 was not taken: the lane is full"
    ] * 2


def test_a_float_of_fix_has_no_exponent() -> None:
    instrument = OneInstrument().instrument(0)
    assert (_ticks(instrument, "10.25"), _lots(instrument, "100")) == (1025, 100)
    for read in (_ticks, _lots):
        for text in ("1e2", "1E+2"):
            with pytest.raises(Refusal, match="is not a decimal number"):
                read(instrument, text)

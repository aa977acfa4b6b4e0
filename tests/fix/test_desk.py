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


def test_an_outage_is_logged_once_and_every_request_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, answers, numbers = Engine(), list[str](), count(1)
    desk = Desk(
        Orders(),
        OneInstrument(),
        engine,
        next_number=lambda: next(numbers),
        next_refusal=lambda: next(numbers),
        now=lambda: "20250101-00:00:00",
        reply=lambda session, text: answers.append(text),
    )

    def orders(*names: str) -> None:
        for name in names:
            terms = f"11={name}|55=AAA|54=1|38=1|40=2|44=1.00|"
            raw = f"8=FIX.4.4|9=0|35=D|49=BROKER1|34=1|{terms}10=0|"
            receive(desk, BROKER, raw.replace("|", "\x01"))

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

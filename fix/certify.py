"""A session of a venue put to the test: the conformance scripts, played by the broker himself.

What is played has to be safe on a venue that others trade on: an instrument is named for it, what
the orders of a script leave in its book is canceled, a session goes on from the numbers it has, and
a script that needs more than the session has is left out, with the reason.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from touchline.fix.client import SOH, Closed, Connection, Message, utc_now
from touchline.fix.script import Broker, Script, Stage, scripts

# The instrument that the scripts are written for.
TICK, LOT, PRICE = Decimal("0.05"), Decimal(10), Decimal("10.00")
PRICES = frozenset(("6", "31", "44", "99", "270"))
QUANTITIES = frozenset(("14", "32", "38", "111", "151", "271", "561", "1138"))
LARGE = 1_000_000  # numbers from here on are meant to be too large
SECRET = re.compile(r"\b(554|925|96)=[^|]*")
NEEDS = re.compile(r"^# Needs (.+?)\.?$", re.MULTILINE)
RESETS = re.compile(r"141=Y|36=\d{10}|^S3? next\+\d{6}", re.MULTILINE)
EXPECTED = re.compile(r"expecting (\d+)")
_STEP = re.compile(r"(?:[45]\.[0-9]:)?[IERNXAUQCDSO]([1-9]?)(?: |$)")


class NotAvailable(Exception):
    """The session can not be put to the test as things are."""


@dataclass(frozen=True)
class Instrument:
    """What is traded, and a price at which nobody else trades."""

    symbol: str
    tick: Decimal = TICK
    lot: Decimal = LOT
    price: Decimal = PRICE

    def fitted(self, tag: str, value: str, expected: bool) -> str:
        """A script's value for this instrument; words that hold numbers are any words."""
        if (self.tick, self.lot, self.price) == (TICK, LOT, PRICE):
            return value
        if expected and tag == "58" and re.search(r"\d", value):
            return "*"
        if tag not in PRICES | QUANTITIES:
            return value
        try:
            number = Decimal(value)
        except InvalidOperation:
            return value
        if not 0 < number < LARGE:
            return value
        if tag in PRICES:
            number = self.price + (number - PRICE) / TICK * self.tick
            unit = self.tick
        else:
            number, unit = number / LOT * self.lot, self.lot
        exact = number.quantize(unit) if number == number.quantize(unit) else number
        if expected and exact != number.quantize(unit):
            return "*"  # an average that is rounded
        return f"{exact:f}"


@dataclass(frozen=True)
class Subject:
    """The session that is put to the test, and what it may use."""

    address: tuple[str, int]
    target: str
    begin_string: str
    broker: Broker
    counterparty: Broker | None = None
    instrument: Instrument | None = None
    tls: ssl.SSLContext | None = None
    reset: bool = False  # numbers may go back to 1

    def stage(self, prefix: str) -> Stage:
        brokers = {"1": self.broker, "4": self.broker}
        if self.counterparty is not None:
            brokers["2"] = self.counterparty
        instrument = self.instrument or Instrument("NONE")
        return Stage(
            self.address,
            self.target,
            brokers,
            instrument.symbol,
            prefix,
            self.tls,
            fitted=instrument.fitted,
            numbers=None if self.reset else self.numbers,
        )

    @property
    def brokers(self) -> list[Broker]:
        return [self.broker] + ([self.counterparty] if self.counterparty is not None else [])

    def numbers(self, broker: Broker) -> tuple[int, int]:
        """The numbers of a session's next message and of the venue's, asked of the venue.

        A Logon with number 1 and without ResetSeqNumFlag changes nothing when it is refused, and
        the refusal tells which one is expected. NotAvailable when the session can not be had.
        """
        answer, came = self._visit(broker, 1)
        if answer.get("35") != "A" and (found := EXPECTED.search(answer.get("58", ""))):
            first = int(found[1])
            answer, came = self._visit(broker, first)
        else:
            first = 1
        if answer.get("35") != "A":
            raise NotAvailable(f"the Logon was refused: {answer.get('58', answer)}")
        return first + 2, came + 1

    def _visit(self, broker: Broker, number: int) -> tuple[Message, int]:
        """Log on with that number and out again: the answer, and the venue's last number."""
        comp_ids, name = (broker.comp_id, self.target), self.address[0]
        with Connection(self.address, comp_ids, self.begin_string, self.tls, name) as client:
            client.next_seq = number
            version = ["1137=9"] if self.begin_string == "FIXT.1.1" else []
            try:
                answer = message = client.logon(*version, *broker.credentials, reset=False)
            except Closed as error:
                raise NotAvailable(
                    f"the venue closed the connection of {broker.comp_id} without an answer: it "
                    "knows no such session, or the session is logged on, or it is closed"
                ) from error
            if answer.get("35") == "A":
                client.send("5")
                with contextlib.suppress(Closed):
                    while True:
                        message = client.receive()
            return answer, int(message.get("34", 0))


@dataclass
class Result:
    """How one rule went; `messages`: who, whether he sent it, and what, without passwords."""

    script: str
    rule: str
    result: Literal["passed", "failed", "left out"]
    why: str = ""
    messages: list[tuple[str, bool, str]] = field(default_factory=list)


def left_out(path: Path, subject: Subject) -> str:
    """Why a script can not be played with what the subject has, or ""."""
    text = path.read_text()
    steps = [line for line in text.splitlines() if line and not line.startswith("#")]
    if not subject.reset and RESETS.search("\n".join(steps)):
        return "sets sequence numbers: --reset"
    if needs := NEEDS.search(text):
        return f"needs {needs[1]}"
    brokers = {match[1] or "1" for line in steps if (match := _STEP.match(line))}
    if "2" in brokers and subject.counterparty is None:
        return "needs a second session: --counterparty"
    if brokers - {"1", "2", "4"}:
        return "needs a session of another kind"
    fields = {piece.rpartition(":")[2] for line in steps for piece in line.split("|")}
    fields |= {line.split("|")[0].split(" ")[-1] for line in steps}
    if any(re.match(r"1=\w", one) for one in fields):
        return "names an account of the tests' own venue"
    if any(re.fullmatch(r"55=S\d+", one) for one in fields):
        return "names an instrument of the tests' own venue"
    if subject.instrument is None and any(
        re.match(r"(55=|35=([DFGHq]|A[DF])$)", one) for one in fields
    ):
        return "enters orders: --instrument"
    if subject.begin_string == "FIXT.1.1" and re.search(r"^R .*\b35=A\b", text, re.MULTILINE):
        return "is a Logon without DefaultApplVerID(1137)"
    return ""


def certify(subject: Subject, names: tuple[str, ...] = ()) -> Iterator[Result]:
    """Play every script, or those named."""
    run = "".join(filter(str.isdigit, utc_now()))[2:]
    for number, path in enumerate(scripts()):
        if names and path.stem not in names:
            continue
        rule = path.read_text().splitlines()[0].removeprefix("#").strip()
        if why := left_out(path, subject):
            yield Result(path.stem, rule, "left out", why)
            continue
        yield _play(path, rule, subject, f"{run}.{number}")


def _play(path: Path, rule: str, subject: Subject, prefix: str) -> Result:
    script = Script(path, subject.stage(prefix), subject.begin_string)
    faults = []
    for step in (script.run, script.clear):
        try:
            step()
        except AssertionError as error:
            faults.append(str(error))
        except (Closed, NotAvailable, OSError) as error:
            faults.append(f"{type(error).__name__}: {error}")
    messages = [
        (broker, sent, SECRET.sub(r"\1=***", data.decode("utf-8", "replace").replace(SOH, "|")))
        for broker, sent, data in script.wire.messages
    ]
    return Result(path.stem, rule, "failed" if faults else "passed", "; ".join(faults), messages)

"""Operator commands: sent on the operator's lane, answered by events of the ring.

Each operator, and the supervisor at start, opens an `Admin` for a moment; several take turns on the
lane. The lane gives out cl_ord_ids, by which an answer is told from every other event. What goes
wrong is a TouchlineError that says what to do: NotRunning, Unanswered or Refused, each with the
exit code of the command line. An Admin belongs to one thread.
"""

from __future__ import annotations

import errno
import os
import pwd
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline.config import Config
from touchline.core.messages import (
    ACCOUNT_ALL,
    COMMAND,
    EVENT,
    INSTRUMENT_ALL,
    LANE_ADMIN,
    TEXT_BYTES,
    Allocation,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    MsgType,
    Reason,
    SelfTrade,
    Text,
    TimeInForce,
    TradingStatus,
    make_commands,
    reason_text,
    refusals,
)
from touchline.errors import Lapped, TouchlineError
from touchline.instruments import Instrument
from touchline.market import AllocationStep
from touchline.runtime.bus import Bus
from touchline.runtime.directory import Directory, JournalDirectory
from touchline.runtime.journal import JournalReader

Records = NDArray[np.void]
PIECES_MAX = 16  # of the words of one command
_NO_LOGIN = 0xFFFFFFFF
BATCH = 256  # fewer than the smallest event ring holds, so no answer is lapped


class NotRunning(TouchlineError):
    """There is no venue to talk to."""

    exit_code = 3


class Unanswered(TouchlineError):
    """The venue did not answer in time."""

    exit_code = 4


class Refused(TouchlineError):
    """The engine answered, and said no; `reason` where an event carries one."""

    exit_code = 1

    def __init__(self, message: str, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.reason = reason


def attach(config: Config) -> Bus:
    """The bus of the running venue; NotRunning when there is none, or none of this data_dir.

    A bus is found by the venue's name, which another venue on this machine may have too.
    """
    try:
        bus = Bus.attach(str(config.bus_path))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EAGAIN):
            raise
        raise NotRunning(_not_running(config)) from error
    status = bus.status()
    if status["state"] != "running" or not status["alive"]:
        bus.close()
        raise NotRunning(_not_running(config))
    if status["journal_id"] != _journal_id(config):
        bus.close()
        raise NotRunning(
            f"{config.venue.data_dir} is not running; pid {status['pid']} is another venue called "
            f"{config.venue.name}: give one of them another venue.name"
        )
    return bus


def _journal_id(config: Config) -> int | None:
    """The number of the journal in data_dir; None when there is none yet."""
    try:
        return JournalReader(str(config.journal_dir)).journal_id
    except FileNotFoundError:
        return None


def _not_running(config: Config) -> str:
    return f"venue {config.venue.name} is not running; start it with `touchline run`"


class Admin:
    """The operator's lane of a running venue; use it as a context manager, then let it go.

    `words`, what the operator asked for, stands in the journal before the commands, with who it
    was; "" for what nobody asked for.
    """

    def __init__(self, config: Config, *, timeout_s: float = 5.0, words: str = "") -> None:
        self._words = signed(words) if words else b""
        self._config = config
        self._timeout_s = timeout_s
        self._bus = attach(config)
        self._lane = self._bus.lane(LANE_ADMIN)
        self._source: JournalDirectory | None = None

    def __enter__(self) -> Admin:
        return self

    def __exit__(self, *_: object) -> None:
        if self._source is not None:
            self._source.close()
        self._lane.close()
        self._bus.close()

    @property
    def names(self) -> Directory:
        """The names of the journal as it is now; it is opened once, and read on."""
        if self._source is None:
            self._source = JournalDirectory(self._config.journal_dir)
        return self._source.read_on()

    def halt(self, symbol: str) -> None:
        """Refuse new orders and replaces in one instrument; cancels stay possible."""
        self._security_status(symbol, TradingStatus.HALTED)

    def resume(self, symbol: str) -> None:
        """End a halt."""
        self._security_status(symbol, TradingStatus.READY_TO_TRADE)

    def phase(
        self,
        symbol: str,
        status: TradingStatus,
        lasts_s: float = 0,
        window_s: float = 0,
        seed: int = 0,
    ) -> None:
        """Into another trading phase; an auction lasts so long and up to so much longer (9.6)."""
        earliest = time.time_ns() + int(lasts_s * 1e9) if lasts_s or window_s else 0
        self._one(
            type=MsgType.SECURITY_STATUS,
            instrument=self._instrument(symbol),
            field=status,
            price=earliest,
            qty=int(window_s * 1e9),
            order_id=seed,
        )

    def kill(self, *, keep_orders: bool = False) -> int:
        """Refuse new orders venue-wide, and take off all that rest; how many those were."""
        self._one(type=MsgType.VENUE_STATUS, field=EntryStatus.BLOCKED)
        return 0 if keep_orders else self.mass_cancel()

    def revive(self) -> None:
        """Turn the kill switch off again."""
        self._one(type=MsgType.VENUE_STATUS, field=EntryStatus.OPEN)

    def block(self, account: str) -> None:
        """Refuse new orders and replaces of one account; cancels stay possible."""
        self._account_status(account, EntryStatus.BLOCKED)

    def unblock(self, account: str) -> None:
        """Let a blocked account trade again."""
        self._account_status(account, EntryStatus.OPEN)

    def set_limits(
        self, limit: Limit, values: Mapping[str, int], account: str | None = None
    ) -> None:
        """Set one limit in instruments, by symbol, in ticks and lots; `account` for those of an
        account's trading."""
        number = 0 if account is None else self._account(account)
        rows = [
            {
                "type": MsgType.LIMIT,
                "field": limit,
                "price": value,
                "instrument": self._instrument(symbol),
                "account": number,
            }
            for symbol, value in values.items()
        ]
        self.send(make_commands(rows))

    def mass_cancel(
        self, symbol: str | None = None, account: str | None = None, *, end_of_day: bool = False
    ) -> int:
        """Take off every order that matches, or expire the Day orders; how many those were."""
        answer = self._one(
            type=MsgType.MASS_CANCEL,
            instrument=INSTRUMENT_ALL if symbol is None else self._instrument(symbol),
            account=ACCOUNT_ALL if account is None else self._account(account),
            time_in_force=TimeInForce.DAY if end_of_day else 0,
            flags=Flag.EXPIRE if end_of_day else 0,
        )
        return int(answer["qty"])

    def checkpoint(self) -> tuple[int, int]:
        """The number of a CHECKPOINT event, and the state hash it carries."""
        answer = self._one(type=MsgType.CHECKPOINT)
        return int(answer["seq"]), int(answer["value"]) & 0xFFFFFFFFFFFFFFFF

    def accept_clock(self) -> tuple[int, int]:
        """Take the host's clock as it is: the first stamp by it, and by how many nanoseconds that
        stepped; below 0: back."""
        answer = self._one(type=MsgType.CLOCK)
        if self._bus.status()["clock_step_ns"]:
            raise Refused("the host's clock is outside the years 2020 to 2199; set it first")
        return int(answer["ts_ns"]), int(answer["value"])

    def instrument(self, symbol: str) -> Instrument:
        """What the symbol's ticks and lots are worth."""
        return self.names.instrument(self._instrument(symbol))

    def say(self) -> None:
        """Have the words stand in the journal, for what no command is sent for."""
        self._send(said(self._words, self._lane.cl_ord_ids(1)))
        self._words = b""

    def send(self, commands: Records) -> Records:
        """Send commands and return their answers in order; raises Refused when one is a refusal.

        A command that is refused does not stop those behind it. TEXT has no answer.
        """
        starts = range(0, len(commands), BATCH)
        answers = [self._exchange(commands[start : start + BATCH].copy()) for start in starts]
        found = np.concatenate([np.empty(0, EVENT), *answers])
        refused = refusals(found)
        if len(refused):
            raise Refused(_refusal(refused[0]), Reason(int(refused[0]["reason"])))
        return found

    def _exchange(self, batch: Records) -> Records:
        """Send one batch and wait for the answer to each command that has one."""
        asking = batch["type"] != MsgType.TEXT
        count = int(asking.sum())
        first = self._lane.cl_ord_ids(count) if count else 0
        ids = np.arange(first, first + count, dtype=np.uint64)
        batch["cl_ord_id"][asking] = ids
        reader = self._bus.events()
        # As bytes: numpy would lay out records with overlapping fields anew.
        self._send(np.frombuffer(said(self._words, first).tobytes() + batch.tobytes(), COMMAND))
        self._words = b""
        answers: dict[int, Any] = {}
        deadline = time.monotonic() + self._timeout_s
        while len(answers) < count:
            if not reader.wait(max(0.0, min(0.5, deadline - time.monotonic()))):
                self._give_up_when(time.monotonic() >= deadline, count - len(answers))
            try:
                events = reader.read(4096)
            except Lapped as lapped:
                reader = self._bus.events(lapped.oldest_seq)
                continue
            wanted = np.isin(events["cl_ord_id"], ids) & np.isin(events["exec_type"], _ANSWERS)
            answers.update((int(event["cl_ord_id"]), event) for event in events[wanted])
        return np.array([answers[int(number)] for number in ids], EVENT)

    def _send(self, batch: Records) -> None:
        try:
            self._lane.send(batch, self._timeout_s)
        except TimeoutError as error:
            raise Unanswered(f"the engine does not take commands: {error}") from error

    def _give_up_when(self, late: bool, missing: int) -> None:
        status = self._bus.status()
        if status["state"] in ("stopped", "failed"):
            raise NotRunning(f"venue {self._config.venue.name} stopped before it answered")
        if late:
            raise Unanswered(
                f"venue {self._config.venue.name} left {missing} commands unanswered for "
                f"{self._timeout_s:g} s; it may have taken them: see `touchline status`"
            )

    def self_trade(self, account: str, mode: SelfTrade, group: int = 0) -> None:
        """What becomes of two orders of the account, or of its group's accounts, that meet."""
        self._one(type=MsgType.SELF_TRADE, account=self._account(account), field=mode, price=group)

    def allocation(self, symbol: str, steps: Sequence[AllocationStep]) -> None:
        """How trades are shared out; no steps: first in, first out, as also after a step that the
        engine refuses, which raises Refused: all of them or none."""
        instrument = self.instrument(symbol)
        common = {"type": MsgType.ALLOCATION, "instrument": instrument.index}
        plain = common | AllocationStep(Allocation.FIFO, 100).fields(instrument)
        rows = [
            common
            | {"side": number, "account": self._account(step.account) if step.account else 0}
            | step.fields(instrument)
            for number, step in enumerate(steps)
        ]
        self._one(**plain)
        try:
            if rows:
                self.send(make_commands(rows))
        except Refused:
            self._one(**plain)
            raise

    def _one(self, **fields: Any) -> Any:
        return self.send(make_commands([fields]))[0]

    def _security_status(self, symbol: str, status: TradingStatus) -> None:
        self._one(type=MsgType.SECURITY_STATUS, instrument=self._instrument(symbol), field=status)

    def _account_status(self, account: str, status: EntryStatus) -> None:
        self._one(type=MsgType.ACCOUNT_STATUS, account=self._account(account), field=status)

    def _instrument(self, symbol: str) -> int:
        return _number(self.names, Text.SYMBOL, symbol, "instrument")

    def _account(self, account: str) -> int:
        return _number(self.names, Text.ACCOUNT, account, "account")


def signed(words: str) -> bytes:
    """Who says it, and what; Refused when that is more than the journal takes."""
    text = f"{_who()}: {words}".encode("utf-8", "backslashreplace")
    if len(text) > PIECES_MAX * TEXT_BYTES:
        most = PIECES_MAX * TEXT_BYTES
        raise Refused(f"the command's words are {len(text)} bytes long; the journal takes {most}")
    return text


def said(text: bytes, first: int) -> Records:
    """Words as TEXT commands, in front of the command with the number `first`."""
    pieces = [text[at : at + TEXT_BYTES] for at in range(0, len(text), TEXT_BYTES)]
    kinds = {"type": MsgType.TEXT, "field": Text.OPERATOR, "key": first & 0xFFFFFFFF}
    return make_commands([kinds | {"side": n, "text": piece} for n, piece in enumerate(pieces)])


def _who() -> str:
    """The user of this process; where somebody logged in became another, both."""
    user = _user(os.getuid())
    try:
        login = int(Path("/proc/self/loginuid").read_text())
    except (OSError, ValueError):
        return user
    return user if login in (_NO_LOGIN, os.getuid()) else f"{_user(login)} as {user}"


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name}({uid})"
    except KeyError:
        return f"({uid})"


_ANSWERS = (
    ExecType.REJECTED,
    ExecType.CANCEL_REJECTED,
    ExecType.MASS_CANCELED,
    ExecType.SECURITY_DEFINITION,
    ExecType.SECURITY_STATUS,
    ExecType.INDICATIVE,
    ExecType.ACCOUNT,
    ExecType.ACCOUNT_STATUS,
    ExecType.SELF_TRADE,
    ExecType.ALLOCATION,
    ExecType.LIMIT,
    ExecType.VENUE_STATUS,
    ExecType.CHECKPOINT,
    ExecType.CLOCK,
)


def _number(names: Directory, kind: Text, wanted: str, what: str) -> int:
    number = names.number(kind, wanted)
    if number is not None:
        return number
    known = ", ".join(sorted(names.numbers(kind))) or "none"
    raise Refused(f"there is no {what} {wanted!r}; known are {known}")


def _refusal(answer: Any) -> str:
    reason = Reason(int(answer["reason"]))
    return reason_text(reason, int(answer["value"]), int(answer["limit"])) or reason.name

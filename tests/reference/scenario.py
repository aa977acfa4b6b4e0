"""Scenarios a trader can read: tests/golden/*.txt, a rule or two a file.

    ACC1 a: SELL 10 AAA @ 10.01             -> NEW a 10 @ 10.01
    ACC2 t: BUY 15 AAA @ 10.02              -> NEW t 15 @ 10.02
                                            -> TRADE t 10 @ 10.01 with a (done), open 5
    BOOK AAA
        -----
        BUY    10.02      5  = t 5

A line is a command, what follows its arrows are all its events in order; an indented drawing
answers BOOK. `a:` names an order for the rest of the file. A price has a dot: a tick is 0.01 and a
lot 1, so that a value is money too. `{field=number}` after a command overwrites its bytes.
`python tests/reference/scenario.py FILE` writes a scenario with the answers of the reference.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from reference.engine import Capacities, Reference
from reference.records import EVENT_BYTES, Command
from reference.scenario_words import Answer, Resting, Words, number
from touchline.core.messages import (
    ACCOUNT_ALL,
    INSTRUMENT_ALL,
    Allocation,
    ContingencyType,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    More,
    MsgType,
    OrdType,
    SelfTrade,
    Side,
    TermsFlag,
    TimeInForce,
    TradingStatus,
)

ARROW_COLUMN = 44
MORE_TERMS = ("MIN", "ALL_OR_NONE", "FOR", "TRAIL", "TRAIL_PART")


class Venue(Protocol):
    """What a scenario asks of the reference and of the core alike."""

    def step(self, cmd: Command) -> list[bytes]: ...
    def orders(self, instrument: int, side: int) -> list[Resting]: ...
    def position(self, account: int, instrument: int) -> tuple[int, int, int]: ...
    def state_hash(self) -> int: ...


class ReferenceVenue:
    def __init__(self, capacities: Capacities) -> None:
        self.reference = Reference(capacities)

    def step(self, cmd: Command) -> list[bytes]:
        return [bytes(event) for event in self.reference.step(cmd)]

    def orders(self, instrument: int, side: int) -> list[Resting]:
        return [Resting(order.order_id, order.price, order.shown_qty)
                for order in self.reference.orders(instrument, side)]  # fmt: skip

    def position(self, account: int, instrument: int) -> tuple[int, int, int]:
        return self.reference.position(account, instrument)

    def state_hash(self) -> int:
        return self.reference.state_hash()


class Scenario:
    """Plays the commands of one file on a venue and writes what happened in the same words."""

    def __init__(self, venue_of: Callable[[Capacities], Venue]) -> None:
        self.venue_of = venue_of
        self.instruments: list[str] = []
        self.accounts: list[str] = []
        self.words = Words()
        self.seq = 0
        self.terms: Command | None = None  # that go before the order at hand

    def play(self, text: str) -> Iterator[str]:
        self.open("VENUE")
        for line in text.splitlines():
            if line.startswith("#") or not line.strip():
                yield line
            elif line.startswith("VENUE"):
                self.open(line)
                yield line
            elif not line.startswith(" "):
                yield from self.answer(line.split("->")[0].rstrip())

    def open(self, line: str) -> None:
        """`VENUE orders_max=2 instruments=AAA accounts=ACC1,ACC2`, over the defaults."""
        words = {"instruments": "AAA,BBB", "accounts": "ACC1,ACC2,ACC3"}
        words |= dict(re.findall(r"(\w+)=(\S+)", line))
        self.instruments = words.pop("instruments").split(",")
        self.accounts = words.pop("accounts").split(",")
        self.venue = self.venue_of(
            Capacities(**{name: int(value) for name, value in words.items()})
        )
        self.seq = 0
        for index in range(len(self.instruments)):
            self.send(Command(type=MsgType.SECURITY_DEFINITION, instrument=index))
        for index in range(len(self.accounts)):
            self.send(Command(type=MsgType.ACCOUNT, account=index))

    def send(self, cmd: Command) -> tuple[Command, list[Answer]]:
        self.seq += 1
        cmd = replace(cmd, ts_ns=self.seq * 1000, cl_ord_id=cmd.cl_ord_id or self.seq)
        answers = [Answer(*EVENT_BYTES.unpack(event)) for event in self.venue.step(cmd)]
        return cmd, answers

    def answer(self, line: str) -> Iterator[str]:
        words = line.split()
        if words[0] == "BOOK":
            yield line
            index = self.instruments.index(words[1])
            bids, asks = (self.venue.orders(index, side) for side in (Side.BUY, Side.SELL))
            yield from self.words.ladder(bids, asks)
        elif words[0] == "POSITION":
            at = (self.accounts.index(words[1]), self.instruments.index(words[2]))
            net, to_buy, to_sell = self.venue.position(*at)
            yield f"{line:{ARROW_COLUMN}}-> net {net}, open to buy {to_buy}, to sell {to_sell}"
        elif words[0] == "HASH":
            yield f"{line:{ARROW_COLUMN}}-> {self.venue.state_hash():#018x}"
        elif words[0] == "ORDER_ID":
            order_id = self.words.order_ids[words[1]]
            slot, generation = order_id & 0xFFFFFFFF, order_id >> 32
            yield f"{line:{ARROW_COLUMN}}-> slot {slot}, generation {generation}"
        else:
            yield from self.command(line)

    def command(self, line: str) -> Iterator[str]:
        self.terms = None
        cmd, label = self.read(line)
        if self.terms is not None:
            self.send(replace(self.terms, cl_ord_id=self.seq + 2))
            cmd = replace(cmd, flags=cmd.flags | Flag.SPECIAL, field=More.TERMS)
        cmd, answers = self.send(cmd)
        entered = [event.order_id for event in answers if event.exec_type == ExecType.NEW]
        if label and entered:
            whole = self.terms is not None and self.terms.flags & TermsFlag.ALL_OR_NONE
            hidden = Flag.HIDDEN if whole else 0  # 8.12
            self.words.name_order(label, entered[0], replace(cmd, flags=cmd.flags | hidden))
        shown = [self.words.show(event, cmd) for event in answers]
        if not shown or len(line) >= ARROW_COLUMN:
            yield line
            line = ""
        for event in shown:
            yield f"{line:{ARROW_COLUMN}}-> {event}"
            line = ""

    # Reading commands

    def read(self, line: str) -> tuple[Command, str]:
        """The command a line means, and the label it gives to a new order."""
        line, _, raw = line.partition("{")
        overwritten = {name: int(value) for name, value in re.findall(r"(\w+)=(-?\d+)", raw)}
        words, label = line.split(), ""
        cmd = Command()
        if words[0] in self.accounts:
            cmd = replace(cmd, account=self.accounts.index(words.pop(0)))
        if words[0].endswith(":"):
            label = words.pop(0)[:-1]
        return replace(self.read_words(cmd, words), **overwritten), label

    def read_words(self, cmd: Command, words: list[str]) -> Command:
        match words:
            case [("BUY" | "SELL") as side, qty, symbol, *price_and_time]:
                return self.read_order(cmd, side, qty, symbol, price_and_time)
            case ["CANCEL", label]:
                return replace(cmd, type=MsgType.CANCEL, order_id=self.words.order_ids[label])
            case ["REPLACE", label, "WITH", qty, "@", price]:
                return replace(cmd, type=MsgType.REPLACE, order_id=self.words.order_ids[label],
                               qty=number(qty), price=number(price))  # fmt: skip
            case ["MASS_CANCEL", *which]:
                return self.read_mass_cancel(which)
            case ["LIMIT", *of, name, value]:
                cmd = self.read_names(replace(cmd, type=MsgType.LIMIT), of)
                return replace(cmd, field=Limit[name], price=number(value))
            case ["SELF_TRADE", name, mode, *group]:
                group_number = int(group[1]) if group else 0  # `… GROUP 7`
                cmd = replace(cmd, type=MsgType.SELF_TRADE, field=SelfTrade[mode],
                              price=group_number)  # fmt: skip
                return self.read_names(cmd, [name])
            case ["ALLOCATION", symbol, place, kind, *numbers]:
                return self.read_step(cmd, symbol, place, kind, numbers)
            case ["LIST", index]:
                return replace(cmd, type=MsgType.SECURITY_DEFINITION, instrument=int(index))
            case ["OPEN", index]:
                return replace(cmd, type=MsgType.ACCOUNT, account=int(index))
            case ["STATUS", "VENUE", status]:
                return replace(cmd, type=MsgType.VENUE_STATUS, field=EntryStatus[status])
            case ["STATUS", name, status] if name in self.accounts:
                cmd = replace(cmd, type=MsgType.ACCOUNT_STATUS, field=EntryStatus[status])
                return self.read_names(cmd, [name])
            case ["STATUS", name, status]:
                cmd = replace(cmd, type=MsgType.SECURITY_STATUS, field=TradingStatus[status])
                return self.read_names(cmd, [name])
            case [("CHECKPOINT" | "CLOCK" | "EXPIRE" | "TEXT" | "TRESPASS") as name]:
                return replace(cmd, type=MsgType[name])
            case _:
                raise ValueError(f"not a command of a scenario: {' '.join(words)}")

    def read_step(
        self, cmd: Command, symbol: str, place: str, kind: str, numbers: list[str]
    ) -> Command:
        """`FIFO 40`, `TOP 1 100`, `MARKET_MAKER ACC1 30`, `PRO_RATA 2 1`, `LEVELLING`."""
        cmd = replace(cmd, type=MsgType.ALLOCATION, side=int(place), field=Allocation[kind],
                      instrument=self.instruments.index(symbol))  # fmt: skip
        if kind == "MARKET_MAKER":
            cmd = replace(cmd, account=self.accounts.index(numbers[0]))
        if kind in ("TOP", "PRO_RATA"):
            cmd = replace(cmd, price=int(numbers[0]))
        return replace(cmd, qty=int(numbers[-1]) if numbers else 0)

    def read_order(
        self, cmd: Command, side: str, qty: str, symbol: str, price_and_time: list[str]
    ) -> Command:
        match price_and_time:
            case ["@", price, *rest]:
                cmd = replace(cmd, ord_type=OrdType.LIMIT, price=number(price))
            case ["MARKET", *rest]:
                cmd = replace(cmd, ord_type=OrdType.MARKET)
            case ["TO_LIMIT", *rest]:
                cmd = replace(cmd, ord_type=OrdType.MARKET_TO_LIMIT, flags=Flag.SPECIAL)
            case [("STOP" | "TOUCHED") as kind, stop, *rest]:
                cmd, rest = self.read_stop(cmd, kind, stop, rest)
            case _:
                raise ValueError("an order says `@ 10.00`, `MARKET`, `TO_LIMIT`, `STOP 10.00` …")
        cmd, time = self.read_terms(cmd, rest)
        return replace(
            cmd,
            type=MsgType.NEW_ORDER,
            side=Side[side],
            qty=number(qty),
            instrument=self.instruments.index(symbol),
            time_in_force=TimeInForce[time[0]] if time else TimeInForce.DAY,
        )

    def read_stop(
        self, cmd: Command, kind: str, stop: str, rest: list[str]
    ) -> tuple[Command, list[str]]:
        """`STOP 10.00` for at the market, `STOP 10.00 @ 10.05` for at a limit."""
        types = {
            "STOP": (OrdType.STOP, OrdType.STOP_LIMIT),
            "TOUCHED": (OrdType.MARKET_IF_TOUCHED, OrdType.LIMIT_IF_TOUCHED),
        }[kind]
        cmd = replace(cmd, ord_type=types[0], order_id=number(stop), flags=Flag.SPECIAL)
        if rest[:1] != ["@"]:
            return cmd, rest
        return replace(cmd, ord_type=types[1], price=number(rest[1])), rest[2:]

    def read_terms(self, cmd: Command, words: list[str]) -> tuple[Command, list[str]]:
        """`DISPLAY 5`, `HIDDEN`, `POST_ONLY`, `SLIDE`, and in TERMS `MIN 3`, `ALL_OR_NONE`, `FOR 4`
        (commands after this one; GTD), `OCO`, `OCO OF a`, `TRAIL 0.05` and `TRAIL_PART 150` (basis
        points); what is left is the TimeInForce."""
        flags, order_id, time = cmd.flags, cmd.order_id, []
        words = list(words)
        while words:
            word = words.pop(0)
            if word == "DISPLAY":
                order_id |= number(words.pop(0)) << 32
                flags |= Flag.SPECIAL
            elif word == "SLIDE":
                flags |= Flag.SPECIAL | Flag.POST_ONLY | Flag.SLIDE
            elif word in ("HIDDEN", "POST_ONLY"):
                flags |= Flag.SPECIAL | Flag[word]
            elif word in (*MORE_TERMS, *ContingencyType.__members__):
                self.read_more_terms(word, words)
                time += ["GTD"] if word == "FOR" else []
            else:
                time.append(word)
        return replace(cmd, flags=flags, order_id=order_id), time

    def read_more_terms(self, word: str, words: list[str]) -> None:
        """8.9"""
        terms = self.terms or Command(type=MsgType.TERMS)
        if word in ContingencyType.__members__:
            terms = replace(terms, field=ContingencyType[word], qty=self.read_link(words))
        elif word == "MIN":
            terms = replace(terms, order_id=number(words.pop(0)))
        elif word in ("TRAIL", "TRAIL_PART"):
            part = TermsFlag.TRAIL_BASIS_POINTS if word == "TRAIL_PART" else 0
            trail = number(words.pop(0)) << 32
            terms = replace(terms, order_id=trail, flags=terms.flags | part)
        elif word == "FOR":
            terms = replace(terms, price=(self.seq + 2 + number(words.pop(0))) * 1000)
        else:
            terms = replace(terms, flags=terms.flags | TermsFlag.ALL_OR_NONE)
        self.terms = terms

    def read_link(self, words: list[str]) -> int:
        """12.1: `OF a`, an order of the file, or `OF 99`, a number."""
        if words[:1] != ["OF"]:
            return 0
        name = words[1]
        del words[:2]
        if name.isdigit():
            return int(name)
        return self.words.sent[self.words.order_ids[name]].cl_ord_id

    def read_names(self, cmd: Command, names: list[str]) -> Command:
        for name in names:
            if name in self.accounts:
                cmd = replace(cmd, account=self.accounts.index(name))
            else:
                cmd = replace(cmd, instrument=self.instruments.index(name))
        return cmd

    def read_mass_cancel(self, which: list[str]) -> Command:
        cmd = Command(type=MsgType.MASS_CANCEL, instrument=INSTRUMENT_ALL, account=ACCOUNT_ALL)
        for word in which:
            if word in Side.__members__:
                cmd = replace(cmd, side=Side[word])
            elif word in TimeInForce.__members__:
                cmd = replace(cmd, time_in_force=TimeInForce[word])
            elif word == "EXPIRE":
                cmd = replace(cmd, flags=Flag.EXPIRE)
            else:
                cmd = self.read_names(cmd, [word])
        return cmd


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print("\n".join(Scenario(ReferenceVenue).play(Path(name).read_text())))

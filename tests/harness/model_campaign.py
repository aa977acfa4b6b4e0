"""The reference against the core over random mixes: `python -m harness.model_campaign N SEED`.

Rounds of commands, each on a fresh pair of engines with capacities of its own, drawn from few
prices and quantities so that every rule is met often. After each command the events are the same
bytes and the state hashes the same number. What was met is counted at the end; the exit code is 1
where the two differ, and the last words are the seed and the commands of the round that did.
"""

import random
import sys
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from reference.engine import PLAIN_TIMES, Capacities, Reference
from reference.records import Command
from reference.state import FOR_AUCTIONS, LIMITED, STOPS, TOUCHES, LastLinked
from touchline.core.engine import Engine
from touchline.core.messages import (
    ACCOUNT_ALL,
    COMMAND,
    EVENT,
    INSTRUMENT_ALL,
    LIMIT_UNSET,
    Allocation,
    ContingencyType,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    More,
    MsgType,
    OrdType,
    Reason,
    SelfTrade,
    Side,
    TermsFlag,
    TimeInForce,
    TradingStatus,
)

ROUND = 2_000
ACCOUNTS = 4
LIMITS = {
    Limit.PRICE_COLLAR: (LIMIT_UNSET, LIMIT_UNSET, 4, 8),
    Limit.REFERENCE_PRICE: (64, 62, 66),
    Limit.ORDER_QTY_MAX: (LIMIT_UNSET, LIMIT_UNSET, 10),
    Limit.ORDER_VALUE_MAX: (LIMIT_UNSET, LIMIT_UNSET, 700),
    Limit.POSITION_MAX: (LIMIT_UNSET, LIMIT_UNSET, 200),
    Limit.PRICE_MIN: (1, 1, 1, 58),
    Limit.PRICE_MAX: (1 << 29, 1 << 29, 70),
}
FLAGS = (
    0, 0, 0, Flag.HIDDEN, Flag.HIDDEN, Flag.POST_ONLY, Flag.POST_ONLY | Flag.SLIDE,
    Flag.POST_ONLY | Flag.HIDDEN, Flag.SLIDE,
)  # fmt: skip


class Flow:
    """Draws commands; `share` of the new orders have terms."""

    def __init__(self, draw: random.Random, reference: Reference) -> None:
        self.draw, self.reference = draw, reference
        self.now, self.waits = 0, None  # type: int, Command | None
        self.share = draw.choice((0.0, 0.1, 0.3, 0.7))
        self.links = draw.choice((0.1, 0.3, 0.9))  # of those with TERMS
        self.phases = draw.choice((0.0, 0.02, 0.05))

    def command(self, now: int) -> Command:
        self.now = now
        if self.waits is not None:  # its terms have gone
            cmd, self.waits = self.waits, None
            return cmd
        pick = self.draw.random()
        if self.draw.random() < self.phases:
            return self.phase()
        if pick < 0.66:
            return self.new_order()
        if pick < 0.93:
            return self.change()
        return self.administration()

    def new_order(self) -> Command:
        draw = self.draw
        auctions = FOR_AUCTIONS if self.phases else ()
        cmd = Command(
            type=MsgType.NEW_ORDER,
            instrument=draw.choice((0, 0, 0, 1)),
            account=draw.randrange(ACCOUNTS),
            side=draw.choice(list(Side)),
            ord_type=OrdType.LIMIT,
            time_in_force=draw.choice((*[TimeInForce.DAY] * 6, *PLAIN_TIMES, *auctions)),
            price=draw.randint(59, 69),
            qty=draw.choice((1, 2, 3, 5, 8, 12, 100)),
        )
        if draw.random() < self.share:
            return self.with_terms(cmd)
        if draw.random() < 0.1:
            return replace(cmd, ord_type=OrdType.MARKET, price=0)
        return cmd

    def with_terms(self, cmd: Command) -> Command:
        draw = self.draw
        ord_type = draw.choice((*[OrdType.LIMIT] * 5, *OrdType))
        waits = ord_type in (*STOPS, *TOUCHES)
        stop = draw.randint(58, 70) if waits or draw.random() < 0.02 else 0
        display = draw.choice((0, 0, 1, 2, 3, 5)) if draw.random() < 0.7 else 0
        if draw.random() < (0.3 if self.links < 0.9 else 0.8):
            return self.terms_before(replace(cmd, flags=Flag.SPECIAL | draw.choice(FLAGS)))
        return replace(
            cmd,
            ord_type=ord_type,
            price=cmd.price if ord_type in LIMITED else 0,
            flags=Flag.SPECIAL | draw.choice(FLAGS if not waits else (0, 0, 0, *FLAGS)),
            order_id=stop | display << 32,
        )

    def terms_before(self, cmd: Command) -> Command:
        """8.9: its TERMS; the order itself is the next command."""
        draw = self.draw
        number = draw.randrange(3) << 32 | draw.randrange(1 << 31)
        if draw.random() < self.links:
            return self.linked(cmd, number)
        if draw.random() < 0.3:
            ord_type, (part, trail) = draw.choice(STOPS), self.trail()
            self.waits = replace(cmd, ord_type=ord_type, order_id=draw.randint(58, 70),
                                 price=cmd.price if ord_type in LIMITED else 0, cl_ord_id=number,
                                 flags=Flag.SPECIAL, field=More.TERMS)  # fmt: skip
            return Command(type=MsgType.TERMS, cl_ord_id=number, flags=part, order_id=trail << 32)
        soon = self.now + draw.choice((-1, 0, 2, 10, 40, 200))
        expires = draw.random() < 0.5
        whole = draw.random() < 0.4
        if expires:
            cmd = replace(cmd, time_in_force=TimeInForce.GTD)
        self.waits = replace(
            cmd,
            flags=Flag.SPECIAL if whole else cmd.flags,
            cl_ord_id=number if draw.random() < 0.97 else number + 1,
            field=More.TERMS,
        )
        return Command(
            type=MsgType.TERMS,
            cl_ord_id=number,
            price=soon if expires else 0,
            order_id=draw.choice((0, 0, 1, 3, 5)) if not whole or draw.random() < 0.1 else 0,
            flags=TermsFlag.ALL_OR_NONE if whole else 0,
        )

    def linked(self, cmd: Command, number: int) -> Command:
        """12.1: TERMS that link it; mostly with the lane's last, where there is one."""
        draw = self.draw
        lane = number >> 32
        last = self.reference.state.last_linked.get(lane)
        kind = draw.choice((1, 1, 2, 2, 2, 3, 4, *ContingencyType))
        link = 0
        if draw.random() < 0.7:  # so that it rests for a while
            away = (56, 63) if cmd.side == Side.BUY else (65, 72)
            cmd = replace(cmd, price=draw.randint(*away))
        if draw.random() < 0.9:
            cmd = replace(cmd, time_in_force=TimeInForce.DAY)
        if last is not None and draw.random() < (0.9 if self.may_name(last) else 0.1):
            link = last.cl_ord_id if draw.random() < 0.97 else draw.randrange(9)
            kind = (
                draw.choice((2, 2, kind))
                if last.as_parent
                else (
                    last.order.contingency if draw.random() < 0.8 and not last.order.child else kind
                )
            )
            if draw.random() < 0.97:
                cmd = replace(cmd, account=last.order.account, instrument=last.order.instrument)
        if draw.random() < 0.4:
            waiting = draw.choice((*STOPS, *TOUCHES))
            cmd = replace(cmd, ord_type=waiting, order_id=draw.randint(58, 70),
                          price=cmd.price if waiting in LIMITED else 0)  # fmt: skip
        elif draw.random() < 0.1:
            cmd = replace(cmd, ord_type=draw.choice((OrdType.MARKET, OrdType.MARKET_TO_LIMIT)),
                          price=0)  # fmt: skip
        trail = self.trail() if draw.random() < 0.3 else (0, 0)
        flags = cmd.flags if draw.random() < 0.3 else Flag.SPECIAL
        expires = draw.random() < 0.15
        if expires:
            cmd = replace(cmd, time_in_force=TimeInForce.GTD)
        self.waits = replace(cmd, flags=flags, cl_ord_id=number, field=More.TERMS)
        until = self.now + draw.choice((3, 30)) if expires else 0
        return Command(type=MsgType.TERMS, cl_ord_id=number, field=kind, qty=link, price=until,
                       flags=trail[0], order_id=trail[1] << 32)  # fmt: skip

    def trail(self) -> tuple[int, int]:
        """8.13: flags and length."""
        if self.draw.random() < 0.5:
            return 0, self.draw.choice((1, 2, 3, 5, 0))
        return TermsFlag.TRAIL_BASIS_POINTS, self.draw.choice((100, 200, 500, 9999, 0))

    def may_name(self, last: LastLinked) -> bool:
        """12.1, 12.2: would it be taken?"""
        is_open = last.order.order_id in self.reference.state.open_orders
        if last.as_parent:
            return is_open or last.filled
        return is_open and last.order.partner is None and last.order.executed_qty == 0

    def change(self) -> Command:
        draw = self.draw
        orders = list(self.reference.state.open_orders.values())
        if not orders:
            return self.new_order()
        order = draw.choice(orders)
        account = order.account if draw.random() < 0.97 else (order.account + 1) % ACCOUNTS
        cmd = Command(type=MsgType.CANCEL, order_id=order.order_id, account=account)
        if draw.random() < 0.45:
            return cmd
        price = max(order.price + draw.choice((0, 0, 0, 1, -1, 3, -3)), 0)
        qty = max(order.order_qty + draw.choice((0, -1, -1, -2, -5, 1, 3, 40)), 0)
        return replace(cmd, type=MsgType.REPLACE, price=price, qty=qty)

    def phase(self) -> Command:
        """Another trading phase; some auctions end at a time that is drawn."""
        draw = self.draw
        status = draw.choice((*[TradingStatus.READY_TO_TRADE] * 3, *TradingStatus))
        cmd = Command(type=MsgType.SECURITY_STATUS, instrument=draw.choice((0, 0, 0, 1)),
                      field=status)  # fmt: skip
        if draw.random() < 0.8:
            return cmd
        return replace(cmd, order_id=draw.getrandbits(64), price=draw.choice((0, 100, 1500, -1)),
                       qty=draw.choice((0, 20, 300, -1, (1 << 63) - 1)))  # fmt: skip

    def administration(self) -> Command:
        draw = self.draw
        cmd = Command(instrument=draw.choice((0, 0, 1)), account=draw.randrange(ACCOUNTS))
        pick = draw.random()
        if pick < 0.35:
            name = draw.choice(list(LIMITS))
            value = draw.choice(LIMITS[name])
            return replace(cmd, type=MsgType.LIMIT, field=name, price=value)
        if pick < 0.45:
            return replace(
                cmd,
                type=MsgType.MASS_CANCEL,
                instrument=draw.choice((0, 1, INSTRUMENT_ALL)),
                account=draw.choice((0, 1, ACCOUNT_ALL)),
                side=draw.choice((0, 0, *Side)),
                time_in_force=draw.choice((0, 0, 0, TimeInForce.DAY, TimeInForce.GTC)),
                flags=draw.choice((0, Flag.EXPIRE)),
            )
        if pick < 0.5:
            return replace(cmd, type=draw.choice((MsgType.CHECKPOINT, MsgType.EXPIRE)))
        if pick < 0.58:
            return replace(
                cmd,
                type=MsgType.SELF_TRADE,
                field=draw.choice(list(SelfTrade)),
                price=draw.choice((0, 0, 1, 2)),
            )
        changes: list[tuple[MsgType, int]] = [
            (MsgType.SECURITY_STATUS, TradingStatus.HALTED),
            *[(MsgType.SECURITY_STATUS, TradingStatus.READY_TO_TRADE)] * 8,
            (MsgType.ACCOUNT_STATUS, EntryStatus.BLOCKED),
            *[(MsgType.ACCOUNT_STATUS, EntryStatus.OPEN)] * 12,
            *[(MsgType.VENUE_STATUS, EntryStatus.OPEN)] * 2,
        ]
        kind, status = draw.choice(changes)
        return replace(cmd, type=kind, field=status)


def sharing(draw: random.Random) -> list[Command]:
    """Steps of an allocation for one or both instruments; often none."""
    found = []
    for instrument in range(2):
        kinds = draw.choices(list(Allocation), k=draw.choice((0, 0, 1, 2, 3, 5, 6)))
        for place, kind in enumerate(kinds):
            lots = kind in (Allocation.TOP, Allocation.PRO_RATA)
            found.append(
                Command(
                    type=MsgType.ALLOCATION,
                    instrument=instrument,
                    side=place,
                    field=kind,
                    account=draw.randrange(ACCOUNTS),
                    price=draw.choice((1, 1, 2, 3)) if lots else 0,
                    qty=draw.choice((1, 2, 50)) if lots
                    else 0 if kind == Allocation.LEVELLING
                    else draw.choice((10, 33, 40, 50, 100)),
                )
            )  # fmt: skip
    return found


class Difference(NamedTuple):
    commands: list[Command]
    expected: list[str]
    got: list[str]


def shown(events: list[bytes]) -> list[str]:
    return [str(np.frombuffer(event, dtype=EVENT)[0]) for event in events]


def opening() -> list[Command]:
    listed = [Command(type=MsgType.SECURITY_DEFINITION, instrument=i) for i in range(2)]
    opened = [Command(type=MsgType.ACCOUNT, account=i) for i in range(ACCOUNTS)]
    priced = [
        Command(type=MsgType.LIMIT, field=Limit.REFERENCE_PRICE, instrument=i, price=64)
        for i in range(2)
    ]
    return [*listed, *opened, *priced]


def play_round(seed: int, commands: int, met: Counter[str]) -> Difference | None:
    draw = random.Random(seed)
    roomy = Capacities(instruments_max=2, accounts_max=8, orders_max=512, positions_max=16,
                       price_blocks_max=64)  # fmt: skip
    tight = roomy._replace(orders_max=draw.choice((4, 16)), price_blocks_max=draw.choice((2, 4, 8)))
    capacities = draw.choice((roomy, roomy, roomy, tight))
    reference, engine = Reference(capacities), Engine(**capacities._asdict())
    flow, sent = Flow(draw, reference), []
    first = [*opening(), *(sharing(draw) if flow.links < 0.9 else ())]
    for number in range(commands):
        cmd = first[number] if number < len(first) else flow.command(number)
        cmd = replace(cmd, seq=number + 1, ts_ns=number, cl_ord_id=cmd.cl_ord_id or number + 1)
        sent.append(cmd)
        answers = reference.step(cmd)
        expected = [bytes(event) for event in answers]
        got = [event.tobytes() for event in
               engine.submit(np.frombuffer(bytes(cmd), dtype=COMMAND))]  # fmt: skip
        if got != expected or engine.state_hash() != reference.state_hash():
            return Difference(sent, shown(expected), shown(got))
        for event in answers:
            met[ExecType(event.exec_type).name] += 1
            if event.exec_type in (ExecType.REJECTED, ExecType.CANCEL_REJECTED):
                met[Reason(event.reason).name] += 1
            elif event.exec_type in (ExecType.CANCELED, ExecType.REPLACED) and event.reason:
                met[f"{ExecType(event.exec_type).name} {Reason(event.reason).name}"] += 1
    return None


def main(commands: int, seed: int) -> int:
    met: Counter[str] = Counter()
    for at in range(0, commands, ROUND):
        found = play_round(seed + at // ROUND, min(ROUND, commands - at), met)
        if found is not None:
            print(*found.commands[-12:], "expected", *found.expected, "got", *found.got, sep="\n")
            print(f"round of seed {seed + at // ROUND}: differs at {len(found.commands)}")
            return 1
    for name, count in met.most_common():
        print(f"{count:>10,} {name}")
    print(f"{commands:,} commands from seed {seed}: the core equals the reference")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))

"""What a trader or an operator means to do, and the commands it comes to when the flow is played.

Which order a cancel aims at, or where exactly a limit bites, depends on the state of that moment;
so a flow of intents still means something after hypothesis has taken half of it away.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reference.engine import Reference
from reference.records import Command
from reference.state import Instrument, Order, Position, State, protection_price
from touchline.core.messages import (
    LIMIT_UNSET,
    PRICE_MAX,
    QTY_MAX,
    ExecType,
    Limit,
    MsgType,
    Side,
)

LOOSEST = {
    Limit.PRICE_MIN: 1,
    Limit.PRICE_MAX: PRICE_MAX,
    Limit.QTY_MAX: QTY_MAX,
    Limit.PRICE_COLLAR: LIMIT_UNSET,
    Limit.ORDER_QTY_MAX: LIMIT_UNSET,
    Limit.ORDER_VALUE_MAX: LIMIT_UNSET,
    Limit.POSITION_MAX: LIMIT_UNSET,
}


@dataclass(frozen=True)
class Aim:
    """An order of the flow: an open one, or any there ever was; asked for by its account or not."""

    pick: int
    of_all: bool
    by_stranger: bool
    # What a replace asks for, as a difference from what the order has; else as the command says.
    change: tuple[int, int] | None = None


@dataclass(frozen=True)
class Pin:
    """A limit set just before the command to what it will ask for, or one off; and perhaps
    released after it."""

    limit: Limit
    price_of: int  # which price an order's value is reckoned at
    off: int
    released: bool


@dataclass(frozen=True)
class Intent:
    cmd: Command
    aim: Aim | None = None
    pin: Pin | None = None
    times: int = 1  # again and again, each time `step` ticks further
    step: int = 0
    overwrite: tuple[str, int] | None = None
    terms: Command | None = None  # 8.9: they go before it


def play(intents: list[Intent], reference: Reference) -> Iterator[tuple[Command, list[bytes]]]:
    """Each command with the reference's events; it may be looked at between one and the next."""
    owners: dict[int, int] = {}
    sent = (cmd for intent in intents for cmd in commands(intent, owners, reference.state))
    for count, cmd in enumerate(sent, start=1):
        stamp = {"seq": count, "ts_ns": count, "cl_ord_id": count}
        if cmd.type == MsgType.TERMS and cmd.cl_ord_id == 0:  # for the next, until in so long
            cmd = replace(cmd, cl_ord_id=count + 1, price=cmd.price and cmd.price + count)
        last = reference.state.last_linked.get(0)
        if cmd.type == MsgType.TERMS and cmd.qty == -1 and last:  # 12.1: with the last
            cmd = replace(cmd, qty=last.cl_ord_id)
        cmd = replace(cmd, **{name: getattr(cmd, name) or value for name, value in stamp.items()})
        events = reference.step(cmd)
        for event in events:
            if event.exec_type == ExecType.NEW:
                owners[event.order_id] = event.account
        yield cmd, [bytes(event) for event in events]


def commands(intent: Intent, owners: dict[int, int], state: State) -> Iterator[Command]:
    for time in range(intent.times):
        cmd = replace(intent.cmd, price=intent.cmd.price + time * intent.step)
        if intent.aim:
            cmd = aimed(cmd, intent.aim, owners, state.open_orders)
        if intent.overwrite:
            name, value = intent.overwrite
            cmd = replace(cmd, **{name: value})
        if intent.pin:
            limit, release = pinned(cmd, intent.pin, state)
            yield limit
            yield cmd
            if intent.pin.released:
                yield release
        else:
            if intent.terms:
                yield intent.terms
            yield cmd


def aimed(cmd: Command, aim: Aim, owners: dict[int, int], orders: dict[int, Order]) -> Command:
    ids = list(owners) if aim.of_all or not orders else list(orders)
    if not ids:
        return cmd
    order_id = ids[aim.pick % len(ids)]
    account = cmd.account if aim.by_stranger else owners[order_id]
    if aim.change and order_id in orders:
        price, qty = orders[order_id].price, orders[order_id].order_qty
        cmd = replace(cmd, price=price + aim.change[0], qty=qty + aim.change[1])
    return replace(cmd, order_id=order_id, account=account)


def pinned(cmd: Command, pin: Pin, state: State) -> tuple[Command, Command]:
    """The LIMIT that is just enough for `cmd`, or one off, and the one that takes it back."""
    order = state.open_orders.get(cmd.order_id)
    number, side = (order.instrument, order.side) if order else (cmd.instrument, cmd.side)
    instrument = state.instruments.get(number, Instrument(number))
    position = state.positions.get((cmd.account, number), Position())
    bids = instrument.book[Side.BUY]
    prices = (
        cmd.price,
        instrument.reference_price,
        bids[0].price if bids else 0,
        protection_price(instrument, side),
    )
    net = position.net if side == Side.BUY else -position.net
    just_enough = {
        Limit.PRICE_MIN: cmd.price,
        Limit.PRICE_MAX: cmd.price,
        Limit.QTY_MAX: cmd.qty,
        Limit.PRICE_COLLAR: abs(cmd.price - instrument.reference_price),
        Limit.ORDER_QTY_MAX: cmd.qty,
        Limit.ORDER_VALUE_MAX: prices[pin.price_of] * cmd.qty,
        Limit.POSITION_MAX: net + position.open_qty.get(side, 0) + cmd.qty,
    }[pin.limit]
    if order and pin.limit == Limit.POSITION_MAX:
        just_enough -= order.order_qty
    limit = Command(type=MsgType.LIMIT, instrument=number, account=cmd.account, field=pin.limit)
    tight = min(max(just_enough + pin.off, -1), LIMIT_UNSET)
    return replace(limit, price=tight), replace(limit, price=LOOSEST[pin.limit])

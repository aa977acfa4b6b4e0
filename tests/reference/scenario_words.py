"""How a scenario writes prices, events and books: the words on the right of its `->`.

An event is shown from its bytes. What the command and the orders it names imply is left out; a byte
that says anything else is shown in braces, so nothing in an event goes unread.
"""

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import NamedTuple

from reference.records import Command
from reference.state import LIMITED
from touchline.core.messages import (
    LIMIT_UNSET,
    LIMITS,
    Allocation,
    EntryStatus,
    ExecType,
    Flag,
    Limit,
    Reason,
    SelfTrade,
    Side,
    TradingStatus,
    reason_text,
)

MONEY_REASONS = (
    Reason.PRICE_BELOW_MIN,
    Reason.PRICE_ABOVE_MAX,
    Reason.MARKET_WITH_PRICE,
    Reason.ORDER_VALUE_MAX,
    Reason.PRICE_COLLAR,
    Reason.NO_REFERENCE_PRICE,
    Reason.WOULD_TRADE,
    Reason.NOT_CLOSING_PRICE,
)
TELLS_BOTH = (ExecType.TRADE, ExecType.DECREMENTED)
LOT_LIMITS = tuple(limit for limit in Limit if LIMITS[limit].unit == "lots")


class Resting(NamedTuple):
    order_id: int
    price: int
    leaves_qty: int


@dataclass(frozen=True)
class Answer:
    """An event as its bytes say it, before anyone decides which union member is meant."""

    seq: int
    ts_ns: int
    order_id: int
    cl_ord_id: int
    price: int
    limit: int
    account: int
    contra_account: int
    instrument: int
    ord_type: int
    time_in_force: int
    exec_type: int
    side: int
    reason: int
    flags: int

    @property
    def qty(self) -> int:
        return self.limit & 0xFFFFFFFF

    @property
    def leaves_qty(self) -> int:
        return self.limit >> 32


def money(ticks: int) -> str:
    if ticks == LIMIT_UNSET:
        return "unset"
    sign, ticks = ("-" if ticks < 0 else ""), abs(ticks)
    return f"{sign}{ticks // 100}.{ticks % 100:02d}"


def lots(qty: int) -> str:
    return "unset" if qty == LIMIT_UNSET else str(qty)


def number(word: str) -> int:
    """Ticks where there is a dot, else as it stands."""
    if word == "unset":
        return LIMIT_UNSET
    if "." not in word:
        return int(word)
    whole, cents = word.split(".")
    assert len(cents) == 2, f"{word}: a price has two digits after its dot"
    return int(whole + cents)


class Words:
    """Shows events by the names that a scenario gave to its orders."""

    def __init__(self) -> None:
        self.order_ids: dict[str, int] = {"?": 0}
        self.sent: dict[int, Command] = {}  # each order as it was sent, by OrderID

    def name_order(self, label: str, order_id: int, cmd: Command) -> None:
        self.order_ids[label] = order_id
        self.sent[order_id] = cmd

    def label(self, order_id: int) -> str:
        labels = {known: label for label, known in self.order_ids.items()}
        return labels.get(order_id, f"#{order_id}")

    def show(self, event: Answer, cmd: Command) -> str:
        """The event in words, and in braces whatever neither the words nor `cmd` imply."""
        if event.exec_type in TELLS_BOTH:
            text, said = self.trade(event)
        elif event.exec_type in (ExecType.INDICATIVE, ExecType.UNCROSSED):
            text, said = self.auction(event, cmd)
        elif event.exec_type in (ExecType.REJECTED, ExecType.CANCEL_REJECTED):
            text, said = self.refusal(event, cmd)
        elif event.exec_type in set(ExecType) and event.order_id:
            text, said = self.order_event(event)
        else:
            text, said = self.administration(event, cmd)
        if event.exec_type not in TELLS_BOTH:
            said.setdefault("cl_ord_id", cmd.cl_ord_id)
        said |= {"seq": event.seq, "ts_ns": cmd.ts_ns, "exec_type": event.exec_type}
        odd = [f"{name}={value}" for name, value in asdict(event).items()
               if value != said.get(name, 0)]  # fmt: skip
        return f"{text} {{{' '.join(odd)}}}" if odd else text

    def order_of(self, order_id: int) -> dict[str, int]:
        """What any event says of the order, from the command that entered it."""
        sent = self.sent.get(order_id, Command())
        names = ("account", "instrument", "side", "ord_type", "time_in_force")
        return {"order_id": order_id} | {name: getattr(sent, name) for name in names}

    def order_event(self, event: Answer) -> tuple[str, dict[str, int]]:
        said = self.order_of(event.order_id)
        said |= {"price": event.price, "limit": event.limit, "reason": event.reason}
        said |= self.terms_of(event)
        market = event.ord_type not in LIMITED and event.price == 0
        price = "MARKET" if market else f"@ {money(event.price)}"
        text = f"{ExecType(event.exec_type).name} {self.label(event.order_id)} {event.qty} {price}"
        entered = event.exec_type in (ExecType.NEW, ExecType.REPLACED, ExecType.TRIGGERED,
                                      ExecType.RESTATED)  # fmt: skip
        if event.leaves_qty != (event.qty if entered else 0):
            text += f", open {event.leaves_qty}"
        if event.exec_type == ExecType.REPLACED and event.flags & Flag.PRIORITY_KEPT:
            text += ", keeps its place"
            said["flags"] |= event.flags & (Flag.PRIORITY_KEPT | Flag.SPECIAL)
        elif event.exec_type in (ExecType.NEW, ExecType.REPLACED) and event.flags & Flag.SPECIAL:
            text += ", to be stated"
            said["flags"] |= Flag.SPECIAL
        elif event.flags & Flag.SPECIAL and not said["flags"]:
            text += "" if event.reason else ", collected"
            said["flags"] |= Flag.SPECIAL
        if event.cl_ord_id == 0:
            said["cl_ord_id"] = 0
            text += ", unasked"
        if event.reason:
            text += f", {Reason(event.reason).name}"
        return text, said

    def terms_of(self, event: Answer) -> dict[str, int]:
        """8.2: the events of a special order repeat its flags."""
        sent = self.sent.get(event.order_id, Command())
        return {"flags": sent.flags & 0xF0 if sent.flags & Flag.SPECIAL else 0}

    def trade(self, event: Answer) -> tuple[str, dict[str, int]]:
        said = self.order_of(event.order_id)
        maker = self.order_of(event.cl_ord_id)
        said |= {"cl_ord_id": maker["order_id"], "contra_account": maker["account"]}
        said |= {"price": event.price, "limit": event.limit}
        what = ExecType(event.exec_type).name
        text = f"{what} {self.label(event.order_id)} {event.qty} @ {money(event.price)}"
        text += f" with {self.label(event.cl_ord_id)}"
        if event.exec_type == ExecType.DECREMENTED:
            said["reason"] = Reason.SELF_TRADE
        said["flags"] = event.flags & (Flag.MAKER_DONE | Flag.HIDDEN)
        if event.flags & Flag.HIDDEN:
            text += " unseen"
        if event.flags & Flag.MAKER_DONE:
            text += " (done)"
        return text + (f", open {event.leaves_qty}" if event.leaves_qty else ""), said

    def auction(self, event: Answer, cmd: Command) -> tuple[str, dict[str, int]]:
        """What an auction comes to, and the surplus."""
        said = {"account": cmd.account, "instrument": cmd.instrument, "side": event.side,
                "price": event.price, "limit": event.limit, "order_id": event.order_id}  # fmt: skip
        text = f"{ExecType(event.exec_type).name} {event.limit} @ {money(event.price)}"
        if event.limit == 0:
            text = f"{ExecType(event.exec_type).name} nothing"
        if event.order_id:
            text += f", {event.order_id} more to {'buy' if event.side == Side.BUY else 'sell'}"
        return text, said

    def refusal(self, event: Answer, cmd: Command) -> tuple[str, dict[str, int]]:
        """The value and the bound are said where the reason's text says them."""
        names = ("account", "instrument", "side", "ord_type", "time_in_force")
        said = {name: getattr(cmd, name) for name in names}
        said["reason"] = event.reason
        what = ExecType(event.exec_type).name
        if event.exec_type == ExecType.CANCEL_REJECTED:
            said["order_id"] = cmd.order_id
        if what == "CANCEL_REJECTED" and event.flags == Flag.REPLACE:
            what, said["flags"] = "REPLACE_REJECTED", event.flags
        text = f"{what} {Reason(event.reason).name}"
        template = reason_text(Reason(event.reason), 111_111, 222_222)
        amount = money if self.is_money(event, cmd) else lots
        if "111111" in template:
            text += f" {amount(event.price)}"
            said["price"] = event.price
        if "222222" in template:
            text += f", bound {amount(event.limit)}"
            said["limit"] = event.limit
        return text, said

    def is_money(self, event: Answer, cmd: Command) -> bool:
        if event.reason == Reason.INVALID_LIMIT:
            return cmd.field not in LOT_LIMITS
        return event.reason in MONEY_REASONS

    def administration(self, event: Answer, cmd: Command) -> tuple[str, dict[str, int]]:
        said = {"account": cmd.account, "instrument": cmd.instrument}
        text = ExecType(event.exec_type).name
        if event.exec_type == ExecType.MASS_CANCELED:
            said |= {"limit": event.limit, "side": cmd.side, "time_in_force": cmd.time_in_force}
            text += f" {event.qty}"
        elif event.exec_type == ExecType.LIMIT:
            said |= {"price": event.price, "reason": event.reason}
            amount = lots if event.reason in LOT_LIMITS else money
            text += f" {Limit(event.reason).name} {amount(event.price)}"
        elif event.exec_type == ExecType.SECURITY_STATUS:
            said["limit"] = event.limit
            text += f" {TradingStatus(event.qty).name}"
        elif event.exec_type == ExecType.EXPIRE:
            said["limit"] = event.limit
            text += f" {event.qty}"
        elif event.exec_type in (ExecType.ACCOUNT_STATUS, ExecType.VENUE_STATUS):
            said["limit"] = event.limit
            text += f" {EntryStatus(event.qty).name}"
        elif event.exec_type == ExecType.SELF_TRADE:
            said |= {"price": event.price, "limit": event.limit}
            text += f" {SelfTrade(event.qty).name}"
            text += f", group {event.price}" if event.price else ""
        elif event.exec_type == ExecType.ALLOCATION:
            said |= {"price": event.price, "limit": event.limit, "reason": event.reason}
            text += f" {event.leaves_qty} {Allocation(event.reason).name}"
            text += "".join(f" {number}" for number in (event.price, event.qty) if number)
        elif event.exec_type == ExecType.CHECKPOINT:
            said["price"] = event.price
            text += f" {event.price & 0xFFFFFFFFFFFFFFFF:#018x}"
        elif event.exec_type == ExecType.CLOCK:
            said["price"] = event.price
            text += f" {event.price}"
        return text, said

    def ladder(self, bids: list[Resting], asks: list[Resting]) -> list[str]:
        """The book as a trader draws it: asks above, bids below, the best next to the line."""
        if not bids and not asks:
            return ["    (empty)"]
        rows = list(reversed(self.rungs("SELL", asks)))
        return [*rows, "    -----", *self.rungs("BUY", bids)]

    def rungs(self, side: str, orders: list[Resting]) -> list[str]:
        rows = []
        for price, level in groupby(orders, key=lambda order: order.price):
            queue = [(self.label(order.order_id), order.leaves_qty) for order in level]
            total = sum(qty for _, qty in queue)
            drawn = " + ".join(f"{label} {qty}" for label, qty in queue)
            rows.append(f"    {side:4} {money(price):>7} {total:6}  = {drawn}")
        return rows

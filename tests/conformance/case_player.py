"""Plays a neutral test case of another matching engine on ours, and says what each step left.

The words are the case's own: ids, owners, `buy` and `sell`, rest, trade and cancelled.
tests/conformance/check_cases.py compares them with what the case expects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    ExecType,
    Flag,
    More,
    MsgType,
    OrdType,
    Reason,
    Side,
    TermsFlag,
    TimeInForce,
)

Json = dict[str, Any]


class CaseError(Exception):
    """A case says something that is not known here, or leaves something out: what, and where."""


SIDES = {"buy": Side.BUY, "sell": Side.SELL}
SIDE_OF = {"bids": Side.BUY, "asks": Side.SELL}
TIMES_IN_FORCE = {"gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "fok": TimeInForce.FOK}
TYPES = {"limit": OrdType.LIMIT, "market": OrdType.MARKET, "stop": OrdType.STOP}
ACCOUNTS = 16
IGNORED = ("client", "deposit")


def chosen(table: Mapping[str, Any], where: Json, name: str) -> Any:
    """What a word of the case stands for here."""
    word = needed(where, name)
    if not isinstance(word, str) or word not in table:
        raise CaseError(f"{name} {word!r} is not known; known are {', '.join(sorted(table))}")
    return table[word]


def needed(where: Json, name: str) -> Any:
    """A field that has to be there."""
    if not isinstance(where, dict):
        raise CaseError(f"{where!r} is no object with names")
    if name not in where:
        raise CaseError(f"{name} is missing from {where}")
    return where[name]


def listed(where: Json, name: str) -> list[Any]:
    """A field that is a list."""
    found = needed(where, name)
    if not isinstance(found, list):
        raise CaseError(f"{name} {found!r} is no list")
    return found


def whole(where: Json, name: str) -> int:
    """A field that is a whole number."""
    number = needed(where, name)
    if type(number) is not int:
        raise CaseError(f"{name} {number!r} is no whole number")
    return number


@dataclass
class Order:
    id: Any
    order_id: int
    owner: str
    side: str
    price: int
    order_qty: int
    open_qty: int
    filled: int = 0
    cost: int = 0
    state: str = "open"


@dataclass
class After:
    """What is true when a step has been done, and what it did."""

    result: str = "SUCCESS"
    events: list[Json] = field(default_factory=list)
    orders: dict[Any, Order] = field(default_factory=dict)
    levels: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    last_price: int = 0

    @property
    def trades(self) -> list[Json]:
        return [event for event in self.events if event["ev"] == "trade"]


class Case:
    """Plays the steps of one case on an engine of its own and keeps what each left behind."""

    def __init__(self, case: Json) -> None:
        self.engine = Engine(instruments_max=1, accounts_max=ACCOUNTS, orders_max=256)
        self.orders: dict[Any, Order] = {}
        self.by_order_id: dict[int, Order] = {}
        self.owners: list[str] = []
        self.last_price = 0
        self.submit(type=MsgType.SECURITY_DEFINITION)
        for account in range(ACCOUNTS):
            self.submit(type=MsgType.ACCOUNT, account=account)
        self.operations: dict[str, Callable[[Json], Any]] = {
            "new": self.new,
            "cancel": self.cancel,
            "replace": self.replace,
            "move": self.move,
            "reduce_to": self.reduce_to,
        } | dict.fromkeys(IGNORED, lambda step: [])
        self.after: list[After] = []
        for number, step in enumerate(listed(case, "steps")):
            try:
                self.after.append(self.step(step))
            except CaseError as error:
                raise CaseError(f"step {number}: {error}") from error

    def submit(self, **values: int) -> Any:
        command = np.zeros(1, dtype=COMMAND)
        for name, value in values.items():
            command[name] = value
        return self.engine.submit(command)

    def account(self, owner: str) -> int:
        if owner not in self.owners:
            if len(self.owners) == ACCOUNTS:
                raise CaseError(f"owner {owner!r} is one more than {ACCOUNTS}")
            self.owners.append(owner)
        return self.owners.index(owner)

    def step(self, step: Json) -> After:
        after = After()
        for event in chosen(self.operations, step, "op")(step):
            self.read(event, step, after)
        for order in self.orders.values():
            if self.rests_since(order, after):
                rest = {"ev": "rest", "id": order.id, "side": order.side, "price": order.price}
                after.events.append(rest | {"qty": order.open_qty})
        after.last_price = self.last_price
        after.orders = {id_: Order(**vars(order)) for id_, order in self.orders.items()}
        for name, side in SIDE_OF.items():
            after.levels[name] = [
                (int(level["price"]), int(level["orders"]), int(level["qty"]))
                for level in self.engine.depth(0, side, 1000)
            ]
        return after

    def rests_since(self, order: Order, after: After) -> bool:
        entered = {"ev": "entered", "id": order.id}
        if entered not in after.events:
            return False
        after.events.remove(entered)
        return order.state == "open"

    # The operations

    def new(self, step: Json) -> Any:
        owner = step.get("owner") or step.get("client") or "one"
        ord_type = chosen(TYPES, step, "type")
        needed(step, "id")
        return self.submit(
            type=MsgType.NEW_ORDER,
            account=self.account(owner),
            side=chosen(SIDES, step, "side"),
            ord_type=ord_type,
            time_in_force=chosen(TIMES_IN_FORCE, step, "tif"),
            price=whole(step, "price") if ord_type == OrdType.LIMIT else 0,
            qty=whole(step, "qty"),
            **self.terms(step, ord_type),
        )

    def terms(self, step: Json, ord_type: OrdType) -> dict[str, int]:
        """What makes an order special, in the order or before it."""
        if ord_type == OrdType.STOP:
            return {"flags": Flag.SPECIAL, "order_id": whole(step, "stop_price")}
        if not step.get("aon", False):
            return {}
        self.submit(type=MsgType.TERMS, flags=TermsFlag.ALL_OR_NONE)
        return {"flags": Flag.SPECIAL, "field": More.TERMS}

    def cancel(self, step: Json) -> Any:
        order = self.known(step)
        return self.submit(
            type=MsgType.CANCEL, order_id=order.order_id, account=self.account(order.owner)
        )

    def replace(self, step: Json) -> Any:
        order = self.known(step)
        qty = step.get("qty", order.order_qty + step.get("qty_change", 0))
        return self.submit(
            type=MsgType.REPLACE,
            order_id=order.order_id,
            account=self.account(order.owner),
            price=step.get("price") or order.price,
            qty=max(qty, 1),
        )

    def move(self, step: Json) -> Any:
        return self.replace({"id": needed(step, "id"), "price": whole(step, "price")})

    def reduce_to(self, step: Json) -> Any:
        """Down to so many open lots; no reduction asks for nothing."""
        order = self.known(step)
        qty = whole(step, "qty")
        if qty == 0:
            return self.cancel(step)
        if qty >= order.open_qty:
            return []
        return self.replace({"id": step["id"], "qty": order.filled + qty})

    def known(self, step: Json) -> Order:
        number = needed(step, "id")
        return self.orders.get(number) or Order(number, 0, "one", "buy", 1, 1, 0)

    # Our events in their words

    def read(self, event: Any, step: Json, after: After) -> None:
        match event["exec_type"]:
            case ExecType.NEW:
                self.entered(event, step, after)
            case ExecType.TRADE:
                self.traded(event, after)
            case ExecType.REPLACED:
                self.replaced(event, after)
            case ExecType.RESTATED | ExecType.TRIGGERED:
                pass  # where it stands: depth says so
            case ExecType.CANCELED:
                self.taken_off(self.by_order_id[int(event["order_id"])], 0, after)
            case _:
                after.result = Reason(int(event["reason"])).name

    def entered(self, event: Any, step: Json, after: After) -> None:
        order = Order(
            id=step["id"],
            order_id=int(event["order_id"]),
            owner=self.owners[int(event["account"])],
            side=step["side"],
            price=int(event["price"]),
            order_qty=int(event["qty"]),
            open_qty=int(event["qty"]),
        )
        self.orders[order.id] = self.by_order_id[order.order_id] = order
        after.events.append({"ev": "entered", "id": order.id})

    def traded(self, event: Any, after: After) -> None:
        taker = self.by_order_id[int(event["order_id"])]
        maker = self.by_order_id[int(event["contra_order_id"])]
        qty, price = int(event["qty"]), int(event["price"])
        self.last_price = price
        for order in (taker, maker):
            order.open_qty -= qty
            order.filled += qty
            order.cost += qty * price
            order.state = "open" if order.open_qty else "filled"
        buyer, seller = (taker, maker) if taker.side == "buy" else (maker, taker)
        after.events.append(
            {
                "ev": "trade",
                "maker": maker.id,
                "taker": taker.id,
                "price": price,
                "qty": qty,
                "maker_left": maker.open_qty,
                "maker_done": bool(event["flags"] & Flag.MAKER_DONE),
                "buyer": buyer.owner,
                "seller": seller.owner,
            }
        )

    def replaced(self, event: Any, after: After) -> None:
        order = self.by_order_id[int(event["order_id"])]
        order.price, order.order_qty = int(event["price"]), int(event["qty"])
        if event["leaves_qty"] < order.open_qty:
            self.taken_off(order, int(event["leaves_qty"]), after)
        order.open_qty = int(event["leaves_qty"])
        if not event["flags"] & Flag.PRIORITY_KEPT:
            after.events.append({"ev": "entered", "id": order.id})

    def taken_off(self, order: Order, left: int, after: After) -> None:
        qty, order.open_qty = order.open_qty - left, left
        after.events.append({"ev": "cancelled", "id": order.id, "qty": qty, "left": left})
        if left == 0:
            order.state = "cancelled"

"""A gateway's start: the journal taken in by the batch leads to what event by event leads to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from touchline.core.engine import Engine
from touchline.core.messages import (
    LANE_FIX,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
    make_commands,
)
from touchline.fix.archive import REQUEST, Archive
from touchline.fix.desk import pieces
from touchline.fix.orders import Orders, Request, events_of, report_key
from touchline.fix.past import CL_ORD_ID, PENDING, Past

SESSIONS = 3
ALL_TOLD = dict.fromkeys(range(SESSIONS), report_key(1 << 40))
Records = NDArray[np.void]
Row = dict[str, Any]


class Flow:
    """Random requests of three sessions as a gateway journals them, among those of a program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.engine = Engine(orders_max=64, price_blocks_max=64)
        self.engine.submit(self._rows([{"type": MsgType.SECURITY_DEFINITION}]))
        accounts: list[Row] = [{"type": MsgType.ACCOUNT, "account": n} for n in range(SESSIONS)]
        self.engine.submit(self._rows(accounts))
        self.names: list[tuple[int, str]] = []
        self.ids: list[int] = [12345]

    def batches(self, count: int) -> Iterator[tuple[Records, Records]]:
        """Commands with their events; now and then a name's command comes in the next batch."""
        left: list[Row] = []
        for _ in range(count):
            rows, left = left, []
            for _ in range(self.random.randint(1, 60)):
                rows += self._request()
            if self.random.random() < 0.3 and rows[-1]["type"] != MsgType.TEXT:
                left = [rows.pop()]
            commands = self._rows(rows)
            events = self.engine.submit(commands).copy()
            self.ids += events["order_id"][-20:].tolist()
            yield commands, events

    def _request(self) -> list[Row]:
        choose = self.random.choice
        session = self.random.randrange(SESSIONS)
        number = len(self.names) + 1
        command: Row = {
            "type": choose((MsgType.NEW_ORDER,) * 3 + (MsgType.CANCEL, MsgType.REPLACE)),
            "cl_ord_id": LANE_FIX << 32 | number,
            "side": choose((Side.BUY, Side.SELL)),
            "ord_type": choose((OrdType.LIMIT, OrdType.LIMIT, OrdType.MARKET)),
            "time_in_force": choose(tuple(TimeInForce)),
            "price": self.random.randint(95, 105),
            "qty": self.random.randint(0, 9),
            "account": session,
        }
        if command["type"] != MsgType.NEW_ORDER:
            command["order_id"] = choose(self.ids[-80:])
        if self.random.random() < 0.3:  # a program's
            return [command | {"cl_ord_id": 2 << 32 | number}]
        name = f"{self.random.randrange(1 << 30):x}-{number}é" + self.random.choice(("", "é" * 20))
        self.names.append((session, name))
        key = len(self.names)
        text = {"type": MsgType.TEXT, "field": Text.CL_ORD_ID, "key": key, "side": LANE_FIX}
        command["cl_ord_id"] = LANE_FIX << 32 | key
        first, rest = pieces(name.encode())
        texts = [text | {"text": first, "flags": session}]
        if rest:
            field = {"field": Text.REQUEST_FIELD, "flags": CL_ORD_ID}
            texts.append(text | field | {"text": rest})
        return [*texts, command]

    @staticmethod
    def _rows(rows: Sequence[Mapping[str, object]]) -> Records:
        return make_commands(rows)


def one_by_one(orders: Orders, commands: Records, events: Records) -> None:
    orders.replay(commands)
    for event in events_of(events):
        orders.apply(event)
        orders.settle()


def told(request: Request | None) -> object:
    """All that a session can be told of a request: not where it is kept."""
    if request is None or request.order is None:
        return request and (request.msg_type, request.state)
    order = request.order
    values = [getattr(order, name) for name in order.__slots__ if name not in ("row", "replaced")]
    return request.msg_type, request.state, bool(order.replaced), values


def open_orders(orders: Orders) -> set[int]:
    return {order_id for order_id, order in orders.order_by_id.items() if not order.over}


@pytest.mark.parametrize("round_number", range(8))
def test_the_past_by_the_batch_is_the_past_event_by_event(round_number: int, seed: int) -> None:
    flow = Flow(seed + round_number)
    live, started = Orders(file_at=1 << 30), Orders(file_at=round_number**3 + 1)
    past: Past | None = Past(started.archive)
    turn = flow.random.randrange(30)  # from here on the new gateway reports
    for number, (commands, events) in enumerate(flow.batches(30)):
        one_by_one(live, commands, events)
        if number < turn and past is not None:
            assert past.take(commands, events, ALL_TOLD)
            continue
        if past is not None:
            started.go_on_from(past)
            past = None
        one_by_one(started, commands, events)
    assert past is None
    assert len(flow.names) > 300
    for session, name in flow.names:
        assert told(started.answered(session, name)) == told(live.answered(session, name)), name
    assert open_orders(started) == open_orders(live)
    assert live.answered(0, "never sent") is None


def test_a_batch_with_an_event_that_was_not_told_is_left_for_reporting(seed: int) -> None:
    """Whichever event it is: marks of one session at every report it was owed."""
    flow = Flow(seed)
    batches = list(flow.batches(12))
    reports = Orders()
    keys: list[tuple[int, int, int]] = []  # batch, session, key
    for number, (commands, events) in enumerate(batches):
        reports.replay(commands)
        for event in events_of(events):
            keys += [(number, r.session, r.key) for r in reports.apply(event)]
            reports.settle()
    assert len(keys) > 100
    for number, session, key in flow.random.sample(keys, 40):
        past, marks = Past(Archive()), ALL_TOLD | {session: key - 1}
        taken = [past.take(*batch, marks) for batch in batches[: number + 1]]
        assert taken == [True] * number + [False]
        told_just_this = {session: max(k for _, s, k in keys if s == session)}
        past = Past(Archive())
        assert all(past.take(*batch, ALL_TOLD | told_just_this) for batch in batches)


def test_dead_orders_and_answered_requests_are_kept_as_rows_alone(seed: int) -> None:
    orders = Orders(file_at=1)
    for commands, events in Flow(seed).batches(20):
        one_by_one(orders, commands, events)
    assert len(orders.archive.orders) > len(orders.order_by_id) + 100
    assert len(orders._open) == len(orders.order_by_id)
    assert not orders._asked
    assert not orders._pending


def test_names_are_found_among_many_and_no_other_is(seed: int) -> None:
    archive, chance = Archive(), random.Random(seed)
    names = [b"%x" % chance.getrandbits(100) for _ in range(20_000)]
    first = 0
    while first < len(names):
        count = chance.randint(1, 3000)
        rows = np.zeros(len(names[first : first + count]), REQUEST)
        rows["name"] = names[first : first + count]
        rows["session"] = np.arange(first, first + len(rows)) % 256
        archive.add_requests(rows)
        first += count
    for row in chance.sample(range(len(names)), 500):
        assert archive.find(row % 256, names[row]) == row
        assert archive.find((row + 1) % 256, names[row]) is None
        assert archive.find(row % 256, names[row] + b"x") is None
    assert archive.requests["state"][0] == PENDING

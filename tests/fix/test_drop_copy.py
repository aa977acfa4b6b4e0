"""Drop copy: who watches is told of every report once, whatever dies, and of programs' orders."""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.fix_broker import Broker
from harness.fix_client import Message, utc_now
from harness.fix_venue import PartsVenue, running_venue
from harness.waiting import until
from touchline.core.messages import COMMAND, LANE_API, MsgType, OrdType, Side, TimeInForce
from touchline.runtime.bus import Bus


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[PartsVenue]:
    with running_venue(tmp_path, "native") as venue:
        yield venue


def new_order(cl_ord_id: str, side: str, qty: int) -> tuple[str, ...]:
    fields = f"11={cl_ord_id}|55=S00|54={side}|38={qty}|40=2|44=10.00|60={utc_now()}"
    return tuple(fields.split("|"))


def keys(messages: list[Message]) -> list[tuple[int, ...]]:
    """The events that were reported, in the order told: their number, and the side of a trade."""
    return [
        tuple(int(part) for part in message["17"].split("-"))
        for message in messages
        if message["35"] == "8"
    ]


def test_a_killed_gateway_copies_every_report_once(venue: PartsVenue) -> None:
    """Killed in mid-flow while who watches is away, here, and in the middle of a resend."""
    buyer, seller = Broker(venue, "BROKER1"), Broker(venue, "BROKER2")
    watcher = Broker(venue, "WATCHER")
    sent = 0
    for round_number in range(4):
        parties = [buyer, seller] + [watcher] * (round_number % 2)
        for broker in parties:
            broker.connect()
        for _ in range(100):
            sent += 1
            buyer.send("D", *new_order(f"b{sent}", "1", 10))
            seller.send("D", *new_order(f"s{sent}", "2", 10))
        buyer.wait_for(len(buyer.told) + 30)
        if round_number == 1:
            watcher.wait_for(len(watcher.told) + 10)
        venue.end("gateway", signal.SIGKILL)
        for broker in parties:
            broker.disconnect()
        assert venue.start("gateway") == "ready"
    for broker in (buyer, seller, watcher):
        broker.connect()
    until(lambda: all_filled([buyer, seller], 10 * sent), "every order is filled")
    watcher.catch_up()
    copied = keys(watcher.told)
    assert copied == sorted(keys(buyer.told) + keys(seller.told))
    assert len(set(copied)) == len(copied) > 4 * sent - 1
    assert {m["797"] for m in watcher.told} == {"Y"}
    assert {m["448"] for m in watcher.told} == {"BROKER1", "BROKER2"}


def all_filled(brokers: list[Broker], qty: int) -> bool:
    for broker in brokers:
        broker.catch_up()
    return [sum(int(m.get("32", 0)) for m in b.told) for b in brokers] == [qty] * len(brokers)


def test_a_programs_orders_are_copied(venue: PartsVenue) -> None:
    watcher = Broker(venue, "WATCHER")
    watcher.connect()
    order = np.zeros(2, COMMAND)
    order["type"], order["side"] = MsgType.NEW_ORDER, (Side.SELL, Side.BUY)
    order["ord_type"], order["time_in_force"] = OrdType.LIMIT, TimeInForce.DAY
    order["price"], order["qty"] = 200, (5, 3)
    with Bus.attach(str(venue.config.bus_path)) as bus, bus.lane(LANE_API) as lane:
        order["cl_ord_id"] = lane.cl_ord_ids(2) + np.arange(2, dtype=np.uint64)
        lane.send(order)
        watcher.wait_for(4)
    new, taken, bought, sold = watcher.told
    assert [m["150"] for m in watcher.told] == ["0", "0", "F", "F"]
    assert (new["11"], new["1"], new["38"], new["44"]) == ("2-1", "ACC1", "50", "10.00")
    assert (bought["11"], sold["11"]) == (taken["11"], new["11"])
    assert (bought["39"], sold["39"], sold["151"]) == ("2", "1", "20")
    assert "448" not in new
    assert new["797"] == "Y"


def test_a_broker_is_not_sent_copies(venue: PartsVenue) -> None:
    buyer, seller = Broker(venue, "BROKER1"), Broker(venue, "BROKER2")
    for broker in (buyer, seller):
        broker.connect()
    buyer.send("D", *new_order("b", "1", 10))
    buyer.wait_for(1)
    seller.send("D", *new_order("s", "2", 10))
    seller.wait_for(2)
    for broker in (buyer, seller):
        broker.catch_up()
    assert [m["11"] for m in buyer.told] == ["b", "b"]
    assert [m["11"] for m in seller.told] == ["s", "s"]
    assert not any("797" in m for m in buyer.told + seller.told)

"""Market data over real sockets: a client's book is the engine's, also after a restart."""

import random
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.fix_client import FixClient, utc_now
from harness.fix_venue import PartsVenue, running_venue, venue_config
from harness.waiting import until
from touchline.control.supervisor.admin import Admin
from touchline.core.messages import ExecType, Side
from touchline.runtime.replay import Replay, replay

ORDERS = 400
ALL = 10_000
TICK, LOT = Decimal("0.05"), 10
WATCHERS = {"LOCKED": 1, "BROKER2": 5, "OLD1": 0}  # and how deep each looks
SIDES = {"0": Side.BUY, "1": Side.SELL}
Level = tuple[int, int, int]  # ticks, lots, orders


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[PartsVenue]:
    with running_venue(tmp_path) as venue:
        yield venue


class Watcher:
    """A client that keeps the book it is told of."""

    def __init__(self, venue: PartsVenue, comp_id: str, depth: int) -> None:
        self.depth = depth or ALL
        version = "FIX.4.2" if comp_id.startswith("OLD") else "FIX.4.4"
        self.client = FixClient(venue.port, comp_id, version)
        self.client.logon(*(["554=secret"] if comp_id == "LOCKED" else []))
        self.sides: dict[str, list[Level]] = {"0": [], "1": []}
        self.traded = 0
        self.begun = False
        self._marks = count()
        wanted = f"262=m|263=1|264={depth}|265=1|267=3|269=0|269=1|269=2|146=1|55=S00"
        self.client.send("V", *wanted.split("|"))

    def listen(self) -> bool:
        """Take in what has come; has the book been told?"""
        mark = f"mark{next(self._marks)}"
        self.client.send("1", f"112={mark}")
        while True:
            fields = self.client.receive_fields()
            message = dict(fields[::-1])
            if message.get("112") == mark:
                return self.begun
            self.begun = self.begun or message["35"] == "W"
            if message["35"] in "WX":
                self._take(message["35"], fields)

    def _take(self, msg_type: str, fields: list[tuple[str, str]]) -> None:
        first = "269" if msg_type == "W" else "279"
        starts = [n for n, (tag, _) in enumerate(fields) if tag == first]
        assert dict(fields)["268"] == str(len(starts))
        for start, end in zip(starts, [*starts[1:], len(fields)], strict=True):
            entry = dict(fields[start:end])
            if entry["269"] == "2":
                self.traded += int(entry["271"]) if msg_type == "X" else 0
            else:
                self._change(self.sides[entry["269"]], entry)

    def _change(self, side: list[Level], entry: dict[str, str]) -> None:
        action, place = entry.get("279", "0"), int(entry["290"]) - 1
        price = int(Decimal(entry["270"]) / TICK)
        if action != "0":
            assert side[place][0] == price
            del side[place]
        if action != "2":
            side.insert(place, (price, int(entry["271"]) // LOT, int(entry["346"])))

    def follow(self, venue: PartsVenue) -> None:
        """Listen until the book is the engine's."""
        until(lambda: self.has(venue), "the book is the engine's")

    def has(self, venue: PartsVenue) -> bool:
        """Is the book the engine's, as deep as it was asked for?"""
        self.listen()
        return self.sides == {kind: book(venue, side, self.depth) for kind, side in SIDES.items()}


def book(venue: PartsVenue, side: Side, depth: int) -> list[Level]:
    with Replay(venue.journal) as source:
        for _ in source:
            pass
        levels = source.engine.depth(0, side, depth)
        return [(int(v["price"]), int(v["qty"]), int(v["orders"])) for v in levels]


def traded(venue: PartsVenue) -> int:
    """How much was traded, as the journal says."""
    total = 0
    for _, events in replay(str(venue.journal)):
        total += int(events["qty"][events["exec_type"] == ExecType.TRADE].sum())
    return LOT * total


def trade(client: FixClient, seed: int) -> None:
    """Enter orders near each other, cancel some, and wait until all are answered."""
    chance = random.Random(seed)
    for n in range(ORDERS):
        price = TICK * chance.randint(180, 220)
        qty, side = LOT * chance.randint(1, 9), chance.choice("12")
        name = f"{seed}-{n}"
        fields = f"11={name}|55=S00|54={side}|38={qty}|40=2|44={price}|60={utc_now()}"
        client.send("D", *fields.split("|"))
        if n % 3 == 2:
            fields = f"11={name}c|41={name}|55=S00|54={side}|60={utc_now()}"
            client.send("F", *fields.split("|"))
    answered = 0
    while answered < ORDERS + ORDERS // 3:
        message = client.receive()
        answered += message.get("150") in ("0", "4", "8") or message["35"] == "9"


def test_books_are_the_engines_at_every_depth_and_after_a_restart(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as broker:
        broker.logon()
        trade(broker, seed=1)
        watchers = [Watcher(venue, name, depth) for name, depth in WATCHERS.items()]
        for watcher in watchers:
            until(watcher.listen, "the book is told")
        before = traded(venue)
        trade(broker, seed=2)
        for watcher in watchers:
            watcher.follow(venue)
            assert watcher.traded == traded(venue) - before > 0
            watcher.client.close()
    venue.restart()
    for name, depth in WATCHERS.items():
        watcher = Watcher(venue, name, depth)
        watcher.follow(venue)
        watcher.client.close()


def test_halts_and_the_kill_switch_are_told(venue: PartsVenue) -> None:
    with FixClient(venue.port, "BROKER1") as client, Admin(venue.config) as operator:
        client.logon()
        client.send("e", "324=s", "55=S00", "263=1")
        assert client.application()["326"] == "17"
        client.send("g", "335=v", "263=1")
        assert client.application()["340"] == "2"
        operator.halt("S00")
        client.expect(_35="f", _324="s", _325="Y", _326="2")
        operator.halt("S01")
        operator.resume("S00")
        client.expect(_35="f", _324="s", _325="Y", _326="17")
        operator.kill()
        told = [client.application() for _ in range(2)]
        assert {m["35"]: m.get("326") or m.get("340") for m in told} == {"f": "18", "h": "1"}
        client.send("e", "324=once", "55=S01", "263=0")
        client.expect(_35="f", _324="once", _326="18")
        operator.revive()
        assert {client.application()["35"], client.application()["35"]} == {"f", "h"}


def sessions(watcher: list[str]) -> list[dict[str, Any]]:
    """Two brokers; what the second may do."""
    return [
        {"comp_id": "BROKER1", "accounts": ["ACC1"], "permissions": ["orders"]},
        {"comp_id": "BROKER2", "accounts": ["ACC2"], "permissions": watcher},
    ]


def ask(client: FixClient, request: str) -> str:
    """MsgType of the answer to a request for a snapshot."""
    client.send("V", f"262={request}", "263=0", "264=1", "267=1", "269=0", "146=1", "55=S00")
    return client.application()["35"]


@pytest.mark.parametrize("restarted", [False, True])
def test_market_data_can_be_allowed_while_the_venue_runs(tmp_path: Path, restarted: bool) -> None:
    with running_venue(tmp_path, sessions=sessions(["orders"])) as venue:
        with FixClient(venue.port, "BROKER1") as broker:
            broker.logon()
            trade(broker, seed=1)
        if restarted:
            venue.end("gateway")
            venue.end("engine")
            venue.bus_path.unlink(missing_ok=True)  # the ring has none of these events then
            venue.launch("engine")
            venue.launch("gateway")
            assert [venue.said(part) for part in ("engine", "gateway")] == ["ready", "ready"]
        with FixClient(venue.port, "BROKER2") as client, FixClient(venue.port, "BROKER1") as broker:
            client.logon()
            broker.logon()
            assert ask(client, "before") == "Y"
            gateway = venue.parts["gateway"].pid
            allowed = sessions(["orders", "market-data"])
            venue.change(venue_config(tmp_path, sessions=allowed, venue=venue.config.venue))
            trade(broker, seed=2)
            requests = count()
            until(lambda: ask(client, f"after{next(requests)}") == "W", "there is market data")
            client.close()
            watcher = Watcher(venue, "BROKER2", 0)
            trade(broker, seed=3)
            watcher.follow(venue)
            watcher.client.close()
            assert venue.parts["gateway"].pid == gateway
            assert venue.parts["gateway"].poll() is None

"""Many brokers trade with one another for long, leave and come back; in the end all adds up.

   python -m harness.fix_soak DIRECTORY SECONDS SEED [SESSIONS]       run in tests/

Each broker has an account of its own and enters, replaces and cancels orders at random. Now and
then it hangs up in mid-flow, logs out, or asks for its last thousand messages again. At the end
each cancels what it has open. Then every request has its answer, every report came once, what the
brokers were told of their orders, fills and positions is what a replay of the journal says, all
that was bought was sold, and nothing is open.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.fix_broker import Broker, Listening
from harness.fix_client import Closed, Message, utc_now
from harness.venue import WholeVenue
from harness.waiting import free_ports
from touchline.core.messages import Side
from touchline.runtime.replay import Replay

SESSIONS = 50
OPEN_MAX = 40  # orders of one broker
ACTIONS = 20  # between two looks at what came back
PAUSE_S = 0.02
RESENT = 1000  # of the last messages
CANCELS = 10  # tries at the end: what is filled or replaced meanwhile is refused
CONFIG = """\
[venue]
name = "{name}"
data_dir = "data"

[engine]
orders_max = 65536

[fix]
port = {port}

[publish]
enabled = false

[capture]
enabled = false

[[instruments]]
symbol = "AAA"
tick_size = "0.01"
reference_price = "10.00"
price_collar = "5.00"
"""
BROKER = """
[[accounts]]
name = "A{number}"

[[sessions]]
comp_id = "S{number}"
accounts = ["A{number}"]
begin_string = "{version}"
"""


@dataclass
class Told:
    """What a broker knows of one of its orders from its reports."""

    cl_ord_id: str
    side: str
    cum_qty: int = 0
    leaves_qty: int = 0


class Trader(threading.Thread):
    """One broker. `orders` by OrderID(37) as last reported; `asked` the ClOrdIDs of requests."""

    def __init__(self, venue: Listening, number: int, version: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.broker = Broker(venue, f"S{number}", version)
        self.rng = random.Random(seed * 1000 + number)
        self.over = threading.Event()
        self.failure: BaseException | None = None
        self.asked: list[str] = []
        self.answered: set[str] = set()
        self.orders: dict[str, Told] = {}
        self.exec_ids: set[str] = set()
        self.bought = self.sold = self.reports = self.connections = self.resends = 0
        self._read = 0

    def run(self) -> None:
        try:
            while not self.over.is_set():
                with suppress(Closed, ConnectionError):
                    self._trade()
                self.broker.disconnect()
            while not self._done():
                with suppress(Closed, ConnectionError):
                    self._finish()
        except BaseException as error:
            self.failure = error

    def _trade(self) -> None:
        """A connection, until it is time to leave in some way."""
        self._connect()
        for _ in range(self.rng.randrange(5, 200)):
            if self.over.is_set():
                return
            for _ in range(self.rng.randrange(1, ACTIONS)):
                self._act()
            if self.rng.random() < 0.01:
                self.resends += 1
                self.broker.send("2", f"7={max(1, self.broker.next_in - RESENT)}", "16=0")
            self._look()
            self.over.wait(PAUSE_S)
        if self.rng.random() < 0.3:
            self.broker.send("5")
        else:
            self._act()  # and hang up, whatever comes of it

    def _finish(self) -> None:
        self._connect()
        for _ in range(CANCELS):
            self._look()
            for order_id, order in self.orders.items():
                if order.leaves_qty:
                    self._change("F", order_id, order)
            self._look()
        self.broker.disconnect()

    def _done(self) -> bool:
        return (
            self.broker.next_out > 1
            and not any(o.leaves_qty for o in self.orders.values())
            and (self.answered >= set(self.asked))
        )

    def _connect(self) -> None:
        self.broker.connect()
        self.connections += 1

    def _act(self) -> None:
        live = [(order_id, o) for order_id, o in self.orders.items() if o.leaves_qty]
        if live and (len(live) >= OPEN_MAX or self.rng.random() < 0.4):
            order_id, order = self.rng.choice(live)
            self._change(self.rng.choice("FG"), order_id, order)
            return
        side = self.rng.choice("12")
        self.broker.send("D", f"11={self._new_id()}", "21=1", "55=AAA", f"54={side}",
                         f"38={self.rng.randrange(1, 10)}", "40=2", self._price(),
                         f"59={self.rng.choice('0134')}", f"60={utc_now()}")  # fmt: skip

    def _change(self, msg_type: str, order_id: str, order: Told) -> None:
        fields = [f"41={order.cl_ord_id}", f"11={self._new_id()}", f"37={order_id}", "55=AAA",
                  f"54={order.side}", f"60={utc_now()}"]  # fmt: skip
        if msg_type == "G":
            qty = order.cum_qty + self.rng.randrange(1, 10)
            fields += ["21=1", f"38={qty}", "40=2", self._price()]
        self.broker.send(msg_type, *fields)

    def _new_id(self) -> str:
        self.asked.append(f"{self.broker.comp_id}-{len(self.asked) + 1}")
        return self.asked[-1]

    def _price(self) -> str:
        return f"44={10 + self.rng.randrange(-10, 11) / 100:.2f}"

    def _look(self) -> None:
        """Read all that was said so far."""
        self.broker.catch_up()
        for message in self.broker.told[self._read :]:
            self._take(message)
        self._read = len(self.broker.told)

    def _take(self, message: Message) -> None:
        assert message["35"] in "89", message
        self.answered.add(message["11"])
        if message["35"] == "9":
            return
        self.reports += 1
        assert message["17"] not in self.exec_ids, message
        self.exec_ids.add(message["17"])
        if message["150"] == "8":
            return
        order = self.orders.setdefault(message["37"], Told(message["11"], message["54"]))
        order.cl_ord_id = message["11"]
        qty = int(message.get("32", "0")) if message["39"] in "12" or "31" in message else 0
        if message["54"] == "1":
            self.bought += qty
        else:
            self.sold += qty
        order.cum_qty += qty
        order.leaves_qty = int(message["151"])
        assert order.cum_qty == int(message["14"]), message


def compared(venue: WholeVenue, traders: list[Trader]) -> dict[str, int]:
    """The brokers' books against a replay of the journal."""
    for trader in traders:
        assert trader.failure is None, (trader.broker.comp_id, trader.failure)
        assert len(set(trader.asked)) == len(trader.asked)
        assert trader.answered == set(trader.asked), trader.broker.comp_id
    assert sum(t.bought for t in traders) == sum(t.sold for t in traders)
    with Replay(venue.config.journal_dir) as source:
        for _ in source:
            pass
        engine = source.engine
        for account, trader in enumerate(traders):
            net, buying, selling = engine.position(account, 0)
            assert (net, buying, selling) == (trader.bought - trader.sold, 0, 0)
        assert not len(engine.orders(0, Side.BUY)) + len(engine.orders(0, Side.SELL))
        result = source.result()
    return {
        "requests": sum(len(t.asked) for t in traders),
        "reports": sum(t.reports for t in traders),
        "traded": sum(t.bought for t in traders),
        "connections": sum(t.connections for t in traders),
        "resends": sum(t.resends for t in traders),
        "commands": result.commands,
    }


def configured(directory: Path, sessions: int) -> Path:
    (port,) = free_ports(1)
    name = f"soak{port}-{directory.name[-20:]}"
    text = CONFIG.format(name=name, port=port)
    for number in range(sessions):
        version = "FIX.4.2" if number % 3 == 0 else "FIX.4.4"
        text += BROKER.format(number=number, version=version)
    path = directory / "touchline.toml"
    path.write_text(text)
    return path


@dataclass
class Address:
    port: int


def soak(directory: Path, seconds: float, seed: int, sessions: int = SESSIONS) -> dict[str, Any]:
    """Trade for so long; AssertionError where anything does not add up."""
    venue = WholeVenue(configured(directory, sessions))
    where = Address(venue.config.fix.port)
    versions = [session.begin_string for session in venue.config.sessions]
    traders = [Trader(where, n, version, seed) for n, version in enumerate(versions)]
    try:
        venue.await_open()
        for trader in traders:
            trader.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not any(t.failure for t in traders):
            threading.Event().wait(0.1)
        for trader in traders:
            trader.over.set()
        for trader in traders:
            trader.join()
        venue.stop()
    finally:
        venue.end()
    return {"sessions": sessions, "seed": seed} | compared(venue, traders)


def main(arguments: list[str]) -> int:
    """Print what was counted, as JSON."""
    directory, seconds, seed, *sessions = arguments
    facts = soak(Path(directory), float(seconds), int(seed), *map(int, sessions))
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

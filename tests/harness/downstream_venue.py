"""A venue for the downstream tests: a real engine thread, journal and ring, and a seeded flow.

Nothing here stands in for a part: commands go through a lane, events come from the ring.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from touchline import config as configuration
from touchline.config import Config
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import (
    COMMAND,
    EVENT,
    LANE_ADMIN,
    LANE_API,
    MsgType,
    OrdType,
    Side,
    Text,
    TimeInForce,
    make_commands,
)
from touchline.runtime.bus import Bus
from touchline.runtime.replay import replay
from touchline.runtime.runner import Runner

DEADLINE_S = 60.0
SYMBOLS = ("AA", "AAA", "BBB")
ACCOUNTS = ("ACC1", "ACC2")
LIMITS = EngineCapacities(instruments_max=8, accounts_max=8, orders_max=4096, price_blocks_max=256)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, not for a time; fail when it does not come."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.001)


def commands(rows: list[dict[str, Any]]) -> NDArray[np.void]:
    return make_commands(rows)


def joined(
    parts: Iterable[NDArray[np.void]], dtype: np.dtype[np.void] = COMMAND
) -> NDArray[np.void]:
    """The parts one after the other, each of which may be a view until the next comes."""
    return np.concatenate([np.empty(0, dtype), *(part.copy() for part in parts)])


def text(kind: Text, key: int, value: str) -> dict[str, Any]:
    return {"type": MsgType.TEXT, "field": kind, "key": key, "text": value.encode()}


def listing(number: int, symbol: str, tick_size: str, lot_size: str = "1") -> list[dict[str, Any]]:
    return [
        text(Text.SYMBOL, number, symbol),
        text(Text.TICK_SIZE, number, tick_size),
        text(Text.LOT_SIZE, number, lot_size),
        text(Text.CURRENCY, number, "USD"),
        {"type": MsgType.SECURITY_DEFINITION, "instrument": number},
    ]


def opening() -> NDArray[np.void]:
    """Three instruments and two accounts."""
    rows = []
    for number, symbol in enumerate(SYMBOLS):
        rows += listing(number, symbol, "0.01", "10")
    for number, name in enumerate(ACCOUNTS):
        rows += [text(Text.ACCOUNT, number, name), {"type": MsgType.ACCOUNT, "account": number}]
    return commands(rows)


def new_order(**values: Any) -> dict[str, Any]:
    return {
        "type": MsgType.NEW_ORDER,
        "ord_type": OrdType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "side": Side.BUY,
        "price": 100,
        "qty": 1,
    } | values


def flow(seed: int, count: int) -> NDArray[np.void]:
    """Orders of every kind on all instruments, cancels and replaces, and some that are refused.

    Order ids are the engine's to give: an engine of the same capacities runs along to know them.
    """
    rng = random.Random(seed)
    twin = Engine(**LIMITS._asdict())
    twin.submit(opening())
    made = []
    for _ in range(count):
        resting = twin.orders(rng.randrange(len(SYMBOLS)), rng.choice(list(Side)))
        if len(resting) and rng.random() < 0.4:
            order = rng.choice(resting)
            row = {
                "type": rng.choice((MsgType.CANCEL, MsgType.REPLACE)),
                "order_id": order["order_id"],
                "account": order["account"],
                "price": rng.choice((order["price"], rng.randint(90, 110))),
                "qty": rng.randint(1, 20),
            }
        else:
            market = rng.random() < 0.1
            row = new_order(
                instrument=rng.randrange(len(SYMBOLS)),
                account=rng.randrange(len(ACCOUNTS)),
                side=rng.choice(list(Side)),
                ord_type=OrdType.MARKET if market else OrdType.LIMIT,
                time_in_force=rng.choice(list(TimeInForce)),
                price=0 if market else rng.randint(90, 110),
                qty=rng.randint(0, 20),
            )
        command = commands([row])
        twin.submit(command)
        made.append(command)
    return joined(made)


class Venue:
    """The engine as a thread of this process, with everything under one directory."""

    def __init__(self, directory: Path, **overrides: Any) -> None:
        self.config: Config = configuration.load(
            None,
            {
                "venue.data_dir": directory / "data",
                "venue.run_dir": directory,
                **{key.replace("__", "."): value for key, value in overrides.items()},
            },
        )
        self.config.journal_dir.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def running(self, event_slots: int = 16384) -> Iterator["Venue"]:
        with Bus.create(self.config.bus_path, event_slots=event_slots) as bus:
            runner = Runner(self.config.journal_dir, bus, LIMITS, segment_bytes=1 << 20)
            runner.open()
            thread = threading.Thread(target=runner.run)
            thread.start()
            self.bus = bus
            try:
                yield self
            finally:
                runner.stop()
                thread.join(DEADLINE_S)
                runner.close()
                bus.unlink()
        assert not thread.is_alive()

    def send(self, rows: NDArray[np.void], lane: int = LANE_API) -> None:
        """Give commands to the engine and wait for it to have taken them all."""
        before = self.bus.status()["commands"]
        with self.bus.lane(lane) as to_engine:
            to_engine.send(rows, timeout_s=DEADLINE_S)
        until(lambda: self.bus.status()["commands"] >= before + len(rows), "commands taken")

    def open(self) -> None:
        self.send(opening(), LANE_ADMIN)

    @property
    def event_seq(self) -> int:
        return int(self.bus.status()["events"])

    def events(self) -> NDArray[np.void]:
        """Every event so far, from the journal."""
        return joined((events for _, events in replay(self.config.journal_dir)), EVENT)

    def engine(self) -> Engine:
        """An engine in the state of the venue's, by replaying its journal."""
        engine = Engine(**LIMITS._asdict())
        for journaled, _ in replay(self.config.journal_dir):
            engine.submit(journaled)
        return engine

"""A venue for the downstream tests: a real engine thread, journal and ring, and a seeded flow.

Nothing here stands in for a part: commands go through a lane, events come from the ring.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.commands import ACCOUNTS, SYMBOLS, commands, joined, new_order, opening
from harness.engine_thread import engine_thread
from harness.waiting import DEADLINE_S, until
from touchline import config as configuration
from touchline.config import Config
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import (
    EVENT,
    LANE_ADMIN,
    LANE_API,
    MsgType,
    OrdType,
    Side,
    TimeInForce,
)
from touchline.runtime.replay import replay

LIMITS = EngineCapacities(instruments_max=8, accounts_max=8, orders_max=4096, price_blocks_max=256)


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
        path, journal = self.config.bus_path, self.config.journal_dir
        geometry = {"event_slots": event_slots}
        with engine_thread(path, journal, LIMITS, geometry, unlink=True, segment_bytes=1 << 20) as (
            self.bus,
            _,
        ):
            yield self

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

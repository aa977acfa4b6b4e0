"""The core as a scenario and a model test see it: one command at a time, plain values out."""

import numpy as np

from reference.engine import Capacities
from reference.records import Command
from reference.scenario_words import Resting
from touchline.core.engine import Engine
from touchline.core.messages import COMMAND


class CoreVenue:
    def __init__(self, capacities: Capacities) -> None:
        self.engine = Engine(**capacities._asdict())

    def step(self, cmd: Command) -> list[bytes]:
        events = self.engine.submit(np.frombuffer(bytes(cmd), dtype=COMMAND))
        return [event.tobytes() for event in events]

    def orders(self, instrument: int, side: int) -> list[Resting]:
        return [
            Resting(int(order["order_id"]), int(order["price"]), int(order["shown_qty"]))
            for order in self.engine.orders(instrument, side)
        ]

    def position(self, account: int, instrument: int) -> tuple[int, int, int]:
        return self.engine.position(account, instrument)

    def state_hash(self) -> int:
        return self.engine.state_hash()

"""A gateway killed at every step of a session: what of it is lost, done twice or numbered anew.

   python -m harness.session_kills DIRECTORY ROUNDS SEED [ENGINE]     run in tests/

A step is what a broker sees of a session: a message of his half sent or sent whole, a message
received; from the Logon over orders and a resend of what he has to the Logout. The gateway is
killed (-9) after a step, the broker goes on where he was, and is killed after another; the steps of
going on are steps too. At the end the reports he was told are held against the journal.
"""

from __future__ import annotations

import json
import random
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.fix_broker import Broker
from harness.fix_client import utc_now
from harness.fix_venue import PartsVenue, running_venue
from touchline.runtime.replay import replay

ORDERS = 3  # in a session
AGAIN = 12  # reports that are asked for once more


class Killed(Exception):
    """The gateway, at its step."""


class Walker(Broker):
    """A broker who counts his steps. `fuse`: after so many the gateway is killed; 0: never."""

    def __init__(self, venue: PartsVenue, comp_id: str, rng: random.Random) -> None:
        super().__init__(venue, comp_id)
        self.parts, self.rng = venue, rng
        self.fuse = self.steps = self.orders = 0

    def session(self) -> None:
        """From Logon to Logout."""
        self.connect()
        self.catch_up()
        for _ in range(ORDERS):
            self.orders += 1
            self.send("D", f"11=k{self.orders}", "21=1", "55=S00", "54=1", "38=10", "40=2",
                      "44=10.00", f"60={utc_now()}")  # fmt: skip
        self.catch_up()
        self._send("2", (f"7={max(1, self.next_in - AGAIN)}", "16=0"))
        self.catch_up()
        self._send("5", ())
        while self._take() != "5":
            pass
        self.disconnect()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.fuse:
            self.parts.end("gateway", signal.SIGKILL)
            raise Killed

    def _send(self, msg_type: str, fields: tuple[str, ...], seq: int | None = None) -> None:
        if seq is None:
            seq, self.next_out = self.next_out, self.next_out + 1
        data = self.client.message(msg_type, *fields, seq=seq)
        half = self.rng.randrange(len(data))
        self.client.send_bytes(data[:half])
        self._step()
        self.client.send_bytes(data[half:])
        self._step()

    def _take(self) -> str:
        taken = super()._take()
        self._step()
        return taken


def steps_of_a_session(walker: Walker) -> int:
    """How many there are when nothing happens."""
    walker.steps = walker.fuse = 0
    walker.session()
    return walker.steps


def walk(venue: PartsVenue, walker: Walker, fuses: Iterable[int]) -> int:
    """A session for each fuse, and a last one in peace; how many were killed."""
    kills = 0
    for fuse in [*fuses, 0]:
        walker.steps, walker.fuse = 0, fuse
        try:
            walker.session()
        except Killed:
            kills += 1
            walker.disconnect()
            assert venue.start("gateway") == "ready"
    return kills


def check(venue: PartsVenue, walker: Walker) -> int:
    """Every order was taken once and reported once, as the journal has it; how many."""
    journal = [
        str(event["seq"])
        for _, events in replay(str(venue.config.journal_dir))
        for event in events
        if chr(event["exec_type"]) == "0" and event["cl_ord_id"] >> 32 == 1
    ]
    told = [message for message in walker.told if message["35"] == "8"]
    assert [message["17"] for message in told] == journal
    assert sorted(message["11"] for message in told) == sorted(
        f"k{number + 1}" for number in range(walker.orders)
    )
    return len(told)


def campaign(directory: Path, rounds: int, seed: int, engine: str) -> dict[str, Any]:
    """Every step once in turn, in an order of the seed's, until there were so many kills."""
    rng = random.Random(seed)
    with running_venue(directory, engine) as venue:
        walker = Walker(venue, "BROKER1", rng)
        steps, kills = steps_of_a_session(walker), 0
        while kills < rounds:
            fuses = rng.sample(range(1, steps + 1), min(steps, rounds - kills))
            kills += walk(venue, walker, fuses)
        return {
            "engine": engine,
            "seed": seed,
            "steps": steps,
            "kills": kills,
            "orders": check(venue, walker),
        }


if __name__ == "__main__":
    place, number, first, *which = sys.argv[1:]
    found = campaign(Path(place), int(number), int(first), *(which or ["native"]))
    print(json.dumps(found))

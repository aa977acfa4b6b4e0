"""A venue ended in full flow again and again; nothing acknowledged is lost, nothing done twice.

   python -m harness.campaign DIRECTORY KIND ROUNDS SEED          run in tests/

KIND is `kill` (-9 of the whole venue), `stop` (SIGTERM) or `full` (the disk of the data directory,
a tmpfs that root may mount). Meanwhile a program sends without a pause on its lane and a broker on
its FIX session; both go on where they were when the venue is back. At the end the journal, what the
two were told and what was captured are compared.
"""

from __future__ import annotations

import errno
import json
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.fix_broker import Broker, Listening
from harness.fix_client import Closed, Message, utc_now
from harness.long_start import orders
from harness.venue import WholeVenue, write_config
from harness.waiting import DEADLINE_S, until
from touchline.control.supervisor.admin import attach
from touchline.core.messages import (
    LANE_API,
    LANE_FIX,
    ExecType,
    MsgType,
    Text,
    text_commands,
)
from touchline.data import history
from touchline.data.captured import verify
from touchline.runtime.bus import Bus
from touchline.runtime.replay import Replay

SEND = 64
OVER = (errno.ESHUTDOWN, errno.ESTALE)
NOT_YET = (errno.ENOENT, errno.EAGAIN)  # no bus, or one that is being made
REQUESTS = 200  # between two looks at what came back
BURST = 50  # in one piece
FULL_MB = 3  # that a full disk is given to fill


class Requests(threading.Thread):
    """A broker that sends requests and reads what it is told, whatever becomes of the venue.

    Each comes in, rests not and is over: two reports. What was under way when the connection ended
    is asked for, or sent again, on the next.
    """

    def __init__(self, venue: Listening) -> None:
        super().__init__(daemon=True)
        self.broker = Broker(venue, "BROKER1")
        self.sent = 0
        self.over = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                with suppress(Closed, ConnectionError):
                    self.broker.connect()
                    while not self.over.is_set():
                        self._send_some()
                if not self.over.is_set():
                    self.broker.disconnect()
                self.over.wait(0.01)
        except BaseException as error:
            self.failure = error

    def told(self, msg_type: str = "8") -> list[Message]:
        """The ExecutionReports so far, or "j": for what was not taken."""
        return [message for message in list(self.broker.told) if message["35"] == msg_type]

    def _send_some(self) -> None:
        for _ in range(0, REQUESTS, BURST):
            first, self.sent = self.sent + 1, self.sent + BURST
            self.broker.send_all("D", (
                (f"11=r{n}", "21=1", "55=AAA", "54=1", "38=1", "40=2", "44=9.00", "59=3",
                 f"60={utc_now()}") for n in range(first, first + BURST)
            ))  # fmt: skip
        self.broker.catch_up()


class Program(threading.Thread):
    """Sends orders by turns bought and sold, numbered from 1; `sent` went in.

    Without a pause while `full` is set, so that its lane is; else a few thousand a second.
    """

    def __init__(self, bus_path: Path) -> None:
        super().__init__(daemon=True)
        self._bus_path = bus_path
        self.sent = 0
        self.refused = 0  # how often a stopping venue took no more
        self.full = threading.Event()
        self.over = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.over.is_set():
                try:
                    self._send_on_this_bus()
                except OSError as error:
                    if error.errno not in NOT_YET:
                        raise
                self.over.wait(0.01)
        except BaseException as error:
            self.failure = error

    def _send_on_this_bus(self) -> None:
        with Bus.attach(self._bus_path) as bus, bus.lane(LANE_API) as lane:
            while not self.over.is_set() and not bus.detached:
                try:
                    lane.send(orders(self.sent + 1, SEND, LANE_API), 0.1)
                except TimeoutError:
                    pass
                except OSError as error:
                    if error.errno not in OVER:
                        raise
                    self.refused += error.errno == errno.ESHUTDOWN
                    return
                finally:
                    self.sent += lane.sent_last
                if not self.full.is_set():
                    self.over.wait(0.02)


@dataclass
class Campaign:
    """One configuration, and what was done with it."""

    path: Path
    seed: int
    counts: dict[str, int] = field(default_factory=dict)
    port: int = 0

    def run(self, kind: str, rounds: int) -> dict[str, Any]:
        """So many rounds, then an orderly stop; what was counted."""
        rng = random.Random(self.seed)
        venue = WholeVenue(self.path)
        self.port = venue.config.fix.port
        broker, program = Requests(self), Program(venue.config.bus_path)
        venue.await_open()
        broker.start()
        program.start()
        try:
            for _ in range(rounds):
                self._flow(venue, broker, program, rng)
                if kind == "stop":
                    self._stop(venue, program)
                else:
                    self._break(kind, venue)
                program.full.clear()
                venue = WholeVenue(self.path)
                venue.await_open()
            self._flow(venue, broker, program, rng)
            self._last_words(venue, broker, program)
            venue.stop()
        finally:
            program.over.set()
            broker.over.set()
            venue.end()
        facts = compared(venue, program.sent, broker.told())
        return {
            "kind": kind,
            "rounds": rounds,
            "seed": self.seed,
            "requests": broker.sent,
            "not taken": len(broker.told("j")),
            "refused": program.refused,
        } | facts

    def _flow(
        self, venue: WholeVenue, broker: Requests, program: Program, rng: random.Random
    ) -> None:
        """Some hundred requests, then full flow for as many commands as the seed says, which may
        end the venue. Both go on."""
        wanted = len(broker.told()) + rng.randrange(400, 1200)
        until(lambda: len(broker.told()) >= wanted, f"{wanted} reports are told")
        program.full.set()
        done = commands_done(venue) + rng.randrange(2_000, 60_000)
        until(
            lambda: commands_done(venue) >= done or venue.popen.poll() is not None,
            f"{done} commands are done",
        )

    def _stop(self, venue: WholeVenue, program: Program) -> None:
        """In order, while both go on. The gateway goes first: full flow is when the engine goes."""
        program.full.clear()
        venue.popen.send_signal(signal.SIGTERM)
        while not venue.facts("part stopped"):
            assert venue.popen.poll() is None, venue.log.read_text()
        program.full.set()
        venue.stop()

    def _last_words(self, venue: WholeVenue, broker: Requests, program: Program) -> None:
        """Nothing more is sent, and all is told."""
        program.over.set()
        broker.over.set()
        program.join()
        broker.join()
        assert program.failure is None, program.failure
        assert broker.failure is None, broker.failure
        until(lambda: waiting(venue) == 0, "the lanes are empty")
        due = answers_in(venue)
        until(lambda: told_all(broker, due), f"{due} reports are told")
        assert len(broker.told()) + 2 * len(broker.told("j")) == 2 * broker.sent
        broker.broker.disconnect()

    def _break(self, kind: str, venue: WholeVenue) -> None:
        if kind == "kill":
            venue.popen.kill()
            venue.popen.communicate()
        else:
            disk = venue.config.venue.data_dir
            resized(disk, used_mb(disk) + FULL_MB)
            with suppress(subprocess.TimeoutExpired):
                venue.popen.communicate(timeout=DEADLINE_S)
            assert venue.popen.returncode == 5, (venue.popen.returncode, venue.log.read_text())
            resized(disk, used_mb(disk) + 600)


def commands_done(venue: WholeVenue) -> int:
    """How many the engine has done, also when it is dead; 0 without a bus."""
    try:
        with Bus.attach(venue.config.bus_path) as bus:
            return int(bus.status()["commands"])
    except OSError:
        return 0


def waiting(venue: WholeVenue) -> int:
    with attach(venue.config) as bus:
        return int(bus.status()["waiting"])


def answers_in(venue: WholeVenue) -> int:
    """How many events of the journal answer the broker: one accepted, one over, a request."""
    count = 0
    with Replay(venue.config.journal_dir) as source:
        for _, events in source:
            mine = events["cl_ord_id"] >> 32 == LANE_FIX
            kinds = np.isin(events["exec_type"], (ExecType.NEW, ExecType.CANCELED))
            count += int(np.count_nonzero(mine & kinds))
    return count


def told_all(requests: Requests, due: int) -> bool:
    """Whether the reports are there; the gateway tells behind the engine."""
    requests.broker.catch_up()
    return len(requests.told()) >= due


def used_mb(disk: Path) -> int:
    done = subprocess.run(["df", "-m", "--output=used", str(disk)], capture_output=True, check=True)
    return int(done.stdout.split()[-1])


def resized(disk: Path, megabytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(disk)], check=True)


def compared(venue: WholeVenue, sent: int, reports: list[Message]) -> dict[str, int]:
    """The journal against the program's numbers, the broker's reports and the captured files."""
    numbers: list[NDArray[np.uint64]] = []
    answers: dict[str, tuple[int, str]] = {}
    names: dict[int, str] = {}
    with Replay(venue.config.journal_dir) as source:
        for commands, events in source:
            mine = commands["type"] == MsgType.NEW_ORDER
            mine &= commands["cl_ord_id"] >> 32 == LANE_API
            numbers.append(commands["cl_ord_id"][mine] & 0xFFFFFFFF)
            names |= names_in(commands)
            for event in events[np.isin(events["exec_type"], (ExecType.NEW, ExecType.CANCELED))]:
                if int(event["cl_ord_id"]) in names:
                    exec_type = chr(event["exec_type"])
                    answers[str(event["seq"])] = (int(event["cl_ord_id"]), exec_type)
        result = source.result()
    journaled = np.concatenate(numbers)
    assert np.array_equal(journaled, np.arange(1, sent + 1)), (len(journaled), sent)
    assert [m["17"] for m in reports] == sorted({m["17"] for m in reports}, key=int)
    assert {m["17"]: (m["11"], m["150"]) for m in reports} == {
        seq: (names[number], exec_type) for seq, (number, exec_type) in answers.items()
    }
    assert len(set(names.values())) == len(names)
    checked = verify(venue.config.venue.data_dir)
    assert not checked.faults, checked.faults
    with history.open(venue.config.venue.data_dir) as past:
        captured = past.query("SELECT count(*), count(DISTINCT seq), max(seq) FROM events").rows()
    assert captured == [(result.events,) * 3]
    return {"program": sent, "reports": len(reports), "events": result.events}


def names_in(commands: NDArray[np.void]) -> dict[int, str]:
    """The broker's ClOrdIDs by their numbers."""
    texts = text_commands(commands)
    texts = texts[(texts["field"] == Text.CL_ORD_ID) & (texts["side"] == LANE_FIX)]
    return {LANE_FIX << 32 | int(text["key"]): bytes(text["text"]).decode() for text in texts}


def configured(directory: Path) -> Path:
    path = write_config(directory)
    path.write_text(path.read_text().replace("orders_max = 1024", "orders_max = 65536"))
    return path


def campaign(directory: Path, kind: str, rounds: int, seed: int) -> dict[str, Any]:
    """Run one; AssertionError where anything is lost or there twice."""
    path = configured(directory)
    if kind != "full":
        return Campaign(path, seed).run(kind, rounds)
    disk = directory / "data"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "tmpfs", str(disk)], check=True)
    try:
        return Campaign(path, seed).run(kind, rounds)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def main(arguments: list[str]) -> int:
    """Print what was counted, as JSON."""
    directory, kind, rounds, seed = arguments
    begun = time.monotonic()
    facts = campaign(Path(directory), kind, int(rounds), int(seed))
    print(json.dumps(facts | {"seconds": round(time.monotonic() - begun)}))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))

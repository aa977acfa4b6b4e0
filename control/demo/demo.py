"""`touchline demo`: a venue, four FIX clients, a live book, and the proof that it all adds up.

   touchline run (processes) ◄─FIX─ 4 × demo_client (processes)   progress and book shown meanwhile
   settle, fence, checkpoint, stop ──► verify.py ──► the report; True only when every check holds

Everything is real: the host that `touchline run` uses, quickfix initiators over loopback, market
data over ZeroMQ, an operator who halts and resumes an instrument and holds an auction. Files go to
a directory of its own, removed afterwards unless it is to be kept. One thread; clients' output is
read by small ones.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from touchline.control.demo import special
from touchline.control.demo.report import Progress, report_text
from touchline.control.demo.venue import (
    CLIENTS,
    LISTINGS,
    Broker,
    newest_event,
    running_venue,
    write_config,
)
from touchline.control.operate import monitor, verify
from touchline.control.supervisor.admin import Admin, NotRunning, Unanswered
from touchline.data import history
from touchline.errors import TouchlineError
from touchline.marketdata import Subscriber

HALTED_SYMBOL = "CCC"
HALT_FROM, HALT_TO = 0.45, 0.52  # of the time that orders flow
START_S = 60.0
SETTLE_S = 30.0
CAPTURE_S = 30.0
STOP_S = 60.0


@dataclass
class Client:
    """A client's process and what it said last."""

    comp_id: str
    account: str
    directory: Path
    popen: subprocess.Popen[str]
    counts: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    settled: bool = False
    logged_on: bool = False
    failed: str = ""

    def listen(self) -> None:
        """Take in progress until the client ends; runs in a thread of its own."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            facts = json.loads(line)
            self.counts = facts.get("counts", self.counts)
            self.refusals = facts.get("refusals", self.refusals)
            self.logged_on = self.logged_on or "logged_on" in facts
            self.failed = facts.get("failed", self.failed)
            self.settled = self.settled or facts.get("settled", False)

    def order(self, word: str) -> None:
        """Send one command; a client that is gone has been noticed elsewhere."""
        assert self.popen.stdin is not None
        self.settled = False
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.write(word + "\n")
            self.popen.stdin.flush()


def run_demo(*, seconds: float, seed: int, rate: int, keep: Path | None, as_json: bool) -> bool:
    """Run the demonstration and print its report; True when every check held."""
    directory = keep or Path(tempfile.mkdtemp(prefix="touchline-demo-"))
    directory.mkdir(parents=True, exist_ok=True)
    progress = Progress(quiet=as_json)
    try:
        facts = _Demo(directory, seconds, seed, rate, progress, kept=keep is not None).run()
    finally:
        progress.clear()
        if keep is None:
            shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(facts, default=str) if as_json else report_text(facts))
    return bool(facts["proof_holds"])


class _Demo:
    """One run: the steps in order, and what they found."""

    def __init__(
        self,
        directory: Path,
        seconds: float,
        seed: int,
        rate: int,
        progress: Progress,
        *,
        kept: bool,
    ) -> None:
        self._kept = kept
        self._directory = directory
        self._seconds = seconds
        self._seed = seed
        self._rate = rate
        self._progress = progress
        self._config = write_config(directory)
        self._first_seq = 0
        self._clients: list[Client] = []

    def run(self) -> dict[str, Any]:
        with contextlib.ExitStack() as stack:
            self._progress.say("starting the venue")
            venue = stack.enter_context(running_venue(self._config, self._directory))
            self._first_seq = newest_event(self._config)
            self._progress.say("connecting four FIX clients")
            for broker in CLIENTS:
                self._clients.append(stack.enter_context(self._client(broker)))
            self._await(lambda c: c.logged_on, START_S, "log on")
            book = self._trade()
            self._order_and_settle("stop")
            self._act()
            self._order_and_settle("fence")
            with Admin(self._config) as admin:
                checkpoint = admin.checkpoint()
            self._quit_clients()
            self._progress.say("waiting for the capture")
            self._await_capture(checkpoint[0])
            self._progress.say("stopping the venue")
            live_hash = int(venue.stop()["state_hash"], 16)
        return self._facts(book, checkpoint, live_hash)

    @contextlib.contextmanager
    def _client(self, broker: Broker) -> Iterator[Client]:
        """A client's process, ended with the block."""
        directory = self._directory / "clients" / broker.comp_id
        directory.mkdir(parents=True, exist_ok=True)
        task = {
            "comp_id": broker.comp_id,
            "begin_string": broker.begin_string,
            "target_comp_id": self._config.fix.comp_id,
            "host": self._config.fix.host,
            "port": self._config.fix.port,
            "directory": str(directory),
            "listings": LISTINGS,
            "seed": self._seed,
            "maker": broker.maker,
            "seconds": self._seconds,
            "rate": self._rate,
            "logon_s": START_S / 2,
            "tag": f"{broker.comp_id}-{secrets.token_hex(3)}",
        }
        with (directory / "errors.log").open("w") as errors:
            popen = subprocess.Popen(
                [sys.executable, "-m", "touchline.control.demo.client"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        client = Client(broker.comp_id, broker.account, directory, popen)
        threading.Thread(target=client.listen, daemon=True).start()
        client.order(json.dumps(task))
        try:
            yield client
        finally:
            popen.kill()
            popen.wait()

    def _trade(self) -> list[dict[str, Any]]:
        """Let the orders flow; halt and resume an instrument on the way. The books at the end."""
        for client in self._clients:
            client.order("go")
        started = time.monotonic()
        halts = [(HALT_FROM, "halt"), (HALT_TO, "resume")]
        with monitor.open_books(self._config) as books:
            while (elapsed := time.monotonic() - started) < self._seconds:
                if halts and elapsed >= halts[0][0] * self._seconds:
                    # An engine that is just being restarted is asked again.
                    with contextlib.suppress(NotRunning, Unanswered), Admin(self._config) as admin:
                        getattr(admin, halts[0][1])(HALTED_SYMBOL)
                        halts.pop(0)
                books.poll(0.1)
                self._check_alive()
                self._progress.show(elapsed, self._seconds, self._totals(), self._books(books))
            return self._books(books)

    def _books(self, books: Subscriber) -> list[dict[str, Any]]:
        levels = self._config.publish.depth_levels
        return [monitor.book_facts(books.book(symbol), levels) for symbol in books.symbols]

    def _totals(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for client in self._clients:
            for name, count in client.counts.items():
                totals[name] = totals.get(name, 0) + count
        return totals

    def _order_and_settle(self, word: str) -> None:
        """Tell every client, and wait until none has an unanswered request."""
        self._progress.say("waiting for the last answers")
        for client in self._clients:
            client.order(word)
        self._await(lambda c: c.settled, SETTLE_S, "have all requests answered")

    def _act(self) -> None:
        """An iceberg, a stop and an auction: one order after the other."""
        self._progress.say("an iceberg, a stop and an auction")
        clients = {client.comp_id: client for client in self._clients}
        for act in special.messages(special.ACTS):
            if isinstance(act, special.Order):
                clients[act.comp_id].order(json.dumps(act.fields))
                self._await(lambda c: c.settled, SETTLE_S, "have an order answered")
            else:
                with Admin(self._config) as admin:
                    admin.phase(special.SYMBOL, act)

    def _quit_clients(self) -> None:
        for client in self._clients:
            client.order("quit")
        self._await(lambda c: c.popen.poll() == 0, STOP_S, "log out", alive=False)

    def _await(
        self, done: Callable[[Client], bool], timeout_s: float, what: str, *, alive: bool = True
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not all(done(client) for client in self._clients):
            if alive:
                self._check_alive()
            if time.monotonic() >= deadline:
                late = ", ".join(c.comp_id for c in self._clients if not done(c))
                raise TouchlineError(f"{late} did not {what} within {timeout_s:g} s")
            time.sleep(0.02)

    def _check_alive(self) -> None:
        for client in self._clients:
            if client.failed or client.popen.poll() is not None:
                why = client.failed or (client.directory / "errors.log").read_text()[-500:]
                raise TouchlineError(f"client {client.comp_id} ended: {why}")

    def _await_capture(self, seq: int) -> None:
        deadline = time.monotonic() + CAPTURE_S
        captured = 0
        while captured < seq:
            if time.monotonic() >= deadline:
                raise TouchlineError(f"events were captured to {captured} only, of {seq}")
            time.sleep(0.1)
            with contextlib.suppress(TouchlineError):
                captured = self._ask("SELECT max(seq) FROM events")[1][0][0]

    def _ask(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        return history.query(self._config.capture_dir, sql)

    def _facts(
        self, books: list[dict[str, Any]], checkpoint: tuple[int, int], live_hash: int
    ) -> dict[str, Any]:
        """Everything the report says, with the proof."""
        self._progress.say("replaying the journal")
        replayed = verify.replay_whole(self._config.journal_dir)
        told: dict[str, dict[str, verify.Execution]] = {}
        twice = 0
        for client in self._clients:
            told[client.account], repeated = verify.told_executions(
                client.directory / "reports.csv"
            )
            twice += repeated
        captured = verify.captured_executions(self._config, self._first_seq)
        checks, sums = verify.check_executions(told, captured, twice)
        checks = [
            *verify.check_replay(replayed, live_hash, checkpoint),
            verify.check_capture(self._config, replayed.events),
            *checks,
        ]
        acts = {name: self._ask(sql)[1] for name, sql in special.QUERIES.items()}
        special_check, special_trades = special.check_special(acts)
        checks.append(special_check)
        columns, rows = self._ask(VWAP.format(first_seq=self._first_seq))
        captured_events = self._ask("SELECT count(*) FROM events")[1][0][0]
        refusals: dict[str, int] = {}
        for client in self._clients:
            for reason, count in client.refusals.items():
                refusals[reason] = refusals.get(reason, 0) + count
        return {
            "seconds": self._seconds,
            "seed": self._seed,
            "directory": str(self._directory),
            "clients": [
                dict(zip(("comp_id", "begin_string"), c[:2], strict=True)) for c in CLIENTS
            ],
            **self._totals(),
            "refusals": dict(sorted(refusals.items(), key=lambda item: (-item[1], item[0]))),
            "round_trip_ms": verify.percentiles_ms(
                client.directory / "round_trips.ns" for client in self._clients
            ),
            "books": books,
            "commands": replayed.commands,
            "events": replayed.events,
            "replay_seconds": round(replayed.seconds, 4),
            "state_hash": f"{replayed.state_hash:016x}",
            "captured": captured_events,
            "kept": self._kept,
            "vwap": [dict(zip(columns, row, strict=True)) for row in rows],
            "sums": sums,
            "special": special_trades,
            "checks": [vars(check) for check in checks],
            "proof_holds": all(check.ok for check in checks),
        }


VWAP = """
SELECT symbol, count(*) AS trades, sum(qty)::DECIMAL(18, 0) AS volume,
    (sum(price * qty) / sum(qty))::DECIMAL(18, 6)::VARCHAR AS vwap,
    printf('%.*f', any_value(price_decimals), min(price)) AS low,
    printf('%.*f', any_value(price_decimals), max(price)) AS high
FROM trades JOIN instruments USING (symbol)
WHERE seq > {first_seq} GROUP BY symbol ORDER BY symbol
"""

"""One attack on one venue: set up, measured before and during, judged afterwards.

The verdict is the same for all attacks. The gateway's process lives; every honest Logon succeeds;
the 99th percentile of the honest brokers at most doubles; the gateway's memory grows by at most
MEMORY_MB; and a broker who was away finds his sequence numbers, and the fill that waits for him,
as he left them. What an attack itself finds wrong is added.

An attacker has a machine of his own. Here he shares two cores with the venue, so he runs at the
lowest priority; and before the attack a process that only computes stands in for his.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attacks.honest import PASSWORD
from attacks.machine import Host
from attacks.target import VICTIM, Target
from harness.fix_client import Closed, FixClient, utc_now
from harness.fix_venue import TESTS, venue_config
from harness.waiting import free_ports
from touchline.config import Config, FixSection

MEASURE_S = 2.0  # twice; the quieter one counts
ATTACK_S = 6.0
RATIO_MAX = 2.0
MEMORY_MB = 64.0
TRIES = 3  # while nothing but the ratio is at fault: what else runs here only makes it worse
LATEST_S = 60.0
LOWEST = 19
ENGINES = ("native", "quickfix")


@dataclass(frozen=True)
class Attack:
    """`after` is run when it is over; `sessions` more than the usual ones, and `descriptors` that
    the gateway may have at most; `shifted`: its clock can be set; `power_cut` ends it. `beyond`
    says of an engine why it can not do what the attack asks for: that alone may be at fault."""

    name: str
    number: str
    run: Callable[[Target], None]
    after: Callable[[Target], None] = lambda target: None
    sessions: int = 0
    descriptors: int = 0
    shifted: bool = False
    power_cut: bool = False
    beyond: dict[str, str] = field(default_factory=dict)


@dataclass
class Verdict:
    """What one attack did: `faults` is empty when the venue stood it. What is beyond the engine is
    in `known`."""

    faults: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    ratio: float = 0.0


def known_engines() -> tuple[str, ...]:
    """The engines this venue can be configured with."""
    return ENGINES if "engine" in FixSection.model_fields else ENGINES[1:]


def scene_config(directory: Path, engine: str, more_sessions: int) -> Config:
    names = ["HONEST1", "HONEST2", "VISITOR", "ATTACKER", "ATTACKER2", VICTIM]
    locked = {"VISITOR", VICTIM}
    sessions = [
        {"comp_id": name, "accounts": [name]} | ({"password": PASSWORD} if name in locked else {})
        for name in names
    ]
    sessions += [{"comp_id": f"IDLE{n}", "accounts": names[:1]} for n in range(more_sessions)]
    fix: dict[str, Any] = {"port": free_ports(1)[0]}
    fix |= {"engine": engine} if "engine" in FixSection.model_fields else {}
    usual = venue_config(
        directory, fix=fix, sessions=sessions, accounts=[{"name": name} for name in names]
    )
    engine_section = {"instruments_max": 512, "orders_max": 1 << 17, "sync": "batch"}
    return Config.model_validate(usual.model_dump() | {"engine": engine_section})


class Honest:
    """A process of honest brokers."""

    def __init__(self, role: str, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "attacks.honest", role, str(port)],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, seconds: float) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"measure {seconds}\n")
            self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.line() or '{"faults": ["they gave up"]}')
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()


class Victim:
    """A broker who is away while a fill waits for him."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.next_seq = 0
        self.next_in = 0

    def leave(self) -> None:
        """Rest an order, log out, and be filled by another."""
        with FixClient(self._port, VICTIM) as client:
            assert client.logon(f"554={PASSWORD}")["35"] == "A"
            client.send("D", "11=waits", *self._terms("2"))
            assert client.application()["150"] == "0"
            client.send("5")
            while (message := client.receive())["35"] != "5":
                pass
            self.next_seq, self.next_in = client.next_seq, int(message["34"]) + 1
        with FixClient(self._port, "ATTACKER2") as other:
            assert other.logon()["35"] == "A"
            other.send("D", "11=takes", *self._terms("1"))
            assert [other.application()["39"] for _ in "02"] == ["0", "2"]
            other.send("5")
            other.receive()

    def _terms(self, side: str) -> tuple[str, ...]:
        return ("55=S02", f"54={side}", "38=10", "40=2", "44=5.00", f"60={utc_now()}")

    def returns(self) -> str:
        """Log on with the numbers as they were, and ask for the fill; what was wrong, or ""."""
        try:
            with FixClient(self._port, VICTIM) as client:
                client.next_seq = self.next_seq
                answer = client.logon(f"554={PASSWORD}", reset=False)
                number = self.next_in + 1  # the fill has the one before
                if (answer["35"], answer["34"]) != ("A", str(number)):
                    told = {tag: answer.get(tag) for tag in ("35", "34", "7", "58")}
                    return f"the victim's Logon was answered by {told}, not by A with 34={number}"
                client.send("2", f"7={self.next_in}", "16=0")
                fill = client.application()
                found = tuple(fill.get(tag) for tag in ("35", "34", "43", "11", "39"))
                wanted = ("8", str(self.next_in), "Y", "waits", "2")
                return "" if found == wanted else f"the waiting fill came as {found}, not {wanted}"
        except (OSError, Closed) as error:
            return f"the victim could not log on: {type(error).__name__} {error}"


@contextlib.contextmanager
def busy_stand_in() -> Iterator[None]:
    """A process that computes at the lowest priority, as the attacker's will."""
    program = f"import os\nos.nice({LOWEST})\nwhile os.getppid() == {os.getpid()}: pass"
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def launched(attack: Attack, target: Target) -> threading.Thread:
    def run() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
        target.notes.extend(f"the attacker: {why}" for why in _tried(attack.run, target))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def _tried(part: Callable[[Target], None], target: Target) -> list[str]:
    """How a part of an attack was cut short, if it was."""
    try:
        part(target)
    except (OSError, Closed) as error:
        return [f"{type(error).__name__} {error}"]
    return []


def judged(host: Host, attack: Attack, engine: str, seconds: float) -> Verdict:
    """The attack, on a venue that is open."""
    verdict = Verdict()
    victim, target = Victim(host.port), Target(host.port, clock=host.shift_clock, kill=host.kill)
    with contextlib.ExitStack() as stack:
        traders, visitors = (Honest(role, host.port) for role in ("trade", "visit"))
        for honest in (traders, visitors):
            stack.callback(honest.close)
            assert honest.line() == "ready"
        stack.callback(target.close)
        victim.leave()
        both = (traders, visitors)
        with busy_stand_in():
            quiet = [_measured(both, min(seconds, MEASURE_S)) for _ in range(2)]
        before = min(quiet, key=lambda measured: float(measured[0].get("p99_ms", "inf")))
        memory = host.memory_mb()
        _begin(both, seconds)
        thread = launched(attack, target)
        thread.join(seconds)
        target.stop.set()
        found = [honest.result() for honest in both]
        thread.join(LATEST_S)
        if thread.is_alive():
            verdict.faults.append(f"the attack was kept busy for {LATEST_S:.0f} s more")
        if fault := host.cut_power() if attack.power_cut else host.fate():
            verdict.faults.append(fault)
        if not verdict.faults and (fault := victim.returns()):
            verdict.faults.append(fault)
        if not host.fate():
            verdict.faults += [f"afterwards: {why}" for why in _tried(attack.after, target)]
        _weigh(verdict, before, found)
        _weigh_memory(verdict, host.peak_mb() - memory)
    (verdict.known if engine in attack.beyond else verdict.faults).extend(target.faults)
    verdict.figures += target.notes
    return verdict


def _begin(both: Sequence[Honest], seconds: float) -> None:
    for honest in both:
        honest.begin(seconds)


def _measured(both: Sequence[Honest], seconds: float) -> list[dict[str, Any]]:
    _begin(both, seconds)
    return [honest.result() for honest in both]


def _weigh(verdict: Verdict, before: list[dict[str, Any]], during: list[dict[str, Any]]) -> None:
    (quiet, first_visits), (attacked, visits) = before, during
    assert not quiet["faults"], quiet
    assert not first_visits["faults"], first_visits
    verdict.faults += attacked["faults"]
    verdict.faults += visits["faults"]
    verdict.figures.append(f"logons {visits.get('good', 0)}/{visits.get('tried', 0)}")
    if "p99_ms" in attacked:
        verdict.ratio = attacked["p99_ms"] / quiet["p99_ms"]
        figures = f"p99 {quiet['p99_ms']:.2f} -> {attacked['p99_ms']:.2f} ms"
        verdict.figures.append(f"{figures} ({verdict.ratio:.1f}x)")
        verdict.figures.append(f"longest {attacked['max_ms']:.0f} ms")


def _weigh_memory(verdict: Verdict, grown_mb: float) -> None:
    verdict.figures.append(f"memory {grown_mb:+.1f} MB")
    if grown_mb > MEMORY_MB:
        verdict.faults.append(f"the gateway grew by {grown_mb:.0f} MB, over {MEMORY_MB:.0f}")


def played(attack: Attack, engine: str, seconds: float = ATTACK_S, tries: int = TRIES) -> Verdict:
    """The attack on a venue of its own, again while the ratio alone is too high."""
    for _ in range(tries):
        directory = Path(tempfile.mkdtemp(prefix="touchline-attack-"))
        try:
            config = scene_config(directory / "venue", engine, attack.sessions)
            host = Host(config, attack.descriptors, attack.shifted, attack.power_cut)
            try:
                if failed := host.open():
                    return Verdict([failed])
                verdict = judged(host, attack, engine, seconds)
            except AssertionError as error:
                return Verdict([f"it could not be set up: {error}"])
            finally:
                host.close()
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if verdict.faults or verdict.ratio <= RATIO_MAX:
            break
    return verdict

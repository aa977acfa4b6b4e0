"""How a part is: starting and how far, ready, silent for how long. What the supervisor judges by.

Times are of a clock that only goes forward, handed in. A part tells on its channel what it does;
the engine's sign of life is the heartbeat in the bus. Whoever has never given a sign of life is not
called silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from touchline.control.supervisor.launch import Facts, Running
from touchline.control.supervisor.part import CAPTURE, PUBLISHER

PAUSE_FIRST_S = 0.2
FOLLOWER_PATIENCE = 4


@dataclass(slots=True)
class Part:
    """One part and what became of it."""

    name: str
    running: Running | None = None
    told_start: bool = False
    ready: bool = False
    restarts: int = 0
    tries: int = 0  # in a row that ended before the part was ready
    pause_s: float = PAUSE_FIRST_S
    start_at: float = 0.0
    since: float = 0.0
    failure: str = ""  # of this run, as far as it told
    last_failure: str = ""  # why the run before this one ended
    progress: tuple[int, int] | None = None  # done and to be done, in the part's own measure
    progress_at: float = 0.0
    beat: object = None  # the last sign of life; any other value is a new one
    beat_at: float = 0.0
    sessions: list[str] = field(default_factory=list)
    counters: dict[str, Any] = field(default_factory=dict)  # as the part told them last
    state_hash: str = ""
    overlooked: dict[str, int] | None = None  # of the journal, as the engine told at its start
    hung_told: bool = False
    taking_up: bool = False  # it has been handed a changed configuration
    replacing: bool = False  # it was asked to end, for another to take its place

    def begin(self, running: Running, now: float) -> None:
        """The part has just been started."""
        self.running = running
        self.told_start = self.ready = self.hung_told = self.taking_up = False
        self.since = self.progress_at = self.beat_at = now
        self.progress, self.beat, self.sessions, self.counters = None, None, [], {}
        self.failure = ""

    def listen(self, now: float) -> None:
        """Take in what the part has told."""
        if self.running is None:
            return
        for facts in self.running.told():
            self._hear(facts, now)

    def _hear(self, facts: Facts, now: float) -> None:
        self.told_start = self.told_start or "started" in facts or "ready" in facts
        self.failure = str(facts.get("failed") or facts.get("crashed") or self.failure)
        if "progress" in facts:
            told = (int(facts["progress"]), int(facts["of"]))
            if told != self.progress:
                self.progress, self.progress_at = told, now
        if "beat" in facts:
            self.sign_of_life(facts["beat"], now)
        if "taken_up" in facts:
            self.taking_up = False
        if "sessions" in facts:
            self.sessions = [str(name) for name in facts["sessions"]]
        self.counters = facts.get("counters", self.counters)
        self.overlooked = facts.get("overlooked", self.overlooked)
        if "stopped" in facts:
            self.state_hash = str(facts["state_hash"])

    def sign_of_life(self, beat: object, now: float) -> None:
        """What stands for the part's life has this value; only another one than before counts."""
        if beat != self.beat:
            self.beat, self.beat_at = beat, now

    def forgive(self, now: float) -> None:
        """Nobody was listening for a while: start counting anew."""
        self.progress_at = self.beat_at = now

    def stuck(self, now: float, no_progress_s: float) -> bool:
        """Whether it is starting and shows no progress."""
        return (
            self.running is not None
            and not self.ready
            and (now - self.progress_at >= no_progress_s)
        )

    def hung(self, now: float, hung_s: float) -> bool:
        """Whether it gave signs of life, and gives none any more."""
        silent = self.beat is not None and now - self.beat_at >= hung_s
        return self.running is not None and self.ready and silent

    def facts(self, now: float) -> dict[str, Any]:
        """What the state file says of it."""
        return {
            "pid": self.running.pid if self.running else None,
            "state": self._state(),
            "ready": self.ready,
            "percent": self.percent,
            "taking_up": self.taking_up,
            "restarts": self.restarts,
            "silent_s": None if self.beat is None else round(now - self.beat_at, 1),
            "last_failure": self.failure or self.last_failure,
            "counters": self.counters,
        }

    def _state(self) -> str:
        if self.running is None:
            return "down"
        return "ready" if self.ready else "starting"

    @property
    def percent(self) -> int | None:
        """How far a start is; None when it is none, or nothing is known."""
        if self.ready or self.running is None or self.progress is None:
            return None
        done, of = self.progress
        return min(100, 100 * done // max(of, 1))


def patience(name: str) -> int:
    """How many times as long a part may be silent: those that follow also do long work on the
    disk, and nobody's order waits for them."""
    return FOLLOWER_PATIENCE if name in (PUBLISHER, CAPTURE) else 1

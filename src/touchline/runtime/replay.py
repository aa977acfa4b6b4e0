"""Replay: the journal's commands through a new engine, which gives the same events and state again.

Recovery, audit, lapped readers and simulations all rest on this. Batches are numpy arrays; a batch
is one call into the engine. A Replay belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from touchline.core.arguments import checked_whole
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import Text, text_commands
from touchline.errors import TouchlineError
from touchline.runtime.closing import Closing
from touchline.runtime.journal import JournalReader
from touchline.runtime.owned import refuse_copy

Batch = tuple[NDArray[np.void], NDArray[np.void]]


def replay(
    journal_dir: str | PathLike[str], *, from_event_seq: int = 1, batch: int = 4096
) -> Iterator[Batch]:
    """Batches of (commands, events) up to the journal's end, shapes (n,) and (m,).

    Events before `from_event_seq` are left out, and so are batches that hold none but those. The
    events are a view valid until the next batch; copy to keep. Raises FileNotFoundError when there
    is no journal, JournalCorrupt when it is damaged.
    """
    checked_whole(from_event_seq, "from_event_seq", 1)
    with Replay(journal_dir, batch=batch) as source:
        for commands, events in source:
            fresh = events[np.searchsorted(events["seq"], from_event_seq) :]
            if len(fresh) or from_event_seq == 1:
                yield commands, fresh


def replay_all(journal_dir: str | PathLike[str]) -> ReplayResult:
    """Replay to the end. Equal results mean equal journals: see ReplayResult."""
    with Replay(journal_dir) as source:
        for _ in source:
            pass
        return source.result()


def verify(journal_dir: str | PathLike[str], state_hash: int) -> ReplayResult:
    """Replay to the end and compare. Raises TouchlineError when the state is another one."""
    result = replay_all(journal_dir)
    if result.state_hash != state_hash:
        raise TouchlineError(
            f"the replay of {result.commands} commands gave state {result.state_hash:016x}, "
            f"not {state_hash:016x}"
        )
    return result


class ReplayResult(NamedTuple):
    """How many commands gave how many events, and the state they led to."""

    commands: int
    events: int
    state_hash: int


class Replay(Closing):
    """An engine that follows a journal. Iterating yields (commands, events) up to the present end.

    It can be iterated again as the writer goes on, and continues where it was. `engine` is the
    state after the last batch: ask it for depth, positions, orders.
    """

    def __init__(self, journal_dir: str | PathLike[str], *, batch: int = 4096) -> None:
        self._batch = checked_whole(batch, "batch", 1)
        self.reader = JournalReader(journal_dir)
        self.engine = Engine(**self.reader.capacities._asdict())

    @property
    def capacities(self) -> EngineCapacities:
        """What the engine has now. It grows where the journal's commands were done with more."""
        return self.engine.capacities

    def __iter__(self) -> Iterator[Batch]:
        while (pair := self.next_batch()) is not None:
            yield pair

    def next_batch(self) -> Batch | None:
        """The next batch, or None at the journal's present end.

        The commands are the caller's own, the events a view valid until the next batch.
        """
        commands = self.reader.read(self._batch)
        if not len(commands):
            return None
        follow_capacities(self.engine, self.reader)
        return commands, self.engine.submit(commands)

    def result(self) -> ReplayResult:
        """Where the replay stands."""
        return ReplayResult(
            self.reader.next_seq - 1, self.engine.event_seq, self.engine.state_hash()
        )

    def __reduce__(self) -> NoReturn:
        raise refuse_copy(self)

    def close(self) -> None:
        """Let go of the journal's files; the engine stays usable."""
        self.reader.close()


def follow_capacities(engine: Engine, reader: JournalReader) -> None:
    """Give an engine the room that the one had which did the commands read last.

    Before they are submitted: with more room a command that was refused as full would not be.
    """
    capacities = reader.capacities
    if engine.capacities != capacities:
        engine.grow(**capacities._asdict())


def texts(commands: NDArray[np.void], kind: Text) -> Iterator[tuple[int, int, str]]:
    """(key, side, text) of every TEXT command of one kind among `commands`, in order."""
    chosen = text_commands(commands)
    chosen = chosen[chosen["field"] == int(kind)]
    for key, side, text in zip(
        chosen["key"].tolist(), chosen["side"].tolist(), chosen["text"].tolist(), strict=True
    ):
        yield key, side, text.decode("utf-8", errors="replace")

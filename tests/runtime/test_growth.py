"""A venue that is given larger sizes goes on with its journal, and every replay follows it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.commands import joined
from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue, wait_commands
from touchline.core.capacities import EngineCapacities
from touchline.core.engine import Engine
from touchline.core.messages import EVENT, LANE_API, Reason
from touchline.errors import ConfigError
from touchline.runtime.bus import Bus
from touchline.runtime.journal import JournalReader
from touchline.runtime.replay import Replay, replay, replay_all, verify
from touchline.runtime.runner import Runner

EACH = 1500
SIZES = (
    SMALL._replace(orders_max=10, positions_max=1),
    SMALL._replace(orders_max=40, positions_max=2),
    SMALL,
)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def run_and_kill(venue: RuntimeVenue, commands: np.ndarray, held: int) -> np.ndarray:
    """The events of all commands so far, as published when those of this run were done."""
    child = venue.start_engine()
    with venue.attach() as bus, bus.lane(LANE_API) as lane:
        lane.send(commands, timeout_s=30.0)
        wait_commands(bus, held + len(commands))
        events = bus.events(1).read(1 << 16).copy()
    child.kill()
    child.join()
    return events


def write_grown(venue: RuntimeVenue, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Runs of one size after the other, each killed; all commands, and all events published."""
    commands = mixed_flow(seed, EACH * len(SIZES))
    events = np.empty(0, EVENT)
    for run, sizes in enumerate(SIZES):
        venue.capacities = sizes
        before, held = events, run * EACH
        events = run_and_kill(venue, commands[held : held + EACH], held)
        assert events[: len(before)].tobytes() == before.tobytes()
        if sizes is not SMALL:
            assert np.isin(events[len(before) :]["reason"], Reason.ORDERS_FULL).any()
    assert not np.isin(events[len(before) :]["reason"], Reason.ORDERS_FULL).any()
    return commands, events


def test_a_venue_killed_and_restarted_larger_replays_what_it_published(
    venue: RuntimeVenue, seed: int
) -> None:
    commands, published = write_grown(venue, seed)
    for batch in (1, 77, 1 << 20):
        events = [events.copy() for _, events in replay(venue.journal, batch=batch)]
        assert joined(events).tobytes() == published.tobytes()
    engine = Engine(**SIZES[0]._asdict())
    for run, sizes in enumerate(SIZES):
        engine.grow(**sizes._asdict())
        engine.submit(np.ascontiguousarray(commands[run * EACH : (run + 1) * EACH]))
    verify(venue.journal, engine.state_hash())
    with (
        Bus.create(venue.bus_path, **venue.geometry) as bus,
        Runner(venue.journal, bus, SMALL) as runner,
    ):
        assert runner.open() == (*replay_all(venue.journal), None, 0, 0)


def test_a_reader_tells_the_size_that_each_batch_was_done_with(
    venue: RuntimeVenue, seed: int
) -> None:
    write_grown(venue, seed)
    with JournalReader(venue.journal) as reader:
        assert reader.capacities == SIZES[0]
        assert reader.newest_capacities == SIZES[-1]
        seen: list[EngineCapacities] = []
        while len(part := reader.read(1 << 20)):
            assert reader.capacities == SIZES[(int(part["seq"][0]) - 1) // EACH]
            assert reader.capacities == SIZES[(int(part["seq"][-1]) - 1) // EACH]
            seen.append(reader.capacities)
    assert dict.fromkeys(seen) == dict.fromkeys(SIZES)


def test_a_replay_at_the_end_follows_a_venue_that_comes_back_larger(
    venue: RuntimeVenue, seed: int
) -> None:
    commands = mixed_flow(seed, EACH * len(SIZES))
    venue.capacities = SIZES[0]
    run_and_kill(venue, commands[:EACH], 0)
    with Replay(venue.journal) as source:
        assert sum(len(part) for part, _ in source) == EACH
        assert source.next_batch() is None
        venue.capacities = SIZES[1]
        run_and_kill(venue, commands[EACH : 2 * EACH], EACH)
        assert sum(len(part) for part, _ in source) == EACH
        assert source.capacities == SIZES[1]
        assert source.result() == replay_all(venue.journal)


def test_a_smaller_size_is_refused_by_name_and_changes_nothing(
    venue: RuntimeVenue, seed: int
) -> None:
    write_grown(venue, seed)
    before = replay_all(venue.journal)
    with Bus.create(venue.bus_path, **venue.geometry) as bus:
        for name, had in SMALL._asdict().items():
            with pytest.raises(ConfigError, match=f"{name} {had}, which can be raised but not low"):
                Runner(venue.journal, bus, SMALL._replace(**{name: had - 1})).open()
    assert replay_all(venue.journal) == before

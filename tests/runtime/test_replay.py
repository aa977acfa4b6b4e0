"""Replay: the journal gives the same events and state, byte for byte, as often as asked."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness.commands import joined
from harness.flows import mixed_flow
from harness.venue import SMALL, RuntimeVenue, wait_commands
from touchline.core.messages import EVENT, LANE_API, Text
from touchline.errors import TouchlineError
from touchline.runtime.replay import Replay, replay, replay_all, texts, verify


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[RuntimeVenue]:
    venue = RuntimeVenue(tmp_path)
    yield venue
    venue.end()


def write_journal(venue: RuntimeVenue, commands: np.ndarray) -> np.ndarray:
    """Returns the events as published."""
    with venue.running() as (bus, _), bus.lane(LANE_API) as lane:
        lane.send(commands, timeout_s=30.0)
        wait_commands(bus, len(commands))
        return bus.events(1).read(1 << 16)


def replayed(venue: RuntimeVenue, from_event_seq: int = 1, batch: int = 4096) -> np.ndarray:
    pairs = replay(venue.journal, from_event_seq=from_event_seq, batch=batch)
    return joined([np.empty(0, EVENT)] + [events.copy() for _, events in pairs])


def test_a_replay_gives_the_published_events_again(venue: RuntimeVenue, seed: int) -> None:
    published = write_journal(venue, mixed_flow(seed, 5000))
    assert len(published) > 3000
    for batch in (1, 77, 1 << 20):
        assert replayed(venue, batch=batch).tobytes() == published.tobytes()


def test_a_replay_may_begin_at_any_event(venue: RuntimeVenue, seed: int) -> None:
    published = write_journal(venue, mixed_flow(seed, 1000))
    for first in (2, 500, len(published), len(published) + 1, 10**9):
        assert replayed(venue, first, batch=64).tobytes() == published[first - 1 :].tobytes()


def test_a_replay_goes_on_as_the_engine_does(venue: RuntimeVenue, seed: int) -> None:
    commands = mixed_flow(seed, 3000)
    with venue.running() as (bus, runner), bus.lane(LANE_API) as lane:
        source = Replay(venue.journal)
        assert source.capacities == SMALL
        for at in range(0, 3000, 500):
            lane.send(commands[at : at + 500])
            wait_commands(bus, at + 500)
            assert sum(len(events) for _, events in source) > 0
            assert source.result()[:2] == (at + 500, bus.newest_event)
        assert source.next_batch() is None
        runner.stop()
    assert source.engine.state_hash() == replay_all(venue.journal).state_hash


def test_verify_tells_another_state(venue: RuntimeVenue, seed: int) -> None:
    write_journal(venue, mixed_flow(seed, 300))
    result = replay_all(venue.journal)
    assert verify(venue.journal, result.state_hash) == result
    with pytest.raises(TouchlineError, match="the replay of 300 commands gave state"):
        verify(venue.journal, result.state_hash ^ 1)


def test_texts_are_found_by_kind(venue: RuntimeVenue, seed: int) -> None:
    write_journal(venue, mixed_flow(seed, 300))
    with Replay(venue.journal) as source:
        pair = source.next_batch()
        assert pair is not None
        assert list(texts(pair[0], Text.SYMBOL)) == [(0, 0, "AAA")]
        assert list(texts(pair[0], Text.ACCOUNT)) == [(0, 0, "ACC1")]
        assert list(texts(pair[0], Text.SESSION)) == []


def test_no_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(iter(replay(tmp_path / "none")))

"""The gateway killed at steps of a session: numbers go on, no order is lost or taken twice."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.fix_venue import PartsVenue, running_venue
from harness.session_kills import Walker, check, steps_of_a_session, walk

KILLS = 6


@pytest.fixture
def venue(tmp_path: Path, engine: str) -> Iterator[PartsVenue]:
    with running_venue(tmp_path, engine) as venue:
        yield venue


def test_a_gateway_killed_at_any_step_goes_on(venue: PartsVenue, seed: int) -> None:
    rng = random.Random(seed)
    walker = Walker(venue, "BROKER1", rng)
    steps = steps_of_a_session(walker)
    assert steps > 20
    fuses = rng.sample(range(1, steps + 1), KILLS)
    assert walk(venue, walker, fuses) == KILLS
    check(venue, walker)


def test_a_step_of_the_logon_and_of_the_logout(venue: PartsVenue, seed: int) -> None:
    walker = Walker(venue, "BROKER1", random.Random(seed))
    steps = steps_of_a_session(walker)
    assert walk(venue, walker, [1, 2, 3, steps - 1, steps]) >= 4
    check(venue, walker)

"""What a start knows from the journal is what a replay of all of it would say."""

import random
from pathlib import Path
from typing import Any

import pytest

from harness.commands import SYMBOLS, commands, listing, new_order
from harness.venue import ThreadVenue
from touchline.control.supervisor import setup
from touchline.control.supervisor.setup import read_journal, replayed
from touchline.core.capacities import EngineCapacities
from touchline.core.messages import (
    LANE_ADMIN,
    EntryStatus,
    Limit,
    MsgType,
    Reason,
    Side,
    TradingStatus,
    refusals,
)

ACCOUNTS_MAX = 8


def administration(rng: random.Random) -> list[dict[str, Any]]:
    """Commands of every kind, right and wrong: of what is listed, of what is not."""
    rows: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, 12)):
        instrument, account = rng.randrange(7), rng.randrange(ACCOUNTS_MAX + 1)
        which = {"instrument": instrument, "account": account}
        rows += rng.choice(
            [
                listing(instrument, f"S{rng.randrange(7)}", "0.5"),
                [which | {"type": MsgType.ACCOUNT}],
                [which | {"type": MsgType.SECURITY_STATUS, "field": rng.choice(HALTS)}],
                [which | {"type": MsgType.ACCOUNT_STATUS, "field": rng.choice(BLOCKS)}],
                [
                    which
                    | {
                        "type": MsgType.LIMIT,
                        "field": rng.choice(list(Limit)),
                        "price": rng.randint(-1, 300),
                    }
                    for _ in range(3)
                ],
            ]
        )
    return rows


HALTS = (0, 3, *TradingStatus)
BLOCKS = (0, 3, *EntryStatus)


def orders(rng: random.Random) -> list[dict[str, Any]]:
    return [
        new_order(
            instrument=rng.randrange(len(SYMBOLS) + 1),
            account=rng.randrange(4),
            side=rng.choice(list(Side)),
            price=rng.randint(95, 105),
            qty=rng.randint(1, 9),
        )
        for _ in range(rng.randint(0, 30))
    ]


def random_journal(directory: Path, seed: int) -> ThreadVenue:
    rng = random.Random(seed)
    with ThreadVenue(directory).running() as venue:
        venue.open()
        for _ in range(15):
            venue.send(commands(administration(rng)), LANE_ADMIN)
            venue.send(commands(orders(rng)))
    return venue


def capacities(positions_max: int) -> EngineCapacities:
    return ThreadVenue.capacities._replace(accounts_max=ACCOUNTS_MAX, positions_max=positions_max)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_known_needs_no_orders_where_every_position_has_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(ThreadVenue, "capacities", capacities(8 * ACCOUNTS_MAX))
    venue = random_journal(tmp_path, seed)
    whole = replayed(venue.config.journal_dir)
    assert whole.limits
    assert whole.instruments
    monkeypatch.delattr(setup, "replay")
    assert read_journal(venue.config.journal_dir) == whole


@pytest.mark.parametrize("seed", range(4))
def test_limits_refused_since_orders_took_the_places_are_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(ThreadVenue, "capacities", capacities(6))
    venue = random_journal(tmp_path, seed)
    refused = refusals(venue.events())
    assert Reason.POSITIONS_FULL in refused["reason"].tolist()
    assert read_journal(venue.config.journal_dir) == replayed(venue.config.journal_dir)

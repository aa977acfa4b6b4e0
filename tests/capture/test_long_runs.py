"""What a capture does while it runs for long: merges, tells damage, learns of new listings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from harness.captured_files import (
    QUICK,
    assert_all_captured,
    capturing,
    files,
    flip_a_bit,
    last_seq,
)
from harness.commands import SYMBOLS, commands, listing
from harness.flows import order_flow
from harness.venue import ThreadVenue
from harness.waiting import until
from touchline.control.capture import compact
from touchline.core.messages import LANE_ADMIN
from touchline.runtime import directory
from touchline.runtime.journal import JournalReader


def test_an_idle_capture_merges_its_small_files(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "FILES_MIN", 5)
    with ThreadVenue(tmp_path, **QUICK | {"capture__rows_max": 50}).running() as venue:
        venue.open()
        with capturing(venue):
            for rows in np.array_split(order_flow(seed, 2000), 4):
                venue.send(rows)
                until(lambda: last_seq(venue) == venue.event_seq, "everything captured")
                until(lambda: len(files(venue.config.capture_dir)) < 5, "files merged")
        assert_all_captured(venue)


def test_a_damaged_file_is_told_and_new_events_are_captured_all_the_same(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "FILES_MIN", 10_000)
    with ThreadVenue(tmp_path, **QUICK | {"capture__rows_max": 50}).running() as venue:
        venue.open()
        state = venue.config.capture_dir / "state.json"
        with capturing(venue):
            venue.send(order_flow(seed, 1000))
            until(lambda: last_seq(venue) == venue.event_seq, "everything captured")
            damaged = files(venue.config.capture_dir)[3][2]
            flip_a_bit(damaged, seed)
            monkeypatch.setattr(compact, "FILES_MIN", 5)
            until(lambda: str(damaged) in (told(state)["error"] or ""), "the damage told")
            venue.send(order_flow(seed + 1, 1000))
            until(lambda: told(state)["seq"] == venue.event_seq, "new events captured")
            assert str(damaged) in told(state)["error"]


def told(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(state.read_bytes())
    return found


def test_a_listing_reads_on_in_the_journal_instead_of_all_of_it(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often something is listed, each command is read once."""
    read = []

    class Counting(JournalReader):
        def read_texts(self, max: int = 4096) -> NDArray[np.void]:
            before = self.next_seq
            texts = super().read_texts(max)
            read.append(self.next_seq - before)
            return texts

    monkeypatch.setattr(directory, "JournalReader", Counting)
    with ThreadVenue(tmp_path, **QUICK).running() as venue:
        venue.open()
        with capturing(venue):
            for number in range(3, 8):
                venue.send(order_flow(seed, 500))
                venue.send(commands(listing(number, f"N{number}", "0.5")), LANE_ADMIN)
                until(lambda: last_seq(venue) == venue.event_seq, "everything captured")
            venue.send(order_flow(seed, 500))
        assert 0 < sum(read) <= venue.bus.status()["commands"]
        names = pq.read_table(files(venue.config.capture_dir)[-1][2]).schema.metadata
        listed = json.loads(names[b"touchline"])["instruments"]
        assert [one["symbol"] for one in listed] == [*SYMBOLS, *(f"N{n}" for n in range(3, 8))]
